"""The model card's figures as SVG, drawn from the card's own figures.

Colours are Okabe and Ito's, told apart with any colour vision. Each picture brings its own light
ground, so that it reads on dark pages too, and is 600 px wide with letters of 13 px.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from landslide_core.outputs import VERDICT_COLOURS
from landslide_core.training.card_curves import draw_thresholds
from landslide_core.training.card_tables import combination_title

if TYPE_CHECKING:  # Matplotlib takes half a second to import: only who draws pays
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Card = Mapping[str, Any]

_BLUE: Final = "#0072b2"
_ORANGE: Final = "#d55e00"
_GROUND: Final = "#fbfaf7"
_INK: Final = "#222222"
_FAINT: Final = "#8a8a8a"
_WIDTH: Final = 6.25  # inches of 72 pt: 600 px
_STYLE: Final[dict[str, Any]] = {
    "axes.edgecolor": _FAINT,
    "axes.facecolor": _GROUND,
    "axes.grid": True,
    "axes.labelcolor": _INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "figure.facecolor": _GROUND,
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "grid.color": "#e2e0da",
    "grid.linewidth": 0.8,
    "savefig.facecolor": _GROUND,
    "svg.fonttype": "none",  # letters stay letters: small files, text that can be searched
    "svg.hashsalt": "landslide",
    "text.color": _INK,
    "xtick.color": _FAINT,
    "xtick.labelcolor": _INK,
    "ytick.color": _FAINT,
    "ytick.labelcolor": _INK,
}
# Section of the card → ending of its figures' names, words for their titles.
_SECTIONS: Final = {
    "out_of_fold": ("", "labelled rows, out of fold"),
    "simulated_unseen": ("_simulated", "simulated scenes, unseen seeds"),
    "chips_out_of_fold": ("_chips", "Landslide4Sense chips, out of fold"),
}


def card_figures(card: Card) -> dict[str, bytes]:
    """File name → SVG of every figure the card has the numbers for; the same bytes every time."""
    return {name: _rendered(draw, "svg") for name, draw in _drawings(card).items()}


def _drawings(card: Card) -> dict[str, Callable[[Figure], None]]:
    """File name → what draws the figure on an empty one."""
    drawings: dict[str, Callable[[Figure], None]] = {}
    for section, (suffix, source) in _SECTIONS.items():
        found = card.get(section, {})
        for kind, draw in (
            ("reliability", _reliability),
            ("risk_coverage", _risk_coverage),
            ("verdicts", _verdicts),
        ):
            if found.get(kind):
                drawings[f"{kind}{suffix}.svg"] = _bound(draw, found[kind], source)
    rows = card.get("out_of_fold", {})
    if rows.get("thresholds"):
        drawings["thresholds.svg"] = _bound(draw_thresholds, rows, "labelled rows, out of fold")
    if parts := rows.get("combinations"):
        drawings["combinations.svg"] = _bound(_combinations, parts, "labelled rows, out of fold")
    if curves := card.get("curves"):
        drawings["training.svg"] = _bound(_training, curves, f"{len(curves)} folds")
    return drawings


def _bound(
    draw: Callable[[Figure, Any, str], None], numbers: Any, source: str
) -> Callable[[Figure], None]:
    return lambda figure: draw(figure, numbers, source)


def _rendered(draw: Callable[[Figure], None], kind: str) -> bytes:
    from matplotlib import style
    from matplotlib.figure import Figure

    with style.context(_STYLE, after_reset=True):  # a user's own settings change nothing
        figure = Figure(figsize=(_WIDTH, 3.6), layout="constrained")
        draw(figure)
        file = io.BytesIO()
        # No date and no version of the library: the bundle's hashes hang on these bytes.
        metadata = {"Date": None, "Creator": None} if kind == "svg" else None
        figure.savefig(file, format=kind, metadata=metadata, dpi=96)
    return file.getvalue()


def _reliability(figure: Figure, bins: Sequence[Card], source: str) -> None:
    """Observed over predicted share with intervals, and how many tiles each bin holds."""
    figure.set_size_inches(_WIDTH, 4.8)
    main, strip = figure.subplots(2, 1, sharex=True, height_ratios=(3.4, 1))
    predicted, observed, low, high, count, left, right = (
        np.array([found[name] for found in bins], float)
        for name in ("predicted", "observed", "low95", "high95", "count", "low", "high")
    )
    main.plot((0, 1), (0, 1), color=_FAINT, linestyle="--", linewidth=1)
    main.errorbar(
        predicted, observed, (observed - low, high - observed),
        fmt="o-", color=_BLUE, markersize=6, linewidth=1.5, elinewidth=1.5, capsize=3,
    )  # fmt: skip
    main.set(ylim=(-0.03, 1.03), xlim=(-0.02, 1.02), ylabel="observed share")
    main.set_title(
        f"Share of landslides observed and predicted: {source}\n"
        "dashed: observed as predicted; below it: predicted too high"
    )
    strip.bar(left, count, right - left, align="edge", color=_BLUE, alpha=0.35, edgecolor=_GROUND)
    for middle, tiles, width in zip((left + right) / 2, count, right - left, strict=True):
        if width >= 0.06:  # narrower, the numbers would run into each other
            strip.text(middle, tiles, f"{tiles:,.0f}", ha="center", va="bottom", fontsize=9)
    strip.set(yscale="log", xlabel="predicted probability", ylabel="tiles (log)", yticks=())
    strip.set_ylim(0.7, count.max() * 6)
    strip.minorticks_off()
    strip.grid(False)


def _risk_coverage(figure: Figure, curves: Mapping[str, Sequence[Card]], source: str) -> None:
    """F1 and share of wrong answers over the share of tiles kept, one line an uncertainty."""
    figure.set_size_inches(_WIDTH, 3.4)
    panels = figure.subplots(1, 2)
    for axes, score, words in zip(
        panels, ("f1", "error"), ("F1 of the rest", "wrong answers among the rest, %"), strict=True
    ):
        scale = 100 if score == "error" else 1
        ends = []
        for colour, marker, (name, steps) in zip(
            (_BLUE, _ORANGE, _INK), "osD", sorted(curves.items()), strict=False
        ):
            x = [100 * (1 - step["coverage"]) for step in steps]
            y = [np.nan if step[score] is None else scale * step[score] for step in steps]
            axes.plot(x, y, f"{marker}-", color=colour, markersize=4)
            ends.append((name, colour, x, y))
        _label_ends(axes, ends)
        axes.set_title(words)
        axes.set_xlabel("most uncertain tiles set aside, %")
    panels[1].set_ylim(bottom=0)
    figure.suptitle(source, x=0.01, ha="left", fontsize=10)


def _label_ends(axes: Axes, ends: Sequence[tuple[str, str, list[float], list[float]]]) -> None:
    """Name each line at its last point, pushed apart where lines end close together."""
    ends = [end for end in ends if np.isfinite(end[-1]).any()]
    last = [np.array(y)[np.isfinite(y)][-1] for *_, y in ends]
    low, high = axes.get_ylim()
    room = (high - low) / 11
    placed = -np.inf
    for i in np.argsort(last):
        name, colour, x, _ = ends[i]
        placed = max(last[i], placed + room)
        axes.annotate(
            name, (x[-1], placed), xytext=(6, 0), textcoords="offset points",
            color=colour, va="center", annotation_clip=False,
        )  # fmt: skip


def _verdicts(figure: Figure, found: Card, source: str) -> None:
    """One bar a class of tiles, parted by verdict."""
    figure.set_size_inches(_WIDTH, 2.6)
    axes = figure.subplots()
    counts = {name: row for name, row in found["verdicts"].items() if row["tiles"]}
    hits = {name: row["landslides"] for name, row in counts.items()}
    rest = {name: row["tiles"] - row["landslides"] for name, row in counts.items()}
    order = [name for name in VERDICT_COLOURS if name in counts]
    for y, (label, tiles) in enumerate((("landslide tiles", hits), ("stable tiles", rest))):
        whole, left = max(sum(tiles.values()), 1), 0.0
        for name in order:
            share = 100 * tiles[name] / whole
            axes.barh(
                y, share, left=left, color=VERDICT_COLOURS[name], edgecolor=_GROUND, height=0.6
            )
            if share >= 7:  # a narrower part has no room for its number
                ink = "white" if name == "landslide" else _INK
                axes.text(
                    left + share / 2, y, f"{share:.0f} %", ha="center", va="center", color=ink
                )
            left += share
        axes.text(-1, y, f"{label}\n{sum(tiles.values()):,}", ha="right", va="center")
    axes.legend(
        handles=list(axes.patches[: len(order)]),
        labels=[name.replace("_", " ") for name in order],
        loc="upper center", bbox_to_anchor=(0.4, -0.02), ncols=len(order), frameon=False,
        handlelength=1, columnspacing=1.2,
    )  # fmt: skip
    for y, x, side, rate, words in (
        (0, 0, "left", found["missed"], "called stable or filtered out"),
        (1, 100, "right", found["false_alarm"], "called landslide"),
    ):
        if rate is not None:
            text = f"{100 * rate:.1f} % {words}"
            axes.text(x, y - 0.34, text, ha=side, va="bottom", weight="bold", fontsize=9)
    axes.set(xlim=(0, 100), ylim=(1.35, -0.65), xticks=(), yticks=())
    axes.set_title(f"Verdicts by what the tile holds: {source}")
    axes.spines[:].set_visible(False)
    axes.grid(False)


def _combinations(figure: Figure, parts: Mapping[str, Card], source: str) -> None:
    """F1 and AUC of each input combination as dots on one line, the best F1 on top."""
    known = [part for part in parts.items() if np.isfinite([part[1]["f1"], part[1]["auc"]]).all()]
    rows = sorted(known, key=lambda part: (-part[1]["f1"], part[0]))
    figure.set_size_inches(_WIDTH, 1.3 + 0.34 * len(rows))
    axes = figure.subplots()
    for y, (_, scores) in enumerate(rows):
        axes.plot((scores["f1"], scores["auc"]), (y, y), color="#cfccc4", linewidth=2, zorder=1)
        for score, colour, marker, side in (("f1", _BLUE, "o", -1), ("auc", _ORANGE, "D", 1)):
            axes.scatter(scores[score], y, color=colour, marker=marker, s=36, zorder=2)
            axes.annotate(
                f"{scores[score]:.3f}", (scores[score], y), xytext=(7 * side, 0),
                textcoords="offset points", ha="right" if side < 0 else "left", va="center",
                fontsize=9, color=colour,
            )  # fmt: skip
    for score, words, colour in (("f1", "F1", _BLUE), ("auc", "AUC", _ORANGE)) if rows else ():
        axes.annotate(
            words, (rows[0][1][score], 0), xytext=(0, 9), textcoords="offset points",
            ha="center", color=colour, weight="bold",
        )  # fmt: skip
    lowest = min((scores["f1"] for _, scores in rows), default=0.0)
    axes.set(ylim=(len(rows) - 0.4, -1.1), xlim=(lowest - 0.12 * (1.05 - lowest) - 0.02, 1.06))
    axes.set_yticks(range(len(rows)), [combination_title(name) for name, _ in rows])
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", visible=False)
    axes.spines["left"].set_visible(False)
    figure.suptitle(f"F1 and AUC by inputs: {source}", x=0.01, ha="left", fontsize=10)


def _training(figure: Figure, curves: Sequence[Sequence[Card]], source: str) -> None:
    """Loss of each fold, thin, and their mean, bold; the learning rate below."""
    figure.set_size_inches(_WIDTH, 4.4)
    main, strip = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    common = min(map(len, curves))  # a fold that stopped early ends the mean
    ends = []
    for score, words, colour in (
        ("loss", "training", _BLUE),
        ("inner_loss", "inner split", _ORANGE),
    ):
        folds = [[epoch.get(score) for epoch in fold] for fold in curves]
        if not common or any(value is None for fold in folds for value in fold):
            continue
        for fold, values in zip(curves, folds, strict=True):
            epochs = [epoch["epoch"] for epoch in fold]
            main.plot(epochs, values, color=colour, linewidth=0.7, alpha=0.35)
        epochs = [epoch["epoch"] for epoch in curves[0][:common]]
        mean = np.array([values[:common] for values in folds], float).mean(axis=0)
        main.plot(epochs, mean, color=colour, linewidth=2.2)
        ends.append((words, colour, [max(f[-1]["epoch"] for f in curves)], [float(mean[-1])]))
    main.set_ylim(bottom=0)
    _label_ends(main, ends)
    main.set_title(f"Loss by epoch: {source}, thin; their mean, bold")
    longest = max(curves, key=len)
    strip.plot(
        [e["epoch"] for e in longest], [e["rate"] for e in longest], color=_INK, linewidth=1.5
    )
    strip.set(xlabel="epoch", ylabel="learning\nrate")
    strip.set_ylim(bottom=0)
