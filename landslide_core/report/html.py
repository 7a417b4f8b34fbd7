"""A report as one HTML file: no script, nothing loaded, pictures inside, light and dark, print."""

import base64
import io
from collections.abc import Iterable
from html import escape
from typing import Final

from PIL import Image

from landslide_core.outputs import VERDICT_COLOURS, VERDICT_WORDS
from landslide_core.report.card import RATES
from landslide_core.report.figures import CHANGE, Figures, change_scale
from landslide_core.report.text import PICTURES, SIMULATED, Report, Table

_STYLE: Final = """
:root { color-scheme: light dark; --ink: #1c2329; --dim: #56626d; --paper: #ffffff;
  --box: #f1f4f6; --line: #d3dae0; --alarm: #b23307; --mark: #fff1d6; --edge: #e08e0b; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6ebef; --dim: #a3b0bb; --paper: #14191d;
  --box: #1f272d; --line: #38444d; --alarm: #ff9468; --mark: #3a2c10; --edge: #e08e0b; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.25rem; max-width: 60rem; background: var(--paper);
  color: var(--ink); font: 16px/1.5 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
h1 { font-size: 1.55rem; line-height: 1.3; margin: .3rem 0 1rem; }
h2 { font-size: 1.15rem; margin: 2rem 0 .6rem; border-bottom: 2px solid var(--line); }
.small, figcaption, footer { color: var(--dim); font-size: .88rem; }
.simulated { background: #4b2a7b; color: #fff; font-weight: 700; padding: .5rem .9rem;
  border-radius: .3rem; }
.not { background: var(--box); border-left: .35rem solid var(--alarm); padding: .6rem 1rem;
  margin: 1rem 0; }
.warning { background: var(--mark); border-left: .35rem solid var(--edge); padding: .5rem 1rem;
  margin: .5rem 0; }
ul, ol { margin: .4rem 0; padding-left: 1.3rem; }
figure { margin: 1rem 0; }
img { max-width: 100%; height: auto; display: block; border-radius: .2rem; }
.swatch { display: inline-block; width: .9em; height: .9em; vertical-align: -.1em;
  margin-right: .35em; border: 1px solid #0006; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .93rem; }
th, td { text-align: left; vertical-align: top; padding: .3rem .6rem .3rem 0;
  border-bottom: 1px solid var(--line); overflow-wrap: break-word; }
.name { white-space: nowrap; }
.long { overflow-wrap: anywhere; }
.file { overflow-wrap: anywhere; width: 38%; }
.number { text-align: right; white-space: nowrap; padding-right: 1.2rem; }
.top { display: grid; grid-template-columns: repeat(auto-fill, minmax(17rem, 1fr)); gap: 1.2rem; }
.tile { background: var(--box); border-radius: .4rem; padding: .8rem; break-inside: avoid; }
.tile h3 { margin: 0 0 .3rem; font-size: 1rem; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: .5rem; }
.pair figure { margin: .4rem 0 0; }
code { font-size: .95em; user-select: all; }
@media print { body { max-width: none; padding: 0; font-size: 10.5pt; }
  h2, .small { break-after: avoid; } tr, figure, .not, .warning { break-inside: avoid; }
  .map img { max-height: 13cm; } .top { grid-template-columns: repeat(3, 1fr); }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; } }
"""


def html_of(report: Report, figures: Figures) -> str:
    """The whole document; every word from outside is escaped."""
    banner = f'<p class="simulated">{SIMULATED}</p>' if report.simulated else ""
    body = (
        f'<header><div class="small">{escape(report.title)}</div>{banner}'
        f"<h1>{escape(report.headline)}</h1></header>",
        _list(report.sure),
        _section("What people made of it", _list(report.review)) if report.review else "",
        f'<div class="not"><strong>What this is not</strong>{_list(report.not_this)}</div>',
        _map(figures),
        _section("Verdicts", _table(report.counts)),
        _section("Look here first", _top(report, figures)) if report.top else "",
        _section("Warnings", _warnings(report)),
        _section("What was looked at", _event(report) + _table(report.inputs)),
        _section("How", _list(report.method, "ol")),
        _section("How good it is", _quality(report)),
        _section("Limits", _list(report.quality.limits)),
        _section("Where this comes from", _provenance(report)),
        f"<footer><p>{escape(report.quality.licence)}</p></footer>",
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "img-src data:; style-src 'unsafe-inline'\">\n"
        f"<title>{escape(report.title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(filter(None, body))
        + "\n</body>\n</html>\n"
    )


def _section(title: str, content: str) -> str:
    return f"<section><h2>{title}</h2>{content}</section>"


def _list(lines: Iterable[str], tag: str = "ul") -> str:
    entries = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f"<{tag}>{entries}</{tag}>" if entries else ""


def _map(figures: Figures) -> str:
    notes = " ".join(filter(None, (*figures.notes, figures.missing)))
    return (
        f'<figure class="map">{_image(figures.map, "Map of the alarms")}<figcaption>'
        f"{_swatch(VERDICT_COLOURS['landslide'])}Alarm &ensp; "
        f"{_swatch(VERDICT_COLOURS['uncertain'])}{VERDICT_WORDS['uncertain']} &ensp; "
        f"{escape(notes)}</figcaption></figure>"
    )


def _top(report: Report, figures: Figures) -> str:
    tiles = []
    for i, tile in enumerate(report.top):
        chips = figures.chips[i] if figures.chips else ()
        pictures = "".join(
            f"<figure>{_image(picture, f'Tile {tile.tile_id}, {caption}')}"
            f"<figcaption>{escape(caption)}</figcaption></figure>"
            for caption, picture in chips
        )
        tiles.append(
            f'<div class="tile"><h3>{tile.rank}. Tile {tile.tile_id}</h3>'
            f"<div>{escape(tile.facts)}</div><div><code>{tile.where}</code></div>"
            f'<div class="pair">{pictures}</div></div>'
        )
    scale = (
        f"<figure>{_image(change_scale(), 'Scale of radar change')}"
        f"<figcaption>{escape(CHANGE)}</figcaption></figure>"
        if figures.shows_change
        else ""
    )
    note = f"{report.look} {PICTURES}" if figures.chips else report.look
    return f'<p class="small">{escape(note)}</p><div class="top">{"".join(tiles)}</div>{scale}'


def _warnings(report: Report) -> str:
    told = "".join(f'<div class="warning">{escape(line)}</div>' for line in report.warnings)
    return (told or "<p>The run gave no warning.</p>") + f"<p>{escape(report.drift)}</p>"


def _event(report: Report) -> str:
    return f"<p>Event of {escape(report.event)}.</p>" if report.event else ""


def _quality(report: Report) -> str:
    quality = report.quality
    if not quality.rows:
        return _list(quality.sure)
    table = _table(Table(quality.head, quality.rows, (1, 2, 3, 4, 5)))
    return f'<p class="small">{escape(RATES)}</p>{table}'


def _provenance(report: Report) -> str:
    rows = "".join(
        f'<tr><td class="name">{escape(name)}</td><td class="long">{escape(value)}</td></tr>'
        for name, value in report.provenance.rows
    )
    return f"<table><tbody>{rows}</tbody></table>"


def _table(table: Table) -> str:
    rows = "".join(_row(table, cells, colour) for cells, colour in table.coloured)
    return f'<div class="wide"><table>{_head(table)}<tbody>{rows}</tbody></table></div>'


def _row(table: Table, cells: tuple[str, ...], colour: str) -> str:
    first, *rest = cells
    name = f'<td class="name">{_swatch(colour)}' if colour else "<td>"
    others = "".join(f"<td{_kind(i, table)}>{escape(cell)}</td>" for i, cell in enumerate(rest, 1))
    return f"<tr>{name}{escape(first)}</td>{others}</tr>"


def _head(table: Table) -> str:
    cells = "".join(f"<th{_kind(i, table)}>{escape(n)}</th>" for i, n in enumerate(table.head))
    return f"<thead><tr>{cells}</tr></thead>"


def _kind(column: int, table: Table) -> str:
    if column == table.names:
        return ' class="file"'
    return ' class="number"' if column in table.numbers else ""


def _swatch(colour: str) -> str:
    return f'<span class="swatch" style="background:{colour}"></span>'


def _image(picture: Image.Image, alt: str) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", quality=82, method=4)
    coded = base64.b64encode(buffer.getvalue()).decode()
    wide, high = picture.size
    return (
        f'<img src="data:image/webp;base64,{coded}" alt="{escape(alt)}" width="{wide}" '
        f'height="{high}">'
    )
