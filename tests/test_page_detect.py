"""The Detection page: empty, loaded and failing; its map."""

import json
import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path
from time import process_time

import folium
import numpy as np
import pytest
import shapely
from paging import (
    PAGES,
    bars,
    button,
    claimed,
    get,
    new_run,
    open_page,
    quiet,
    texts,
    wait_for_jobs,
)
from streamlit.testing.v1 import AppTest
from streamlit_folium import generate_leaflet_string as folium_script

from landslide_core.folder import Run, open_run
from landslide_core.jobs import Queue
from landslide_core.judgement import VERDICTS
from pages.parts.maps import features, map


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

    def test_running_the_detector(self, home: Path, made: Run, real_workers: None) -> None:
        page = new_run(made, "../my run")
        assert page.query_params["run"] == "my-run"
        assert not page.error
        wait_for_jobs(home)
        quiet(page.run())
        assert (home / "my-run" / "run.json").is_file()
        assert page.query_params["run"] == "my-run"
        assert len(page.metric) == 5

    def test_a_new_run_says_of_what_and_hides_the_old_one(self, with_run: Path, made: Run) -> None:
        page = AppTest.from_file(PAGES / "detect.py", default_timeout=60)
        inputs = replace(made.inputs(), event=date(2021, 6, 15))
        page.session_state["scene"] = (inputs, "my scene")
        page.session_state["kept new run"] = True  # as after "Go on to detection"
        page = quiet(page.run())
        assert "Scene **my scene**, event on 2021-06-15: Sentinel-2, after;" in texts(page)
        assert not page.metric
        assert [found.label for found in page.number_input] == []  # no DEM tells slopes
        button(page, "Back to run tiny").click().run()
        assert len(quiet(page).metric) == 5

    def test_with_a_dem_flat_ground_can_be_left_out(self, home: Path, made: Run) -> None:
        page = AppTest.from_file(PAGES / "detect.py", default_timeout=60)
        inputs = replace(made.inputs(), dem=made.inputs().desc_pre)
        page.session_state["scene"] = (inputs, "steep")
        page = quiet(page.run())
        page.number_input[0].set_value(4.0)
        button(page, "Run detection").click().run()
        assert Queue(home / ".jobs").jobs()[0].options.least_slope == 4.0

    def test_the_tile_chosen_elsewhere_is_in_the_address(self, with_run: Path) -> None:
        page = AppTest.from_file(PAGES / "detect.py", default_timeout=60)
        page.session_state["run"], page.session_state["tile"] = "tiny", 7
        assert quiet(page.run()).query_params["tile"] == "7"

    def test_a_taken_name_is_refused(self, with_run: Path, made: Run) -> None:
        page = AppTest.from_file(PAGES / "detect.py", default_timeout=60)
        page.session_state["scene"] = (made.inputs(), "tiny")
        button(page.run(), "New run").click().run()
        page.text_input[0].set_value("tiny")
        button(page, "Run detection").click().run()
        assert "exists already" in quiet(page).error[0].value

    def test_a_refresh_finds_what_is_under_way(self, with_run: Path, made: Run) -> None:
        page = new_run(made, "first")
        queue = Queue(with_run / ".jobs")
        (job,) = queue.jobs()
        assert job.inputs == made.inputs()
        assert bars(page)[0] == "Run first — Starting …"
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
        assert bars(page)[1] == "Run second — Waiting for 1 run before it …"
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
        assert "Starting …" in bars(quiet(page))[0]
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
        button(page, "Delete").click().run()
        assert not quiet(page).error
        assert "run" not in page.query_params
        assert queue.jobs() == []
        assert not job.out.exists()  # nobody would find what was done of it
        assert not queue.log(job.id).exists()

    def test_a_failure_tells_no_folder_of_the_server(self, home: Path, made: Run) -> None:
        page = new_run(made, "first")
        queue = Queue(home / ".jobs")
        lost = home / ".uploads" / ("0" * 32) / "11" / "s2.tif"
        queue.finish(claimed(queue), "failed", f"{lost} is no raster. Give --s2-offset.")
        said = quiet(page.run()).error[0].value
        assert "s2.tif is no raster. Give “Sentinel-2 offset”." in said
        assert str(home) not in said

    def test_what_others_made_is_never_forgotten(self, home: Path, made: Run) -> None:
        page = new_run(made, "first")
        shutil.copytree(made.folder, home / "first")  # from the command line, meanwhile
        queue = Queue(home / ".jobs")
        queue.finish(claimed(queue), "failed", "It exists already.")
        button(page.run(), "Delete").click().run()
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
        assert "Starting …" in bars(page)[0]
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


def many(found: features.Placed, side: int) -> features.Placed:
    """Side × side squares of 0.01°, the verdicts and probabilities of a run's tiles over again."""
    x, y = (axis.ravel() for axis in np.meshgrid(np.arange(side) * 0.01, np.arange(side) * 0.01))
    boxes = shapely.box(x, y, x + 0.01, y + 0.01)
    again = np.arange(side * side) % len(found.ids)
    return features.Placed(
        ids=np.arange(side * side),
        codes=found.codes[again],
        probability=found.probability[again],
        spread=found.spread[again],
        masked=found.masked[again],
        outlines=boxes,
        centres=shapely.get_coordinates(shapely.centroid(boxes)),
        tree=shapely.STRtree(boxes),
    )


class TestFeatures:
    def test_what_is_in_view(self, with_run: Path, made: Run) -> None:
        west, south, east, north = made.tiles.total_bounds
        status, body = get("/features/tiny", query=f"bbox={west},{south},{east},{north}")
        found = json.loads(body)
        assert (status, found["total"], found["thinned"]) == (200, 25, False)
        ranks = [VERDICTS.index(f["properties"]["verdict"]) for f in found["features"]]
        assert ranks == sorted(ranks)  # the gravest lie on top
        first = made.tiles.geometry.iloc[12]
        (twelve,) = (f for f in found["features"] if f["properties"]["tile"] == 12)
        assert shapely.geometry.shape(twelve["geometry"]).equals_exact(first, 1e-6)
        x, y = first.centroid.coords[0]
        (inner,) = json.loads(
            get("/features/tiny", query=f"bbox={x},{y},{x + 1e-5},{y + 1e-5}")[1]
        )["features"]
        assert inner == twelve

    @pytest.mark.parametrize(
        ("run", "query", "status"),
        [
            ("gone", "bbox=0,0,1,1", 404),
            ("..", "bbox=0,0,1,1", 404),
            ("tiny", "", 400),
            ("tiny", "bbox=0,0,nan,1", 400),
            ("tiny", "bbox=1,0,0,1", 400),
            ("tiny", "bbox=0,0,1", 400),
            ("tiny", "bbox=0,0,1,1e9", 400),
        ],
    )
    def test_noise_is_refused(self, with_run: Path, run: str, query: str, status: int) -> None:
        assert get(f"/features/{run}", query=query)[0] == status

    def test_past_1500_the_gravest_are_drawn_as_points(self, made: Run) -> None:
        found = many(features.placed(made), 40)
        answer = features.within(found)
        assert (answer["total"], answer["thinned"]) == (1600, True)
        assert len(answer["features"]) == features.MOST
        kept = [f["properties"]["tile"] for f in answer["features"]]
        left = np.setdiff1d(found.ids, kept)
        assert found.gravity[left].max() <= found.gravity[kept].min()
        assert {f["geometry"]["type"] for f in answer["features"]} == {"Point"}
        part = features.within(found, (0.0, 0.0, 0.1999, 0.1999))  # 20 × 20 of them
        assert (part["total"], part["thinned"]) == (400, False)

    def test_29000_tiles_are_answered_fast(self, made: Run) -> None:
        found = many(features.placed(made), 171)
        features.within(found)  # the index is made by the first to ask
        took = []
        for _ in range(5):
            begun = process_time()
            json.dumps(features.within(found))
            took.append(process_time() - begun)
        assert min(took) < 0.05

    def test_counts_by_probability(self, made: Run) -> None:
        found = features.placed(made)
        counts = features.histogram(found)
        assert [len(numbers) for numbers in counts.values()] == [101] * len(VERDICTS)
        for threshold in (0.0, 0.29, 0.5, 1.0):
            over = sum(sum(numbers[round(threshold * 100) :]) for numbers in counts.values())
            assert over == int((found.probability >= threshold).sum())

    def test_the_tile_at_a_place(self, made: Run) -> None:
        found = features.placed(made)
        x, y = found.centres[7]
        assert features.tile_at(found, y, x) == 7
        assert features.tile_at(found, y, x - 360) == 7  # another copy of the world
        assert features.tile_at(found, y + 1, x) is None

    def test_tiles_in_an_area(self, made: Run) -> None:
        found = many(features.placed(made), 10)
        area = shapely.box(0.0, 0.0, 0.0249, 0.0351)
        # Middles lie at 0.005°, 0.015°, 0.025°, …: two columns of four.
        assert features.inside(found, area).tolist() == [0, 1, 10, 11, 20, 21, 30, 31]
        one = shapely.box(0.0, 0.0, 0.01, 0.01)  # 1,113.2 m × 1,105.7 m on the equator
        assert features.square_kilometres(one) == pytest.approx(1.2309, abs=1e-3)


@pytest.mark.parametrize(
    "told",
    [
        None,
        "x",
        {"type": "Point", "coordinates": [1, 2]},
        {"type": "Polygon", "coordinates": []},
        {"type": "Polygon", "coordinates": [[[0, 0], ["a", 1], [1, 1], [0, 0]]]},
        {"type": "Polygon", "coordinates": [[[0, 0], [1e9, 1], [1, 1], [0, 0]]]},
        {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [2, 2], [0, 0]]]},
        {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 0]]] * 900},
    ],
)
def test_what_is_no_area_is_none(told: object) -> None:
    assert map.drawn_area(told) is None


def test_an_area_that_crosses_itself_is_mended() -> None:
    bow = {"type": "Polygon", "coordinates": [[[0, 0], [2, 2], [2, 0], [0, 2], [0, 0]]]}
    area = map.drawn_area(bow)
    assert area is not None
    assert area.area == pytest.approx(2.0)


class TestTheMap:
    """What the browser tells, and what the page makes of it."""

    def told(self, monkeypatch: pytest.MonkeyPatch, **what: object) -> dict[str, object]:
        said: dict[str, object] = {}

        def drawn(frame: folium.Map, **options: object) -> dict[str, object]:
            frame.get_root().render()
            said["script"] = folium_script(frame)
            return {"at": 1, **what}

        monkeypatch.setattr(map, "st_folium", drawn)
        return said

    def test_a_click_shows_the_tile(
        self, with_run: Path, made: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        at = made.tiles.geometry.iloc[12].centroid
        said = self.told(monkeypatch, place=[at.y, at.x], open=False)
        page = quiet(open_page("detect"))
        assert "**Tile 12**" in texts(page)
        assert page.query_params["tile"] == "12"
        assert "true-colour" in str(said["script"])
        page.run()  # the component says the same again
        page.session_state["tile"] = 3
        assert "**Tile 3**" in texts(quiet(page.run()))

    def test_a_double_click_opens_the_decision(
        self, with_run: Path, made: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        opened: list[str] = []
        monkeypatch.setattr("streamlit.switch_page", opened.append)
        at = made.tiles.geometry.iloc[4].centroid
        self.told(monkeypatch, place=[at.y, at.x], open=True)
        quiet(open_page("detect"))
        assert opened == ["decisions.py"]

    def test_an_area_is_counted(
        self, with_run: Path, made: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        shape = shapely.geometry.mapping(made.tiles.geometry.iloc[[0, 1, 5]].union_all().envelope)
        self.told(monkeypatch, area=json.loads(json.dumps(shape)))
        page = quiet(open_page("detect"))
        assert "4 tiles have their middle in it" in texts(page)
        inside = made.tiles.iloc[[0, 1, 5, 6]]["verdict"]
        counts = [int(m.value) for m in page.metric[5:10]]
        assert counts == [int((inside == name).sum()) for name in reversed(VERDICTS)]

    def test_no_picture_is_offered_when_its_files_changed(
        self, with_run: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = with_run / "tiny" / "run.json"
        meta = json.loads(path.read_text())
        meta["inputs"] = [{**entry, "bytes": entry["bytes"] + 1} for entry in meta["inputs"]]
        path.write_text(json.dumps(meta))
        said = self.told(monkeypatch)
        quiet(open_page("detect"))
        assert "true-colour" not in str(said["script"])
