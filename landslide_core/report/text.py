"""What a report says of a run, in the order a decision-maker asks; the same for HTML and PDF."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pandas as pd

from landslide_core.bands import PIXEL, TILE
from landslide_core.folder import Run
from landslide_core.outputs import VERDICT_COLOURS, VERDICT_WORDS
from landslide_core.plan import cloud_from_of
from landslide_core.readers.given import ROLE_WORDS
from landslide_core.report.card import Quality, quality_of
from landslide_core.report.findings import (
    NBSP,
    confirmed,
    expected,
    headline,
    hectares,
    km2,
    percent,
    reviewed,
    shown,
)
from landslide_core.report.ground import Cluster, areas, clusters, ground_shares
from landslide_core.stac_item import dates_by_role
from landslide_core.tiles import CLOUD_NOTES, CloudFrom
from landslide_core.vectors import centres, standing, tiles_of

TOP: Final = 6
_MEANINGS: Final = {
    "landslide": "Probably holds a fresh landslide",
    "uncertain": "The model cannot tell; a person must look",
    "stable": "Probably without one",
    "filtered_out": "Plainly without one, dropped by the filter",
    "no_data": "Not judged: too few pixels",
}
_SIDE: Final = f"{TILE * PIXEL:.0f}{NBSP}m"
_SQUARE: Final = f"{_SIDE} × {_SIDE}"
_METHOD: Final = (
    f"The scene is cut into tiles of {TILE} × {TILE} pixels of {PIXEL:.0f}{NBSP}m ({_SQUARE}).",
    "A filter drops the tiles that are plainly without a landslide.",
    "Neural networks vote on each other tile, by its colours and its radar echo before and after.",
    "Filter and votes make one calibrated probability a tile.",
    "Limits on it, fitted on labelled tiles, make the verdict: landslide, uncertain or stable.",
)
SIMULATED: Final = "SIMULATED SCENE: no satellite took these images; nothing here happened."
_LOOK: Final = "The coordinates are those of a tile's middle: paste them into any online map."
_ALARMS: Final = "Alarm tiles that touch are one place, told by the most probable of them."
_UNCERTAIN: Final = (
    "No tile raises an alarm. These are the most probable of the uncertain ones, those that touch "
    "as one place: a person must look at them."
)
_CLOUD_WORDS: Final[dict[CloudFrom, str]] = {
    "layer": "cloud",
    "brightness": "as bright as cloud",
    "unknown": "cloud",
}
PICTURES: Final = f"Each picture is one tile, {_SQUARE}; grey: no data."
_NOT_THIS: Final = (
    f"not the outline or area of any landslide: a tile ({_SQUARE}) is flagged whole, however small "
    "the scar",
    "not a proof that other ground is stable or safe",
)


@dataclass(frozen=True)
class Table:
    """Rows of text under a heading; a row may have a colour."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: tuple[int, ...] = ()  # columns of numbers
    colours: tuple[str, ...] = ()
    names: int | None = None  # the column of file names, which may be long

    @property
    def coloured(self) -> tuple[tuple[tuple[str, ...], str], ...]:
        """Rows with their colours, which are empty where there are none."""
        return tuple(zip(self.rows, self.colours or ("",) * len(self.rows), strict=True))


@dataclass(frozen=True)
class TopTile:
    """The most probable tile of one of the places to look at first."""

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
    look: str  # what the top tiles are, and how to find them
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
    top, look = _top(run, tiles)
    cloud = CLOUD_NOTES[cloud_from_of(meta)]
    quality = quality_of(run.bundle_path, meta["bundle"], meta["missing_bands"])
    return Report(
        title=shown(f"Landslide report: {run.folder.absolute().name}"),
        created=_moment(meta),
        simulated=meta["simulated"],
        headline=headline(run),
        sure=(*expected(run, tiles), *quality.sure),
        review=reviewed(tiles) if looked else (),
        not_this=(*_NOT_THIS, confirmed(looked)),
        counts=_counts(run),
        top=top,
        look=look,
        warnings=(*([cloud] if cloud else []), *map(shown, meta["warnings"])),
        drift=_drift(meta.get("drift", {})),
        inputs=_inputs(meta),
        event=meta["given"].get("event") or "",
        method=_method(meta),
        quality=quality,
        provenance=_provenance(meta),
    )


def _moment(meta: Mapping[str, Any]) -> str:
    """When the run was made: "2024-04-03 05:57:11 UTC"."""
    created: str = meta["created"]
    return created.replace("T", " ").replace("+00:00", " UTC")


def _counts(run: Run) -> Table:
    counts, ground, share = run.meta["counts"], areas(run), ground_shares(run)
    rows = tuple(
        (
            *(words, f"{counts[name]:,}", km2(ground[name]), percent(share[name], 1)),
            _MEANINGS[name],
        )
        for name, words in VERDICT_WORDS.items()
    )
    head = ("Verdict", "Tiles", "Ground", "Share of ground", "Meaning")
    return Table(head, rows, (1, 2, 3), tuple(VERDICT_COLOURS[name] for name in VERDICT_WORDS))


def _top(run: Run, tiles: pd.DataFrame) -> tuple[tuple[TopTile, ...], str]:
    """Places with alarms that stand, the most probable first; without any, uncertain ones.

    And the sentence that says which these are. Of equal ones the scene's first.
    """
    chosen, words = standing(tiles), _ALARMS
    if not chosen.any():
        chosen, words = tiles["verdict"] == "uncertain", _UNCERTAIN
        if "review_label" in tiles:
            chosen &= tiles["review_label"] != "stable"
    found = clusters(run, tiles, chosen)[:TOP]
    best = tiles.set_index("tile_id", drop=False).loc[[cluster.best for cluster in found]]
    longitude, latitude = centres(run, best)
    cloud = _CLOUD_WORDS[cloud_from_of(run.meta)]
    top = tuple(
        TopTile(i + 1, cluster.best, float(lon), float(lat), _facts(tile, cluster, cloud))
        for i, (cluster, lon, lat, tile) in enumerate(
            zip(found, longitude, latitude, best.to_dict("records"), strict=True)
        )
    )
    return top, f"{words} {_LOOK}"


def _facts(tile: Mapping[Any, Any], cluster: Cluster, cloud: str) -> str:
    said = [f"Probability {percent(tile['probability'])}"]
    if cluster.tiles > 1:
        said.append(f"one of {cluster.tiles} tiles on {hectares(cluster.ground)}")
    if tile["votes_cast"]:
        said.append(f"{percent(tile['agreement'])} of votes for it")
    if pd.notna(tile["slope"]):
        said.append(f"slope up to {tile['slope']:.0f}°")
    if tile["cloud_fraction"] >= 0.05:
        said.append(f"{percent(tile['cloud_fraction'])} {cloud}")
    if (label := tile.get("review_label")) and pd.notna(label):
        words = {"landslide": "confirmed", "unsure": "left open"}[label]
        said.append(f"{words} by {shown(tile['reviewed_by'])}")
    return ", ".join(said)


def _drift(bands: Mapping[str, Mapping[str, Any]]) -> str:
    """How like the training the scene is, in one line."""
    if not bands:
        return "How like the training this scene is was not measured."
    kinds = [band["likeness"] for band in bands.values()]
    unusual, unlike = kinds.count("unusual"), kinds.count("unlike")
    if not unusual + unlike:
        return f"All {len(bands)} bands of this scene have values like those the model learnt from."
    said = [
        f"{number} {'is' if number == 1 else 'are'} {what}"
        for number, what in ((unusual, "unusual"), (unlike, "unlike them"))
        if number
    ]
    like, care = len(bands) - unusual - unlike, " Treat the verdicts with care." if unlike else ""
    return (
        f"Of this scene's {len(bands)} bands, {like} {'has' if like == 1 else 'have'} values like "
        f"those the model learnt from; {' and '.join(said)}.{care}"
    )


def _inputs(meta: Mapping[str, Any]) -> Table:
    dates = dates_by_role(meta)
    rows = tuple(
        (
            ROLE_WORDS.get(entry["role"], entry["role"]),
            "; ".join(dates.get(entry["role"], [])) or "Date not known",
            shown(Path(entry["path"]).name),
            (entry["sha256"] or "An address")[:12],
        )
        for entry in sorted(meta["inputs"], key=lambda entry: _rank(entry["role"]))
    )
    return Table(("Input", "Taken", "File", "SHA-256"), rows, names=2)


def _rank(role: str) -> int:
    """Where a role stands in the table: what was before comes before."""
    return list(ROLE_WORDS).index(role) if role in ROLE_WORDS else len(ROLE_WORDS)


def _method(meta: Mapping[str, Any]) -> tuple[str, ...]:
    if meta["stride"] == TILE:
        return _METHOD
    return (f"{_METHOD[0][:-1]}, overlapping by half.", *_METHOD[1:])


def _provenance(meta: Mapping[str, Any]) -> Table:
    bundle, seconds = meta["bundle"], sum(meta["seconds"].values())
    backend = f", {meta['backend']}" if meta.get("backend") else ""
    rows: Sequence[tuple[str, str]] = (
        ("Run", _moment(meta)),
        ("Computing time", f"{seconds:.0f}{NBSP}s on {meta['device']}{backend}"),
        ("Model", f"{bundle['name']}, SHA-256 {bundle['sha256']}"),
        ("Grid", f"{meta['grid']['crs']}, {meta['grid']['width']} × {meta['grid']['height']} "
         "pixels of 10 m"),
        ("tiles.parquet", f"SHA-256 {meta['sha256']['tiles.parquet']}"),
        ("Versions", ", ".join(f"{name} {v}" for name, v in meta["versions"].items())),
    )  # fmt: skip
    return Table(("", ""), tuple(rows))
