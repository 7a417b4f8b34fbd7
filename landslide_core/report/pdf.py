"""A report as a PDF of a few A4 pages, from the same words and pictures as the HTML."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, cast

from fpdf import FPDF
from fpdf.enums import TableBordersLayout, XPos, YPos
from fpdf.fonts import FontFace
from PIL import Image

from landslide_core.outputs import VERDICT_COLOURS, VERDICT_WORDS
from landslide_core.report.card import RATES
from landslide_core.report.figures import CHANGE, Figures, change_scale, font_file
from landslide_core.report.text import PICTURES, SIMULATED, Report, Table, TopTile

_MARGIN: Final = 15.0  # mm
_WIDE: Final = 210 - 2 * _MARGIN
_HIGH: Final = 297 - _MARGIN
_MAP: Final = (136.0, 126.0)  # mm, the most that the map takes
_LEAST_MAP: Final = 80.0  # mm of height; with less left on a page it begins the next
_COUNTS: Final = 40.0  # mm that the table of verdicts takes below the map
_INK, _DIM, _LINE = (28, 35, 41), (86, 98, 109), (211, 218, 224)
_BOX, _ALARM = (241, 244, 246), (178, 51, 7)
_ACROSS: Final = 3  # top tiles side by side
_GAP: Final = 4.0
_FACT: Final = 3.6  # mm, a line of a tile's facts


class _Pages(FPDF):
    """A4 pages with the report's name and the page's number at their foot."""

    title_line = ""

    def footer(self) -> None:
        """Draw the foot of a page."""
        self.set_y(-11)
        _write_font(self, 7.5, _DIM)
        self.cell(_WIDE * 0.8, 5, _fitted(self, self.title_line, _WIDE * 0.8))
        self.cell(_WIDE * 0.2, 5, f"{self.page_no()} / {{nb}}", align="R")


def pdf_of(report: Report, figures: Figures, made: datetime) -> bytes:
    """The whole document; the same bytes for the same report. `made` is the run's time."""
    pdf = _Pages(format="A4")
    pdf.set_creation_date(made)
    pdf.set_title(report.title)
    pdf.set_lang("en")
    pdf.title_line = f"{report.title}, run of {report.created}"
    for style, name in (("", "DejaVuSans.ttf"), ("B", "DejaVuSans-Bold.ttf")):
        pdf.add_font("text", style, font_file(name))
    pdf.set_margins(_MARGIN, _MARGIN, _MARGIN)
    pdf.set_auto_page_break(True, _MARGIN)
    pdf.set_image_filter("DCTDecode")  # JPEG: pictures of scenes are a tenth of their size
    pdf.c_margin = 0  # text begins where pictures and lines do
    pdf.add_page()
    _opening(pdf, report)
    _map(pdf, figures, report.top)
    _table(pdf, report.counts, (24, 16, 22, 32, 86))
    if report.top:
        pdf.add_page()
        _heading(pdf, "Look here first")
        _top(pdf, report, figures)
    _rest(pdf, report)
    return bytes(pdf.output())


def _rest(pdf: FPDF, report: Report) -> None:
    """Everything after the alarms."""
    _heading(pdf, "Warnings")
    _bullets(pdf, [*(report.warnings or ("The run gave no warning.",)), report.drift])
    _heading(pdf, "What was looked at")
    if report.event:
        _paragraph(pdf, f"Event of {report.event}.")
    _table(pdf, report.inputs, (53, 54, 45, 28))
    _heading(pdf, "How")
    _bullets(pdf, report.method)
    _heading(pdf, "How good it is", 65.0)
    quality = report.quality
    if quality.rows:
        _paragraph(pdf, RATES, 8, _DIM)
        pdf.ln(1)
        _table(pdf, Table(quality.head, quality.rows, (1, 2, 3, 4, 5)), (72, 18, 16, 20, 30, 24))
    else:
        _bullets(pdf, quality.sure)
    _heading(pdf, "Limits")
    _bullets(pdf, quality.limits)
    _heading(pdf, "Where this comes from")
    _table(pdf, report.provenance, (32, 148), headed=False)
    if quality.licence:
        _paragraph(pdf, quality.licence, 7.5, _DIM)


def _opening(pdf: FPDF, report: Report) -> None:
    """What was found, how sure that is, what it is not."""
    _paragraph(pdf, report.title, 8, _DIM)
    pdf.ln(1.5)
    if report.simulated:
        pdf.set_fill_color(75, 42, 123)
        _write_font(pdf, 9.5, (255, 255, 255), "B")
        pdf.multi_cell(_WIDE, 7, f"  {SIMULATED}", fill=True, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        pdf.ln(2)
    _write_font(pdf, 14, _INK, "B")
    pdf.multi_cell(_WIDE, 6.6, report.headline, align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    pdf.ln(2)
    _bullets(pdf, report.sure)
    if report.review:
        _write_font(pdf, 9, _INK, "B")
        pdf.cell(0, 6, "What people made of it", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        _bullets(pdf, report.review)
    pdf.ln(1)
    top = pdf.get_y()
    pdf.set_fill_color(*_BOX)
    pdf.set_left_margin(_MARGIN + 4)
    pdf.set_x(_MARGIN + 4)
    _write_font(pdf, 9.5, _INK, "B")
    pdf.cell(0, 5.5, "What this is not", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    _bullets(pdf, report.not_this)
    pdf.set_left_margin(_MARGIN)
    pdf.set_fill_color(*_ALARM)
    pdf.rect(_MARGIN, top, 1.4, pdf.get_y() - top, style="F")
    pdf.ln(3)


def _map(pdf: FPDF, figures: Figures, top: Sequence[TopTile]) -> None:
    """The map, its legend, and where to look first, beside it."""
    if pdf.get_y() + _LEAST_MAP + _COUNTS > _HIGH:
        pdf.add_page()
    wide, high = figures.map.size
    scale = min(_MAP[0] / wide, min(_MAP[1], _HIGH - _COUNTS - pdf.get_y()) / high)
    pdf.image(figures.map, _MARGIN, w=wide * scale, h=high * scale, alt_text="Map of the alarms")
    bottom = pdf.get_y()
    left = _MARGIN + wide * scale + 5
    pdf.set_xy(left, bottom - high * scale)
    pdf.set_left_margin(left)
    for name, words in (("landslide", "Alarm"), ("uncertain", VERDICT_WORDS["uncertain"])):
        pdf.set_fill_color(*bytes.fromhex(VERDICT_COLOURS[name][1:]))
        pdf.rect(left, pdf.get_y() + 1.2, 3, 3, style="F")
        pdf.set_x(left + 5)
        _write_font(pdf, 9)
        pdf.cell(0, 5.5, words, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    for line in filter(None, (*figures.notes, figures.missing)):
        pdf.ln(1)
        _paragraph(pdf, line, 8, _DIM)
    pdf.ln(3)
    for tile in top:
        _write_font(pdf, 8, _INK, "B")
        pdf.cell(4, 5, str(tile.rank))
        _write_font(pdf, 8)
        pdf.cell(0, 5, tile.where, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    pdf.set_left_margin(_MARGIN)
    pdf.set_xy(_MARGIN, max(bottom, pdf.get_y()) + 3)


def _top(pdf: FPDF, report: Report, figures: Figures) -> None:
    """The top tiles, three side by side: number, coordinates, facts, pictures."""
    top = report.top
    _paragraph(pdf, f"{report.look} {PICTURES}" if figures.chips else report.look, 8, _DIM)
    pdf.ln(2)
    wide = (_WIDE - (_ACROSS - 1) * _GAP) / _ACROSS
    side = (wide - 1.5) / 2
    for start in range(0, len(top), _ACROSS):
        row = top[start : start + _ACROSS]
        facts = _FACT * max(_lines(pdf, tile.facts, wide) for tile in row)
        high = 12 + facts + (side + 5 if figures.chips else 0)
        if pdf.get_y() + high > _HIGH:
            pdf.add_page()
        y = pdf.get_y()
        for k, tile in enumerate(row):
            x = _MARGIN + k * (wide + _GAP)
            chips = figures.chips[start + k] if figures.chips else ()
            _tile(pdf, tile, (x, y), wide)
            _chips(pdf, tile, chips, (x, y + 8.6 + facts), side)
        pdf.set_xy(_MARGIN, y + high)
    if figures.shows_change:
        pdf.image(change_scale(), _MARGIN, pdf.get_y() + 0.8, w=30, h=3)
        pdf.set_x(_MARGIN + 33)
        _paragraph(pdf, CHANGE, 8, _DIM)


def _lines(pdf: FPDF, facts: str, wide: float) -> int:
    """Lines that a tile's facts take."""
    _write_font(pdf, 7)
    lines = pdf.multi_cell(wide, _FACT, facts, align="L", dry_run=True, output="LINES")
    return len(cast(list[str], lines))


def _tile(pdf: FPDF, tile: TopTile, at: tuple[float, float], wide: float) -> None:
    """The words on one of the top tiles, their corner at x, y (mm)."""
    x, y = at
    for text, style, size in ((_name(tile), "B", 9.5), (tile.where, "", 8)):
        pdf.set_xy(x, y)
        _write_font(pdf, size, _INK, style)
        pdf.cell(wide, 4.5, text)
        y += 4.3
    pdf.set_xy(x, y)
    _write_font(pdf, 7)
    pdf.multi_cell(wide, _FACT, tile.facts, align="L")


def _name(tile: TopTile) -> str:
    return f"{tile.rank}. Tile {tile.tile_id}"


def _chips(
    pdf: FPDF,
    tile: TopTile,
    chips: Sequence[tuple[str, Image.Image]],
    at: tuple[float, float],
    side: float,
) -> None:
    """A tile's pictures side by side, their corner at x, y (mm)."""
    x, y = at
    for k, (caption, picture) in enumerate(chips):
        left = x + k * (side + 1.5)
        pdf.image(picture, left, y + 0.7, w=side, h=side, alt_text=f"{_name(tile)}, {caption}")
        pdf.set_xy(left, y + side + 0.8)
        _write_font(pdf, 7, _DIM)
        pdf.cell(side, 3.5, caption)


def _table(
    pdf: FPDF,
    table: Table,
    widths: Sequence[float],
    headed: bool = True,
) -> None:
    """A table with thin lines, its first column filled with the rows' colours."""
    _write_font(pdf, 8.5)
    pdf.set_draw_color(*_LINE)
    pdf.set_fill_color(255, 255, 255)  # cells without a colour of their own take this one
    aligned = tuple("RIGHT" if i in table.numbers else "LEFT" for i in range(len(widths)))
    with pdf.table(
        col_widths=tuple(widths),
        text_align=aligned,
        line_height=4.6,
        padding=(0.5, 1.5),
        borders_layout=TableBordersLayout.HORIZONTAL_LINES,
        headings_style=FontFace(emphasis="BOLD", color=_DIM),
        first_row_as_headings=headed,
    ) as drawn:
        if headed:
            drawn.row(table.head)
        for (first, *rest), colour in table.coloured:
            row = drawn.row()
            row.cell(first, style=_filled(colour) if colour else None)
            for cell in rest:
                row.cell(cell)
    pdf.ln(2)


def _filled(colour: str) -> FontFace:
    """Text on a verdict's colour, white on the darkest."""
    ink = (255, 255, 255) if colour == VERDICT_COLOURS["landslide"] else _INK
    return FontFace(color=ink, fill_color=tuple(bytes.fromhex(colour[1:])))


def _fitted(pdf: FPDF, text: str, wide: float) -> str:
    """As much of a line as fits (mm)."""
    if pdf.get_string_width(text) <= wide:
        return text
    while text and pdf.get_string_width(f"{text}…") > wide:
        text = text[:-1]
    return f"{text}…"


def _heading(pdf: FPDF, text: str, high: float = 30.0) -> None:
    """A heading, on the next page where what it begins, as `high` in mm, would be torn."""
    if pdf.get_y() + high > _HIGH:
        pdf.add_page()
    pdf.ln(2)
    _write_font(pdf, 11.5, _INK, "B")
    pdf.cell(0, 7, text, new_x=XPos.LMARGIN, new_y=YPos.NEXT)


def _bullets(pdf: FPDF, lines: Iterable[str]) -> None:
    _write_font(pdf, 9)
    for line in lines:
        pdf.cell(4, 4.7, "•")
        pdf.multi_cell(0, 4.7, line, align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)


def _paragraph(pdf: FPDF, text: str, size: float = 9, colour: tuple[int, int, int] = _INK) -> None:
    _write_font(pdf, size, colour)
    pdf.multi_cell(0, size / 2, text, align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)


def _write_font(
    pdf: FPDF, size: float, colour: tuple[int, int, int] = _INK, style: str = ""
) -> None:
    pdf.set_font("text", style, size)
    pdf.set_text_color(*colour)
