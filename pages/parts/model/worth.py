"""Plotly figures of what inputs are worth, of training and of its energy."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import plotly.graph_objects as go

from landslide_core.training.card_tables import combination_title, title
from landslide_core.training.intervals import paired_difference
from pages.parts import theme
from pages.parts.model.style import LEGEND, MARGIN, ORANGE, Card, main

COMPARED: Final = ("f1", "precision", "recall", "average_precision", "auc", "brier")


def combinations(parts: Mapping[str, Card], boosting: Card | None) -> go.Figure:
    """F1 and AUC of each combination of inputs; gradient boosting alone as a row of its own."""
    rows = {_sentence(combination_title(name)): scores for name, scores in parts.items()}
    if boosting:
        rows["Everything, boosting alone"] = boosting
    order = sorted(rows, key=lambda name: rows[name]["f1"])
    figure = go.Figure()
    for name in order:
        scores = rows[name]
        figure.add_scatter(
            x=[scores["f1"], scores["auc"]],
            y=[name, name],
            mode="lines",
            line={"color": theme.GREY_BAR, "width": 2},
            opacity=0.5,
            showlegend=False,
            hoverinfo="skip",
        )
    for score, colour, symbol in (("f1", main(), "circle"), ("auc", ORANGE, "diamond")):
        figure.add_scatter(
            name=title(score),
            x=[rows[name][score] for name in order],
            y=order,
            mode="markers+text",
            text=[f"{rows[name][score]:.3f}" for name in order],
            textposition="middle left" if score == "f1" else "middle right",
            marker={"color": colour, "symbol": symbol, "size": 10},
            hovertemplate=f"%{{y}}<br>{title(score)} %{{x:.3f}}<extra></extra>",
        )
    lowest = min(rows[name]["f1"] for name in order)
    figure.update_layout(
        height=110 + 36 * len(order),
        margin=MARGIN,
        legend=LEGEND,
        xaxis={"title": "Score, 1 is best", "range": [lowest - 0.06, 1.04], "dtick": 0.1},
        yaxis={"automargin": True, "showgrid": False},
    )
    return figure


def differences(ours: Sequence[Card], theirs: Sequence[Card]) -> go.Figure:
    """This system less boosting alone, a dot a fold and score, with mean ± deviation."""
    names = [name for name in COMPARED if name in ours[0] and name in theirs[0]]
    figure = go.Figure()
    pairs = list(zip(ours, theirs, strict=True))
    figure.add_scatter(
        name="One fold",
        x=[a[name] - b[name] for name in names for a, b in pairs],
        y=[title(name) for name in names for _ in pairs],
        customdata=[k + 1 for _ in names for k in range(len(pairs))],
        mode="markers",
        marker={"size": 9, "color": main(), "opacity": 0.45},
        hovertemplate="fold %{customdata}: %{y} %{x:+.3f}<extra></extra>",
    )
    apart = paired_difference(ours, theirs)
    figure.add_scatter(
        name="Mean ± standard deviation",
        x=[apart[name]["mean"] for name in names],
        y=[title(name) for name in names],
        error_x={"array": [apart[name]["std"] or 0 for name in names], "thickness": 2},
        mode="markers",
        marker={"symbol": "diamond", "size": 11, "color": theme.ink()},
        hovertemplate="mean of %{y} %{x:+.3f}<extra></extra>",
    )
    figure.add_vline(0, line={"color": theme.ink(), "width": 1, "dash": "dash"})
    figure.update_layout(
        height=360,
        margin=MARGIN,
        legend=LEGEND,
        xaxis={"title": "This system less boosting alone", "tickformat": "+.2f"},
        yaxis={"autorange": "reversed", "automargin": True, "showgrid": False},
    )
    return figure


def training(curves: Sequence[Sequence[Card]]) -> go.Figure:
    """Loss over epochs: folds faint, their mean bold."""
    figure = go.Figure()
    common = min(map(len, curves))  # a fold that stopped early ends the mean
    for score, words, colour, dash in (
        ("loss", "Training rows", main(), "solid"),
        ("inner_loss", "Rows kept aside", ORANGE, "solid"),
        ("statistics_loss", "Rows kept aside, statistics alone", theme.GREY_BAR, "dot"),
    ):
        losses = [[epoch.get(score) for epoch in fold] for fold in curves]
        if not common or any(loss is None for fold in losses for loss in fold):
            continue
        mean = np.array([fold[:common] for fold in losses], float).mean(axis=0)
        alone = score == "statistics_loss"  # a level to compare with, the same in every epoch
        for k, values in enumerate([*([] if alone else losses), mean]):
            fold = k < len(losses) and not alone
            figure.add_scatter(
                name=words,
                legendgroup=score,
                showlegend=not fold,
                x=list(range(1, len(values) + 1)),
                y=values,
                mode="lines",
                line={"color": colour, "dash": dash, "width": 1 if fold else 3},
                opacity=0.35 if fold else 1,
                hovertemplate=f"{f'fold {k + 1}' if fold else 'mean'}, epoch %{{x}}: "
                f"%{{y:.3f}}<extra>{words}</extra>",
            )
    figure.update_layout(
        height=380,
        margin=MARGIN,
        legend=LEGEND,
        xaxis={"title": "Epoch", "dtick": max(1, common // 10)},
        yaxis={"title": "Loss, less is better", "rangemode": "tozero"},
    )
    return figure


def energy(kwh: Mapping[str, float]) -> go.Figure:
    """Bars of kilowatt-hours: the training's own first, then everyday uses."""
    names = list(kwh)
    figure = go.Figure(
        go.Bar(
            x=list(kwh.values()),
            y=names,
            orientation="h",
            marker_color=[main(), *[theme.GREY_BAR] * (len(names) - 1)],
            text=[f"{value:.3f}" for value in kwh.values()],
            textposition="outside",
            cliponaxis=False,
            hovertemplate="%{y}: %{x:.3f} kWh<extra></extra>",
        )
    )
    figure.update_layout(
        height=70 + 44 * len(names),
        margin={**MARGIN, "t": 8, "r": 48},
        xaxis={"title": "Energy, kWh", "rangemode": "tozero"},
        yaxis={"autorange": "reversed", "automargin": True},
        showlegend=False,
    )
    return figure


def _sentence(words: str) -> str:
    """With a capital; the rest as it is, for "NIR" and its like."""
    return words[0].upper() + words[1:]
