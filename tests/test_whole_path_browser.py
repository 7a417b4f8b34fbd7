"""The sample's whole path in a real browser: run, map, why, accept, export; a refresh keeps it."""

import io
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import geopandas
import pytest
from browsing import CHROMIUM, MISSING, ROOT, WAIT, Server, map_frame
from playwright.sync_api import Browser, Frame, Page, expect

from landslide_core.folder import Run, open_run
from landslide_core.review.review import Review

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=MISSING)
expect.set_options(timeout=WAIT)
LOADED = "[...document.querySelectorAll('.leaflet-tile-loaded')].map(i => i.naturalWidth)"
MIDDLE = """tile => {
    const found = landslide.tiles().find(drawn => drawn.facts.tile === tile);
    const at = map.latLngToContainerPoint(found.box.getCenter());
    return {x: at.x, y: at.y};
}"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """The app under a base path, with the bundle that ships, the sample and no runs."""
    begun = Server(tmp_path, "slides", LANDSLIDE_MODELS=str(ROOT / "models"))
    yield begun
    begun.stop()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
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


def drawn_map(page: Page, tiles: int) -> Frame:
    """The map's frame, once all of its tiles and some of its pictures have come."""
    frame = map_frame(page, tiles)
    frame.wait_for_function(f"{LOADED}.length > 2", timeout=2 * WAIT)  # once the look is made
    return frame


def likeliest(run: Run) -> int:
    """The landslide tile with the highest probability."""
    landslides = run.tiles[run.tiles["verdict"] == "landslide"]
    return int(landslides.loc[landslides["probability"].idxmax(), "tile_id"])


def test_from_the_sample_to_what_is_handed_over(page: Page, server: Server) -> None:
    page.goto(f"{server.address}/scene")
    page.get_by_role("button", name="Go on to detection").click()
    page.get_by_role("textbox", name="Name of the run").fill("quake")
    page.get_by_role("button", name="Run detection").click()
    page.wait_for_url("**run=quake*")
    expect(page.get_by_text("Run quake: one verdict a tile")).to_be_visible(timeout=3 * WAIT)
    run = open_run(server.home / "runs" / "quake")
    frame = drawn_map(page, len(run.tiles))
    assert set(frame.evaluate(LOADED)) == {256}

    tile = likeliest(run)
    page.locator("iframe[title^='Map of']").click(position=frame.evaluate(MIDDLE, tile))
    expect(page.get_by_text(f"Tile {tile}", exact=True)).to_be_visible()
    page.get_by_role("button", name="Open decision").click()
    expect(page.get_by_role("heading", name="What the ensemble voted")).to_be_visible()
    expect(page.get_by_label("Tile", exact=True)).to_have_value(str(tile))

    page.get_by_role("link", name="Review").click()
    page.get_by_label("Your name").fill("Ana")
    page.get_by_role("button", name="Start reviewing").click()
    page.get_by_role("button", name="Accept").click()
    expect(page.get_by_text(f"Tile {tile}: landslide")).to_be_visible()
    assert Review.of(run).state().loc[tile, ["label", "reviewer"]].tolist() == ["landslide", "Ana"]

    page.get_by_role("link", name="Export").click()
    package = page.locator("[data-testid=stVerticalBlock]").filter(
        has=page.get_by_text("GeoPackage", exact=True)
    )
    package.last.get_by_role("button", name="Make").click()
    link = package.last.get_by_role("link")
    expect(link).to_contain_text("MB")
    with page.expect_download() as caught:
        link.click()
    assert caught.value.suggested_filename == "quake-tiles.gpkg"
    found = geopandas.read_file(io.BytesIO(Path(caught.value.path()).read_bytes()), layer="tiles")
    said = found.set_index("tile_id").loc[tile]
    assert said[["verdict", "corrected", "reviewed_by"]].tolist() == [
        "landslide",
        "landslide",
        "Ana",
    ]

    page.reload()
    expect(page.get_by_text("1 tile is reviewed")).to_be_visible()
    page.goto(f"{server.address}/detect?run=quake&tile={tile}")
    drawn_map(page, len(run.tiles))
    expect(page.get_by_text(f"Tile {tile}", exact=True)).to_be_visible()
    page.goto(f"{server.address}/review?run=quake&tile={tile}")
    expect(page.get_by_text("Ana").first).to_be_visible()
