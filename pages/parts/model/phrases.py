"""What a card's figures say, in plain words; every number comes from the card."""

from collections.abc import Mapping
from typing import Any, Final

from landslide_core.training.card_tables import number, percent, plus_minus
from landslide_core.training.intervals import fold_spread

Card = Mapping[str, Any]

# Section of the card → where its scores lie, and the words for it.
SOURCES: Final = {
    "out_of_fold": ("pooled", "Labelled rows, out of fold"),
    "simulated_unseen": ("scores", "Simulated scenes, unseen seeds"),
    "chips_out_of_fold": ("scores", "Landslide4Sense chips, out of fold"),
}
LITRE_BOILED: Final = 0.099  # kWh: 4.19 kJ/(kg K) × 85 K ÷ 3,600
LAMP_NIGHT: Final = 0.08  # kWh: 10 W for 8 hours


def limits(card: Card) -> str:
    """What the figures do not say: first of all."""
    data = card.get("data", {}).get("patches", {})
    if data.get("features") == "table":
        words = (
            "**Nobody knows how well it does on real scenes.** The filter was fitted on real band "
            f"statistics of {data['rows']:,} tiles, but the networks on surrogates: pixels "
            "invented to fit those statistics, and simulated scenes."
        )
        if found := card.get("chips_out_of_fold", {}).get("scores"):
            words += (
                f" On {found['n']} tiles of real optical pixels without radar, F1 is only "
                f"{number(found['f1'])}."
            )
        return words
    return (
        f"**The figures hold for tiles like the {data['rows']:,} labelled ones** that it was "
        "fitted on; another region or season may be harder."
        if "rows" in data
        else "**The card does not say what it was fitted on.**"
    )


def strengths(card: Card) -> str:
    """What was measured, and what is promised."""
    found = card.get("out_of_fold", {})
    if "pooled" not in found:
        return "The card has no figures on labelled rows."
    pooled, several = found["pooled"], len(found.get("folds", [])) > 1
    f1 = plus_minus(fold_spread(found["folds"])["f1"]) if several else number(pooled["f1"])
    words = (
        f"On {pooled['n']:,} labelled rows, each judged by a fold that never saw it: F1 {f1}, AUC "
        f"{number(pooled['auc'])}. The filter passes {percent(pooled['filter_recall'])} of the "
        f"landslide tiles and drops {percent(pooled['dropped_fraction'], 0)} of all."
    )
    if "verdicts" in found and "alpha" in card:
        rates = found["verdicts"]
        words += (
            f" Promised: at most {percent(card['alpha'], 0)} of landslide tiles called stable or "
            f"dropped, and as few stable ones called landslide; measured "
            f"{percent(rates['missed'])} and {percent(rates['false_alarm'])}."
        )
    return words


def confusion(matrix: Any) -> str:
    """What to read from the matrix of yes and no."""
    (_, wrong_yes), (wrong_no, right_yes) = matrix
    return (
        f"Of {right_yes + wrong_no:,} landslide tiles it names {right_yes:,} and misses "
        f"{wrong_no:,}; of {right_yes + wrong_yes:,} tiles that it names, {wrong_yes:,} hold none. "
        "The upper left and lower right cells should be full, the others empty."
    )


def verdicts(table: Card, alpha: float | None) -> str:
    """What to read from the matrix of verdicts."""
    aim = f" (aimed at: at most {percent(alpha)} each)" if alpha is not None else ""
    return (
        f"Called stable or dropped though it holds a landslide: {percent(table['missed'])}; called "
        f"landslide though it holds none: {percent(table['false_alarm'])}{aim}. "
        f"{percent(table['uncertain'])} are left to a person's eye as uncertain."
    )


def energy(found: Card) -> str:
    """What the training took, and how that was found."""
    rate = f" at {number(found['kg_co2e'] / found['kwh'], 3)} kg a kWh" if found["kwh"] else ""
    about = "About " if "estimated" in found["method"] else ""
    return (
        f"{about}{number(found['kwh'])} kWh in {number(found['seconds'] / 3600, 1)} hours of "
        f"{found['cpu']}, or {number(1000 * found['kg_co2e'], 0)} g CO₂ equivalent{rate} "
        f"({found['country']}). Counted over all folds and what ships, interrupted attempts too. "
        f"How it was counted: {found['method']}"
    )


def everyday(found: Card) -> dict[str, float]:
    """The training's kWh beside uses that people know, computed from power and time."""
    return {
        "This training": found["kwh"],
        "A 10 W lamp, 8 hours": LAMP_NIGHT,
        "Boiling 1 litre of water": LITRE_BOILED,
    }
