"""The Scene page in a real browser: a role corrected in the table, and the correction undone."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from test_browser import CHROMIUM, address, page  # noqa: F401  its server and its page
from tiny import write_tiny_run

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no chromium on the PATH: apt-get install chromium"
)
ROW, HEAD, ROLE = 35, 35, 270  # pixels: of a row, above the first, to the column's middle


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a scene, a bundle and a run."""
    folder = tmp_path_factory.mktemp("scene-browser")
    write_tiny_run(folder)
    return folder


@pytest.mark.parametrize("address", [""], indirect=True)
def test_a_role_is_corrected_and_put_back(page: Page, address: str) -> None:  # noqa: F811
    page.goto(f"{address}/scene")
    page.get_by_text("Server files").click()
    expect(page.get_by_text("296 × 296")).to_be_visible()  # not the sample's any more
    page.wait_for_function(
        """() => document.querySelector("[data-testid='stApp']")
            .getAttribute("data-test-script-state") === 'notRunning'"""
    )
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
