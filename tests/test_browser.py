"""What only a browser shows of single pages: figures, dialogs, a table that is edited."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import rasterio
from browsing import AT_REST, CHROMIUM, MISSING, WAIT, Server
from playwright.sync_api import Browser, Page, expect

from landslide_core.folder import Run
from landslide_core.manifest import CARD_TEXT

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=MISSING)
expect.set_options(timeout=WAIT)
ROW, HEAD, ROLE = 35, 35, 330  # pixels: of a table's row, above the first, to the roles' middle


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


@pytest.fixture(scope="module")
def address(home: Path) -> Iterator[str]:
    """`streamlit run app.py` on a free port."""
    server = Server(home)
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


def test_the_model_card_shows_its_figures(page: Page, address: str) -> None:
    page.goto(f"{address}/model_card")
    page.get_by_role("combobox").click()
    page.get_by_role("option", name="drawn").click()
    expect(page.get_by_role("heading", name="Model card: drawn")).to_be_visible()
    picture = page.locator("[data-testid='stMain'] img")
    expect(picture).to_have_count(1)
    picture.evaluate("image => image.decode()")  # fails where the browser cannot draw it
    assert picture.evaluate("image => image.naturalWidth") == 90


def test_bands_without_names_are_named_in_a_dialog(
    page: Page, address: str, home: Path, tmp_path: Path
) -> None:
    with rasterio.open(home / "scene" / "s2.tif") as file:
        profile, pixels = file.profile, file.read()
    with rasterio.open(tmp_path / "s2.tif", "w", **profile) as file:
        file.write(pixels)
    page.goto(f"{address}/scene")
    page.get_by_text("Upload", exact=True).click()
    expect(page.get_by_text("Drop Sentinel-2 from after")).to_be_visible()
    page.wait_for_function(AT_REST)
    page.locator("input.files").set_input_files(tmp_path / "s2.tif")
    expect(page.get_by_text("4 bands without known names")).to_be_visible()
    page.wait_for_function(AT_REST)  # a button that is drawn anew just then loses its click
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
    field = page.get_by_label("Sentinel-2 band names", exact=True)
    expect(field).to_have_value("B02,B03,B04,B08")


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
    page.wait_for_function("location.search.includes('roles=')")
    page.reload()
    expect(page.get_by_text("1 left out, 1 corrected by you.")).to_be_visible()
    page.wait_for_function(AT_REST)
    page.get_by_text("Undo corrections").click()
    expect(page.get_by_text("6 of 6 files have a role.")).to_be_visible()
