"""The Scene page: empty, loaded and failing; roles behind it."""

import shutil
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
import rasterio
from paging import PAGES, button, open_page, quiet, texts
from streamlit.testing.v1 import AppTest

from landslide_core.folder import Run
from landslide_core.readers.given import SceneInputs
from landslide_core.readers.roles import LEFT_OUT
from pages.parts.scene import sources


def source(page: AppTest, name: str) -> AppTest:
    page.segmented_control[0].set_value(name).run()
    return page


def table(page: AppTest) -> pd.DataFrame:
    """The table of files and roles, by file."""
    found: pd.DataFrame = page.dataframe[0].value
    return found.set_index("File")


def metrics(page: AppTest) -> dict[str, str]:
    return {metric.label: str(metric.value) for metric in page.metric}


class TestScene:
    def test_sample(self, home: Path) -> None:
        page = quiet(open_page("scene"))
        assert "simulated" in texts(page)
        found = metrics(page)
        assert (found["Grid"], found["Bands"]) == ("EPSG:32645", "12 of 12")
        assert found["Size, pixels of 10 m"] == "296 × 296"
        assert found["Tiles"] == "25"
        assert found["Cloud"].endswith("%")
        assert found["Memory, at most"].endswith("GB")
        roles = table(page)
        assert roles.loc["s1_desc_pre.tif", "Role"] == "Sentinel-1 descending, before"
        assert roles.loc["s1_asc_post.tif", "Pass"] == "Ascending"
        assert "tags" in roles.loc["s2.tif", "Where that comes from"]
        decisions = page.dataframe[2].value
        assert list(decisions.columns) == ["Files", "Subject", "Found", "Decided"]
        assert len(decisions) >= 5
        assert button(page, "Go on to detection")

    def test_the_day_of_the_event_decides_the_roles_at_once(self, home: Path) -> None:
        page = open_page("scene")
        assert page.date_input[0].value == date(2021, 6, 15)  # as the files' tags say
        before = table(page)
        assert before.loc["s1_asc_pre.tif", "Why"] == "4 days before the event"
        page.date_input[0].set_value(date(2021, 6, 20)).run()
        now = table(quiet(page))
        assert now.loc["s1_desc_post.tif", "Role"] == "Sentinel-1 descending, before"
        assert now.loc["s1_desc_pre.tif", "Role"] == "Left out"
        assert "another one is nearer" in now.loc["s1_desc_pre.tif", "Why"]
        inputs, _ = page.session_state["scene"]
        assert inputs.event == date(2021, 6, 20)
        assert (len(inputs.desc_pre), inputs.desc_post) == (1, ())
        assert metrics(page)["Bands"] == "10 of 12"
        assert "Missing: Sentinel-1 descending, after" in texts(page)

    def test_what_is_missing_and_what_that_means(self, home: Path) -> None:
        page = source(open_page("scene"), "Server files")
        page.multiselect[0].set_value(["s2.tif", "scl.tif"]).run()
        said = texts(quiet(page))
        assert "Missing: Sentinel-1 descending, after" in said
        assert "no figure for this combination" in said  # an unfitted bundle's card has none
        assert metrics(page)["Bands"] == "4 of 12"
        roles = page.dataframe[1].value.set_index("Role")
        assert roles.loc["Sentinel-2, after", "From event"] == "+10 days"
        assert roles.loc["Sentinel-2, after", "Covers"] == "100 %"
        assert roles.loc["Sentinel-1 ascending, after", "Date (UTC)"] == "missing"

    def test_without_a_bundle(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LANDSLIDE_MODELS", str(home / "none"))
        page = quiet(open_page("scene"))
        assert "no model bundle" in texts(page)
        assert button(page, "Go on to detection")

    def test_found_without_a_search(self, home: Path) -> None:
        page = source(open_page("scene"), "Found")
        assert "Nothing was loaded" in texts(quiet(page))

    def test_empty_server_folder(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LANDSLIDE_DATA", str(home / "nothing"))
        page = source(open_page("scene"), "Server files")
        assert "LANDSLIDE_DATA" in texts(quiet(page))

    def test_server_files_are_chosen_and_remembered(self, home: Path) -> None:
        page = source(open_page("scene"), "Server files")
        assert "s1_desc_pre.tif" in page.multiselect[0].value  # few files: all at first
        page.multiselect[0].set_value([]).run()
        assert "Choose the files" in texts(quiet(page))
        page.multiselect[0].set_value(["s2.tif"]).run()
        again = AppTest.from_file(PAGES / "scene.py", default_timeout=60)
        for key in ("kept source", "kept server files"):
            again.session_state[key] = page.session_state[key]
        again.run()
        assert quiet(again).multiselect[0].value == ["s2.tif"]

    def test_corrections_stay_while_the_files_do(self, home: Path) -> None:
        page = open_page("scene")
        files = sources.sample()
        assert files is not None
        key = sources.key_of(files)
        row = list(table(page).index).index("s1_asc_pre.tif")
        page.session_state[f"kept roles {key}"] = {str(row): LEFT_OUT}
        page.run()
        assert table(quiet(page)).loc["s1_asc_pre.tif", "Role"] == "Left out"
        assert table(page).loc["s1_asc_pre.tif", "Why"] == "chosen by you"
        assert metrics(page)["Bands"] == "10 of 12"
        page.date_input[0].set_value(date(2021, 6, 14)).run()
        assert table(quiet(page)).loc["s1_asc_pre.tif", "Role"] == "Left out"
        assert "1 corrected by you" in texts(page)
        button(page, "Undo corrections").click().run()
        assert table(quiet(page)).loc["s1_asc_pre.tif", "Role"] == "Sentinel-1 ascending, before"

    def test_no_file_has_a_role(
        self, home: Path, made: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = home / "unclear"
        folder.mkdir()
        shutil.copy(made.folder.parents[1] / "scene" / "s2.tif", folder / "truth.tif")
        monkeypatch.setenv("LANDSLIDE_DATA", str(folder))
        page = source(open_page("scene"), "Server files")
        assert table(quiet(page)).loc["truth.tif", "Role"] == "Left out"
        assert "at least one file a role" in texts(page)
        assert not page.error
        assert not [b for b in page.button if b.label == "Go on to detection"]

    def test_upload_says_what_to_do(self, home: Path) -> None:
        page = source(open_page("scene"), "Upload")
        assert "Drop Sentinel-2" in texts(quiet(page))

    def test_uploads_of_one_name_are_kept_apart(self, home: Path, made: Run) -> None:
        scene = made.folder.parents[1] / "scene"

        def sent(name: str, path: str) -> tuple[str, bytes, str]:
            return name, (scene / path).read_bytes(), "image/tiff"

        page = source(open_page("scene"), "Upload")
        files = [sent("s2.tif", "s2.tif"), sent("scl.tif", "scl.tif")]
        files += [sent("radar.tif", "s1_asc_pre.tif"), sent("radar.tif", "s1_asc_post.tif")]
        page.file_uploader[0].set_value(files).run()
        assert metrics(quiet(page))["Bands"] == "8 of 12"
        inputs, _ = page.session_state["scene"]  # roles by tags: the names say nothing
        assert [len({path.parent for path in inputs.s2}), len(inputs.s2)] == [1, 2]
        assert inputs.asc_pre[0].read_bytes() == (scene / "s1_asc_pre.tif").read_bytes()
        assert inputs.asc_post[0].read_bytes() == (scene / "s1_asc_post.tif").read_bytes()

    def test_reading_options(self, home: Path) -> None:
        page = open_page("scene")
        page.text_input[0].set_value("B02 B03,B04; B08")
        numbers = {box.label: box for box in page.number_input}
        numbers["Sentinel-2 offset"].set_value(-1000.0)
        numbers["Cloud reaches farther by (m)"].set_value(60)
        page.selectbox[0].set_value(5).run()
        quiet(page)
        inputs, _ = page.session_state["scene"]
        assert inputs.s2_bands == ("B02", "B03", "B04", "B08")
        assert inputs.s2_offset == -1000
        assert (inputs.cloud_dilation, inputs.speckle) == (60, 5)
        found = page.dataframe[2].value["Found"]
        assert any("the offset was given" in text for text in found)
        page.text_input[0].set_value("B02").run()
        said = quiet(page).error[0].value
        assert "“Sentinel-2 band names”" in said
        assert "--" not in said.replace("\\", "")

    def test_bands_without_names_can_be_named(
        self, home: Path, made: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = home / "unnamed"
        folder.mkdir()
        with rasterio.open(made.folder.parents[1] / "scene" / "s2.tif") as file:
            profile, pixels = file.profile, file.read()
        with rasterio.open(folder / "s2.tif", "w", **profile) as file:
            file.write(pixels)
        monkeypatch.setenv("LANDSLIDE_DATA", str(folder))
        page = source(open_page("scene"), "Server files")
        assert "without known names" in quiet(page).error[0].value
        button(page, "Say which band is which").click().run()
        assert button(page, "Use these").disabled

    def test_a_broken_file_is_left_out_and_says_why(
        self, home: Path, made: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = home / "broken"
        shutil.copytree(made.folder.parents[1] / "scene", folder)
        whole = (folder / "s2.tif").read_bytes()
        (folder / "s2.tif").write_bytes(whole[:2000])
        monkeypatch.setenv("LANDSLIDE_DATA", str(folder))
        page = source(open_page("scene"), "Server files")
        row = table(quiet(page)).loc["s2.tif"]
        assert row["Role"] == "Left out"
        assert "complete raster" in row["Why"]
        said = page.error[0]  # then one for scl.tif alone, which lacks the bands
        assert "s2.tif cannot be read" in said.value
        assert "copy or download the file again" in said.value
        assert str(folder) not in said.value
        page.multiselect[0].set_value(["s1_asc_pre.tif", "s1_asc_post.tif"]).run()
        assert metrics(quiet(page))["Bands"] == "4 of 12"  # the others go on
        assert not page.error

    def test_refused_files_alone_say_so_and_ask_for_others(self, home: Path) -> None:
        page = source(open_page("scene"), "Upload")
        page.file_uploader[0].set_value([("cut.tif", b"II*\0", "image/tiff")]).run()
        (said,) = quiet(page).error
        assert said.value.startswith("cut.tif cannot be read")
        assert ".uploads" not in said.value
        assert "None of these files can be used" in texts(page)
        assert "at least one file a role" not in texts(page)

    def test_a_refused_file_that_was_given_a_role_is_refused_on_reading(self, home: Path) -> None:
        page = source(open_page("scene"), "Upload")
        page.file_uploader[0].set_value([("cut.tif", b"II*\0", "image/tiff")]).run()
        (path,) = (home / ".uploads").rglob("cut.tif")
        key = sources.key_of(sources.Files({"cut.tif": path}, "upload"))
        page.session_state[f"kept roles {key}"] = {"0": "s2"}
        page.run()
        (said,) = quiet(page).error
        assert said.value.startswith("cut.tif cannot be read")
        assert ".uploads" not in said.value

    def test_the_day_of_one_scene_is_not_that_of_the_next(self, home: Path) -> None:
        page = source(open_page("scene"), "Server files")
        page.multiselect[0].set_value(["s2.tif"]).run()
        page.date_input[0].set_value(date(2021, 6, 20)).run()
        page.multiselect[0].set_value(["s2.tif", "s1_desc_post.tif"]).run()  # one more of it
        assert quiet(page).date_input[0].value == date(2021, 6, 20)
        page.multiselect[0].set_value(["s1_asc_post.tif"]).run()
        assert quiet(page).date_input[0].value == date(2021, 6, 15)  # as its own tags say
        assert page.session_state["scene"][0].event == date(2021, 6, 15)

    def test_a_day_years_away_is_doubted(self, home: Path) -> None:
        page = open_page("scene")
        assert "More than a year" not in texts(page)
        page.date_input[0].set_value(date(2019, 1, 1)).run()
        said = next(w.value for w in quiet(page).warning if "More than a year" in w.value)
        assert "2019-01-01" in said.replace("\\", "")
        assert "Correct the day of the event" in said

    def test_source_and_day_outlive_a_reload(self, home: Path) -> None:
        page = source(open_page("scene"), "Server files")
        page.multiselect[0].set_value(["s2.tif"]).run()
        assert page.query_params["source"] == "server"
        assert "event" not in page.query_params  # the files say it themselves
        page.date_input[0].set_value(date(2021, 6, 20)).run()
        assert page.query_params["event"] == "2021-06-20"
        again = quiet(open_page("scene", source="server", event="2021-06-20"))
        assert again.date_input[0].value == date(2021, 6, 20)
        assert again.multiselect[0].value
        chosen = dict(page.query_params) | {"file": ["s2.tif", "../secret.tif"]}
        assert page.query_params["file"] == "s2.tif"
        once_more = quiet(open_page("scene", **chosen))
        assert once_more.multiselect[0].value == ["s2.tif"]
        assert once_more.date_input[0].value == date(2021, 6, 20)
        assert "file" not in quiet(source(once_more, "Sample")).query_params
        again.multiselect[0].set_value([]).run()
        assert "event" not in again.query_params

    def test_corrections_and_options_outlive_a_reload_for_the_same_files(self, home: Path) -> None:
        page = open_page("scene")
        files = sources.sample()
        assert files is not None
        row = list(table(page).index).index("s1_asc_pre.tif")
        page.session_state[f"kept roles {sources.key_of(files)}"] = {str(row): LEFT_OUT}
        boxes = {box.label: box for box in page.number_input}
        boxes["Sentinel-2 offset"].set_value(-1000.0)
        boxes["Cloud reaches farther by (m)"].set_value(60)
        page.text_input[0].set_value("B02, B03,B04 B08")
        page.selectbox[0].set_value(5).run()
        asked = {name: page.query_params[name] for name in ("roles", "reading")}
        mark = sources.key_of(files)[:8]
        assert asked["roles"] == f"{mark},{row}:out"
        assert asked["reading"] == f"{mark},cloud:60,speckle:5,bands:B02 B03 B04 B08,offset:-1000"

        again = quiet(open_page("scene", **asked))
        assert again.session_state["scene"][0] == page.session_state["scene"][0]
        assert table(again).loc["s1_asc_pre.tif", "Why"] == "chosen by you"
        button(again, "Undo corrections").click().run()
        assert "roles" not in again.query_params
        assert again.query_params["reading"] == asked["reading"]
        of_others = {name: text.replace(mark, "0" * 8) for name, text in asked.items()}
        other = quiet(open_page("scene", **of_others))
        assert other.session_state["scene"][0].cloud_dilation == 0
        assert "corrected by you" not in texts(other)
        assert not {"roles", "reading"} & set(other.query_params)

    @pytest.mark.parametrize(
        "said",
        [
            *("", ",", ",,:,"),
            ",cloud:-1,speckle:4,offset:nan,9:dem",
            ",cloud:9e9,offset:x,0:what",
            ",cloud:99999999999,speckle:²,offset:1e9,²:dem,x:dem",
        ],
    )
    def test_noise_in_the_address_is_no_option(self, home: Path, said: str) -> None:
        files = sources.sample()
        assert files is not None
        noise = sources.key_of(files)[:8] + said
        page = quiet(open_page("scene", roles=noise, reading=noise))
        inputs, _ = page.session_state["scene"]
        assert (inputs.cloud_dilation, inputs.speckle, inputs.s2_offset) == (0, 0, None)
        assert "corrected by you" not in texts(page)

    @pytest.mark.parametrize(
        "event", ["2021-13-40", "1999-01-01", "2999-01-01", "20210620", "<b>", ""]
    )
    def test_nonsense_in_the_address_is_passed_over(self, home: Path, event: str) -> None:
        page = quiet(open_page("scene", source="../etc", event=event))
        assert page.segmented_control[0].value == "Sample"
        assert page.date_input[0].value == date(2021, 6, 15)
        assert page.query_params["source"] == "sample"
        assert "event" not in page.query_params

    def test_a_file_without_a_role_gives_its_own_reason(
        self, home: Path, made: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = home / "unknown"
        folder.mkdir()
        scene = made.folder.parents[1] / "scene"
        shutil.copy(scene / "s2.tif", folder)
        with rasterio.open(scene / "s1_asc_post.tif") as file:
            profile, pixels = file.profile, file.read()
        with rasterio.open(folder / "x.tif", "w", **profile) as file:
            file.write(pixels)
        monkeypatch.setenv("LANDSLIDE_DATA", str(folder))
        page = source(open_page("scene"), "Server files")
        page.date_input[0].set_value(date(2021, 6, 14)).run()
        said = next(w.value for w in quiet(page).warning if w.value.startswith("x.tif has no role"))
        assert "neither tags nor names say what it is" in said
        assert "day of the event" not in said

    def test_an_elevation_model_goes_on_to_detection_but_is_no_scene_alone(
        self, home: Path, made: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = home / "hills"
        folder.mkdir()
        scene = made.folder.parents[1] / "scene"
        shutil.copy(scene / "s2.tif", folder)
        with rasterio.open(scene / "s2.tif") as file:
            profile = {**file.profile, "count": 1, "dtype": "float32", "nodata": None}
            heights = file.read(1).astype("float32")
        with rasterio.open(folder / "dem.tif", "w", **profile) as file:
            file.write(heights, 1)
        monkeypatch.setenv("LANDSLIDE_DATA", str(folder))
        page = source(open_page("scene"), "Server files")
        inputs, _ = quiet(page).session_state["scene"]
        assert [path.name for path in inputs.dem] == ["dem.tif"]
        page.multiselect[0].set_value(["dem.tif"]).run()
        assert "a role of Sentinel-1 or Sentinel-2" in texts(quiet(page))


def test_inputs_by_role() -> None:
    given = sources.inputs_from({"s2": [Path("a")], "asc_post": [Path("b")]})
    assert given == SceneInputs(s2=(Path("a"),), asc_post=(Path("b"),))
