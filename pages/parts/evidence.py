"""The sections of the Decision page: how the parts add up, where in the tile, both stages."""

from typing import Final

import streamlit as st

from landslide_core.explain import TileExplanation
from pages.parts import charts, previews, reasons, wording
from pages.parts.waterfall import waterfall

PLAIN: Final = {"displayModeBar": False}


def weighing(why: TileExplanation) -> None:
    """How the probability came about, with the verdict's limits."""
    weighed = why.weighing
    if weighed is None:
        return
    st.subheader("How the probability came about", anchor=False)
    if why.verdict == "filtered_out":
        st.markdown(
            "The filter dropped this tile, so its probability is the filter's score. "
            "Had it gone on, this would have become of it:"
        )
    left, right = st.columns([2, 3], vertical_alignment="center")
    with left:
        st.markdown(reasons.weighing_table(why, weighed))
        st.caption(reasons.limits(weighed))
    with right:
        st.plotly_chart(waterfall(weighed), config=PLAIN)
    st.caption(reasons.promise(why, weighed))


@st.fragment
def where(why: TileExplanation) -> None:
    """The heat map over what the sensors saw; the slider reruns only this part."""
    st.subheader("Where in the tile", anchor=False)
    opacity = st.slider("Opacity of the heat map", 0.0, 1.0, 0.5, 0.05, width=420)
    previews.heat_of_tile(why.pixels, why.heat, opacity)
    st.caption(
        "The members' mean for each cell of 20 m × 20 m; the frame marks the hottest, "
        f"{wording.number(float(why.heat.max()))}. A hint where to look: it is not calibrated, and "
        "its edges are not a scar's outline."
    )


def filter_stage(why: TileExplanation) -> None:
    """What the filter weighed."""
    st.subheader("What the filter made of it", anchor=False)
    st.markdown(reasons.filter_sentence(why))
    st.plotly_chart(charts.contributions(why), config=PLAIN)
    st.caption(
        f"What each feature adds to the start value of {wording.signed(why.bias)} log-odds; "
        "beside its bar, the feature's value in this tile. "
        "Orange speaks for a landslide, blue against."
    )
    with st.expander("Everything that was measured on this tile", icon=":material/table:"):
        st.dataframe(wording.measurements(why.features), height=420)
        st.caption("Reflectance × 10⁴ and dB; indices without a unit.")


def ensemble(why: TileExplanation) -> None:
    """What the members voted, and on what grounds."""
    st.subheader("What the ensemble voted", anchor=False)
    st.markdown(reasons.ensemble_sentence(why))
    st.plotly_chart(charts.votes(why), config=PLAIN)
    st.caption(
        "● marks a vote for a landslide. “Needs” is the member's threshold."
        + reasons.cast_sentence(why)
    )
    st.markdown("**Statistics or picture**")
    st.plotly_chart(charts.grounds(why), config=PLAIN)
    st.caption(
        "Each member's log-odds: what the tile's statistics say, which is the same in every view, "
        "and what the picture adds to it, as the mean over the views. The diamond is their sum, "
        "the upright line what the member needs."
    )
