"""What a report says of a run, in the order a decision-maker asks; the same for HTML and PDF."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pandas as pd

from landslide_core.bands import TILE
from landslide_core.folder import Run
from landslide_core.report.card import Quality, quality_of
from landslide_core.report.findings import (
    areas,
    confirmed,
    expected,
    headline,
    km2,
    reviewed,
    shown,
)
from landslide_core.stac_item import dates_by_role
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
_NOT_THIS: Final = (
    "not the outline or area of any landslide: a tile is flagged whole, however small the scar",
    "not a proof that other ground is stable or safe",
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
    review: tuple[str, ...]  # what people made of it; none where nobody has looked
    not_this: tuple[str, ...]
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
    looked = "review_label" in tiles and bool(tiles["review_label"].notna().any())
    quality = quality_of(run.bundle_path, meta["bundle"], meta["missing_bands"])
    return Report(
        title=shown(f"Landslide report: {run.folder.absolute().name}"),
        created=meta["created"].replace("T", " ").replace("+00:00", " UTC"),
        simulated=meta["simulated"],
        headline=headline(run),
        sure=(*expected(tiles, meta), *quality.sure),
        review=reviewed(tiles) if looked else (),
        not_this=(*_NOT_THIS, confirmed(looked)),
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


def _counts(run: Run) -> Table:
    counts, ground = run.meta["counts"], areas(run)
    total = sum(counts.values())
    rows = [
        (name, f"{counts[name]:,}", f"{counts[name] / total:.1%}", km2(ground[name]), meaning)
        for name, meaning in MEANINGS.items()
    ]
    return Table(("verdict", "tiles", "share", "ground", "meaning"), tuple(rows), (1, 2, 3))


def _top(run: Run) -> tuple[TopTile, ...]:
    """The alarms that stand with the highest probability; of equal ones the scene's first."""
    best = tiles_of(run, alarms_only=True).sort_values(
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
    if (label := tile.get("review_label")) and pd.notna(label):
        words = {"landslide": "confirmed"}.get(label, label)
        said.append(f"{words} by {shown(tile['reviewed_by'])}")
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
