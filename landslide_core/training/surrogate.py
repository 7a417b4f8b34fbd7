"""Surrogate patches: pixels that share a real patch's band statistics, drawn without its label.

The labelled set is public as statistics only. A patch here is a function of its statistics and
the seed: marginals by `marginals.design`, arrangement by `texture`, joined through ranks.
"""

import hashlib
import multiprocessing
import re
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from landslide_core.bands import STORED, STORED_INDEX, TILE
from landslide_core.errors import BadPatch, DatasetError, MissingLabels, NoSpace
from landslide_core.features import TABLE_LAYERS
from landslide_core.readers.patches import one_line
from landslide_core.training.indices import hold_to_range, index_of, normalised
from landslide_core.training.marginals import design
from landslide_core.training.texture import Ground, blend, bodies, fractal, grain, ground

Floats = npt.NDArray[np.float64]

STATISTICS: Final[tuple[str, ...]] = ("mean", "std", "min", "max", "kurt", "skew")
CHANNEL_NAMES: Final = tuple(TABLE_LAYERS.values())  # band1 to band12, ndvi, ndwi
COLUMNS: Final = tuple(f"{name}_{kind}" for name in CHANNEL_NAMES for kind in STATISTICS)

_BLUE, _GREEN = STORED_INDEX["blue"], STORED_INDEX["green"]
_RED, _NIR = STORED_INDEX["red"], STORED_INDEX["nir"]
_DESCENDING, _ASCENDING = STORED_INDEX["desc_vv_post"], STORED_INDEX["asc_vv_post"]  # the firsts
_NDVI, _NDWI = len(STORED), len(STORED) + 1
_CHUNK: Final = 64  # rows a worker takes at a time


def read_table(path: Path) -> pd.DataFrame:
    """Read a table of band statistics; raises DatasetError, MissingLabels or BadPatch."""
    try:
        table = pd.read_csv(path, dtype={"ID": str})
    except (OSError, ValueError) as error:
        raise DatasetError(
            f"{path} does not read as CSV ({one_line(error)}); a table of band statistics is "
            "needed. Check the path."
        ) from error
    _check(table)
    return table


def _check(table: pd.DataFrame) -> None:
    """Raise where a column, an ID, a number or a label is not usable."""
    missing = [column for column in ("ID", *COLUMNS) if column not in table.columns]
    if missing:
        raise DatasetError(
            f"The table lacks {len(missing)} columns ({', '.join(missing[:4])} …); it needs ID and "
            f"{len(COLUMNS)} statistics. Export it again with statistics_of."
        )
    if table.empty:
        raise DatasetError("The table has no rows; at least one patch is needed. Check the export.")
    names = table["ID"].fillna("").tolist()
    unsafe = [name for name in names if not re.fullmatch(r"\w[\w.-]*", name)]
    if unsafe:
        raise DatasetError(
            f"ID {unsafe[0]!r} cannot name a file; letters, digits, _, - and . are allowed. "
            "Rename it."
        )
    twice = table["ID"][table["ID"].duplicated()]
    if len(twice):
        raise DatasetError(
            f"{len(twice)} IDs come twice (first {twice.iloc[0]}); each must be unique. "
            "Drop the copies."
        )
    numbers = table[list(COLUMNS)].apply(pd.to_numeric, errors="coerce").to_numpy(float)
    cube = numbers.reshape(len(table), len(CHANNEL_NAMES), len(STATISTICS))
    mean, std, low, high = (cube[..., k] for k in range(4))
    slack = 1e-6 * (1 + np.abs(cube[..., 2:4]).max(axis=-1, initial=0))  # printed digits
    sound = np.isfinite(cube).all(axis=-1) & (low - slack <= mean) & (mean <= high + slack)
    sound &= (std >= 0) & (low <= high)
    if not sound.all():
        row, channel = np.argwhere(~sound)[0]
        raise BadPatch(
            f"{table['ID'].iloc[row]}, {CHANNEL_NAMES[channel]}: {cube[row, channel].tolist()} as "
            f"{', '.join(STATISTICS)}; finite numbers with min ≤ mean ≤ max are needed. "
            "Drop or mend the row."
        )
    if "label" in table and not table["label"].isin([0, 1]).all():
        raise MissingLabels(
            f"{int((~table['label'].isin([0, 1])).sum())} labels are neither 0 nor 1. "
            "Mend them or leave the column out."
        )


def surrogate_patches(table: pd.DataFrame, seed: int) -> Floats:
    """(N, 64, 64, 12) raw patches, one per row, from its statistics and the seed alone."""
    numbers = table[list(COLUMNS)].to_numpy(np.float64)
    rows = numbers.reshape(len(table), len(CHANNEL_NAMES), len(STATISTICS))
    patches = np.empty((len(rows), TILE, TILE, 12))
    for patch, row in zip(patches, rows, strict=True):
        patch[:] = _patch(np.ascontiguousarray(row), seed)
    return patches


def write_surrogates(
    table_path: Path,
    out: Path,
    seed: int,
    workers: int = 2,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write out/ID.npy for every row, and out/labels.csv where the table has labels.

    Raises DatasetError where the table or the folder is not usable, NoSpace on a full disk.
    """
    table = read_table(table_path)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DatasetError(f"{out} is not an empty folder; surrogates need one. Choose another.")
    out.mkdir(parents=True, exist_ok=True)
    needed, free = len(table) * TILE * TILE * 12 * 8, shutil.disk_usage(out).free
    if free < needed:
        raise NoSpace(
            f"{out} has {free / 1e9:.1f} GB free; the surrogates need {needed / 1e9:.1f} GB. "
            "Free some or choose another disk."
        )
    bare = table[["ID", *COLUMNS]]  # workers never see a label
    chunks = [bare.iloc[i : i + _CHUNK] for i in range(0, len(bare), _CHUNK)]
    done = 0
    for written in _written(chunks, out, seed, workers):
        done += written
        if progress:
            progress(done, len(table))
    if "label" in table:  # last, so that its presence means a complete set
        table[["ID", "label"]].to_csv(out / "labels.csv", index=False)
    return out


def _written(chunks: list[pd.DataFrame], out: Path, seed: int, workers: int) -> Iterator[int]:
    """Write all chunks, in this process for one worker; how many patches, chunk by chunk."""
    tasks = chunks, [out] * len(chunks), [seed] * len(chunks)
    if workers <= 1:
        yield from map(_write, *tasks)
        return
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(chunks)), mp_context=spawn) as pool:
        yield from pool.map(_write, *tasks)


def _write(chunk: pd.DataFrame, out: Path, seed: int) -> int:
    """Write the patches of one chunk; how many."""
    for name, patch in zip(chunk["ID"], surrogate_patches(chunk, seed), strict=True):
        np.save(out / f"{name}.npy", patch)
    return len(chunk)


def statistics_of(patches: Floats) -> pd.DataFrame:
    """(N, 64, 64, 12) raw patches -> the statistic columns of the table, one row a patch."""
    pixels = np.asarray(patches, np.float64).reshape(len(patches), -1, 12)
    blue, green, nir = pixels[..., _BLUE], pixels[..., _GREEN], pixels[..., _NIR]
    indices = np.stack([normalised(nir, blue), normalised(green, nir)], axis=-1)
    values = np.concatenate([pixels, indices], axis=-1)
    mean, std = values.mean(axis=1), values.std(axis=1)
    standard = (values - mean[:, None]) / np.where(std > 0, std, 1)[:, None]
    kurt = (standard**4).mean(axis=1) - 3
    skew = (standard**3).mean(axis=1)
    kinds = (mean, std, values.min(axis=1), values.max(axis=1), kurt, skew)
    table = pd.DataFrame(np.stack(kinds, axis=-1).reshape(len(pixels), -1), columns=list(COLUMNS))
    table.insert(0, "cloud_score_brightness", mean[:, [_BLUE, _GREEN, _RED]].mean(axis=1))
    return table


def _patch(row: Floats, seed: int) -> Floats:
    """(64, 64, 12) raw patch from (14, 6) statistics."""
    key = hashlib.sha256(row.astype("<f8").tobytes() + str(seed).encode()).digest()
    rng = np.random.default_rng(int.from_bytes(key[:16], "little"))
    marginals = design(row, TILE * TILE)
    below = ground(rng)
    fields = [*_optical(marginals, below, rng)]
    for first, side in ((_DESCENDING, 1.0), (_ASCENDING, -1.0)):
        fields += _radar(marginals[first : first + 4], side, below, rng)
    return np.stack(fields, axis=-1).reshape(TILE, TILE, 12)


def _optical(marginals: Floats, below: Ground, rng: np.random.Generator) -> list[Floats]:
    """Blue, green, red and near infrared, arranged so that the two indices come out right."""
    blur = rng.uniform(0.5, 0.9)
    fine = grain(rng, blur)
    weights = rng.dirichlet((1.0, 1.2, 1.0, 0.6, 0.1)) ** 0.5
    shared = (below.light, below.cover, below.bodies, fractal(rng, rng.uniform(2.2, 3.4)), fine)
    vigour = blend(*zip(weights.tolist(), shared, strict=True))
    soil = blend(
        (rng.uniform(0.2, 1), below.bodies),
        (rng.uniform(0, 0.8), below.cover),
        (rng.uniform(0, 0.8), below.fresh),
        (rng.uniform(0.2, 0.8), fractal(rng, rng.uniform(2.0, 3.4))),
        (rng.uniform(0.05, 0.2), grain(rng, blur)),
    )
    nir = _ranked(vigour, marginals[_NIR])
    blue = _tied(vigour, soil, nir, marginals[_BLUE], marginals[_NDVI], greener=True)
    # Visible bands share most of their pattern: what blue holds beyond near infrared.
    rest = blend((1.0, _scores(blue)), (0.25, soil), (0.1, grain(rng, blur)))
    green = _tied(vigour, rest, nir, marginals[_GREEN], marginals[_NDWI], greener=False)
    mixed = blend(
        (0.5, _scores(blue)), (0.7, _scores(green)), (0.2, bodies(rng)), (0.1, grain(rng, blur))
    )
    return [blue, green, _ranked(mixed, marginals[_RED]), nir]


def _tied(
    vigour: Floats, own: Floats, nir: Floats, marginal: Floats, index: Floats, *, greener: bool
) -> Floats:
    """A visible band whose index with near infrared comes near the wanted index values.

    First the share of the common pattern that gives the index its spread; then the index is
    moved onto its wanted values and the band back onto its own, in turn, keeping the best; last,
    pixels whose index lies outside the wanted range are swapped into it.
    """
    some = np.s_[::2, ::2]  # every fourth pixel is enough to choose the share
    few_nir, few = nir.reshape(TILE, TILE)[some].ravel(), marginal[2::4]

    def miss_of_spread(share: float) -> float:
        mixed = _mix(share, vigour[some], own[some], few)
        return float(abs(index_of(mixed, few_nir, greener).std() - index.std()))

    share = min(np.linspace(-0.98, 0.98, 15).tolist(), key=miss_of_spread)
    band = _mix(share, vigour, own, marginal)
    best, least = band, np.inf
    for _ in range(12):
        current = index_of(band, nir, greener)
        target = _ranked(current, index)
        miss = float(np.abs(current - target).mean())
        if miss < least:
            best, least = band, miss
        ratio = (1 - target) / np.maximum(1 + target, 1e-3)
        band = _ranked(nir * ratio if greener else nir / np.maximum(ratio, 1e-3), marginal)
    return hold_to_range(best, nir, index, greener)


def _mix(share: float, vigour: Floats, own: Floats, marginal: Floats) -> Floats:
    """Band values with a share of the common pattern, the rest its own."""
    return _ranked(share * vigour + np.sqrt(1 - share**2) * own, marginal)


def _radar(marginals: Floats, side: float, below: Ground, rng: np.random.Generator) -> list[Floats]:
    """VV and VH after the event, then their differences post − pre, of one orbit direction.

    Post and pre share what lasts; the lasting share κ = 1 − var(diff) / (2 var(post)) is the one
    that gives both the same variance.
    """
    blur = rng.uniform(0.65, 1.05)
    steep, rough = rng.uniform(0.2, 1.2), rng.uniform(0.3, 1.0)
    common = blend(
        (side * steep, below.facing),
        (rough, below.cover),
        (rng.uniform(-0.6, 0.6), below.bodies),
        (0.5, fractal(rng, rng.uniform(1, 2.5))),
        (0.5, grain(rng, blur)),
    )
    change = blend((1.0, below.fresh), (rng.uniform(0.2, 1.5), fractal(rng, rng.uniform(1.5, 3))))
    moved = float(np.exp(rng.uniform(-3.0, 0.2)))  # weight of true change beside speckle
    posts, differences = [], []
    for k in range(2):
        post, difference = marginals[k], marginals[2 + k]
        kept = 1 - difference.var() / (2 * max(float(post.var()), 1e-12))
        kept = float(np.clip(kept, 0.05, 0.98))
        lasting = blend((0.88, common), (0.35, fractal(rng, 1.5)), (0.3, grain(rng, blur)))
        after = blend((moved, change), (1.0, grain(rng, blur)))
        before = blend((-moved, change), (1.0, grain(rng, blur)))
        posts.append(_ranked(np.sqrt(kept) * lasting + np.sqrt(1 - kept) * after, post))
        differences.append(_ranked(after - before, difference))
    return [*posts, *differences]


def _ranked(field: Floats, marginal: Floats) -> Floats:
    """The values of the marginal in the order of the field, flat."""
    values = np.empty(marginal.size)
    values[np.argsort(field, axis=None)] = marginal
    return values


def _scores(band: Floats) -> Floats:
    """Ranks of a band as an even field (64, 64)."""
    return _ranked(band, np.linspace(-1.7, 1.7, band.size)).reshape(TILE, TILE)
