"""Plotly figures of a card's probability: reliability, and wrong answers over tiles kept."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from pages.parts import theme
from pages.parts.model.style import LEGEND, MARGIN, ORANGE, PERCENT, Card, main

_DOUBTS: Final = {"margin": ("circle", "solid"), "spread": ("square", "dot")}


def reliability(bins: Sequence[Card]) -> go.Figure:
    """Observed over predicted share with 95 % intervals, and the tiles of each bin below."""
    figure = make_subplots(2, 1, shared_xaxes=True, row_heights=[0.78, 0.22], vertical_spacing=0.08)
    predicted, observed, low, high, count, start, end = (
        np.array([found[name] for found in bins], float)
        for name in ("predicted", "observed", "low95", "high95", "count", "low", "high")
    )
    figure.add_scatter(
        name="As promised",
        x=[0, 1],
        y=[0, 1],
        mode="lines",
        line={"color": theme.GREY_BAR, "dash": "dash", "width": 1.5},
        hoverinfo="skip",
    )
    figure.add_scatter(
        name="Observed, 95 % interval",
        x=predicted,
        y=observed,
        error_y={"array": high - observed, "arrayminus": observed - low, "thickness": 1.5},
        customdata=np.column_stack([count, low, high]),
        mode="lines+markers",
        line={"color": main(), "width": 2},
        marker={"size": 9},
        hovertemplate="said %{x:.1%}, came true %{y:.1%} (%{customdata[1]:.1%} – "
        "%{customdata[2]:.1%})<br>%{customdata[0]:,} tiles<extra></extra>",
    )
    figure.add_bar(
        x=(start + end) / 2,
        y=count,
        width=0.9 * (end - start),
        marker_color=theme.GREY_BAR,
        text=[f"{tiles:,.0f}" for tiles in count],
        textposition="outside",
        cliponaxis=False,
        showlegend=False,
        customdata=np.column_stack([start, end]),
        hovertemplate="%{y:,} tiles said %{customdata[0]:.0%} – %{customdata[1]:.0%}"
        "<extra></extra>",
        row=2,
        col=1,
    )
    figure.update_layout(height=480, margin=MARGIN, legend=LEGEND, bargap=0)
    figure.update_xaxes(PERCENT, range=[-0.02, 1.02])
    figure.update_xaxes(title="Probability given", row=2)
    figure.update_yaxes(PERCENT, range=[-0.03, 1.03], title="Share with a landslide", row=1)
    figure.update_yaxes(type="log", title="Tiles", row=2, showticklabels=False, showgrid=False)
    return figure


def risk_coverage(curves: Mapping[str, Sequence[Card]]) -> go.Figure:
    """Share of wrong answers and F1 over the share of tiles set aside, a line a measure."""
    figure = make_subplots(1, 2, horizontal_spacing=0.09)
    for name, steps in sorted(curves.items()):
        symbol, dash = _DOUBTS.get(name, ("diamond", "dash"))
        aside = [1 - step["coverage"] for step in steps]
        for column, score, form in ((1, "error", ".1%"), (2, "f1", ".3f")):
            figure.add_scatter(
                name=f"By {name}",
                legendgroup=name,
                showlegend=column == 1,
                x=aside,
                y=[step[score] for step in steps],
                mode="lines+markers",
                line={"color": main() if name == "margin" else ORANGE, "dash": dash, "width": 2},
                marker={"symbol": symbol, "size": 7},
                hovertemplate=f"%{{x:.0%}} set aside by {name}: %{{y:{form}}}<extra></extra>",
                row=1,
                col=column,
            )
    figure.update_layout(height=360, margin=MARGIN, legend=LEGEND)
    figure.update_xaxes(PERCENT, title="Most uncertain tiles set aside")
    figure.update_yaxes(PERCENT, title="Wrong answers among the rest", rangemode="tozero", col=1)
    figure.update_yaxes(tickformat=".2f", title="F1 of the rest", automargin=True, col=2)
    return figure
