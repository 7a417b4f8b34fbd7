"""Where a filter feature lies among the training's rows; a bundle keeps it, or says it does not."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from landslide_core.bundle import load_bundle, save_bundle
from landslide_core.errors import BundleIncompatible
from landslide_core.learnt import SHARES, Learnt
from pages.parts.why.filter_chart import place

HUNDRED = pd.DataFrame({"red_mean": np.arange(101.0), "nir_mean": np.nan, "red_min": 0.0})
LABELS = (np.arange(101) > 60).astype(int)
FOUND = Learnt.of(HUNDRED, LABELS)


def test_quantiles_of_all_rows_and_of_either_label():
    assert FOUND.rows == {"all": 101, "landslide": 40, "stable": 61}
    assert set(FOUND.features) == {"red_mean", "red_min"}  # the other is never known
    assert FOUND.features["red_mean"]["all"] == pytest.approx([100 * s for s in SHARES])
    assert FOUND.features["red_mean"]["landslide"][0] == 61
    assert FOUND.features["red_mean"]["stable"][-1] == 60


@pytest.mark.parametrize(
    ("value", "kind", "below"),
    [(25.0, "all", 0.25), (-5.0, "all", 0.0), (500.0, "all", 1.0), (30.0, "stable", 0.5)],
)
def test_share_of_rows_that_are_lower(value, kind, below):
    assert FOUND.share_below("red_mean", value, kind) == pytest.approx(below)


def test_a_value_that_all_rows_share_is_in_their_middle():
    assert FOUND.share_below("red_min", 0.0) == 0.5


def test_what_is_not_known_has_no_place():
    assert np.isnan(FOUND.share_below("nir_mean", 1.0))
    assert np.isnan(FOUND.share_below("red_mean", float("nan")))
    assert place(FOUND, "nir_mean", 1.0) == place(None, "red_mean", 1.0) == ""


def test_places_in_words():
    assert place(FOUND, "red_mean", 93.0) == "higher than 93 % of the training rows"
    assert place(FOUND, "red_mean", 20.0) == "lower than 80 % of the training rows"
    assert place(FOUND, "red_mean", 1e9) == "higher than 99 % of the training rows"
    assert place(FOUND, "red_mean", -1e9) == "lower than 99 % of the training rows"


def test_a_bundle_keeps_it_beside_what_was_fitted(bundle, tmp_path):
    assert bundle.learnt is None  # as of a version that did not keep it
    with_it = load_bundle(save_bundle(replace(bundle, path=tmp_path / "b", learnt=FOUND), {}))
    assert with_it.sha256 == bundle.sha256
    assert with_it.learnt is not None
    assert with_it.learnt.features == FOUND.features
    assert with_it.learnt.share_below("red_mean", 25.0) == pytest.approx(0.25)


def test_quantiles_that_do_not_fit_are_refused(bundle, tmp_path):
    path = save_bundle(replace(bundle, path=tmp_path / "b", learnt=FOUND), {})
    content = json.loads((path / "features.json").read_text())
    content["shares"] = content["shares"][:-1]
    with pytest.raises(ValueError, match="do not fit"):
        Learnt.read(content)
    del content["rows"]
    bad = json.dumps(content).encode()
    broken = save_bundle(replace(bundle, path=tmp_path / "c"), {"features.json": bad})
    with pytest.raises(BundleIncompatible, match="rows"):
        load_bundle(broken)


def test_the_bundle_that_ships_knows_all_its_features():
    shipped = load_bundle(Path(__file__).parents[1] / "models" / "default")
    assert shipped.learnt is not None
    assert set(shipped.learnt.features) == set(shipped.prefilter.features)
    patches = shipped.card["data"]["patches"]
    assert shipped.learnt.rows["all"] == patches["rows"]
    assert shipped.learnt.rows["landslide"] == patches["positives"]
