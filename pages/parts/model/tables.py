"""Tables of a model card: folds, error rates, sources, several models side by side."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import pandas as pd
import streamlit as st

from landslide_core.training.card_tables import percent, title
from landslide_core.training.intervals import fold_spread, wilson
from pages.parts.model.phrases import SOURCES

Card = Mapping[str, Any]

_FOLDS: Final = (
    "f1", "precision", "recall", "auc", "average_precision", "brier", "ece", "filter_recall",
    "dropped_fraction",
)  # fmt: skip
_HEADLINE: Final = (
    "f1", "precision", "recall", "auc", "ece", "filter_recall", "dropped_fraction",
)  # fmt: skip
_HEADINGS: Final = {  # shorter than the card's, for narrow columns
    "n": "Tiles",
    "average_precision": "Avg. precision",
    "brier": "Brier",
    "dropped_fraction": "Dropped",
    "false_alarm": "False alarm",
    "kwh": "Training, kWh",
}


def folds(found: Card) -> pd.DataFrame:
    """A row a fold, then their mean and deviation, then all rows pooled."""
    names = [name for name in _FOLDS if name in found["pooled"]]
    rows = [{"Fold": str(k + 1), **_some(fold, names)} for k, fold in enumerate(found["folds"])]
    if len(rows) > 1:
        spread = fold_spread(found["folds"])
        for words, part in (("mean", "mean"), ("deviation", "std")):
            rows.append({"Fold": words, **{name: spread[name][part] for name in names}})
    rows.append({"Fold": "all rows", **_some(found["pooled"], names)})
    return pd.DataFrame(rows)


def sources(card: Card) -> pd.DataFrame:
    """A row a kind of tiles that the model was measured on."""
    rows = []
    for section, (place, words) in SOURCES.items():
        if scores := card.get(section, {}).get(place):
            rows.append({"Measured on": words, "n": scores["n"], **_some(scores, _HEADLINE)})
    return pd.DataFrame(rows)


def errors(table: Card, alpha: float | None) -> pd.DataFrame:
    """Measured error rates of the verdicts with 95 % intervals, beside what was aimed at."""
    judged = [row for name, row in table["verdicts"].items() if name != "no_data"]
    landslides = sum(row["landslides"] for row in judged)
    stable = sum(row["tiles"] for row in judged) - landslides
    aim = "" if alpha is None else f"at most {percent(alpha)}"
    rows = (
        ("landslide tiles called stable or filtered out", table["missed"], landslides, aim),
        ("stable tiles called landslide", table["false_alarm"], stable, aim),
        ("tiles called uncertain", table["uncertain"], landslides + stable, "–"),
    )
    return pd.DataFrame(
        {
            "Error": words,
            "Measured": percent(share),
            "95 % interval": _interval(share, count),
            "Aimed at": wanted,
        }
        for words, share, count, wanted in rows
    )


def models(cards: Mapping[str, Card]) -> pd.DataFrame:
    """A row a model: its headline figures on the labelled rows that it was fitted on."""
    rows = []
    for name, card in cards.items():
        found, energy = card.get("out_of_fold", {}), card.get("energy", {})
        rows.append(
            {
                "Model": name,
                "members": card.get("members"),
                "n": found.get("pooled", {}).get("n"),
                **_some(found.get("pooled", {}), _HEADLINE),
                "missed": found.get("verdicts", {}).get("missed"),
                "false_alarm": found.get("verdicts", {}).get("false_alarm"),
                "kwh": energy.get("kwh"),
            }
        )
    return pd.DataFrame(rows)


def show(frame: pd.DataFrame, alone: Sequence[str] = ("n", "members")) -> None:
    """A table with a score's name as people say it, three decimals, counts whole."""
    names = {name: _heading(name) for name in frame}
    columns = {
        names[name]: st.column_config.NumberColumn(
            format="localized" if name in alone else "%.3f", width="small"
        )
        for name in frame.select_dtypes("number")
    }
    height = 38 + 35 * len(frame)
    st.dataframe(frame.rename(columns=names), hide_index=True, column_config=columns, height=height)


def _heading(name: str) -> str:
    return _HEADINGS.get(name) or title(name)[0].upper() + title(name)[1:]


def _some(scores: Card, names: Sequence[str]) -> dict[str, float | None]:
    return {name: scores.get(name) for name in names}


def _interval(share: float | None, count: int) -> str:
    if share is None or not count:
        return "–"
    low, high = wilson(round(share * count), count)
    return f"{percent(low)} – {percent(high)}"
