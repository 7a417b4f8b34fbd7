"""The sections of the Decision page: how the parts add up, both stages, where in the tile."""

from typing import Final

import streamlit as st

from landslide_core.explanation import TileExplanation
from landslide_core.folder import Run
from pages.parts import wording
from pages.parts.why import attributions, charts, reasons
from pages.parts.why.filter_chart import SHOWN, filter_chart
from pages.parts.why.waterfall import waterfall

PLAIN: Final = {"displayModeBar": False}


def weighing(why: TileExplanation) -> None:
    """How the probability came about, with the verdict's limits."""
    weighed = why.weighing
    if weighed is None:
        return
    st.header("How the probability came about", anchor=False)
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


def filter_stage(why: TileExplanation) -> None:
    """What the filter saw, and why it did or did not drop the tile."""
    st.header("What the filter made of it", anchor=False)
    st.markdown(reasons.filter_sentence(why))
    speaks, against = reasons.strongest(why)
    left, right = st.columns(2)
    left.markdown(f"Speaks for a landslide\n{speaks}")
    right.markdown(f"Speaks against\n{against}")
    st.plotly_chart(filter_chart(why), config=PLAIN)
    said = (
        f"Left: from the start value, the {SHOWN} strongest features one by one "
        "and all others together, to this tile's score."
    )
    if why.learnt is None:
        st.caption(
            f"{said} Where the values lie among the training's rows is not told: this bundle was "
            "made by a version that did not keep it."
        )
    else:
        rows = why.learnt.rows
        st.caption(
            f"{said} Right: the tile (diamond) among the {rows['landslide']:,} landslide and "
            f"{rows['stable']:,} other rows that the filter learnt from; thick the middle half of "
            "them, thin the middle 90 %."
        )
    with st.expander("Everything that was measured on this tile", icon=":material/table:"):
        st.dataframe(wording.measurements(why.features), height=420)
        st.caption("Reflectance × 10⁴ and dB; indices without a unit.")


def ensemble(why: TileExplanation) -> None:
    """What the members voted, and on what grounds."""
    st.header("What the ensemble voted", anchor=False)
    st.markdown(reasons.ensemble_sentence(why))
    st.plotly_chart(charts.votes(why), config=PLAIN)
    st.caption(
        "● marks a vote for a landslide. “Needs” is the member's threshold."
        + reasons.cast_sentence(why)
    )
    with st.expander("Statistics or picture: the grounds of each member", icon=":material/groups:"):
        st.plotly_chart(charts.grounds(why), config=PLAIN)
        st.caption(
            "Each member's log-odds: what the tile's statistics say, which is the same in every "
            "view, and what the picture adds to it, as the mean over the views. The diamond is "
            "their sum, the upright line what the member needs."
        )


def inside(run: Run, tile: int, why: TileExplanation) -> None:
    """Which inputs moved the ensemble, and which places."""
    attributions.places(run, tile, why)
    attributions.inputs(run, tile, why)
