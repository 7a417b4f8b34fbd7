"""What detection will take, before it is begun: tiles, time, memory, energy."""

from typing import Final

import streamlit as st

from landslide_core.errors import LandslideError
from landslide_core.estimate import Estimate, Span, estimate, past_runs
from landslide_core.manifest import card_of
from landslide_core.plan import RunOptions
from landslide_core.scene import Scene
from pages.parts import state, theme
from pages.parts.page_words import in_page_words
from pages.parts.run import running

MINUTE: Final = 60.0


def panel(scene: Scene) -> None:
    """The estimate for the tiles, bundle and device chosen."""
    bundles = {path.name: path for path in state.bundles()}
    if not bundles:
        st.info(f"There is no model bundle in `{state.models_folder()}`: nothing to estimate.")
        return
    st.header("What detection will take", anchor=False)
    columns = st.columns([2, 3, 3])
    bundle = columns[0].selectbox("Model bundle", list(bundles), key="effort-bundle")
    stride = columns[1].selectbox(
        "Tiles", list(running.STRIDES), format_func=running.STRIDES.__getitem__, key="effort-tiles"
    )
    device = columns[2].selectbox(
        "Compute on",
        list(running.DEVICES),
        format_func=running.DEVICES.__getitem__,
        key="effort-device",
    )
    options = RunOptions(bundle=bundles[bundle], stride=stride, device=device)
    try:
        card = card_of(options.bundle)
        found = estimate(scene.grid, options, past_runs(state.runs_folder()), card)
    except LandslideError as error:
        theme.problem(in_page_words(error))
        return
    _figures(found)


def _figures(found: Estimate) -> None:
    low, high = (energy_in_words(end) for end in (found.watt_hours.low, found.watt_hours.high))
    columns = st.columns(4)
    columns[0].metric("Tiles", f"{found.tiles:,}")
    columns[1].metric("Time", time_in_words(found.seconds.likely), help=_range(found.seconds))
    columns[2].metric("Memory, at most", f"{found.memory / 1e9:.1f} GB")
    columns[3].metric("Energy", energy_in_words(found.watt_hours.likely))
    st.caption(
        f"An estimate. Time: {_range(found.seconds)}, by {found.time_from}. Memory: what the "
        f"engine plans with {found.workers} part{'s' if found.workers > 1 else ''} under way at "
        f"once. Energy: {low} to {high}: the power is taken as {found.power_from}."
    )


def time_in_words(seconds: float) -> str:
    """ "12 s", "4 min", "2.5 h"."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 100 * MINUTE:
        return f"{seconds / MINUTE:.0f} min"
    return f"{seconds / MINUTE**2:.1f} h"


def energy_in_words(watt_hours: float) -> str:
    """ "0.05 Wh", "3 Wh", "1.2 kWh"."""
    if watt_hours < 0.995:
        return f"{watt_hours:.2g} Wh"
    return f"{watt_hours:.0f} Wh" if watt_hours < 1000 else f"{watt_hours / 1000:.1f} kWh"


def _range(span: Span) -> str:
    return f"{time_in_words(span.low)} to {time_in_words(span.high)}"
