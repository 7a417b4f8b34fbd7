"""What files are recognised as, and the roles proposed for them: tags, names, dates, places."""

import tarfile
from dataclasses import replace
from datetime import date, datetime
from importlib import metadata
from pathlib import Path

import pytest
import rasterio
from affine import Affine
from conftest import scene_numbers, write_radar, write_raster, write_scene_files
from shapely import box

from landslide_core.readers.recognise import Recognised, recognise
from landslide_core.readers.roles import LEFT_OUT, UNKNOWN, event_of, propose

SHARED = Path(__file__).resolve().parents[2] / "shared/data/scenes"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason=f"{SHARED} is not on this machine")
HERE, THERE = box(84, 27, 84.1, 27.1), box(10, 50, 10.1, 50.1)
EVENT = date(2021, 6, 15)


def tagged(path: Path, **tags: str) -> Path:
    with rasterio.open(path, "r+") as file:
        file.update_tags(**tags)
    return path


def radar(day: str | None, orbit_pass: str = "desc", **more: object) -> Recognised:
    when = date.fromisoformat(day) if day else None
    one = Recognised(Path(f"{day}.tif"), "S1", "GRD", ("VV", "VH"), orbit_pass, when, outline=HERE)
    return replace(one, **more)


def optical(day: str | None, **more: object) -> Recognised:
    usual = {"sensor": "S2", "level": "L2A", "bands": ("B02", "B03", "B04", "B08")}
    return radar(day, **{**usual, "orbit_pass": None, **more})


def roles(found: list[Recognised], event: date | None = EVENT) -> list[str]:
    return [proposal.role for proposal in propose(found, event)]


class TestOneFile:
    def test_tags_say_pass_and_day_and_bands_the_sensor(self, tmp_path: Path) -> None:
        path = write_radar(tmp_path / "image.tif", scene_numbers((64, 64)), "desc_post")
        tagged(path, ORBIT_PASS="ASCENDING", ACQUISITION_DATE="2021-06-23", EVENT_DATE="2021-06-15")
        found = recognise(path)
        assert (found.sensor, found.bands, found.orbit_pass) == ("S1", ("VV", "VH"), "asc")
        assert (found.day, found.event) == (date(2021, 6, 23), EVENT)
        assert "date from the file's tags" in found.evidence
        west, south, east, north = found.outline.bounds
        assert west == pytest.approx(86.99999, abs=0.01)  # the zone's middle: 500,000 m east
        assert 0 < north - south < 0.01
        assert 0 < east - west < 0.01

    def test_tags_count_more_than_the_name(self, tmp_path: Path) -> None:
        path = write_radar(tmp_path / "s1_desc_pre.tif", scene_numbers((64, 64)), "desc_pre")
        tagged(path, ORBIT_PASS="ASCENDING", ACQUISITION_DATE="2021-06-23")
        found = recognise(path)
        assert (found.orbit_pass, found.said) == ("asc", "pre")
        assert roles([found]) == ["asc_post"]

    def test_the_product_s_own_name(self, tmp_path: Path) -> None:
        name = "S1A_IW_20200607T010800_DVP_RTC10_G_gpuned_D457_VV.tif"
        pixels = scene_numbers((64, 64))[..., 4:5].transpose(2, 0, 1).astype("float32")
        found = recognise(write_raster(tmp_path / name, pixels))
        assert (found.sensor, found.level, found.bands) == ("S1", "RTC", ("VV",))
        assert (found.day, found.orbit_pass) == (date(2020, 6, 7), "desc")  # by the sun: 6:48 there

    def test_a_word_of_the_shown_name_says_elevation(self, tmp_path: Path) -> None:
        heights = scene_numbers((64, 64))[None, ..., 0].astype("float32")
        path = write_raster(tmp_path / "tile.tif", heights)
        assert recognise(path).sensor is None
        assert recognise(path, "DEM/tile.tif").sensor == "DEM"

    @pytest.mark.parametrize(
        ("name", "sensor"), [("truth_mask.tif", "result"), ("slides.geojson", "vector")]
    )
    def test_what_is_no_input_is_not_opened(self, tmp_path: Path, name: str, sensor: str) -> None:
        assert recognise(tmp_path / name).sensor == sensor  # nothing is there

    def test_a_broken_file_says_why(self, tmp_path: Path) -> None:
        path = tmp_path / "s1_asc_pre.tif"
        path.write_bytes(b"II*\0broken")
        found = recognise(path)
        assert (found.sensor, found.orbit_pass) == ("S1", "asc")
        assert "cannot be read" in found.problem
        assert roles([found]) == [LEFT_OUT]

    def test_a_folder_that_is_not_there(self, tmp_path: Path) -> None:
        assert "is not there" in recognise(tmp_path / "gone").problem

    @pytest.mark.parametrize(
        ("name", "said"),
        [
            ("s2.tif", ("S2", None, None)),
            ("scl.tif", ("S2", None, None)),
            ("S2L2A/637U.tif", ("S2", None, None)),
            ("s1_desc_pre.tif", ("S1", "desc", "pre")),
            ("S1-ASC-post_VV.tiff", ("S1", "asc", "post")),
            ("after-descending.tif", ("S1", "desc", "post")),
            ("S1RTC/637U.tif", ("S1", None, None)),
            ("truth_mask.tif", ("result", None, None)),
        ],
    )
    def test_what_a_name_alone_says(
        self, tmp_path: Path, name: str, said: tuple[str, str | None, str | None]
    ) -> None:
        found = recognise(tmp_path / "gone.tif", name)  # nothing else can speak
        assert (found.sensor, found.orbit_pass, found.said) == said


class TestRoles:
    def test_the_small_scene_by_its_names_alone(self, tmp_path: Path) -> None:
        inputs = write_scene_files(tmp_path, scene_numbers((64, 64)))
        wanted = ["s2", "desc_pre", "desc_post", "asc_pre", "asc_post"]
        found = [recognise(Path(inputs.given(role)[0])) for role in wanted]
        assert roles(found, None) == wanted

    def test_the_nearest_dates_win(self) -> None:
        days = ("2021-05-26", "2021-06-07", "2021-06-19", "2021-07-01")
        found = [radar(day) for day in days]
        assert roles(found) == [LEFT_OUT, "desc_pre", "desc_post", LEFT_OUT]
        reasons = [proposal.reason for proposal in propose(found, EVENT)]
        assert reasons[0] == "20 days before the event; another one is nearer"
        assert reasons[1] == "8 days before the event"
        assert roles(found, date(2021, 6, 30))[2:] == ["desc_pre", "desc_post"]

    def test_one_relative_orbit_before_and_after(self) -> None:
        days = {"2021-06-13": 121, "2021-06-07": 19, "2021-06-19": 19}
        found = [radar(day, orbit=orbit) for day, orbit in days.items()]
        assert roles(found) == [LEFT_OUT, "desc_pre", "desc_post"]
        assert "another relative orbit" in propose(found, EVENT)[0].reason

    def test_passes_are_apart(self) -> None:
        found = [radar("2021-06-07"), radar("2021-06-10", "asc"), radar("2021-06-22", "asc")]
        assert roles(found) == ["desc_pre", "asc_pre", "asc_post"]

    def test_slices_of_one_pass_stay_together_across_midnight(self) -> None:
        late = at_time("2021-06-18T23:59:50")
        early = at_time("2021-06-19T00:00:15")
        assert roles([late, early]) == ["desc_post", "desc_post"]

    def test_the_event_s_own_day_is_taken_only_where_nothing_is_surer(self) -> None:
        same, later = radar("2021-06-15"), radar("2021-06-27")
        assert roles([same, later]) == [LEFT_OUT, "desc_post"]
        assert roles([same]) == ["desc_post"]
        assert "may be from before" in propose([same], EVENT)[0].reason

    def test_without_the_event_two_dates_are_clear_and_three_are_not(self) -> None:
        two = [radar("2021-06-19"), radar("2021-06-07")]
        assert roles(two, None) == ["desc_post", "desc_pre"]
        assert roles([*two, radar("2021-07-01")], None) == [UNKNOWN] * 3
        assert roles(two[:1], None) == [UNKNOWN]

    def test_an_unknown_pass_is_left_to_the_user(self) -> None:
        assert roles([radar("2021-06-19", orbit_pass=None)]) == [UNKNOWN]

    def test_optical_is_from_after_the_event(self) -> None:
        days = ("2021-06-05", "2021-06-25", "2021-07-05")
        found = [optical(day) for day in days]
        assert roles(found) == [LEFT_OUT, "s2", LEFT_OUT]
        assert roles(found[1:2], None) == ["s2"]
        layer = optical(None, bands=("SCL",))
        assert roles([*found, layer])[3] == "s2"

    def test_level_2a_before_1c_and_no_band_that_does_not_count(self) -> None:
        found = [optical("2021-06-25", level="L1C"), optical("2021-06-25")]
        assert roles(found) == [LEFT_OUT, "s2"]
        assert roles([optical("2021-06-25", bands=("B11",))]) == [LEFT_OUT]
        assert roles(found[:1]) == ["s2"]

    def test_what_lies_elsewhere_is_left_out(self) -> None:
        found = [radar("2021-06-07"), optical("2021-06-25"), radar("2021-06-19", outline=THERE)]
        assert roles(found) == ["desc_pre", "s2", LEFT_OUT]
        assert roles([found[0], found[2]]) == [UNKNOWN, UNKNOWN]  # which place is meant?

    def test_the_files_may_agree_on_an_event(self) -> None:
        one = radar("2021-06-07", event=EVENT)
        assert event_of([one, radar("2021-06-19")]) == EVENT
        assert event_of([one, radar("2021-06-19", event=date(2021, 6, 1))]) is None


def at_time(when: str) -> Recognised:
    return radar(when[:10], time=datetime.fromisoformat(f"{when}+00:00"))


@needs_shared
class TestRealFiles:
    def test_products_with_their_documents(self) -> None:
        folder = SHARED / "ssl4eo-s12-0000200"
        found = [recognise(path) for path in sorted(folder.glob("s1/*/*"))]
        assert [(f.orbit_pass, f.orbit, f.day) for f in found] == [
            ("desc", 107, date(2020, 6, 7)),
            ("asc", 173, date(2020, 9, 3)),
        ]
        (first, _) = [recognise(path) for path in sorted(folder.glob("s2a/*/*"))]
        assert (first.level, first.tile, first.cloud) == (
            "L2A",
            "43RCP",
            pytest.approx(4.18, abs=0.01),
        )

    def test_a_product_without_its_measurement(self) -> None:
        (path,) = SHARED.glob("safe/S1A*.zip")
        found = recognise(path)
        assert (found.level, found.orbit_pass, found.orbit) == ("GRD", "asc", 45)
        assert found.outline.contains(box(-3, 7, -2.9, 7.1))
        assert roles([found]) == [LEFT_OUT]
        assert "no measurement" in propose([found])[0].reason

    def test_ten_dates_of_one_pass(self) -> None:
        found = [recognise(path) for path in sorted(SHARED.glob("opera*/*/*.tif"))]
        given = roles(found, date(2024, 3, 1))
        assert (given.count("asc_pre"), given.count("asc_post")) == (1, 1)
        assert found[given.index("asc_pre")].day == date(2024, 2, 28)
        assert found[given.index("asc_post")].day == date(2024, 3, 11)


def test_bigearthnet_pairs(tmp_path: Path) -> None:
    """The wheel's six pairs: sensor, day and pass of every folder; a place each."""
    try:
        wheel = metadata.distribution("bigearthnet-common")
    except metadata.PackageNotFoundError:
        pytest.skip("the wheel bigearthnet-common is not installed: make installs it")
    for name in ("S1", "S2"):
        packed = wheel.locate_file(f"bigearthnet_common/BigEarthNet-{name}-Example.tar.bz2")
        with tarfile.open(str(packed)) as archive:
            archive.extractall(tmp_path, filter="data")
    for folder in sorted(tmp_path.glob("*/S*")):
        found = recognise(folder)
        assert found.sensor == folder.name[:2]
        assert found.day is not None
        assert f"{found.day:%Y%m%d}" in folder.name
        if found.sensor == "S1":
            hour = int(folder.name.split("T")[1][:2])
            assert found.orbit_pass == ("asc" if hour > 12 else "desc")  # mornings descend there
            assert set(found.bands) == {"VV", "VH"}
        else:
            assert {"B02", "B03", "B04", "B08"} <= set(found.bands)


def test_across_the_date_line_an_outline_runs_on(tmp_path: Path) -> None:
    pixels = scene_numbers((64, 64))[..., 4:6].transpose(2, 0, 1).astype("float32")
    at = Affine(0.0001, 0, 179.997, 0, -0.0001, -17)
    found = recognise(write_raster(tmp_path / "s1.tif", pixels, ("VV", "VH"), at, "EPSG:4326"))
    west, _, east, _ = found.outline.bounds
    assert (west, east) == (pytest.approx(179.997), pytest.approx(180.0034))
