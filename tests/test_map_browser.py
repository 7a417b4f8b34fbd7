"""The map in a real browser: what it loads, what it never asks of the server, what a link keeps."""

import io
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import pytest
from browsing import AT_REST, CHROMIUM, MISSING, WAIT, Server
from PIL import Image
from playwright.sync_api import Browser, Frame, Page, expect
from playwright.sync_api import Error as PlaywrightError

from landslide_core.bands import TILE
from landslide_core.folder import Run
from landslide_core.grid import Tiling
from landslide_core.judgement import VERDICTS, Detections, Judgement
from landslide_core.outputs import tile_table, write_rasters, write_tiles
from landslide_core.plan import RunOptions, grid_of
from landslide_core.readers.given import SceneInputs
from pages.parts.run import jobs

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


def write_large_run(folder: Path, like: Run, side: int = SIDE, stride: int = TILE) -> Run:
    """A square run of random verdicts, its inputs out of reach."""
    grid_record = {**like.meta["grid"], "height": side, "width": side}
    lost = [{**entry, "path": f"/gone{entry['path']}"} for entry in like.meta["inputs"]]
    meta = {**like.meta, "grid": grid_record, "inputs": lost, "stride": stride}
    grid, tiling, rng = grid_of(meta), Tiling(side, side, stride), np.random.default_rng(0)
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
    """A small run of a scene that is there; by hand a large one, and one of overlapping tiles."""
    folder = tmp_path_factory.mktemp("map")
    shutil.copytree(made.folder.parents[1], folder, dirs_exist_ok=True)
    write_large_run(folder / "runs" / "large", made)
    write_large_run(folder / "runs" / "overlap", made, 320, TILE // 2)
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
            element = self.page.locator("iframe[title^='Map of']").element_handle()
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
        box = self.page.locator("iframe[title^='Map of']").bounding_box()
        assert box is not None
        place = self.frame().evaluate(
            f"(() => {{ const p = landslide.map.latLngToContainerPoint({script});"
            "return [p.x, p.y]; })()"
        )
        return box["x"] + place[0], box["y"] + place[1]

    def scrolled(self) -> float:
        """How far the page is scrolled, in pixels."""
        return float(self.page.get_by_test_id("stMain").evaluate("page => page.scrollTop"))

    def quiet(self) -> None:
        """Wait until nothing runs, and forget what was told so far."""
        self.page.wait_for_timeout(1500)
        self.page.wait_for_function(AT_REST)
        self.sent.clear()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Opened]]:
    """Open an address as somebody new; all that was asked for must have been the server's."""
    contexts = []
    asked: list[str] = []

    def go(url: str, width: int = 1440, height: int = 1500, phone: bool = False) -> Opened:
        context = browser.new_context(
            viewport={"width": width, "height": height}, has_touch=phone, is_mobile=phone
        )
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
    visit: Callable[..., Opened], address: str
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
    visit: Callable[..., Opened], address: str
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


def test_the_first_click_hits_its_tile_and_the_wheel_waits_for_it(
    visit: Callable[..., Opened], address: str
) -> None:
    opened = visit(f"{address}/detect?run=tiny", height=620)
    page, frame = opened.page, opened.frame()
    box = page.locator("iframe[title='Map of the run']").bounding_box()
    assert box is not None
    assert box["y"] + box["height"] > 620  # the window's edge cuts the map
    zoom, farthest = frame.evaluate("[landslide.map.getZoom(), landslide.map.getMinZoom()]")
    assert zoom - 4 < farthest < zoom  # not the whole Earth
    page.mouse.move(*opened.at(tile(2)))
    page.mouse.wheel(0, 40)
    expect(frame.locator(".hint")).to_have_text(re.compile("Click the map, or hold"))
    page.mouse.wheel(0, -400)
    page.wait_for_function("document.querySelector('[data-testid=stMain]').scrollTop === 0")
    assert frame.evaluate("landslide.map.getZoom()") == zoom
    page.mouse.move(*opened.at(tile(2)))
    page.mouse.down()
    page.wait_for_timeout(200)  # a page that scrolls has done it by now
    page.mouse.up()
    expect(page.get_by_text("Tile 2", exact=True)).to_be_visible()
    assert opened.scrolled() == 0
    page.mouse.wheel(0, -120)
    frame.wait_for_function(f"landslide.map.getZoom() > {zoom}")
    assert opened.scrolled() == 0


def test_panel_and_legend_share_the_height_and_full_screen_fits(
    visit: Callable[..., Opened], address: str
) -> None:
    frame = visit(f"{address}/detect?run=tiny").frame()
    frame.locator("#f-layer").select_option("desc-change-vv")
    frame.locator("#f-result").select_option("spread")
    frame.get_by_label("Colour by").select_option("verdict")
    panel, key = (frame.locator(name).bounding_box() for name in (".panel", ".key"))
    assert panel is not None
    assert key is not None
    assert panel["y"] + panel["height"] <= key["y"]
    cut = frame.evaluate(
        """[...document.querySelectorAll("select")].flatMap(select => {
            const pen = document.createElement("canvas").getContext("2d");
            pen.font = getComputedStyle(select).font;
            return [...select.options].map(option => option.text)
                .filter(text => pen.measureText(text).width > select.clientWidth - 26);
        })"""
    )
    assert cut == []
    zoom, width = frame.evaluate("[landslide.map.getZoom(), landslide.map.getSize().x]")
    frame.get_by_role("button", name="Full screen").click()
    frame.wait_for_function(f"landslide.map.getSize().x > {width}")
    assert frame.evaluate("landslide.map.getZoom()") > zoom


def test_tiles_that_overlap_do_not_stack_their_colours(
    visit: Callable[..., Opened], address: str, home: Path
) -> None:
    opened = visit(f"{address}/detect?run=overlap#colour=verdict")
    frame = opened.frame()
    stacked = frame.evaluate(
        """(() => {
            const fills = landslide.tiles().map(({layers}) => layers
                .find(([, part]) => part === "fill")[0].getBounds().pad(-0.1));
            return fills.filter((one, i) =>
                fills.some((other, k) => k > i && one.intersects(other)));
        })()"""
    )
    assert stacked == []
    below, above = frame.evaluate(
        "['fills', 'result'].map(n => +landslide.map.getPane(n).style.zIndex)"
    )
    assert below < above  # what lies on top does so
    verdicts = Run(home / "runs" / "overlap", {}).tiles["verdict"].tolist()
    calm = next(
        i for i in range(10, 70) if verdicts[i] == "filtered_out" and verdicts[i + 1] == "uncertain"
    )
    opened.page.mouse.click(*opened.at(tile(calm)))  # where the next one lies too
    expect(opened.page.get_by_text(f"Tile {calm}", exact=True)).to_be_visible()


def test_on_a_phone_one_finger_scrolls_the_page_and_two_move_the_map(
    visit: Callable[..., Opened], address: str
) -> None:
    opened = visit(f"{address}/detect?run=tiny", 390, 844, phone=True)
    page, frame = opened.page, opened.frame()
    page.locator("iframe[title^='Map of']").scroll_into_view_if_needed()
    for name in ("Zoom in", "Show the whole run", "Layers"):
        box = frame.get_by_role("button", name=name).bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= 40
    session = page.context.new_cdp_session(page)

    def swipe(*across: float) -> None:
        """As many fingers, down from the map's middle by 100 pixels."""
        x, y = opened.at("landslide.map.getCenter()")
        for step in range(11):
            points = [{"x": x + a, "y": y + 10 * step, "id": i} for i, a in enumerate(across)]
            kind = "touchMove" if step else "touchStart"
            session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
            page.wait_for_timeout(20)  # a finger's pace: a swing of the page would take the next
        session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        last = None
        while last != (last := opened.scrolled()):
            page.wait_for_timeout(300)

    middle, scrolled = "landslide.map.getCenter().lat", opened.scrolled()
    before = frame.evaluate(middle)
    swipe(0)
    assert opened.scrolled() < scrolled
    assert frame.evaluate(middle) == before
    assert frame.locator(".hint").inner_text() == "Two fingers move the map"
    scrolled = opened.scrolled()
    swipe(-40, 40)
    frame.wait_for_function(f"{middle} > {before}")  # in the browser's next frames, not at once
    assert opened.scrolled() == scrolled


def test_a_link_reopens_the_same_picture(
    visit: Callable[..., Opened], address: str, home: Path
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
    visit: Callable[..., Opened], address: str, noise: str
) -> None:
    frame = visit(f"{address}/detect?run=tiny#{noise}").frame()
    look = frame.evaluate("landslide.look")
    assert (look["layer"], look["t"], look["lo"], look["base"]) == ("true-colour", 0, 1, "none")
    assert frame.evaluate("landslide.map.getZoom()") > 12


def test_click_double_click_and_area(visit: Callable[..., Opened], address: str) -> None:
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
    edge = {"x": left - 20, "y": top + 20, "width": 8, "height": 8}  # over the tiles
    seen = np.asarray(Image.open(io.BytesIO(page.screenshot(clip=edge))).convert("RGB")).astype(int)
    assert (np.abs(seen - (214, 0, 127)).sum(-1) < 60).any()
    assert (seen.min(-1) > 230).any()  # its casing
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


def test_the_map_stays_while_another_run_is_made(
    visit: Callable[..., Opened], address: str, home: Path
) -> None:
    page = visit(f"{address}/detect?run=tiny").page
    map_of = page.locator("iframe[title^='Map of']")
    map_of.evaluate("map => { map.first = true; }")
    page.wait_for_function(AT_REST)
    elsewhere = RunOptions(home / "models" / "small", device="cuda")  # no worker here takes it
    job = jobs.queue_of(home / "runs").add(SceneInputs(), elsewhere, home / "runs" / "other")
    page.keyboard.press("r")
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("Run other was cancelled.")).to_be_visible()
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("Run other was cancelled.")).to_have_count(0)
    page.wait_for_function(AT_REST)
    assert map_of.evaluate("map => map.first")
    assert job.id not in {kept.id for kept in jobs.queue_of(home / "runs").jobs()}


def test_without_routes_the_map_brings_all_that_it_needs(
    visit: Callable[..., Opened], home: Path
) -> None:
    with serving(home, "pages/navigation.py") as base:
        opened = visit(f"{base}/detect?run=tiny")
        frame = opened.frame()
        frame.wait_for_function("document.querySelector('.leaflet-image-layer').naturalWidth > 9")
        assert frame.evaluate("landslide.tiles().length") == 25
        opened.page.goto(f"{base}/review?run=tiny")
        expect(opened.page.get_by_role("button", name="Draw outline")).to_be_visible()
