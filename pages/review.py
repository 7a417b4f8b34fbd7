"""Review page: people correct the machine, tile by tile, in the order of use."""

import streamlit as st

from landslide_core.folder import Run
from pages.parts import (
    cached,
    results,
    review_actions,
    review_history,
    review_order,
    review_outline,
    review_picture,
    review_queue,
    review_summary,
    run_page,
    theme,
)


def judge(run: Run, queue: review_queue.Queue) -> None:
    """The tile's pictures beside what can be said of it."""
    tile = queue.tile
    said = queue.said.loc[tile]
    left, right = st.columns([3, 2], gap="medium")
    with left:
        pictured, drawn = review_picture.draw(run, tile, said["outline"])
    place = queue.place(drawing=drawn is not None)
    with right:
        review_history.judged(run, tile, said, queue.labels.get(tile, {}))
        review_actions.notice()
        review_actions.labelling(run, place, said["verdict"], said["comment"])
        review_actions.moving(run, place)
        if pictured or said["outline"] is not None:
            review_outline.panel(run, tile, said["outline"], drawn)
        review_history.history(run, tile)


def work(run: Run, names: list[str]) -> None:
    """Queue, tile, and what it all amounts to."""
    review_queue.ask_name()
    widths = [3, 2, 4, 2] if len(names) < 2 else [3, 3, 2, 4, 2]  # runs first, where there are
    *runs, filters, jump, done, who = st.columns(widths, vertical_alignment="bottom")
    for column in runs:
        with column:
            results.choose(names, run.folder.name)
    with who:
        review_queue.tell_name()
    said, events = cached.review_state(run), cached.review_events(run)
    for line in cached.review_warnings(run):
        theme.warning(line)
    order = review_order.stable_order(run, said)
    if not order:
        st.info("Every tile of this run is without data: there is nothing to review.")
        return
    queue = review_queue.choose([filters, jump, done], order, said, review_order.labels_of(events))
    if queue is None:
        st.info("No tile is in this filter. Choose another one above.")
    else:
        judge(run, queue)
    review_summary.show(run, said)
    review_queue.watch(run.folder, cached.review_stamp(run.folder))


WORDS = run_page.Words(
    title="Review",
    lead="Correct the machine, tile by tile.",
    about="Correct the machine's verdicts of run {run}.",
    purpose="review it",
)
run_page.show(WORDS, work)
review_actions.keys()
