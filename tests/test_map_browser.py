"""The map in a real browser: what it loads, what it never asks of the server, what a link keeps."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import pytest
from browsing import CHROMIUM, MISSING, WAIT, Server
from playwright.sync_api import Browser, Frame, Page, expect
from playwright.sync_api import Error as PlaywrightError

from landslide_core.folder import Run
from landslide_core.grid import Tiling
from landslide_core.judgement import VERDICTS, Detections, Judgement
from landslide_core.outputs import tile_table, write_rasters, write_tiles
from landslide_core.plan import grid_of

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=MISSING)
expect.set_options(timeout=WAIT)
SIDE = 3000  # pixels: 47 x 47 tiles
# When the page's title was first there: Streamlit has started, and the page's script is running.
WATCH = """
    const look = () => document.querySelector('h1')
        ? window.begun = performance.timeOrigin + performance.now() : requestAnimationFrame(look);
    look();
"""
LOADED = "[...document.querySelectorAll('.leaflet-tile-loaded')].map(i => i.naturalWidth)"
# When the first raster tile and the verdict tiles had both come.
PAINTED = """() => {
    const end = part => Math.min(...performance.getEntriesByType("resource")
        .filter(entry => entry.name.includes(part) && entry.responseEnd)
        .map(entry => entry.responseEnd));
    return performance.timeOrigin + Math.max(end("/tiles/"), end("/features/"));
}"""


def write_large_run(folder: Path, like: Run) -> Run:
    """A run of 3,000 x 3,000 pixels with random verdicts, its inputs out of reach."""
    grid_record = {**like.meta["grid"], "height": SIDE, "width": SIDE}
    lost = [{**entry, "path": f"/gone{entry['path']}"} for entry in like.meta["inputs"]]
    meta = {**like.meta, "grid": grid_record, "inputs": lost}
    grid, tiling, rng = grid_of(meta), Tiling(SIDE, SIDE), np.random.default_rng(0)
    tiles = Judgement.room_for(len(tiling), 2)
    tiles.verdict[:] = rng.choice(5, len(tiling), p=(0.02, 0.5, 0.3, 0.14, 0.04))
    chance = (tiles.verdict - 1.0) / 4 + rng.random(len(tiling)) / 4
    tiles.probability[:] = np.where(tiles.verdict, chance, np.nan)
    tiles.spread[:] = rng.random(len(tiling)) * 0.4
    folder.mkdir()
    detections = Detections(tiling, tiles)
    write_tiles(tile_table(grid, detections), folder)
    write_rasters(grid, detections, folder)
    codes = np.bincount(tiles.verdict, minlength=len(VERDICTS))
    meta["counts"] = {name: int(codes[code]) for code, name in enumerate(VERDICTS)}
    (folder / "run.json").write_text(json.dumps(meta))
    return Run(folder, meta)


@pytest.fixture(scope="module")
def home(made: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small run of a scene that is there, and a large one by hand."""
    folder = tmp_path_factory.mktemp("map")
    shutil.copytree(made.folder.parents[1], folder, dirs_exist_ok=True)
    write_large_run(folder / "runs" / "large", made)
    return folder


@pytest.fixture(scope="module")
def address(home: Path) -> Iterator[str]:
    with serving(home, "app.py") as base:
        yield base


@contextmanager
def serving(home: Path, script: str) -> Iterator[str]:
    """`streamlit run SCRIPT` on a free port."""
    server = Server(home, script=script)
    try:
        yield server.address
    finally:
        server.stop()


@dataclass(frozen=True)
class Opened:
    """A page in a context of its own, and what it told the server since `hush`."""

    page: Page
    sent: list[Any]

    def frame(self) -> Frame:
        """The map's frame, once its tiles are drawn."""
        end = monotonic() + WAIT / 1000
        while True:  # the page may draw the map anew meanwhile, in another frame
            element = self.page.locator("iframe[title*='st_folium']").element_handle()
            assert element is not None
            frame = element.content_frame()
            assert frame is not None
            try:
                drawn = "window.landslide && landslide.tiles().length > 0"
                frame.wait_for_function(drawn, timeout=WAIT / 4)
            except PlaywrightError:
                assert monotonic() < end
            else:
                return frame

    def at(self, script: str) -> tuple[float, float]:
        """Where a place, given as a script, is in the window, in pixels."""
        box = self.page.locator("iframe[title*='st_folium']").bounding_box()
        assert box is not None
        place = self.frame().evaluate(
            f"(() => {{ const p = landslide.map.latLngToContainerPoint({script});"
            "return [p.x, p.y]; })()"
        )
        return box["x"] + place[0], box["y"] + place[1]

    def quiet(self) -> None:
        """Wait until nothing runs, and forget what was told so far."""
        self.page.wait_for_timeout(1500)
        self.page.wait_for_function(
            """() => document.querySelector("[data-testid='stApp']")
                .getAttribute("data-test-script-state") === 'notRunning'"""
        )
        self.sent.clear()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[[str], Opened]]:
    """Open an address as somebody new; all that was asked for must have been the server's."""
    contexts = []
    asked: list[str] = []

    def go(url: str) -> Opened:
        context = browser.new_context(viewport={"width": 1440, "height": 1500})
        contexts.append(context)
        context.on("request", lambda request: asked.append(request.url))
        context.add_init_script(WATCH)
        page, sent = context.new_page(), []
        page.set_default_timeout(WAIT)

        def told(frame: str | bytes) -> None:
            sent.append(frame)

        page.on("websocket", lambda socket: socket.on("framesent", told))
        page.goto(url)
        return Opened(page, sent)

    yield go
    for context in contexts:
        context.close()
    assert all(url.startswith(("http://localhost:", "data:", "blob:")) for url in asked)


def tile(number: int) -> str:
    """A script for the middle of a drawn tile."""
    return f"landslide.tiles().find(t => t.facts.tile === {number}).box.getCenter()"


def test_a_large_run_is_painted_within_two_seconds(
    visit: Callable[[str], Opened], address: str
) -> None:
    visit(f"{address}/detect?run=large").frame()  # the server has imported all that it needs
    # The promise holds on a machine at rest; a busy one shows only that the map comes at all.
    most = 2.0 if os.environ.get("LANDSLIDE_TIMED") else 20.0  # s
    took = [99.0]
    while took[-1] >= most and len(took) < 6:  # other work on the machine is not the map's
        opened = visit(f"{address}/detect?run=large")
        frame = opened.frame()
        frame.wait_for_function(f"{LOADED}[0] === 256", timeout=WAIT)
        begun = opened.page.evaluate("window.begun")
        took.append((frame.evaluate(PAINTED) - begun) / 1000)
        opened.page.close()
    assert took[-1] < most, took[1:]


def test_pan_zoom_layers_and_threshold_tell_the_server_nothing(
    visit: Callable[[str], Opened], address: str
) -> None:
    opened = visit(f"{address}/detect?run=large")
    frame = opened.frame()
    frame.wait_for_function(f"{LOADED}.length > 3")
    assert set(frame.evaluate(LOADED)) == {256}
    assert "1,500 of 2,209 tiles in view" in frame.locator(".notes").inner_text()
    opened.quiet()
    frame.evaluate("void landslide.map.setZoom(landslide.map.getZoom() + 2)")
    frame.wait_for_function("landslide.tiles().some(tile => tile.ring)")  # near enough for outlines
    before = frame.evaluate("landslide.tiles().length")
    assert before < 1500
    x, y = opened.at("landslide.map.getCenter()")
    opened.page.mouse.move(x, y)
    opened.page.mouse.down()
    opened.page.mouse.move(x - 250, y - 90, steps=6)
    opened.page.mouse.up()
    opened.page.mouse.wheel(0, -240)
    frame.get_by_label("Colour by").select_option("verdict")
    frame.locator("#f-result").select_option("spread")
    frame.get_by_label("Fade under").fill("0.75")
    run = frame.evaluate("landslide.look")
    assert (run["colour"], run["result"], run["t"]) == ("verdict", "spread", 0.75)
    opened.page.wait_for_timeout(1500)
    assert opened.sent == []
    assert "&t=0.75" in opened.page.url


def test_a_link_reopens_the_same_picture(
    visit: Callable[[str], Opened], address: str, home: Path
) -> None:
    first = visit(f"{address}/detect?run=large")
    frame = first.frame()
    frame.get_by_label("Fade under").fill("0.75")
    frame.get_by_label("Colour by").select_option("spread")
    frame.locator("#f-result").select_option("verdict")
    frame.locator("#f-ro").fill("0.3")
    frame.evaluate("void landslide.map.setView([27.85, 84.31], 13.5, {animate: false})")
    first.page.wait_for_function("location.hash.includes('map=13.5')")
    second = visit(first.page.url)
    again = second.frame()
    for what in ("landslide.look", "landslide.map.getZoom()"):
        assert again.evaluate(what) == frame.evaluate(what)
    centre = again.evaluate("landslide.map.getCenter()")
    assert (centre["lat"], centre["lng"]) == pytest.approx((27.85, 84.31), abs=1e-4)
    count = again.locator(".count").inner_text()
    table = Run(home / "runs" / "large", {}).tiles
    over = int((table["probability"].round(4) >= 0.75).sum())
    assert count.startswith(f"{over:,} of 2,209 tiles at or over 0.75")


@pytest.mark.parametrize("noise", ["map=99/x/1e9&layer=../x&t=7&lo=&base=evil", "map=3/-80/-170"])
def test_noise_in_the_address_is_left_out(
    visit: Callable[[str], Opened], address: str, noise: str
) -> None:
    frame = visit(f"{address}/detect?run=tiny#{noise}").frame()
    look = frame.evaluate("landslide.look")
    assert (look["layer"], look["t"], look["lo"], look["base"]) == ("true-colour", 0, 1, "none")
    assert frame.evaluate("landslide.map.getZoom()") > 12


def test_click_double_click_and_area(visit: Callable[[str], Opened], address: str) -> None:
    opened = visit(f"{address}/detect?run=tiny")
    page, frame = opened.page, opened.frame()
    page.mouse.move(*opened.at(tile(12)))
    assert "Tile 12\n" in frame.locator(".tip").inner_text()
    page.mouse.click(*opened.at(tile(12)))
    expect(page.get_by_text("Tile 12", exact=True)).to_be_visible()
    page.wait_for_function("location.search.includes('tile=12') && location.hash.length > 9")
    frame.get_by_role("button", name="Draw a rectangle of interest").click()
    (left, top), (right, bottom) = opened.at(tile(6)), opened.at(tile(18))
    page.mouse.move(left - 16, top - 16)  # the middles of three by three tiles
    page.mouse.down()
    page.mouse.move(right + 16, bottom + 16, steps=5)
    page.mouse.up()
    expect(page.get_by_text("tiles have their middle in it")).to_be_visible()
    with page.expect_download() as caught:
        page.get_by_role("button", name="Tiles inside, GeoJSON").click()
    found = json.loads(Path(caught.value.path()).read_text())["features"]
    inside = {feature["properties"]["tile_id"] for feature in found}
    assert inside == {6, 7, 8, 11, 12, 13, 16, 17, 18}
    assert "&area=" in page.url
    again = visit(page.url)
    expect(again.page.get_by_text("9 tiles have their middle in it")).to_be_visible()
    again.frame().get_by_role("button", name="Remove the area of interest").click()
    expect(again.page.get_by_text("tiles have their middle in it")).to_have_count(0)
    assert "&area=" not in again.page.url
    page.mouse.dblclick(*opened.at(tile(11)))
    expect(page.get_by_label("Tile", exact=True)).to_have_value("11")
    assert "#" not in page.url


def test_without_routes_the_map_brings_all_that_it_needs(
    visit: Callable[[str], Opened], home: Path
) -> None:
    with serving(home, "pages/navigation.py") as base:
        frame = visit(f"{base}/detect?run=tiny").frame()
        frame.wait_for_function("document.querySelector('.leaflet-image-layer').naturalWidth > 9")
        assert frame.evaluate("landslide.tiles().length") == 25
