"""Uploads in a real browser: a large file in little memory, broken lines, reloads, folders."""

import hashlib
import os
import re
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Timer
from time import monotonic

import pytest
from browsing import AT_REST, CHROMIUM, MISSING, WAIT, Server
from playwright.sync_api import Browser, Page, Route, expect

from landslide_core.folder import Run

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=MISSING)
MB = 1_000_000
expect.set_options(timeout=WAIT)


def files(server: Server) -> list[Path]:
    """All that was uploaded and is whole."""
    found = (server.home / "runs" / ".uploads").rglob("*")
    return [p for p in found if p.is_file() and "/." not in str(p).split(".uploads", 1)[1]]


@pytest.fixture(scope="module")
def server(made: Run, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("uploading")
    shutil.copytree(made.folder.parents[1], home, dirs_exist_ok=True)
    started = Server(home, "slides")
    yield started
    started.stop()


@pytest.fixture
def page(server: Server, browser: Browser) -> Iterator[Page]:
    """The Scene page, open where files are dropped."""
    shutil.rmtree(server.home / "runs" / ".uploads", ignore_errors=True)
    context = browser.new_context(viewport={"width": 1440, "height": 1400})
    opened = context.new_page()
    opened.set_default_timeout(WAIT)
    open_uploads(opened, server)
    yield opened
    context.close()


def open_uploads(page: Page, server: Server) -> None:
    page.goto(f"{server.address}/scene")
    page.get_by_text("Upload", exact=True).click()
    expect(page.get_by_text("Drop files or folders here")).to_be_visible()


def large(path: Path, size: int) -> str:
    """Write a file of bytes that differ all along; its hash."""
    block, digest = os.urandom(MB), hashlib.sha256()
    with path.open("wb") as file:
        for i in range(size // MB):
            piece = i.to_bytes(8, "big") + block[8:]
            digest.update(piece)
            file.write(piece)
    return digest.hexdigest()


def hash_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def choose(page: Page, *paths: Path) -> None:
    page.locator("input.files").set_input_files(list(paths))


def row(page: Page, name: str, kind: str) -> None:
    """Wait until a file's row has come to a state."""
    expect(page.locator(f".rows li.{kind}", has_text=name)).to_be_visible()


def test_300_mb_in_little_memory(
    page: Page, server: Server, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    digest = large(tmp_path / "large.zip", 300 * MB)
    before, began = server.memory("VmRSS"), monotonic()
    choose(page, tmp_path / "large.zip")
    row(page, "large.zip", "whole")
    took, grown = monotonic() - began, server.memory("VmHWM") - before
    record_property("MB/s", round(300 / took))
    record_property("MB more at the peak", round(grown / MB))
    assert grown < 100 * MB
    assert took < 30
    assert [hash_of(path) for path in files(server)] == [digest]


def test_a_cut_line_a_stopped_server_and_a_reload(
    page: Page, server: Server, tmp_path: Path
) -> None:
    digest = large(tmp_path / "cut.zip", 40 * MB)
    cut: list[int] = []

    def abort_some(route: Route) -> None:
        if route.request.method == "PUT" and (cut.append(1) or len(cut) in (2, 3)):
            route.abort("connectionreset")
        else:
            route.continue_()

    page.route("**/upload/**", abort_some)
    choose(page, tmp_path / "cut.zip")
    expect(page.get_by_text("Trying again in 1 s")).to_be_visible()
    expect(page.get_by_text("Trying again in 2 s")).to_be_visible()
    row(page, "cut.zip", "whole")
    assert [hash_of(path) for path in files(server)] == [digest]
    page.reload()  # a new session of the script; the tab's files are there all the same
    page.get_by_text("Upload", exact=True).click()
    row(page, "cut.zip", "whole")
    assert len(list((server.home / "runs" / ".uploads").iterdir())) == 1
    page.wait_for_function(AT_REST)  # a button that is drawn anew just then loses its click
    page.wait_for_timeout(1000)
    page.wait_for_function(AT_REST)
    page.get_by_role("button", name="Remove cut.zip").click()
    expect(page.locator(".rows li")).to_have_count(0)
    assert files(server) == []


def test_going_on_after_a_restart(page: Page, server: Server, tmp_path: Path) -> None:
    digest = large(tmp_path / "on.zip", 40 * MB)
    refused: list[str] = []
    held = lambda route: (  # noqa: E731
        route.abort()
        if route.request.method == "PUT" and "offset=0" not in route.request.url
        else route.continue_()
    )
    page.route("**/upload/**", held)
    choose(page, tmp_path / "on.zip")
    expect(page.get_by_text("Trying again in 1 s")).to_be_visible()
    server.stop()
    server.start()
    page.unroute("**/upload/**")
    page.on("request", lambda request: refused.append(request.url))
    open_uploads(page, server)  # another page: what was chosen is forgotten
    row(page, "on.zip", "left")
    expect(page.get_by_text("Choose it again to go on")).to_be_visible()
    choose(page, tmp_path / "on.zip")
    row(page, "on.zip", "whole")
    assert not any("offset=0" in url for url in refused)  # the first slice was there
    assert [hash_of(path) for path in files(server)] == [digest]


def test_a_server_that_stands_still(page: Page, server: Server, tmp_path: Path) -> None:
    digest = large(tmp_path / "still.zip", 60 * MB)
    server.process.send_signal(signal.SIGSTOP)
    Timer(2, server.process.send_signal, [signal.SIGCONT]).start()
    choose(page, tmp_path / "still.zip")
    row(page, "still.zip", "whole")
    assert [hash_of(path) for path in files(server)] == [digest]


def test_scene_files_and_a_refusal(page: Page, server: Server, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no raster")
    choose(page, tmp_path / "notes.txt")
    expect(page.get_by_role("alert").get_by_text("notes.txt cannot be used")).to_be_visible()
    choose(page, server.home / "scene" / "s2.tif", server.home / "scene" / "scl.tif")
    row(page, "s2.tif", "whole")
    row(page, "scl.tif", "whole")
    expect(page.get_by_text("Drop Sentinel-2 from after")).to_have_count(0)  # the page knows


def test_a_product_s_folder(page: Page, server: Server, tmp_path: Path) -> None:
    product = tmp_path / "S2A_MSIL2A.SAFE"
    for name in ("GRANULE/L2A/IMG_DATA/B02.jp2", "MTD_MSIL2A.xml", "HTML/index.html"):
        (product / name).parent.mkdir(parents=True, exist_ok=True)
        (product / name).write_bytes(name.encode())
    page.locator("input.folder").set_input_files(product)
    row(page, "S2A_MSIL2A.SAFE", "whole")
    expect(page.get_by_text("1 of 3 files were left out")).to_contain_text("index.html")
    kept = {str(p).split(".SAFE/")[1]: p.read_bytes().decode() for p in files(server)}
    assert kept == {name: name for name in ("GRANULE/L2A/IMG_DATA/B02.jp2", "MTD_MSIL2A.xml")}


def test_files_source_and_day_outlive_a_reload(page: Page, server: Server) -> None:
    choose(page, server.home / "scene" / "s2.tif")
    row(page, "s2.tif", "whole")
    day = page.get_by_role("group", name="Day of the event")
    expect(day).to_contain_text("2021-06-15")  # as its tags say
    page.wait_for_function(AT_REST)
    day.get_by_role("spinbutton").first.click()
    page.keyboard.type("20210620")
    page.keyboard.press("Escape")
    expect(page).to_have_url(re.compile(r"\?source=upload&event=2021-06-20$"))
    page.reload()
    row(page, "s2.tif", "whole")
    expect(day).to_contain_text("2021-06-20")
    expect(page).to_have_url(re.compile(r"\?source=upload&event=2021-06-20$"))


def drop(page: Page, name: str, content: str) -> None:
    """Drop a file that the browser gives no entry for, as some systems' file managers do."""
    page.locator(".drop").evaluate(
        """(place, [name, content]) => {
            const dropped = new DataTransfer();
            dropped.items.add(new File([content], name));
            DataTransferItem.prototype.webkitGetAsEntry = () => null;
            const event = { bubbles: true, cancelable: true, dataTransfer: dropped };
            place.dispatchEvent(new DragEvent("drop", event));
        }""",
        [name, content],
    )


def test_a_drop_without_entries_is_taken_and_what_cannot_be_used_is_marked(
    page: Page, server: Server
) -> None:
    page.wait_for_function(AT_REST)
    drop(page, "cut.tif", "no raster")
    row(page, "cut.tif", "refused")
    expect(page.locator(".rows li", has_text="Cannot be used")).to_be_visible()
    alert = page.get_by_test_id("stAlert").get_by_text("cut.tif cannot be read")
    expect(alert).to_be_visible()
    assert [path.name for path in files(server)] == ["cut.tif"]
    drop(page, "notes.txt", "no raster")
    expect(page.get_by_role("alert").get_by_text("notes.txt cannot be used")).to_be_visible()


def test_all_are_removed_at_once_after_a_second_click(
    page: Page, server: Server, tmp_path: Path
) -> None:
    paths = [tmp_path / f"{name}.zip" for name in "abc"]
    for path in paths:
        path.write_bytes(path.name.encode())
    choose(page, *paths)
    for path in paths:
        row(page, path.name, "whole")
    page.wait_for_function(AT_REST)
    page.wait_for_timeout(1000)
    page.wait_for_function(AT_REST)
    page.get_by_role("button", name="Remove all", exact=True).click()
    page.wait_for_timeout(600)  # a double click is no answer
    assert len(files(server)) == 3
    page.get_by_role("button", name="Really remove all 3?").click()
    expect(page.locator(".rows li")).to_have_count(0)
    expect(page.locator(".remove-all")).to_be_hidden()
    assert files(server) == []
