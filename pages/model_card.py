"""Model card page: what a bundle was fitted on, how well it does, and its limits."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import streamlit as st

from landslide_core.errors import BundleError, BundleNotFound
from landslide_core.manifest import card_of
from pages.parts import state, theme, wording
from pages.parts.model import phrases, tables, text
from pages.parts.model.sections import SECTIONS

TEXT: Final = "Data and limits"


def choose(found: list[Path]) -> Path:
    """The bundle whose card to show; a list where there are several."""
    if len(found) == 1:
        return found[0]
    names = [path.name for path in found]
    name = st.selectbox("Model", names, width=420, key="model", bind="query-params")
    return found[names.index(name)]


def read(bundle: Path) -> Mapping[str, Any]:
    """A bundle's card; empty where it has none, with the reason where it is damaged."""
    try:
        return card_of(bundle)
    except BundleNotFound:
        return {}
    except BundleError as error:
        theme.problem(error)
        return {}


def summary(card: Mapping[str, Any]) -> None:
    """In two lines, the limits first; then each kind of tiles it was measured on."""
    st.warning(phrases.limits(card), icon=":material/front_hand:")
    st.markdown(phrases.strengths(card))
    if len(table := tables.sources(card)):
        tables.show(table)


def beside(found: list[Path]) -> None:
    """Headline figures of every model that has a card, a row each."""
    cards = {path.name: card for path in found if (card := read(path))}
    if len(cards) < 2:
        return
    with st.expander(f"Side by side: {len(cards)} models", icon=":material/compare_arrows:"):
        tables.show(tables.models(cards))
        st.caption(
            "Each on the rows out of fold of its own training: models fitted on other rows are not "
            "comparable. Missed and false alarm are shares of the landslide and the stable tiles."
        )


def sections(card: Mapping[str, Any], bundle: Path) -> None:
    """The section that is asked for, here or in the address."""
    names = [*SECTIONS, TEXT]
    chosen = st.segmented_control(
        "Section",
        names,
        default=names[0],
        required=True,
        key="section",
        bind="query-params",
        label_visibility="collapsed",
    )
    chosen = chosen or names[0]  # an empty value in the address chooses none
    if chosen != TEXT:
        SECTIONS[chosen](card)
        return
    with st.container(width=900):  # lines of a length that can be read
        text.limits(bundle)
        with st.expander("The whole card", icon=":material/description:"):
            text.whole(bundle)


def show() -> None:
    """Draw the page."""
    top, found = st.container(), state.bundles()
    bundle = choose(found) if found else None
    with top:
        name = f": {wording.escaped(bundle.name)}" if bundle else ""
        theme.header(f"Model card{name}", "What it was fitted on, how well it does, its limits.")
    if bundle is None:
        st.info(
            f"There is no model bundle in {wording.literal(str(state.models_folder()))}. "
            "Make one with `landslide train`, or set LANDSLIDE_MODELS."
        )
        return
    card = read(bundle)
    if not card:
        with st.container(width=900):
            text.whole(bundle)
        return
    summary(card)
    beside(found)
    sections(card, bundle)


show()
