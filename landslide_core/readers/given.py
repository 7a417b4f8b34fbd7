"""What a user gives for a scene: files by role, and what the files don't say of themselves."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import date
from pathlib import Path
from typing import Any, Final

from landslide_core.bands import RADAR_ROLES
from landslide_core.errors import SceneError
from landslide_core.places import Given, is_address, without_query

ROLES: Final = ("s2", *RADAR_ROLES, "dem")
# In words; of a pass, what was before comes first.
ROLE_WORDS: Final[dict[str, str]] = {
    "s2": "Sentinel-2, after",
    "desc_pre": "Sentinel-1 descending, before",
    "desc_post": "Sentinel-1 descending, after",
    "asc_pre": "Sentinel-1 ascending, before",
    "asc_post": "Sentinel-1 ascending, after",
    "dem": "Elevation model",
}


@dataclass(frozen=True)
class SceneInputs:
    """Files, folders, archives or addresses by role; several for one file a band, or a mosaic."""

    s2: tuple[Given, ...] = ()
    desc_pre: tuple[Given, ...] = ()
    desc_post: tuple[Given, ...] = ()
    asc_pre: tuple[Given, ...] = ()
    asc_post: tuple[Given, ...] = ()
    dem: tuple[Given, ...] = ()  # elevation in metres
    s2_bands: tuple[str, ...] | None = None  # band names of a stack, in the file's order
    s2_offset: float | None = None  # DN to add, e.g. -1000; None: from metadata and pixels
    event: date | None = None  # day of the event; what was acquired when is held against it
    cloud_dilation: int = 0  # m by which cloud reaches farther than its layer says
    cloud_probability: float = 50.0  # % from which a cloud-probability layer means cloud
    speckle: int = 0  # side of the speckle filter's window, pixels; 0: no filter

    def __post_init__(self) -> None:
        if self.speckle and (self.speckle % 2 == 0 or not 3 <= self.speckle <= 15):
            raise SceneError(
                f"The speckle filter's window is {self.speckle} pixels a side; an odd number from "
                "3 to 15, or 0 for none, is needed. Correct --speckle."
            )
        if not 0 < self.cloud_probability <= 100 or not 0 <= self.cloud_dilation <= 5000:
            raise SceneError(
                f"Cloud from {self.cloud_probability:g} %, {self.cloud_dilation} m farther; over "
                "0 to 100 % and 0 to 5000 m are needed. Correct --cloud-probability or "
                "--cloud-dilation."
            )

    def given(self, role: str) -> tuple[Given, ...]:
        """What was given for a role, "s2", "desc_pre" and so on."""
        found: tuple[Given, ...] = getattr(self, role)
        return found

    def record(self, signed: bool = False) -> dict[str, Any]:
        """As JSON for a process with another working folder; `inputs_from` reads it.

        Addresses are kept with their queries, which may hold signatures, only where asked for.
        """
        values = asdict(self)
        paths = {role: [_recorded(one, signed) for one in self.given(role)] for role in ROLES}
        return {**values, **paths, "event": self.event.isoformat() if self.event else None}


def _recorded(given: Given, signed: bool) -> str:
    if is_address(given):
        return str(given) if signed else without_query(str(given))
    return str(Path(given).absolute())


def inputs_from(record: Mapping[str, Any]) -> SceneInputs:
    """What was given, from its record. Raises KeyError, TypeError or ValueError if it is none."""
    values = {field.name: record[field.name] for field in fields(SceneInputs)}
    for role in ROLES:
        values[role] = tuple(g if is_address(g) else Path(g) for g in values[role])
    values["s2_bands"] = tuple(values["s2_bands"]) if values["s2_bands"] else None
    values["event"] = date.fromisoformat(values["event"]) if values["event"] else None
    return SceneInputs(**values)
