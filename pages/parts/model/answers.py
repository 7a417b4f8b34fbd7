"""Sections of the Model card page on answers: folds, confusion, other thresholds, the filter."""

import streamlit as st

from landslide_core.training.card_tables import number, percent
from landslide_core.training.curves import curve_of, reaching
from pages.parts.model import curves, phrases, plots, tables
from pages.parts.model.drawing import draw, measured_on, missing
from pages.parts.model.style import Card


def folds(card: Card) -> None:
    """Scores fold by fold."""
    found = card.get("out_of_fold", {})
    if not found.get("folds"):
        missing("scores by fold")
        return
    draw(
        plots.folds(found["folds"]),
        "Scores of each fold and their mean",
        "Each dot is one fold: rows that its system never saw. Dots close together mean that the "
        "score does not hang on the luck of the split; rows of one event may lie in several folds, "
        "so a new place can do worse than the lowest dot.",
    )
    tables.show(tables.folds(found))


def answers(card: Card) -> None:
    """Confusion and verdicts, of a chosen source."""
    found = measured_on(card, "confusion")
    if not found:
        missing("confusion matrix")
        return
    left, right = st.columns([2, 3])
    with left:
        st.header("Plain yes or no", anchor=False)
        words = phrases.confusion(found["confusion"])
        draw(plots.confusion(found["confusion"]), "Truth by answer", words)
    with right:
        st.header("Verdicts", anchor=False)
        if "verdicts" not in found:
            missing("verdicts")
            return
        words = phrases.verdicts(found["verdicts"], card.get("alpha"))
        draw(plots.verdicts(found["verdicts"]), "Truth by verdict", words)
    tables.show(tables.errors(found["verdicts"], card.get("alpha")))


def thresholds(card: Card) -> None:
    """Precision and recall, and ROC."""
    found = card.get("out_of_fold", {})
    if not found.get("thresholds"):
        missing("counts at other thresholds")
        return
    curve = curve_of(found["thresholds"]["probability"])
    at = reaching(curve, 0.95)
    left, right = st.columns(2)
    with left:
        st.header("Precision and recall", anchor=False)
        draw(
            curves.precision_recall(found),
            "Precision over recall",
            "Further up and right is better; average precision "
            f"{_score(found, 'average_precision')}. Where 95 % of the landslides are found, "
            f"{percent(float(curve.precision[at]), 0)} of the calls are right.",
        )
    with right:
        st.header("False alarms (ROC)", anchor=False)
        draw(
            curves.roc(found),
            "Recall over false alarms",
            f"Further up and left is better; area {_score(found, 'auc')}, guessing has 0.5. "
            "Landslides are rare, so few per cent of false alarms can outnumber them: read the "
            "figure on the left first.",
        )
    st.caption(
        "Thin: one fold each. Bold: all rows under one threshold. The orange marks are of the "
        "folds' own thresholds and of tiles that the filter dropped, so they may lie a little off "
        "the bold line."
    )


def filtering(card: Card) -> None:
    """What the filter drops, and what that costs."""
    found = card.get("out_of_fold", {})
    if not found.get("thresholds"):
        missing("counts at the filter's other thresholds")
        return
    curve = curve_of(found["thresholds"]["filter"])
    spared = float(curve.under[reaching(curve, 1.0)])
    draw(
        curves.trade_off(found),
        "Landslides passed on over tiles dropped",
        "The more tiles the filter drops, the less the ensemble has to look at, and the more "
        "landslides are lost for good. Up to where "
        f"{percent(spared)} of the tiles are dropped, none of these landslides is. The "
        "upright axis begins at 80 %.",
    )
    if scores := found.get("filter"):
        lost = round(scores["positives"] * (1 - scores["recall"]))
        st.caption(
            f"As fitted it drops {percent(scores['dropped_fraction'])} of {scores['n']:,} tiles "
            f"and loses {lost} of {scores['positives']:,} landslides."
        )


def _score(found: Card, name: str) -> str:
    return number(found.get("pooled", {}).get(name))
