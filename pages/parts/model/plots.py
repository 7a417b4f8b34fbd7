"""Plotly figures of a card's answers: scores by fold, confusion, verdicts."""

import math
from collections.abc import Mapping, Sequence
from typing import Final

import plotly.graph_objects as go

from landslide_core.training.card_tables import percent, title
from landslide_core.training.intervals import fold_spread
from pages.parts import theme
from pages.parts.model.style import LEGEND, MARGIN, Card, main

SCORES: Final = ("f1", "precision", "recall", "average_precision", "auc")


def folds(found: Sequence[Card]) -> go.Figure:
    """A dot a fold and score, with mean ± standard deviation."""
    names = [name for name in SCORES if name in found[0]]
    figure = go.Figure()
    points = [
        (fold[name], title(name), f"fold {k + 1}")
        for name in names
        for k, fold in enumerate(found)
        if math.isfinite(fold[name])
    ]
    figure.add_scatter(
        name="One fold",
        x=[value for value, _, _ in points],
        y=[words for _, words, _ in points],
        customdata=[fold for _, _, fold in points],
        mode="markers",
        marker={"size": 10, "color": main(), "opacity": 0.45},
        hovertemplate="%{customdata}: %{y} %{x:.3f}<extra></extra>",
    )
    spread = fold_spread(found)
    figure.add_scatter(
        name="Mean ± standard deviation",
        x=[spread[name]["mean"] for name in names],
        y=[title(name) for name in names],
        error_x={"array": [spread[name]["std"] or 0 for name in names], "thickness": 2},
        mode="markers",
        marker={"symbol": "diamond", "size": 11, "color": theme.ink()},
        hovertemplate="mean of %{y} %{x:.3f}<extra></extra>",
    )
    figure.update_layout(
        height=340,
        margin=MARGIN,
        legend=LEGEND,
        xaxis={"title": "Score, 1 is best", "tickformat": ".2f"},
        yaxis={"autorange": "reversed", "automargin": True, "showgrid": False},
    )
    return figure


def confusion(matrix: Sequence[Sequence[int]]) -> go.Figure:
    """Truth by the yes/no answer: counts, and shares of the row."""
    (right_no, wrong_yes), (wrong_no, right_yes) = matrix
    return _matrix(
        {"Landslide": [right_yes, wrong_no], "None": [wrong_yes, right_no]},
        ["Answered landslide", "Answered no"],
    )


def verdicts(table: Card) -> go.Figure:
    """Truth by verdict: counts, and shares of the row."""
    rows = {name: row for name, row in table["verdicts"].items() if row["tiles"]}
    order = [name for name in theme.VERDICT_WORDS if name in rows]
    return _matrix(
        {
            "Landslide": [rows[name]["landslides"] for name in order],
            "None": [rows[name]["tiles"] - rows[name]["landslides"] for name in order],
        },
        [theme.VERDICT_WORDS[name] for name in order],
    )


def _matrix(rows: Mapping[str, Sequence[int]], columns: Sequence[str]) -> go.Figure:
    """A heat map of counts, coloured and labelled by their share of the row."""
    shares = [[count / max(sum(row), 1) for count in row] for row in rows.values()]
    empty, full = ("#1b2a36", "#17242e") if theme.is_dark() else ("#eef3f6", "#ffffff")
    names = [f"{name}<br>{sum(row):,} tiles" for name, row in rows.items()]
    figure = go.Figure(
        go.Heatmap(
            z=shares,
            x=columns,
            y=names,
            zmin=0,
            zmax=1,
            colorscale=[[0, empty], [1, main()]],
            showscale=False,
            xgap=3,
            ygap=3,
            customdata=[list(row) for row in rows.values()],
            hovertemplate="%{x}: %{customdata:,} tiles, %{z:.1%} of their row<extra></extra>",
        )
    )
    for y, counts, parts in zip(names, rows.values(), shares, strict=True):
        for x, count, share in zip(columns, counts, parts, strict=True):
            figure.add_annotation(
                x=x,
                y=y,
                text=f"<b>{count:,}</b><br>{percent(share)}",
                showarrow=False,
                font={"size": 14, "color": full if share > 0.5 else theme.ink()},
            )
    figure.update_layout(
        height=260,
        margin={**MARGIN, "t": 30},
        xaxis={"side": "top", "showgrid": False},
        yaxis={
            "autorange": "reversed",
            "automargin": True,
            "showgrid": False,
            "title": "What the tile holds",
        },
    )
    return figure
