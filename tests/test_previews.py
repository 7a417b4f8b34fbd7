"""Ways to look at a scene: which pictures, how stretched, which pairs, and the panel itself."""

import io
import json
from base64 import b64decode
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox
from paging import button, quiet, texts
from PIL import Image
from streamlit.testing.v1 import AppTest
from tiny import write_tiny_scene

from landslide_core import render
from landslide_core.bands import BAND_NAMES, INDEX
from landslide_core.errors import UnreadableRaster
from landslide_core.layers import LAYERS, of_scene
from landslide_core.readers.given import SceneInputs
from landslide_core.scene import Decision, Scene
from pages.parts import cached
from pages.parts.look import cached_looks, compare, gallery, stretch

PICTURES = "image"  # as AppTest names them
PASS = ("pre", "post", "change-vv", "change-vh")
ALL = [layer.name for layer in gallery.in_order(of_scene(BAND_NAMES, has_cloud=True))]


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> SceneInputs:
    """A small simulated scene."""
    return write_tiny_scene(tmp_path_factory.mktemp("looked") / "scene")


def overview(**bands: list[float]) -> render.Overview:
    """A picture of one row; bands that are not named have no data."""
    pixels = np.full((12, 1, len(next(iter(bands.values())))), np.nan, np.float32)
    for name, values in bands.items():
        pixels[INDEX[name], 0] = values
    box = GeoBox((1, pixels.shape[2]), Affine(10, 0, 5e5, 0, -10, 3e6), "EPSG:32645")
    pixels.flags.writeable = False
    return render.Overview(pixels, None, box)


def test_pictures_come_sensor_by_sensor_and_the_earlier_first() -> None:
    assert [
        *("true-colour", "false-colour", "ndvi", "cloud"),
        *(f"desc-{time}" for time in PASS),
        *(f"asc-{time}" for time in PASS),
    ] == ALL


def test_pairs_worth_comparing() -> None:
    assert compare.presets(ALL) == {
        "Descending before | after": ("desc-pre", "desc-post"),
        "Ascending before | after": ("asc-pre", "asc-post"),
        "True | false colour": ("true-colour", "false-colour"),
        "Optical | radar change": ("true-colour", "desc-change-vv"),
        "Change by pass": ("desc-change-vv", "asc-change-vv"),
    }
    one = compare.presets(["asc-pre-vh", "asc-post-vh", "ndvi", "asc-change-vh"])
    assert one == {
        "Ascending before | after": ("asc-pre-vh", "asc-post-vh"),
        "Optical | radar change": ("ndvi", "asc-change-vh"),
    }
    assert compare.presets(["ndvi", "asc-post"]) == {}


def test_a_clip_is_of_both_sides_together() -> None:
    small = overview(desc_vv_pre=[-20, -18, np.nan], desc_vv_post=[-2, 0, np.nan])
    before, after = LAYERS["desc-pre"], LAYERS["desc-post"]
    assert stretch.group(before) == stretch.group(after) == "radar"
    assert stretch.clipped([before, after], small, 0) == (-20, 0)
    assert stretch.clipped([before], small, 0) == (-20, -18)
    # Of −20, −18, −2 and 0 the 5 % quantile lies 0.15 of the way to the second.
    assert stretch.clipped([before, after], small, 5) == pytest.approx((-19.7, -0.3))


def test_no_change_stays_in_the_middle() -> None:
    small = overview(asc_vh_pre=[-10, -10, -10], asc_vh_post=[-18, -10, -8])
    assert stretch.clipped([LAYERS["asc-change-vh"]], small, 0) == (-8, 8)


def test_what_cannot_be_clipped_keeps_its_limits() -> None:
    flat = overview(nir=[1000, 1000], red=[1000, 1000])
    assert stretch.clipped([LAYERS["ndvi"]], flat, 2) is None
    assert stretch.clipped([LAYERS["desc-pre"]], flat, 2) is None


def test_vv_and_vh_are_not_stretched_alike() -> None:
    names = ("desc-pre-vv", "desc-pre-vh", "true-colour", "false-colour", "desc-change-vh")
    groups = [stretch.group(LAYERS[name]) for name in names]
    assert groups == ["vv", "vh", "true-colour", "false-colour", "change"]


def test_dates_of_a_picture(given: SceneInputs) -> None:
    scene = cached.scene(given)
    said = [
        Decision("desc_pre", "acquisition", "", "2021-06-07, descending"),
        Decision("desc_post", "acquisition", "", "2021-06-19 00:10 UTC, S1A, descending"),
        Decision("desc_post", "acquisition", "", "2021-06-20, descending"),
        Decision("desc_post", "VV", "", "band 1"),
    ]
    dated = replace(scene, decisions=tuple(said))
    assert gallery.dates(dated, LAYERS["desc-pre"]) == "2021-06-07"
    change = gallery.dates(dated, LAYERS["desc-change-vv"])
    assert change == "2021-06-07 → 2021-06-19 00:10 UTC, 2021-06-20"
    assert gallery.dates(dated, LAYERS["asc-change-vv"]) == ""
    assert gallery.dates(dated, LAYERS["ndvi"]) == ""


def drawn(inputs: SceneInputs, name: str, **how: Any) -> np.ndarray:
    found = cached_looks.look(inputs, LAYERS[name], **how)
    return np.asarray(Image.open(io.BytesIO(found)).convert("RGBA")).astype(int)


def test_cloud_lies_over_the_true_colours(given: SceneInputs) -> None:
    cloud = cached.overview(given).cloud
    assert cloud is not None
    assert cloud.any()
    away = np.abs(drawn(given, "cloud") - drawn(given, "true-colour"))[..., :3].sum(axis=-1)
    assert away[cloud].mean() > 20 * away[~cloud].mean()


def test_limits_that_were_moved_are_painted(given: SceneInputs) -> None:
    small = cached.overview(given)
    wanted = render.colourise(render.change(small.pixels, "desc", "vv"), (-2, 2), "orange-blue")
    seen = drawn(given, "desc-change-vv", moved=(-2.0, 2.0))
    usual = drawn(given, "desc-change-vv")
    away = [np.abs(found - wanted)[..., :3].mean() for found in (seen, usual)]
    assert away[0] == 0  # speckle's hues are kept
    assert away[1] > 10


def page_of(inputs: SceneInputs) -> AppTest:
    """The panel alone."""

    def script() -> None:
        import streamlit as st

        from pages.parts import cached
        from pages.parts.look import previews

        inputs = st.session_state["inputs"]
        previews.panel(inputs, cached.scene(inputs), "test")

    page = AppTest.from_function(script, default_timeout=120)
    page.session_state["inputs"] = inputs
    return quiet(page.run())


def compared(page: AppTest) -> dict[str, Any]:
    """What the script in the browser was told."""
    (found,) = page.get("bidi_component")
    told: dict[str, Any] = json.loads(found.proto.json)
    return told


def choose(page: AppTest, label: str, value: str) -> AppTest:
    box = next(one for one in page.segmented_control if one.label.startswith(label))
    box.set_value(value)
    return quiet(page.run())


class TestPanel:
    def test_before_and_after_of_the_first_pass_come_first(self, given: SceneInputs) -> None:
        told = compared(page_of(given))
        assert told["mode"] == "swipe"
        assert [told[side]["label"] for side in ("left", "right")] == [
            "Descending radar, before",
            "Descending radar, after",
        ]
        assert told["left"]["when"] < told["right"]["when"]
        assert told["left"]["pictures"][0]["url"].startswith("data:image/webp;base64,")
        assert told["left"]["pictures"] != told["right"]["pictures"]
        script = told["leaflet"]["js"]  # without routes it comes along
        assert b"Leaflet" in b64decode(script.removeprefix("data:text/javascript;base64,"))
        (south, west), (north, east) = told["bounds"]
        assert 0 < north - south < 0.1
        assert 0 < east - west < 0.1

    def test_pairs_and_sides(self, given: SceneInputs) -> None:
        page = page_of(given)
        button(page, "Optical | radar change").click().run()
        assert [box.value for box in page.selectbox] == ["true-colour", "desc-change-vv"]
        button(page, "Exchange").click().run()
        assert compared(quiet(page))["left"]["label"] == "Descending change, VV"
        choose(page, "Look", "Gallery")
        choose(page, "Look", "Side by side")
        told = compared(page)
        assert told["mode"] == "side"
        assert told["right"]["label"] == "True colour"

    def test_one_stretch_for_two_of_a_kind(self, given: SceneInputs) -> None:
        page = page_of(given)
        assert "same stretch" in texts(page)
        before = compared(page)["left"]["pictures"]
        choose(page, "Stretch: Radar", "Fixed limits")
        assert page.slider[0].value == (-22.0, 0.0)
        page.slider[0].set_value((-30.0, 5.0)).run()
        assert "From −30.00 to 5.00 VV in dB" in texts(quiet(page))
        assert compared(page)["left"]["pictures"] != before
        button(page, "Back to usual").click().run()
        assert compared(quiet(page))["left"]["pictures"] == before

    def test_two_kinds_have_two_stretches(self, given: SceneInputs) -> None:
        page = page_of(given)
        button(page, "Optical | radar change").click().run()
        labels = [box.label for box in quiet(page).segmented_control]
        assert labels == ["Look", "Stretch: True colour", "Stretch: Change"]
        assert "same stretch" not in texts(page)
        right = compared(page)["right"]["pictures"]
        choose(page, "Stretch: True colour", "Percent clip")
        assert compared(page)["right"]["pictures"] == right

    def test_gallery(self, given: SceneInputs) -> None:
        page = choose(page_of(given), "Look", "Gallery")
        assert len(page.get(PICTURES)) == len(ALL)
        assert "Descending change, VH" in texts(page)
        assert "Not shown" not in texts(page)

    def test_missing_bands_are_told(self, given: SceneInputs) -> None:
        page = page_of(SceneInputs(asc_post=given.asc_post, s2=given.s2[:1]))
        choose(page, "Look", "Gallery")
        assert len(page.get(PICTURES)) == 4
        assert "descending radar, before" in texts(page)
        assert "cloud" in texts(page)

    def test_files_that_are_gone(self, given: SceneInputs, monkeypatch: pytest.MonkeyPatch) -> None:
        def damaged(self: Scene, window: object) -> None:
            raise UnreadableRaster("s2.tif does not read; a whole file is needed. Copy it.")

        monkeypatch.setattr(Scene, "read", damaged)
        page = page_of(replace(given, cloud_dilation=20))
        assert "does not read" in page.error[0].value
