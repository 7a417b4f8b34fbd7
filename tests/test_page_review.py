"""The Review page: empty, loaded, failing; what it keeps, and in which order it asks."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import shapely
from paging import button, open_page, quiet, some_tile, texts
from shapely.geometry import box, mapping
from streamlit.testing.v1 import AppTest

from landslide_core.folder import Run, open_run
from landslide_core.review.journal import JOURNAL, Event
from landslide_core.review.review import Review
from pages.parts import cached
from pages.parts.review import actions, ordering, outline, picture
from pages.parts.review.history import sentence
from pages.parts.review.summary import Figures

VERDICTS = ("landslide", "stable", "filtered_out", "uncertain", "landslide", "no_data")


def begun(tile: int | None = None, who: str = "Ana", run: str = "tiny") -> AppTest:
    """The page of the small run, with a reviewer's name given."""
    query = {"run": run} | ({"tile": str(tile)} if tile is not None else {})
    page = quiet(open_page("review", **query))
    page.text_input(key="review-name-field").set_value(who)
    button(page, "Start reviewing").click().run()
    return quiet(page)


def press(page: AppTest, name: str) -> AppTest:
    """Press the tile's button of a name: "accept", "next", …"""
    page.button(key=f"review-{name}-{shown(page)}").click().run()
    return quiet(page)


def shown(page: AppTest) -> int:
    asked = page.query_params["tile"]
    return int(asked if isinstance(asked, str) else asked[0])


def reviewed(home: Path) -> Review:
    return Review.of(open_run(home / "tiny"))


def state_of(*labels: str | None) -> pd.DataFrame:
    """A review's state with six verdicts."""
    told = pd.DataFrame({"verdict": VERDICTS, "probability": [0.9, 0.1, 0.1, 0.5, 0.8, np.nan]})
    return told.assign(label=pd.Series(labels, dtype=object), outline=None)


def event(tile: int, who: str, value: str, action: str = "relabel") -> Event:
    return Event.now("r", tile, who, action, value)  # type: ignore[arg-type]


class TestPage:
    def test_empty(self, home: Path) -> None:
        assert "no run yet" in texts(quiet(open_page("review")))

    def test_a_run_that_is_not_there(self, with_run: Path) -> None:
        page = quiet(open_page("review", run="away"))
        assert "away" in texts(page)
        assert not page.number_input

    def test_without_a_name_one_can_look_but_not_say(self, with_run: Path) -> None:
        page = quiet(open_page("review", run="tiny"))
        labels = [page.button(key=f"review-{n}-{shown(page)}") for n in ("landslide", "stable")]
        assert [found.disabled for found in labels] == [True, True]
        page.text_input(key="review-name-field").set_value("   ")
        button(page, "Start reviewing").click().run()
        assert "name is empty" in page.error[0].value
        assert not (with_run / "tiny" / JOURNAL).exists()

    def test_an_answer_is_kept_and_the_next_tile_shown(self, with_run: Path) -> None:
        run = open_run(with_run / "tiny")
        order = ordering.stable_order(run, Review.of(run).state())
        page = begun()
        assert shown(page) == order[0]
        assert f"**0 of {len(order)}** looked at" in page.get("progress")[0].proto.text
        press(page, "landslide")
        assert shown(page) == order[1]
        assert f"Tile {order[0]}" in texts(page)
        assert "landslide, kept. Undo with U" in texts(page)
        press(page, "stable")
        state = reviewed(with_run).state()
        assert list(state["label"][order[:3]]) == ["landslide", "stable", None]
        assert state["reviewer"][order[0]] == "Ana"
        assert f"**2 of {len(order)}** looked at" in page.get("progress")[0].proto.text

    def test_a_button_left_over_from_the_tile_before_keeps_nothing(self, with_run: Path) -> None:
        page = begun()
        left = shown(page)
        page.session_state["tile"] = left + 1  # as after an undo, before the page is drawn anew
        press(page, "landslide")
        assert f"Nothing was kept of tile {left}" in page.error[0].value
        assert reviewed(with_run).events == ()

    def test_a_key_too_quick_for_the_next_tile_keeps_nothing(self, with_run: Path) -> None:
        page = begun()
        first = shown(page)
        # Kept, but the page was interrupted before it went on.
        reviewed(with_run).relabel(first, "Ana", "landslide")
        press(page, "stable")
        assert f"Tile {first} has your answer already" in page.error[0].value
        assert [event.value for event in reviewed(with_run).events] == ["landslide"]
        assert shown(page) != first
        page.toggle(key="review-stay").set_value(True).run()
        press(page, "unsure")
        press(page, "stable")  # whoever stays may change their mind
        assert [event.value for event in reviewed(with_run).events][1:] == ["unsure", "stable"]

    def test_staying_undo_and_redo(self, with_run: Path) -> None:
        page = begun()
        tile = shown(page)
        assert page.button(key=f"review-undo-{tile}").disabled
        page.toggle(key="review-stay").set_value(True).run()
        press(page, "unsure")
        assert shown(page) == tile
        press(page, "next")
        assert shown(page) != tile
        press(page, "undo")
        assert shown(page) == tile
        assert reviewed(with_run).state()["label"][tile] is None
        press(page, "redo")
        assert reviewed(with_run).state()["label"][tile] == "unsure"
        press(page, "next")
        press(page, "previous")
        assert shown(page) == tile

    def test_accept_and_reject_want_a_verdict(self, with_run: Path) -> None:
        unclear = begun(some_tile(reviewed(with_run).run, "uncertain"))
        for name in ("accept", "reject"):
            found = unclear.button(key=f"review-{name}-{shown(unclear)}")
            assert found.disabled
            assert f"nothing to {name}" in found.help
        tile = some_tile(reviewed(with_run).run, "filtered_out")
        press(begun(tile), "reject")
        assert reviewed(with_run).state()["label"][tile] == "landslide"

    def test_a_comment_goes_with_the_answer_or_alone(self, with_run: Path) -> None:
        page = begun()
        tile = shown(page)
        page.text_area(key=f"review-comment-{tile}").set_value("fresh *scarp*")
        press(page, "landslide")
        assert [e.comment for e in reviewed(with_run).events] == ["fresh *scarp*"]
        press(page, "previous")
        assert page.text_area(key=f"review-comment-{tile}").value == "fresh *scarp*"
        press(page, "stable")  # the same words aren't said again
        press(page, "previous")
        page.text_area(key=f"review-comment-{tile}").set_value("old")
        button(page, "Keep comment").click().run()
        assert [e.comment for e in reviewed(with_run).events] == ["fresh *scarp*", "", "old"]
        assert reviewed(with_run).state()["comment"][tile] == "old"

    def test_the_address_finds_the_tile_again(self, with_run: Path) -> None:
        assert shown(begun(7)) == 7
        assert shown(quiet(open_page("review", run="tiny", tile="9999"))) < 25

    def test_jumping_and_filters(self, with_run: Path) -> None:
        review = reviewed(with_run)
        tile = some_tile(review.run, "filtered_out")
        page = begun()
        page.number_input[0].set_value(tile).run()
        assert shown(page) == tile
        page.selectbox(key="review-filter").set_value("mine").run()
        assert "No tile is in this filter" in texts(quiet(page))
        review.reject(tile, "Ana")
        page.selectbox(key="review-filter").set_value("differs").run()
        assert shown(quiet(page)) == tile
        assert page.button(key=f"review-next-{tile}").disabled

    def test_two_reviewers_are_both_kept(self, with_run: Path) -> None:
        page = begun()
        tile = shown(page)
        page.toggle(key="review-stay").set_value(True).run()
        reviewed(with_run).relabel(tile, "Ben", "stable")  # after the page was drawn
        press(page, "landslide")
        assert "Ben said stable meanwhile" in texts(page)
        assert "Ben stable, Ana landslide" in texts(page)
        assert [e.reviewer for e in reviewed(with_run).events] == ["Ben", "Ana"]

    def test_inputs_gone(self, with_run: Path) -> None:
        record = with_run / "tiny" / "run.json"
        meta = json.loads(record.read_text())
        meta["inputs"][0]["bytes"] += 1
        record.write_text(json.dumps(meta))
        page = begun()
        tile = shown(page)
        assert "labelled, but not looked at" in page.warning[0].value
        press(page, "stable")
        assert reviewed(with_run).state()["label"][tile] == "stable"
        page.button(key="review-make-labels").click().run()
        assert "has changed since the run was made" in quiet(page).error[0].value

    def test_a_damaged_review(self, with_run: Path) -> None:
        (with_run / "tiny" / JOURNAL).write_text("nothing\n")
        page = quiet(open_page("review", run="tiny"))
        assert "line 1 is no review event" in page.error[0].value

    def test_a_line_cut_short_is_told(self, with_run: Path) -> None:
        review = reviewed(with_run)
        review.relabel(3, "Ana", "stable")
        with (with_run / "tiny" / JOURNAL).open("ab") as file:
            file.write(b'{"id": "x')
        page = quiet(open_page("review", run="tiny", tile="3"))
        assert "cut short by a crash" in page.warning[0].value

    def test_a_full_disk_is_told(self, with_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        page = begun()

        def full(*arguments: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("landslide_core.review.journal._write", full)
        press(page, "stable")
        assert "disk is full; nothing was kept" in page.error[0].value


class TestTakingAway:
    def test_zips_hold_the_review(self, with_run: Path) -> None:
        page = begun()
        assert page.button(key="review-make-review").disabled
        first = shown(page)
        press(page, "landslide")
        press(page, "stable")
        for word in ("review", "labels"):
            page.button(key=f"review-make-{word}").click().run()
            quiet(page)
        made = page.session_state["review-exports"]
        assert "2 patches, 1 of them landslides" in texts(page)
        with zipfile.ZipFile(made["review"].path) as file:
            assert file.namelist() == ["review.csv", "review.gpkg"]
            table = pd.read_csv(file.open("review.csv"), index_col="tile_id")
        assert table["review_label"][first] == "landslide"
        with zipfile.ZipFile(made["labels"].path) as file:
            assert len([name for name in file.namelist() if name.endswith(".npy")]) == 2
            assert list(pd.read_csv(file.open("Train.csv"))["label"]) in ([0, 1], [1, 0])
        press(page, "unsure")  # a zip of an older word isn't handed over
        assert "2 patches" not in texts(page)

    def test_figures_by_hand(self, made: Run) -> None:
        said = state_of("landslide", "landslide", "stable", "landslide", "stable", None)
        run = Run(made.folder, made.meta)
        run.__dict__["tiles"] = pd.DataFrame({"alarm": [True] * 6})
        # Said right: tiles 0 and 2 of 0, 1, 2 and 4; tile 3 had no yes or no. Alarms: 0 and 4.
        assert Figures.of(run, said) == Figures(
            {"landslide": 3, "stable": 2, "unsure": 0}, 0, judged=4, agreed=2, alarms=2, right=1
        )
        run.__dict__["tiles"] = pd.DataFrame({"alarm": [True] * 4 + [False] * 2})
        assert (Figures.of(run, said).alarms, Figures.of(run, said).right) == (1, 1)


class TestOrder:
    def test_filters(self) -> None:
        said = state_of("stable", None, "landslide", "landslide", None, None)
        labels = ordering.labels_of(
            [event(0, "Ana", "landslide"), event(0, "Ben", "stable"), event(2, "Ana", "landslide")]
        )
        order = [3, 4, 0, 1, 2]
        listed = {
            name: ordering.filtered(order, said, labels, name, "Ana") for name in ordering.FILTERS
        }
        assert listed == {
            "all": order,
            "waiting": [4, 1],
            "uncertain": [3],
            "landslide": [4, 0],
            "stable": [1, 2],
            "mine": [0, 2],
            "differs": [0, 2],
            "conflict": [0],
        }

    def test_next_and_previous_keep_their_place_in_the_queue(self) -> None:
        order, said = [3, 4, 0, 1, 2], state_of("stable", None, None, None, None, None)
        assert ordering.following(order, [4, 0, 1], 0) == 1
        assert ordering.following(order, [4, 1], 0) == 1  # which is no longer listed
        assert ordering.preceding(order, [4, 1], 0) == 4
        assert ordering.following(order, [4, 1], 1) is None
        assert ordering.preceding(order, [4, 1], 4) is None
        assert ordering.next_waiting(order, order, said, 4) == 1  # 0 has a label
        assert ordering.next_waiting(order, order, said, 2) == 3  # round the end
        assert ordering.next_waiting(order, [0], said, 2) is None

    def test_tile_0_is_a_tile(self) -> None:
        said = state_of(*[None] * 6)
        assert ordering.next_waiting([1, 0, 3], [1, 0, 3], said, 1) == 0

    def test_what_was_taken_back_is_no_disagreement(self) -> None:
        said = [event(1, "Ana", "stable"), event(1, "Ben", "landslide")]
        assert ordering.disagreed(ordering.labels_of(said)) == {1}
        said.append(event(1, "Ben", said[1].id, "undo"))
        assert ordering.disagreed(ordering.labels_of(said)) == set()


class TestOutline:
    def test_pixels_and_degrees_are_each_other_s_inverse(self, made: Run) -> None:
        frame = outline.Frame.of(made, 7)
        tile = made.tiles.set_index("tile_id").geometry[7]
        corners = shapely.get_coordinates(frame.to_pixels(tile))
        assert {tuple(corner) for corner in corners.round(2)} >= {
            *((64.0, 64.0), (128.0, 64.0), (128.0, 128.0), (64.0, 128.0))
        }
        drawn = shapely.MultiPolygon([box(70, 70, 80, 90)])
        back = frame.to_pixels(frame.to_degrees(drawn))
        assert shapely.get_coordinates(back) == pytest.approx(shapely.get_coordinates(drawn))
        assert frame.area(drawn) == pytest.approx(20_000)  # 10 by 20 pixels of 100 m²

    def test_overlapping_parts_count_once(self, made: Run) -> None:
        both = shapely.MultiPolygon([box(60, 64, 70, 74), box(65, 64, 75, 74)])
        assert outline.Frame.of(made, 7).area(both) == pytest.approx(15_000)
        assert outline.outside(both) == pytest.approx(4 / 15)

    def test_what_the_browser_says_is_checked(self) -> None:
        square = [[[0, 0], [4, 0], [4, 4], [0, 4]], [[1, 1], [2, 1], [2, 2]]]
        drawn = outline.drawn_from([square])
        assert drawn is not None
        assert drawn.area == 15.5
        assert outline.rings_of(drawn) == [square]
        for nothing in ([], [[[[0, 0], [1, 1]]]], [[]], "?", [[["a", "b", "c"]]], None):
            assert outline.drawn_from(nothing) is None

    def test_keeping_and_removing(self, with_run: Path) -> None:
        review = reviewed(with_run)
        tile = review.run.tiles.geometry[7]
        west, south, east, north = tile.bounds
        half = box(west, south, (west + east) / 2, north)
        review.outline(7, "Ben", mapping(half))
        page = begun(7)
        area = outline.Frame.of(review.run, 7)
        told = area.area(area.to_pixels(half))
        assert told == pytest.approx(640 * 640 / 2, rel=0.05)
        assert f"**Outline:** {told:,.0f} m²" in texts(page)
        button(page, "Remove outline").click().run()
        assert reviewed(with_run).state()["outline"][7] is None
        assert "outline removed" in texts(quiet(page))


def test_ground_around_a_tile_ends_where_the_scene_does(made: Run) -> None:
    pixels = cached.surroundings(made, 0)  # at the upper left corner
    assert pixels.shape == (12, 192, 192)
    assert np.isnan(pixels[:, :64]).all()
    assert np.isnan(pixels[:, :, :64]).all()
    assert np.isfinite(pixels[0, 64:, 64:]).any()
    shown_there = picture.pictures(pixels)
    assert "Descending change VH" in shown_there
    assert len(shown_there) == 10
    pixels[4:] = np.nan
    assert list(picture.pictures(pixels)) == ["True colour", "False colour"]


def test_history_in_words() -> None:
    told = sentence(Event("i", "2026-01-02T03:04:05.678+00:00", "r", 1, "A*", "reject", "stable"))
    assert told == r"2026-01-02 03:04 UTC, A\* rejected the verdict: stable"
    gone = Event("i", "2026-01-02T03:04:05.678+00:00", "r", 1, "A", "outline", None, "no <b>")
    assert sentence(gone).endswith(r"removed the outline: no \<b\>")


def test_every_answer_has_its_key() -> None:
    assert set(actions.KEYS) >= {"a", "r", "1", "2", "3", "c", "u", "n", "p", "o", "k", "d"}
    assert actions.KEYS["r"] == '[class*="st-key-review-reject-"] button'
