"""A report says what the run says, loads nothing, escapes everything, and is the same again."""

import base64
import io
import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import rasterio
from PIL import Image, ImageFont
from pypdf import PdfReader

from landslide_core import cli_deliver  # noqa: F401  its commands join in
from landslide_core.bands import BAND_NAMES, OPTICAL
from landslide_core.bundle import load_bundle
from landslide_core.errors import CannotWrite
from landslide_core.folder import Run
from landslide_core.judgement import VERDICTS
from landslide_core.outputs import VERDICT_WORDS
from landslide_core.plan import DEFAULT_BUNDLE, cloud_from_of
from landslide_core.report.card import quality_of
from landslide_core.report.figures import MAP, figures_of, font_file
from landslide_core.report.ground import areas, clusters, ground_shares
from landslide_core.report.html import html_of
from landslide_core.report.pdf import pdf_of
from landslide_core.report.text import SIMULATED, TOP, report_of
from landslide_core.report.write import write_reports
from landslide_core.tiles import CLOUD_NOTES

EVIL = "<script>alert(1)</script>&\"'\u202etif.s2"


class Page(HTMLParser):
    """A page's words, pictures, tags, and everything it would load."""

    def __init__(self, text):
        super().__init__()
        self.words, self.pictures, self.tags, self.loads = [], [], set(), []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        for name, value in attributes:
            if tag == "img" and name == "src":
                self.pictures.append(value)
            elif name in ("src", "href", "srcset", "data", "poster", "action"):
                self.loads.append(value)

    def handle_data(self, text):
        self.words.append(text)

    @property
    def text(self):
        """All words on one line."""
        return one_line(" ".join(self.words))


def changed(run, **parts):
    """The run with parts of its record changed."""
    made = Run(run.folder, {**run.meta, **parts})
    made.__dict__["tiles"] = run.tiles
    return made


def one_line(text):
    """A text without line breaks and no-break spaces."""
    return " ".join(text.split())


def pdf_pages(content):
    """The words on every page of a PDF."""
    return [one_line(page.extract_text()) for page in PdfReader(io.BytesIO(content)).pages]


def page_of(run):
    """The run's report as HTML, parsed, without its pictures being drawn twice."""
    report = report_of(run)
    return Page(html_of(report, figures_of(run, report.top)))


@pytest.fixture(scope="module")
def written(run, tmp_path_factory):
    """The run's two reports."""
    folder = tmp_path_factory.mktemp("reports")
    outs = (folder / "report.html", folder / "report.pdf")
    write_reports(run, outs)
    return outs


def test_the_html_loads_nothing_and_its_pictures_are_whole(written, run):
    text = written[0].read_text(encoding="utf-8")
    page = Page(text)
    assert page.loads == []
    assert not page.tags & {"script", "link", "iframe", "object", "embed"}
    assert re.findall(r"https?://|url\(|@import", text) == []
    assert "default-src 'none'" in text
    top = min(TOP, len(clusters(run, run.tiles, run.tiles["alarm"])))
    assert len(page.pictures) == 1 + 2 * top + 1
    for source in page.pictures:
        kind, coded = source.split(",", 1)
        assert kind == "data:image/webp;base64"
        Image.open(io.BytesIO(base64.b64decode(coded))).load()


def test_the_html_says_what_the_run_says(written, run):
    text = Page(written[0].read_text(encoding="utf-8")).text
    alarms = int(run.tiles["alarm"].sum())
    assert f"({alarms} of {len(run.tiles)} tiles)" in text
    for name in VERDICTS:
        assert f"{VERDICT_WORDS[name]} {run.meta['counts'][name]} " in text
    best = run.tiles[run.tiles["alarm"]].sort_values("probability").iloc[-1]
    assert f"1. Tile {best['tile_id']}" in text
    assert f"Probability {100 * best['probability']:.0f} %" in text
    assert run.meta["bundle"]["sha256"] in text
    assert run.meta["versions"]["torch"] in text
    assert "not confirmed" in text
    for entry in run.meta["inputs"]:
        assert Path(entry["path"]).name in text
        assert str(Path(entry["path"]).parent) not in text


def test_the_pdf_says_the_same(written, run):
    reader = PdfReader(written[1])
    text = " ".join(pdf_pages(written[1].read_bytes()))
    report = report_of(run)
    assert one_line(report.headline) in text
    assert all(one_line(line) in text for line in report.sure)
    assert all(tile.where in text for tile in report.top)
    assert run.meta["bundle"]["sha256"] in text
    assert 1 < len(reader.pages) <= 4
    assert len(reader.pages[0].images) >= 1
    assert reader.metadata.title == report.title


def test_both_speak_the_apps_words(written):
    """No code of a verdict, and a figure and its per cent sign apart but on one line."""
    page = written[0].read_text(encoding="utf-8").partition("<body>")[2]
    for text in (Page(page).text, " ".join(pdf_pages(written[1].read_bytes()))):
        assert not re.search(r"filtered_out|no_data", text)
        assert re.search(r"\d %", text)
        assert not re.search(r"\d%", text)
        assert "Filtered out" in text
    assert re.findall(r"\d %", page) == []  # no-break spaces alone


def test_every_row_of_verdicts_has_its_colour(run):
    counts = report_of(run).counts
    assert [row[0] for row in counts.rows] == [*VERDICT_WORDS.values()]
    text = html_of(report_of(run), figures_of(run, ()))
    for (words, *_), colour in zip(counts.rows, counts.colours, strict=True):
        assert f'style="background:{colour}"></span>{words}</td>' in text


def longest(run):
    """The run's report with as much to say of each tile as there can be."""
    report = report_of(run)
    facts = (
        "Probability 95 %, 100 % of votes for it, slope up to 41°, 12 % cloud, confirmed by "
        "Dr. Annegret-Maria Featherstonehaugh-Cholmondeley, Civil Protection"
    )
    wordy = tuple(replace(tile, facts=facts) for tile in report.top)
    inputs = replace(report.inputs, rows=((*report.inputs.rows[0][:2], "S2" * 60, "0" * 12),))
    return replace(report, top=wordy, inputs=inputs, title="Landslide report: " + "x" * 200)


def test_nothing_runs_off_a_page_or_into_its_neighbour(run):
    report = longest(run)
    figures = replace(figures_of(run, report.top), missing="")
    reader = PdfReader(io.BytesIO(pdf_of(report, figures, datetime(2024, 1, 1, tzinfo=UTC))))
    inch, margin = 72 / 25.4, 15.0
    checked = 0
    for page in reader.pages:
        seen, ends = [], {}
        page.extract_text(visitor_text=lambda *said, seen=seen: seen.append(said))
        for text, _, matrix, font, size in seen:
            if not text.strip() or font is None:
                continue
            name = "DejaVuSans-Bold.ttf" if "Bold" in font["/BaseFont"] else "DejaVuSans.ttf"
            drawn = ImageFont.truetype(str(font_file(name)), 100)
            wide = drawn.getlength(text.strip()) * size / 100 / inch
            left, line = matrix[4] / inch, round(matrix[5])
            assert left > ends.get(line, 0) - 0.5, text
            ends[line] = left + wide
            assert ends[line] < 210 - margin + 0.5, text
            checked += 1
    assert checked > 100


@pytest.mark.parametrize("lines", [0, 3, 6, 9, 12, 20])
def test_the_verdicts_stay_in_one_table_below_the_map(run, lines):
    """However much people said, no page is left almost empty."""
    report = replace(longest(run), review=("They looked at it, and said what it is.",) * lines)
    figures = figures_of(run, report.top)
    pages = pdf_pages(pdf_of(report, figures, datetime(2024, 1, 1, tzinfo=UTC)))
    (table,) = [page for page in pages if "Verdict Tiles Ground" in page]
    assert all(words in table for words in VERDICT_WORDS.values())
    assert "Numbers: the places to look at first." in table
    assert all(len(page) > 400 for page in pages[:-1])


def test_the_map_says_what_reviewers_changed(run, tmp_path):
    alarms = run.tiles[run.tiles["alarm"]]
    rejected = run.tiles.assign(review_label=None, reviewed_by=None, reviewed_at=None)
    rejected.loc[alarms.index[0], ["review_label", "reviewed_by"]] = ["stable", "Ann"]
    notes = figures_of(run, ()).notes
    assert not any("reviewers" in line for line in notes)
    assert not any("Numbers" in line for line in notes)  # none is drawn
    looked_at = changed(run)
    looked_at.__dict__["tiles"] = rejected
    assert any("without alarms they denied" in line for line in figures_of(looked_at, ()).notes)


def test_the_same_run_gives_the_same_bytes(written, run, tmp_path):
    again = (tmp_path / "report.html", tmp_path / "report.pdf")
    write_reports(run, again)
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in written]


def test_what_comes_from_outside_is_escaped(run, tmp_path):
    inputs = [{**run.meta["inputs"][0], "path": f"/data/{EVIL.replace('/', '')}"}]
    evil = changed(run, inputs=inputs, warnings=[EVIL])
    report = report_of(evil)
    page = Page(html_of(report, figures_of(evil, report.top)))
    assert "script" not in page.tags
    assert "<script>alert(1)</script>" in page.text
    assert "\u202e" not in page.text
    write_reports(evil, (tmp_path / "evil.pdf",))
    assert "alert(1)" in "".join(p.extract_text() for p in PdfReader(tmp_path / "evil.pdf").pages)


def test_only_a_simulated_scene_is_called_one(run):
    assert SIMULATED not in page_of(run).text
    assert SIMULATED in page_of(changed(run, simulated=True)).text


@pytest.mark.parametrize("which", ["run", "run_32"])
def test_areas_are_those_of_the_verdict_raster(which, request):
    run = request.getfixturevalue(which)
    found = areas(run)
    with rasterio.open(run.folder / "verdict.tif") as raster:
        codes = raster.read(1)
    for code, name in enumerate(VERDICTS):
        pixels = (codes == (255 if name == "no_data" else code)).sum()
        assert found[name] == pytest.approx(pixels * 1e-4)
    assert found["alarm"] == pytest.approx(found["landslide"])


def test_a_run_without_alarms_says_so(run, tmp_path):
    calm = changed(run)
    sure = run.tiles["verdict"].replace("uncertain", "stable")
    calm.__dict__["tiles"] = run.tiles.assign(alarm=False, verdict=sure)
    report = report_of(calm)
    assert report.headline.startswith(f"None of {len(run.tiles)} tiles raises a landslide alarm")
    assert report.top == ()
    write_reports(calm, (tmp_path / "calm.html", tmp_path / "calm.pdf"))
    assert "Look here first" not in (tmp_path / "calm.html").read_text(encoding="utf-8")


def test_a_scene_whose_files_are_gone_is_reported_without_pictures(run, tmp_path):
    gone = changed(run, inputs=[{**run.meta["inputs"][0], "path": "/nowhere/secret/s2.tif"}])
    report = report_of(gone)
    figures = figures_of(gone, report.top)
    assert figures.chips == ()
    assert "s2.tif is not there any more" in figures.missing
    assert "secret" not in figures.missing
    page = Page(html_of(report, figures))
    assert len(page.pictures) == 1
    assert figures.missing in page.text
    assert "Each picture" not in page.text
    write_reports(gone, (tmp_path / "gone.pdf",))


def test_a_scene_unlike_the_training_is_told_at_the_top(run):
    drift = {"red": {"likeness": "unlike"}, "nir": {"likeness": "usual"}}
    report = report_of(changed(run, drift=drift))
    assert "unlike" in report.sure[0]
    assert not any("can be expected" in line for line in report.sure)
    assert report.drift.startswith(
        "Of this scene's 2 bands, 1 has values like those the model learnt from; 1 is unlike them."
    )


def with_alarms(run, places):
    """The run with no data but in some tiles, by row, column and probability; these are alarms."""
    tiles = run.tiles.assign(verdict="no_data", alarm=False, probability=np.nan)
    for row, col, probability in places:
        here = (tiles["row"] == row) & (tiles["col"] == col)
        tiles.loc[here, ["verdict", "alarm", "probability"]] = ["landslide", True, probability]
    made = changed(run, drift={"red": {"likeness": "usual"}})
    made.__dict__["tiles"] = tiles
    return made


def test_tiles_that_touch_or_overlap_are_one_place(run, run_32):
    # 640 m tiles side by side: two touch by a corner, one lies apart.
    apart = with_alarms(run, [(0, 0, 0.8), (1, 1, 0.9), (0, 3, 0.7)])
    assert apart.tiles["alarm"].sum() == 3
    found = clusters(apart, apart.tiles, apart.tiles["alarm"])
    assert [(one.tiles, one.probability) for one in found] == [(2, 0.9), (1, 0.7)]
    assert [one.best for one in found] == [5, 3]
    assert found[0].ground == pytest.approx(2 * 0.64**2)
    # Half a tile apart: 0 and 1 overlap, 2 touches 0, 5 lies a tile's width from 2.
    halves = with_alarms(run_32, [(0, 0, 0.6), (0, 1, 0.9), (0, 2, 0.9), (0, 5, 0.8)])
    found = clusters(halves, halves.tiles, halves.tiles["alarm"])
    assert [(one.best, one.tiles) for one in found] == [(1, 3), (5, 1)]
    assert found[0].ground == pytest.approx(1.28 * 0.64)  # overlaps counted once
    report = report_of(halves)
    assert report.headline.startswith(f"2 places (4 of {len(run_32.tiles)} tiles) raise")
    assert [tile.tile_id for tile in report.top] == [1, 5]
    assert one_line(report.top[0].facts).startswith("Probability 90 %, one of 3 tiles on 82 ha")
    assert "about 2 of the 2 places" in report.sure[0]  # 0.9 + 0.8, not 3.2 of 4
    alone = report_of(with_alarms(run, [(0, 0, 0.8)]))
    assert alone.headline.startswith(f"1 place (1 of {len(run.tiles)} tiles) raises")


def test_without_alarms_the_uncertain_tiles_are_listed(run):
    none = with_alarms(run, [(0, 0, 0.4), (1, 1, 0.5), (0, 3, 0.45)])
    tiles = none.tiles.assign(alarm=False)
    tiles.loc[tiles["probability"].notna(), "verdict"] = "uncertain"
    none.__dict__["tiles"] = tiles
    report = report_of(none)
    assert report.headline.startswith("None of 12 tiles raises a landslide alarm")
    assert [tile.tile_id for tile in report.top] == [5, 3]
    assert "uncertain" in report.look
    assert "3 tiles are uncertain and must be looked at" in report.sure[0]
    page = Page(html_of(report, figures_of(none, report.top)))
    assert "Look here first" in page.text
    assert report.top[0].where in page.text
    text = " ".join(
        pdf_pages(pdf_of(report, figures_of(none, ()), datetime(2024, 1, 1, tzinfo=UTC)))
    )
    assert report.top[0].where in text
    none.__dict__["tiles"] = tiles.assign(
        review_label=np.where(tiles["tile_id"] == 5, "stable", None),
        reviewed_by=np.where(tiles["tile_id"] == 5, "Ann", None),
        reviewed_at=np.where(tiles["tile_id"] == 5, "2026-01-01", None),
    )
    assert [tile.tile_id for tile in report_of(none).top] == [3, 0]


@pytest.mark.parametrize("which", ["run", "run_32"])
def test_shares_are_of_ground_and_slivers_count_by_their_size(which, request):
    run = request.getfixturevalue(which)
    with rasterio.open(run.folder / "verdict.tif") as raster:
        codes = raster.read(1)
    found = ground_shares(run)
    assert sum(found.values()) == pytest.approx(1)
    for code, name in enumerate(VERDICTS):
        seen = codes == (255 if name == "no_data" else code)
        assert found[name] == pytest.approx(seen.mean())
    told = {row[0]: one_line(row[3]) for row in report_of(run).counts.rows}
    assert told == {VERDICT_WORDS[name]: f"{100 * found[name]:.1f} %" for name in VERDICTS}


def test_cloud_guessed_by_brightness_is_called_a_guess(run):
    assert run.meta["cloud_from"] == "brightness"  # the small scene has no cloud layer
    tiles = run.tiles.assign(cloud_fraction=np.float32(0.2))
    layer, guess = (changed(run, cloud_from=what) for what in ("layer", "brightness"))
    for one in (layer, guess):
        one.__dict__["tiles"] = tiles
    assert "20 % cloud" in one_line(report_of(layer).top[0].facts)
    assert "20 % as bright as cloud" in one_line(report_of(guess).top[0].facts)
    assert not any("cloud" in line for line in report_of(layer).warnings)
    note = CLOUD_NOTES["brightness"]
    assert note in report_of(guess).warnings
    assert note in page_of(guess).text
    pages = pdf_pages(
        pdf_of(report_of(guess), figures_of(guess, ()), datetime(2024, 1, 1, tzinfo=UTC))
    )
    assert note in " ".join(pages)


def test_where_cloud_comes_from_is_known_of_older_runs_too(run):
    meta = {name: value for name, value in run.meta.items() if name != "cloud_from"}
    assert cloud_from_of(meta) == "brightness"
    assert cloud_from_of({**meta, "missing_bands": [*OPTICAL]}) == "unknown"
    scl = {"role": "s2", "subject": "SCL", "found": "", "decided": "band 1 is scene classes"}
    assert cloud_from_of({**meta, "decisions": [*meta["decisions"], scl]}) == "layer"


def test_figures_come_from_the_card_of_the_bundle_that_judged():
    card = json.loads((DEFAULT_BUNDLE / "card.json").read_text())
    judged = {"name": "default", "sha256": load_bundle(DEFAULT_BUNDLE).sha256}
    found = quality_of(DEFAULT_BUNDLE, judged)
    said = one_line(found.sure[0])
    assert "their pixels rebuilt from statistics" in said
    assert f"missed {100 * card['out_of_fold']['verdicts']['missed']:.1f} % of" in said
    chips = card["chips_out_of_fold"]
    real = f"On {chips['scores']['n']} real images without radar it missed"
    assert f"{real} {100 * chips['verdicts']['missed']:.1f} %." in said
    assert found.rows[0][2] == f"{card['out_of_fold']['pooled']['f1']:.2f}"
    other = quality_of(DEFAULT_BUNDLE, {**judged, "sha256": "0" * 64})
    assert other.rows == ()
    assert "not known" in other.sure[0]


def test_only_rebuilt_pixels_are_called_rebuilt(monkeypatch):
    card = json.loads((DEFAULT_BUNDLE / "card.json").read_text())
    judged = {"name": "default", "sha256": load_bundle(DEFAULT_BUNDLE).sha256}
    card["data"]["patches"]["pixels"] = "real"
    monkeypatch.setattr("landslide_core.report.card.card_of", lambda folder: card)
    found = quality_of(DEFAULT_BUNDLE, judged)
    assert found.rows
    assert "rebuilt" not in str(found)


def test_fewer_inputs_are_told_with_what_they_cost():
    card = load_bundle(DEFAULT_BUNDLE).card
    judged = {"name": "default", "sha256": load_bundle(DEFAULT_BUNDLE).sha256}
    radar = [name for name in BAND_NAMES if name not in OPTICAL]
    found = quality_of(DEFAULT_BUNDLE, judged, radar)
    optical = card["out_of_fold"]["combinations"]["visible+nir"]["f1"]
    assert f"falls from 0.86 to {optical:.2f}" in found.sure[1]
    assert found.rows[1][2] == f"{optical:.2f}"
    assert len(quality_of(DEFAULT_BUNDLE, judged).sure) == 1
    odd = quality_of(DEFAULT_BUNDLE, judged, ["nir", *radar])
    assert "was not measured" in odd.sure[1]


def test_the_map_marks_the_alarms_where_they_are(run):
    report = report_of(run)
    drawn = np.asarray(figures_of(run, report.top).map).astype(int)
    assert max(drawn.shape) == MAP
    enlarged = MAP / max(run.grid().shape)
    calm = run.tiles[~run.tiles["alarm"] & (run.tiles["verdict"] != "uncertain")].iloc[0]
    loud = run.tiles[run.tiles["alarm"]].iloc[0]

    def edge(tile):
        row, col = tile["row"] * 64 + 32, tile["col"] * 64
        return drawn[round(row * enlarged), round(col * enlarged) + 1]

    assert np.abs(edge(loud) - (0xCC, 0x3A, 0x08)).max() < 12
    assert np.abs(edge(calm) - (0xCC, 0x3A, 0x08)).max() > 40


def test_nothing_is_overwritten_and_other_endings_are_refused(run, tmp_path, landslide):
    kept = tmp_path / "kept.html"
    kept.write_text("mine")
    with pytest.raises(CannotWrite, match="exists already"):
        write_reports(run, (kept,))
    code, _, told = landslide("report", run.folder, "--out", tmp_path / "report.doc")
    assert code == 2
    assert "neither .html nor .pdf" in told
    assert [path.read_text() for path in tmp_path.iterdir()] == ["mine"]


def test_the_command_writes_both(run, tmp_path, landslide):
    outs = [tmp_path / "a.html", tmp_path / "a.pdf"]
    assert landslide("report", run.folder, "--out", outs[0], "--out", outs[1])[0] == 0
    assert all(path.stat().st_size > 10_000 for path in outs)
