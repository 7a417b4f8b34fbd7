"""What a training used: electricity and its emissions, metered by CodeCarbon without a network."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final

from landslide_core.errors import DatasetError

FILE: Final = "energy.jsonl"  # one line for each stretch between two flushes
WORLD: Final = "world average"

_SAMPLE: Final = 15.0  # seconds between two measurements
_FLUSH: Final = 8  # measurements between two lines: a killed run loses two minutes at most


@dataclass(frozen=True)
class Energy:
    """Electricity used, and the emissions of making it."""

    kwh: float
    kg_co2e: float
    seconds: float
    cpu: str  # model name of the processor
    country: str  # whose mix of electricity the emissions are of
    method: str  # how the power was found, in words


class Meter:
    """The running measurement of one stretch of work, handed out by `measured`."""

    def __init__(self, what: str, folder: Path, country: str) -> None:
        self._what, self._path, self._country = what, folder / FILE, country
        self._lines: list[Energy] = []
        self._tracker: Any = None

    def checkpoint(self) -> None:
        """Write down what was used since the last time; a kill loses only what comes after."""
        self._tracker.flush()

    @property
    def used(self) -> Energy | None:
        """All that was written down so far, or None where nothing could be measured."""
        return _sum(self._lines)

    # What CodeCarbon calls on an output handler: `out` on flush and stop, `live_out` now and then.

    def out(self, _: Any, delta: Any) -> None:
        """Append what was used since the last call."""
        line = Energy(
            kwh=float(delta.energy_consumed),
            kg_co2e=float(delta.emissions),
            seconds=float(delta.duration),
            cpu=" ".join(str(delta.cpu_model or "unknown").split()),
            country=self._country,
            method=_method(self._tracker),
        )
        with self._path.open("a") as file:
            file.write(json.dumps({"what": self._what, **asdict(line)}) + "\n")
        self._lines.append(line)

    live_out = out

    def exit(self) -> None:
        """Nothing to close."""


@contextmanager
def measured(what: str, folder: Path, country: str | None = None) -> Iterator[Meter]:
    """Meter the work inside the block; lines of folder/energy.jsonl, named `what`, keep it.

    `country` is a three-letter ISO code; None takes the world's average mix of electricity.
    Raises DatasetError for a country without figures.
    """
    # Predicting needs no CodeCarbon, and its import sets up logging.
    from codecarbon import OfflineEmissionsTracker

    # It speaks while it is made, before its own log level applies.
    logging.getLogger("codecarbon").setLevel(logging.ERROR)
    _check_country(country)
    folder.mkdir(parents=True, exist_ok=True)
    meter = Meter(what, folder, country or WORLD)
    # Everything that a configuration file or variable could turn to the network or to another
    # folder is set here.
    tracker = OfflineEmissionsTracker(
        country_iso_code=country,
        region=None,
        cloud_provider=None,
        cloud_region=None,
        country_2letter_iso_code=None,
        electricitymaps_api_token="",  # None would look for one in the environment
        emissions_endpoint=None,
        force_carbon_intensity_g_co2e_kwh=None,
        output_methods=[],
        output_handlers=[meter],
        output_dir=str(folder),
        log_level="error",
        tracking_mode="process",  # other work on the same machine is not this training's
        allow_multiple_runs=True,  # else it takes over the signals of the whole process
        measure_power_secs=_SAMPLE,
        api_call_interval=_FLUSH,
    )
    meter._tracker = tracker
    tracker.start()
    try:
        yield meter
    finally:
        tracker.stop()


def total(folder: Path) -> Energy | None:
    """All that was used under a folder, interrupted runs included; None where nothing is known."""
    path = folder / FILE
    if not path.is_file():
        return None
    return _sum([line for text in path.read_text().splitlines() if (line := _line(text))])


def _line(text: str) -> Energy | None:
    """A line of the file; None for one that a full disk cut short."""
    try:
        said = json.loads(text)
        return Energy(**{field.name: said[field.name] for field in fields(Energy)})
    except (ValueError, KeyError, TypeError):
        return None


def _sum(lines: list[Energy]) -> Energy | None:
    if not lines:
        return None
    return Energy(
        kwh=sum(line.kwh for line in lines),
        kg_co2e=sum(line.kg_co2e for line in lines),
        seconds=sum(line.seconds for line in lines),
        cpu=_each(line.cpu for line in lines),
        country=_each(line.country for line in lines),
        method=_each(line.method for line in lines),
    )


def _each(words: Iterator[str]) -> str:
    """Every different wording once, in order: a training may move to another machine."""
    return " | ".join(dict.fromkeys(words))


def _check_country(country: str | None) -> None:
    from codecarbon.input import DataSource

    if country is not None and country not in DataSource().get_global_energy_mix_data():
        raise DatasetError(
            f"There are no figures on the electricity of {country!r}; a three-letter ISO code such "
            "as NPL is needed. Correct it or leave it out for the world's average."
        )


def _method(tracker: Any) -> str:
    """How CodeCarbon finds the power of each part; it tells that in private fields only."""
    words = [f"CodeCarbon {getattr(tracker, '_conf', {}).get('codecarbon_version', '')}".strip()]
    words += [_part(type(part).__name__, part) for part in getattr(tracker, "_hardware", [])]
    return "; ".join(words)


def _part(kind: str, part: Any) -> str:
    """One part's method in words."""
    mode, watts = getattr(part, "_mode", ""), getattr(part, "_tdp", None)
    match kind, mode:
        case "CPU", "cpu_load":
            return (
                f"processor estimated: {watts:g} W (rated for its name; 4 W a core where that is "
                "not listed) times this process's share of its time"
            )
        case "CPU", "constant":
            return f"processor estimated: half of {watts:g} W throughout"
        case "CPU", "intel_rapl":
            return "processor measured: RAPL counter of the whole package"
        case "RAM", _:
            return "memory estimated: by its size and this process's share of it"
        case "GPU", _:
            return "graphics cards measured: the driver's counter, whole cards"
        case _:
            return f"{kind} {mode}".strip()
