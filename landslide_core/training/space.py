"""The options that `landslide tune` searches, their ranges, and the way from a trial to a plan."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from landslide_core.training.crossvalidate import Plan

if TYPE_CHECKING:
    from optuna import Trial

Chosen = dict[str, dict[str, Any]]  # fields of Plan's "network" and "train"


@dataclass(frozen=True)
class Dial:
    """A number to choose."""

    group: str  # field of Plan
    low: float
    high: float
    log: bool = False


@dataclass(frozen=True)
class Switch:
    """A few named settings of one or more fields."""

    group: str
    settings: Mapping[str, Mapping[str, Any]]


def _widths(stem: int, branch: int, trunk: tuple[int, int, int], pyramid: int) -> dict[str, Any]:
    return {"stem": stem, "branch": branch, "trunk": trunk, "pyramid": pyramid}


def space() -> dict[str, Dial | Switch]:
    """What is searched, by field or name; the options' defaults are in it."""
    return {
        "learning_rate": Dial("train", 5e-4, 8e-3, log=True),
        "weight_decay": Dial("train", 1e-4, 1e-1, log=True),
        "positive_weight": Dial("train", 1.0, 4.0),
        "negatives": Dial("train", 1.0, 6.0),
        "erased": Dial("train", 0.0, 0.3),
        "incomplete": Dial("train", 0.0, 0.4),
        "voice_noise": Dial("train", 0.0, 0.5),
        "dropout": Dial("network", 0.0, 0.6),
        "voice_dropout": Dial("network", 0.1, 0.7),
        "voice": Switch("network", {str(n): {"voice": n} for n in (64, 128, 256)}),
        "voices": Switch("network", {str(n): {"voices": n} for n in (2, 4, 8)}),
        "size": Switch(
            "network",
            {
                "small": _widths(8, 12, (32, 48, 64), 32),
                "usual": _widths(12, 16, (64, 96, 128), 48),
                "deep": _widths(12, 16, (64, 128, 256), 48),
                "wide": _widths(16, 24, (96, 128, 192), 64),
            },
        ),
    }


def suggested(trial: "Trial") -> dict[str, Any]:
    """A trial's value on every dial and switch."""
    return {
        name: trial.suggest_float(name, dial.low, dial.high, log=dial.log)
        if isinstance(dial, Dial)
        else trial.suggest_categorical(name, list(dial.settings))
        for name, dial in space().items()
    }


def chosen_fields(params: Mapping[str, Any]) -> Chosen:
    """Fields of the plan, by group, from a trial's parameters."""
    chosen: Chosen = {"network": {}, "train": {}}
    for name, value in params.items():
        dial = space()[name]
        chosen[dial.group] |= {name: value} if isinstance(dial, Dial) else dial.settings[value]
    return chosen


def usual(plan: Plan) -> dict[str, Any]:
    """The parameters of the plan as it is; a switch that has no such setting stays open."""
    params: dict[str, Any] = {}
    for name, dial in space().items():
        there = asdict(getattr(plan, dial.group))
        if isinstance(dial, Dial):
            params[name] = there[name]
        else:
            same = [n for n, part in dial.settings.items() if part.items() <= there.items()]
            params |= {name: same[0]} if same else {}
    return params


def applied(plan: Plan, chosen: Chosen) -> Plan:
    """The plan with some of its fields changed."""
    return replace(
        plan, **{group: replace(getattr(plan, group), **chosen[group]) for group in chosen}
    )
