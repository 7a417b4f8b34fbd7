"""Which tiles are asked, in which order, and what people said of each: nothing is drawn here."""

from collections.abc import Callable, Iterable
from typing import Final

import pandas as pd

from landslide_core.folder import Run
from landslide_core.review.fold import live
from landslide_core.review.journal import LABELLING, Event
from landslide_core.review.order import queue

Labels = dict[int, dict[str, str]]  # tile -> reviewer -> that reviewer's last label
# What the machine's verdict says; "uncertain" says nothing that could be right or wrong.
SAYS: Final = {"landslide": "landslide", "stable": "stable", "filtered_out": "stable"}
FILTERS: Final = {
    "all": "All tiles",
    "waiting": "Not looked at",
    "uncertain": "Uncertain",
    "landslide": "Landslides",
    "stable": "Stable",
    "mine": "Labelled by me",
    "differs": "Unlike the machine",
    "conflict": "Reviewers disagree",
}


def stable_order(run: Run, state: pd.DataFrame) -> list[int]:
    """The queue as it was before anything was said, so that no label moves a tile in it."""
    return queue(run, state.assign(label=None))


def labels_of(events: Iterable[Event]) -> Labels:
    """Each reviewer's last label of each tile, of what was not taken back."""
    said: Labels = {}
    for event in live(events):
        if event.action in LABELLING:
            said.setdefault(event.tile, {}).pop(event.reviewer, None)
            said[event.tile][event.reviewer] = str(event.value)  # the latest one last
    return said


def disagreed(labels: Labels) -> set[int]:
    """Tiles that reviewers labelled differently."""
    return {tile for tile, by in labels.items() if len(set(by.values())) > 1}


def unlike_machine(state: pd.DataFrame) -> "pd.Series[bool]":
    """Whether a tile's label, landslide or stable, contradicts the verdict."""
    says = state["verdict"].map(SAYS)
    return state["label"].isin(["landslide", "stable"]) & says.notna() & (says != state["label"])


def filtered(
    order: list[int], state: pd.DataFrame, labels: Labels, name: str, reviewer: str
) -> list[int]:
    """The tiles of a filter, in the queue's order."""
    verdict, label = state["verdict"], state["label"]
    kept: dict[str, Callable[[], Iterable[int]]] = {
        "all": lambda: order,
        "waiting": lambda: state.index[label.isna()],
        "uncertain": lambda: state.index[verdict == "uncertain"],
        "landslide": lambda: state.index[verdict == "landslide"],
        "stable": lambda: state.index[verdict.isin(["stable", "filtered_out"])],
        "mine": lambda: [tile for tile, by in labels.items() if reviewer in by],
        "differs": lambda: state.index[unlike_machine(state)],
        "conflict": lambda: disagreed(labels),
    }
    wanted = {int(tile) for tile in kept[name]()}
    return [tile for tile in order if tile in wanted]


def following(order: list[int], listed: list[int], tile: int) -> int | None:
    """The first listed tile after one in the queue; None after the last."""
    rank = {found: i for i, found in enumerate(order)}
    here = rank.get(tile, -1)
    return next((found for found in listed if rank[found] > here), None)


def preceding(order: list[int], listed: list[int], tile: int) -> int | None:
    """The last listed tile before one in the queue; None before the first."""
    rank = {found: i for i, found in enumerate(order)}
    here = rank.get(tile, len(order))
    return next((found for found in reversed(listed) if rank[found] < here), None)


def next_waiting(order: list[int], listed: list[int], state: pd.DataFrame, tile: int) -> int | None:
    """The next listed tile without a label, round past the end; None where all have one."""
    waiting = [found for found in listed if found != tile and pd.isna(state["label"][found])]
    later = following(order, waiting, tile)
    return later if later is not None else next(iter(waiting), None)
