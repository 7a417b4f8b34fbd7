"""The Plotly figure of the filter: from start to score by feature, and where each value lies."""

from typing import Any, Final

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from landslide_core.calibration import log_odds
from landslide_core.explanation import TileExplanation
from landslide_core.learnt import Learnt
from pages.parts import theme, wording
from pages.parts.why.charts import MARGIN

SHOWN: Final = 8  # features; the rest is summed
# Kind of training rows, its words, colour, place beside the row's middle.
_STRIPS: Final = (
    ("landslide", "Landslide rows", theme.ORANGE_BAR, -0.2),
    ("stable", "Other rows", theme.BLUE_BAR, 0.2),
)
_ENDS: Final = (((0.05, 0.95), 2), ((0.25, 0.75), 8))  # shares of the rows, width of their line


def filter_chart(why: TileExplanation) -> go.Figure:
    """Left the way to the score in log-odds; right each value among the training's rows."""
    top = why.contributions[:SHOWN]
    rest = why.contributions[SHOWN:]
    adds = [why.bias, *(share for _, _, share in top), sum(share for _, _, share in rest)]
    labels = [
        "Start: the average tile",
        *(f"{wording.feature(name)}<br>{_told(name, value, why.learnt)}" for name, value, _ in top),
        f"All other {len(rest)} features",
        f"<b>Score {wording.number(why.filter_score)}</b>",
    ]
    figure = make_subplots(
        cols=2,
        shared_yaxes=True,
        column_widths=[0.55, 0.45],
        horizontal_spacing=0.03,
    )
    figure.add_trace(_way(adds, [label.split("<br>")[0] for label in labels]), row=1, col=1)
    _draw_threshold(figure, why, np.cumsum(adds))
    if why.learnt is not None:
        _draw_strips(figure, why.learnt, top)
    figure.update_layout(
        height=150 + 46 * len(labels),
        margin={**MARGIN, "t": 64},
        xaxis={"title": "Log-odds", "zeroline": False},
        xaxis2={"title": "% of the training rows that are lower", "range": [-3, 103]},
        legend={"orientation": "h", "y": -0.1, "yanchor": "top", "x": 1, "xanchor": "right"},
    )
    rows = {"tickvals": list(range(len(labels))), "ticktext": labels, "showgrid": False}
    figure.update_yaxes(range=[len(labels) - 0.4, -0.6], zeroline=False, **rows)
    figure.update_yaxes(automargin=True, col=1)
    return figure


def place(learnt: Learnt | None, name: str, value: float) -> str:
    """Where a value lies among the training's rows, in words; nothing where that is not known."""
    below = float("nan") if learnt is None else learnt.share_below(name, value)
    if not np.isfinite(below):
        return ""
    if below <= 0.01:
        return "lower than 99 % of the training rows"
    if below >= 0.99:
        return "higher than 99 % of the training rows"
    if below < 0.5:
        return f"lower than {100 * (1 - below):.0f} % of the training rows"
    return f"higher than {100 * below:.0f} % of the training rows"


def _told(name: str, value: float, learnt: Learnt | None) -> str:
    said = wording.feature_value(name, value)
    where = place(learnt, name, value).removesuffix(" of the training rows")
    return f"{said}, {where}" if where else said


def _way(adds: list[float], labels: list[str]) -> go.Waterfall:
    """Steps from the start value to the sum."""
    steps = [*adds, sum(adds)]
    return go.Waterfall(
        orientation="h",
        measure=["absolute", *("relative",) * (len(adds) - 1), "total"],
        x=steps,
        y=list(range(len(steps))),
        text=[wording.signed(step) for step in steps],
        textposition="outside",
        cliponaxis=False,
        increasing_marker_color=theme.ORANGE_BAR,
        decreasing_marker_color=theme.BLUE_BAR,
        totals_marker_color=theme.GREY_BAR,
        connector_line={"width": 1, "color": theme.GREY_BAR},
        customdata=labels,
        hovertemplate="%{customdata}<br>%{text} log-odds<extra></extra>",
        showlegend=False,
    )


def _draw_threshold(figure: go.Figure, why: TileExplanation, way: Any) -> None:
    """The line under which a tile is dropped, and room for it and for the figures at the bars."""
    ends = [0.0, *way]
    if np.isfinite(why.filter_threshold):
        limit = float(log_odds(np.array([why.filter_threshold]))[0])
        ends.append(limit)
        figure.add_vline(
            x=limit, line={"dash": "dash", "width": 2, "color": theme.ink()}, row=1, col=1
        )
        figure.add_annotation(
            x=limit,
            y=1.0,
            yref="paper",
            yanchor="bottom",
            text=f"dropped under {wording.number(why.filter_threshold)}",
            showarrow=False,
        )
    pad = 0.16 * (max(ends) - min(ends)) + 0.3
    figure.update_xaxes(range=[min(ends) - pad, max(ends) + pad], row=1, col=1)


def _draw_strips(figure: go.Figure, learnt: Learnt, top: list[tuple[str, float, float]]) -> None:
    """For every feature the middle 90 % and 50 % of the rows of either label, and the tile."""
    for kind, words, colour, beside in _STRIPS:
        for ends, width in _ENDS:
            x: list[float | None] = []
            y: list[float | None] = []
            for row, (name, _, _) in enumerate(top, 1):
                places = _places(learnt, name, kind, ends)
                x += [*places, None]
                y += [*(row + beside,) * len(places), None]
            figure.add_scatter(
                name=words,
                x=x,
                y=y,
                mode="lines",
                line={"color": colour, "width": width},
                hoverinfo="skip",
                showlegend=width > 2,
                legendgroup=kind,
                row=1,
                col=2,
            )
    known = [
        (row, name, value, learnt.share_below(name, value))
        for row, (name, value, _) in enumerate(top, 1)
        if np.isfinite(learnt.share_below(name, value))
    ]
    figure.add_scatter(
        name="This tile",
        x=[100 * below for *_, below in known],
        y=[row for row, *_ in known],
        mode="markers",
        marker={"symbol": "diamond", "size": 12, "color": theme.ink()},
        customdata=[
            f"{wording.feature(name)}: {wording.feature_value(name, value)}<br>"
            f"{place(learnt, name, value)}<br>" + _medians(learnt, name)
            for _, name, value, _ in known
        ],
        hovertemplate="%{customdata}<extra></extra>",
        row=1,
        col=2,
    )


def _places(learnt: Learnt, name: str, kind: str, shares: tuple[float, ...]) -> list[float]:
    """Where quantiles of the rows of a kind lie among all rows, in %."""
    values = learnt.features.get(name, {}).get(kind, ())
    found = np.interp(shares, learnt.shares, values) if len(values) else np.zeros(0)
    return [100 * learnt.share_below(name, float(value)) for value in found]


def _medians(learnt: Learnt, name: str) -> str:
    """The medians of either kind of rows, in words."""
    said = []
    for kind, words, *_ in _STRIPS:
        values = learnt.features[name][kind]
        if len(values):
            middle = float(np.interp(0.5, learnt.shares, values))
            said.append(f"{words.lower()} {wording.feature_value(name, middle)}")
    return f"medians: {', '.join(said)}" if said else ""
