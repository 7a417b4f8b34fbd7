"""Sections of the Model card page on the probability, inputs and training; and all in order."""

from collections.abc import Callable
from typing import Final

import streamlit as st

from landslide_core.training.card_tables import number, title
from landslide_core.training.intervals import paired_difference
from pages.parts.model import answers, phrases, reliability, worth
from pages.parts.model.drawing import draw, measured_on, missing
from pages.parts.model.style import Card


def probability(card: Card) -> None:
    """Reliability and risk over coverage, of a chosen source."""
    found = measured_on(card, "reliability")
    if not found:
        missing("reliability curve")
        return
    st.header("Does 30 % mean 30 %?", anchor=False)
    scores = found.get("pooled") or found.get("scores") or {}
    draw(
        reliability.reliability(found["reliability"]),
        "Observed share over probability",
        "On the dashed line the probability keeps its word; above it the model is too shy, below "
        f"it too sure. Mean gap (ECE) {number(scores.get('ece'))}. Bars: tiles in each tenth, on a "
        "logarithmic scale; few tiles, wide intervals.",
    )
    st.header("Does it know when it does not know?", anchor=False)
    if not found.get("risk_coverage"):
        missing("curve of wrong answers over tiles set aside")
        return
    draw(
        reliability.risk_coverage(found["risk_coverage"]),
        "Wrong answers and F1 as uncertain tiles are set aside",
        "With the most uncertain tiles given to a person, the rest should hold fewer wrong "
        "answers. Margin: how close the probability is to the threshold. Spread: how far the votes "
        "are apart; a tile that the filter dropped has none, so F1 falls once all others are gone.",
    )


def inputs(card: Card) -> None:
    """What each input is worth, and the whole beside boosting alone."""
    found = card.get("out_of_fold", {})
    other = found.get("boosting", {})
    st.header("With inputs missing", anchor=False)
    if found.get("combinations"):
        draw(
            worth.combinations(found["combinations"], other.get("pooled")),
            "F1 and AUC by inputs",
            "The same rows, with whole groups of inputs taken away: how much is lost without an "
            "image. Each combination has thresholds of its own.",
        )
    else:
        missing("scores with inputs missing")
    st.header("Beside gradient boosting alone", anchor=False)
    if not other.get("folds") or len(other["folds"]) < 2:
        missing("comparison with gradient boosting alone")
        return
    f1 = paired_difference(found["folds"], other["folds"])["f1"]
    gain, spread = f1["mean"] or 0.0, f1["std"] or 0.0
    verdict = (
        "smaller than its deviation over the folds: the networks add little on these rows"
        if abs(gain) < spread
        else "larger than its deviation over the folds"
    )
    draw(
        worth.differences(found["folds"], other["folds"]),
        "This system less boosting alone",
        f"Right of the line this system has more; for the {title('brier')} left is better. The "
        f"mean gain in F1, {gain:+.3f} ± {spread:.3f}, is {verdict}.",
    )


def making(card: Card) -> None:
    """Training curves, energy, options."""
    st.header("Training", anchor=False)
    if card.get("curves"):
        draw(
            worth.training(card["curves"]),
            "Loss over epochs",
            "Thin: one fold each; bold: their mean. The training loss also counts the heat map and "
            "weighs landslides more, so only a line's own course says something. Where rows "
            "kept aside are not under the dotted line, the picture adds nothing to the statistics.",
        )
    else:
        missing("training curves")
    st.header("Energy", anchor=False)
    if found := card.get("energy"):
        draw(
            worth.energy(phrases.everyday(found)),
            "Energy of the training beside everyday uses",
            phrases.energy(found),
        )
    else:
        missing("energy figures")


SECTIONS: Final[dict[str, Callable[[Card], None]]] = {
    "Folds": answers.folds,
    "Confusion": answers.answers,
    "Precision and recall": answers.thresholds,
    "Probability": probability,
    "Filter": answers.filtering,
    "Inputs": inputs,
    "Training and energy": making,
}
