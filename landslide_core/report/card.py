"""What a report takes from a bundle's card: figures with what they were measured on, limits."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from landslide_core.bands import OPTICAL, POLARISATIONS, RADAR_ROLES, radar_band
from landslide_core.combinations import COMPLETE, GROUPS
from landslide_core.errors import BundleError
from landslide_core.manifest import card_of, identity_of
from landslide_core.report.findings import percent

# Of the card's parts: what was judged, and what in it was real.
_SEEN_ANEW: Final = "Labelled tiles the model had not seen"
_REBUILT: Final = " (real labels, pixels rebuilt from their statistics)"
_MEASURED: Final = {
    "out_of_fold": _SEEN_ANEW,
    "simulated_unseen": "Simulated scenes (nothing in them is real)",
    "chips_out_of_fold": "Real optical images without radar, few and chosen for their landslides",
}
RATES: Final = (
    "F1: 1 is perfect, 0 is useless. Missed: landslide tiles called stable or filtered out. False "
    "alarms: other tiles called landslide. Uncertain: tiles of either kind left to people."
)
_LIMITS: Final = (
    "Use it to rank tiles for people to look at, never as the only ground for a decision about "
    "life or property.",
    "On another region, season or kind of landslide the error rates may be higher, and nothing in "
    "the verdicts tells.",
    "Under cloud only radar sees; on steep slopes that face away radar sees nothing.",
)


@dataclass(frozen=True)
class Quality:
    """How good the model is, as far as its card tells."""

    sure: tuple[str, ...]  # in words, for the top of a report
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    limits: tuple[str, ...]
    licence: str


def quality_of(
    folder: Path, judged_by: Mapping[str, Any], missing: Collection[str] = ()
) -> Quality:
    """The card's extract, for a run that lacked some bands.

    Says so where there is no card any more or it is of another model.
    """
    try:
        card = card_of(folder) if identity_of(folder) == judged_by["sha256"] else {}
    except BundleError:
        card = {}
    combination = _combination(missing)
    measured = {**_MEASURED, "out_of_fold": _SEEN_ANEW + (_REBUILT if _rebuilt(card) else "")}
    rows = tuple(row for name, what in measured.items() if (row := _row(card.get(name), what)))
    if combination != COMPLETE and rows:
        scores = _scores(card, combination)
        fewer = _row({"scores": scores}, "The same labelled tiles, with this run's inputs alone")
        rows = (rows[0], *([fewer] if fewer else []), *rows[1:])
    head = ("Measured on", "Tiles", "F1", "Missed", "False alarms", "Uncertain")
    unknown = (
        ()
        if rows
        else (
            f"How good model {judged_by['name']} is, is not known: its card is gone, is another "
            "model's or gives no figures.",
        )
    )
    return Quality(
        sure=(*_sure(card), *(_fewer(card, combination) if rows else unknown)),
        head=head,
        rows=rows,
        limits=(*_reality(card), *_LIMITS),
        licence=str(card.get("licence", "")),
    )


def _row(part: Mapping[str, Any] | None, what: str) -> tuple[str, ...] | None:
    """A measurement as a table's row; None where the card lacks it."""
    scores = (part or {}).get("pooled") or (part or {}).get("scores")
    verdicts = (part or {}).get("verdicts", {})
    if not scores:
        return None
    rates = [verdicts.get(key) for key in ("missed", "false_alarm", "uncertain")]
    return (
        what,
        f"{scores['n']:,}",
        f"{scores['f1']:.2f}",
        *("" if rate is None else percent(rate, 1) for rate in rates),
    )


def _sure(card: Mapping[str, Any]) -> tuple[str, ...]:
    """The error rates in a sentence, with what they were measured on."""
    verdicts = card.get("out_of_fold", {}).get("verdicts", {})
    called = verdicts.get("verdicts", {}).get("landslide", {})
    if not called.get("tiles"):
        return ()
    rebuilt = ", their pixels rebuilt from statistics" if _rebuilt(card) else ""
    chips = card.get("chips_out_of_fold", {})
    real = (
        f" On {chips['scores']['n']:,} real images without radar it missed "
        f"{percent(chips['verdicts']['missed'], 1)}."
        if chips.get("verdicts")
        else ""
    )
    return (
        f"On {card['out_of_fold']['pooled']['n']:,} labelled tiles it had not seen{rebuilt}, "
        f"{percent(called['landslides'] / called['tiles'])} of the tiles the model called "
        f"landslide held one, and it missed {percent(verdicts['missed'], 1)} of the landslide "
        f"tiles.{real} Here it may do worse.",
    )


def _fewer(card: Mapping[str, Any], combination: str) -> tuple[str, ...]:
    """What it costs that a run had not all inputs, as far as that was measured."""
    if combination == COMPLETE:
        return ()
    alone, whole = _scores(card, combination), _scores(card, COMPLETE)
    if not (alone and whole):
        return (
            "Those figures are with all inputs. This run had fewer, and how well the model does "
            "with these was not measured.",
        )
    return (
        "Those figures are with all inputs. This run had fewer: with these, the score (F1, at most "
        f"1) on the same tiles falls from {whole['f1']:.2f} to {alone['f1']:.2f}.",
    )


def _scores(card: Mapping[str, Any], combination: str) -> Mapping[str, Any] | None:
    found: Mapping[str, Mapping[str, Any]] = card.get("out_of_fold", {}).get("combinations", {})
    return found.get(combination)


def _combination(missing: Collection[str]) -> str:
    """The combination of inputs that is left without some bands."""
    needs = {
        "visible": [name for name in OPTICAL if name != "nir"],
        "nir": ["nir"],
        **{role: [radar_band(role, p) for p in POLARISATIONS] for role in RADAR_ROLES},
    }
    return "+".join(group for group in GROUPS if not set(needs[group]) & set(missing))


def _rebuilt(card: Mapping[str, Any]) -> bool:
    """Whether the labelled tiles had no pixels but those made from their statistics."""
    return "surrogate" in str(card.get("data", {}).get("patches", {}).get("pixels", ""))


def _reality(card: Mapping[str, Any]) -> tuple[str, ...]:
    if not _rebuilt(card):
        return ()
    return (
        "The model was never measured on real labelled radar pixels: none were to be had. How well "
        "it does on real scenes is not known.",
    )
