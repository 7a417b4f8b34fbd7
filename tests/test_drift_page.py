"""What the pages say of an unlike scene or tile, and of tiles that the slope mask drops."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from landslide_core.bands import BAND_NAMES
from landslide_core.folder import Run
from pages.parts import state
from pages.parts.why import drift

PAGES = Path(__file__).parents[1] / "pages"
WARNING = "This scene is unlike what the model learnt: red is far higher."


Change = Callable[[dict[str, Any], pd.DataFrame], None]


@pytest.fixture
def changed(made: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Change], None]:
    """A server with a copy of the run, its record and table changed."""
    monkeypatch.setenv("LANDSLIDE_RUNS", str(tmp_path))
    monkeypatch.setenv("LANDSLIDE_MODELS", str(made.folder.parents[1] / "models"))

    def change(how: Change) -> None:
        folder = shutil.copytree(made.folder, tmp_path / "tiny")
        meta, tiles = json.loads(json.dumps(made.meta)), made.tiles.copy()
        how(meta, tiles)
        (folder / "run.json").write_text(json.dumps(meta))
        tiles.to_parquet(folder / "tiles.parquet", index=False)

    return change


def open_page(name: str, **query: str) -> AppTest:
    page = AppTest.from_file(PAGES / f"{name}.py", default_timeout=60)
    for key, value in query.items():
        page.query_params[key] = value
    page.run()
    assert not page.exception, page.exception
    return page


def titles(page: AppTest) -> str:
    return " ".join(str(found.label) for found in page.expander)


def bands(page: AppTest) -> list[pd.DataFrame]:
    """The comparison's table, where it is open."""
    return [found.value for found in page.dataframe if "Band" in found.value.columns]


def unlike(meta: dict[str, Any], tiles: pd.DataFrame) -> None:
    meta["drift"]["red"]["likeness"] = "unlike"
    meta["drift"]["red"]["learnt"] |= {"p1": -500.0, "p99": 1.0}  # nearly nothing lies within
    meta["warnings"].append(WARNING)


def test_a_usual_scene_is_compared_without_a_warning(
    changed: Callable[[Change], None], made: Run
) -> None:
    changed(lambda meta, tiles: None)
    page = open_page("detect")
    assert "Compared with what the model learnt: 12 usual of 12 bands" in titles(page)
    assert not [w for w in page.warning if "learnt" in w.value]
    assert not bands(page)  # drawn once it is opened
    table = drift.table(made.meta["drift"])
    assert table["Band"].tolist()[:5] == [
        *("Red", "Green", "Blue", "Near infrared"),
        "Descending VV after",
    ]


def test_an_unlike_scene_is_told_and_shown(changed: Callable[[Change], None]) -> None:
    changed(unlike)
    page = open_page("detect")
    assert any("unlike what the model learnt" in w.value for w in page.warning)
    assert "11 usual, 1 unlike of 12 bands" in titles(page)
    assert bands(page)[0]["Verdict"].tolist()[0] == "unlike"


def test_a_tile_beyond_the_training_is_told(changed: Callable[[Change], None], made: Run) -> None:
    judged = int(made.tiles[made.tiles["verdict"] != "no_data"]["tile_id"].iloc[0])
    changed(unlike)
    page = open_page("decisions", run="tiny", tile=str(judged))
    told = [w.value for w in page.warning]
    assert len(told) == 1
    assert "lies outside" in told[0]
    assert "Red 100 %" in told[0]
    assert "Green" not in told[0]


def test_a_run_of_an_earlier_version_has_no_comparison(changed: Callable[[Change], None]) -> None:
    def older(meta: dict[str, Any], tiles: pd.DataFrame) -> None:
        del meta["drift"], meta["slope_mask"]
        del tiles["alarm"], tiles["slope"]

    changed(older)
    page = open_page("detect")
    assert "Compared" not in titles(page)
    assert not {"alarm", "slope"} & set(page.dataframe[0].value.columns)
    assert not open_page("decisions", run="tiny").warning


def test_masked_tiles_are_shown_as_such(changed: Callable[[Change], None]) -> None:
    def mask(meta: dict[str, Any], tiles: pd.DataFrame) -> None:
        tiles["verdict"], tiles["slope"] = "landslide", np.float32(2.5)
        tiles.loc[tiles["tile_id"] > 2, "slope"] = 17.0
        tiles["alarm"] = tiles["slope"] > 5
        counts = dict.fromkeys(meta["counts"], 0) | {"landslide": len(tiles)}
        meta["counts"] = counts
        meta["slope_mask"] = {
            "least_slope": 5.0,
            "dem": ["/data/dem_[x].tif"],
            "masked_tiles": 3,
            "unknown_tiles": 1,
            "alarms": 22,
        }

    changed(mask)
    page = open_page("detect", tile="1")
    said = " ".join(caption.value for caption in page.caption)
    assert "22 of 25 landslide tiles raise an alarm" in said
    assert "less steep than 5°" in said
    assert "the DEM tells too little, 1, are not masked" in said
    table = page.dataframe[0].value
    assert table["alarm"].sum() == 22
    assert not any("Horn" in text.value for text in page.markdown)  # drawn once it is opened
    opened = f"provenance-{state.runs()[0]}"
    page.session_state[opened] = True
    page.run()
    assert any("Horn" in text.value and "dem" in text.value for text in page.markdown)


def test_the_figure_has_a_row_a_band_and_a_mark_a_verdict(made: Run) -> None:
    found = {name: dict(band) for name, band in made.meta["drift"].items()}
    found["nir"]["likeness"] = "unusual"
    figure = drift.positions(found)
    assert len(figure.layout.yaxis.categoryarray) == len(BAND_NAMES)
    marks = {trace.name: trace for trace in figure.data if trace.mode == "markers"}
    assert set(marks) == {"Usual", "Unusual"}
    assert marks["Usual"].marker.symbol != marks["Unusual"].marker.symbol
    assert list(marks["Unusual"].x) == [100 * found["nir"]["median_at"]]
    assert list(marks["Unusual"].y) == ["Near infrared"]
