"""Detection page: run the detector, see its verdicts on a map and in a table, take them away."""

import streamlit as st

from landslide_core.errors import LandslideError
from landslide_core.folder import Run
from pages.parts import cached, map, results, running, state, theme, wording

BACKGROUNDS = {
    "true-colour": "True colour",
    "false-colour": "False colour",
    "desc-post": "Radar, descending",
    "asc-post": "Radar, ascending",
    "desc-pre": "Radar, descending, before",
    "asc-pre": "Radar, ascending, before",
}


def controls(run: Run) -> map.Look:
    """The row of switches above the map."""
    columns = st.columns([4, 3, 3, 2], vertical_alignment="bottom")
    colouring = columns[0].segmented_control(
        "Colour tiles by",
        list(map.COLOURINGS),
        default="probability",
        required=True,
        format_func=lambda key: map.COLOURINGS[key],
    )
    opacity = columns[1].slider("Opacity of tiles", 0.0, 1.0, 0.55, 0.05)
    names = [*cached.backgrounds(run), None]
    background = columns[2].selectbox(
        "Background", names, format_func=lambda name: BACKGROUNDS.get(name, "None")
    )
    online = columns[3].toggle(
        "Online map", help="Fetches OpenStreetMap from the internet; off by default."
    )
    return map.Look(colouring or "probability", opacity, background, online)


@st.fragment
def explore(run: Run) -> None:
    """Map beside the selected tile; a click reruns only this part."""
    look = controls(run)
    left, right = st.columns([4, 1])
    with left:
        clicked = map.draw(run, look, state.chosen_tile())
        map.legend(look)
        results.what_is_drawn(run)
    if clicked is not None and clicked != state.chosen_tile():
        state.choose_tile(clicked)
        st.rerun(scope="fragment")
    with right:
        results.tile_card(run, state.chosen_tile())
    st.subheader("Tiles", anchor=False)
    if results.table(run):
        st.rerun(scope="fragment")


def show() -> None:
    """Draw the page."""
    jobs = running.under_way()
    folder, names = state.chosen_run(), [path.name for path in state.runs()]
    run = None
    trouble = None
    try:
        run = cached.run(folder) if folder else None
    except LandslideError as error:
        trouble = error
    simulated = bool(run and run.meta["simulated"])
    lead = "One verdict a tile of a scene"
    if run:
        lead = f"Run {wording.escaped(run.folder.name)}: one verdict a tile"
    theme.header("Detection", f"{lead}, and how sure the ensemble is of it.", simulated)
    if trouble:
        theme.problem(trouble)
    elif run is None and (asked := state.asked_run()):
        running.absent(asked, jobs)
    running.watch(jobs)
    results.choose(names, folder.name if folder else None)
    running.panel(expanded=run is None and trouble is None and not jobs)
    if run is None:
        return
    state.choose_run(run.folder.name)
    results.summary(run)
    explore(run)
    results.downloads(run)
    results.provenance(run)


show()
