"""What is handed over opens again with others' readers, says the same, and overwrites nothing."""

import csv
import errno
import hashlib
import io
import json
import re
import shutil
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import geopandas
import numpy as np
import pandas as pd
import pystac
import pytest
import shapely
from pystac.extensions import mlm
from pystac.extensions.raster import DataType, RasterExtension
from pystac.validation.local_validator import Draft7Validator, get_local_schema_cache
from referencing import Registry, Resource
from shapely.geometry import shape

from landslide_core import cli_deliver, deliver, vectors  # noqa: F401  its commands join in
from landslide_core.bands import BAND_NAMES
from landslide_core.deliver import FORMATS, export_run
from landslide_core.errors import CannotWrite, NoSpace, RunDamaged
from landslide_core.folder import FILES, Run, open_run
from landslide_core.fresh import fresh
from landslide_core.outputs import VERDICT_COLOURS
from landslide_core.review.review import Review
from landslide_core.stac_item import acquired, footprint
from landslide_core.tiles import CLOUD_NOTES

KML = "{http://www.opengis.net/kml/2.2}"
ITEM_SCHEMA = "https://schemas.stacspec.org/v1.1.0/item-spec/json-schema/item.json"


@pytest.fixture
def across(run):
    """The run as if its scene lay across 180°, two of its tiles cut there."""
    grid = {**run.meta["grid"], "crs": "EPSG:32760", "transform": [10, 0, 817_400, 0, -10, 8.052e6]}
    moved = Run(run.folder, {**run.meta, "grid": grid})
    tiles = run.tiles.copy()
    halves = shapely.MultiPolygon(
        [shapely.box(179.9, -17, 180, -16), shapely.box(-180, -17, -179.9, -16)]
    )
    tiles.loc[[0, 1], "geometry"] = [halves, halves]
    moved.__dict__["tiles"] = tiles
    return moved


def with_meta(run, **changed):
    """The run with parts of its record changed."""
    return Run(run.folder, {**run.meta, **changed})


def test_geojson_keeps_every_tile_and_follows_its_standard(run, tmp_path):
    out = export_run(run, "geojson", tmp_path / "tiles.geojson")
    found = geopandas.read_file(out)
    assert found["tile_id"].tolist() == run.tiles["tile_id"].tolist()
    assert found["verdict"].tolist() == run.tiles["verdict"].tolist()
    np.testing.assert_allclose(found["probability"], run.tiles["probability"], rtol=1e-6)
    np.testing.assert_allclose(found.total_bounds, run.tiles.total_bounds, atol=1e-6)
    text = json.loads(out.read_text())
    assert "crs" not in text
    for feature in text["features"]:
        assert shape(feature["geometry"]).exterior.is_ccw


def test_alarms_alone_are_the_alarms(run, tmp_path):
    alarms = run.tiles.loc[run.tiles["alarm"], "tile_id"].tolist()
    assert 0 < len(alarms) < len(run.tiles)
    made = geopandas.read_file(export_run(run, "geojson", tmp_path / "a.geojson", True))
    assert made["tile_id"].tolist() == alarms
    table = pd.read_csv(export_run(run, "csv", tmp_path / "a.csv", True))
    assert table["tile_id"].tolist() == alarms
    kml = geopandas.read_file(export_run(run, "kml", tmp_path / "a.kml", True))
    assert len(kml) == len(alarms)


def test_csv_has_the_middle_of_each_tile_and_every_column(run, tmp_path):
    out = export_run(run, "csv", tmp_path / "tiles.csv")
    table = pd.read_csv(out)
    assert list(table) == ["tile_id", "lon", "lat", *list(run.tiles)[1:-1]]
    middles = geopandas.points_from_xy(table["lon"], table["lat"])
    centroids = run.tiles.to_crs(run.grid().crs).geometry.centroid.to_crs("EPSG:4326")
    assert max(a.distance(b) for a, b in zip(middles, centroids, strict=True)) < 1e-5
    assert list(csv.reader(out.open()))[1][0] == "0"


def test_csv_middles_across_180_are_not_at_greenwich(across, tmp_path):
    table = pd.read_csv(export_run(across, "csv", tmp_path / "tiles.csv"))
    assert table["lon"].abs().min() > 179


def test_kml_is_styled_by_verdict_and_escapes_names(run, tmp_path):
    named = Run(run.folder.parent / "a<b>&c", run.meta)
    named.__dict__["tiles"] = run.tiles
    root = vectors.ElementTree.parse(export_run(named, "kml", tmp_path / "tiles.kml")).getroot()
    assert root.findtext(f"{KML}Document/{KML}name") == "Landslide tiles: a<b>&c"
    styles = {
        style.get("id"): style.findtext(f"{KML}LineStyle/{KML}color")
        for style in root.iter(f"{KML}Style")
    }
    colour = VERDICT_COLOURS["landslide"]
    assert styles["landslide"] == f"ff{colour[5:7]}{colour[3:5]}{colour[1:3]}"
    assert set(styles) == set(VERDICT_COLOURS)
    for folder in root.iter(f"{KML}Folder"):
        verdict = folder.findtext(f"{KML}name").split()[0]
        places = folder.findall(f"{KML}Placemark")
        assert len(places) == (run.tiles["verdict"] == verdict).sum()
        assert {place.findtext(f"{KML}styleUrl") for place in places} == {f"#{verdict}"}


def test_kml_draws_a_tile_across_180_in_two_parts(across, tmp_path):
    root = vectors.ElementTree.parse(export_run(across, "kml", tmp_path / "t.kml")).getroot()
    for line in root.iter(f"{KML}coordinates"):
        longitudes = [float(point.split(",")[0]) for point in line.text.split()]
        assert max(longitudes) - min(longitudes) < 1


def test_the_stac_item_is_valid_and_its_files_are_where_it_says(run, tmp_path):
    out = export_run(run, "stac", tmp_path / "item.json")
    item = pystac.Item.from_file(str(out))
    written = json.loads(out.read_text())
    cache = get_local_schema_cache()
    registry = Registry().with_resources(
        [(uri, Resource.from_contents(schema)) for uri, schema in cache.items()]
    )
    assert list(Draft7Validator(cache[ITEM_SCHEMA], registry=registry).iter_errors(written)) == []
    assert {*FILES, "run.json", "model"} == set(item.assets)
    for name in FILES:
        path = out.parent / item.assets[name].href
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        assert item.assets[name].extra_fields["file:checksum"] == "1220" + digest
        assert item.assets[name].extra_fields["file:size"] == path.stat().st_size
        assert digest == run.meta["sha256"][name]
    assert written["properties"]["proj:code"] == run.grid().crs
    assert written["properties"]["proj:shape"] == list(run.grid().shape)
    assert written["properties"]["proj:transform"] == list(run.grid().transform)[:6]
    assert written["properties"]["landslide:bundle_sha256"] == run.meta["bundle"]["sha256"]
    assert (out.parent / item.assets["model"].href).resolve() == run.bundle_path


def _fields(ending):
    """Names of fields that the extension's module knows, by the end of its constants' names."""
    return {value for name, value in vars(mlm).items() if name.endswith(ending)}


def check_model(item):
    """Read an item's model back as the extension's classes do, and hold the rules they leave out.

    They refuse a required field that is missing; its JSON schema comes with no package.
    """
    model = mlm.MLMExtension.ext(item)  # refuses an item that does not name the extension
    fields = [item.properties, *(asset.extra_fields for asset in item.assets.values())]
    told = {name for some in fields for name in some if name.startswith("mlm:")}
    assert told <= {name for name in _fields("_PROP") if name.startswith("mlm:")}
    assert re.fullmatch("[a-zA-Z][a-zA-Z0-9_.-]+[a-zA-Z0-9]", model.mlm_name)
    assert model.architecture.strip()
    assert {*map(mlm.TaskType, model.tasks)}
    assert model.pretrained is False  # then its source must be there and be null
    assert item.properties["mlm:pretrained_source"] is None

    (given,), (answer,) = model.input, model.output
    assert given.properties.keys() <= _fields("_INPUT_OBJECT_PROP")
    assert answer.properties.keys() <= _fields("_RESULT_PROP")
    assert given.name.strip()
    assert answer.name.strip()
    assert {*map(mlm.TaskType, answer.tasks)} <= {*map(mlm.TaskType, model.tasks)}
    for structure, ending in (
        (given.input, "_INPUT_STRUCTURE_PROP"),
        (answer.result, "_RESULT_STRUCTURE_PROP"),
    ):
        assert structure.properties.keys() <= _fields(ending)
        assert len(structure.shape) == len(set(structure.dim_order))
        assert DataType(structure.data_type) == "float32"
    assert given.input.shape[given.input.dim_order.index("channel")] == len(given.bands)

    carriers = [asset for asset in item.assets.values() if "mlm:model" in asset.roles]
    assert len(carriers) == 1
    assert mlm.AssetGeneralMLMExtension.ext(carriers[0]).artifact_type == "safetensors"
    # Bands of the input are names, explained in the asset that is the model.
    explained = RasterExtension.ext(carriers[0]).bands
    assert [band.name for band in given.bands] == [band.properties["name"] for band in explained]
    assert [band.name for band in given.bands] == list(BAND_NAMES)


@pytest.fixture(scope="module")
def told(run, tmp_path_factory):
    """The run's STAC item, as it is written."""
    return export_run(run, "stac", tmp_path_factory.mktemp("item") / "item.json").read_text()


def test_the_model_is_told_as_its_extension_wants_it(told):
    check_model(pystac.Item.from_dict(json.loads(told)))


@pytest.mark.parametrize("how", ["missing", "misspelt"])
@pytest.mark.parametrize(
    "way",
    [
        *(("properties", f"mlm:{name}") for name in ("name", "architecture", "tasks")),
        *(("properties", f"mlm:{name}") for name in ("input", "output", "pretrained_source")),
        *(("properties", "mlm:input", 0, name) for name in ("name", "bands", "input")),
        *(
            ("properties", "mlm:input", 0, "input", name)
            for name in ("shape", "dim_order", "data_type")
        ),
        ("properties", "mlm:input", 0, "bands", 3, "name"),
        *(("properties", "mlm:output", 0, name) for name in ("name", "tasks", "result")),
        *(
            ("properties", "mlm:output", 0, "result", name)
            for name in ("shape", "dim_order", "data_type")
        ),
        *(("assets", "model", name) for name in ("roles", "mlm:artifact_type", "raster:bands")),
        ("assets", "model", "raster:bands", 3, "name"),
    ],
    ids=lambda way: ".".join(map(str, way)) if isinstance(way, tuple) else None,
)
def test_a_model_that_lacks_a_field_is_noticed(told, way, how):
    """The check above can fail: at every field that the extension requires."""
    item = json.loads(told)
    inner = item
    for step in way[:-1]:
        inner = inner[step]
    value = inner.pop(way[-1])
    if how == "misspelt":
        inner[f"{way[-1]}s"] = value
    with pytest.raises((AssertionError, KeyError, TypeError, pystac.RequiredPropertyMissing)):
        check_model(pystac.Item.from_dict(item))


@pytest.mark.parametrize("name", ["mlm", "raster"])
def test_an_extension_that_is_not_named_is_noticed(told, name):
    item = json.loads(told)
    item["stac_extensions"] = [uri for uri in item["stac_extensions"] if f"/{name}/" not in uri]
    with pytest.raises(pystac.ExtensionNotImplemented):
        check_model(pystac.Item.from_dict(item))


def test_the_stac_item_tells_no_path_of_this_machine(run, tmp_path):
    properties = json.loads(export_run(run, "stac", tmp_path / "i.json").read_text())["properties"]
    assert str(Path(run.meta["inputs"][0]["path"]).parent) not in json.dumps(properties)
    assert properties["landslide:inputs"][0]["sha256"] == run.meta["inputs"][0]["sha256"]
    assert properties["landslide:cloud_from"] == "brightness"


def test_an_item_spans_its_acquisitions(run, tmp_path):
    said = ("2021-06-25", "2021-06-07 01:08 UTC, S1A GRD, descending")
    decisions = [
        {"role": "s2", "subject": "acquisition", "found": "tags", "decided": words}
        for words in said
    ]
    dated = with_meta(run, decisions=decisions)
    assert [f"{time:%m-%d %H:%M}" for time in acquired(dated.meta)] == [
        "06-07 01:08",
        "06-25 00:00",
    ]
    properties = json.loads(export_run(dated, "stac", tmp_path / "i.json").read_text())[
        "properties"
    ]
    assert properties["start_datetime"] == "2021-06-07T01:08:00Z"
    assert properties["end_datetime"] == "2021-06-25T00:00:00Z"


def test_a_footprint_across_180_is_cut_there(across):
    outline, (west, south, east, north) = footprint(across)
    assert outline.geom_type == "MultiPolygon"
    assert 179 < west < 180
    assert -180 < east < -179
    assert south < north
    assert all(part.bounds[2] - part.bounds[0] < 1 for part in outline.geoms)


def test_a_zip_holds_everything_and_says_what_it_is(run, tmp_path):
    one = export_run(run, "zip", tmp_path / "one.zip")
    with zipfile.ZipFile(one) as packed:
        assert packed.testzip() is None
        names = packed.namelist()
        readme = packed.read("README.txt").decode()
        item = json.loads(packed.read("item.json"))
        assert all(name in readme for name in names if name != "README.txt")
        assert CLOUD_NOTES["brightness"] in readme  # the small scene has no cloud layer
        for name in FILES:
            assert hashlib.sha256(packed.read(name)).hexdigest() == run.meta["sha256"][name]
        for name, asset in item["assets"].items():
            assert asset["href"].removeprefix("./") in names, name
            if "file:checksum" in asset:
                digest = hashlib.sha256(packed.read(name)).hexdigest()
                assert asset["file:checksum"] == "1220" + digest
        assert packed.read("report.pdf").startswith(b"%PDF")
        assert len(geopandas.read_file(io.BytesIO(packed.read("tiles.geojson")))) == len(run.tiles)
    two = export_run(run, "zip", tmp_path / "two.zip")
    assert one.read_bytes() == two.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.zip", "two.zip"]


def test_a_zip_is_made_where_the_bundle_is_gone(run, tmp_path):
    gone = with_meta(run, bundle={**run.meta["bundle"], "path": str(tmp_path / "none")})
    with zipfile.ZipFile(export_run(gone, "zip", tmp_path / "out.zip")) as packed:
        href = json.loads(packed.read("item.json"))["assets"]["model"]["href"]
        assert href == f"urn:sha256:{run.meta['bundle']['sha256']}"
        assert "is not known" in packed.read("report.html").decode()


@pytest.mark.parametrize("form", FORMATS)
def test_nothing_is_overwritten(run, tmp_path, form):
    out = tmp_path / "kept"
    out.write_text("mine")
    with pytest.raises(CannotWrite, match="exists already"):
        export_run(run, form, out)
    assert out.read_text() == "mine"
    assert list(tmp_path.iterdir()) == [out]


def test_a_name_taken_meanwhile_is_not_overwritten(tmp_path):
    out = tmp_path / "late"
    writing = fresh(out)
    writing.__enter__().write_text("new")
    out.write_text("somebody else's")
    with pytest.raises(CannotWrite, match="exists already"):
        writing.__exit__(None, None, None)
    assert out.read_text() == "somebody else's"
    assert list(tmp_path.iterdir()) == [out]


def test_a_share_without_hard_links_will_do(tmp_path, monkeypatch):
    def refuse(*paths):
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr("landslide_core.fresh.os.link", refuse)
    with fresh(tmp_path / "out") as beside:
        beside.write_text("new")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["new"]


@pytest.mark.parametrize("form", ["csv", "zip"])
def test_a_full_disk_is_said_and_leaves_nothing(run, tmp_path, monkeypatch, form):
    def full(run, out, alarms_only=False):
        out.write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")

    for forms in ("_VECTORS", "_TABLES"):
        monkeypatch.setattr(deliver, forms, {"csv": full})
    with pytest.raises(NoSpace, match="filled up"):
        export_run(run, form, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_and_an_unknown_format_are_named(run, tmp_path):
    with pytest.raises(CannotWrite, match="lies in no folder"):
        export_run(run, "csv", tmp_path / "none" / "tiles.csv")
    with pytest.raises(CannotWrite, match="'shp'"):
        export_run(run, "shp", tmp_path / "tiles.shp")


def test_a_run_of_an_earlier_version_is_told(run, tmp_path):
    old = Run(run.folder, run.meta)
    old.__dict__["tiles"] = run.tiles.drop(columns=["alarm", "slope"])
    for form in ("geojson", "csv", "kml", "zip"):
        with pytest.raises(RunDamaged, match="no column alarm, slope"):
            export_run(old, form, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_the_command_writes_and_refuses_in_one_line(run, tmp_path, landslide):
    out = tmp_path / "tiles.csv"
    assert landslide("export-run", run.folder, "--format", "csv", "--out", out)[0] == 0
    assert len(pd.read_csv(out)) == len(run.tiles)
    code, _, told = landslide("export-run", run.folder, "--format", "csv", "--out", out)
    assert code == 2
    assert told.count("\n") == 1
    assert "exists already" in told


@pytest.fixture
def looked_at(run, tmp_path):
    """A copy of the run in which one alarm was called stable, one other tile a landslide."""
    shutil.copytree(run.folder, tmp_path / "looked")
    copy = open_run(tmp_path / "looked")
    alarm = int(copy.tiles.loc[copy.tiles["alarm"], "tile_id"].iloc[0])
    calm = int(copy.tiles.loc[copy.tiles["verdict"] == "filtered_out", "tile_id"].iloc[0])
    review = Review.of(copy)
    review.reject(alarm, "A. Analyst", "a quarry")
    review.relabel(calm, "=B(1)", "landslide")
    review.outline(calm, "A. Analyst", json.loads(shapely.to_geojson(copy.tiles.geometry[calm])))
    return copy, alarm, calm


@pytest.mark.parametrize("form", ["geojson", "gpkg", "parquet", "csv"])
def test_what_reviewers_said_goes_along(looked_at, tmp_path, form):
    run, alarm, calm = looked_at
    out = export_run(run, form, tmp_path / f"all.{form}")
    read = {"parquet": geopandas.read_parquet, "csv": pd.read_csv}.get(form, geopandas.read_file)
    layer = {"layer": "tiles"} if form == "gpkg" else {}
    found = read(out, **layer).set_index("tile_id")
    assert found.loc[alarm, ["verdict", "corrected"]].tolist() == ["landslide", "stable"]
    assert found.loc[calm, ["verdict", "corrected"]].tolist() == ["filtered_out", "landslide"]
    assert found.loc[calm, "reviewed_by"] == ("'=B(1)" if form == "csv" else "=B(1)")
    assert found.loc[alarm, ["reviewed_by", "review_comment"]].tolist() == [
        "A. Analyst",
        "a quarry",
    ]
    alone = read(export_run(run, form, tmp_path / f"alarms.{form}", True), **layer)["tile_id"]
    machine = run.tiles.loc[run.tiles["alarm"], "tile_id"].tolist()
    assert sorted(alone) == sorted({*machine, calm} - {alarm})


def test_a_package_of_a_reviewed_run_has_the_outlines(looked_at, tmp_path):
    run, _, calm = looked_at
    out = export_run(run, "gpkg", tmp_path / "all.gpkg")
    drawn = geopandas.read_file(out, layer="outlines")
    assert drawn["tile_id"].tolist() == [calm]
    assert shapely.equals_exact(drawn.geometry[0].geoms[0], run.tiles.geometry[calm], 1e-9)


def test_in_kml_a_tile_lies_where_the_reviewer_put_it(looked_at, tmp_path):
    run, alarm, calm = looked_at
    root = ElementTree.parse(export_run(run, "kml", tmp_path / "all.kml")).getroot()
    names = {
        folder.find(f"{KML}name").text.split(" (")[0]: [
            place.find(f"{KML}name").text for place in folder.iter(f"{KML}Placemark")
        ]
        for folder in root.iter(f"{KML}Folder")
    }
    assert any(re.match(rf"Tile {calm}, .*landslide by =B\(1\)", n) for n in names["landslide"])
    assert any(re.match(rf"Tile {alarm}, .*stable by A. Analyst", n) for n in names["stable"])


def test_the_zip_of_a_reviewed_run_holds_the_review(looked_at, tmp_path):
    run, alarm, _ = looked_at
    with zipfile.ZipFile(export_run(run, "zip", tmp_path / "all.zip")) as packed:
        names = packed.namelist()
        assert {"review.gpkg", "review.csv", "review.jsonl"} <= set(names)
        table = pd.read_csv(io.BytesIO(packed.read("review.csv"))).set_index("tile_id")
        assert table.loc[alarm, "corrected"] == "stable"
        said = packed.read("README.txt").decode()
        assert "checked by people" in said
        assert "confirmed by nobody" not in said
        html = packed.read("report.html").decode()
    assert "looked at 2 of" in html
    assert "no landslide: 1. Landslides they found without an alarm: 1." in html
    assert "people have checked tiles on the images alone" in html
