"""What was measured, as sections of the model card: one heading a source, one table a question."""

import re
from collections.abc import Mapping
from typing import Any, Final

from landslide_core.training.card_curves import thresholds
from landslide_core.training.card_tables import (
    by_size,
    cells,
    combination_title,
    nested_tables,
    number,
    percent,
    plus_minus,
    table,
    title,
    verdict_lines,
)
from landslide_core.training.intervals import fold_spread, paired_difference

Card = Mapping[str, Any]
Lines = list[str]

_FOLD_COLUMNS: Final = (
    "f1", "precision", "recall", "auc", "average_precision", "brier", "ece", "filter_recall",
    "dropped_fraction",
)  # fmt: skip
_SCORES: Final = ("n", "positives", *_FOLD_COLUMNS)
_COMPARED: Final = ("f1", "precision", "recall", "auc", "average_precision", "brier")


def out_of_fold(card: Card) -> Lines:
    """Real rows: folds, verdicts, probability, boosting alone, inputs missing."""
    found = card.get("out_of_fold", {})
    if "pooled" not in found:
        return []
    return [
        "## Labelled rows, out of fold",
        "",
        "Source: the labelled rows named above. Each is judged by the filter, the one member, the",
        "stack and the limits of a fold that never saw it. Tiles that the filter drops count as",
        "no. The deviation is that over the folds.",
        "",
        *_fold_table(found),
        *_filter_line(found),
        *_confusion(found),
        *_verdicts(found, card, ""),
        *thresholds(found),
        *_trust(found, ""),
        *_boosting(found),
        *_combinations(found),
    ]


def _fold_table(found: Card) -> Lines:
    folds = found.get("folds", [])
    rows = [[str(k + 1), *cells(fold, _FOLD_COLUMNS)] for k, fold in enumerate(folds)]
    if len(folds) > 1:
        spread = fold_spread(folds)
        means = [plus_minus(spread[name]) for name in _FOLD_COLUMNS]
        rows.append(["mean ± deviation", *means])
    rows.append(["**all rows**", *cells(found["pooled"], _FOLD_COLUMNS)])
    return table(["fold", *map(title, _FOLD_COLUMNS)], rows)


def _filter_line(found: Card) -> Lines:
    scores = found.get("filter")
    if not scores:
        return []
    return [
        f"The filter alone: AUC {number(scores['auc'])}, average precision "
        f"{number(scores['average_precision'])}; it passes {percent(scores['recall'], 2)} of the",
        f"landslide tiles and drops {percent(scores['dropped_fraction'])} of all tiles.",
        "",
    ]


def _confusion(found: Card) -> Lines:
    if "confusion" not in found:
        return []
    (tn, fp), (fn, tp) = found["confusion"]
    rows = [["landslide", f"{tp:,}", f"{fn:,}"], ["none", f"{fp:,}", f"{tn:,}"]]
    return table(["truth", "answered landslide", "answered no"], rows)


def _verdicts(found: Card, card: Card, suffix: str) -> Lines:
    if "verdicts" not in found:
        return []
    return [
        "### Verdicts and their measured error",
        "",
        *verdict_lines(found["verdicts"], card.get("alpha")),
        *image(f"verdicts{suffix}", "Verdicts of landslide tiles and of stable ones"),
    ]


def _trust(found: Card, suffix: str) -> Lines:
    """How far the probability and its uncertainty can be believed."""
    lines = ["### Probability and uncertainty", ""]
    if found.get("reliability"):
        text = "Predicted probability against the observed share of landslides, 95 % intervals"
        lines += image(f"reliability{suffix}", text)
    if curves := found.get("risk_coverage"):
        names = sorted(curves)
        rows = [
            [percent(steps[0]["coverage"], 0)]
            + [f"{number(step['f1'])} / {percent(step['error'])}" for step in steps]
            for steps in zip(*(curves[name][::2] for name in names), strict=True)
        ]
        lines += [
            "F1 and share of wrong answers as the most uncertain tiles are set aside:",
            "",
            *table(["tiles kept", *(f"by {name}: F1 / wrong" for name in names)], rows),
            *_areas(found.get("aurc", {})),
            *image(f"risk_coverage{suffix}", "F1 and wrong answers as tiles are set aside"),
        ]
    return lines if len(lines) > 2 else []


def _areas(areas: Card) -> Lines:
    if not areas:
        return []
    said = ", ".join(f"{number(area, 4)} by {name}" for name, area in sorted(areas.items()))
    return [f"Area under the curve of wrong answers (less is better): {said}.", ""]


def image(name: str, text: str) -> Lines:
    """A figure that lies beside the card."""
    return [f"![{text}]({name}.svg)", ""]


def _boosting(found: Card) -> Lines:
    other = found.get("boosting")
    if not other:
        return []
    ours, theirs = fold_spread(found["folds"]), fold_spread(other["folds"])
    apart = paired_difference(found["folds"], other["folds"])
    rows = [
        [title(name), plus_minus(ours[name]), plus_minus(theirs[name]),
         plus_minus(apart[name], signed=True),
         f"{number(found['pooled'][name])} / {number(other['pooled'][name])}"]
        for name in _COMPARED if name in ours and name in theirs
    ]  # fmt: skip
    return [
        "### Beside gradient boosting alone",
        "",
        "The same rows, folds and protocol. Mean and deviation over the folds; the difference is",
        "taken fold by fold.",
        "",
        *table(["", "this system", "boosting alone", "difference", "all rows, pooled"], rows),
    ]


def _combinations(found: Card) -> Lines:
    parts = found.get("combinations")
    if not parts:
        return []
    columns = ("f1", "precision", "recall", "auc", "ece", "filter_recall", "dropped_fraction")
    rows = [[combination_title(name), *cells(s, columns)] for name, s in by_size(parts)]
    return [
        "### With inputs missing",
        "",
        "The same rows out of fold, with whole groups of inputs taken away; each combination has",
        "its own filter threshold, stack and limits.",
        "",
        *table(["inputs", *map(title, columns)], rows),
        *image("combinations", "F1 and AUC by combination of inputs"),
    ]


def simulated(card: Card) -> Lines:
    """Simulated scenes of seeds never trained on."""
    found = card.get("simulated_unseen", {})
    if "scores" not in found:
        return []
    tested = card.get("data", {}).get("simulated", {})
    scenes = f"{tested['test_scenes']} scenes" if "test_scenes" in tested else "scenes"
    lines = [
        "## Simulated scenes of unseen seeds",
        "",
        f"Source: {scenes} whose seeds and terrain were never trained on; everything in them is",
        "invented. The figures say how well the whole bundle finds *simulated* landslides, and",
        "nothing about real ones.",
        "",
        *table(list(map(title, _SCORES)), [cells(found["scores"], _SCORES)]),
        *_verdicts(found, card, "_simulated"),
        *_trust(found, "_simulated"),
    ]
    if place := found.get("localisation"):
        lines += ["### Where in the tile", "", *nested_tables(place)]
    return lines


def chips(card: Card) -> Lines:
    """Real optical chips."""
    found = card.get("chips_out_of_fold", {})
    if "scores" not in found:
        return []
    return [
        "## Landslide4Sense chips, out of fold",
        "",
        "Source: real optical pixels (IARAI), each chip cut into 64×64 quarters and judged by a",
        "member that never saw the chip; no radar, no absolute scale. Few chips: take the figures",
        "as a check that real pixels are not foreign to the networks, not as a measurement.",
        "",
        *table(list(map(title, _SCORES)), [cells(found["scores"], _SCORES)]),
        *_verdicts(found, card, "_chips"),
        *_trust(found, "_chips"),
    ]


_TRANSFER: Final = re.compile(r"(real|made)_to_(real|made)_(\w+)")
_FORMS: Final = {"real": "real rows", "made": "surrogate pixels"}
_TELLING: Final = {
    "two_sample_auc": "telling surrogate from real by all features, AUC",
    "two_sample_auc_promised": "by the features that surrogates copy from their row, AUC",
}


def reality(card: Card) -> Lines:
    """Distance between surrogate pixels and real ones."""
    found = card.get("reality")
    if not found:
        return []
    errors = found.get("errors", {})
    rest: dict[str, Any] = {}
    for name, value in found.items():
        if way := _TRANSFER.fullmatch(name):  # as training/reality.py names it
            trained, tested, score = way.groups()
            row = f"fitted on {_FORMS[trained]}, tested on {_FORMS[tested]}"
            rest.setdefault(row, {})[score] = value
        elif name != "errors":
            rest[_TELLING.get(name, name)] = value
    lines = [
        "## How far the surrogate pixels are from real ones",
        "",
        "Source: real rows of band statistics beside the features of the pixels made from them. A",
        "model fitted on one kind and tested on the other should lose nothing; a classifier told",
        "to tell the two kinds apart should do no better than chance (AUC 0.5). What it finds at",
        "an AUC near 1 may be slight, but it is there. Statistics cannot show whether the",
        "*arrangement* of the pixels is like that of real ground: nothing here measures that.",
        "",
        *nested_tables(rest),
    ]
    if errors:
        lines += ["What the pixels miss of the statistics asked for:", "", *nested_tables(errors)]
    return lines
