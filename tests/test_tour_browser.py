"""The tour and old links in a real browser: arrow keys, the address, pictures that are there."""

from collections.abc import Iterator

import pytest
from browsing import AT_REST, CHROMIUM, MISSING, ROOT, WAIT, Server
from playwright.sync_api import Browser, Page, expect
from tiny import write_tiny_run

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=MISSING)
expect.set_options(timeout=WAIT)
APP = """
from pathlib import Path
import streamlit as st
from pages.parts import state
state.SAMPLE = Path(__file__).parent / "scene"
app = st.App("{navigation}")
"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The app under a base path, the small scene in place of the sample."""
    home = tmp_path_factory.mktemp("tour")
    write_tiny_run(home)
    (home / "app.py").write_text(APP.format(navigation=ROOT / "pages" / "navigation.py"))
    settings = {"PYTHONPATH": str(ROOT), "STREAMLIT_SERVER_FILE_WATCHER_TYPE": "none"}
    server = Server(home, "slides", str(home / "app.py"), **settings)
    yield server.address
    server.stop()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1024, "height": 768})
    opened = context.new_page()
    opened.set_default_timeout(WAIT)
    yield opened
    context.close()


def title(page: Page, words: str) -> None:
    expect(page.get_by_role("heading", level=1)).to_contain_text(words)


def press(page: Page, key: str) -> None:
    """Press a key once the step is drawn; nobody listens earlier."""
    page.wait_for_function(AT_REST)
    page.keyboard.press(key)


def test_an_old_link_shows_its_run_and_tile(page: Page, address: str) -> None:
    page.goto(f"{address}/?run=tiny&tile=12")
    title(page, "Detection")
    expect(page.get_by_text("Tile 12", exact=True)).to_be_visible()
    assert page.url == f"{address}/detect?run=tiny&tile=12"
    page.get_by_role("link", name="Start").click()
    title(page, "Landslide detection")  # and not back again
    page.get_by_role("button", name="Take the tour").click()
    title(page, "Where did")


def test_arrow_keys_walk_and_the_address_keeps_the_step(page: Page, address: str) -> None:
    page.goto(f"{address}/tour")
    title(page, "Where did")
    expect(page.get_by_test_id("stMain").locator("img")).to_have_count(1)
    press(page, "ArrowRight")
    title(page, "from above")
    pictures = page.get_by_test_id("stMain").locator("img")
    expect(pictures).to_have_count(4)
    page.wait_for_function(
        "() => [...document.querySelectorAll('[data-testid=stMain] img')]"
        ".every(img => img.complete && img.naturalWidth >= 400)"
    )
    first = pictures.first.get_attribute("src")
    press(page, "o")
    expect(pictures.first).not_to_have_attribute("src", first or "")
    page.get_by_role("button", name="Show the outlines").click()
    expect(page.get_by_role("button", name="Hide the outlines")).to_be_visible()
    press(page, "ArrowRight")  # wherever the focus is
    title(page, "What radar sees")
    assert page.url == f"{address}/tour?step=3"
    page.reload()
    title(page, "What radar sees")
    press(page, "ArrowLeft")
    title(page, "from above")
