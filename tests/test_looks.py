"""Looks: a scene made small, band by band as it should be, whole or not at all."""

import io
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import rasterio
import typer
from affine import Affine
from filelock import FileLock
from odc.geo.geobox import GeoBox
from stac_server import Files, running
from tiny import write_tiny_scene
from typer.testing import CliRunner

from landslide_core import layers, levels, looks, render
from landslide_core.bands import BAND_NAMES, INDEX, OPTICAL, RADAR_ROLES
from landslide_core.cli_scene import takes_scene
from landslide_core.errors import CannotWrite, NoSpace, RunBusy, UnreadableRaster
from landslide_core.grid import Grid, Window
from landslide_core.readers.given import SceneInputs
from pages.parts.maps import looks as making

Landslide = Callable[..., tuple[int, str, str]]


@dataclass
class Planes:
    """A scene made of an array (12, h, w) and a cloud flag."""

    pixels: render.Floats
    flag: np.ndarray | None = None
    most: int = 0  # pixels read at once

    @property
    def grid(self) -> Grid:
        place = Affine(10, 0, 300_000, 0, -10, 3_100_000)
        return Grid(GeoBox(self.pixels.shape[1:], place, "EPSG:32645"))

    available = BAND_NAMES[:-1]
    probabilities = ()

    @property
    def classes(self) -> tuple[int, ...]:
        return () if self.flag is None else (1,)

    def read(self, window: Window) -> render.Floats:
        self.most = max(self.most, window.height * window.width)
        part = self.pixels[
            :, window.row : window.row + window.height, window.col : window.col + window.width
        ]
        wide = ((0, 0), (0, window.height - part.shape[1]), (0, window.width - part.shape[2]))
        return np.pad(part, wide, constant_values=np.nan)

    def read_cloud(self, window: Window) -> np.ndarray | None:
        if self.flag is None:
            return None
        part = self.flag[
            window.row : window.row + window.height, window.col : window.col + window.width
        ]
        return np.pad(part, [(0, window.height - part.shape[0]), (0, window.width - part.shape[1])])


def scene_of(height: int, width: int) -> Planes:
    rows, cols = np.mgrid[:height, :width].astype(np.float32)
    pixels = np.stack([1000 + rows + cols] * 4 + [-20 + (rows % 2) * 10 + cols * 0] * 8)
    return Planes(pixels.astype(np.float32), np.zeros((height, width), np.bool_))


def write(scene: Planes, path: Path, longest: int = looks.LONGEST) -> Path:
    return looks.write_look(scene, path, longest)  # type: ignore[arg-type]


def test_values_come_back_and_no_data_stays(tmp_path: Path) -> None:
    scene = scene_of(300, 400)
    scene.pixels[:, 5, 7] = np.nan
    scene.pixels[INDEX["red"], 0, 0] = 90_000.0  # past what is kept
    scene.flag[10, 20] = True  # type: ignore[index]
    with rasterio.open(write(scene, tmp_path / "look.tif")) as raster:
        assert raster.dtypes[0] == "int16"
        assert raster.block_shapes[0] == (256, 256)
        assert raster.overviews(1) == [2]
        assert raster.descriptions == (*BAND_NAMES, "cloud")
        assert (raster.crs.to_epsg(), raster.transform) == (32645, scene.grid.transform)
        stored = raster.read()
    found = levels.values(levels.BANDS, stored)
    assert np.isnan(found[:12, 5, 7]).all()
    assert found[INDEX["red"], 0, 0] == 32_767
    assert found[INDEX["green"], 11, 30] == 1041
    assert found[INDEX["asc_vh_pre"], 11, 30] == -10
    assert stored[INDEX["asc_vh_pre"], 11, 30] == -1000
    assert (found[12, 10, 20], found[12].sum()) == (1, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["look.tif"]


@pytest.mark.parametrize("level", [None, 0])
def test_radar_is_averaged_in_power_and_optical_as_it_is(tmp_path: Path, level: int | None) -> None:
    """Rows of -20 and -10 dB: their mean power is 0.055, which is -12.6 dB, and not -15."""
    halved = level is None
    path = write(scene_of(600, 601), tmp_path / "look.tif", 301 if halved else 4096)
    with rasterio.open(path, **({} if halved else {"overview_level": level})) as raster:
        assert raster.shape == (300, 301)
        found = levels.values(levels.BANDS, raster.read())
    assert found[INDEX["desc_vv_post"], 40, 50] == pytest.approx(10 * np.log10(0.055), abs=0.006)
    assert found[INDEX["nir"], 40, 50] == 1000 + 2 * 40 + 2 * 50 + 1
    assert found[INDEX["nir"], 40, 300] == pytest.approx(1000 + 80 + 0.5 + 600, abs=0.51)  # edge


def test_a_large_scene_is_read_in_strips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(levels, "_STRIP", 20_000)
    scene, told = scene_of(500, 500), []
    looks.write_look(
        scene,  # type: ignore[arg-type]
        tmp_path / "look.tif",
        250,
        lambda stage, done, total: told.append((done, total)),
    )
    assert scene.most <= 20_000
    assert told[-1] == (250, 250)
    assert len(told) == 13


def test_facts_hold_limits_of_the_whole_scene(tmp_path: Path) -> None:
    scene = scene_of(300, 300)
    scene.pixels[INDEX["nir"]] *= 3
    scene.flag = None
    found = looks.facts(write(scene, tmp_path / "look.tif"))
    optical = {name: scene.pixels[INDEX[name]] for name in OPTICAL}
    assert found.natural["nir"] == pytest.approx(render.natural_limits(optical["nir"]), abs=1)
    assert found.natural["visible"] == pytest.approx(
        render.natural_limits(np.stack([optical[n] for n in layers.VISIBLE])), abs=1
    )
    assert not found.has_cloud
    names = [layer.name for layer in found.layers]
    assert "cloud" not in names
    assert "asc-change-vv" in names
    assert "asc-change-vh" not in names  # its last band is missing
    with rasterio.open(tmp_path / "look.tif", "r+") as raster:
        raster.update_tags(natural="")
    with pytest.raises(UnreadableRaster, match="no look at a scene"):
        looks.facts(tmp_path / "look.tif")


def test_a_look_is_there_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken(Planes):
        def read(self, window: Window) -> render.Floats:
            raise UnreadableRaster("the file stopped being readable")

    with pytest.raises(UnreadableRaster):
        write(Broken(scene_of(300, 300).pixels), tmp_path / "look.tif")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(CannotWrite, match="no folder"):
        write(scene_of(300, 300), tmp_path / "gone" / "look.tif")
    monkeypatch.setattr(looks.shutil, "disk_usage", lambda _: SimpleNamespace(free=2_000_000))
    with pytest.raises(NoSpace, match="2 MB free; 6 MB are needed"):
        write(scene_of(300, 300), tmp_path / "look.tif")
    assert list(tmp_path.iterdir()) == []


def test_the_key_changes_with_what_was_given_and_with_the_files(tmp_path: Path) -> None:
    (tmp_path / "safe").mkdir()
    one, inner = tmp_path / "a.tif", tmp_path / "safe" / "b.tif"
    one.write_bytes(b"1")
    inner.write_bytes(b"2")
    inputs = SceneInputs(s2=(one,), desc_post=(tmp_path / "safe",))
    first = looks.look_key(inputs)
    assert len(first) == 64
    assert looks.look_key(inputs) == first
    seen = {first, looks.look_key(replace(inputs, cloud_dilation=100))}
    inner.write_bytes(b"longer")
    seen.add(looks.look_key(inputs))
    one.unlink()
    seen.add(looks.look_key(inputs))
    assert len(seen) == 4


FULL = SceneInputs(
    s2=(Path("/data/-odd name.tif"), Path("/data/scl.tif")),
    desc_pre=("https://host/one.tif?sig=SECRET",),
    asc_post=(Path("/data/asc.tif"),),
    dem=(Path("/data/dem.tif"),),
    s2_bands=("B02", "B03"),
    s2_offset=-1000.0,
    event=date(2015, 4, 25),
    cloud_dilation=50,
    cloud_probability=40.0,
    speckle=5,
)


def test_options_say_a_scene() -> None:
    caught = []
    app = typer.Typer()

    @app.command()
    @takes_scene
    def look(inputs: SceneInputs) -> None:
        caught.append(inputs.record(signed=True))

    words = [
        *("--s2=/data/-odd name.tif", "--s2=/data/scl.tif", "--dem=/data/dem.tif"),
        *("--s1-desc-pre=https://host/one.tif?sig=SECRET", "--s1-asc-post=/data/asc.tif"),
        *("--s2-bands=B02,B03", "--s2-offset=-1000", "--event=2015-04-25"),
        *("--cloud-dilation=50", "--cloud-probability=40", "--speckle=5"),
    ]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert caught == [FULL.record(signed=True)]


def test_a_scene_goes_through_standard_input_whole() -> None:
    assert looks.from_stdin(looks.to_stdin(FULL)) == FULL
    assert looks.command(Path("/out/look.tif"))[1:] == [
        *("-m", "landslide_core", "look"),
        *("--out=/out/look.tif", "--stdin"),
    ]


@pytest.mark.parametrize(
    "line", [b"", b"{", b"\xff", b"[]", b"7", b"{}", looks.to_stdin(FULL).replace(b'"s2"', b'"s3"')]
)
def test_other_than_a_scene_on_standard_input_is_told(
    line: bytes, tmp_path: Path, landslide: Landslide, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(line)))
    code, _, said = landslide("look", "--out", tmp_path / "look.tif", "--stdin")
    assert code == 2
    assert said.startswith("landslide: Standard input holds no scene")
    assert len(said.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_scene_is_not_given_twice(
    tmp_path: Path, landslide: Landslide, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(looks.to_stdin(FULL))))
    code, _, said = landslide("look", "--out", tmp_path / "look.tif", "--stdin", "--speckle", 3)
    assert code == 2
    assert "given twice" in said
    assert list(tmp_path.iterdir()) == []


def test_one_process_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looks, "_PATIENCE", 0.01)
    out = tmp_path / "look.tif"
    assert not looks.being_made(out)
    with FileLock(looks.lock_of(out)):
        assert looks.being_made(out)
        with pytest.raises(RunBusy):
            looks.make_look(SceneInputs(), out)
    assert not looks.being_made(out)


def test_command_line(tmp_path: Path, landslide: Landslide) -> None:
    inputs = write_tiny_scene(tmp_path / "scene", 128)
    out = tmp_path / "look.tif"
    words = ["look", "--out", out, *(word for one in inputs.s2 for word in ("--s2", one))]
    for role in RADAR_ROLES:
        words += [f"--s1-{role.replace('_', '-')}", *inputs.given(role)]
    code, printed, said = landslide(*words)
    assert code == 0
    assert said.splitlines()[-1] == "100 %"
    assert "look.tif" in printed
    assert looks.facts(out).available == BAND_NAMES
    code, _, said = landslide(*words)  # nothing is overwritten
    assert code == 2
    assert "exists already" in said


class TestMaking:
    """The server's side: what state a look is in, and how it gets there."""

    @pytest.fixture
    def inputs(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SceneInputs:
        monkeypatch.setenv("LANDSLIDE_RUNS", str(tmp_path / "runs"))
        monkeypatch.setattr(making, "_making", {})
        (tmp_path / "s2.tif").write_bytes(b"x")
        return SceneInputs(s2=(tmp_path / "s2.tif",))

    @pytest.fixture
    def runs(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
        """Give the processes another program, told `out`."""

        def program(text: str) -> None:
            monkeypatch.setattr(
                making, "command", lambda out: [sys.executable, "-c", text, str(out)]
            )

        return program

    def finished(self) -> None:
        for process in making._making.values():
            process.wait(30)

    def test_made_once_and_ready(self, inputs: SceneInputs, runs: Callable[[str], None]) -> None:
        runs("import sys; open(sys.argv[1], 'wb').write(b'look'); print('3 %', file=sys.stderr)")
        assert making.state_of(inputs) == making.Making(0.0)
        self.finished()
        found = making.state_of(inputs)
        key = looks.look_key(inputs)
        assert found == making.Ready(key, making.folder() / f"{key}.tif")
        assert making.path_of(key) == making.folder() / f"{key}.tif"
        assert making.path_of("../" + key) is None

    def test_its_share_is_told(self, inputs: SceneInputs, runs: Callable[[str], None]) -> None:
        runs("import time; time.sleep(30)")
        making.state_of(inputs)
        process = next(iter(making._making.values()))
        log = next(making.folder().glob("*.log"))
        log.write_text("1 %\n42 %\n")
        try:
            assert making.state_of(inputs) == making.Making(0.42)
            assert len(making._making) == 1
        finally:
            process.kill()
            process.wait()
        found = making.state_of(inputs)  # killed: no word of what was wrong
        assert isinstance(found, making.Failed)
        assert "Try again" in found.line

    def test_last_words_of_the_failed(
        self, inputs: SceneInputs, runs: Callable[[str], None]
    ) -> None:
        runs("import sys; sys.exit('landslide: s2.tif is no raster. Give another.')")
        making.state_of(inputs)
        self.finished()
        failed = making.Failed("s2.tif is no raster. Give another.")
        assert making.state_of(inputs) == failed
        assert making.state_of(inputs) == failed  # not begun anew by looking
        assert making.again(inputs) == making.Making(0.0)
        self.finished()

    def test_signatures_are_on_no_command_line(
        self, inputs: SceneInputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The app's own command, from a server that answers nobody without a signature."""
        monkeypatch.setenv("LANDSLIDE_PRIVATE_ADDRESSES", "1")
        write_tiny_scene(tmp_path / "served", 128)
        begun, real = [], subprocess.Popen

        def popen(words: list[str], **more: object) -> subprocess.Popen[bytes]:
            begun.append((words, more.get("env")))
            return real(words, **more)  # type: ignore[call-overload]

        monkeypatch.setattr(making.subprocess, "Popen", popen)
        with running(Files(tmp_path / "served", signature="SECRET")) as server:
            signed = SceneInputs(s2=(f"{server.address}/s2.tif?sig=SECRET",))
            assert making.state_of(signed) == making.Making(0.0)
            self.finished()
            found = making.state_of(signed)
        ((words, environment),) = begun
        assert "SECRET" not in " ".join(words)
        assert environment is None
        assert isinstance(found, making.Ready), found
        assert looks.facts(found.path).available == OPTICAL
        kept = {path.suffix: path for path in making.folder().iterdir()}
        assert set(kept) == {".tif", ".log", ".lock"}
        assert "SECRET" not in kept[".log"].read_text()

    def test_a_long_scene_is_not_waited_for(
        self, inputs: SceneInputs, runs: Callable[[str], None]
    ) -> None:
        """More than a pipe holds, to a process that does not read it."""
        runs("import time; time.sleep(30)")
        many = replace(inputs, s2=tuple(f"https://host/{i}.tif?sig={'x' * 999}" for i in range(99)))
        try:
            assert making.state_of(many) == making.Making(0.0)
        finally:
            for process in making._making.values():
                process.kill()
        self.finished()

    def test_another_servers_process(self, inputs: SceneInputs) -> None:
        making.folder().mkdir(parents=True)
        path = making.folder() / f"{looks.look_key(inputs)}.tif"
        with FileLock(looks.lock_of(path)):
            path.with_suffix(".log").write_text("7 %\n")
            assert making.state_of(inputs) == making.Making(0.07)
            assert making._making == {}

    def test_old_looks_and_leavings_go(
        self, inputs: SceneInputs, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = making.folder()
        (folder / ".look-dead").mkdir(parents=True)
        (folder / ".partial-1-x.tif").write_bytes(b"")
        for i in range(25):
            (folder / f"{i:064x}.tif").write_bytes(b"x" * 1000)
            os.utime(folder / f"{i:064x}.tif", (i, i))
        making.tidy()
        left = sorted(path.name for path in folder.iterdir())
        assert left == [f"{i:064x}.tif" for i in range(6, 25)]
        monkeypatch.setenv("LANDSLIDE_LOOKS_GB", "0.0000035")
        making.tidy()
        assert len(list(folder.iterdir())) == 3

    def test_where_nothing_can_be_written_looks_are_shown(
        self, inputs: SceneInputs, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        making.folder().mkdir(parents=True)
        path = making.folder() / f"{looks.look_key(inputs)}.tif"
        path.write_bytes(b"look")
        looks.lock_of(path).write_bytes(b"")

        def refused(*given: object, **named: object) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(os, "utime", refused)
        monkeypatch.setattr(FileLock, "acquire", refused)
        assert making.state_of(inputs) == making.Ready(path.stem, path)

    def test_a_folder_that_cannot_be_made(self, inputs: SceneInputs) -> None:
        making.folder().parent.write_bytes(b"a file")
        found = making.state_of(inputs)
        assert isinstance(found, making.Failed)
        assert "writable" in found.line
