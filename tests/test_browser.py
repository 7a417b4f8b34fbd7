"""The app in a real browser: map, click, decision, a run; and nothing asked of the internet."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from urllib.parse import urlsplit

import pytest
import rasterio
from browsing import AT_REST, CHROMIUM, MISSING, WAIT, Server
from playwright.sync_api import Browser, Frame, Page, expect
from playwright.sync_api import Error as PlaywrightError

from landslide_core.bundle import CARD_TEXT
from landslide_core.folder import Run

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=MISSING)
expect.set_options(timeout=WAIT)
ROW, HEAD, ROLE = 35, 35, 270  # pixels: of a table's row, above the first, to the roles' middle
at_the_root = pytest.mark.parametrize("address", [""], indirect=True)  # a base path changes nothing


@pytest.fixture(scope="module")
def home(made: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a scene, a bundle, a run, and another bundle's card with a figure."""
    folder = tmp_path_factory.mktemp("browser")
    shutil.copytree(made.folder.parents[1], folder, dirs_exist_ok=True)
    card = folder / "models" / "drawn"
    card.mkdir()
    (card / CARD_TEXT).write_text("# Model card: drawn\n\n![A square](square.svg)\n")
    (card / "square.svg").write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" width="90" height="90"><rect width="50" '
        'height="50"/></svg>'
    )
    return folder


@pytest.fixture(scope="module", params=["", "slides"])
def address(request: pytest.FixtureRequest, home: Path) -> Iterator[str]:
    """`streamlit run app.py` on a free port, at the root and under a base path."""
    server = Server(home, request.param)
    yield server.address
    server.stop()


@pytest.fixture
def page(address: str, browser: Browser) -> Iterator[Page]:
    """A browser page; on leaving, every address it asked for must have been the server's."""
    asked: list[str] = []
    context = browser.new_context(viewport={"width": 1440, "height": 1400})
    context.on("request", lambda request: asked.append(request.url))
    opened = context.new_page()
    opened.on("websocket", lambda socket: asked.append(socket.url))
    opened.set_default_timeout(WAIT)
    yield opened
    context.close()
    hosts = {urlsplit(url).hostname for url in asked if not url.startswith(("data:", "blob:"))}
    assert hosts == {"localhost"}


def map_frame(page: Page) -> Frame:
    """The map's frame, once Leaflet has drawn its picture and its tiles."""
    end = monotonic() + WAIT / 1000
    while True:  # the page may draw the map anew meanwhile, in another frame
        element = page.locator("iframe[title*='st_folium']").element_handle()
        assert element is not None
        frame = element.content_frame()
        assert frame is not None
        try:
            frame.wait_for_function(
                "() => [...document.querySelectorAll('.leaflet-tile-loaded, .leaflet-image-layer')]"
                ".some(i => i.naturalWidth > 9) && window.landslide.tiles().length > 9",
                timeout=WAIT / 4,
            )
        except PlaywrightError:
            assert monotonic() < end
        else:
            return frame


def point_of(frame: Frame, tile: int) -> tuple[float, float]:
    """Where a tile's middle is on the map, in pixels."""
    x, y = frame.evaluate(
        """tile => {
            const found = landslide.tiles().find(drawn => drawn.facts.tile === tile);
            const at = map.latLngToContainerPoint(found.box.getCenter());
            return [at.x, at.y];
        }""",
        tile,
    )
    return x, y


def test_map_click_and_decision(page: Page, address: str) -> None:
    page.goto(f"{address}/detect?run=tiny")
    frame = map_frame(page)
    assert frame.evaluate("L.version") == "1.9.4"
    x, y = point_of(frame, 12)
    page.locator("iframe[title*='st_folium']").click(position={"x": x, "y": y})
    expect(page.get_by_text("Tile 12", exact=True)).to_be_visible()
    page.get_by_role("button", name="Open decision").click()
    expect(page.get_by_role("heading", name="What the ensemble voted")).to_be_visible()
    expect(page.get_by_label("Tile", exact=True)).to_have_value("12")
    expect(page.locator(".js-plotly-plot")).to_have_count(4)
    expect(page.get_by_role("heading", name="How the probability came about")).to_be_visible()
    heat = page.locator("img").nth(-1)  # the last picture of the page
    heat.scroll_into_view_if_needed()
    before = heat.get_attribute("src")
    page.get_by_role("slider").press("ArrowRight")
    expect(heat).not_to_have_attribute("src", before or "")
    assert "tile=12" in page.url
    page.reload()  # the address alone brings it back
    expect(page.get_by_label("Tile", exact=True)).to_have_value("12")


@at_the_root
def test_moving_the_map_runs_no_script(page: Page, address: str) -> None:
    page.goto(f"{address}/detect?run=tiny")
    frame = map_frame(page)
    page.wait_for_timeout(1500)
    page.wait_for_function(AT_REST)
    page.evaluate(
        """() => { window.__runs = 0;
            new MutationObserver(() => { window.__runs += 1; }).observe(
                document.querySelector("[data-testid='stApp']"),
                {attributes: true, attributeFilter: ["data-test-script-state"]}); }"""
    )
    frame.evaluate("map.panBy([80, 40]); void map.setZoom(map.getZoom() + 1)")
    page.wait_for_timeout(1500)
    assert page.evaluate("window.__runs") == 0


@at_the_root
def test_the_model_card_shows_its_figures(page: Page, address: str) -> None:
    page.goto(f"{address}/model_card")
    page.get_by_role("combobox").click()
    page.get_by_role("option", name="drawn").click()
    expect(page.get_by_role("heading", name="Model card: drawn")).to_be_visible()
    picture = page.locator("[data-testid='stMain'] img")
    expect(picture).to_have_count(1)
    picture.evaluate("image => image.decode()")  # fails where the browser cannot draw it
    assert picture.evaluate("image => image.naturalWidth") == 90


@at_the_root
def test_bands_without_names_are_named_in_a_dialog(
    page: Page, address: str, home: Path, tmp_path: Path
) -> None:
    with rasterio.open(home / "scene" / "s2.tif") as file:
        profile, pixels = file.profile, file.read()
    with rasterio.open(tmp_path / "s2.tif", "w", **profile) as file:
        file.write(pixels)
    page.goto(f"{address}/scene")
    page.get_by_text("Upload", exact=True).click()
    page.locator("input.files").set_input_files(tmp_path / "s2.tif")
    expect(page.get_by_text("4 bands without known names")).to_be_visible()
    page.get_by_role("button", name="Say which band is which").click()
    use = page.get_by_role("button", name="Use these")
    expect(use).to_be_disabled()
    for i, name in enumerate(("B02", "B03", "B04", "B08")):
        box = page.get_by_role("dialog").get_by_label(f"Band {i + 1}", exact=False)
        box.fill(name)
        box.press("Enter")
    expect(use).to_be_enabled()
    use.click()
    expect(page.get_by_text("4 of 12")).to_be_visible()
    field = page.get_by_label("Sentinel-2 band names (--s2-bands)", exact=True)
    expect(field).to_have_value("B02,B03,B04,B08")


@at_the_root
def test_a_role_is_corrected_and_put_back(page: Page, address: str) -> None:
    page.goto(f"{address}/scene")
    page.get_by_text("Server files").click()
    expect(page.get_by_text("296 × 296")).to_be_visible()  # not the sample's any more
    page.wait_for_function(AT_REST)
    page.wait_for_timeout(3000)  # the previews below come in by themselves
    box = page.get_by_test_id("stDataFrame").first.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + ROLE, box["y"] + HEAD + 1.5 * ROW)  # s1_asc_pre.tif
    for act in (lambda: page.keyboard.press("Enter"), lambda: page.keyboard.type("Left")):
        page.wait_for_timeout(1500)  # the cell is chosen; its list opens; it narrows
        act()
    page.wait_for_timeout(1500)
    page.keyboard.press("Enter")
    expect(
        page.get_by_text("5 of 6 files have a role, 1 left out, 1 corrected by you.")
    ).to_be_visible()
    expect(page.get_by_text("No ascending Sentinel-1 image from before")).to_be_visible()
    page.get_by_text("Undo corrections").click()
    expect(page.get_by_text("6 of 6 files have a role.")).to_be_visible()


@at_the_root
def test_sample_to_verdicts(page: Page, address: str) -> None:
    page.goto(f"{address}/scene")
    page.get_by_text("Server files").click()
    page.get_by_role("button", name="Go on to detection").click()
    name = f"mine-{urlsplit(address).port}"
    page.get_by_label("Name of the run").fill(name)
    page.get_by_role("button", name="Run detection").click()
    page.wait_for_url(f"**run={name}*")
    page.reload()  # the run goes on in the server, whatever becomes of the page
    expect(page.get_by_text(f"Run {name}: one verdict a tile")).to_be_visible()
    map_frame(page)
    assert f"run={name}" in page.url
    with page.expect_download() as caught:
        page.get_by_role("button", name="GeoPackage").click()
    assert caught.value.suggested_filename == f"{name}-tiles.gpkg"
