"""`streamlit run` on a port of its own, for tests in a real browser."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path
from time import monotonic, sleep

from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import Frame, Page

from landslide_core.lock import owner

CHROMIUM = shutil.which("chromium")
ROOT = Path(__file__).parents[1]
ARGUMENTS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
WAIT = 60_000  # ms
MISSING = "no chromium on the PATH: apt-get install chromium"
# True once no script of the page runs.
AT_REST = """() => document.querySelector("[data-testid='stApp']")
    .getAttribute("data-test-script-state") === 'notRunning'"""


class Server:
    """The app over a folder of runs/, models/ and scene/; stopped and begun as often as wanted."""

    def __init__(self, home: Path, base: str = "", script: str = "app.py", **settings: str) -> None:
        with socket.socket() as free:
            free.bind(("localhost", 0))
            self.port = free.getsockname()[1]
        self.home, self.base, self.script = home, base, script
        self.settings = {
            "LANDSLIDE_RUNS": str(home / "runs"),
            "LANDSLIDE_MODELS": str(home / "models"),
            "LANDSLIDE_DATA": str(home / "scene"),
            **settings,
        }
        self.start()

    @property
    def address(self) -> str:
        return f"http://localhost:{self.port}/{self.base}".rstrip("/")

    def start(self) -> None:
        """Begin, and wait until it answers."""
        command = [sys.executable, "-m", "streamlit", "run", self.script, "--server.headless=true"]
        command += [f"--server.port={self.port}", f"--server.baseUrlPath={self.base}"]
        log = self.home / "server.log"
        with log.open("ab") as said:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=os.environ | self.settings, stdout=said, stderr=said
            )
        end = monotonic() + 2 * WAIT / 1000  # a busy machine imports for long
        while monotonic() < end and self.process.poll() is None:
            try:
                urllib.request.urlopen(f"{self.address}/_stcore/health", timeout=2)
            except OSError:
                sleep(0.1)
            else:
                return
        self.kill()
        raise AssertionError(log.read_text())

    def stop(self) -> None:
        """As Ctrl-C does; the app's worker would outlive it."""
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        self.process.wait(60)
        for place in (self.home / "runs" / ".jobs").glob("worker-*"):
            if found := owner(place):
                os.kill(found["pid"], signal.SIGTERM)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(20)

    def memory(self, name: str) -> int:
        """VmRSS or VmHWM, bytes."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


def map_frame(page: Page, tiles: int | None = None) -> Frame:
    """The Detection page's map, once so many tiles, or any, are drawn on it."""
    wanted = (
        "landslide.tiles().length > 0" if tiles is None else f"landslide.tiles().length === {tiles}"
    )
    end = monotonic() + WAIT / 1000
    while True:  # the page may draw the map anew meanwhile, in another frame
        element = page.locator("iframe[title^='Map of']").element_handle()
        frame = element.content_frame() if element else None
        assert frame is not None
        try:
            frame.wait_for_function(f"window.landslide && {wanted}", timeout=WAIT / 4)
        except PlaywrightError:
            assert monotonic() < end
        else:
            return frame
