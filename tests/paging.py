"""Opening pages, and reading what they say."""

import asyncio
from collections.abc import MutableMapping
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from starlette.applications import Starlette
from streamlit.testing.v1 import AppTest

from landslide_core.folder import Run
from landslide_core.jobs import Job, Queue, Worker
from landslide_core.judgement import VERDICTS
from pages.parts import routes
from pages.parts.run import jobs

PAGES = Path(__file__).parents[1] / "pages"


def open_page(name: str, **query: str | list[str]) -> AppTest:
    page = AppTest.from_file(PAGES / f"{name}.py", default_timeout=60)
    for key, value in query.items():
        page.query_params[key] = value
    return page.run()


def texts(page: AppTest) -> str:
    kinds = ("title", "info", "error", "warning", "caption", "markdown", "header")
    return "\n".join(str(e.value) for kind in kinds for e in getattr(page, kind))


def new_run(made: Run, name: str) -> AppTest:
    """A session in which the small scene was chosen, and detection was begun."""
    page = AppTest.from_file(PAGES / "detect.py", default_timeout=60)
    page.session_state["scene"] = (made.inputs(), "tiny")
    page.session_state["kept new run"] = True  # as after "Go on to detection"
    page.run()
    page.text_input[0].set_value(name)
    button(page, "Run detection").click().run()
    return quiet(page)


def button(page: AppTest, label: str) -> Any:
    return next(found for found in page.button if found.label == label)


def bars(page: AppTest) -> list[str]:
    """What the progress bars say."""
    return [str(bar.proto.text) for bar in page.get("progress")]


def claimed(queue: Queue) -> Job:
    """The oldest waiting job, given to a worker on another machine."""
    job = queue.claim(Worker("far", 1, "cpu"))
    assert job is not None
    return job


def quiet(page: AppTest) -> AppTest:
    assert not page.exception, page.exception
    return page


def some_tile(run: Run, verdict: str) -> int:
    """A tile with a verdict; "judged" stands for any of the ensemble's."""
    wanted = VERDICTS[2:] if verdict == "judged" else (verdict,)
    return int(run.tiles["tile_id"][run.tiles["verdict"].isin(wanted)].iloc[0])


def wait_for_jobs(folder: Path) -> None:
    """Until no detection is under way any more; failed ones stay."""
    end = monotonic() + 240
    while any(not job.over for job in jobs.listed(folder)):
        assert monotonic() < end
        sleep(0.05)


def get(path: str, base: str = "", query: str = "", **headers: str) -> tuple[int, bytes]:
    """Ask the routes for a path, as a server would: status and body."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        await asyncio.Event().wait()  # the browser never leaves
        raise AssertionError

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(dict(message))

    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "root_path": "",
        "query_string": query.encode(),
        "headers": [(k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()],
    }
    asyncio.run(Starlette(routes=routes.routes(base))(scope, receive, send))
    return sent[0]["status"], b"".join(m.get("body", b"") for m in sent[1:])
