"""The `landslide` command: results as JSON, and one line, exit code 2 and no trace when refused."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace

import geopandas
import numpy as np
import pandas as pd
import pytest
import torch
from affine import Affine
from conftest import (
    ORIGIN,
    QUICK_FILTER,
    balanced,
    raw_patches,
    scene_numbers,
    table_of,
    write_raster,
)
from conftest import write_optical as optical
from conftest import write_radar as radar
from shapely import box

from landslide_core import cli_training
from landslide_core.bands import RADAR_ROLES
from landslide_core.judgement import VERDICTS

SYSTEM_KEYS = {
    *("n", "f1", "precision", "recall", "auc", "average_precision", "brier", "ece"),
    *("dropped_fraction", "filter_recall"),
}
TABLE_KEYS = {"n", "positives", "auc", "average_precision", "recall", "dropped_fraction"}


@pytest.fixture(scope="module")
def patches(tmp_path_factory):
    """A folder with twelve patches and their labels."""
    folder = tmp_path_factory.mktemp("patches")
    labels = balanced(12)
    for name, raw in zip("ABCDEFGHIJKL", raw_patches(labels, seed=9), strict=True):
        np.save(folder / f"{name}.npy", raw)
    pd.DataFrame({"ID": list("ABCDEFGHIJKL"), "label": labels}).to_csv(
        folder / "labels.csv", index=False
    )
    return folder


@pytest.fixture(scope="module")
def table_file(tmp_path_factory):
    """Rows the bundle's filter never saw, as a file."""
    labels = balanced(30)
    path = tmp_path_factory.mktemp("table") / "table.csv"
    table_of(raw_patches(labels, seed=8, side=16), labels).to_csv(path, index=False)
    return path


def options_of(inputs):
    """A scene's files as command line options."""
    words = [("--s2", path) for path in inputs.s2]
    for role in RADAR_ROLES:
        words += [(f"--s1-{role.replace('_', '-')}", path) for path in inputs.given(role)]
    return [word for pair in words for word in pair]


def raw():
    return scene_numbers((96, 96))


def truncated(folder):
    path = optical(folder / "cut.tif", raw())
    path.write_bytes(path.read_bytes()[:3000])
    return "--s2", path


def no_raster(folder):
    path = folder / "notes.tif"
    path.write_text("not a raster")
    return "--s2", path


def lost(folder):
    return "--s1-asc-post", folder / "lost.tif"


def missing_band(folder):
    pixels = np.moveaxis(raw()[..., :3], -1, 0).astype(np.uint16)
    return "--s2", write_raster(folder / "rgb.tif", pixels, ("B02", "B03", "B04"))


def no_crs(folder):
    return "--s2", optical(folder / "bare.tif", raw(), crs=None)


def no_overlap(folder):
    away = ORIGIN @ Affine.translation(5000, 0)
    return (
        *("--s2", optical(folder / "here.tif", raw())),
        *("--s1-desc-post", radar(folder / "there.tif", raw(), "desc_post", away)),
    )


def all_no_data(folder):
    return "--s2", optical(folder / "empty.tif", 0 * np.ones((96, 96, 12)))


def too_small(folder):
    return "--s2", optical(folder / "small.tif", raw()[:96, :63])


def no_input(folder):
    return ()


def missing_bundle(folder):
    return "--s2", optical(folder / "s2.tif", raw()), "--bundle", folder / "nowhere"


BAD_SCENES = {
    truncated: ("cut.tif", "copy or download the file again"),
    no_raster: ("notes.tif", "Check the path"),
    lost: ("lost.tif is not there", "Check the path"),
    missing_band: ("B08 missing", "Add the band files"),
    no_crs: ("bare.tif", "gdal_edit.py -a_srs"),
    no_overlap: ("0 %", "Choose files of the same place"),
    all_no_data: ("empty.tif", "Check the files' no-data value"),
    too_small: ("63×96", "Choose a larger area"),
    no_input: ("No input was given", "Name one with --s2"),
    missing_bundle: ("nowhere", "Check --bundle"),
}


def assert_refused(told, found, remedy):
    """Exit code 2, nothing on standard output, one line with what was found and the remedy."""
    code, out, err = told
    assert code == 2
    assert out == ""
    assert err.startswith("landslide: ")
    assert err.count("\n") == 1
    assert err.endswith("\n")
    assert found in err
    assert remedy in err


@pytest.mark.parametrize("case", BAD_SCENES, ids=lambda case: case.__name__)
def test_a_bad_scene_is_refused_in_one_line_and_leaves_no_trace(
    landslide, bundle_path, tmp_path, case
):
    words = case(tmp_path)
    before = sorted(tmp_path.iterdir())
    if "--bundle" not in words:
        words = (*words, "--bundle", bundle_path)
    told = landslide("predict", *words, "--out", tmp_path / "run", "--device", "cpu")
    assert_refused(told, *BAD_SCENES[case])
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("kind", ["corrupt", "incompatible"])
def test_a_bad_bundle_is_refused_in_one_line_and_leaves_no_trace(
    landslide, bundle_path, scene_inputs, tmp_path, kind
):
    bad = shutil.copytree(bundle_path, tmp_path / "bad")
    if kind == "corrupt":
        path = bad / "member_01.safetensors"
        path.write_bytes(path.read_bytes()[:-1] + b"!")
    else:
        manifest = json.loads((bad / "manifest.json").read_text())
        (bad / "manifest.json").write_text(json.dumps({**manifest, "format": 99}))
    words = (*options_of(scene_inputs), "--bundle", bad, "--out", tmp_path / "run")
    remedy = {"corrupt": "Restore the folder", "incompatible": "Fit it again"}[kind]
    assert_refused(landslide("predict", *words), "bad", remedy)
    assert list(tmp_path.iterdir()) == [bad]


def test_a_folder_in_use_is_refused_and_kept(landslide, bundle_path, scene_inputs, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    words = (*options_of(scene_inputs), "--bundle", bundle_path, "--out", tmp_path)
    assert_refused(landslide("predict", *words), "exists already", "Choose another --out")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    ("patch", "found"),
    [
        (np.ones((64, 64, 11)), "shape (64, 64, 11)"),
        (np.ones((32, 64, 12)), "shape (32, 64, 12)"),
        (np.full((64, 64, 12), np.nan), "49152 NaN"),
        (None, "no *.npy file"),
    ],
    ids=["bands", "size", "nan", "none"],
)
@pytest.mark.parametrize("command", ["predict", "evaluate"])
def test_a_bad_patch_is_refused_in_one_line(
    landslide, bundle_path, tmp_path, command, patch, found
):
    folder = tmp_path / "patches"
    folder.mkdir()
    if patch is not None:
        np.save(folder / "X.npy", patch)
    (tmp_path / "labels.csv").write_text("ID,label\nX,1\n")
    last = ("--labels", tmp_path / "labels.csv") if command == "evaluate" else ()
    out = ("--out", tmp_path / "p.csv") if command == "predict" else ()
    told = landslide(command, "--patches", folder, "--bundle", bundle_path, *out, *last)
    assert_refused(told, found, "Check the path" if patch is None else "Leave the file out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["labels.csv", "patches"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_cuda_without_cuda_is_refused_in_one_line(landslide, bundle_path, scene_inputs, tmp_path):
    words = (*options_of(scene_inputs), "--bundle", bundle_path, "--out", tmp_path / "run")
    told = landslide("predict", *words, "--device", "cuda")
    assert_refused(told, "cuda", "--device cpu")
    assert list(tmp_path.iterdir()) == []


def test_patches_and_a_scene_at_once_are_refused(landslide, bundle_path, patches, tmp_path):
    told = landslide(
        *("predict", "--patches", patches, "--s2", "a.tif", "--bundle", bundle_path),
        *("--out", tmp_path / "p.csv"),
    )
    assert_refused(told, "Both --patches and scene files", "Leave one out")


def test_predict_tells_the_whole_run_as_json(landslide, bundle_path, scene_inputs, tmp_path):
    words = (*options_of(scene_inputs), "--bundle", bundle_path, "--out", tmp_path / "run")
    code, out, err = landslide("predict", *words, "--device", "cpu", "--stride", "32", "--json")
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert told == json.loads((tmp_path / "run" / "run.json").read_text())
    assert told["stride"] == 32
    assert sum(told["counts"].values()) == 24
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_predict_warns_on_standard_error(landslide, bundle_path, scene_inputs, tmp_path):
    inputs = replace(scene_inputs, asc_pre=(), asc_post=())
    words = (*options_of(inputs), "--bundle", bundle_path, "--out", tmp_path / "run")
    code, out, err = landslide("predict", *words, "--device", "cpu")
    assert code == 0
    assert err == "warning: No ascending Sentinel-1 pass: its bands are carried as missing.\n"
    assert all(name in out for name in VERDICTS)


def test_predict_patches_writes_answers(landslide, bundle_path, patches, tmp_path):
    out = tmp_path / "p.csv"
    code, said, _ = landslide(
        *("predict", "--patches", patches, "--out", out, "--bundle", bundle_path, "--json")
    )
    assert code == 0
    assert json.loads(said)["patches"] == 12
    answers = pd.read_csv(out)
    assert list(answers.columns[:2]) == ["ID", "label"]
    assert answers["ID"].tolist() == list("ABCDEFGHIJKL")
    assert set(answers["label"]) <= {0, 1}
    assert (answers.loc[answers["verdict"] == "filtered_out", "label"] == 0).all()
    assert (answers["verdict"] == "filtered_out").sum() >= 4  # the filter fires on most negatives


def test_score_table_tells_the_promised_figures(landslide, bundle_path, table_file):
    code, out, err = landslide("score-table", table_file, "--bundle", bundle_path, "--json")
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert set(told) == TABLE_KEYS | {"inputs"}
    assert (told["n"], told["positives"]) == (30, 15)
    assert told["recall"] == told["auc"] == told["average_precision"] == 1.0
    assert 0.4 < told["dropped_fraction"] <= 0.5


def test_score_table_without_labels_is_refused(landslide, bundle_path, table_file, tmp_path):
    bare = tmp_path / "bare.csv"
    pd.read_csv(table_file).drop(columns="label").to_csv(bare, index=False)
    told = landslide("score-table", bare, "--bundle", bundle_path)
    assert_refused(told, "no column 'label'", "Add the column")


def test_evaluate_tells_the_promised_figures(landslide, bundle_path, patches):
    code, out, _ = landslide(
        *("evaluate", "--patches", patches, "--labels", patches / "labels.csv"),
        *("--bundle", bundle_path, "--device", "cpu", "--json"),
    )
    assert code == 0
    told = json.loads(out)
    assert set(told) >= SYSTEM_KEYS
    assert told["n"] == 12
    assert told["filter_recall"] == 1.0
    assert 0 < told["dropped_fraction"] <= 0.5
    assert all(0 <= told[key] <= 1 for key in SYSTEM_KEYS - {"n"})


def test_evaluate_matches_labels_by_id_not_by_order(landslide, bundle_path, patches, tmp_path):
    labels = pd.read_csv(patches / "labels.csv").iloc[::-1]
    labels.to_csv(tmp_path / "labels.csv", index=False)
    answers = [
        landslide(
            *("evaluate", "--patches", patches, "--labels", file),
            *("--bundle", bundle_path, "--device", "cpu", "--json"),
        )[1]
        for file in (patches / "labels.csv", tmp_path / "labels.csv")
    ]
    assert answers[0] == answers[1]


def test_a_patch_without_label_is_refused(landslide, bundle_path, patches, tmp_path):
    (tmp_path / "labels.csv").write_text("ID,label\nA,1\n")
    told = landslide(
        *("evaluate", "--patches", patches, "--labels", tmp_path / "labels.csv"),
        *("--bundle", bundle_path),
    )
    assert_refused(told, "11 of 12 patches have no label", "Add the rows")


def test_surrogate_writes_patches_and_labels_then_refuses_to_overwrite(
    landslide, table_file, tmp_path
):
    few, out = tmp_path / "few.csv", tmp_path / "made"
    pd.read_csv(table_file).head(2).to_csv(few, index=False)
    words = ("surrogate", few, "--out", out, "--workers", "1")
    assert landslide(*words)[0] == 0
    assert sorted(path.name for path in out.iterdir()) == ["ID_000.npy", "ID_001.npy", "labels.csv"]
    assert np.load(out / "ID_001.npy").shape == (64, 64, 12)
    assert_refused(landslide(*words), "not an empty folder", "Choose another")


def test_patches_are_prepared_once_and_the_filter_is_fitted_on_them(
    landslide, patches, tmp_path, monkeypatch
):
    monkeypatch.setattr(
        cli_training, "FilterOptions", lambda seed: replace(QUICK_FILTER, rounds=5, seed=seed)
    )
    prepared, out = tmp_path / "prepared", tmp_path / "filter.json"
    words = ("prepare", patches, "--labels", patches / "labels.csv", "--out", prepared, "--json")
    code, told, err = landslide(*words)
    assert (code, err) == (0, "")
    assert json.loads(told) == {"prepared": str(prepared), "patches": 12, "positives": 6}
    code, again, err = landslide(*words)
    assert (code, again) == (0, told)
    assert "nothing was left to do" in err
    fit = ("train-filter", prepared, "--out", out, "--folds", "2", "--seed", "3", "--json")
    code, told, err = landslide(*fit, "--work", tmp_path / "work")
    assert code == 0
    assert set(json.loads(told)) == TABLE_KEYS | {"filter"}
    assert json.loads(told)["n"] == 12
    assert err.count("\n") == 3  # two folds, and the fit on all rows
    assert json.loads(out.read_text())["options"]["seed"] == 3
    assert len(list((tmp_path / "work").glob("*/fold_*.npz"))) == 2
    assert_refused(landslide(*fit), "exists already", "Choose another --out")
    rows = table_of(raw_patches(balanced(12), seed=9), balanced(12)).assign(ID=list("ABCDEFGHIJKL"))
    rows[["band5_mean", "band5_min", "band5_max"]] += 100  # no row lies where the pixels do
    rows.to_csv(tmp_path / "table.csv", index=False)
    fit = (
        "train-filter",
        prepared,
        "--out",
        tmp_path / "other.json",
        "--folds",
        "2",
        "--seed",
        "3",
    )
    fit = (*fit, "--work", tmp_path / "work", "--table", tmp_path / "table.csv")
    assert landslide(*fit)[0] == 0
    assert len(list((tmp_path / "work").iterdir())) == 2  # features of the table are others
    rows["label"] = 1 - rows["label"]
    rows.to_csv(tmp_path / "table.csv", index=False)
    (tmp_path / "other.json").unlink()
    assert_refused(landslide(*fit), "disagree on 12 labels", "labels that belong to the table")


def test_what_is_not_prepared_is_refused_in_one_line(landslide, patches, tmp_path):
    told = landslide("train-filter", patches, "--out", tmp_path / "filter.json")
    assert_refused(told, "no finished preparation", "landslide prepare")
    np.save(tmp_path / "X.npy", np.ones((64, 64, 11)))
    (tmp_path / "labels.csv").write_text("ID,label\nX,1\n")
    words = ("--labels", tmp_path / "labels.csv", "--out", tmp_path / "out")
    assert_refused(landslide("prepare", tmp_path, *words), "X.npy", "Leave the file out")


def test_help_names_every_command(landslide):
    code, out, _ = landslide("--help")
    assert code == 0
    commands = ("predict", "evaluate", "score-table", "score-run", "sample", "doctor")
    for name in (*commands, "surrogate", "prepare", "train-filter", "train"):
        assert f" {name} " in out


def test_score_run_counts_tiles_and_scars(landslide, run, tmp_path):
    """One scar in a judged tile, one sliver in another, one in the hole nobody could see."""
    tiles = run.tiles.to_crs(run.grid().crs).set_index("tile_id")
    judged = tiles.index[tiles["verdict"] != "no_data"]

    def square(tile, side):
        centre = tiles.geometry[tile].centroid
        return box(*(centre.x, centre.y), *(centre.x + side, centre.y + side))

    scars = [square(judged[-1], 100), square(judged[0], 20), square(0, 100)]
    truth = tmp_path / "truth.gpkg"
    geopandas.GeoDataFrame(geometry=scars, crs=tiles.crs).to_crs("EPSG:4326").to_file(truth)
    code, out, _ = landslide("score-run", run.folder, "--truth", truth, "--json")
    assert code == 0
    told = json.loads(out)
    assert set(told) >= SYSTEM_KEYS
    assert told["n"] == len(judged) == 8
    assert told["positives"] == 1
    verdict = tiles["verdict"][judged[-1]]
    assert {name: told["verdicts"][name]["with_landslide"] for name in VERDICTS[1:]} == {
        name: int(name == verdict) for name in VERDICTS[1:]
    }
    assert told["verdicts"]["filtered_out"]["tiles"] == run.meta["counts"]["filtered_out"]
    assert told["scars"] == 3
    assert told["scars_found"] == int(verdict == "landslide")


def test_score_run_finds_every_scar_in_tiles_called_landslide(landslide, run, tmp_path):
    tiles = run.tiles.to_crs(run.grid().crs)
    meta = json.loads((run.folder / "run.json").read_text())
    called = shutil.copytree(run.folder, tmp_path / "run")
    tiles["verdict"] = tiles["verdict"].replace(["stable", "uncertain"], "landslide")
    tiles.to_crs("EPSG:4326").to_parquet(called / "tiles.parquet")
    tiles[tiles["verdict"] == "landslide"].buffer(-50).to_file(tmp_path / "truth.gpkg")
    code, out, _ = landslide("score-run", called, "--truth", tmp_path / "truth.gpkg", "--json")
    told = json.loads(out)
    assert code == 0
    assert told["scars"] == told["scars_found"] == told["positives"] > 0
    assert told["verdicts"]["landslide"]["with_landslide"] == told["positives"]
    assert meta["counts"]["no_data"] == 12 - told["n"]


def test_a_scar_s_area_is_counted_once_where_tiles_overlap(landslide, run_32, tmp_path):
    """Tiles called landslide cover 6 % of the scar, several of them the same 6 %."""
    tiles = run_32.tiles.to_crs(run_32.grid().crs)
    called = shutil.copytree(run_32.folder, tmp_path / "run")
    tiles.loc[tiles["verdict"] != "no_data", "verdict"] = "landslide"
    tiles.to_crs("EPSG:4326").to_parquet(called / "tiles.parquet")
    left, bottom, right, top = tiles.total_bounds
    assert (right - left, top - bottom) == pytest.approx((2000, 1600))
    scar = box(right - 900, bottom + 700, right - 900 + 15_000, bottom + 720)
    truth = geopandas.GeoDataFrame(geometry=[scar], crs=tiles.crs)
    truth.to_file(tmp_path / "truth.gpkg")
    code, out, _ = landslide("score-run", called, "--truth", tmp_path / "truth.gpkg", "--json")
    assert code == 0
    assert json.loads(out)["scars_found"] == 0


@pytest.mark.parametrize("what", ["run", "truth"])
def test_score_run_refuses_what_does_not_read(landslide, run, tmp_path, what):
    (tmp_path / "truth.gpkg").write_text("no vector data")
    folder = tmp_path if what == "run" else run.folder
    told = landslide("score-run", folder, "--truth", tmp_path / "truth.gpkg")
    remedy = {"run": "landslide resume", "truth": "Check --truth"}[what]
    assert_refused(told, str(tmp_path), remedy)


def test_doctor_tells_versions_and_what_is_missing(landslide, bundle_path, tmp_path):
    code, out, err = landslide("doctor", "--bundle", tmp_path / "none")
    assert code == 1
    assert err.startswith(f"missing: There is no model bundle at {tmp_path / 'none'}")
    code, out, err = landslide("doctor", "--bundle", bundle_path)
    assert (code, err) == (0, "")
    for word in ("python", "torch", "xgboost-cpu", "cuda", "gdal", "reads .jp2", "2 members"):
        assert word in out


def test_as_a_program_it_refuses_in_one_line(bundle_path, tmp_path):
    words = ("--bundle", bundle_path, "--out", tmp_path / "run", *no_crs(tmp_path))
    done = subprocess.run(
        [sys.executable, "-m", "landslide_core", "predict", *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert_refused((done.returncode, done.stdout, done.stderr), "bare.tif", "gdal_edit")
    assert [path.name for path in tmp_path.iterdir()] == ["bare.tif"]


def test_as_a_program_it_prints_json_and_nothing_else(bundle_path, scene_inputs, tmp_path):
    words = (*options_of(scene_inputs), "--bundle", bundle_path, "--out", tmp_path / "run")
    done = subprocess.run(
        [sys.executable, "-m", "landslide_core", "predict", *map(str, words), "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["counts"]["no_data"] == 4
