"""Scores of finished runs and of the filter alone."""

import geopandas
import pandas as pd
import pytest
from shapely.geometry import box

from landslide_core.combinations import USUAL, blank
from landslide_core.errors import RunDamaged
from landslide_core.features import features_from_table, filter_features
from landslide_core.folder import Run
from landslide_core.training.score import score_run, score_table


@pytest.fixture
def truth(run, tmp_path):
    """An outline that covers the whole scene: every tile holds a landslide."""
    whole = box(*run.tiles.to_crs(run.grid().crs).total_bounds)
    path = tmp_path / "truth.gpkg"
    geopandas.GeoDataFrame(geometry=[whole], crs=run.grid().crs).to_file(path)
    return path


def copied(run, folder, **columns):
    """The run with other columns in its table."""
    folder.mkdir()
    tiles = run.tiles.assign(**columns)
    tiles.to_parquet(folder / "tiles.parquet")
    return Run(folder, run.meta)


def test_the_answer_scored_is_the_run_s_yes_or_no(run, truth, tmp_path):
    """Whatever the votes agree on: a calibrated no is a no."""
    judged = (run.tiles["verdict"] != "no_data").sum()
    yes = pd.Series(False, index=run.tiles.index)
    yes[run.tiles.index[run.tiles["verdict"] != "no_data"][:2]] = True
    other = copied(run, tmp_path / "run", says_landslide=yes, agreement=1.0)
    scores = score_run(other, truth)
    assert scores["n"] == scores["positives"] == judged
    assert scores["recall"] == pytest.approx(2 / judged)


def test_a_run_of_an_earlier_version_has_no_yes_or_no(run, truth, tmp_path):
    (tmp_path / "run").mkdir()
    run.tiles.drop(columns="votes_cast").to_parquet(tmp_path / "run" / "tiles.parquet")
    with pytest.raises(RunDamaged, match="votes_cast: an earlier version wrote it"):
        score_run(Run(tmp_path / "run", run.meta), truth)


def test_the_table_says_what_the_filter_keeps_under_each_usual_combination(prefilter, table):
    told = score_table(prefilter, table)
    assert list(told["inputs"]) == list(USUAL.values())
    whole = {name: told[name] for name in ("recall", "dropped_fraction")}
    assert told["inputs"]["everything"] == whole
    # One by hand: optical alone, at the threshold of optical alone.
    features = blank(filter_features(features_from_table(table)), "visible+nir")
    passes = prefilter.score(features) >= prefilter.thresholds["visible+nir"]
    landslide = table["label"].to_numpy() == 1
    assert told["inputs"]["optical only"] == {
        "recall": pytest.approx(passes[landslide].mean()),
        "dropped_fraction": pytest.approx((~passes).mean()),
    }
    assert told["inputs"]["optical only"] != whole
