"""What a run found, in sentences: how much, where, how sure, and what people made of it."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pandas as pd

from landslide_core.bands import PIXEL, TILE
from landslide_core.folder import Run
from landslide_core.grid import ground_size, lonlat
from landslide_core.judgement import VERDICTS
from landslide_core.plan import tiling_of
from landslide_core.stac_item import acquired
from landslide_core.vectors import standing

NBSP: Final = "\N{NO-BREAK SPACE}"  # between a figure and its unit
_NAMES: Final = 4  # reviewers named


def headline(run: Run) -> str:
    """What, where, when, how many, how large: one sentence."""
    meta, tiles = run.meta, run.tiles
    alarms, judged = int(tiles["alarm"].sum()), int((tiles["verdict"] != "no_data").sum())
    grid = run.grid()
    (lon,), (lat,) = lonlat(grid.geobox, [grid.width / 2], [grid.height / 2])
    first, last = (time.date().isoformat() for time in acquired(meta))
    known = any(d["subject"] == "acquisition" for d in meta["decisions"])
    span = f"of {first}" if first == last else f"taken from {first} to {last}"
    when = f"on images {span}" if known else "on images that do not say when they were taken"
    what = (
        f"None of {judged:,} tiles raises a landslide alarm"
        if not alarms
        else f"{alarms:,} of {judged:,} tiles raise a landslide alarm"
        if alarms != 1
        else f"1 of {judged:,} tiles raises a landslide alarm"
    )
    size = f", over {km2(areas(run)['alarm'])} of ground" if alarms else ""
    across, down = (_km(pixels * PIXEL) for pixels in (grid.width, grid.height))
    return f"{what}{size}, in an area of {across} × {down} around {place(lon, lat)}, {when}."


def areas(run: Run) -> dict[str, float]:
    """Ground (km²) under each verdict and under "alarm"; where tiles overlap the worse counts."""
    tiles, tiling, grid = run.tiles, tiling_of(run.meta), run.grid()
    # Codes rise from "no_data" to "landslide", in the order of alarm.
    codes = tiles["verdict"].map({name: i for i, name in enumerate(VERDICTS)}).to_numpy(np.int64)
    high, wide = (np.diff(np.minimum(np.arange(0, n + TILE, tiling.stride), n)) for n in grid.shape)
    across, down = ground_size(grid.geobox)

    def ground(cells: Any) -> float:
        rows, cols = cells.shape
        pixels = np.outer(high[:rows], wide[:cols])[cells].sum()
        return float(pixels * across * down / 1e6)

    worst = tiling.cells(codes, "max")
    found = {name: ground(worst == i) for i, name in enumerate(VERDICTS)}
    alarm = tiling.cells(tiles["alarm"].to_numpy(np.int64), "max")
    return {**found, "alarm": ground(alarm > 0)}


def expected(tiles: pd.DataFrame, meta: Mapping[str, Any]) -> tuple[str, ...]:
    """How many alarms are likely to be right, by their own probabilities."""
    alarm, unsure = tiles["alarm"], int((tiles["verdict"] == "uncertain").sum())
    bands = (meta.get("drift") or {}).values()
    said = []
    if any(band["likeness"] == "unlike" for band in bands):
        said.append(
            "This scene is unlike those the model learnt from: its figures may not hold here."
        )
    elif alarm.any():
        right, number = float(tiles.loc[alarm, "probability"].sum()), int(alarm.sum())
        ours = (
            f"about {right:.0f} of the {number:,} alarms can be expected to hold a landslide."
            if number > 1
            else f"the alarm holds a landslide with a probability of {percent(right)}."
        )
        said.append(f"If this place is like those the model learnt from, {ours}")
    if unsure:
        verb = "are" if unsure != 1 else "is"
        said.append(
            f"{unsure:,} more {'tiles' if unsure != 1 else 'tile'} {verb} uncertain and must be "
            "looked at by a person: landslides may be among them."
        )
    mask = meta.get("slope_mask") or {}
    if mask.get("masked_tiles"):
        said.append(
            f"Ground flatter than {mask['least_slope']:g}° raises no alarm "
            f"({mask['masked_tiles']:,} tiles)."
        )
    return tuple(said)


def reviewed(tiles: pd.DataFrame) -> tuple[str, ...]:
    """What people made of the verdicts, and what that is worth."""
    label, alarm = tiles["review_label"], tiles["alarm"]
    names = sorted({shown(name) for name in tiles["reviewed_by"][label.notna()]})
    last = max(tiles["reviewed_at"][label.notna()])[:10]
    who = ", ".join(names[:_NAMES]) + (f" and {len(names) - _NAMES} more" if names[_NAMES:] else "")
    right, wrong = (int((alarm & (label == says)).sum()) for says in ("landslide", "stable"))
    found = int((~alarm & (label == "landslide")).sum())
    return (
        f"{who} looked at {int(label.notna().sum()):,} of {len(tiles):,} tiles, last on {last}.",
        f"Alarms they call a landslide: {right:,}; no landslide: {wrong:,}. Landslides they found "
        f"without an alarm: {found:,}. Alarms that stand: {int(standing(tiles).sum()):,}.",
        "They chose what to look at, so no error rate follows from it.",
    )


def confirmed(looked: bool) -> str:
    if looked:
        return "not confirmed on the ground: people have checked tiles on the images alone"
    return "not confirmed: nobody has checked these tiles on the ground"


def place(lon: float, lat: float) -> str:
    """A position in words: "27.951° N, 84.246° E"."""
    north, east = "N" if lat >= 0 else "S", "E" if lon >= 0 else "W"
    return f"{abs(lat):.3f}°{NBSP}{north}, {abs(lon):.3f}°{NBSP}{east}"


def shown(text: str) -> str:
    """Text from outside without marks that hide or turn what is written."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def km2(area: float) -> str:
    return f"{area:,.1f}{NBSP}km²"


def percent(share: float, digits: int = 0) -> str:
    """A share 0..1 in per cent: "95 %"."""
    return f"{100 * share:.{digits}f}{NBSP}%"


def _km(metres: float) -> str:
    """A length in words, with a decimal where it counts: "3.2 km", "110 km"."""
    return f"{metres / 1000:,.{int(metres < 9950)}f}{NBSP}km"
