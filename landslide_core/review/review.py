"""The review of a run: what people say of its tiles, and taking it back."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from landslide_core.errors import BadReview
from landslide_core.folder import Run, check_version
from landslide_core.hashes import sha256_of
from landslide_core.plan import PLAN, read_plan
from landslide_core.review.fold import ASPECTS, live, said_by, to_redo, to_undo
from landslide_core.review.journal import LABELLING, LABELS, Action, Event, Journal
from landslide_core.review.outline import checked_outline

# What accepting a verdict says; an uncertain one says nothing that could be accepted.
_MEANS: Final = {"landslide": "landslide", "stable": "stable", "filtered_out": "stable"}
_OPPOSITE: Final = {"landslide": "stable", "stable": "landslide"}
_LONGEST_NAME: Final = 100
_LONGEST_COMMENT: Final = 4000


@dataclass(frozen=True)
class Review:
    """A run's review; every method that writes has its event on disk when it returns."""

    run: Run
    journal: Journal

    @staticmethod
    def of(run: Run) -> "Review":
        """The review of a run. Raises RunDamaged where run or journal are not of this version."""
        check_version(run)
        journal = Journal(run.folder, run_identity(run), len(run.tiles))
        journal.refresh()
        return Review(run, journal)

    @property
    def events(self) -> tuple[Event, ...]:
        """All events so far, oldest first, revoked ones included."""
        self.journal.refresh()
        return self.journal.events

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is wrong and mends itself, as of the last reading."""
        if not self.journal.torn:
            return ()
        return (
            f"{self.journal.path}: its last line was cut short by a crash and is left out; the "
            "next review of a tile clears it away.",
        )

    def accept(self, tile: int, reviewer: str, comment: str = "") -> Event:
        """The machine's verdict is right. Raises BadReview where it is uncertain or no_data."""
        return self._record(tile, reviewer, "accept", self._means(tile, "accept"), comment)

    def reject(self, tile: int, reviewer: str, comment: str = "") -> Event:
        """The machine's verdict is wrong. Raises BadReview where it is uncertain or no_data."""
        label = _OPPOSITE[self._means(tile, "reject")]
        return self._record(tile, reviewer, "reject", label, comment)

    def relabel(self, tile: int, reviewer: str, label: str, comment: str = "") -> Event:
        """The tile is a landslide, stable or unsure, whatever the machine says."""
        if label not in LABELS:
            raise BadReview(f"{label!r} is no label; one of {', '.join(LABELS)} is needed.")
        return self._record(tile, reviewer, "relabel", label, comment)

    def outline(self, tile: int, reviewer: str, drawn: Any, comment: str = "") -> Event:
        """Draw a tile's outline, a GeoJSON polygon in EPSG:4326, over an older one; None: none."""
        self._verdict(tile)
        found = None if drawn is None else checked_outline(drawn, self._geometry[tile])
        return self._record(tile, reviewer, "outline", found, comment)

    def comment(self, tile: int, reviewer: str, comment: str) -> Event:
        """Say something about a tile, in place of what was said; "" takes it away."""
        return self._record(tile, reviewer, "comment", None, comment)

    def undo(self, reviewer: str, event: str | None = None) -> Event:
        """Revoke an event by its id, or the reviewer's own last one; again for the one before.

        Raises BadReview where there is none, or it is revoked already.
        """
        with self.journal.writing():
            return self._revoke(to_undo(self.journal.events, reviewer, event), reviewer)

    def redo(self, reviewer: str) -> Event:
        """Revoke the reviewer's own last undo. Raises BadReview where a later event stands."""
        with self.journal.writing():
            return self._revoke(to_redo(self.journal.events, reviewer), reviewer)

    def state(self) -> pd.DataFrame:
        """One row a tile, index tile_id: verdict and probability by the machine, then the review.

        `label` is landslide, stable, unsure or None; reviewer and when (UTC, ISO 8601) are the
        label's, or the last event's where there is none; outline is a geometry in EPSG:4326;
        outlined_as is what its drawer last called the tile.
        """
        columns = {name: np.full(len(self._verdicts), None, object) for name in ASPECTS}
        own: dict[tuple[int, str], Any] = {}  # the last label that each reviewer gave a tile
        for event in live(self.events):
            for name, value in said_by(event, columns["label"][event.tile]).items():
                columns[name][event.tile] = value
            if event.action in LABELLING:
                own[event.tile, event.reviewer] = event.value
        for (tile, reviewer), label in own.items():
            if columns["outlined_by"][tile] == reviewer:
                columns["outlined_as"][tile] = label
        table = pd.DataFrame(
            {"verdict": self._verdicts, "probability": self.run.tiles["probability"].to_numpy()},
            index=pd.RangeIndex(len(self._verdicts), name="tile_id"),
        )
        return table.assign(**{name: pd.Series(v, dtype=object) for name, v in columns.items()})

    @cached_property
    def _verdicts(self) -> NDArray[np.object_]:
        found: NDArray[np.object_] = self.run.tiles["verdict"].to_numpy(object)
        return found

    @cached_property
    def _geometry(self) -> NDArray[np.object_]:
        found: NDArray[np.object_] = self.run.tiles.geometry.to_numpy()
        return found

    def _verdict(self, tile: int) -> str:
        if not 0 <= tile < len(self._verdicts):
            raise BadReview(
                f"There is no tile {tile}; the run has 0 to {len(self._verdicts) - 1}. Choose one."
            )
        return str(self._verdicts[tile])

    def _means(self, tile: int, action: str) -> str:
        verdict = self._verdict(tile)
        if verdict not in _MEANS:
            raise BadReview(
                f"Tile {tile} is {verdict}: there is no yes or no to {action}. Label it landslide, "
                "stable or unsure."
            )
        return _MEANS[verdict]

    def _record(self, tile: int, reviewer: str, action: Action, value: Any, comment: str) -> Event:
        self._verdict(tile)
        if len(comment) > _LONGEST_COMMENT:
            raise BadReview(
                f"The comment has {len(comment):,} characters; {_LONGEST_COMMENT:,} at most are "
                "kept. Shorten it."
            )
        name, said = _checked_name(reviewer), _storable(comment.strip())
        event = Event.now(self.journal.run, int(tile), name, action, value, said)
        with self.journal.writing():
            return self.journal.append(event)

    def _revoke(self, target: Event, reviewer: str) -> Event:
        name = _checked_name(reviewer)
        event = Event.now(self.journal.run, target.tile, name, "undo", target.id)
        return self.journal.append(event)


def run_identity(run: Run) -> str:
    """Hash of a run's plan and of its bundle's identity: the same in every copy of the folder.

    Raises RunDamaged where the plan is missing or of another version.
    """
    read_plan(run.folder)
    both = f"{run.meta['bundle']['sha256']}\n{sha256_of(run.folder / PLAN)}"
    return hashlib.sha256(both.encode()).hexdigest()


def _checked_name(reviewer: str) -> str:
    name = reviewer.strip()
    if not name or len(name) > _LONGEST_NAME or not name.isprintable():
        raise BadReview(
            f"The reviewer's name has {len(name)} characters; 1 to {_LONGEST_NAME} printable ones "
            "are needed. Give a name."
        )
    return name


def _storable(text: str) -> str:
    """Text without what UTF-8 cannot hold: half a character, pasted from elsewhere."""
    return text.encode("utf-8", "replace").decode()
