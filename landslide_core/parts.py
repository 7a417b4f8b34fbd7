"""Super-tiles: a scene's tiles in parts, each written at once and with the hash of its bytes."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from landslide_core.bands import TILE
from landslide_core.errors import RunDamaged
from landslide_core.grid import Tiling, Window
from landslide_core.hashes import sha256_of
from landslide_core.judgement import Judgement

# Pixels a side of a part, at most: two 512-pixel blocks of a file wide, one high, so that each
# block is decoded about once, and a lost part costs seconds.
HEIGHT: Final = 512
WIDTH: Final = 1024
_FEW: Final = 8  # parts, under which stopping or a crash would lose much of a small scene
_HALVINGS: Final = 2

Shape = tuple[int, int]  # height and width of a part, pixels


@dataclass(frozen=True)
class Part:
    """A block of tiles that is judged and kept as one, by rows and columns of tiles."""

    index: int
    row: int
    col: int
    rows: int
    cols: int

    def __len__(self) -> int:
        return self.rows * self.cols

    @property
    def name(self) -> str:
        """What its files are called."""
        return f"part_{self.index:05d}"

    def windows(self, tiling: Tiling) -> list[Window]:
        """Its tiles' windows, row by row."""
        return [
            tiling.window(row, col)
            for row in range(self.row, self.row + self.rows)
            for col in range(self.col, self.col + self.cols)
        ]

    def places(self, tiling: Tiling) -> NDArray[np.int_]:
        """Its tiles' numbers in the tiling, row by row."""
        rows = np.arange(self.row, self.row + self.rows)[:, None]
        return (rows * tiling.cols + np.arange(self.col, self.col + self.cols)).ravel()


def part_shape(tiling: Tiling) -> Shape:
    """How large a new run's parts are: the smaller the scene, the smaller, within limits."""
    for halved in range(_HALVINGS + 1):
        shape = max(HEIGHT >> halved, TILE), max(WIDTH >> halved, TILE)
        if len(parts_of(tiling, shape)) >= _FEW:
            break
    return shape


def parts_of(tiling: Tiling, shape: Shape | None = None) -> list[Part]:
    """All parts of a tiling, row by row; of a shape, or of a new run's."""
    high, wide = (side // tiling.stride for side in shape or part_shape(tiling))
    corners = [
        (row, col) for row in range(0, tiling.rows, high) for col in range(0, tiling.cols, wide)
    ]
    return [
        Part(i, row, col, min(high, tiling.rows - row), min(wide, tiling.cols - col))
        for i, (row, col) in enumerate(corners)
    ]


def tiles_high(part: Part, tiling: Tiling, limit: int) -> Iterator[Part]:
    """A part cut into blocks of at most `limit` pixels of height: what is read at once."""
    high = max(1, (limit - TILE) // tiling.stride + 1)
    for row in range(part.row, part.row + part.rows, high):
        yield Part(part.index, row, part.col, min(high, part.row + part.rows - row), part.cols)


class PartStore:
    """The parts done so far, in a folder: NAME.npz, then NAME.json, which says it is whole."""

    def __init__(self, folder: Path) -> None:
        self.folder: Final = folder

    def write(self, part: Part, judgement: Judgement) -> None:
        """Keep a part; it is either wholly there or not at all, also after a power cut."""
        path = self.folder / f"{part.name}.npz"
        beside = self.folder / f".{part.name}.npz"
        arrays = {field.name: getattr(judgement, field.name) for field in fields(Judgement)}
        with beside.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **arrays)
            file.flush()
            os.fsync(file.fileno())
        marker = {
            "tiles": len(part),
            "holds": list(arrays),
            "sha256": sha256_of(beside),
            "bytes": beside.stat().st_size,
        }
        beside.replace(path)
        write_durably(self.folder / f"{part.name}.json", json.dumps(marker))

    def has(self, part: Part) -> bool:
        """Whether a part was written to its end."""
        return (self.folder / f"{part.name}.json").is_file()

    def damage(self, part: Part) -> str | None:
        """What is wrong with a part's files, in a few words; None where they are whole."""
        if not self.has(part):
            return "not done"
        path, marker = (self.folder / f"{part.name}.{kind}" for kind in ("npz", "json"))
        try:
            said = json.loads(marker.read_text())
            if said["tiles"] != len(part):
                return "of another plan"
            if said.get("holds") != [field.name for field in fields(Judgement)]:
                return "of an earlier version"
            if not path.is_file():
                return "its tiles are missing"
            return None if sha256_of(path) == said["sha256"] else "its bytes have changed"
        except (OSError, ValueError, KeyError, TypeError) as error:
            return f"does not read ({error})"

    def read(self, part: Part) -> Judgement:
        """A part's judgement. Raises RunDamaged where its files are not whole."""
        if wrong := self.damage(part):
            raise RunDamaged(
                f"{self.folder / part.name}: {wrong}; every part of the run is needed. Go on "
                f"with `landslide resume {self.folder.parent}`."
            )
        with np.load(self.folder / f"{part.name}.npz", allow_pickle=False) as saved:
            return Judgement(**{field.name: saved[field.name] for field in fields(Judgement)})


def write_durably(path: Path, text: str) -> None:
    """Write a small file at once: the old one or the new one is there, never half of one."""
    beside = path.with_name(f".{path.name}.part")
    with beside.open("w") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
