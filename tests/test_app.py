"""Each page alone: empty, loaded and failing; and the small judgements behind them."""

import asyncio
import json
import shutil
import subprocess
from collections.abc import Iterator, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import numpy as np
import pandas as pd
import pytest
import rasterio
import torch
from starlette.applications import Starlette
from streamlit.testing.v1 import AppTest
from tiny import write_tiny_run

from landslide_core import render
from landslide_core.bundle import CARD_TEXT, load_bundle
from landslide_core.calibration import Calibration
from landslide_core.combinations import COMPLETE
from landslide_core.detect import VERDICTS, read_tiles
from landslide_core.ensemble import cast_votes, heat_map
from landslide_core.errors import RunDamaged
from landslide_core.explain import ErrorRates, TileExplanation, Weighing, explain_tile
from landslide_core.features import LAYERS, STATISTICS, filter_feature_names
from landslide_core.folder import Run, open_run
from landslide_core.grid import Tiling
from landslide_core.jobs import Job, Queue, Worker
from landslide_core.launch import start_worker
from landslide_core.preprocess import model_input
from landslide_core.readers.given import SceneInputs
from landslide_core.readers.inputs import open_scene
from landslide_core.rounds import ORDER
from pages.parts import cached, jobs, map, reasons, sources, state, tiles, uploads, wording
from pages.parts.waterfall import waterfall

PASSES = ("Ascending minus descending, VV after: standard deviation", "−0.5 dB")
PAGES = Path(__file__).parents[1] / "pages"


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A real run of a small simulated scene with an unfitted bundle."""
    return write_tiny_run(tmp_path_factory.mktemp("app"))


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Queues for which a worker was wanted; none is started."""
    wanted: list[Path] = []
    monkeypatch.setattr(jobs, "start_worker", lambda folder, device: wanted.append(folder))
    monkeypatch.setattr("landslide_core.jobs.STALE", 3600.0)  # s that a claimed job's worker lives
    return wanted


@pytest.fixture
def real_workers(workers: list[Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Workers are started; they end with the test."""
    begun: list[subprocess.Popen[bytes]] = []

    def start(folder: Path, device: str) -> None:
        workers.append(folder)
        if process := start_worker(folder, device):
            begun.append(process)

    monkeypatch.setattr(jobs, "start_worker", start)
    yield
    for process in begun:
        process.kill()
        process.wait(20)


@pytest.fixture
def home(made: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: list[Path]) -> Path:
    """A server with the small scene as its sample and its data, a bundle, and no runs."""
    base = made.folder.parents[1]
    monkeypatch.setattr(state, "SAMPLE", base / "scene")
    monkeypatch.setenv("LANDSLIDE_DATA", str(base / "scene"))
    monkeypatch.setenv("LANDSLIDE_MODELS", str(base / "models"))
    monkeypatch.setenv("LANDSLIDE_RUNS", str(tmp_path))
    return tmp_path


@pytest.fixture
def with_run(home: Path, made: Run) -> Path:
    """The same server with one run."""
    shutil.copytree(made.folder, home / "tiny")
    return home


def open_page(name: str, **query: str) -> AppTest:
    page = AppTest.from_file(PAGES / f"{name}.py", default_timeout=60)
    for key, value in query.items():
        page.query_params[key] = value
    return page.run()


def texts(page: AppTest) -> str:
    kinds = ("title", "info", "error", "warning", "caption", "markdown", "subheader")
    return "\n".join(str(e.value) for kind in kinds for e in getattr(page, kind))


def new_run(made: Run, name: str) -> AppTest:
    """A session in which the small scene was chosen, and detection was begun."""
    page = AppTest.from_file(PAGES / "detect.py", default_timeout=60)
    page.session_state["scene"] = (made.inputs(), "tiny")
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


class TestScene:
    def test_sample(self, home: Path) -> None:
        page = quiet(open_page("scene"))
        assert "simulated" in texts(page)
        assert [m.value for m in page.metric[2:]] == ["EPSG:32645, 10 m", "12 of 12"]
        assert page.metric[0].value.endswith(" px")
        found = page.dataframe[0].value
        assert list(found.columns) == ["Files", "Subject", "Found", "Decided"]
        assert len(found) >= 5
        page.segmented_control[1].set_value("Ascending radar").run()
        assert "Change in VH" in texts(quiet(page))

    def test_empty_server_folder(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LANDSLIDE_DATA", str(home / "nothing"))
        page = open_page("scene")
        page.segmented_control[0].set_value("Server files").run()
        assert "LANDSLIDE_DATA" in texts(quiet(page))

    def test_roles_are_guessed_and_can_be_taken_away(self, home: Path) -> None:
        page = open_page("scene")
        page.segmented_control[0].set_value("Server files").run()
        assert page.multiselect[0].value == ["s2.tif", "scl.tif"]
        for box in page.multiselect[1:]:
            box.set_value([])
        page.run()
        assert page.metric[3].value == "4 of 12"
        assert "Missing" in texts(quiet(page))
        page.multiselect[0].set_value([]).run()
        assert "at least one file a role" in texts(quiet(page))

    def test_upload_says_what_to_do(self, home: Path) -> None:
        page = open_page("scene")
        page.segmented_control[0].set_value("Upload").run()
        assert "Drop the Sentinel-2 file" in texts(quiet(page))

    def test_uploads_of_one_name_are_kept_apart(self, home: Path, made: Run) -> None:
        def sent(name: str, path: str) -> tuple[str, bytes, str]:
            return name, (made.folder.parents[1] / "scene" / path).read_bytes(), "image/tiff"

        page = open_page("scene")
        page.segmented_control[0].set_value("Upload").run()
        files = [sent("s2.tif", "s2.tif"), sent("scl.tif", "scl.tif")]
        files += [sent("radar.tif", "s1_asc_pre.tif"), sent("radar.tif", "s1_asc_post.tif")]
        page.file_uploader[0].set_value(files).run()
        quiet(page)
        assert page.multiselect[0].value == ["s2.tif", "scl.tif"]
        boxes = {box.label: box for box in page.multiselect}
        assert "radar.tif (2)" in boxes["Sentinel-1 ascending, before"].options
        boxes["Sentinel-1 ascending, before"].set_value(["radar.tif (1)"])
        boxes["Sentinel-1 ascending, after"].set_value(["radar.tif (2)"]).run()
        assert page.metric[3].value == "8 of 12"
        inputs, _ = page.session_state["scene"]
        assert [len({path.parent for path in inputs.s2}), len(inputs.s2)] == [1, 2]
        scene = made.folder.parents[1] / "scene"
        assert inputs.asc_pre[0].read_bytes() == (scene / "s1_asc_pre.tif").read_bytes()
        assert inputs.asc_post[0].read_bytes() == (scene / "s1_asc_post.tif").read_bytes()

    def test_reading_options(self, home: Path) -> None:
        page = open_page("scene")
        page.text_input[0].set_value("B02 B03,B04; B08")
        numbers = {box.label: box for box in page.number_input}
        numbers["Sentinel-2 offset (--s2-offset)"].set_value(-1000.0)
        numbers["Cloud reaches farther by (m)"].set_value(60)
        page.date_input[0].set_value(date(2015, 4, 25))
        page.selectbox[0].set_value(5).run()
        quiet(page)
        inputs, _ = page.session_state["scene"]
        assert inputs.s2_bands == ("B02", "B03", "B04", "B08")
        assert inputs.s2_offset == -1000
        assert inputs.event == date(2015, 4, 25)
        assert (inputs.cloud_dilation, inputs.speckle) == (60, 5)
        found = page.dataframe[0].value["Found"]
        assert any("the offset was given" in text for text in found)
        page.text_input[0].set_value("B02").run()
        assert "--s2-bands" in quiet(page).error[0].value

    def test_bands_without_names_can_be_named(
        self, home: Path, made: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = home / "unnamed"
        folder.mkdir()
        with rasterio.open(made.folder.parents[1] / "scene" / "s2.tif") as file:
            profile, pixels = file.profile, file.read()
        with rasterio.open(folder / "s2.tif", "w", **profile) as file:
            file.write(pixels)
        monkeypatch.setenv("LANDSLIDE_DATA", str(folder))
        page = open_page("scene")
        page.segmented_control[0].set_value("Server files").run()
        assert "without known names" in quiet(page).error[0].value
        button(page, "Say which band is which").click().run()
        assert button(page, "Use these").disabled

    def test_broken_file(self, home: Path, made: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        folder = home / "broken"
        folder.mkdir()
        whole = (made.folder.parents[1] / "scene" / "s2.tif").read_bytes()
        (folder / "s2.tif").write_bytes(whole[:2000])
        monkeypatch.setenv("LANDSLIDE_DATA", str(folder))
        page = open_page("scene")
        page.segmented_control[0].set_value("Server files").run()
        quiet(page)
        assert len(page.error) == 1
        assert "s2.tif" in page.error[0].value


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


class TestDecision:
    def test_empty(self, home: Path) -> None:
        page = quiet(open_page("decisions"))
        assert "no run yet" in texts(page)

    def test_loaded(self, with_run: Path) -> None:
        page = quiet(open_page("decisions", run="tiny", tile="7"))
        assert page.number_input[0].value == 7
        assert page.query_params["tile"] == "7"
        assert "Simulated data" in page.title[0].value
        shown = texts(page)
        for heading in (
            "What the satellites saw",
            "How the probability came about",
            "Where in the tile",
            "What the filter made of it",
            "What the ensemble voted",
        ):
            assert heading in shown
        assert "2 members looked at the tile 8 ways each" in shown

    def test_stepping_through_tiles(self, with_run: Path) -> None:
        page = open_page("decisions", run="tiny")
        assert page.button[0].disabled  # nothing is more probable than the first
        first = page.number_input[0].value
        page.button[1].click().run()
        assert quiet(page).number_input[0].value != first
        page.button[0].click().run()
        assert quiet(page).number_input[0].value == first

    def test_a_tile_that_is_not_there(self, with_run: Path) -> None:
        page = quiet(open_page("decisions", run="tiny", tile="9999"))
        assert page.number_input[0].value < 25

    def test_bundle_gone(self, with_run: Path) -> None:
        record = with_run / "tiny" / "run.json"
        record.write_text(record.read_text().replace("models/default", "models/away"))
        page = quiet(open_page("decisions", run="tiny"))
        assert "models/away" in page.error[0].value

    def test_changed_inputs(self, with_run: Path) -> None:
        record = with_run / "tiny" / "run.json"
        meta = json.loads(record.read_text())
        meta["inputs"][0]["bytes"] += 1
        record.write_text(json.dumps(meta))
        page = quiet(open_page("decisions", run="tiny"))
        assert "has changed since the run was made" in page.error[0].value
        page = quiet(open_page("detect", run="tiny"))
        assert "has changed since the run was made" in page.warning[0].value
        assert page.selectbox[0].options == ["None"]  # backgrounds
        assert get("/overlay/tiny/true-colour.webp")[0] == 404


class TestExplanation:
    def test_inputs_gone(self, made: Run) -> None:
        gone = [{**made.meta["inputs"][0], "path": "/nowhere/s2.tif"}]
        with pytest.raises(RunDamaged, match="is not there any more"):
            explain_tile(Run(made.folder, {**made.meta, "inputs": gone}), 1)

    @pytest.mark.parametrize("verdict", ["judged", "filtered_out"])
    def test_its_parts_make_the_votes_of_the_ensemble(self, made: Run, verdict: str) -> None:
        """Also those that were never cast, as the filter dropped the tile."""
        tile = some_tile(made, verdict)
        why = explain_tile(made, tile)
        bundle, scene = load_bundle(made.bundle_path), open_scene(made.inputs())
        tiling = Tiling(scene.grid.height, scene.grid.width, made.meta["stride"])
        inputs = model_input(*read_tiles(scene, [tiling.window(*divmod(tile, tiling.cols))]))
        cpu = torch.device("cpu")
        np.testing.assert_allclose(
            why.votes, cast_votes(bundle.members, inputs, cpu).votes[0], atol=1e-5
        )
        np.testing.assert_allclose(why.heat, heat_map(bundle.members, inputs, cpu)[0], atol=1e-5)
        assert np.ptp(why.picture, axis=1).min() > 0  # views differ in the picture alone

    def test_it_adds_up_to_the_run_s_probability(self, made: Run) -> None:
        tile = some_tile(made, "judged")
        why, row = explain_tile(made, tile), made.tiles.set_index("tile_id").loc[tile]
        assert why.weighing is not None
        assert why.weighing.combination == why.weighing.calibrated_for == COMPLETE
        assert why.weighing.probability == pytest.approx(row["probability"], abs=1e-5)
        assert why.says_landslide == row["says_landslide"] == (row["probability"] >= 0.5)
        asked = list(ORDER[: row["votes_cast"] // len(why.votes)])
        assert why.votes[0, asked].mean() == pytest.approx(row["member_00"], abs=1e-5)

    def test_a_dropped_tile_keeps_the_filter_s_score(self, made: Run) -> None:
        why = explain_tile(made, some_tile(made, "filtered_out"))
        assert why.probability == pytest.approx(why.filter_score, abs=1e-6)
        assert why.filter_score < why.filter_threshold
        assert not why.says_landslide
        assert why.weighing is not None
        assert why.weighing.probability != pytest.approx(why.probability, abs=1e-4)

    def test_without_data_nothing_is_weighed(self, with_run: Path) -> None:
        table = with_run / "tiny" / "tiles.parquet"
        open_run(with_run / "tiny").tiles.assign(verdict="no_data").to_parquet(table)
        why = explain_tile(open_run(with_run / "tiny"), 3)
        assert why.weighing is None
        assert np.isnan(why.votes).all()
        assert np.isnan(why.heat).all()
        shown = texts(quiet(open_page("decisions", run="tiny", tile="3")))
        assert "What the satellites saw" in shown
        assert "How the probability came about" not in shown

    def test_a_run_of_an_earlier_version_is_refused(self, with_run: Path) -> None:
        table = with_run / "tiny" / "tiles.parquet"
        open_run(with_run / "tiny").tiles.drop(columns="votes_cast").to_parquet(table)
        with pytest.raises(RunDamaged, match="an earlier version wrote it"):
            explain_tile(open_run(with_run / "tiny"), 3)
        for name in ("detect", "decisions"):
            page = quiet(open_page(name, run="tiny"))
            assert "Run the detection again" in page.error[0].value
            assert not page.metric


def some_tile(run: Run, verdict: str) -> int:
    """A tile with a verdict; "judged" stands for any of the ensemble's."""
    wanted = VERDICTS[2:] if verdict == "judged" else (verdict,)
    return int(run.tiles["tile_id"][run.tiles["verdict"].isin(wanted)].iloc[0])


class TestModelCard:
    @pytest.fixture
    def models(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.setenv("LANDSLIDE_MODELS", str(home / "models"))
        (home / "models").mkdir()
        return home / "models"

    def test_no_model(self, models: Path) -> None:
        assert "landslide train" in texts(quiet(open_page("model_card")))

    def test_no_card(self, models: Path) -> None:
        (models / "mine").mkdir()
        said = texts(quiet(open_page("model_card")))
        assert f"`mine` has no card ({CARD_TEXT})" in said

    def test_text_and_figures_take_turns(self, models: Path) -> None:
        (models / "mine").mkdir()
        text = "# Model card: mine\n\nBefore.\n\n![There](one.svg)\n\nAfter.\n![Not](two.svg)\n"
        (models / "mine" / CARD_TEXT).write_text(text)
        (models / "mine" / "one.svg").write_text(
            '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"></svg>'
        )
        page = quiet(open_page("model_card"))
        assert [title.value for title in page.title] == ["Model card: mine"]
        inner = [m.value.strip() for m in page.markdown]
        assert [part for part in inner if part] == ["Before.", "After."]
        assert len(page.get("image")) == 1
        assert [c.value for c in page.caption[1:]] == ["The figure two.svg is missing: Not."]

    def test_one_of_several(self, models: Path) -> None:
        for name in ("default", "other"):
            (models / name).mkdir()
            (models / name / CARD_TEXT).write_text(f"Of {name}.")
        page = quiet(open_page("model_card"))
        assert "Of default." in texts(page)
        page.selectbox[0].set_value(models / "other").run()
        assert "Of other." in texts(quiet(page))


def wait_for_jobs(folder: Path) -> None:
    """Until no detection is under way any more; failed ones stay."""
    end = monotonic() + 240
    while any(not job.over for job in jobs.listed(folder)):
        assert monotonic() < end
        sleep(0.05)


def get(path: str, base: str = "") -> tuple[int, bytes]:
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
        "query_string": b"",
        "headers": [],
    }
    asyncio.run(Starlette(routes=tiles.routes(base))(scope, receive, send))
    return sent[0]["status"], b"".join(m.get("body", b"") for m in sent[1:])


class TestRoutes:
    @pytest.mark.parametrize("base", ["", "slides/app"])
    def test_leaflet_and_overlay(self, with_run: Path, base: str) -> None:
        root = f"/{base}" if base else ""
        status, body = get(f"{root}/leaflet/leaflet.js", base)
        assert (status, body[:12]) == (200, b"/* @preserve")
        status, body = get(f"{root}/overlay/tiny/true-colour.webp", base)
        assert (status, body[8:12]) == (200, b"WEBP")

    def test_all_backgrounds(self, with_run: Path) -> None:
        whole = open_run(with_run / "tiny")
        assert cached.backgrounds(whole) == list(cached.PICTURES)
        lacking = Run(whole.folder, {**whole.meta, "missing_bands": ["nir", "desc_vh_pre"]})
        assert cached.backgrounds(lacking) == ["true-colour", "desc-post", "asc-post", "asc-pre"]
        assert get("/overlay/tiny/asc-pre.webp")[0] == 200

    def test_a_picture_asked_for_twice_is_made_once(
        self, with_run: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made: list[int] = []
        overview = render.overview

        def counted(*given: Any) -> render.Overview:
            made.append(1)
            return overview(*given)

        monkeypatch.setattr(render, "overview", counted)
        with ThreadPoolExecutor(3) as pool:
            pictures = list(pool.map(lambda _: cached.overlay("tiny", "desc-pre"), range(3)))
        assert len(made) == 1
        assert len(set(pictures)) == 1

    @pytest.mark.parametrize(
        "path",
        [
            "/overlay/other/true-colour.webp",
            "/overlay/tiny/secrets.webp",
            "/overlay/../tiny/true-colour.webp",
            "/leaflet/../../scene.py",
        ],
    )
    def test_nothing_else(self, with_run: Path, path: str) -> None:
        assert get(path)[0] == 404


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("s2.tif", "s2"),
        ("scl.tif", "s2"),
        ("S2L2A/637U.tif", "s2"),
        ("s1_desc_pre.tif", "desc_pre"),
        ("S1-ASC-post_VV.tiff", "asc_post"),
        ("after-descending.tif", "desc_post"),
        ("S1RTC/637U.tif", None),
        ("ascending.tif", None),
        ("truth_mask.tif", None),
    ],
)
def test_roles_in_names(name: str, role: str | None) -> None:
    assert sources.guess_role(name) == role


def test_files_of_several_places_are_left_to_the_user() -> None:
    files = ["here/s2.tif", "there/s2.tif"]
    assert sources.guess_roles(files)["s2"] == []
    assert sources.guess_roles(files[:1])["s2"] == files[:1]


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("s2.tif", "s2.tif"),
        ("../../etc/passwd", "passwd"),
        ("C:\\a b\\ü.tif", "_.tif"),
        (".hidden", "hidden"),
        ("..", "file"),
        ("x" * 300 + ".tif", "x" * 116 + ".tif"),
    ],
)
def test_uploaded_names_are_made_safe(name: str, safe: str) -> None:
    assert uploads.safe_name(name) == safe


@dataclass
class Sent:
    """An uploaded file."""

    name: str
    file_id: str
    held: bytes

    def getbuffer(self) -> memoryview:
        return memoryview(self.held)


def test_a_corrected_file_of_the_same_size_counts(tmp_path: Path) -> None:
    first = uploads.keep([Sent("a.tif", "1", b"old")], tmp_path)
    second = uploads.keep([Sent("a.tif", "2", b"new")], tmp_path)
    assert [p.read_bytes() for p in (first["a.tif"], second["a.tif"])] == [b"old", b"new"]


def test_bands_of_one_role_come_to_lie_together(tmp_path: Path) -> None:
    names = ("B04.tif", "B08.tif", "B04.tif", "B08.tif", "SCL.tif")
    sent = [Sent(name, f"upload-{i}", b"%d" % i) for i, name in enumerate(names)]
    paths = list(uploads.keep(sent, tmp_path).values())
    placed = uploads.side_by_side(paths, tmp_path)
    products = {path.parent for path in placed}
    assert len(products) == 2
    assert sorted(path.read_bytes() for path in placed) == [b"0", b"1", b"2", b"3", b"4"]
    assert placed == uploads.side_by_side(paths, tmp_path)  # and stay where they are
    assert uploads.side_by_side(paths[:1], tmp_path) == paths[:1]


def test_past_1500_tiles_the_dropped_ones_are_left_out(made: Run) -> None:
    frame = made.tiles.sample(map.MOST_DRAWN + 1, replace=True, random_state=0)
    assert len(map.drawn(made.tiles)) == len(made.tiles)
    assert set(map.drawn(frame)["verdict"]) <= {"landslide", "uncertain", "stable"}


def test_the_gravest_tiles_are_drawn_last(made: Run) -> None:
    mixed = made.tiles.assign(verdict=(["landslide", "stable", "uncertain"] * 9)[: len(made.tiles)])
    order = [VERDICTS.index(verdict) for verdict in map.drawn(mixed)["verdict"]]
    assert order == sorted(order)
    assert len(order) == len(mixed)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("red_mean", 512.0, ("Red: mean", "0.051 reflectance")),
        ("desc_vv_diff_std", 2.04, ("Descending VV change: standard deviation", "2.0 dB")),
        ("asc_ratio_post_mean", -6.5, ("Ascending VV − VH after: mean", "−6.5 dB")),
        ("passes_vh_diff_mean", 0.5, ("Ascending minus descending, VH change: mean", "0.5 dB")),
        ("red_nir_contrast", -0.3, ("Red to near infrared: contrast", "−0.30")),
        ("ndvi_max", 0.81, ("NDVI: highest value", "0.810")),
        ("new_thing_mean", 2.0, ("New thing: mean", "2.0")),
        ("desc_vh_change", 1.5, ("Descending VH: roughness of change ÷ roughness after", "1.50")),
        ("bndvi_dn_mean", 0.314, ("Blue NDVI (on digital numbers): mean", "0.314")),
        ("ndwi_dn_range", 0.2, ("NDWI (on digital numbers): range", "0.200")),
        ("nir_range", 1500.0, ("Near infrared: range", "0.150 reflectance")),
        ("passes_vv_post_std", -0.5, PASSES),
        ("nir_skew", float("nan"), ("Near infrared: skewness", "no data")),
    ],
)
def test_features_in_words(name: str, value: float, words: tuple[str, str]) -> None:
    assert (wording.feature(name), wording.feature_value(name, value)) == words


def test_every_filter_feature_has_words_of_its_own() -> None:
    names = filter_feature_names()
    words = [wording.feature(name) for name in names]
    assert len(set(words)) == len(names)
    assert not [text for text in words if "_" in text or not text[0].isupper()]


def test_a_stranger_s_text_is_only_text() -> None:
    assert wording.literal("a`b\n# c") == "`a b # c`"
    assert wording.literal("` `") == "`?`"
    assert wording.escaped("a_b *c* [d](e)") == r"a\_b \*c\* \[d\]\(e\)"


FIT = Calibration(0.5, 0.25, -1.0, threshold=0.43, lower=0.06, upper=0.61)
# 0.5 × 2 − 0.25 × 4 − 1 = −1 log-odds
WEIGHING = Weighing(COMPLETE, COMPLETE, FIT, filter_odds=2.0, votes_odds=-4.0)


def explanation(verdict: str, score: float = 0.4, threshold: float = 0.02) -> TileExplanation:
    statistics = np.full(10, 2, np.float32)
    statistics[8:] = -2
    return TileExplanation(
        votes_cast=80,
        pixels=np.zeros((12, 64, 64), np.float32),
        cloud=np.zeros((64, 64), np.bool_),
        features=pd.DataFrame(np.zeros((len(LAYERS), len(STATISTICS))), LAYERS, STATISTICS),
        contributions=[],
        bias=0.0,
        filter_score=score,
        filter_threshold=threshold,
        statistics=statistics,
        picture=np.full((10, 8), 0.5, np.float32),
        heat=np.zeros((32, 32), np.float32),
        member_thresholds=np.full(10, 0.5, np.float32),
        views=("0°",) * 8,
        weighing=None if verdict == "no_data" else WEIGHING,
        rates=ErrorRates(promised=0.02, missed=0.0143, false_alarm=0.0),
        verdict=verdict,
        says_landslide=verdict == "landslide",
        probability=0.76,
        spread=0.28,
    )


def test_measurements_in_words() -> None:
    table = wording.measurements(explanation("stable").features)
    assert table.shape == (len(LAYERS), len(STATISTICS))
    assert table.index.is_unique
    assert not [text for text in (*table.index, *table.columns) if "_" in text]
    assert {"10 % quantile", "NDVI", "Descending VV − VH before"} <= {*table.index, *table.columns}


def test_verdicts_in_words() -> None:
    said = reasons.verdict(explanation("landslide"))
    assert said.startswith("The probability is 0.76, at or over the limit of 0.61. Of stable tiles")
    assert "at most 2 % are called landslide" in said
    said = reasons.verdict(explanation("stable"))
    assert "under the limit of 0.06" in said
    assert said.endswith("at most 2 % are called stable or filtered out.")
    said = reasons.verdict(explanation("uncertain"))
    assert "between the limits of 0.06 and 0.61" in said
    assert said.endswith("parted at 0.43, would be no.")
    dropped = reasons.verdict(explanation("filtered_out", 0.0123))
    assert dropped.startswith("The negative filter gave 0.012, under its threshold of 0.02")
    assert "64 of 80 votes" in dropped
    assert dropped.endswith("the probability would be 0.27.")  # 1 / (1 + e)
    assert "Too few valid pixels" in reasons.verdict(explanation("no_data"))
    assert "drops nothing" in reasons.filter_sentence(explanation("stable", 0.4, -np.inf))


def test_the_probability_s_parts_in_a_table() -> None:
    lines = reasons.weighing_table(explanation("stable"), WEIGHING).splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]
    assert cells == [
        ["Filter, score 0.40", "+2.00", "0.50", "+1.00"],
        ["Mean of 80 votes", "−4.00", "0.25", "−1.00"],
        ["Bias", "", "", "−1.00"],
        ["**Probability 0.27**", "", "", "**−1.00**"],
    ]


def test_the_waterfall_ends_at_the_sum_and_marks_the_limits() -> None:
    figure = waterfall(WEIGHING)
    assert list(figure.data[0].x) == [1.0, -1.0, -1.0, -1.0]
    lines = [shape.x0 for shape in figure.layout.shapes if shape.type == "line"]
    assert lines == pytest.approx([-2.7515, -0.2819, 0.4473], abs=1e-4)  # ln(p / (1 − p))
    zones = [shape for shape in figure.layout.shapes if shape.type == "rect"]
    assert [zone.x1 for zone in zones[:-1]] == pytest.approx([lines[0], lines[2]])
    assert len({zone.fillcolor for zone in zones}) == 3
    low, high = figure.layout.xaxis.range
    assert low < min(lines)
    assert high > 1.0


def test_a_limit_of_nought_draws_no_line() -> None:
    never = replace(WEIGHING, calibration=replace(FIT, lower=0.0))
    texts_drawn = [note.text for note in waterfall(never).layout.annotations]
    assert texts_drawn == ["yes from 0.43", "landslide from 0.61"]
    assert "Nothing is called stable" in reasons.limits(never)
    assert "up to the filter alone" in reasons.promise(explanation("stable"), never)


def test_only_what_was_promised_is_said() -> None:
    why = explanation("stable")
    said = reasons.promise(why, WEIGHING)
    assert said.endswith("Measured out of fold, with all inputs there: 1.4 % and 0 %.")
    nothing = ErrorRates(None, None, None)
    assert "does not say" in reasons.promise(replace(why, rates=nothing), WEIGHING)
    assert "at most" not in reasons.verdict(replace(why, rates=nothing))
    borrowed = replace(WEIGHING, combination="partial")
    assert "those of complete ones" in reasons.limits(borrowed)
    assert reasons.promise(why, borrowed) == "No error rates are promised for these inputs."
    assert "at most" not in reasons.verdict(replace(why, weighing=borrowed))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (COMPLETE, "everything"),
        ("visible+nir", "optical only"),
        ("visible+desc_post", "visible, descending after"),
        ("asc_post+asc_pre", "ascending pass only"),
        ("partial", "some bands of a group missing"),
    ],
)
def test_combinations_in_words(name: str, words: str) -> None:
    assert wording.combination(name) == words


def test_small_figures_keep_their_meaning() -> None:
    assert [wording.number(v) for v in (0.876, 0.0059, 0.0001, 0.0, float("nan"))] == [
        "0.88",
        "0.0059",
        "under 0.0005",
        "0.00",
        "–",
    ]


def test_inputs_by_role() -> None:
    given = sources.inputs_from({"s2": [Path("a")], "asc_post": [Path("b")]})
    assert given == SceneInputs(s2=(Path("a"),), asc_post=(Path("b"),))


def test_a_masked_landslide_is_drawn_with_dots_and_says_so(made: Run) -> None:
    row = next(iter(made.tiles.to_dict("records")))
    alarm = row | {"verdict": "landslide", "alarm": True}
    flat = row | {"verdict": "landslide", "alarm": False}
    look = map.Look("probability", 0.5, None, False)
    drawn, dotted = (map._feature(r, False)["properties"] for r in (alarm, flat))
    assert "dashArray" not in map._style(drawn, look)
    assert map._style(dotted, look)["dashArray"] == "1 5"
    assert dotted["says"] == "Landslide, no alarm: flat ground"
