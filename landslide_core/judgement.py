"""What can be said of tiles: the verdicts, and what both stages leave behind of each tile."""

from dataclasses import dataclass, fields
from typing import Final

import numpy as np
from numpy.typing import NDArray

from landslide_core.bands import BANDS
from landslide_core.drift import BINS
from landslide_core.grid import Tiling

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]

VERDICTS: Final = ("no_data", "filtered_out", "stable", "uncertain", "landslide")
NO_DATA, FILTERED_OUT, STABLE, UNCERTAIN, LANDSLIDE = range(5)
HEAT_STEP: Final = 1 / 254  # probability between two codes of a heat map
LEAST_VALID: Final = 0.5  # share of a tile's pixels with any band, under which it is no_data

# The dihedral group of the square: quarter turns of the tile, then of its mirror image.
VIEWS: Final = tuple(
    f"{mirror}{turn}°" for mirror in ("", "mirrored ") for turn in (0, 90, 180, 270)
)
# Views in the order they are shown: each pair a turn and a mirrored one, each half evenly spread.
ORDER: Final = (0, 5, 2, 7, 1, 4, 3, 6)
HEAT: Final = 32  # cells a side of the heat map
CELL: Final = 2  # pixels a side of a cell


@dataclass(frozen=True)
class Judgement:
    """What both stages say of N tiles; NaN where a stage never saw the tile."""

    verdict: NDArray[np.uint8]  # (N,) index into VERDICTS
    probability: Floats  # (N,) calibrated; the filter's score where it dropped the tile
    says_landslide: Flags  # (N,) the yes or no that scores are computed from
    spread: Floats  # (N,) standard deviation of the votes, 0..0.5
    agreement: Floats  # (N,) share of votes over their member's threshold
    filter_score: Floats  # (N,)
    # (N,) of the pixels seen by the optical sensor; where the scene has no cloud layer, the share
    # that the rule on brightness takes for cloud, which is a guess
    cloud_fraction: Floats
    valid_fraction: Floats  # (N,) pixels with data in any band
    votes: Floats  # (N, members, 8); NaN where none was needed any more
    votes_cast: NDArray[np.uint8]  # (N,)
    slope: Floats  # (N,) degrees, of the steepest hundredth; NaN where no DEM tells
    placed: NDArray[np.uint8]  # (N, 12, BINS) sampled pixels among the training's, of tiles judged
    heat: NDArray[np.uint8]  # (N, 32, 32) where in it, by `heat_codes`; 0: not voted on

    @staticmethod
    def room_for(count: int, members: int) -> "Judgement":
        """A judgement of `count` tiles nobody has looked at yet."""
        probability, spread, agreement, score, cloud, valid, slope = np.full(
            (7, count), np.nan, np.float32
        )
        return Judgement(
            verdict=np.full(count, NO_DATA, np.uint8),
            probability=probability,
            says_landslide=np.zeros(count, bool),
            spread=spread,
            agreement=agreement,
            filter_score=score,
            cloud_fraction=cloud,
            valid_fraction=valid,
            votes=np.full((count, members, len(VIEWS)), np.nan, np.float32),
            votes_cast=np.zeros(count, np.uint8),
            slope=slope,
            placed=np.zeros((count, len(BANDS), BINS), np.uint8),
            heat=np.zeros((count, HEAT, HEAT), np.uint8),
        )

    def put(self, start: int, part: "Judgement") -> None:
        """Write a part's tiles into this judgement, from the given tile on."""
        for field in fields(Judgement):
            values = getattr(part, field.name)
            getattr(self, field.name)[start : start + len(values)] = values

    def scatter(self, places: NDArray[np.int_], part: "Judgement") -> None:
        """Write a part's tiles to their places in this judgement, (n,)."""
        for field in fields(Judgement):
            getattr(self, field.name)[places] = getattr(part, field.name)

    @staticmethod
    def join(parts: "list[Judgement]") -> "Judgement":
        """One judgement from several, in order."""
        return Judgement(
            **{
                f.name: np.concatenate([getattr(p, f.name) for p in parts])
                for f in fields(Judgement)
            }
        )


@dataclass(frozen=True)
class Detections:
    """A whole scene's judgement, tile by tile in the tiling's order."""

    tiling: Tiling
    tiles: Judgement


def heat_codes(heat: Floats) -> NDArray[np.uint8]:
    """Probabilities 0..1 as 1..255, in steps of HEAT_STEP; 0 is left for what is not known."""
    return np.asarray(np.rint(heat / HEAT_STEP) + 1, np.uint8)
