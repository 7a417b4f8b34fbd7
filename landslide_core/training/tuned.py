"""What `landslide tune` chose, as a file; and the rows it saw, which no figure may be of."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from landslide_core.errors import DatasetError
from landslide_core.training.crossvalidate import Plan

_FORMAT: Final = 1
_GROUPS: Final = ("network", "train", "filter")  # fields of Plan
_KEPT: Final = "tuning.json"  # beside the folds of a training with chosen options


@dataclass(frozen=True)
class Tuning:
    """How options were chosen, and on which rows."""

    study: str  # fingerprint of its data, search space and options
    trials: int
    pruned: int  # of them
    log_loss: float  # of the best trial, on held-out tuning rows
    share: float  # of all possible IDs
    rows: int
    digest: str  # sha256 of the tuning rows' IDs
    energy: Mapping[str, Any] | None  # `energy.Energy`, of the whole study

    def saw(self, names: Sequence[str]) -> NDArray[np.bool_]:
        """Which of these IDs (of patches, of chips) are kept for tuning, (N,)."""
        return tuning_rows(names, self.share)

    def described(self, names: Sequence[str]) -> dict[str, Any]:
        """For the card of a training on patches of these IDs."""
        seen = self.saw(names)
        return {
            **asdict(self),
            "left_out": int(seen.sum()),
            "same_rows": digest_of(names, seen) == self.digest,
        }


def tuning_rows(names: Sequence[str], share: float) -> NDArray[np.bool_]:
    """A share of IDs, by their hash: it depends on no label, no order and no other row, (N,)."""
    places = [int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") for name in names]
    return np.array([place < share * 2**64 for place in places], bool)


def digest_of(names: Sequence[str], seen: NDArray[np.bool_]) -> str:
    """sha256 of the chosen IDs, in their alphabetical order."""
    chosen = sorted(name for name, here in zip(names, seen, strict=True) if here)
    return hashlib.sha256("\n".join(chosen).encode()).hexdigest()


def write_options(path: Path, chosen: Mapping[str, Mapping[str, Any]], tuning: Tuning) -> None:
    """Write chosen fields by group ("network", "train", "filter") and how they were chosen."""
    said = {"format": _FORMAT, **chosen, "tuning": asdict(tuning)}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(said, indent=1) + "\n")


def read_options(path: Path, plan: Plan) -> tuple[Plan, Tuning]:
    """The plan with the chosen fields in their place, and how they were chosen.

    Raises DatasetError.
    """
    try:
        said = json.loads(path.read_text())
        if said["format"] != _FORMAT:
            raise ValueError(f"format {said['format']}")
        tuning = Tuning(**said["tuning"])
        groups = {
            name: replace(getattr(plan, name), **_fields(getattr(plan, name), said.get(name, {})))
            for name in _GROUPS
        }
        return replace(plan, **groups), tuning
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        first = (str(error) or type(error).__name__).splitlines()[0]
        raise DatasetError(
            f"{path} does not read as options ({first}); a file that `landslide tune` wrote is "
            "needed. Check --options."
        ) from error


def _fields(options: Any, chosen: Mapping[str, Any]) -> dict[str, Any]:
    """Chosen values in the types of the options' own fields. Raises ValueError, TypeError."""
    known = {field.name: getattr(options, field.name) for field in fields(options)}
    if unknown := set(chosen) - set(known):
        raise ValueError(f"unknown option {sorted(unknown)[0]}")
    return {name: type(known[name])(value) for name, value in chosen.items()}


def keep_tuning(folder: Path, tuning: Tuning) -> None:
    """Leave word with a training's folds of the rows that none of its figures may be of."""
    (folder / _KEPT).write_text(json.dumps(asdict(tuning), indent=1) + "\n")


def reported_rows(folder: Path, names: Sequence[str]) -> NDArray[np.bool_] | None:
    """Which patches the figures of a training's folds may be of; None means all of them."""
    path = folder / _KEPT
    return ~Tuning(**json.loads(path.read_text())).saw(names) if path.is_file() else None
