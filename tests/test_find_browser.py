"""The Find page in a real browser: an area drawn, a catalogue on loopback, a scene loaded."""

import re
from collections.abc import Iterator
from time import monotonic
from urllib.parse import urlsplit

import pytest
from browsing import AT_REST, CHROMIUM, MISSING, ROOT, WAIT, Server
from playwright.sync_api import Browser, Frame, Page, expect
from small_catalogue import Small, small_catalogue

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=MISSING)
expect.set_options(timeout=WAIT)
NORTH_WEST, SOUTH_EAST = (50.534, 10.425), (50.516, 10.453)  # 2×2 km under all images


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Small]:
    with small_catalogue(tmp_path_factory.mktemp("catalogue")) as small:
        yield small


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`streamlit run app.py` under a base path, with a folder for scenes and nothing else."""
    home = tmp_path_factory.mktemp("finding")
    (home / "scene").mkdir()
    settings = {"LANDSLIDE_MODELS": str(ROOT / "models"), "LANDSLIDE_PRIVATE_ADDRESSES": "1"}
    server = Server(home, "slides", **settings)
    yield server.address
    server.stop()


@pytest.fixture
def page(address: str, browser: Browser) -> Iterator[Page]:
    """The Find page; on leaving, every address the browser asked for must be the server's."""
    asked: list[str] = []
    broken: list[str] = []
    context = browser.new_context(viewport={"width": 1440, "height": 1400})
    context.on("request", lambda request: asked.append(request.url))
    opened = context.new_page()
    opened.on("pageerror", lambda error: broken.append(str(error)))
    opened.set_default_timeout(WAIT)
    opened.goto(f"{address}/find")
    yield opened
    context.close()
    hosts = {urlsplit(url).hostname for url in asked if not url.startswith(("data:", "blob:"))}
    assert hosts == {"localhost"}
    assert not broken


def map_frame(page: Page) -> Frame:
    """The map's frame, once Leaflet is up and the page at rest."""
    element = page.locator("iframe[title^='Map of']").element_handle()
    assert element is not None
    frame = element.content_frame()
    assert frame is not None
    frame.wait_for_function("() => window.map !== undefined")
    page.wait_for_function(AT_REST)
    return frame


def draw_rectangle(page: Page, frame: Frame) -> None:
    """Drag with the rectangle tool from corner to corner."""
    frame.evaluate("map.setView([50.525, 10.439], 12, {animate: false})")
    main = page.get_by_test_id("stMain")
    scrolled = main.evaluate("page => page.scrollTop")
    frame.locator(".leaflet-draw-draw-rectangle").click()
    assert main.evaluate("page => page.scrollTop") == scrolled
    element = page.locator("iframe[title^='Map of']")
    element.scroll_into_view_if_needed()
    box = element.bounding_box()
    assert box is not None
    ends = [
        frame.evaluate("at => { const p = map.latLngToContainerPoint(at); return [p.x, p.y]; }", at)
        for at in (list(NORTH_WEST), list(SOUTH_EAST))
    ]
    (left, top), (right, bottom) = ends
    page.mouse.move(box["x"] + left, box["y"] + top)
    page.mouse.down()
    pointer = frame.locator(".pointer")
    end = monotonic() + WAIT / 1000
    while not pointer.inner_text().startswith(f"{SOUTH_EAST[0]}"):
        assert monotonic() < end  # a busy browser leaves moves out
        page.mouse.move(box["x"] + right - 2, box["y"] + bottom - 2)
        page.mouse.move(box["x"] + right, box["y"] + bottom)
        page.wait_for_timeout(50)
    page.mouse.up()


def fill_in(page: Page, api: str) -> None:
    """Day and catalogue."""
    day = page.get_by_role("group", name="Day of the event")
    day.get_by_role("spinbutton").first.click()
    page.keyboard.type("20240403")
    page.keyboard.press("Escape")
    page.get_by_role("combobox", name="Catalogue").click()
    page.get_by_role("option", name="Another STAC API").click()
    field = page.get_by_label("Address of the STAC API", exact=True)
    field.fill(api)
    field.press("Enter")


def dashes(frame: Frame) -> list[str]:
    """How the lines on the map are dashed, one entry a kind; "" for solid ones."""
    found: list[str] = frame.evaluate(
        """() => [...new Set(Object.values(map._layers)
            .filter(l => l instanceof L.Polyline && l.options.weight === 3)
            .map(l => l.options.dashArray || ""))].sort()"""
    )
    return found


def test_from_a_drawing_to_detection(page: Page, world: Small) -> None:
    frame = map_frame(page)
    assert frame.evaluate("[L.version, L.drawVersion]") == ["1.9.4", "1.0.4"]
    picture = frame.locator(".leaflet-draw-draw-rectangle").evaluate(
        "tool => getComputedStyle(tool).backgroundImage"
    )
    assert "/slides/leaflet-draw/images/spritesheet" in picture
    draw_rectangle(page, frame)
    expect(page.get_by_text("2.0 km around 50.5")).to_be_visible()
    fill_in(page, world.api)
    search = page.get_by_role("button", name="Search")
    expect(search).to_be_enabled()
    search.click()
    expect(page.get_by_role("heading", name="What was found")).to_be_visible()
    expect(page.get_by_text("Sentinel-1 descending, 2024-03-28 and 2024-04-09")).to_be_visible()
    frame.wait_for_function("() => document.querySelectorAll('.footprint').length === 3")
    assert dashes(frame) == ["", "12 7", "2 7"]
    assert frame.locator(".footprint").all_inner_texts() == [
        "Sentinel-2",
        "Sentinel-1 descending",
        "Sentinel-1 ascending",
    ]
    page.get_by_role("button", name="Load into the app").click()
    expect(page.get_by_role("heading", name="Scene", exact=True)).to_be_visible()
    expect(page.get_by_text("12 of 12")).to_be_visible()
    page.get_by_role("button", name="Go on to detection").click()
    expect(page.get_by_role("heading", name="Detection")).to_be_visible()
    name = page.get_by_role("textbox", name="Name of the run")
    expect(name).to_have_attribute("placeholder", re.compile(r"50\.5\dn-10\.44e-03apr2024-\w{8}\b"))


def test_what_is_drawn_can_be_removed(page: Page) -> None:
    frame = map_frame(page)
    page.set_viewport_size({"width": 1024, "height": 600})  # the window's edge cuts the map
    draw_rectangle(page, frame)
    expect(page.get_by_text("2.0 km around 50.5")).to_be_visible()
    frame.locator(".leaflet-draw-edit-remove").click()
    frame.locator(".leaflet-draw-actions a", has_text="Clear All").click()
    expect(page.get_by_text("2.0 km around 50.5")).to_have_count(0)


def test_moving_the_map_runs_no_script(page: Page) -> None:
    frame = map_frame(page)
    page.evaluate(
        """() => { window.__runs = 0;
            new MutationObserver(() => { window.__runs += 1; }).observe(
                document.querySelector("[data-testid='stApp']"),
                {attributes: true, attributeFilter: ["data-test-script-state"]}); }"""
    )
    frame.evaluate("map.setView([28.2, 85.3], 12, {animate: false})")
    expect(frame.locator(".degrees.middle").first).to_contain_text("° E")
    page.wait_for_timeout(1000)
    assert page.evaluate("window.__runs") == 0


def ground(frame: Frame, latitude: float, longitude: float) -> list[int]:
    """The colour of land or sea at a place of the map."""
    found: list[int] = frame.evaluate(
        """at => {
            const canvas = document.querySelector(".leaflet-outlines-pane canvas");
            const [box, frame] = [canvas, map.getContainer()].map(e => e.getBoundingClientRect());
            const point = map.latLngToContainerPoint(at);
            const sharp = canvas.width / box.width;
            return [...canvas.getContext("2d").getImageData((frame.x + point.x - box.x) * sharp,
                (frame.y + point.y - box.y) * sharp, 1, 1).data].slice(0, 3);
        }""",
        [latitude, longitude],
    )
    return found


def test_outlines_of_countries_on_every_turn_of_the_world(page: Page) -> None:
    frame = map_frame(page)
    expect(frame.locator(".leaflet-outlines-pane canvas")).to_be_attached()
    frame.evaluate("map.setView([0, 180], 1, {animate: false})")
    land, sea = ground(frame, -3, 23), ground(frame, 0, -30)  # Congo, Atlantic
    assert land != sea
    assert (ground(frame, -3, 383), ground(frame, 0, 330)) == (land, sea)
    expect(frame.locator(".inset")).to_be_hidden()
    frame.evaluate("map.setView([-16.87, 180], 9, {animate: false})")
    assert ground(frame, -16.87, 180) == land  # Fiji's Taveuni, cut at 180° in the file
    expect(frame.locator(".inset")).to_be_visible()
    expect(frame.locator(".leaflet-control-attribution")).to_contain_text("Natural Earth")
