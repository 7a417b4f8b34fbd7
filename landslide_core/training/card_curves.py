"""What other thresholds would give, as a part of the model card: one table, one figure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from landslide_core.training.card_tables import number, percent, table
from landslide_core.training.curves import Curve, curve_of, marked, reaching

if TYPE_CHECKING:  # Matplotlib takes half a second to import: only who draws pays
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Card = Mapping[str, Any]

_RECALLS: Final = (0.8, 0.9, 0.95, 0.98, 0.99)
_BLUE: Final = "#0072b2"
_ORANGE: Final = "#d55e00"
# What to call a landslide → the verdicts that are.
CALLS: Final = {
    "landslide": ("landslide",),
    "landslide or uncertain": ("landslide", "uncertain"),
}


def thresholds(found: Card) -> list[str]:
    """The part of the card; [] where the card has no counts."""
    counts = found.get("thresholds")
    if not counts:
        return []
    system, dropping = curve_of(counts["probability"]), curve_of(counts["filter"])
    rows = []
    for recall in _RECALLS:
        i, j = reaching(system, recall), reaching(dropping, recall)
        rows.append(
            [
                percent(recall, 0),
                number(float(system.threshold[i])),
                number(float(system.precision[i])),
                percent(float(system.alarms[i])),
                number(float(dropping.threshold[j])),
                percent(float(dropping.under[j])),
            ]
        )
    return [
        "### At other thresholds",
        "",
        "What it would take to find a given share of the landslide tiles: the two-stage",
        "probability's threshold with its precision and false alarms, and the filter's score that",
        "passes as many, with the share of all tiles that it drops. Each fold has scores of its",
        "own; here they share one threshold.",
        "",
        *table(
            ["found", "threshold", "precision", "false alarms", "filter's threshold", "dropped"],
            rows,
        ),
        "![Precision and false alarms by recall, at every threshold](thresholds.svg)",
        "",
    ]


def draw_thresholds(figure: Figure, found: Card, source: str) -> None:
    """Precision over recall, and recall over false alarms: folds thin, all rows bold."""
    counts = found["thresholds"]
    figure.set_size_inches(6.25, 3.4)
    panels = figure.subplots(1, 2)
    whole = curve_of(counts["probability"])
    for fold in counts["folds"]:
        _lines(panels, curve_of(fold), color=_BLUE, linewidth=0.6, alpha=0.3)
    _lines(panels, whole, color=_BLUE, linewidth=2)
    for words, names in CALLS.items() if "verdicts" in found else ():
        recall, precision, alarms = marked(found["verdicts"]["verdicts"], names)
        for axes, x, y in ((panels[0], recall, precision), (panels[1], alarms, recall)):
            if np.isfinite([x, y]).all():
                axes.plot([100 * x], [100 * y], "o", color=_ORANGE, markersize=5)
                axes.annotate(
                    words, (100 * x, 100 * y), xytext=(-6, -6) if axes is panels[0] else (8, -9),
                    textcoords="offset points", color=_ORANGE, fontsize=9, va="top",
                    ha="right" if axes is panels[0] else "left",
                )  # fmt: skip
    panels[0].set(xlabel="landslide tiles found, %", title="of tiles called, with a landslide, %")
    panels[1].set(xlabel="stable tiles called, %", title="landslide tiles found, %")
    for axes in panels:
        axes.set(xlim=(0, 101), ylim=(0, 101))
    figure.suptitle(f"At every threshold: {source}", x=0.01, ha="left", fontsize=10)


def _lines(panels: tuple[Axes, Axes], curve: Curve, **style: Any) -> None:
    panels[0].plot(100 * curve.recall, 100 * curve.precision, **style)
    panels[1].plot([0, *(100 * curve.alarms)], [0, *(100 * curve.recall)], **style)
