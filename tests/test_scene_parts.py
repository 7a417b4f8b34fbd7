"""Parts of the Scene page: the table of roles, the overview's words, the server's folder."""

import re
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from landslide_core.combinations import COMPLETE, PARTIAL
from landslide_core.readers.given import ROLES, SceneInputs
from landslide_core.readers.recognise import Recognised
from landslide_core.readers.roles import LEFT_OUT, UNKNOWN, Proposal
from pages.parts import page_words
from pages.parts.scene import effort, overview, remarks, roles_table, sources


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

    def test_long_names_show_what_tells_them_apart(self) -> None:
        first, second = (
            f"S1A_IW_GRDH_1SDV_2020{time}_03CFBA_{mark}.SAFE.zip"
            for time, mark in (
                ("0607T010800_20200607T010825_032904", "D457"),
                ("0903T131212_20200903T131237_034195", "AC1C"),
            )
        )
        shown = roles_table.fitted([first, second, "s2.tif"])
        assert [len(name) <= roles_table.WIDEST for name in shown] == [True] * 3
        assert shown[0].startswith("…20200607T01")
        assert shown[1].startswith("…20200903T13")
        assert shown[2] == "s2.tif"
        (alone,) = roles_table.fitted([first])
        assert alone.startswith("S1A_IW_GRDH")
        alike = [f"{'a' * 40}{i}{'b' * 40}" for i in range(2)]
        assert roles_table.fitted(alike) == alike  # cut, they would be one

    def test_what_is_put_back_is_no_correction(self) -> None:
        shown = self.shown({0: "asc_post"})
        edited = shown.copy()
        edited.loc[0, "Role"] = "Sentinel-1 ascending, before"
        assert roles_table.changed(shown, edited, self.proposals) == {0: None}
        assert roles_table.changed(shown, shown, self.proposals) == {}


class TestRemarks:
    broken = Recognised(
        Path("/x/a.tif"), problem="a.tif is broken; a whole one is needed. Copy it."
    )
    slant = Recognised(Path("/x/s.zip"), "S1", "SLC")
    crossed = Recognised(Path("/x/h.tif"), "S1", "GRD", ("HH", "HV"))
    whole = Recognised(Path("/x/b.tif"), "S2", day=date(2020, 8, 13))

    def test_every_refused_file_has_its_line(self) -> None:
        found = (self.broken, self.slant, self.crossed, self.whole)
        lines = remarks.refused(["a.tif", "s.zip", "h.tif", "b.tif"], found, [LEFT_OUT] * 4)
        assert lines[0] == self.broken.problem
        assert "s.zip is in slant range" in lines[1]
        assert "HH, HV; VV and VH are needed" in lines[2]
        assert len(lines) == 3  # the fourth was only not chosen
        assert remarks.refused(["a.tif"], [self.broken], ["s2"]) == []  # reading it tells
        other = Recognised(Path("/x/c.tif"), problem=self.broken.problem)  # of something in it
        assert remarks.refused(["c"], [other], [LEFT_OUT]) == [f"c: {other.problem}"]

    def test_files_without_a_role_are_named_by_reason(self) -> None:
        unknown = Proposal(UNKNOWN, "neither tags nor names say what it is")
        when = Proposal(UNKNOWN, "before or after? Give the day of the event")
        names = ["a", "b", "c", "d", "e"]
        proposals = [unknown, unknown, unknown, unknown, when]
        first, second = remarks.unclear(names, proposals, [UNKNOWN] * 5)
        assert first.startswith("a, b, c and 1 more have no role: neither tags")
        assert "Choose it in the column Role" in first
        assert "Give the day of the event. Or choose it" in second
        assert remarks.unclear(["a"], [unknown], ["s2"]) == []

    def test_days_far_from_the_event(self) -> None:
        found = [self.whole, self.broken]
        assert remarks.far(["b", "a"], found, date(2020, 1, 1)) == ""
        assert remarks.far(["b", "a"], found, None) == ""
        assert "b (2020-08-13)" in remarks.far(["b", "a"], found, date(2019, 1, 1))


class TestPageWords:
    def test_fields_for_options_and_names_for_paths(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("LANDSLIDE_RUNS", str(tmp_path / "runs"))
        monkeypatch.setenv("LANDSLIDE_DATA", str(tmp_path / "data"))
        uploads = tmp_path / "runs" / ".uploads"
        for path, name in (
            (uploads / ("a1" * 16) / ("b2" * 16) / "a.tif", "a.tif"),
            (uploads / ("a1" * 16) / "product-12ab" / "P" / "a.tif", "P/a.tif"),
            (uploads / "place-01jan2020" / "s2.tif", "s2.tif"),
            (tmp_path / "data" / "deep" / "a.tif", "deep/a.tif"),
        ):
            said = page_words.in_page_words(f"{path} is broken. Correct --s2-offset.")
            assert said == f"{name} is broken. Correct “Sentinel-2 offset”."

    def test_no_option_is_left_in_what_reading_a_scene_says(self) -> None:
        readers = Path(page_words.__file__).parents[3] / "landslide_core" / "readers"
        left = {
            option
            for path in readers.rglob("*.py")
            for line in path.read_text().splitlines()
            for option in re.findall(r"--[a-z][a-z0-9-]+", page_words.in_page_words(line))
        }
        assert left <= {"--cloud-probability"}  # the page has no field for it, and asks for none


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
        near = overview.reliability("visible+nir+asc_post", [], card)
        assert "no figure for this combination" in near
        assert "optical only: AUC 0.926" in near
        assert "AUC" not in overview.reliability("asc_post", [], card)

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


def test_what_was_typed_of_an_image_is_not_said_of_the_next() -> None:
    def script() -> None:
        import streamlit as st

        from pages.parts.scene import reading, sources

        inputs = st.session_state["inputs"]
        files = sources.Files({path.name: path for path in inputs.s2}, "upload")
        given = reading.options(inputs, "Upload", sources.key_of(files))
        st.text(f"{given.s2_offset} {given.s2_bands}")

    def said(*names: str) -> str:
        page.session_state["inputs"] = SceneInputs(s2=tuple(map(Path, names)))
        page.run()
        assert not page.exception
        return str(page.text[0].value)

    page = AppTest.from_function(script, default_timeout=60)
    assert said("chile.tif") == "None None"
    page.number_input(key="s2-offset-Upload").set_value(-1000.0)
    page.text_input(key="s2-bands-Upload").set_value("B02, B03")
    assert said("chile.tif", "clouds.tif") == "-1000.0 ('B02', 'B03')"  # one more of the same image
    assert said("punjab.tif") == "None None"
    assert said("punjab.tif") == "None None"
