"""The Plotly figure of how filter, votes and bias add up to a probability and its verdict."""

from typing import Final

import numpy as np
import plotly.graph_objects as go

from landslide_core.calibration import Calibration, log_odds
from landslide_core.explanation import Weighing
from landslide_core.outputs import VERDICT_COLOURS
from pages.parts import theme, wording
from pages.parts.why.charts import MARGIN

_TICKS: Final = (0.001, 0.01, 0.05, 0.2, 0.5, 0.8, 0.95, 0.99, 0.999)  # probabilities
_FAR: Final = 8.0  # log-odds; a limit beyond is not worth a longer axis


def waterfall(weighed: Weighing) -> go.Figure:
    """Log-odds from filter, votes and bias to their sum, over the zones of the verdicts."""
    fit = weighed.calibration
    parts = [weighed.filter_part, weighed.votes_part, fit.bias]
    names = ("Filter", "Votes", "Bias", "Sum")
    figure = go.Figure(
        go.Waterfall(
            orientation="h",
            measure=["relative"] * len(parts) + ["total"],
            x=[*parts, weighed.total],
            # The figure beside the name: beside the bar it would lie under a limit's line.
            y=[
                f"{name}  {wording.signed(value)}"
                for name, value in zip(names, (*parts, weighed.total), strict=True)
            ],
            increasing_marker_color=theme.ORANGE_BAR,
            decreasing_marker_color=theme.BLUE_BAR,
            totals_marker_color=theme.GREY_BAR,
            connector_line={"width": 1, "color": theme.GREY_BAR},
            hovertemplate="%{y} log-odds<extra></extra>",
        )
    )
    limits = log_odds(np.array([fit.lower, fit.threshold, fit.upper]))
    ends = [0.0, *np.cumsum(parts), *limits[np.abs(limits) < _FAR]]
    pad = 0.14 * (max(ends) - min(ends)) + 0.4
    reach = (min(ends) - pad, max(ends) + pad)
    _draw_limits(figure, fit, reach)
    figure.update_layout(
        height=330,
        margin={**MARGIN, "t": 76},
        xaxis={
            "title": "Probability, spaced by log-odds",
            "range": reach,
            "tickvals": log_odds(np.array(_TICKS)).tolist(),
            "ticktext": [f"{tick:g}" for tick in _TICKS],
        },
        yaxis={"autorange": "reversed", "automargin": True},
        showlegend=False,
    )
    return figure


def _draw_limits(figure: go.Figure, fit: Calibration, reach: tuple[float, float]) -> None:
    """A zone for every verdict of the ensemble, and a line for every limit in reach."""
    lower, threshold, upper = log_odds(np.array([fit.lower, fit.threshold, fit.upper]))
    edges = np.clip([reach[0], lower, upper, reach[1]], *reach)
    for i, verdict in enumerate(("stable", "uncertain", "landslide")):
        colour = VERDICT_COLOURS[verdict]
        figure.add_vrect(
            *edges[i : i + 2], fillcolor=colour, opacity=0.2, line_width=0, layer="below"
        )
    lines = (
        ("stable under", lower, fit.lower, "dash"),
        ("yes from", threshold, fit.threshold, "dot"),
        ("landslide from", upper, fit.upper, "dash"),
    )
    near, last, level = 0.2 * (reach[1] - reach[0]), -np.inf, 0
    for words, x, limit, dash in lines:
        if not reach[0] < x < reach[1]:
            continue
        level = level + 1 if x - last < near else 0  # labels one above the other where lines crowd
        last = x
        figure.add_vline(x, line={"dash": dash, "width": 1.5, "color": theme.ink()})
        figure.add_annotation(
            x=x,
            y=1.02 + 0.1 * level,
            yref="paper",
            yanchor="bottom",
            text=f"{words} {wording.number(limit)}",
            showarrow=False,
        )
