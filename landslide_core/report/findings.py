"""What a run found, in sentences: how much, where, how sure, and what people made of it."""

from typing import Final

import pandas as pd

from landslide_core.bands import PIXEL
from landslide_core.folder import Run
from landslide_core.grid import lonlat
from landslide_core.report.ground import areas, clusters
from landslide_core.stac_item import acquired
from landslide_core.vectors import standing

NBSP: Final = "\N{NO-BREAK SPACE}"  # between a figure and its unit
_NAMES: Final = 4  # reviewers named


def headline(run: Run) -> str:
    """What, where, when, how many, how large: one sentence."""
    meta, tiles = run.meta, run.tiles
    alarms, places = int(tiles["alarm"].sum()), len(clusters(run, tiles, tiles["alarm"]))
    grid = run.grid()
    (lon,), (lat,) = lonlat(grid.geobox, [grid.width / 2], [grid.height / 2])
    first, last = (time.date().isoformat() for time in acquired(meta))
    known = any(d["subject"] == "acquisition" for d in meta["decisions"])
    span = f"of {first}" if first == last else f"taken from {first} to {last}"
    when = f"on images {span}" if known else "on images that do not say when they were taken"
    what = (
        f"None of {len(tiles):,} tiles raises a landslide alarm"
        if not alarms
        else f"{places:,} places ({alarms:,} of {len(tiles):,} tiles) raise a landslide alarm"
        if places != 1
        else f"1 place ({alarms:,} of {len(tiles):,} tiles) raises a landslide alarm"
    )
    size = f", over {km2(areas(run)['alarm'])} of ground" if alarms else ""
    across, down = (_km(pixels * PIXEL) for pixels in (grid.width, grid.height))
    return f"{what}{size}, in an area of {across} × {down} around {place(lon, lat)}, {when}."


def expected(run: Run, tiles: pd.DataFrame) -> tuple[str, ...]:
    """How many places with alarms are likely to hold a landslide, each by its best tile.

    Tiles that touch see the same landslide, so their probabilities don't add up.
    """
    meta, alarm = run.meta, tiles["alarm"]
    unsure = int((tiles["verdict"] == "uncertain").sum())
    bands = (meta.get("drift") or {}).values()
    said = []
    if any(band["likeness"] == "unlike" for band in bands):
        said.append(
            "This scene is unlike those the model learnt from: its figures may not hold here."
        )
    elif alarm.any():
        found = clusters(run, tiles, alarm)
        right, number = sum(cluster.probability for cluster in found), len(found)
        ours = (
            f"about {right:.0f} of the {number:,} places can be expected to hold a landslide; "
            "alarm tiles that touch are one place."
            if number > 1
            else f"the place holds a landslide with a probability of {percent(right)}."
        )
        said.append(f"If this scene is like those the model learnt from, {ours}")
    if unsure:
        verb = "are" if unsure != 1 else "is"
        said.append(
            f"{unsure:,} {'more ' if alarm.any() else ''}{'tiles' if unsure != 1 else 'tile'} "
            f"{verb} uncertain and must be "
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
        f"Alarm tiles they call a landslide: {right:,}; no landslide: {wrong:,}. Landslides they "
        f"found without an alarm: {found:,}. Alarm tiles that stand: "
        f"{int(standing(tiles).sum()):,}.",
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


def hectares(area: float) -> str:
    """km² in hectares: "41 ha"."""
    return f"{100 * area:,.0f}{NBSP}ha"


def km2(area: float) -> str:
    return f"{area:,.1f}{NBSP}km²"


def percent(share: float, digits: int = 0) -> str:
    """A share 0..1 in per cent: "95 %"."""
    return f"{100 * share:.{digits}f}{NBSP}%"


def _km(metres: float) -> str:
    """A length in words, with a decimal where it counts: "3.2 km", "110 km"."""
    return f"{metres / 1000:,.{int(metres < 9950)}f}{NBSP}km"
