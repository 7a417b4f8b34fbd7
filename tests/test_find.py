"""The Find page alone: empty, searching, loading and failing; and the areas it understands."""

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import rasterio
import shapely
from shapely.affinity import translate
from small_catalogue import CORNERS, Small, small_catalogue
from streamlit.testing.v1 import AppTest

from landslide_core.catalogue.area import Area
from landslide_core.catalogue.candidates import Candidate
from landslide_core.catalogue.granules import Granule, granule_of
from landslide_core.catalogue.search import Choice
from landslide_core.errors import SceneError
from pages.parts import state
from pages.parts.find import areas, asking, finding
from pages.parts.maps import footprints

PAGES = Path(__file__).parents[1] / "pages"
EVENT = date(2024, 4, 3)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Small]:
    with small_catalogue(tmp_path_factory.mktemp("catalogue")) as small:
        yield small


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A server with a folder for scenes, no runs, and leave to ask loopback."""
    (tmp_path / "scenes").mkdir()
    monkeypatch.setenv("LANDSLIDE_DATA", str(tmp_path / "scenes"))
    monkeypatch.setenv("LANDSLIDE_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("LANDSLIDE_PRIVATE_ADDRESSES", "1")
    return tmp_path


def opened() -> AppTest:
    """The Find page in the whole app, so that it can go on to another page."""
    page = AppTest.from_file(PAGES / "navigation.py", default_timeout=60).run()
    return quiet(page.switch_page("find.py").run())


def asked(address: str, corners: str = CORNERS) -> AppTest:
    """The form filled in, not yet sent."""
    page = opened()
    page.segmented_control(key="find-way").set_value("Corners").run()
    page.text_input(key="find-corners").set_value(corners)
    page.date_input(key="find-event").set_value(EVENT)
    page.selectbox(key="find-catalogue").set_value("other").run()
    page.text_input(key="find-address").set_value(address).run()
    return quiet(page)


def searched(address: str) -> AppTest:
    page = asked(address)
    button(page, "Search").click().run()
    return quiet(page)


def button(page: AppTest, label: str) -> Any:
    return next(found for found in page.button if found.label == label)


def texts(page: AppTest) -> str:
    kinds = ("title", "info", "error", "warning", "caption", "markdown", "header")
    return "\n".join(str(e.value) for kind in kinds for e in getattr(page, kind))


def quiet(page: AppTest) -> AppTest:
    assert not page.exception, page.exception
    return page


def test_empty() -> None:
    page = opened()
    assert page.title[0].value == "Find scenes"
    assert button(page, "Search").disabled
    assert page.date_input[0].value is None
    assert "An area, the day of the event and a catalogue are needed" in texts(page)
    assert not page.dataframe
    assert not page.error


def test_a_search_lists_candidates_with_the_best_ones_chosen(world: Small) -> None:
    page = searched(world.api)
    optical, descending, ascending = (table.value for table in page.dataframe)
    assert optical["Taken (UTC)"].tolist() == ["2024-04-10 10:20", "2024-04-05 10:20"]
    assert optical["Cloud"].tolist() == [3.0, 30.0]
    assert descending["Before (UTC)"].tolist() == ["2024-03-28 05:40"] * 2
    assert descending["Days apart"].tolist() == [12.0, 24.0]
    assert descending["Orbit"].tolist() == [168, 168]
    # 601,000 to 603,000 of the area and 601,500 to 604,000 of the image: three quarters
    assert ascending["Covers"][0] == pytest.approx(75, abs=2)
    assert page.session_state["kept ranks"] == {"optical": 1, "desc": 1, "asc": 1}
    assert "covers 7" in "".join(warning.value for warning in page.warning)
    assert "5 images, of each the window of 208 × 208 pixels" in texts(page)


def test_another_candidate_or_none_is_chosen_and_loaded(world: Small, home: Path) -> None:
    page = searched(world.api)
    page.session_state["optical-1"] = {"selection": {"rows": [1], "columns": [], "cells": []}}
    page.session_state["asc-1"] = {"selection": {"rows": [], "columns": [], "cells": []}}
    quiet(page.run())
    assert "3 images" in texts(page)
    quiet(button(page, "Load into the app").click().run())
    (folder,) = (home / "scenes").iterdir()
    request = json.loads((folder / "request.json").read_text())
    assert request["files"] == {
        "s2.tif": ["hazy"],
        "scl.tif": ["hazy"],
        "s1_desc_pre.tif": ["desc-pre"],
        "s1_desc_post.tif": ["desc-post"],
    }


def test_loading_leads_to_the_scene_page(world: Small, home: Path) -> None:
    page = searched(world.api)
    page.session_state["kept source"] = "Sample"  # the Scene page was looked at before
    quiet(button(page, "Load into the app").click().run())
    (folder,) = (home / "scenes").iterdir()
    assert folder.name.startswith("50.53n-10.44e-03apr2024-")
    assert page.title[0].value == "Scene"
    assert page.segmented_control[0].value == "Found"
    assert {"EPSG:32632", "12 of 12"} <= {metric.value for metric in page.metric}
    assert page.date_input[0].value == EVENT
    inputs, name = page.session_state["scene"]
    assert (inputs.event, name) == (EVENT, folder.name)
    assert inputs.asc_post == (folder / "s1_asc_post.tif",)
    with rasterio.open(folder / "s2.tif") as file:
        assert file.descriptions == ("B02", "B03", "B04", "B08")
    again = page.switch_page("find.py").run()  # what was typed and found is still there
    assert again.text_input(key="find-corners").value == CORNERS
    assert again.date_input(key="find-event").value == EVENT
    assert len(quiet(again).dataframe) == 3


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Small]:
    """A catalogue whose files nobody has asked for: GDAL keeps in mind what it has read."""
    (tmp_path / "catalogue").mkdir()
    with small_catalogue(tmp_path / "catalogue") as small:
        yield small


def test_a_load_that_failed_goes_on(fresh: Small, home: Path) -> None:
    page = searched(fresh.api)
    fresh.files.broken.add("asc-post-vh.tif")
    quiet(button(page, "Load into the app").click().run())
    fresh.files.broken.clear()
    assert "answers 500" in page.error[0].value
    assert "load again to go on" in texts(page)
    assert "scene" not in page.session_state
    (folder,) = (home / "scenes").iterdir()
    before = {path.name: path.stat().st_mtime_ns for path in folder.glob("*.tif")}
    assert "s1_asc_pre.tif" in before
    assert "s1_asc_post.tif" not in before
    quiet(button(page, "Load into the app").click().run())
    assert not page.error
    assert page.title[0].value == "Scene"
    assert before.items() <= {p.name: p.stat().st_mtime_ns for p in folder.glob("*.tif")}.items()


def test_nothing_chosen_cannot_be_loaded(world: Small) -> None:
    page = searched(world.api)
    for kind in ("optical", "desc", "asc"):
        page.session_state[f"{kind}-1"] = {"selection": {"rows": [], "columns": [], "cells": []}}
    quiet(page.run())
    assert button(page, "Load into the app").disabled
    assert "Nothing is chosen" in texts(page)


def test_a_changed_form_says_that_the_candidates_are_older(world: Small) -> None:
    page = searched(world.api)
    assert "earlier search" not in texts(page)
    page.number_input(key="find-Days after").set_value(10).run()
    assert "those of an earlier search" in texts(quiet(page))


def test_a_catalogue_that_does_not_answer_is_one_message() -> None:
    page = asked("http://127.0.0.1:9")
    button(page, "Search").click().run()
    (error,) = quiet(page).error
    assert "does not answer" in error.value
    assert not page.dataframe


def test_nothing_found_is_said_in_the_page_s_words(world: Small) -> None:
    page = asked(world.api, "20,10,20.1,10.1")
    button(page, "Search").click().run()
    (error,) = quiet(page).error
    assert "no usable Sentinel image" in error.value
    assert "farther with “Days after”" in error.value
    assert "--" not in error.value.replace("\\", "")


def test_private_addresses_are_refused(world: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    page = asked(world.api)
    monkeypatch.delenv("LANDSLIDE_PRIVATE_ADDRESSES")
    button(page, "Search").click().run()
    assert "leads into this machine or its network" in quiet(page).error[0].value


def test_uncalibrated_radar_is_refused_before_searching(world: Small) -> None:
    page = asked(world.api)
    page.text_input(key="find-sentinel-1-rtc").set_value("sentinel-1-grd").run()
    assert "without calibration" in quiet(page).error[0].value
    assert button(page, "Search").disabled


@pytest.mark.parametrize(
    "text", ["/etc/passwd", "1,2,3", "1,2,3,nan", "a,b,c,d", "sample_data/s2.tif", "1e5,2,3,4,5"]
)
def test_corners_are_never_a_file(text: str) -> None:
    with pytest.raises(SceneError, match="is not two corners; four numbers are needed"):
        areas.area_of_corners(text)


def test_corners_that_cannot_be_are_one_message() -> None:
    page = opened()
    page.segmented_control(key="find-way").set_value("Corners").run()
    page.text_input(key="find-corners").set_value("10,50,14,54").run()
    assert "110×110 km" in quiet(page).error[0].value
    assert button(page, "Search").disabled


POLYGON = shapely.box(10.42, 50.51, 10.45, 50.53)


def test_an_uploaded_file_is_the_area() -> None:
    page = opened()
    page.segmented_control(key="find-way").set_value("File").run()
    sent = ("place.geojson", shapely.to_geojson(POLYGON).encode(), "application/geo+json")
    page.file_uploader(key="find-file").set_value(sent).run()
    assert "around 50.52° N, 10.44° E, EPSG:32632" in texts(quiet(page))


def test_a_broken_file_is_one_message_without_the_server_s_folders(home: Path) -> None:
    page = opened()
    page.segmented_control(key="find-way").set_value("File").run()
    page.file_uploader(key="find-file").set_value(("place.kml", b"<kml", "text/xml")).run()
    (error,) = quiet(page).error
    assert "cannot be read as an area" in error.value
    assert str(home) not in error.value.replace("\\", "")


def feature(shape: shapely.Polygon) -> dict[str, Any]:
    return {"type": "Feature", "properties": {}, "geometry": shapely.geometry.mapping(shape)}


def test_what_is_drawn_is_the_area(world: Small) -> None:
    page = opened()
    page.session_state["kept drawn"] = [feature(POLYGON)]
    assert "around 50.52° N, 10.44° E" in texts(quiet(page.run()))
    page.session_state["kept drawn"] = []
    assert "EPSG:" not in texts(quiet(page.run()))


@pytest.mark.parametrize("turns", [-2, -1, 0, 1])
def test_a_map_turned_round_the_earth_draws_the_same_area(turns: int) -> None:
    found = areas.area_of_drawings([feature(translate(POLYGON, 360.0 * turns))])
    assert found is not None
    assert found.shape.bounds == pytest.approx(POLYGON.bounds)


def test_a_drawing_across_the_antimeridian_stays_in_one_piece() -> None:
    for middle in (180.0, -180.0):
        found = areas.area_of_drawings([feature(shapely.box(middle - 0.1, 5, middle + 0.1, 5.1))])
        assert found is not None
        assert found.shape.bounds == pytest.approx((179.9, 5, 180.1, 5.1))


def test_several_drawings_are_one_area() -> None:
    both = [shapely.box(10, 50, 10.1, 50.1), shapely.box(10.2, 50, 10.3, 50.1)]
    found = areas.area_of_drawings([feature(shape) for shape in both])
    assert found is not None
    assert found.shape.area == pytest.approx(0.02)
    assert areas.area_of_drawings([]) is None


@pytest.mark.parametrize(
    ("point", "words"),
    [
        ((85.324, 28.206), "28.21° N, 85.32° E"),
        ((-70.5, -33.25), "33.25° S, 70.50° W"),
        ((181.0, 0.0), "0.00° N, 179.00° W"),
    ],
)
def test_places_in_words(point: tuple[float, float], words: str) -> None:
    assert areas.place(shapely.Point(point)) == words


def test_scenes_never_go_into_the_sample(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert state.scenes_folder() == home / "scenes"
    monkeypatch.delenv("LANDSLIDE_DATA")
    assert state.scenes_folder() == home / "runs" / ".uploads"
    monkeypatch.setenv("LANDSLIDE_DATA", str(home / "gone"))
    assert state.scenes_folder() == home / "runs" / ".uploads"


def candidate(west: float, name: str) -> Candidate:
    """An image of a degree by a degree."""
    corners = shapely.box(west, 16, west + 1, 17)
    record = {
        "id": name,
        "properties": {"datetime": "2024-04-10T10:20:31Z"},
        "geometry": shapely.geometry.mapping(corners),
        "assets": {b: {"href": f"https://example.org/{b}"} for b in ("B02", "B03", "B04", "B08")},
    }
    granule: Granule = granule_of(record, True)
    return Candidate((granule,), 1.0, 3.0)


def test_footprints_lie_beside_an_area_across_the_antimeridian() -> None:
    area = Area(shapely.box(179.9, 16.4, 180.1, 16.6))
    look = footprints.Look(area, Choice(candidate(-180.5, "a"), None, None), True, True, False)
    drawn = footprints._marks(look).get_bounds()
    assert drawn[0][1] == pytest.approx(179.5)
    assert drawn[1][1] == pytest.approx(180.5)


def test_kinds_of_footprints_differ_by_more_than_colour() -> None:
    lines = footprints.LINES.values()
    for told_apart in ({line.dashes for line in lines}, {line.stroke for line in lines}):
        assert len(told_apart) == len(lines)


def test_progress_and_messages_speak_plain_words() -> None:
    assert finding._file_words("s1_desc_pre.tif") == "Sentinel-1 descending, before"
    assert finding._file_words("s2.tif") == "Sentinel-2, after"
    assert finding._file_words("scl.tif") == "Cloud classes"
    assert asking.in_page_words("Check --catalogue.") == "Check “Catalogue”."
