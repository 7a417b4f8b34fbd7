"""The Detection page: empty, loaded and failing; its map."""

import shutil
from pathlib import Path

import pytest
from paging import PAGES, bars, button, claimed, new_run, open_page, quiet, texts, wait_for_jobs
from streamlit.testing.v1 import AppTest

from landslide_core.detect import VERDICTS
from landslide_core.folder import Run, open_run
from landslide_core.jobs import Queue
from pages.parts import map


class TestDetection:
    def test_empty(self, home: Path) -> None:
        page = quiet(open_page("detect"))
        assert "Choose a scene first" in texts(page)
        assert not page.metric

    def test_no_bundle(self, home: Path, made: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LANDSLIDE_MODELS", str(home / "models"))
        page = AppTest.from_file(PAGES / "detect.py", default_timeout=60)
        page.session_state["scene"] = (made.inputs(), "tiny")
        assert "no model bundle" in texts(quiet(page.run()))

    def test_loaded(self, with_run: Path) -> None:
        page = quiet(open_page("detect"))
        assert "Simulated data" in page.title[0].value
        assert [m.label for m in page.metric] == [
            "Landslide",
            "Uncertain",
            "Stable",
            "Filtered out",
            "No data",
        ]
        assert sum(int(m.value) for m in page.metric) == 25
        chances = page.dataframe[0].value["probability"].dropna()
        assert chances.is_monotonic_decreasing
        assert page.query_params["run"] == "tiny"
        for way in ("verdict", "spread"):
            page.segmented_control[0].set_value(way).run()
            quiet(page)

    def test_running_the_detector(self, home: Path, made: Run, real_workers: None) -> None:
        page = new_run(made, "../my run")
        assert page.query_params["run"] == "my-run"
        assert not page.error
        wait_for_jobs(home)
        quiet(page.run())
        assert (home / "my-run" / "run.json").is_file()
        assert page.query_params["run"] == "my-run"
        assert len(page.metric) == 5

    def test_a_taken_name_is_refused(self, with_run: Path, made: Run) -> None:
        page = AppTest.from_file(PAGES / "detect.py", default_timeout=60)
        page.session_state["scene"] = (made.inputs(), "tiny")
        page.run()
        page.text_input[0].set_value("tiny")
        page.button[0].click().run()
        assert "exists already" in quiet(page).error[0].value

    def test_a_refresh_finds_what_is_under_way(self, with_run: Path, made: Run) -> None:
        page = new_run(made, "first")
        queue = Queue(with_run / ".jobs")
        (job,) = queue.jobs()
        assert job.inputs == made.inputs()
        assert "Run first — Waiting for its turn" in bars(page)[0]
        job = claimed(queue)
        queue.beat(job, ("checksums", 2, 6), 0.0)
        assert "Reading the files" in bars(page.run())[0]
        queue.beat(job, ("detect", 7, 25), 1.5)
        again = quiet(open_page("detect", run="first"))  # another session: nothing but the address
        assert bars(again) == ["Run first — Judging tiles: 7 of 25, 1.5 a second, 12 s left"]
        assert not again.error
        assert not again.metric
        assert again.selectbox[0].options == ["tiny"]  # to look at meanwhile
        assert not quiet(open_page("decisions", run="first")).error
        shutil.copytree(made.folder, with_run / "first")
        queue.finish(job, "done")
        assert len(quiet(again.run()).metric) == 5
        assert not bars(again)

    def test_a_second_run_waits(self, home: Path, made: Run) -> None:
        new_run(made, "first")
        claimed(Queue(home / ".jobs"))
        page = new_run(made, "second")
        assert ["first — Reading" in bar for bar in bars(page)] == [True, False]
        assert "Run second — Waiting for its turn" in bars(page)[1]
        page = new_run(made, "second")
        assert "which is queued. Choose another name" in page.error[0].value

    def test_cancelling_and_going_on(self, home: Path, made: Run, workers: list[Path]) -> None:
        page = new_run(made, "first")
        queue = Queue(home / ".jobs")
        job = claimed(queue)
        button(page, "Cancel").click().run()
        assert queue.get(job.id).cancelling
        assert "Stopping" in bars(page)[0]
        assert button(page, "Cancel").disabled
        queue.finish(job, "cancelled")
        page.run()
        assert "Run first was cancelled" in texts(quiet(page))
        assert not bars(page)
        workers.clear()
        button(page, "Retry").click().run()
        assert "Waiting for its turn" in bars(quiet(page))[0]
        assert set(workers) == {queue.folder}
        button(page, "Cancel").click().run()  # it waits: cancelled at once
        assert "Run first was cancelled" in texts(quiet(page))

    def test_a_run_that_fails_says_why(self, home: Path, made: Run) -> None:
        page = new_run(made, "first")
        queue = Queue(home / ".jobs")
        job = claimed(queue)
        queue.begin(job)
        job.out.mkdir()
        (job.out / "plan.json").write_text("{}")
        queue.log(job.id).write_text("Judging tiles\nFailed: The disk is full_of_it.\n")
        queue.finish(job, "failed", "The disk is full_of_it. Free some.")
        assert [e.value for e in quiet(page.run()).error] == [
            "Run first was not made. The disk is full\\_of\\_it. Free some."
        ]
        assert page.code[0].value.splitlines()[1] == "Failed: The disk is full_of_it."
        button(page, "Forget").click().run()
        assert not quiet(page).error
        assert "run" not in page.query_params
        assert queue.jobs() == []
        assert not job.out.exists()  # nobody would find what was done of it
        assert not queue.log(job.id).exists()

    def test_what_others_made_is_never_forgotten(self, home: Path, made: Run) -> None:
        page = new_run(made, "first")
        shutil.copytree(made.folder, home / "first")  # from the command line, meanwhile
        queue = Queue(home / ".jobs")
        queue.finish(claimed(queue), "failed", "It exists already.")
        button(page.run(), "Forget").click().run()
        assert open_run(home / "first")
        assert queue.jobs() == []

    def test_a_worker_that_died_is_replaced(
        self, home: Path, made: Run, workers: list[Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        page = new_run(made, "first")
        claimed(Queue(home / ".jobs"))
        workers.clear()
        assert bars(quiet(open_page("detect"))) == ["Run first — Reading the files …"]
        assert not workers
        monkeypatch.setattr("landslide_core.jobs.STALE", 0.0)
        quiet(page.run())
        assert "Waiting for its turn" in bars(page)[0]
        assert set(workers) == {home / ".jobs"}

    def test_a_damaged_queue_hides_no_run(self, with_run: Path) -> None:
        (with_run / ".jobs").mkdir()
        (with_run / ".jobs" / "queue.sqlite").write_bytes(b"no database at all" * 99)
        page = quiet(open_page("detect"))
        assert "is no queue" in page.error[0].value
        assert len(page.metric) == 5

    @pytest.mark.parametrize("name", ["gone", "..", "../../etc", "`[a](http://b)` ![c](d)"])
    @pytest.mark.parametrize("which", ["detect", "decisions"])
    def test_unknown_run(self, with_run: Path, which: str, name: str) -> None:
        page = quiet(open_page(which, run=name))
        said = page.error[0].value
        assert said.startswith("There is no run `")
        assert said.count("`") == 2  # all that was asked for is between them
        if which == "detect":
            assert page.selectbox[0].options == ["tiny"]  # and another can be chosen

    def test_damaged_run(self, with_run: Path) -> None:
        (with_run / "tiny" / "tiles.parquet").write_bytes(b"PAR1 no more")
        page = quiet(open_page("detect"))
        assert "does not read" in page.error[0].value


def test_past_1500_tiles_the_dropped_ones_are_left_out(made: Run) -> None:
    frame = made.tiles.sample(map.MOST_DRAWN + 1, replace=True, random_state=0)
    assert len(map.drawn(made.tiles)) == len(made.tiles)
    assert set(map.drawn(frame)["verdict"]) <= {"landslide", "uncertain", "stable"}


def test_the_gravest_tiles_are_drawn_last(made: Run) -> None:
    mixed = made.tiles.assign(verdict=(["landslide", "stable", "uncertain"] * 9)[: len(made.tiles)])
    order = [VERDICTS.index(verdict) for verdict in map.drawn(mixed)["verdict"]]
    assert order == sorted(order)
    assert len(order) == len(mixed)


def test_a_masked_landslide_is_drawn_with_dots_and_says_so(made: Run) -> None:
    row = next(iter(made.tiles.to_dict("records")))
    alarm = row | {"verdict": "landslide", "alarm": True}
    flat = row | {"verdict": "landslide", "alarm": False}
    look = map.Look("probability", 0.5, None, False)
    drawn, dotted = (map._feature(r, False)["properties"] for r in (alarm, flat))
    assert "dashArray" not in map._style(drawn, look)
    assert map._style(dotted, look)["dashArray"] == "1 5"
    assert dotted["says"] == "Landslide, no alarm: flat ground"
