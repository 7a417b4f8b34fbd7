"""The guided tour: without a run, at every step, and failing; its figures are those of the run."""

import io
import json
import shutil
from pathlib import Path

import geopandas
import numpy as np
import pytest
import shapely
from paging import bars, button, claimed, open_page, quiet, texts
from PIL import Image
from streamlit.testing.v1 import AppTest

from landslide_core import render
from landslide_core.bands import BAND_NAMES, INDEX, RADAR_ROLES
from landslide_core.features import filter_feature_names
from landslide_core.folder import Run, open_run
from landslide_core.grid import Window
from landslide_core.readers.inputs import open_scene
from landslide_core.training.score import score_run
from pages.parts import state
from pages.parts.run import jobs
from pages.parts.tour import drawings, facts, making, telling
from pages.parts.tour.verdicts import members_for


@pytest.fixture
def sample(made: Run, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the sample's folder that a test may damage."""
    folder = tmp_path.parent / f"{tmp_path.name}-sample"
    shutil.copytree(state.SAMPLE, folder)
    monkeypatch.setattr(state, "SAMPLE", folder)
    return folder


@pytest.fixture(scope="module")
def story(made: Run) -> facts.Story:
    small = render.overview(open_scene(made.inputs()))
    outlines = geopandas.read_file(made.folder.parents[1] / "scene" / "truth.geojson").geometry
    return facts.tell(made, outlines, small, "once")


def metrics(page: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in page.metric}


class TestWithoutARun:
    def test_the_sample_can_be_run_from_here(self, home: Path, workers: list[Path]) -> None:
        page = quiet(open_page("tour"))
        assert "there is none yet" in texts(page)
        page = quiet(button(page, "Run the sample now").click().run())
        [job] = jobs.queue_of(home).jobs()
        assert (job.out, job.options.bundle.name) == (home / "sample", "default")
        assert job.inputs == making.inputs()
        assert workers
        assert ["Run sample" in bar for bar in bars(page)] == [True]
        assert "begins by itself" in texts(page)
        assert "Run the sample now" not in [b.label for b in page.button]

    def test_a_run_that_failed_can_be_tried_again(self, home: Path) -> None:
        button(open_page("tour"), "Run the sample now").click().run()
        queue = jobs.queue_of(home)
        queue.finish(claimed(queue), "failed", "The disk is full. Free some.")
        page = quiet(open_page("tour"))
        assert "The disk is full" in page.error[0].value
        assert "begins by itself" not in texts(page)
        assert button(page, "Retry")

    def test_a_name_that_is_taken_gets_a_number(self, home: Path) -> None:
        (home / "sample").mkdir()
        (home / "sample" / "notes.txt").write_text("mine")
        button(open_page("tour"), "Run the sample now").click().run()
        assert [job.out.name for job in jobs.queue_of(home).jobs()] == ["sample-2"]

    def test_without_a_bundle_it_says_how_to_get_one(
        self, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("LANDSLIDE_MODELS", str(home / "none"))
        page = quiet(open_page("tour"))
        assert "landslide train" in page.warning[0].value
        assert not page.button

    @pytest.mark.parametrize("name", ["s2.tif", "s1_asc_pre.tif", "truth.geojson"])
    def test_a_sample_that_is_not_whole_is_told(
        self, with_run: Path, sample: Path, name: str
    ) -> None:
        (sample / name).unlink()
        page = quiet(open_page("tour"))
        assert name in page.warning[0].value
        assert "landslide sample" in page.warning[0].value


class TestWhichRun:
    def test_a_copy_of_the_files_is_the_sample_too(self, with_run: Path, sample: Path) -> None:
        run, _ = making.newest()
        assert run is not None
        assert run.folder.name == "tiny"

    def test_other_files_are_not(self, with_run: Path, sample: Path) -> None:
        with (sample / "s1_asc_pre.tif").open("ab") as file:
            file.write(b"\0")
        assert making.newest() == (None, [])

    def test_the_newest_that_is_whole_is_taken(self, with_run: Path) -> None:
        shutil.copytree(with_run / "tiny", with_run / "newer")
        (with_run / "newer" / "tiles.parquet").write_bytes(b"PAR1")
        record = with_run / "newer" / "run.json"
        record.write_text(record.read_text())  # now
        run, trouble = making.newest()
        assert run is not None
        assert (run.folder.name, trouble) == ("tiny", [])

    def test_overlapping_tiles_tell_no_shares_of_ground(self, with_run: Path) -> None:
        record = with_run / "tiny" / "run.json"
        record.write_text(json.dumps({**json.loads(record.read_text()), "stride": 32}))
        assert making.newest() == (None, [])

    def test_a_damaged_run_is_told_and_another_offered(self, with_run: Path) -> None:
        (with_run / "tiny" / "tiles.parquet").write_bytes(b"PAR1")
        page = quiet(open_page("tour"))
        assert "does not read" in page.warning[0].value

    def test_a_run_of_another_bundle_cannot_be_explained(self, with_run: Path) -> None:
        record = with_run / "tiny" / "run.json"
        meta = json.loads(record.read_text())
        meta["bundle"]["sha256"] = "0" * 64
        record.write_text(json.dumps(meta))
        page = quiet(open_page("tour"))
        assert "has changed since run tiny" in page.warning[0].value
        assert button(page, "Run the sample now")


class TestSteps:
    def test_each_is_drawn(self, with_run: Path) -> None:
        for step, pictures in enumerate((1, 4, 6, 2, 2, 2, 0), 1):
            page = quiet(open_page("tour", step=str(step)))
            assert not page.error
            assert f"step {step} of 7" in texts(page)
            assert "Simulated data" in page.title[0].value
            assert len(page.get("image")) >= pictures

    def test_back_and_next(self, with_run: Path) -> None:
        page = quiet(open_page("tour"))
        assert button(page, "Back").disabled
        page = quiet(button(page, "Next").click().run())
        assert "from above" in page.title[0].value
        assert page.query_params["step"] == "2"
        page = quiet(button(page, "Back").click().run())
        assert "Where did" in page.title[0].value
        assert button(open_page("tour", step="7"), "Next").disabled

    def test_a_step_that_is_none_is_the_first(self, with_run: Path) -> None:
        for step in ("0", "8", "x", "<b>", ""):
            assert "step 1 of 7" in texts(quiet(open_page("tour", step=step)))

    def test_figures_are_those_of_the_score(self, with_run: Path) -> None:
        run = open_run(with_run / "tiny")
        score = score_run(run, state.SAMPLE / "truth.geojson")
        dropped, called = (score["verdicts"][name] for name in ("filtered_out", "landslide"))
        assert f"**{score['scars']} landslides**" in texts(open_page("tour", step="1"))
        four = open_page("tour", step="4")
        assert metrics(four)["Tiles dropped"] == f"{dropped['tiles']} of {len(run.tiles)}"
        lost = "It is not perfect" in texts(four)
        assert lost == (dropped["with_landslide"] > 0)
        six = open_page("tour", step="6")
        assert metrics(six) == {
            "Found": f"{score['scars_found']} of {score['scars']}",
            "Missed": str(score["scars"] - score["scars_found"]),
            "False alarms": str(called["tiles"] - called["with_landslide"]),
        }
        assert f"**{called['tiles']} alarms**" in texts(six)

    def test_the_last_leads_on(self, with_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        opened: list[str] = []
        monkeypatch.setattr("streamlit.switch_page", opened.append)
        page = open_page("tour", step="7")
        for label in ("Detection map", "Review", "Export and report", "Model card"):
            button(page, label).click().run()
        assert opened == ["detect.py", "review.py", "export.py", "model_card.py"]
        assert page.session_state["run"] == "tiny"

    def test_damaged_truth_is_one_line(self, with_run: Path, sample: Path) -> None:
        (sample / "truth.geojson").write_text("{")
        page = quiet(open_page("tour", step="6"))
        assert "outlines of landslides are" in page.error[0].value


class TestWhatIsChosen:
    def test_scars_found_are_as_many_as_the_score_counts(
        self, made: Run, story: facts.Story
    ) -> None:
        score = score_run(made, made.folder.parents[1] / "scene" / "truth.geojson")
        assert sum(scar.found for scar in story.scars) == score["scars_found"]
        assert len(story.scars) == score["scars"]

    def test_the_tile_of_a_scar_holds_most_of_it(self, made: Run, story: facts.Story) -> None:
        for scar in story.scars:
            shares = {
                int(tile): scar.shape.intersection(box(made, int(tile))).area
                for tile in made.tiles["tile_id"][made.tiles["verdict"] != "no_data"]
            }
            if scar.tile is not None:
                assert shares[scar.tile] == pytest.approx(max(shares.values()), rel=0.01)

    def test_the_clear_scar_is_in_the_picture_and_the_quiet_place_has_none(
        self, story: facts.Story
    ) -> None:
        assert square(story.place).contains(story.clear.shape.centroid)
        nearer = [scar for scar in story.scars if scar.shape.intersects(square(story.quiet))]
        others = [scar for scar in story.scars if scar.shape.intersects(square(story.place))]
        assert len(nearer) < len(others)

    def test_the_barest_scar_is_the_clear_one(self, made: Run) -> None:
        pixels = np.random.default_rng(0).normal(0, 0.1, (12, 320, 320)).astype(np.float32)
        pixels[INDEX["nir"]] += 3000
        pixels[INDEX["red"]] += 300
        places = [shapely.box(40, 40, 60, 70), shapely.box(200, 200, 220, 230)]
        bare = np.s_[200:230, 200:220]
        pixels[INDEX["red"]][bare] = 1500
        for orbit_pass in ("desc", "asc"):
            pixels[INDEX[f"{orbit_pass}_vh_post"]][bare] -= 3
        small = render.Overview(pixels, None, made.grid().geobox)
        ground = geopandas.GeoSeries(
            [shapely.transform(p, lambda xy: on_ground(made, xy)) for p in places],
            crs=made.grid().crs,
        )
        told = facts.tell(made, ground, small, "once")
        assert told.clear.shape.centroid.x == pytest.approx(210)
        assert told.place == Window(167, 162, 96, 96)
        assert told.clear.area == pytest.approx(60_000)

    def test_a_place_is_moved_onto_the_picture(self) -> None:
        assert facts.around(shapely.Point(3, 500), (320, 300)) == Window(224, 0, 96, 96)
        assert facts.around(shapely.Point(20, 20), (40, 400)) == Window(0, 0, 40, 96)

    def test_members_say_yes_from_their_threshold_on(self, made: Run) -> None:
        tile = int(made.tiles["tile_id"][made.tiles["votes_cast"] > 0].iloc[0])
        row = made.tiles.set_index("tile_id").loc[tile]
        assert members_for(made, tile) == [row["member_00"] >= 0.5, row["member_01"] >= 0.5]


class TestPictures:
    def test_dropped_ground_is_dark_and_grey(self) -> None:
        picture = np.full((8, 8, 4), (40, 120, 200, 255), np.uint8)
        dim = drawings.dimmed(picture, [Window(0, 0, 4, 8)])
        assert (dim[:4] == picture[:4]).all()
        assert (dim[4:] == (30, 30, 30, 255)).all()

    def test_levels_are_averaged_in_power(self) -> None:
        level = np.full((3, 3), -np.inf, np.float32)
        level[1, 1] = 10 * np.log10(9)
        assert drawings.averaged(level)[1, 1] == pytest.approx(0, abs=1e-5)

    def test_an_outline_lies_where_its_pixels_are(self) -> None:
        grey = np.full((20, 20, 4), (128, 128, 128, 255), np.uint8)
        shape = shapely.box(110, 205, 115, 210)
        drawn = drawings.drawn(grey, [(shape, drawings.WHITE, 3)], Window(200, 100, 20, 20), 200)
        shown = np.asarray(Image.open(io.BytesIO(drawn)).convert("L"))
        assert shown.shape == (200, 200)
        assert shown[100, 100:150].mean() > 220  # the lower edge: y 210 − 200, ten times as large
        assert shown[75, 125] < 160  # inside


class TestWords:
    @pytest.mark.parametrize(
        ("name", "said"),
        [
            ("asc_vv_diff_std", "Unevenness of radar change (VV, ascending)"),
            ("desc_vh_pre_mean", "Mean of radar echo before (VH, descending)"),
            ("asc_ratio_post_mean", "Mean of radar echo after (VV − VH, ascending)"),
            ("green_blue_contrast", "Contrast of green light and blue light"),
            ("bndvi_dn_skew", "Spots that stand out in greenness (BNDVI)"),
        ],
    )
    def test_features_read_plainly(self, name: str, said: str) -> None:
        assert telling.feature(name) == said

    def test_every_feature_has_words(self) -> None:
        for name in filter_feature_names():
            words = telling.feature(name)
            assert "_" not in words
            assert words[0].isupper()


def square(place: Window) -> shapely.Polygon:
    return shapely.box(place.col, place.row, place.col + place.width, place.row + place.height)


def box(run: Run, tile: int) -> shapely.Polygon:
    row = run.tiles.set_index("tile_id").loc[tile]
    return square(Window(64 * int(row["row"]), 64 * int(row["col"]), 64, 64))


def on_ground(run: Run, xy: np.ndarray) -> np.ndarray:
    return np.column_stack(run.grid().transform @ tuple(xy.T))


def test_every_role_of_the_sample_is_read(home: Path) -> None:
    given = making.inputs()
    assert all(len(given.given(role)) == 1 for role in RADAR_ROLES)
    assert [Path(str(p)).name for p in given.s2] == ["s2.tif", "scl.tif"]
    assert set(open_scene(given).available) == set(BAND_NAMES)
