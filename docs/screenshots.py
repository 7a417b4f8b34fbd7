"""Pictures of every page for docs/images: light and dark, at 1440 and 1024 pixels.

    make screenshots

Runs the app on the sample's run in a real browser (Debian's chromium); the run is made first
where `make demo` has not.
"""

import io
import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, sleep
from typing import Final

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from landslide_core.folder import open_run
from landslide_core.lock import owner
from landslide_core.review.order import queue
from landslide_core.review.review import Review

ROOT: Final = Path(__file__).parents[1]
IMAGES: Final = ROOT / "docs" / "images"
RUN: Final = ROOT / "runs" / "sample"
WIDTHS: Final = (1440, 1024)
SCHEMES: Final = ("light", "dark")
HEIGHT: Final = 1000
ARGUMENTS: Final = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic")
PATIENCE: Final = 60_000  # ms


def sharp(page: Page) -> None:
    """Wait for the map's own pictures, which are made once, in a process beside the app."""
    frame = page.frame_locator("iframe[title^='Map of']")
    frame.locator("img.leaflet-tile-loaded").nth(5).wait_for(timeout=PATIENCE)


def named(page: Page) -> None:
    """Say who reviews."""
    page.get_by_label("Your name").fill("A. Analyst")
    page.get_by_role("button", name="Start reviewing").click()


# A page's name -> its address, and what to do before the picture is taken.
PAGES: Final[dict[str, tuple[str, Callable[[Page], None] | None]]] = {
    "start": ("", None),
    "tour": ("tour?step=3", None),
    "scene": ("scene", None),
    "find": ("find", None),
    "detection": ("detect?run=sample", sharp),
    "decision": ("decisions?run=sample&tile={tile}", None),
    "review": ("review?run=sample", named),
    "export": ("export?run=sample", None),
    "model": ("model_card", None),
}


def main() -> None:
    """Take all pictures, or those of the pages named."""
    wanted = sys.argv[1:] or list(PAGES)
    with TemporaryDirectory() as home, server(Path(home)) as address, sync_playwright() as play:
        tile = str(prepare(Path(home)))
        browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
        IMAGES.mkdir(exist_ok=True)
        for scheme in SCHEMES:
            for width in WIDTHS:
                context = browser.new_context(
                    viewport={"width": width, "height": HEIGHT}, color_scheme=scheme
                )
                for name in wanted:
                    page = context.new_page()
                    path, act = PAGES[name]
                    page.goto(f"{address}/{path.format(tile=tile)}")
                    settle(page)
                    if act:
                        act(page)
                        settle(page)
                    save(page, IMAGES / f"{name}-{scheme}-{width}.webp")
                    page.close()
                context.close()
        browser.close()


def prepare(home: Path) -> int:
    """Put the sample's run where the server looks, reviewed in part; the tile to explain."""
    shutil.copytree(RUN, home / "sample")
    run = open_run(home / "sample")
    review = Review.of(run)
    first = queue(run, review.state())[:12]
    for number, tile in enumerate(first):
        review.relabel(tile, "A. Analyst", ("landslide", "landslide", "stable")[number % 3])
    return int(run.tiles.loc[run.tiles["verdict"] == "landslide"]["probability"].idxmax())


@contextmanager
def server(home: Path) -> Iterator[str]:
    """The app on a free port."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "app.py", f"--server.port={port}"]
    process = subprocess.Popen(
        [*command, "--server.headless=true"],
        cwd=ROOT,
        env=os.environ | {"LANDSLIDE_RUNS": str(home)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        end = monotonic() + 60
        while monotonic() < end and process.poll() is None:
            try:
                urllib.request.urlopen(f"http://localhost:{port}/_stcore/health", timeout=2)
                break
            except OSError:
                sleep(0.2)
        yield f"http://localhost:{port}"
    finally:
        process.terminate()
        process.wait(20)
        for place in (home / ".jobs").glob("worker-*"):
            if found := owner(place):  # the app's worker outlives the server
                os.kill(found["pid"], signal.SIGTERM)


def settle(page: Page) -> None:
    """Wait until no script runs, nothing spins and every picture has arrived."""
    page.wait_for_selector("[data-testid=stMainBlockContainer]", timeout=PATIENCE)
    calm, end = 0, monotonic() + PATIENCE / 1000
    while calm < 6 and monotonic() < end:
        busy = page.locator(
            "[data-testid=stSpinner], [data-testid=stStatusWidget], [data-stale=true]"
        )
        waiting = page.evaluate(
            "[...document.images].some(image => !image.complete && image.loading !== 'lazy')"
        )
        calm = 0 if busy.count() or waiting else calm + 1
        page.wait_for_timeout(500)


def save(page: Page, path: Path) -> None:
    """What the window shows, as WebP."""
    with Image.open(io.BytesIO(page.screenshot())) as picture:
        picture.convert("RGB").save(path, "WEBP", quality=80, method=6)


if __name__ == "__main__":
    main()
