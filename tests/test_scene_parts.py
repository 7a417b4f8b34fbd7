"""Parts of the Scene page: the table of roles, the overview's words, the server's folder."""

from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from landslide_core.combinations import COMPLETE, PARTIAL
from landslide_core.readers.given import ROLES
from landslide_core.readers.recognise import Recognised
from landslide_core.readers.roles import UNKNOWN, Proposal
from pages.parts.scene import effort, overview, roles_table, sources


class TestTable:
    found = (Recognised(Path("a.tif"), "S1"), Recognised(Path("b.tif"), "S2", "L2A"))
    proposals = (Proposal("asc_pre", "why"), Proposal(UNKNOWN, "unclear"))

    def shown(self, corrected: dict[int, str]) -> pd.DataFrame:
        return roles_table.table_of(["a", "b"], self.found, self.proposals, corrected)

    def test_what_was_changed(self) -> None:
        shown = self.shown({})
        assert list(shown["Role"]) == ["Sentinel-1 ascending, before", "Choose …"]
        assert "Bands" not in shown  # nothing is in it
        edited = shown.copy()
        edited.loc[1, "Role"] = "Sentinel-2, after"
        assert roles_table.changed(shown, edited, self.proposals) == {1: "s2"}

    def test_names_are_as_long_as_they_must_be(self) -> None:
        names = ["place/DEM/1.tif", "place/S2/1.tif", "place/S2/2.tif"]
        assert roles_table.short(names) == ["DEM/1.tif", "S2/1.tif", "2.tif"]

    def test_what_is_put_back_is_no_correction(self) -> None:
        shown = self.shown({0: "asc_post"})
        edited = shown.copy()
        edited.loc[0, "Role"] = "Sentinel-1 ascending, before"
        assert roles_table.changed(shown, edited, self.proposals) == {0: None}
        assert roles_table.changed(shown, shown, self.proposals) == {}


class TestOverview:
    def test_worth_in_words(self) -> None:
        scores = {"auc": 0.926, "f1": 0.71, "recall": 0.7, "precision": 0.7}
        best = {"auc": 0.986, "f1": 0.86, "recall": 0.88, "precision": 0.85}
        card = {"out_of_fold": {"combinations": {"visible+nir": scores, COMPLETE: best}}}
        text = overview.reliability("visible+nir", ["Sentinel-1"], card)
        assert "Missing: Sentinel-1." in text
        assert "optical only the model reached AUC 0.926, F1 0.71, recall 70 %" in text
        assert "with everything AUC 0.986" in text
        assert "Everything is there" in overview.reliability(COMPLETE, [], card)
        assert "filter drops nothing" in overview.reliability(PARTIAL, [], card)

    def test_gaps_in_words(self) -> None:
        days = {"desc_pre": [date(2021, 6, 7)], "desc_post": [date(2021, 6, 19)]}
        every = {**{role: [] for role in ROLES}, **days}
        (line,) = overview.gaps(every, date(2021, 6, 15))
        assert line == (
            "Descending pass: 12 days between before and after, the later one 4 days after the "
            "event."
        )
        assert "Without the day" in overview.gaps(every, None)[1]

    @pytest.mark.parametrize(
        ("seconds", "words"), [(12.4, "12 s"), (240, "4 min"), (9000, "2.5 h")]
    )
    def test_time_in_words(self, seconds: float, words: str) -> None:
        assert effort.time_in_words(seconds) == words

    @pytest.mark.parametrize(
        ("watt_hours", "words"), [(0.02, "0.02 Wh"), (3, "3 Wh"), (1240, "1.2 kWh")]
    )
    def test_energy_in_words(self, watt_hours: float, words: str) -> None:
        assert effort.energy_in_words(watt_hours) == words


class TestServerFolder:
    def test_products_and_folders_are_entries(self, tmp_path: Path) -> None:
        for name in (
            *("s2/B02.tif", "s2/B03.tif", "s2/metadata.json"),
            *("radar/20210607_VV.tif", "radar/20210607_VH.tif"),
            *("mixed/s2.tif", "mixed/deep/s1_desc_pre.tif"),
            *("twice/a_B02.tif", "twice/b_B02.tif"),
            *("X.SAFE/GRANULE/B02.jp2", ".hidden/a.tif", "top.zip"),
        ):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()
        listed = [str(path.relative_to(tmp_path)) for path in sources.list_rasters(tmp_path)]
        assert listed == [
            *("X.SAFE", "mixed/deep/s1_desc_pre.tif", "mixed/s2.tif", "radar", "s2", "top.zip"),
            *("twice/a_B02.tif", "twice/b_B02.tif"),
        ]
