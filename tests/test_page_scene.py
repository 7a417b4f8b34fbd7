"""The Scene page: empty, loaded and failing; roles and uploads behind it."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest
import rasterio
from paging import button, open_page, quiet, texts

from landslide_core.folder import Run
from landslide_core.readers.given import SceneInputs
from pages.parts import sources, uploads


class TestScene:
    def test_sample(self, home: Path) -> None:
        page = quiet(open_page("scene"))
        assert "simulated" in texts(page)
        assert [m.value for m in page.metric[2:]] == ["EPSG:32645, 10 m", "12 of 12"]
        assert page.metric[0].value.endswith(" px")
        found = page.dataframe[0].value
        assert list(found.columns) == ["Files", "Subject", "Found", "Decided"]
        assert len(found) >= 5
        page.segmented_control[1].set_value("Ascending radar").run()
        assert "Change in VH" in texts(quiet(page))

    def test_empty_server_folder(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LANDSLIDE_DATA", str(home / "nothing"))
        page = open_page("scene")
        page.segmented_control[0].set_value("Server files").run()
        assert "LANDSLIDE_DATA" in texts(quiet(page))

    def test_roles_are_guessed_and_can_be_taken_away(self, home: Path) -> None:
        page = open_page("scene")
        page.segmented_control[0].set_value("Server files").run()
        assert page.multiselect[0].value == ["s2.tif", "scl.tif"]
        for box in page.multiselect[1:]:
            box.set_value([])
        page.run()
        assert page.metric[3].value == "4 of 12"
        assert "Missing" in texts(quiet(page))
        page.multiselect[0].set_value([]).run()
        assert "at least one file a role" in texts(quiet(page))

    def test_upload_says_what_to_do(self, home: Path) -> None:
        page = open_page("scene")
        page.segmented_control[0].set_value("Upload").run()
        assert "Drop the Sentinel-2 file" in texts(quiet(page))

    def test_uploads_of_one_name_are_kept_apart(self, home: Path, made: Run) -> None:
        def sent(name: str, path: str) -> tuple[str, bytes, str]:
            return name, (made.folder.parents[1] / "scene" / path).read_bytes(), "image/tiff"

        page = open_page("scene")
        page.segmented_control[0].set_value("Upload").run()
        files = [sent("s2.tif", "s2.tif"), sent("scl.tif", "scl.tif")]
        files += [sent("radar.tif", "s1_asc_pre.tif"), sent("radar.tif", "s1_asc_post.tif")]
        page.file_uploader[0].set_value(files).run()
        quiet(page)
        assert page.multiselect[0].value == ["s2.tif", "scl.tif"]
        boxes = {box.label: box for box in page.multiselect}
        assert "radar.tif (2)" in boxes["Sentinel-1 ascending, before"].options
        boxes["Sentinel-1 ascending, before"].set_value(["radar.tif (1)"])
        boxes["Sentinel-1 ascending, after"].set_value(["radar.tif (2)"]).run()
        assert page.metric[3].value == "8 of 12"
        inputs, _ = page.session_state["scene"]
        assert [len({path.parent for path in inputs.s2}), len(inputs.s2)] == [1, 2]
        scene = made.folder.parents[1] / "scene"
        assert inputs.asc_pre[0].read_bytes() == (scene / "s1_asc_pre.tif").read_bytes()
        assert inputs.asc_post[0].read_bytes() == (scene / "s1_asc_post.tif").read_bytes()

    def test_reading_options(self, home: Path) -> None:
        page = open_page("scene")
        page.text_input[0].set_value("B02 B03,B04; B08")
        numbers = {box.label: box for box in page.number_input}
        numbers["Sentinel-2 offset (--s2-offset)"].set_value(-1000.0)
        numbers["Cloud reaches farther by (m)"].set_value(60)
        page.date_input[0].set_value(date(2015, 4, 25))
        page.selectbox[0].set_value(5).run()
        quiet(page)
        inputs, _ = page.session_state["scene"]
        assert inputs.s2_bands == ("B02", "B03", "B04", "B08")
        assert inputs.s2_offset == -1000
        assert inputs.event == date(2015, 4, 25)
        assert (inputs.cloud_dilation, inputs.speckle) == (60, 5)
        found = page.dataframe[0].value["Found"]
        assert any("the offset was given" in text for text in found)
        page.text_input[0].set_value("B02").run()
        assert "--s2-bands" in quiet(page).error[0].value

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
        page = open_page("scene")
        page.segmented_control[0].set_value("Server files").run()
        assert "without known names" in quiet(page).error[0].value
        button(page, "Say which band is which").click().run()
        assert button(page, "Use these").disabled

    def test_broken_file(self, home: Path, made: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        folder = home / "broken"
        folder.mkdir()
        whole = (made.folder.parents[1] / "scene" / "s2.tif").read_bytes()
        (folder / "s2.tif").write_bytes(whole[:2000])
        monkeypatch.setenv("LANDSLIDE_DATA", str(folder))
        page = open_page("scene")
        page.segmented_control[0].set_value("Server files").run()
        quiet(page)
        assert len(page.error) == 1
        assert "s2.tif" in page.error[0].value


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("s2.tif", "s2"),
        ("scl.tif", "s2"),
        ("S2L2A/637U.tif", "s2"),
        ("s1_desc_pre.tif", "desc_pre"),
        ("S1-ASC-post_VV.tiff", "asc_post"),
        ("after-descending.tif", "desc_post"),
        ("S1RTC/637U.tif", None),
        ("ascending.tif", None),
        ("truth_mask.tif", None),
    ],
)
def test_roles_in_names(name: str, role: str | None) -> None:
    assert sources.guess_role(name) == role


def test_files_of_several_places_are_left_to_the_user() -> None:
    files = ["here/s2.tif", "there/s2.tif"]
    assert sources.guess_roles(files)["s2"] == []
    assert sources.guess_roles(files[:1])["s2"] == files[:1]


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("s2.tif", "s2.tif"),
        ("../../etc/passwd", "passwd"),
        ("C:\\a b\\ü.tif", "_.tif"),
        (".hidden", "hidden"),
        ("..", "file"),
        ("x" * 300 + ".tif", "x" * 116 + ".tif"),
    ],
)
def test_uploaded_names_are_made_safe(name: str, safe: str) -> None:
    assert uploads.safe_name(name) == safe


@dataclass
class Sent:
    """An uploaded file."""

    name: str
    file_id: str
    held: bytes

    def getbuffer(self) -> memoryview:
        return memoryview(self.held)


def test_a_corrected_file_of_the_same_size_counts(tmp_path: Path) -> None:
    first = uploads.keep([Sent("a.tif", "1", b"old")], tmp_path)
    second = uploads.keep([Sent("a.tif", "2", b"new")], tmp_path)
    assert [p.read_bytes() for p in (first["a.tif"], second["a.tif"])] == [b"old", b"new"]


def test_bands_of_one_role_come_to_lie_together(tmp_path: Path) -> None:
    names = ("B04.tif", "B08.tif", "B04.tif", "B08.tif", "SCL.tif")
    sent = [Sent(name, f"upload-{i}", b"%d" % i) for i, name in enumerate(names)]
    paths = list(uploads.keep(sent, tmp_path).values())
    placed = uploads.side_by_side(paths, tmp_path)
    products = {path.parent for path in placed}
    assert len(products) == 2
    assert sorted(path.read_bytes() for path in placed) == [b"0", b"1", b"2", b"3", b"4"]
    assert placed == uploads.side_by_side(paths, tmp_path)  # and stay where they are
    assert uploads.side_by_side(paths[:1], tmp_path) == paths[:1]


def test_inputs_by_role() -> None:
    given = sources.inputs_from({"s2": [Path("a")], "asc_post": [Path("b")]})
    assert given == SceneInputs(s2=(Path("a"),), asc_post=(Path("b"),))
