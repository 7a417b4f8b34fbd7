"""Numbers, tables and names as the model card writes them."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from landslide_core.combinations import GROUPS
from landslide_core.judgement import VERDICTS
from landslide_core.training.intervals import wilson

Score = float | int | None

_TITLES: Final = {
    "f1": "F1",
    "auc": "AUC",
    "ece": "ECE",
    "brier": "Brier score",
    "n": "tiles",
    "dropped_fraction": "dropped by filter",
    "iou": "IoU",
    "q95": "95th percentile",
}
_PASSES: Final = {"desc": "descending pass", "asc": "ascending pass"}


def number(value: Score, digits: int = 3) -> str:
    """A figure with thousands parted; a dash where there is none."""
    if value is None or math.isnan(value):
        return "–"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.{digits}f}"


def percent(value: Score, digits: int = 1) -> str:
    """A share 0..1 in per cent; a dash where there is none."""
    if value is None or math.isnan(value):
        return "–"
    return f"{100 * value:.{digits}f} %"


def plus_minus(spread: Mapping[str, Score], signed: bool = False) -> str:
    """Mean ± deviation of `fold_spread`."""
    sign = "+" if signed and (spread["mean"] or 0) > 0 else ""
    return f"{sign}{number(spread['mean'])} ± {number(spread['std'])}"


def title(name: str) -> str:
    """A score's name for people."""
    return _TITLES.get(name) or " ".join(_TITLES.get(word, word) for word in name.split("_"))


def cells(scores: Mapping[str, Any], columns: Sequence[str]) -> list[str]:
    """The named scores, a dash where one is not there."""
    return [number(scores.get(column)) for column in columns]


def table(header: Sequence[str], rows: Sequence[Sequence[str]], words: int = 1) -> list[str]:
    """Lines of a Markdown table and an empty one: `words` columns left, numbers right; or []."""
    if not rows:
        return []
    rule = "|---" * words + "|---:" * (len(header) - words) + "|"
    return [f"| {' | '.join(header)} |", rule, *(f"| {' | '.join(row)} |" for row in rows), ""]


def verdict_lines(found: Mapping[str, Any], alpha: float | None) -> list[str]:
    """A `verdict_table` as two tables: tiles per verdict, and the error rates with intervals."""
    counts = {
        name: found["verdicts"][name] for name in VERDICTS if found["verdicts"][name]["tiles"]
    }
    tiles = sum(row["tiles"] for row in counts.values())
    rows = [
        [
            f"`{name}`",
            number(row["tiles"]),
            percent(row["tiles"] / tiles),
            number(row["landslides"]),
            percent(row["landslides"] / row["tiles"]),
        ]
        for name, row in counts.items()
    ]
    judged = [row for name, row in counts.items() if name != "no_data"]
    landslides = sum(row["landslides"] for row in judged)
    stable = sum(row["tiles"] for row in judged) - landslides
    wanted = "" if alpha is None else f"at most {percent(alpha)}"
    errors = [
        ["landslide tiles called `stable` or `filtered_out`", found["missed"], landslides, wanted],
        ["stable tiles called `landslide`", found["false_alarm"], stable, wanted],
        ["tiles called `uncertain`", found["uncertain"], landslides + stable, ""],
    ]
    return [
        *table(["verdict", "tiles", "of all", "with a landslide", "share with one"], rows),
        *table(
            ["error", "measured", "95 % interval", "aimed at"],
            [[name, percent(share), _interval(share, n), aim] for name, share, n, aim in errors],
        ),
    ]


def _interval(share: float | None, count: int) -> str:
    if share is None or not count:
        return "–"
    low, high = wilson(round(share * count), count)
    return f"{percent(low)} – {percent(high)}"


def nested_tables(found: Mapping[str, Any]) -> list[str]:
    """Nested figures: loose ones as a table of two columns, groups as rows of their figures."""
    loose: list[list[str]] = []
    groups: dict[tuple[str, ...], list[list[str]]] = {}

    def walk(part: Mapping[str, Any], path: tuple[str, ...]) -> None:
        ordered = sorted(part.items())  # so that the text is the same from a file with sorted keys
        leaves = {name: value for name, value in ordered if not isinstance(value, Mapping)}
        if not path:
            loose.extend([title(name), _leaf(value)] for name, value in leaves.items())
        elif leaves:
            rows = groups.setdefault(tuple(leaves), [])
            rows.append([", ".join(map(title, path)), *map(_leaf, leaves.values())])
        for name, value in ordered:
            if isinstance(value, Mapping):
                walk(value, (*path, name))

    walk(found, ())
    tables = [table(["", *map(title, columns)], rows) for columns, rows in groups.items()]
    return [*table(["", "figure"], loose), *(line for lines in tables for line in lines)]


def _leaf(value: Any) -> str:
    """A figure of unknown size: three decimals, or three digits where those would all be 0."""
    if isinstance(value, float) and 0 < abs(value) < 0.001:
        return f"{value:.2g}"
    return number(value) if isinstance(value, int | float | None) else str(value)


def by_size(combinations: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Input combinations and what is known of each, the fullest first."""
    return sorted(
        combinations.items(), key=lambda c: (-c[0].count("+"), "visible" not in c[0], c[0])
    )


def combination_title(name: str) -> str:
    """An input combination "visible+nir+desc_post…" in words; a name of another kind as it is."""
    groups = set(name.split("+"))
    if groups == set(GROUPS):
        return "everything"
    optical = "optical" if "nir" in groups else "optical without NIR"
    parts = [optical] if "visible" in groups else []
    full = [key for key in _PASSES if {f"{key}_post", f"{key}_pre"} <= groups]
    late = [key for key in _PASSES if f"{key}_post" in groups and key not in full]
    for keys, note in ((full, ""), (late, ", no pre-event date")):
        if len(keys) == 2:
            parts.append(f"both passes{note}")
        elif keys:
            parts.append(f"{_PASSES[keys[0]]}{note}")
    return " + ".join(parts) or name


def options_table(plan: Mapping[str, Any]) -> list[str]:
    """Nested options as one row a group: `name` value, …"""
    groups = {name: part for name, part in sorted(plan.items()) if isinstance(part, Mapping)}
    loose = {name: value for name, value in plan.items() if name not in groups}
    rows = [
        [name, ", ".join(f"{key} {_option(value)}" for key, value in sorted(part.items()))]
        for name, part in (*groups.items(), *([("other", loose)] if loose else []))
    ]
    return table(["", "options"], rows, words=2)


def _option(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "/".join(map(str, value))
    return str(value)
