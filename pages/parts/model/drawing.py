"""What every section of the Model card page does: a figure, a gap, a choice of source."""

import plotly.graph_objects as go
import streamlit as st

from pages.parts.model import phrases
from pages.parts.model.style import PLAIN, Card


def draw(figure: go.Figure, alt: str, words: str) -> None:
    """A figure with what to read from it under it."""
    st.plotly_chart(figure, config=PLAIN, alt=alt)
    st.caption(words)


def missing(what: str) -> None:
    """What stands where a card has no figures."""
    st.caption(
        f"This card has no {what}: the training did not measure it, or an earlier version wrote "
        "the card. `landslide train` on the same `--work` finishes it again from its checkpoints."
    )


def measured_on(card: Card, field: str) -> Card:
    """A source that has the field, chosen where there are several; empty where none has."""
    known = [name for name in phrases.SOURCES if card.get(name, {}).get(field)]
    if not known:
        return {}
    chosen = known[0]
    if len(known) > 1:
        chosen = st.segmented_control(
            "Measured on",
            known,
            format_func=lambda name: phrases.SOURCES[name][1],
            default=known[0],
            required=True,
            key=f"{field} of",
        )
    found: Card = card[chosen]
    return found
