"""The start page: empty, with runs and failing; old links; every page's place in the navigation."""

import json
import re
import shutil
from pathlib import Path

import pytest
from paging import PAGES, bars, button, claimed, open_page, quiet, texts
from streamlit.testing.v1 import AppTest

from landslide_core.folder import Run, open_run
from landslide_core.plan import RunOptions
from landslide_core.review.review import Review
from pages.parts.run import jobs, latest


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, str] | None]]:
    """Pages that were switched to, and what was put into their address."""
    seen: list[tuple[str, dict[str, str] | None]] = []

    def switch(page: str, query_params: dict[str, str] | None = None) -> None:
        seen.append((page, query_params))

    monkeypatch.setattr("streamlit.switch_page", switch)
    return seen


def opener(page: AppTest, run: str) -> object:
    return next(b for b in page.button if b.key == f"open {run}")


def test_without_runs_it_says_how_to_begin(home: Path) -> None:
    page = quiet(open_page("start"))
    assert "There is no run yet" in texts(page)
    assert {b.label for b in page.button} == {"Bring in files", "Find scenes", "Take the tour"}


@pytest.mark.parametrize(
    ("label", "leads_to"),
    [("Bring in files", "scene.py"), ("Find scenes", "find.py"), ("Take the tour", "tour.py")],
)
def test_three_ways_lead_on(home: Path, opened: list, label: str, leads_to: str) -> None:
    button(open_page("start"), label).click().run()
    assert opened == [(leads_to, None)]
    assert (PAGES / leads_to).is_file()


def test_a_run_is_told_in_figures(with_run: Path, made: Run, opened: list) -> None:
    tiles = [int(tile) for tile in made.tiles["tile_id"]]
    review = Review.of(open_run(with_run / "tiny"))
    for tile in tiles[:5]:
        review.relabel(tile, "A. Analyst", "stable")
    page = quiet(open_page("start"))
    said = [element.value for element in page.markdown]
    alarms = int((made.tiles["verdict"] == "landslide").sum())
    at = said.index(latest.made(made.meta))
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", said[at])
    assert said[at + 1 : at + 4] == [str(len(tiles)), str(alarms), f"{500 / len(tiles):.2g} %"]
    assert "simulated" in opener(page, "tiny").label
    opener(page, "tiny").click().run()
    assert opened == [("detect.py", None)]
    assert page.session_state["run"] == "tiny"


def test_a_damaged_run_stands_beside_the_others(with_run: Path) -> None:
    shutil.copytree(with_run / "tiny", with_run / "broken")
    (with_run / "broken" / "tiles.parquet").write_bytes(b"PAR1")
    page = quiet(open_page("start"))
    assert "does not read" in page.error[0].value
    assert opener(page, "tiny")


def test_only_the_latest_are_listed(with_run: Path) -> None:
    for number in range(latest.MOST + 1):
        shutil.copytree(with_run / "tiny", with_run / f"copy-{number}")
    page = quiet(open_page("start"))
    assert len([b for b in page.button if str(b.key).startswith("open ")]) == latest.MOST
    assert "And 2 older ones" in texts(page)


def test_a_name_is_no_markup(with_run: Path) -> None:
    (with_run / "tiny").rename(with_run / "a*b*[c](d)")
    [found] = [b for b in quiet(open_page("start")).button if str(b.key).startswith("open ")]
    assert found.label.startswith(r"a\*b\*\[c\]\(d\)")


def test_a_time_that_is_none_is_told_as_written() -> None:
    assert latest.made({"created": "yesterday"}) == "yesterday"
    assert latest.made({"created": "2026-11-23T01:50:45+01:00"}) == "2026-11-23 00:50 UTC"


def test_jobs_under_way_are_shown(home: Path, made: Run) -> None:
    jobs.start(made.inputs(), RunOptions(made.bundle_path), home / "coming")
    claimed(jobs.queue_of(home))
    assert ["Run coming" in bar for bar in bars(quiet(open_page("start")))] == [True]


def test_an_old_link_leads_to_its_run(with_run: Path, opened: list) -> None:
    open_page("start", run="tiny")
    open_page("start", run="gone", tile="7")
    open_page("start", run="tiny", tile="<b>")
    assert opened == [
        ("detect.py", {"run": "tiny"}),
        ("detect.py", {"run": "gone", "tile": "7"}),
        ("detect.py", {"run": "tiny"}),
    ]


def test_a_record_without_its_figures_is_told(with_run: Path) -> None:
    record = with_run / "tiny" / "run.json"
    meta = json.loads(record.read_text())
    del meta["created"]
    record.write_text(json.dumps(meta))
    assert "lacks created" in quiet(open_page("start")).error[0].value
