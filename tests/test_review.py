"""The review of a run: what was said once is never lost, can be taken back, and trains."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from errno import ENOSPC, EROFS
from itertools import pairwise

import geopandas
import numpy as np
import pandas as pd
import pytest
import shapely
from filelock import FileLock
from shapely.geometry import box, mapping, shape

from landslide_core import cli_review  # noqa: F401  joins the command
from landslide_core.combinations import COMPLETE
from landslide_core.errors import BadReview, CannotWrite, DatasetError, NoSpace, RunBusy, RunDamaged
from landslide_core.folder import Run, damages, open_run
from landslide_core.grid import Window
from landslide_core.plan import PLAN
from landslide_core.readers.inputs import open_scene
from landslide_core.readers.patches import read_labels, read_patch
from landslide_core.review import journal as journals
from landslide_core.review.export import export_review
from landslide_core.review.journal import JOURNAL, Event, Journal
from landslide_core.review.order import queue
from landslide_core.review.outline import checked_outline
from landslide_core.review.review import Review
from landslide_core.runs import resume_run
from landslide_core.threshold import limits_of
from landslide_core.training.prepare import PrepareInputs, load_prepared, prepare

WHOLE = (1, 2, 4, 5, 6)  # tiles of the small scene that have every band in every pixel
# Appends until it is killed, or so many times; says of each event that it is kept.
WRITER = """
import sys
from pathlib import Path
from landslide_core.review.journal import Event, Journal
folder, name, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
journal = Journal(folder, "r", 5)
for i in range(count):
    with journal.writing():
        event = Event.now("r", i % 5, name, "comment", comment=f"{i} " + "é" * 500)
        journal.append(event)
    print(event.id, flush=True)
"""


@pytest.fixture
def copied(run, tmp_path):
    """The small scene's run, to be written beside."""
    return open_run(shutil.copytree(run.folder, tmp_path / "run"))


@pytest.fixture
def review(copied):
    """Its review, with verdicts of every kind: no_data, stable, filtered_out, then in turn."""
    kinds = ("stable", "filtered_out", "uncertain", "landslide")
    turned = [kinds[i % 4] for i in range(len(copied.tiles) - 1)]
    copied.__dict__["tiles"] = copied.tiles.assign(verdict=["no_data", *turned])
    return Review.of(copied)


def label(review, tile):
    """What people say of a tile."""
    return review.state()["label"][tile]


def writer(folder, name, count):
    """Another process that writes events."""
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, folder, name, str(count)], stdout=subprocess.PIPE, text=True
    )


def test_every_decision_is_kept_with_name_and_time(review):
    state = review.state()
    assert list(state.index) == list(range(12))
    assert state["label"].isna().all()
    review.accept(1, " Ana ", "clear")
    review.accept(2, "Ana")
    review.reject(4, "Ana")
    review.reject(5, "Ana")
    review.relabel(3, "Ben", "unsure")
    review.comment(3, "Eva", "cloud?\n  look again ")
    again = Review.of(open_run(review.run.folder)).state()
    assert [again["label"][i] for i in range(6)] == [
        *(None, "stable", "stable", "unsure", "stable", "landslide")
    ]
    assert again["reviewer"][1] == "Ana"
    assert again["comment"][1] == "clear"
    assert (again["reviewer"][3], again["comment"][3]) == ("Ben", "cloud?\n  look again")
    when = pd.to_datetime(again["when"][1])
    assert abs(pd.Timestamp.now("UTC") - when) < pd.Timedelta(minutes=1)


def test_the_last_word_counts_and_a_bare_comment_signs_nothing_else(review):
    review.relabel(1, "Ana", "landslide", "scarp")
    review.relabel(1, "Ben", "stable")
    state = review.state()
    assert (state["label"][1], state["reviewer"][1], state["comment"][1]) == (
        *("stable", "Ben", "scarp"),
    )
    review.comment(1, "Ana", "")
    assert review.state()["comment"][1] is None
    review.comment(2, "Eva", "?")
    assert (review.state()["label"][2], review.state()["reviewer"][2]) == (None, "Eva")


@pytest.mark.parametrize("tile", [0, 3])
def test_without_a_verdict_there_is_nothing_to_accept(review, tile):
    for answer in (review.accept, review.reject):
        with pytest.raises(BadReview, match="no yes or no"):
            answer(tile, "Ana")
    assert review.events == ()


def test_what_is_no_decision_is_refused(review):
    with pytest.raises(BadReview, match="no label"):
        review.relabel(1, "Ana", "maybe")
    for tile in (-1, 12):
        with pytest.raises(BadReview, match=f"no tile {tile}; the run has 0 to 11"):
            review.comment(tile, "Ana", "x")
    for name in ("", "  ", "a\nb", "x" * 101):
        with pytest.raises(BadReview, match="name"):
            review.relabel(1, name, "stable")
    with pytest.raises(BadReview, match="4,001"):
        review.comment(1, "Ana", "x" * 4001)
    assert not (review.run.folder / JOURNAL).exists()


def test_undo_and_redo_walk_through_ones_own_events(review):
    for name in ("landslide", "stable", "unsure"):
        review.relabel(1, "Ana", name)
    review.relabel(2, "Ben", "stable")
    seen = []
    for step in ("undo", "undo", "redo", "undo", "undo", "redo", "redo", "redo"):
        getattr(review, step)("Ana")
        seen.append(label(review, 1))
    assert seen == [
        *("stable", "landslide", "stable", "landslide", None),
        *("landslide", "stable", "unsure"),
    ]
    with pytest.raises(BadReview, match="no undo of Ana"):
        review.redo("Ana")
    assert label(review, 2) == "stable"
    assert Review.of(review.run).state().equals(review.state())


def test_a_new_decision_ends_redo_and_nothing_is_undone_twice(review):
    first = review.relabel(1, "Ana", "landslide")
    review.undo("Ana")
    review.relabel(2, "Ana", "stable")
    with pytest.raises(BadReview, match="no undo"):
        review.redo("Ana")
    with pytest.raises(BadReview, match="revoked already"):
        review.undo("Ben", first.id)
    with pytest.raises(BadReview, match="not of this review"):
        review.undo("Ben", "nothing")
    with pytest.raises(BadReview, match="nothing of Ben"):
        review.undo("Ben")


def test_an_undo_by_id_is_undone_by_id(review):
    kept = review.relabel(1, "Ana", "landslide")
    undone = review.undo("Ben", kept.id)
    assert label(review, 1) is None
    review.undo("Eva", undone.id)
    assert label(review, 1) == "landslide"


def test_two_tabs_see_each_other(review):
    other = Review.of(review.run)
    review.relabel(1, "Ana", "landslide")
    other.relabel(1, "Ben", "stable")
    assert label(review, 1) == "stable"
    assert [event.reviewer for event in other.events] == ["Ana", "Ben"]


def test_outlines_are_drawn_over_and_removed(review):
    tile = review.run.tiles.geometry[5]
    west, south, east, north = tile.bounds
    drawn = box(west - 1e-3, south, (west + east) / 2, north + 1e-3)
    feature = {"type": "Feature", "properties": {}, "geometry": mapping(drawn)}
    review.outline(5, "Ana", feature)
    state = review.state()
    assert state["outline"][5].normalize().equals_exact(drawn.normalize(), 0)
    assert (state["label"][5], state["outlined_by"][5]) == (None, "Ana")
    review.outline(5, "Ben", mapping(tile.buffer(-2e-3)))
    assert review.state()["outline"][5].area < drawn.area
    review.outline(5, "Ben", None)
    assert review.state()["outline"][5] is None
    review.undo("Ben")
    assert review.state()["outlined_by"][5] == "Ben"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"type": "Point", "coordinates": [87, 28]}, "type Point"),
        ({"type": "Polygon", "coordinates": []}, "0 corners"),
        ({"type": "Polygon", "coordinates": [[[87, 28], ["a", 28], [87, 29]]]}, "no GeoJSON"),
        ({"type": "Polygon"}, "no GeoJSON"),
        ({"type": "Feature", "geometry": None}, "no GeoJSON"),
        ("POLYGON", "no GeoJSON"),
        (17, "no GeoJSON"),
        (mapping(box(600_000, 3e6, 600_100, 3.1e6)), "no longitude and latitude"),
        ({"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1]]]}, "Self-inter"),
        ({"type": "Polygon", "coordinates": [[[0, 0], [1, float("nan")], [1, 0]]]}, "longitude"),
        (mapping(box(10, 10, 11, 11)), "outside the tile"),
        (mapping(shapely.Point(0, 0).buffer(1, quad_segs=3000)), "12,001 corners"),
    ],
)
def test_outlines_that_are_none_are_refused(given, said):
    with pytest.raises(BadReview, match=said):
        checked_outline(given, box(0, 0, 1, 1))


def test_outlines_across_180_degrees_are_cut_as_the_tiles_are():
    half = shapely.union_all([box(179.99, 0, 180, 0.01), box(-180, 0, -179.99, 0.01)])
    for drawn in (
        box(179.995, 0, 180.005, 0.01),  # past the edge of the map
        box(-180.005, 0, -179.995, 0.01),
        shapely.Polygon([(179.995, 0), (-179.995, 0), (-179.995, 0.01), (179.995, 0.01)]),
        shapely.union_all([box(179.995, 0, 180, 0.01), box(-180, 0, -179.995, 0.01)]),
    ):
        for tile in (half, box(179.99, 0, 180, 0.01), box(-180, 0, -179.99, 0.01)):
            found = shape(checked_outline(mapping(drawn), tile))
            assert found.area == pytest.approx(1e-4, rel=1e-6)
            assert found.bounds == (-180, 0, 180, 0.01)
            assert len(found.geoms) == 2


def test_the_queue_asks_the_most_useful_first():
    rows = [
        *(("no_data", np.nan), ("stable", 0.1), ("stable", 0.28), ("landslide", 0.99)),
        *(("uncertain", 0.68), ("uncertain", 0.46), ("filtered_out", 0.2), ("landslide", 0.71)),
        *(("uncertain", 0.54), ("filtered_out", 0.01), ("uncertain", 0.5), ("uncertain", 0.3)),
    ]
    state = pd.DataFrame(rows, columns=["verdict", "probability"])
    state["label"] = pd.Series([None] * len(rows), dtype=object)
    state.loc[10, "label"] = "unsure"
    meta = {"missing_bands": [], "calibration": {COMPLETE: {"threshold": 0.51}}}
    asked = queue(Run(None, meta), state)
    assert asked == [8, 5, 4, 11, 7, 3, 2, 1, 6, 9, 10]
    state["probability"] = 0.5  # all alike: by tile
    assert queue(Run(None, meta), state) == [4, 5, 8, 11, 3, 7, 1, 2, 6, 9, 10]


def test_the_threshold_is_that_of_the_scenes_inputs(run):
    assert limits_of(run.meta)["threshold"] == 0.5
    calibration = {COMPLETE: {"threshold": 0.4}, "visible+desc_post": {"threshold": 0.2}}
    missing = [
        "nir",
        "desc_vh_pre",
        *(f"asc_{p}_{t}" for p in ("vv", "vh") for t in ("pre", "post")),
    ]
    assert limits_of({"missing_bands": missing, "calibration": calibration})["threshold"] == 0.2
    assert limits_of({"missing_bands": ["red"], "calibration": calibration})["threshold"] == 0.4


def test_a_real_runs_queue_has_every_tile_with_data_once(copied):
    fresh = Review.of(copied)
    seen = fresh.state()["verdict"]
    asked = queue(copied, fresh.state())
    assert sorted(asked) == list(seen.index[seen != "no_data"])
    fresh.relabel(asked[0], "Ana", "unsure")
    assert queue(copied, fresh.state()) == [*asked[1:], asked[0]]


def test_no_event_is_lost_when_the_writer_is_killed(tmp_path):
    told = []
    for turn in range(3):
        with writer(tmp_path, f"w{turn}", 100_000) as process:
            told += [process.stdout.readline().strip() for _ in range(20 + 7 * turn)]
            os.kill(process.pid, signal.SIGKILL)
            told += process.stdout.read().split()
    journal = Journal(tmp_path, "r", 5)
    journal.refresh()
    kept = [event.id for event in journal.events]
    assert len(told) >= 81
    assert [i for i in kept if i in set(told)] == told
    assert len(kept) <= len(told) + 3  # one a kill may be on disk before anybody was told
    with journal.writing():
        journal.append(Event.now("r", 0, "Ana", "comment", comment="after"))
    assert len(journal.events) == len(kept) + 1


@pytest.mark.parametrize("torn", [1, 20, -2])
def test_a_torn_line_is_left_out_and_cleared_away(review, torn):
    review.relabel(1, "Ana", "landslide")
    path = review.run.folder / JOURNAL
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:torn])
    found = Review.of(review.run)
    assert "cut short by a crash" in found.warnings[0]
    assert len(found.events) == 1
    assert path.read_bytes() == whole + whole[:torn]  # reading changes nothing
    found.relabel(1, "Ana", "stable")
    assert found.warnings == ()
    lines = path.read_bytes().splitlines()
    assert lines[0] + b"\n" == whole
    assert [json.loads(line)["value"] for line in lines] == ["landslide", "stable"]
    assert label(review, 1) == "stable"  # and for whoever had it open


def test_events_are_timed_as_they_are_kept(tmp_path):
    journal = Journal(tmp_path, "r", 5)
    first, second = (Event.now("r", 1, "Ana", "relabel", name) for name in ("unsure", "landslide"))
    later = replace(first, time="2999-01-01T00:00:00.000+00:00")  # by a clock that was wrong
    with journal.writing():
        kept = [journal.append(event) for event in (second, first)]  # made in the other order
        assert [event.value for event in kept] == ["landslide", "unsure"]
        assert kept[0].time <= kept[1].time
    (tmp_path / JOURNAL).write_bytes(later.line())
    with journal.writing():
        assert journal.append(second).time == later.time  # never before the last one's
    again = Journal(tmp_path, "r", 5)
    again.refresh()
    assert [event.time for event in again.events] == [later.time] * 2


def test_an_answer_that_waited_for_the_lock_is_timed_after_the_one_before(review, monkeypatch):
    """Two answers at once: the first to be said is the last to be kept."""
    real = Journal.writing
    other = Review.of(review.run)

    @contextmanager
    def slow(journal):
        monkeypatch.setattr(Journal, "writing", real)
        time.sleep(0.01)
        other.relabel(1, "Ana", "landslide")
        with real(journal):
            yield

    monkeypatch.setattr(Journal, "writing", slow)
    said = review.relabel(1, "Ana", "unsure")
    events = review.events
    assert [event.value for event in events] == ["landslide", "unsure"]
    assert events[0].time <= events[1].time
    assert said == events[1]
    assert label(review, 1) == "unsure"


def test_two_writers_lose_nothing(tmp_path):
    processes = [writer(tmp_path, name, 200) for name in ("a", "b")]
    told = [process.communicate(timeout=60)[0].split() for process in processes]
    journal = Journal(tmp_path, "r", 5)
    journal.refresh()
    events = journal.events
    assert len(events) == len({event.id for event in events}) == 400
    for name, ids in zip("ab", told, strict=True):
        assert [event.id for event in events if event.reviewer == name] == ids
    assert any(one.reviewer != next_.reviewer for one, next_ in pairwise(events))


def test_a_full_disk_takes_nothing_and_says_so(review, monkeypatch):
    review.relabel(1, "Ana", "landslide")
    path = review.run.folder / JOURNAL
    before, real = path.read_bytes(), os.write

    def full(file, line):
        real(file, line[:30])
        raise OSError(ENOSPC, "No space left on device")

    monkeypatch.setattr(journals.os, "write", full)
    with pytest.raises(NoSpace, match="nothing was kept"):
        review.relabel(1, "Ana", "stable")
    monkeypatch.undo()
    assert path.read_bytes() == before
    review.relabel(1, "Ana", "unsure")
    assert [event.value for event in review.events] == ["landslide", "unsure"]


def test_a_run_that_cannot_be_written_is_still_read(review, monkeypatch):
    review.relabel(1, "Ana", "landslide")

    def refuse(*args, **options):
        raise OSError(EROFS, "Read-only file system")

    monkeypatch.setattr(FileLock, "acquire", refuse)
    with pytest.raises(CannotWrite, match="Read-only file system"):
        review.relabel(1, "Ana", "stable")
    assert label(Review.of(review.run), 1) == "landslide"


def test_who_waits_too_long_is_told(review, monkeypatch):
    monkeypatch.setattr(journals, "_PATIENCE", 0.05)
    with FileLock(review.run.folder / ".review.lock"), pytest.raises(RunBusy, match="Try again"):
        review.relabel(1, "Ana", "stable")


def test_a_removed_run_stays_removed(review):
    shutil.rmtree(review.run.folder)
    with pytest.raises(RunDamaged, match="not there any more"):
        review.relabel(1, "Ana", "stable")
    assert not review.run.folder.exists()


def test_a_review_is_of_one_run_only(review, run_32, tmp_path):
    review.relabel(1, "Ana", "landslide")
    other = shutil.copytree(run_32.folder, tmp_path / "other")
    shutil.copy(review.run.folder / JOURNAL, other)
    with pytest.raises(RunDamaged, match="line 1 is about another run"):
        Review.of(open_run(other))
    moved = shutil.copytree(review.run.folder, tmp_path / "moved")
    assert Review.of(open_run(moved)).events == review.events
    edited = json.loads((moved / PLAN).read_text()) | {"least_slope": 3.0}
    (moved / PLAN).write_text(json.dumps(edited))
    with pytest.raises(RunDamaged, match="another run"):
        Review.of(open_run(moved))


def test_a_run_of_another_version_is_refused(copied):
    (copied.folder / PLAN).unlink()
    with pytest.raises(RunDamaged, match="no plan of this version"):
        Review.of(copied)


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2}, {"tile": 99}, {"tile": -1}, {"tile": "1"}, {"action": "praise"},
        {"value": "maybe"}, {"action": "outline", "value": {"type": "Polygon"}},
        {"action": "undo", "value": 3}, {"colour": "red"},
    ],
)  # fmt: skip
def test_a_line_that_is_no_event_is_named(review, change):
    kept = review.relabel(1, "Ana", "landslide")
    line = json.loads(kept.line()) | change
    with (review.run.folder / JOURNAL).open("a") as file:
        file.write(json.dumps(line) + "\n")
    with pytest.raises(RunDamaged, match="line 2 is no review event") as told:
        Review.of(review.run)
    assert "\n" not in str(told.value)


def test_a_review_neither_damages_a_run_nor_is_touched_by_it(copied):
    fresh = Review.of(copied)
    fresh.relabel(1, "Ana", "landslide")
    assert damages(copied.folder) == {}
    assert resume_run(copied.folder).meta == copied.meta
    (copied.folder / "tiles.gpkg").unlink()
    resume_run(copied.folder)
    assert Review.of(open_run(copied.folder)).events == fresh.events


def test_the_export_joins_the_review_to_the_table(review, tmp_path):
    review.reject(1, "Ana", "=1+1")
    review.relabel(3, "Ben", "unsure", "old, maybe")
    review.outline(5, "Eva", mapping(review.run.tiles.geometry[5]))
    told = export_review(review, tmp_path / "out")
    assert (told.tiles, told.labelled, told.outlines, told.patches) == (12, 2, 1, 0)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"review.gpkg", "review.csv"}
    tiles = geopandas.read_file(tmp_path / "out" / "review.gpkg", layer="tiles")
    assert set(review.run.tiles.columns) <= set(tiles.columns)
    assert tiles.crs == "EPSG:4326"
    assert list(tiles["corrected"][:5]) == [
        *("no_data", "landslide", "filtered_out", "uncertain", "landslide")
    ]
    assert (tiles["review_comment"][1], tiles["reviewed_by"][3]) == ("=1+1", "Ben")
    outlines = geopandas.read_file(tmp_path / "out" / "review.gpkg", layer="outlines")
    assert (outlines["tile_id"][0], outlines["outlined_by"][0]) == (5, "Eva")
    assert outlines.geometry[0].equals(review.run.tiles.geometry[5])
    table = pd.read_csv(tmp_path / "out" / "review.csv")
    assert table["review_comment"][1] == "'=1+1"
    assert table["review_label"][3] == "unsure"
    export_review(review, tmp_path / "again")
    for name in ("review.gpkg", "review.csv"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_an_outline_carries_its_drawers_own_label_beside_the_last_word(review, tmp_path):
    drawn = mapping(review.run.tiles.geometry[5])
    review.outline(5, "Ana", drawn)
    assert review.state()["outlined_as"][5] is None  # she has not said what it is yet
    review.relabel(5, "Ana", "landslide")
    review.relabel(5, "Ben", "stable")
    review.outline(6, "Ben", mapping(review.run.tiles.geometry[6]))
    review.relabel(6, "Ana", "stable")
    export_review(review, tmp_path / "out")
    told = geopandas.read_file(tmp_path / "out" / "review.gpkg", layer="outlines")
    names = ["tile_id", "outlined_by", "outlined_as", "review_label", "reviewed_by"]
    assert told[names].fillna("").values.tolist() == [
        [5, "Ana", "landslide", "stable", "Ben"],
        [6, "Ben", "", "stable", "Ana"],
    ]
    assert told["reviewed_at"].notna().all()
    review.undo("Ana", review.events[1].id)
    assert review.state()["outlined_as"][5] is None


def test_an_export_without_a_review_has_both_layers(review, tmp_path):
    export_review(review, tmp_path / "out")
    outlines = geopandas.read_file(tmp_path / "out" / "review.gpkg", layer="outlines")
    assert len(outlines) == 0
    assert "outlined_by" in outlines


def test_exported_patches_are_the_scenes_pixels_and_are_taken_for_training(review, tmp_path):
    for tile in range(12):
        review.relabel(tile, "Ana", "landslide" if tile % 2 else "stable")
    review.relabel(6, "Ana", "unsure")
    out = tmp_path / "out"
    told = export_review(review, out, patches=True)
    assert (told.patches, told.positives) == (4, 2)
    assert (told.left_out_unsure, told.left_out_missing) == (1, 7)
    scene, labels = open_scene(review.run.inputs()), read_labels(out / "Train.csv")
    tiling = [(tile, divmod(tile, 4)) for tile in WHOLE if tile != 6]
    names = [f"{review.journal.run[:12]}_{tile:06d}" for tile, _ in tiling]
    assert sorted(path.stem for path in (out / "patches").iterdir()) == names
    for name, (tile, (row, col)) in zip(names, tiling, strict=True):
        pixels = scene.read(Window(row * 64, col * 64))
        assert np.array_equal(read_patch(out / "patches" / f"{name}.npy"), pixels)
        assert labels[name] == tile % 2
    raw = np.load(out / "patches" / f"{names[0]}.npy")
    assert raw.shape == (64, 64, 12)
    assert raw[..., :4].min() > 1000  # the offset is in them
    made = prepare(PrepareInputs(out / "patches", out / "Train.csv"), tmp_path / "prepared")
    assert (made.patches, made.positives) == (4, 2)
    assert load_prepared(tmp_path / "prepared").ids == tuple(names)


def test_an_export_is_there_as_a_whole_or_not_at_all(review, tmp_path):
    review.relabel(11, "Ana", "landslide")  # at the scene's edge
    with pytest.raises(DatasetError, match="1 tiles labelled landslide or stable, none with"):
        export_review(review, tmp_path / "out", patches=True)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    (tmp_path / "out").mkdir()
    export_review(review, tmp_path / "out")
    with pytest.raises(RunBusy, match="exists already"):
        export_review(review, tmp_path / "out")
    (tmp_path / "file").touch()
    with pytest.raises(CannotWrite):
        export_review(review, tmp_path / "file" / "out")


def test_patches_are_refused_where_the_inputs_changed(review, tmp_path):
    review.relabel(1, "Ana", "landslide")
    review.run.meta["inputs"][0]["bytes"] += 1
    with pytest.raises(RunDamaged, match="has changed"):
        export_review(review, tmp_path / "out", patches=True)


def test_the_commands_set_list_undo_and_export(landslide, copied, tmp_path):
    run = copied.folder

    def told(command, *asked):
        code, out, _ = landslide("review", command, run, *asked, "--json")
        assert code == 0
        return json.loads(out)

    asked = [row["tile"] for row in told("list", "--limit", 3)["tiles"]]
    assert asked == queue(copied, Review.of(copied).state())[:3]
    event = told("set", 1, "landslide", "--reviewer", "Ana")["event"]
    told("set", 0, "unsure", "--comment", "fog\nagain", "--reviewer", "Ben")
    drawn = tmp_path / "drawn.geojson"
    copied.tiles[copied.tiles["tile_id"] == 1][["geometry"]].to_file(drawn, driver="GeoJSON")
    told("set", 1, "--outline", drawn, "--reviewer", "Eva")
    _, out, err = landslide("review", "list", run, "--labelled")
    assert [line.split()[:2] for line in out.splitlines()] == [
        ["0", "no_data"],
        ["1", copied.tiles["verdict"][1]],
    ]
    assert out.splitlines()[0].endswith("unsure     Ben  fog again")
    assert "Labelled: 2 of 12 tiles" in err
    assert told("undo", "--event", event, "--reviewer", "Ana")["label"] == "-"
    assert told("undo", "--redo", "--reviewer", "Ana")["label"] == "landslide"
    exported = told("export", "--out", tmp_path / "out", "--patches")
    assert (exported["patches"], exported["outlines"], exported["left_out_unsure"]) == (1, 1, 1)
    assert read_labels(tmp_path / "out" / "Train.csv").popitem()[1] == 1
    told("set", 1, "--no-outline")
    assert Review.of(copied).state()["outline"][1] is None


def test_the_commands_say_what_is_wrong_in_one_line(landslide, copied, tmp_path):
    run = copied.folder
    (tmp_path / "bad.geojson").write_text("{")
    with (run / JOURNAL).open("wb") as file:
        file.write(b'{"torn')
    _, _, err = landslide("review", "list", run)
    assert "cut short" in err
    for asked in (
        ("set", run, 1),
        ("set", run, 1, "stable", "--no-outline"),
        ("set", run, 0, "accept"),
        ("set", run, 99, "stable"),
        ("set", run, 1, "--outline", tmp_path / "bad.geojson"),
        ("set", run, 1, "stable", "--reviewer", ""),
        ("undo", run, "--event", "x", "--redo"),
        ("undo", run),
        ("list", tmp_path),
        ("export", run, "--out", run),
    ):
        code, out, err = landslide("review", *asked)
        assert (code, out) == (2, ""), asked
        lines = [line for line in err.strip().splitlines() if not line.startswith("warning:")]
        assert len(lines) == 1, asked
