"""Review page: people correct the machine, tile by tile, in the order of use."""

import streamlit as st

from landslide_core.folder import Run
from pages.parts import cached, theme
from pages.parts.review import actions, history, ordering, outline, picture, queueing, summary
from pages.parts.run import results, run_page


def judge(run: Run, queue: queueing.Queue) -> None:
    """The tile's pictures beside what can be said of it."""
    tile = queue.tile
    said = queue.said.loc[tile]
    left, right = st.columns([3, 2], gap="medium")
    with left:
        pictured, drawn = picture.draw(run, tile, said["outline"])
    place = queue.place(drawing=drawn is not None)
    with right:
        history.judged(run, tile, said, queue.labels.get(tile, {}))
        actions.notice()
        if place.drawing:  # beside the picture: nothing goes on before it is kept or dropped
            outline.panel(run, tile, said["outline"], drawn)
        actions.labelling(run, place, said["verdict"], said["comment"])
        actions.moving(run, place)
        if not place.drawing and (pictured or said["outline"] is not None):
            outline.panel(run, tile, said["outline"], drawn)
        history.history(run, tile)


def work(run: Run, names: list[str]) -> None:
    """Queue, tile, and what it all amounts to."""
    with theme.place():
        queueing.ask_name()
    widths = [3, 2, 4, 2] if len(names) < 2 else [3, 3, 2, 4, 2]  # runs first, where there are
    *runs, filters, jump, done, who = st.columns(widths, vertical_alignment="bottom")
    for column in runs:
        with column:
            results.choose(names, run.folder.name)
    with who:
        queueing.tell_name()
    said, events = cached.review_state(run), cached.review_events(run)
    with theme.place():
        for line in cached.review_warnings(run):
            theme.warning(line)
    order = ordering.stable_order(run, said)
    if not order:
        st.info("Every tile of this run is without data: there is nothing to review.")
        return
    queue = queueing.choose([filters, jump, done], order, said, ordering.labels_of(events))
    if queue is None:
        st.info("No tile is in this filter. Choose another one above.")
    else:
        judge(run, queue)
    summary.show(run, said)
    queueing.watch(run.folder, cached.review_stamp(run.folder))


WORDS = run_page.Words(
    title="Review",
    lead="Correct the machine, tile by tile.",
    about="Correct the machine's verdicts of run {run}.",
    purpose="review it",
)
run_page.show(WORDS, work)
actions.keys()
