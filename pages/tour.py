"""Tour page: a guided walk over the sample, in seven steps, for whoever sees this first."""

from collections.abc import Callable
from functools import partial
from typing import Final

import streamlit as st

from landslide_core.errors import LandslideError
from landslide_core.folder import Run
from pages.parts import state, theme, wording
from pages.parts.tour import cached_tour, making, result, scene, verdicts, walk

TITLES: Final = (
    "Where did the slopes fail?",
    "What a landslide looks like from above",
    "What radar sees",
    "Tiles, and what the filter removes",
    "What the ensemble decides",
    "The result, held against the truth",
    "What it is not, and what to do next",
)


def steps(run: Run) -> tuple[Callable[[], None], ...]:
    """What draws each step."""
    truth = making.truth()
    score, story = cached_tour.score(run, truth), cached_tour.story(run, truth)
    return (
        partial(scene.question, run, story, score),
        partial(scene.optical, run, story),
        partial(scene.radar, run, story),
        partial(verdicts.tiles, run, story, score),
        partial(verdicts.ensemble, run, story),
        partial(result.result, run, story, score),
        partial(result.next_steps, run, score),
    )


def show() -> None:
    """Draw the page."""
    if gone := making.missing():
        theme.header("Tour", "A guided walk over the sample.")
        st.warning(
            f"The sample is not whole: {', '.join(gone)} missing in "
            f"{wording.literal(str(state.SAMPLE))}. Write it with `landslide sample`, then reload."
        )
        return
    run, trouble = making.newest()
    if run is None:
        theme.header("Tour", "A guided walk over the sample.", simulated=True)
        making.offer(trouble)
        return
    step = walk.bar(TITLES)
    with walk.stage():
        try:
            steps(run)[step - 1]()
        except LandslideError as error:
            theme.problem(error)


show()
