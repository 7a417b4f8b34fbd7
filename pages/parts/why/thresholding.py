"""Another threshold: what it would call, and how it would do where the truth is known."""

from pathlib import Path
from typing import Final

import numpy as np
import plotly.graph_objects as go
import streamlit as st
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from landslide_core.errors import LandslideError
from landslide_core.folder import Run
from landslide_core.places import is_address
from landslide_core.threshold import (
    Confusion,
    called,
    confusion,
    judged_probability,
    limits_of,
)
from pages.parts import cached, state, theme, wording
from pages.parts.why import cached_why
from pages.parts.why.charts import MARGIN

PLAIN: Final = {"displayModeBar": False}
MARKS: Final = {"lower": "Stable under", "threshold": "Yes from", "upper": "Landslide from"}
NOBODY, REVIEWERS = "Nothing", "What reviewers said"
_STEPS: Final = np.linspace(0, 1, 101)
_LINES: Final = (
    ("Precision", theme.ORANGE_BAR, "solid"),
    ("Recall", theme.BLUE_BAR, "dash"),
    ("F1", theme.GREY_BAR, "dot"),
)
Labels = NDArray[np.floating]


@st.fragment
def panel(run: Run) -> None:
    """A slider with what it calls, and its scores where there is something to score against."""
    limits, key = limits_of(run.meta), f"threshold-{run.folder.name}"
    threshold = st.slider(
        "Threshold on the probability",
        *(0.0, 1.0, round(limits.get("threshold", 0.5), 3), 0.001),
        format="%.3f",
        key=key,
        help="What if: nothing of the run is changed.",
    )
    _own_limits(limits, key)
    chosen = judged_probability(run) >= threshold
    found = called(run, chosen)
    total, filtered = len(run.tiles), int((run.tiles["verdict"] == "filtered_out").sum())
    columns = st.columns(3)
    columns[0].metric("Tiles called", f"{found.tiles:,}", help=f"Of {total:,}.", border=True)
    columns[1].metric(
        "Groups of them", f"{found.groups:,}", help="Tiles that touch count as one.", border=True
    )
    columns[2].metric(
        "Ground under them",
        f"{found.km2:,.1f} km²",
        help="Of whole tiles: scars in them are smaller.",
        border=True,
    )
    labels, by_reviewers = _truth(run)
    if labels is not None:
        dropped = (run.tiles["verdict"] == "filtered_out").to_numpy()
        _scores(confusion(chosen, labels), int((labels[dropped] == 1).sum()), by_reviewers)
    st.plotly_chart(curves(run, threshold, limits, labels), config=PLAIN)
    st.caption(
        f"The {filtered:,} tiles that the filter dropped are never called: the ensemble gave them "
        "no probability."
    )


def _own_limits(limits: dict[str, float], key: str) -> None:
    """A button for each limit of the bundle that sets the slider to it."""
    if not limits:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption("The bundle's own:", width="content")
        for name, words in MARKS.items():
            st.button(
                f"{words} {wording.number(limits[name])}",
                key=f"{key}-{name}",
                type="tertiary",
                on_click=state.set_widgets,
                args=({key: round(limits[name], 3)},),
            )


def _truth(run: Run) -> tuple[Labels | None, bool]:
    """Labels to score against, as chosen, and whether they are what reviewers said."""
    files = truths(run)
    reviewed = _reviewed(run)
    names = [NOBODY, *files, *([REVIEWERS] if reviewed is not None else [])]
    chosen = st.selectbox(
        "Score against",
        names,
        index=1 if len(names) > 1 else 0,
        help="Outlines of landslides beside the scene or in the server's data folder.",
        width=420,
    )
    if len(names) == 1:
        st.caption(
            "There is no truth to score against. Put outlines as truth.geojson beside the scene's "
            "files or any GeoJSON, GeoPackage, KML or shapefile into the data folder, or review "
            "tiles."
        )
    if chosen == NOBODY:
        return None, False
    if chosen == REVIEWERS:
        return reviewed, True
    try:
        return cached_why.truth(run, files[chosen]), False
    except LandslideError as error:
        theme.problem(error)
        return None, False


def truths(run: Run) -> dict[str, Path]:
    """Files of outlines by what to call them: those beside the inputs that say so come first."""
    beside = {Path(e["path"]).parent for e in run.meta["inputs"] if not is_address(e["path"])}
    found = [
        path
        for folder in sorted(beside)
        for path in sorted(folder.glob("truth.*"))
        if path.suffix.lower() in cached_why.OUTLINES
    ]
    found += cached_why.outlines_below(state.data_folder())
    named: dict[str, Path] = {}
    for path in dict.fromkeys(path.resolve() for path in found):
        name = f"{path.parent.name}/{path.name}"
        named.setdefault(name if name not in named else str(path), path)
    return named


def _reviewed(run: Run) -> Labels | None:
    """Labels by people, NaN where nobody said landslide or stable; None where nobody did."""
    try:
        said = cached.review_state(run)["label"].map({"landslide": 1.0, "stable": 0.0})
    except LandslideError:
        return None
    labels = said.reindex(run.tiles["tile_id"]).to_numpy(float)
    return labels if np.isfinite(labels).any() else None


def _scores(found: Confusion, lost: int, by_reviewers: bool) -> None:
    """Precision, recall, F1 and what they are of."""
    columns = st.columns([1, 1, 1, 2])
    for column, name in zip(columns, ("precision", "recall", "f1"), strict=False):
        column.metric(name.capitalize(), wording.number(getattr(found, name)), border=True)
    columns[3].markdown(
        f"| n = {found.count:,} | called | not |\n|:--|--:|--:|\n"
        f"| landslide | {found.hits:,} | {found.missed:,} |\n"
        f"| none | {found.false_alarms:,} | {found.rightly_no:,} |"
    )
    said = [f"{lost:,} of the missed were dropped by the filter."] if lost else []
    if by_reviewers:
        said += [
            f"Partial truth: the {found.count:,} tiles that reviewers called landslide or stable, "
            "which nobody drew at random."
        ]
    said += [
        "A threshold chosen by looking at these scores makes them too good: they are an honest "
        "figure only of one chosen before. Check it on another scene."
    ]
    st.caption(" ".join(said))


def curves(
    run: Run, threshold: float, limits: dict[str, float], labels: Labels | None
) -> go.Figure:
    """Tiles called, and scores where there are labels, over all thresholds."""
    rows = 1 if labels is None else 2
    figure = make_subplots(rows=rows, shared_xaxes=True, vertical_spacing=0.08)
    probability = judged_probability(run)
    all_calls = [probability >= step for step in _STEPS]
    figure.add_scatter(
        x=_STEPS,
        y=[int(chosen.sum()) for chosen in all_calls],
        name="Tiles called",
        line={"color": theme.ink(), "shape": "hv"},
        hovertemplate="%{y:,} tiles from %{x:.2f} on<extra></extra>",
        showlegend=False,
        row=1,
        col=1,
    )
    figure.update_yaxes(title="Tiles called", rangemode="tozero", row=1)
    if labels is not None:
        scored = [confusion(chosen, labels) for chosen in all_calls]
        for name, colour, dash in _LINES:
            figure.add_scatter(
                x=_STEPS,
                y=[getattr(found, name.lower()) for found in scored],
                name=name,
                line={"color": colour, "dash": dash, "width": 2.5},
                hovertemplate=name + " %{y:.2f} at %{x:.2f}<extra></extra>",
                row=2,
                col=1,
            )
        figure.update_yaxes(title="Score", range=[-0.02, 1.02], row=2)
    for name, limit in limits.items():
        figure.add_vline(x=limit, line={"dash": "dash", "width": 1.5, "color": theme.GREY_BAR})
        figure.add_annotation(
            x=limit,
            y=1,
            yref="paper",
            yanchor="bottom",
            text=MARKS[name].lower(),
            textangle=-30,
            xanchor="left",
            showarrow=False,
        )
    figure.add_vline(x=threshold, line={"width": 2.5, "color": theme.ORANGE_BAR})
    figure.update_xaxes(range=[0, 1])
    figure.update_xaxes(title="Threshold", row=rows)
    figure.update_layout(
        height=230 + 200 * (rows - 1),
        margin={**MARGIN, "t": 64},
        legend={"orientation": "h", "y": -0.16, "yanchor": "top", "x": 0},
    )
    return figure
