"""Swipe and side by side in a real browser: what the divider shows, and two maps in step."""

import io
from collections.abc import Iterator

import numpy as np
import pytest
from browsing import CHROMIUM, MISSING, ROOT, WAIT, Server
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect
from tiny import write_tiny_scene

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=MISSING)
expect.set_options(timeout=WAIT)
SCRIPT = """
from pathlib import Path
from landslide_core.readers.given import SceneInputs
from pages.parts import cached
from pages.parts.look import previews
here = Path(__file__).parent / "scene"
inputs = SceneInputs(s2=(here / "s2.tif", here / "scl.tif"), desc_pre=(here / "s1_desc_pre.tif",))
previews.panel(inputs, cached.scene(inputs), "test")
"""
APP = """
import streamlit as st
from pages.parts.routes import routes
app = st.App("look.py", routes=routes(st.get_option("server.baseUrlPath")))
"""


@pytest.fixture(scope="module", params=["app.py", "look.py"])
def address(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The panel alone under a base path, with the app's routes and without."""
    home = tmp_path_factory.mktemp("swipe")
    write_tiny_scene(home / "scene", size=192)
    (home / "look.py").write_text(SCRIPT)
    (home / "app.py").write_text(APP)
    server = Server(home, "slides", str(home / request.param), PYTHONPATH=str(ROOT))
    yield server.address
    server.stop()


@pytest.fixture
def page(address: str, browser: Browser) -> Iterator[Page]:
    """The page, once true and false colour are on the map and at rest."""
    context = browser.new_context(viewport={"width": 1280, "height": 1100})
    opened = context.new_page()
    opened.set_default_timeout(WAIT)
    opened.goto(f"{address}/")
    opened.get_by_role("button", name="True | false colour").click()
    yield opened
    context.close()


def at_rest(page: Page) -> Locator:
    """The map with all its pictures, in their final form."""
    look = page.locator(".look")
    if page.get_by_role("button", name="True | false colour").is_visible():
        expect(page.get_by_text("small picture")).to_have_count(0)
    expect(look.locator(".badge.waiting")).to_have_count(0)
    expect(look.locator(".leaflet-map-pane img").first).to_be_visible()
    page.wait_for_timeout(600)  # pictures fade in
    return look


def pixels(look: Locator) -> np.ndarray:
    """The map as seen, (h, w, 3)."""
    return np.asarray(Image.open(io.BytesIO(look.screenshot())).convert("RGB")).astype(int)


def redness(seen: np.ndarray, start: float, end: float) -> float:
    """Red over green between two shares of the width, in the scene's middle."""
    height, width = seen.shape[:2]
    part = seen[height // 3 : 2 * height // 3, round(start * width) : round(end * width)]
    return float(part[..., 0].mean() - part[..., 1].mean())


def test_the_divider_by_keyboard_and_by_mouse(page: Page) -> None:
    look = at_rest(page)
    expect(look.locator(".badge.left")).to_contain_text("True colour")
    expect(look.locator(".badge.right")).to_contain_text("False colour")
    divider = page.get_by_role("slider", name="Divider between True colour and False colour")
    expect(divider).to_have_attribute("aria-valuenow", "50")
    seen = pixels(look)
    assert redness(seen, 0.38, 0.46) < 0 < redness(seen, 0.54, 0.62)  # plants glow on the right
    divider.press("Home")
    expect(divider).to_have_attribute("aria-valuenow", "0")
    assert redness(pixels(look), 0.38, 0.46) > 0
    divider.press("End")
    divider.press("ArrowLeft")
    expect(divider).to_have_attribute("aria-valuenow", "98")
    assert redness(pixels(look), 0.54, 0.62) < 0
    box = look.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 0.98 * box["width"], box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + box["height"] / 2, steps=4)
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + box["height"] / 2, steps=4)
    page.mouse.up()
    expect(divider).to_have_attribute("aria-valuenow", "50")
    page.mouse.move(5, 5)
    seen = pixels(look)
    assert redness(seen, 0.38, 0.46) < 0 < redness(seen, 0.54, 0.62)
    page.emulate_media(color_scheme="dark")
    white = "rgb(255, 255, 255)"
    expect(look.locator(".leaflet-control-zoom-in")).not_to_have_css("background-color", white)


@pytest.mark.parametrize("address", ["app.py"], indirect=True)
def test_two_maps_move_together_and_no_script_runs(page: Page) -> None:
    at_rest(page)
    page.get_by_role("radio", name="Side by side").or_(
        page.get_by_role("button", name="Side by side")
    ).first.click()
    expect(page.locator(".map.right")).to_be_visible()
    look = at_rest(page)
    before = pixels(look)
    page.evaluate(
        """() => { window.__runs = 0;
            new MutationObserver(() => { window.__runs += 1; }).observe(
                document.querySelector("[data-testid='stApp']"),
                {attributes: true, attributeFilter: ["data-test-script-state"]}); }"""
    )
    box = page.locator(".map.left").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    scale = look.locator(".leaflet-control-scale-line")
    length = scale.inner_text()
    page.mouse.wheel(0, 120)  # the page's, until the map is clicked
    expect(look.locator(".left .hint")).to_be_visible()
    assert scale.inner_text() == length
    page.mouse.wheel(0, -120)
    expect(look.locator(".left .hint")).to_be_hidden()
    page.mouse.down()
    page.mouse.move(x + 40, y + 30, steps=5)
    page.wait_for_timeout(400)  # no swing left when the button goes up
    page.mouse.move(x + 40, y + 30)
    page.mouse.up()
    page.mouse.move(5, 5)
    look = at_rest(page)
    after = pixels(look)
    height, width = before.shape[:2]
    half = width // 2
    for left in (half // 2, half + half // 2):  # the middle of either map
        here = before[height // 2 - 60 : height // 2 + 60, left - 60 : left + 60]
        moved = after[height // 2 - 30 : height // 2 + 90, left - 20 : left + 100]
        stayed = after[height // 2 - 60 : height // 2 + 60, left - 60 : left + 60]
        assert np.abs(here - moved).mean() < 0.5 * np.abs(here - stayed).mean()
    assert page.evaluate("window.__runs") == 0
