"""The Export page: empty, loaded and failing; the route that sends its files."""

import io
import json
import zipfile
from threading import BoundedSemaphore

import geopandas
import pytest
import rasterio
from paging import button, get, open_page, quiet, texts

from landslide_core.folder import open_run
from landslide_core.review.review import Review
from pages.parts.run import handover

GEO = ("gpkg", "parquet", "geojson")


def made(page, kind):
    """Press the button that makes a file of a kind."""
    return next(b for b in page.button if b.key and f"-{kind}-" in b.key).click().run()


def test_without_a_run_it_says_what_to_do(home):
    page = quiet(open_page("export"))
    assert "no run yet" in texts(page)
    assert button(page, "Go to detection")


def test_a_run_that_is_not_there_is_named(home):
    assert "no run `gone`" in texts(quiet(open_page("export", run="gone")))


def test_a_damaged_run_is_one_line(with_run):
    (with_run / "tiny" / "tiles.parquet").write_bytes(b"PAR1")
    page = quiet(open_page("export"))
    assert "does not read" in page.error[0].value


def test_files_are_made_when_asked_for(with_run):
    page = quiet(open_page("export"))
    assert "Nobody has reviewed" in texts(page)
    page = quiet(made(page, "csv"))
    [file] = (with_run / ".exports" / "tiny").glob("*/tiles.csv")
    assert len(file.read_text().splitlines()) == 1 + len(open_run(with_run / "tiny").tiles)
    assert not [b for b in page.button if b.key and "-csv-" in b.key]  # made: only to be had now
    assert [path.name for path in (with_run / ".exports").iterdir()] == ["tiny"]
    assert "tiny" in [path.name for path in with_run.iterdir()]


def test_a_review_is_told_and_makes_the_files_anew(with_run):
    run = open_run(with_run / "tiny")
    first = handover.make(run, "csv", False)
    tile = int(run.tiles["tile_id"][0])
    Review.of(run).relabel(tile, "A. Analyst", "landslide")
    assert "1 tile is reviewed" in texts(quiet(open_page("export")))
    second = handover.make(run, "csv", False)
    assert "A. Analyst" in second.read_text()
    assert not first.exists()  # of an older state
    assert handover.make(run, "csv", False) == second


def test_what_cannot_be_made_is_said(with_run):
    page = quiet(open_page("export"))
    (with_run / ".exports").write_text("in the way")
    page = made(page, "csv")
    assert "cannot be made" in page.error[0].value


def test_the_route_sends_every_kind(with_run):
    tiles = len(open_run(with_run / "tiny").tiles)
    for kind, told in handover.KINDS.items():
        status, body = get(f"/download/tiny/{kind}")
        assert status == 200, body
        if kind in GEO:
            read = geopandas.read_parquet if kind == "parquet" else geopandas.read_file
            assert len(read(io.BytesIO(body))) == tiles
        elif told.media == "image/tiff":
            with rasterio.open(io.BytesIO(body)) as raster:
                assert raster.descriptions == (kind,)
        elif kind == "zip":
            assert "report.pdf" in zipfile.ZipFile(io.BytesIO(body)).namelist()
        elif kind == "pdf":
            assert body.startswith(b"%PDF")
        elif kind == "stac":
            assets = json.loads(body)["assets"]
            assert assets["probability.tif"]["href"] == "./probability.tif"


def test_under_a_base_path_too(with_run):
    assert get("/slides/download/tiny/csv", "slides")[0] == 200
    assert get("/download/tiny/csv", "slides")[0] == 404


def test_other_sites_have_nothing_made(with_run):
    status, body = get("/download/tiny/csv", sec_fetch_site="cross-site")
    assert (status, b"page Export" in body) == (409, True)
    assert not (with_run / ".exports").exists()
    for site in ("same-origin", "none", "cross-site"):  # what is made may be had
        assert get("/download/tiny/csv", sec_fetch_site=site)[0] == 200


def test_a_server_at_work_asks_to_wait(with_run, monkeypatch):
    monkeypatch.setattr(handover, "_AT_WORK", BoundedSemaphore(1))
    with handover._AT_WORK:
        assert get("/download/tiny/csv")[0] == 503
        assert get("/download/tiny/record")[0] == 200
    assert get("/download/tiny/csv")[0] == 200
    assert get("/download/tiny/geojson")[0] == 200  # who was at work has said so


def test_what_an_earlier_version_did_not_write_is_said(with_run):
    record = with_run / "tiny" / "run.json"
    told = json.loads(record.read_text())
    told["sha256"].pop("localisation.tif", None)
    record.write_text(json.dumps(told))
    (with_run / "tiny" / "localisation.tif").unlink(missing_ok=True)
    status, body = get("/download/tiny/localisation")
    assert (status, b"earlier versions" in body) == (409, True)


def test_a_folder_that_takes_no_lock_is_said(with_run, monkeypatch):
    def refused(lock):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(handover.FileLock, "acquire", refused)
    assert "Permission denied" in made(open_page("export"), "csv").error[0].value


def test_files_of_runs_that_are_gone_go(with_run):
    gone = with_run / ".exports" / "gone" / "stamp" / "all.zip"
    gone.parent.mkdir(parents=True)
    gone.write_bytes(b"zip")
    handover.make(open_run(with_run / "tiny"), "csv", False)
    assert [path.name for path in (with_run / ".exports").iterdir()] == ["tiny"]


def test_a_review_while_a_file_is_made_takes_nothing_away(with_run, monkeypatch):
    run = open_run(with_run / "tiny")
    forget = handover._forget_older

    def reviewed(*given):
        Review.of(run).relabel(int(run.tiles["tile_id"][0]), "A. Analyst", "landslide")
        forget(*given)

    monkeypatch.setattr(handover, "_forget_older", reviewed)
    assert handover.make(run, "csv", False).is_file()


@pytest.mark.parametrize(
    "path", ["other/csv", "tiny/passwd", "..%2ftiny/csv", ".exports/csv", "tiny/..%2frun.json"]
)
def test_nothing_else_is_sent(with_run, path):
    assert get(f"/download/{path}")[0] == 404
