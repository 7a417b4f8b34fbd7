"""The model card as Markdown: every figure comes from the card's own mapping.

A section whose figures are not there (a quick training has no chips, no table) is left out.
"""

from collections.abc import Mapping
from typing import Any, Final

from landslide_core.training.card_results import chips, image, out_of_fold, reality, simulated
from landslide_core.training.card_tables import (
    by_size,
    cells,
    combination_title,
    number,
    options_table,
    percent,
    table,
    title,
)

Card = Mapping[str, Any]
Lines = list[str]

_INVENTED: Final = (
    "- **No real labelled Sentinel-1 and Sentinel-2 pixels were to be had.** The pixels of the",
    "  labelled rows and of the simulated scenes are invented. How well the networks do on real",
    "  scenes is not known; the filter and its share of the probability rest on real statistics.",
)


def card_text(card: Card) -> str:
    """The whole card, sections in the order a reader asks for them."""
    sections = (
        _opening(card),
        _sources(card),
        _rule(card),
        out_of_fold(card),
        simulated(card),
        chips(card),
        reality(card),
        _calibration(card),
        _tuning(card),
        _making(card),
        _limits(card),
        _licence(card),
    )
    return "\n\n".join("\n".join(lines).strip() for lines in sections if lines) + "\n"


def _opening(card: Card) -> Lines:
    network = card.get("network", {})
    size = [f"{network['parameters']:,} weights each"] if "parameters" in network else []
    if "mmac" in network:
        size.append(f"{number(float(network['mmac']), 1)} million multiply–adds a tile and view")
    bracket = f" ({', '.join(size)})" if size else ""
    return [
        f"# Model card: {card['name']}",
        "",
        "Says for each tile of 64×64 pixels (640 m × 640 m) of a Sentinel-2 and Sentinel-1 scene",
        "how likely it holds a fresh landslide. A filter on hand-crafted features (XGBoost",
        "trees and small networks, averaged) drops the tiles that are plainly without one;",
        f"{card.get('members', 'several')} feature pyramid networks{bracket} vote on the rest;",
        "filter score and votes are stacked into one calibrated probability.",
        "",
        "**It may be used** to rank the tiles of a scene for people to look at, to try the method",
        "out, and to teach. **It may not be used** as the only ground for a decision about life or",
        "property, to prove that a slope is stable, to measure the area of a scar, or on images",
        "that are not 10 m Sentinel-2 and Sentinel-1 data.",
        "",
        *_headline(card),
    ]


def _from_table(card: Card) -> bool:
    """Whether the rows are real statistics with surrogate pixels, not patches of somebody's own."""
    return bool(card.get("data", {}).get("patches", {}).get("features") == "table")


def _headline(card: Card) -> Lines:
    """One row a source: what is real in it, and how well the system does on it."""
    patches = card.get("data", {}).get("patches", {})
    real_in_rows = "labels, band statistics" if _from_table(card) else patches.get("pixels", "–")
    known = (
        ("labelled rows, out of fold", real_in_rows, ("out_of_fold", "pooled")),
        ("simulated scenes, unseen seeds", "nothing", ("simulated_unseen", "scores")),
        ("Landslide4Sense chips, out of fold", "optical pixels, outlines",
         ("chips_out_of_fold", "scores")),
    )  # fmt: skip
    rows = []
    for words, real, (section, scores) in known:
        found = card.get(section, {}).get(scores)
        if found:
            rows.append([words, real, f"{found['n']:,}", *cells(found, ("f1", "auc", "ece"))])
    return table(["measured on", "real in it", "tiles", "F1", "AUC", "ECE"], rows, words=2)


def _sources(card: Card) -> Lines:
    found = card.get("data", {})
    lines = ["## What it was fitted on", ""]
    if (patches := found.get("patches")) and _from_table(card):
        lines += [
            f"- **{patches['rows']:,} rows of the challenge's band statistics** "
            f"({patches['positives']:,} with a landslide):",
            "  real labels and real statistics per band, on which the filter was fitted. Pixels,",
            f"  for the networks: {patches['pixels']}. Their generator never sees",
            "  the label.",
        ]
    elif patches:
        lines += [
            f"- **{patches['rows']:,} labelled patches** ({patches['positives']:,} with a "
            f"landslide). Pixels: {patches['pixels']}. The",
            "  filter was fitted on features of these pixels.",
        ]
    if (drawn := found.get("simulated")) and drawn["train_scenes"]:
        lines += [
            f"- **{drawn['train_tiles']:,} tiles of {drawn['train_scenes']} simulated "
            "scenes**: invented terrain and pixels, exact outlines.",
        ]
    if real := found.get("chips"):
        lines += [
            f"- **{real['tiles']:,} tiles of {real['chips']} Landslide4Sense chips** "
            f"({real['positives']:,} with a landslide): real optical pixels",
            "  without absolute scale, outlines drawn by people, no radar.",
        ]
    return lines if len(lines) > 2 else []


def _rule(card: Card) -> Lines:
    if "alpha" not in card:
        return []
    alpha = percent(card["alpha"])
    return [
        "## How a verdict is reached",
        "",
        "A tile that the filter drops is `filtered_out`, a no. Any other is `landslide` at or over",
        "the upper limit of the probability, `stable` under the lower one, and `uncertain` between",
        "them. The limits are set by split conformal prediction, class by class: of tiles like",
        f"those of the training, at most {alpha} of the landslide tiles are called `stable` or",
        f"`filtered_out`, and at most {alpha} of the stable ones are called `landslide`.",
    ]


def _calibration(card: Card) -> Lines:
    fits = card.get("calibration")
    if not fits:
        return []
    columns = ("filter_weight", "votes_weight", "bias", "threshold", "lower", "upper")
    return [
        "## Calibration",
        "",
        "Log-odds of the probability = filter weight × log-odds of the filter's score + votes",
        "weight × mean log-odds of the votes + bias, fitted on out-of-fold scores for each",
        "combination of inputs. The plain yes/no answer is a yes at or over `threshold`.",
        "",
        *table(
            ["inputs", *map(title, columns)],
            [[combination_title(name), *cells(fit, columns)] for name, fit in by_size(fits)],
        ),
    ]


def _tuning(card: Card) -> Lines:
    tuning = card.get("tuning")
    if not tuning:
        return []
    lines = [
        "## Tuning",
        "",
        f"Options were chosen in {tuning['trials']:,} trials on {tuning['rows']:,} rows kept for "
        "that by the hash of their",
        f"IDs. **Tuned on {tuning['left_out']:,} rows left out of the figures** of this card "
        "(and as large a share of the chips);",
        "they are part of what the bundle was fitted and calibrated on.",
    ]
    if not tuning["same_rows"]:
        lines += ["The tuning's rows were those of other data than this bundle's."]
    if energy := tuning.get("energy"):
        lines += [
            "",
            f"Energy of the tuning: {number(energy['kwh'])} kWh, {number(energy['kg_co2e'])} kg "
            f"CO₂ equivalent ({energy['country']}), in {number(energy['seconds'] / 3600, 1)} "
            "hours.",
        ]
    return lines


def _making(card: Card) -> Lines:
    lines = ["## How it was made", ""]
    if card.get("curves"):
        lines += image("training", "Loss by epoch, every fold and their mean")
    if energy := card.get("energy"):
        lines += [
            f"Energy: {number(energy['kwh'])} kWh, {number(energy['kg_co2e'])} kg CO₂ equivalent "
            f"({energy['country']}), in",
            f"{number(energy['seconds'] / 3600, 1)} hours on {energy['cpu']}. {energy['method']}",
            "",
        ]
    if plan := card.get("plan"):
        lines += ["Options, which with the seed give the same bundle again:", ""]
        lines += options_table(plan)
    return lines if len(lines) > 2 else []


def _limits(card: Card) -> Lines:
    members = card.get("members", "several")
    lines = [
        "## Limits",
        "",
        *(_INVENTED if _from_table(card) else ()),
        "- The figures out of fold are those of **one** member a row. What ships is the mean of",
        f"  {members} members, which together have seen every row, so the ensemble has no honest",
        "  figure on these rows. Its stack and limits were fitted on scores of single members.",
        "- A tile overlapping another, or from the same event, is not independent of it: the rows",
        "  do not say which scene they come from, so folds may share scenes, and figures on a",
        "  place never seen may be lower.",
    ]
    if "alpha" in card:
        lines += [
            "- The conformal limits hold on average over tiles **exchangeable with the training**:",
            "  same sensors, kinds of ground and of landslides. On another region or season the",
            "  error rates may be higher, and nothing in the verdicts would tell.",
        ]
    if "simulated" in card.get("data", {}):
        lines += ["- Simulated landslides are what their author thinks landslides look like."]
    if "chips" in card.get("data", {}):
        lines += [
            "- The chips are few, have neither radar nor absolute scale, and were chosen for the",
            "  landslides in them.",
        ]
    return lines


def _licence(card: Card) -> Lines:
    heading = ["## Licence and attribution", ""]
    return [*heading, card["licence"]] if "licence" in card else []
