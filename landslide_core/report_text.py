"""What a report says of a run, in the order a decision-maker asks; the same for HTML and PDF."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from landslide_core.bands import TILE
from landslide_core.detect import VERDICTS
from landslide_core.folder import Run
from landslide_core.grid import ground_size, lonlat
from landslide_core.plan import tiling_of
from landslide_core.report_card import Quality, quality_of
from landslide_core.stac_item import acquired, dates_by_role
from landslide_core.vectors import centres, tiles_of

TOP: Final = 6
ROLES: Final = {
    "s2": "Sentinel-2",
    "desc_pre": "Sentinel-1 descending, before",
    "desc_post": "Sentinel-1 descending, after",
    "asc_pre": "Sentinel-1 ascending, before",
    "asc_post": "Sentinel-1 ascending, after",
    "dem": "Elevation",
}
MEANINGS: Final = {
    "landslide": "probably holds a fresh landslide",
    "uncertain": "the model cannot tell; a person must look",
    "stable": "probably without one",
    "filtered_out": "plainly without one, dropped by the filter",
    "no_data": "not judged: too few pixels",
}
_METHOD: Final = (
    "The scene is cut into tiles of 64 × 64 pixels of 10 m (640 m × 640 m).",
    "A filter drops the tiles that are plainly without a landslide.",
    "Neural networks vote on each other tile, by its colours and its radar echo before and after.",
    "Filter and votes make one calibrated probability a tile.",
    "Limits on it, fitted on labelled tiles, make the verdict: landslide, uncertain or stable.",
)
SIMULATED: Final = "SIMULATED SCENE: no satellite took these images; nothing here happened."
NOT_THIS: Final = (
    "not the outline or area of any landslide: a tile is flagged whole, however small the scar",
    "not a proof that other ground is stable or safe",
    "not confirmed: nobody has checked these tiles on the ground",
)


@dataclass(frozen=True)
class Table:
    """Rows of text under a heading; the columns named are numbers."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: tuple[int, ...] = ()


@dataclass(frozen=True)
class TopTile:
    """One of the alarms to look at first."""

    rank: int
    tile_id: int
    lon: float
    lat: float
    facts: str  # probability and what else is known, in words

    @property
    def where(self) -> str:
        """Coordinates as online maps take them: latitude, longitude."""
        return f"{self.lat:.5f}, {self.lon:.5f}"


@dataclass(frozen=True)
class Report:
    """A run in words, for people who decide."""

    title: str
    created: str
    simulated: bool
    headline: str
    sure: tuple[str, ...]
    counts: Table
    top: tuple[TopTile, ...]
    warnings: tuple[str, ...]
    drift: str
    inputs: Table
    event: str
    method: tuple[str, ...]
    quality: Quality
    provenance: Table


def report_of(run: Run) -> Report:
    """Everything a run's report says. Raises RunDamaged."""
    meta, tiles = run.meta, tiles_of(run)
    quality = quality_of(run.bundle_path, meta["bundle"], meta["missing_bands"])
    return Report(
        title=shown(f"Landslide report: {run.folder.absolute().name}"),
        created=meta["created"].replace("T", " ").replace("+00:00", " UTC"),
        simulated=meta["simulated"],
        headline=_headline(run),
        sure=(*_expected(tiles, meta), *quality.sure),
        counts=_counts(run),
        top=_top(run),
        warnings=tuple(map(shown, meta["warnings"])),
        drift=_drift(meta.get("drift", {})),
        inputs=_inputs(meta),
        event=meta["given"].get("event") or "",
        method=_method(meta),
        quality=quality,
        provenance=_provenance(meta),
    )


def areas(run: Run) -> dict[str, float]:
    """Ground (km²) under each verdict and under "alarm"; where tiles overlap the worse counts."""
    tiles, tiling, grid = run.tiles, tiling_of(run.meta), run.grid()
    # Codes rise from "no_data" to "landslide", in the order of alarm.
    codes = tiles["verdict"].map({name: i for i, name in enumerate(VERDICTS)}).to_numpy(np.int64)
    high, wide = (np.diff(np.minimum(np.arange(0, n + TILE, tiling.stride), n)) for n in grid.shape)
    across, down = ground_size(grid.geobox)

    def km2(cells: Any) -> float:
        rows, cols = cells.shape
        pixels = np.outer(high[:rows], wide[:cols])[cells].sum()
        return float(pixels * across * down / 1e6)

    worst = tiling.cells(codes, "max")
    found = {name: km2(worst == i) for i, name in enumerate(VERDICTS)}
    alarm = tiling.cells(tiles["alarm"].to_numpy(np.int64), "max")
    return {**found, "alarm": km2(alarm > 0)}


def _headline(run: Run) -> str:
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
        "No tile raises a landslide alarm"
        if not alarms
        else f"{alarms:,} of {judged:,} tiles raise a landslide alarm"
        if alarms != 1
        else f"1 of {judged:,} tiles raises a landslide alarm"
    )
    size = f", over {_km2(areas(run)['alarm'])} of ground" if alarms else f" of {judged:,} judged"
    across, down = (pixels * 10 / 1000 for pixels in (grid.width, grid.height))
    return (
        f"{what}{size}, in an area of {across:.0f} km × {down:.0f} km around {place(lon, lat)}, "
        f"{when}."
    )


def shown(text: str) -> str:
    """Text from outside without marks that hide or turn what is written."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def place(lon: float, lat: float) -> str:
    """A position in words: "27.951° N, 84.246° E"."""
    return f"{abs(lat):.3f}° {'N' if lat >= 0 else 'S'}, {abs(lon):.3f}° {'E' if lon >= 0 else 'W'}"


def _expected(tiles: pd.DataFrame, meta: Mapping[str, Any]) -> tuple[str, ...]:
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
            else f"the alarm holds a landslide with a probability of {right:.0%}."
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


def _counts(run: Run) -> Table:
    counts, ground = run.meta["counts"], areas(run)
    total = sum(counts.values())
    rows = [
        (name, f"{counts[name]:,}", f"{counts[name] / total:.1%}", _km2(ground[name]), meaning)
        for name, meaning in MEANINGS.items()
    ]
    return Table(("verdict", "tiles", "share", "ground", "meaning"), tuple(rows), (1, 2, 3))


def _top(run: Run) -> tuple[TopTile, ...]:
    """The alarms with the highest probability; of equal ones the first in the scene."""
    tiles = run.tiles
    best = tiles[tiles["alarm"]].sort_values(
        ["probability", "tile_id"], ascending=[False, True], kind="stable"
    )[:TOP]
    longitude, latitude = centres(run, best)
    return tuple(
        TopTile(i + 1, int(tile["tile_id"]), float(longitude[i]), float(latitude[i]), _facts(tile))
        for i, tile in enumerate(best.to_dict("records"))
    )


def _facts(tile: Mapping[Any, Any]) -> str:
    said = [f"probability {tile['probability']:.0%}"]
    if tile["votes_cast"]:
        said.append(f"{tile['agreement']:.0%} of votes for it")
    if pd.notna(tile["slope"]):
        said.append(f"slope up to {tile['slope']:.0f}°")
    if tile["cloud_fraction"] >= 0.05:
        said.append(f"{tile['cloud_fraction']:.0%} cloud")
    return ", ".join(said)


def _drift(bands: Mapping[str, Mapping[str, Any]]) -> str:
    """How like the training the scene is, in one line."""
    if not bands:
        return "How like the training this scene is was not measured."
    odd = {
        kind: [name for name, band in bands.items() if band["likeness"] == kind]
        for kind in ("unusual", "unlike")
    }
    if not any(odd.values()):
        return f"All {len(bands)} bands of this scene lie where those of the training do."
    said = [f"{', '.join(names)} {kind}" for kind, names in odd.items() if names]
    care = " Treat the verdicts with care." if odd["unlike"] else ""
    return f"Beside the model's training, of {len(bands)} bands: {'; '.join(said)}.{care}"


def _inputs(meta: Mapping[str, Any]) -> Table:
    dates = dates_by_role(meta)
    rows = tuple(
        (
            ROLES.get(entry["role"], entry["role"]),
            "; ".join(dates.get(entry["role"], [])) or "date not known",
            shown(Path(entry["path"]).name),
            (entry["sha256"] or "an address")[:12],
        )
        for entry in meta["inputs"]
    )
    return Table(("input", "taken", "file", "SHA-256"), rows)


def _method(meta: Mapping[str, Any]) -> tuple[str, ...]:
    if meta["stride"] == TILE:
        return _METHOD
    return (f"{_METHOD[0][:-1]}, overlapping by half.", *_METHOD[1:])


def _provenance(meta: Mapping[str, Any]) -> Table:
    bundle, seconds = meta["bundle"], sum(meta["seconds"].values())
    rows: Sequence[tuple[str, str]] = (
        ("run", meta["created"]),
        ("computing time", f"{seconds:.0f} s on {meta['device']}, {meta.get('backend', '')}"),
        ("model", f"{bundle['name']}, SHA-256 {bundle['sha256']}"),
        ("grid", f"{meta['grid']['crs']}, {meta['grid']['width']} × {meta['grid']['height']} "
         "pixels of 10 m"),
        ("tiles.parquet", f"SHA-256 {meta['sha256']['tiles.parquet']}"),
        ("versions", ", ".join(f"{name} {v}" for name, v in meta["versions"].items())),
    )  # fmt: skip
    return Table(("", ""), tuple(rows))


def _km2(area: float) -> str:
    return f"{area:,.1f} km²"
