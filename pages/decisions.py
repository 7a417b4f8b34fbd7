"""Decision page: why one tile got its verdict."""

import streamlit as st

from landslide_core.explanation import TileExplanation
from landslide_core.folder import Run
from landslide_core.outputs import VERDICT_COLOURS
from landslide_core.plan import cloud_from_of
from pages.parts import cached, state, theme
from pages.parts.look import previews
from pages.parts.run import results, run_page
from pages.parts.why import drift, evidence, neighbours, reasons, thresholding


def pick(run: Run) -> int:
    """Which tile: by number, or stepping through them by falling probability."""
    order = [int(tile) for tile in results.ranked(run)["tile_id"]]
    wanted = state.chosen_tile()
    tile = wanted if wanted in order else order[0]
    place = order.index(tile)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        typed = st.number_input("Tile", min(order), max(order), tile, step=1, width=160)
        if st.button("Previous", icon=":material/chevron_left:", shortcut="P", disabled=place == 0):
            typed = order[place - 1]
        last = place == len(order) - 1
        if st.button("Next", icon=":material/chevron_right:", shortcut="N", disabled=last):
            typed = order[place + 1]
        away = st.button("Show on map", icon=":material/map:", shortcut="M")
        say = st.button("Review", icon=":material/rate_review:", shortcut="E")
        st.caption(f"{place + 1:,} of {len(order):,} by probability", width="content")
    if wanted is not None and wanted not in order:
        st.warning(f"This run has no tile {wanted}; tile {tile}, the most probable, is shown.")
    if typed != tile and typed in order:
        state.choose_tile(int(typed))
        st.rerun()
    state.choose_tile(tile)
    state.show_tile_in_address(tile)
    if away:
        st.switch_page("detect.py")
    if say:
        st.switch_page("review.py")
    return tile


def explain(run: Run, tile: int, why: TileExplanation) -> None:
    """Verdict, bands, and everything that led there; what takes longest is filled in last."""
    words, colour = theme.VERDICT_WORDS[why.verdict], VERDICT_COLOURS[why.verdict]
    theme.verdict_line(words, colour, reasons.verdict(why))
    if label := cached.review_labels(run).get(tile):
        st.markdown(f":material/person: Reviewed: **{theme.LABEL_WORDS[label]}**")
    st.header("What the satellites saw", anchor=False)
    previews.bands_of_tile(
        why.pixels, why.cloud, run.meta["missing_bands"], cloud_from_of(run.meta)
    )
    if why.verdict != "no_data":
        drift.tile(run, why.pixels)
        evidence.weighing(why)
        evidence.filter_stage(why)
        evidence.ensemble(why)
        slow = st.container()
    st.header("What lies around it", anchor=False)
    neighbours.section(run, tile)
    with st.expander("What if the threshold were another", icon=":material/tune:"):
        thresholding.panel(run)
    if why.verdict != "no_data":
        with slow:
            evidence.inside(run, tile, why)


def draw(run: Run, names: list[str]) -> None:
    """The tile that is asked for, and everything about it."""
    results.choose(names, run.folder.name)
    tile = pick(run)
    explain(run, tile, cached.explanation(run, tile))


WORDS = run_page.Words(
    title="Decision",
    lead="Why one tile got its verdict.",
    about="Why one tile of run {run} got its verdict.",
    purpose="ask why",
)
run_page.show(WORDS, draw)
