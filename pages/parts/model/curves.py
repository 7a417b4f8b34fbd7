"""Plotly figures over every threshold: precision and recall, ROC, the filter's trade-off."""

from typing import Any, Final

import plotly.graph_objects as go

from landslide_core.training.curves import Curve, curve_of, marked
from pages.parts import theme
from pages.parts.model.style import LEGEND, MARGIN, ORANGE, PERCENT, Card, main

_POINTS: Final = (  # what to call a landslide: words, verdicts, symbol
    ("Verdict landslide", ("landslide",), "diamond"),
    ("Landslide or uncertain", ("landslide", "uncertain"), "square"),
)


def precision_recall(found: Card) -> go.Figure:
    """Precision over recall at every threshold, with the working points."""
    counts, figure = found["thresholds"], go.Figure()
    hover = "threshold %{customdata:.3f}<br>finds %{x:.1%}, of its calls %{y:.1%} are right"
    for k, fold in enumerate(map(curve_of, counts["folds"])):
        _line(figure, fold.recall, fold.precision, fold, hover, k)
    whole = curve_of(counts["probability"])
    _line(figure, whole.recall, whole.precision, whole, hover)
    _working_points(figure, found, 0, 1)
    share = found["pooled"]["positives"] / found["pooled"]["n"]
    _chance(figure, [0, 1], [share, share])
    _axes(figure, "Recall: share of the landslides found", "Precision: share of calls right")
    return figure


def roc(found: Card) -> go.Figure:
    """Recall over false alarms at every threshold, with the working points."""
    counts, figure = found["thresholds"], go.Figure()
    hover = "threshold %{customdata:.3f}<br>finds %{y:.1%}, calls %{x:.1%} of the stable tiles"
    for k, fold in enumerate(map(curve_of, counts["folds"])):
        _line(figure, fold.alarms, fold.recall, fold, hover, k)
    whole = curve_of(counts["probability"])
    _line(figure, whole.alarms, whole.recall, whole, hover)
    _working_points(figure, found, 2, 0)
    _chance(figure, [0, 1], [0, 1])
    _axes(figure, "False alarms: share of the stable tiles called", "Recall")
    return figure


def trade_off(found: Card) -> go.Figure:
    """What the filter keeps of the landslides over what it drops of all tiles."""
    curve = curve_of(found["thresholds"]["filter"])
    figure = go.Figure()
    hover = "filter threshold %{customdata:.3f}<br>drops %{x:.1%}, passes %{y:.2%} of landslides"
    _line(figure, curve.under, curve.recall, curve, hover, words="Any threshold")
    if scores := found.get("filter"):
        figure.add_scatter(
            name="As fitted",
            x=[scores["dropped_fraction"]],
            y=[scores["recall"]],
            mode="markers",
            marker={"symbol": "diamond", "size": 13, "color": ORANGE, "line": {"width": 1}},
            hovertemplate="as fitted: drops %{x:.1%}, passes %{y:.2%} of landslides<extra></extra>",
        )
    _axes(figure, "Share of all tiles dropped", "Share of the landslide tiles passed on")
    figure.update_yaxes(range=[0.8, 1.008])
    return figure


def _line(
    figure: go.Figure,
    x: Any,
    y: Any,
    curve: Curve,
    hover: str,
    fold: int | None = None,
    words: str = "All rows",
) -> None:
    """A curve over thresholds: a fold's faint, that of all rows bold."""
    name = words if fold is None else "Each fold"
    figure.add_scatter(
        name=name,
        legendgroup=name,
        showlegend=not fold,  # one entry for all folds
        x=x,
        y=y,
        customdata=curve.threshold,
        mode="lines",
        line={"color": main(), "width": 3 if fold is None else 1},
        opacity=1 if fold is None else 0.45,
        hovertemplate=hover + f"<extra>{words if fold is None else f'fold {fold + 1}'}</extra>",
    )


def _working_points(figure: go.Figure, found: Card, x: int, y: int) -> None:
    """The yes/no answer and the verdicts: recall, precision, false alarms as numbered by x, y."""
    points: list[tuple[str, str, tuple[float, ...]]] = []
    if "confusion" in found:
        (right_no, wrong_yes), (wrong_no, right_yes) = found["confusion"]
        yes = {"landslide": {"tiles": right_yes + wrong_yes, "landslides": right_yes}}
        no = {"no": {"tiles": right_no + wrong_no, "landslides": wrong_no}}
        points.append(("Yes/no answer", "circle", marked({**yes, **no}, ["landslide"])))
    if "verdicts" in found:
        table = found["verdicts"]["verdicts"]
        points += [(words, symbol, marked(table, names)) for words, names, symbol in _POINTS]
    for words, symbol, at in points:
        figure.add_scatter(
            name=words,
            x=[at[x]],
            y=[at[y]],
            mode="markers",
            marker={"symbol": symbol, "size": 12, "color": ORANGE, "line": {"width": 1}},
            hovertemplate=f"{words}<br>finds {at[0]:.1%}, {at[1]:.1%} of calls right, "
            f"calls {at[2]:.1%} of the stable tiles<extra></extra>",
        )


def _chance(figure: go.Figure, x: list[float], y: list[float]) -> None:
    figure.add_scatter(
        name="Guessing",
        x=x,
        y=y,
        mode="lines",
        line={"color": theme.GREY_BAR, "dash": "dash", "width": 1.5},
        hovertemplate="guessing<extra></extra>",
    )


def _axes(figure: go.Figure, x: str, y: str) -> None:
    figure.update_layout(
        height=430,
        margin={**MARGIN, "t": 64},
        legend=LEGEND,
        xaxis={"title": x, "range": [-0.01, 1.01], **PERCENT},
        yaxis={"title": y, "range": [0, 1.02], **PERCENT},
    )
