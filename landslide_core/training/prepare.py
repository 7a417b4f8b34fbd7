"""Raw patches -> a folder of model inputs and filter features; resumable, and whole or unread.

    inputs.npy        (N, 13, 64, 64) float32, normalised model inputs
    features.parquet  ID, label, cloud_fraction, valid_fraction and the filter features
    prepared.json     what it was made from; written last, so that without it nothing is read

While it is under way, state.json says which chunks are done and rows.npy keeps their features.
"""

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from landslide_core.bands import CHANNELS, TILE
from landslide_core.errors import DatasetError, NoSpace
from landslide_core.features import filter_feature_names, filter_features, table_features
from landslide_core.preprocess import CLOUD_RED, cloud_by_brightness, model_input
from landslide_core.progress import Progress
from landslide_core.readers.patches import list_patches, one_line, read_patches
from landslide_core.training.dataset import PatchSet, labels_of

Floats = NDArray[np.float32]

_FORMAT: Final = 1
_CHUNK: Final = 64  # patches between two records of how far it came
_INPUTS, _FEATURES, _PREPARED = "inputs.npy", "features.parquet", "prepared.json"
_ROWS, _STATE = "rows.npy", "state.json"
_SHARES: Final = ("cloud_fraction", "valid_fraction")  # in rows.npy, before the features


@dataclass(frozen=True)
class PrepareInputs:
    """Where the data lie."""

    patches: Path  # a folder of ID.npy, raw as the challenge has them
    labels: Path  # CSV with ID and label


@dataclass(frozen=True)
class Prepared:
    """What a preparation holds."""

    patches: int
    positives: int
    fresh: bool  # whether anything was left to do


@dataclass(frozen=True)
class _Source:
    """What is to be prepared, checked."""

    paths: list[Path]
    labels: NDArray[np.int_]

    @property
    def ids(self) -> list[str]:
        return [path.stem for path in self.paths]


def prepare(inputs: PrepareInputs, out: Path, progress: Progress | None = None) -> Prepared:
    """Prepare patches into `out`, or go on where a cut preparation stopped.

    Raises BadPatch, MissingLabels, NoSpace, and DatasetError where inputs do not fit together or
    `out` holds something else.
    """
    paths = list_patches(inputs.patches)
    digest = _digest(paths, inputs)
    done = _chunks_done(out, digest)
    if done is None:
        _tidy(out)
        return _summary(_read_json(out / _PREPARED), fresh=False)
    source = _source(paths, inputs)
    _check_space(out, len(paths) - done * _CHUNK)
    out.mkdir(parents=True, exist_ok=True)
    _write_json(out / _STATE, {"digest": digest, "chunks": done})
    names = filter_feature_names()
    shapes = {
        _INPUTS: (len(paths), len(CHANNELS), TILE, TILE),
        _ROWS: (len(paths), len(_SHARES) + len(names)),
    }
    model_inputs, rows = (_open(out / name, shape, done > 0) for name, shape in shapes.items())
    for chunk in range(done, -(-len(paths) // _CHUNK)):
        part = slice(chunk * _CHUNK, min((chunk + 1) * _CHUNK, len(paths)))
        model_inputs[part], rows[part] = _chunk(source, part)
        model_inputs.flush()
        rows.flush()
        _write_json(out / _STATE, {"digest": digest, "chunks": chunk + 1})
        if progress:
            progress("prepare", part.stop, len(paths))
    _finish(out, source, rows, digest)
    return _summary(_read_json(out / _PREPARED), fresh=True)


def load_prepared(folder: Path) -> PatchSet:
    """Read a finished preparation; its inputs stay on disk, as a read-only memory map.

    Raises DatasetError where the folder is not one, or one of another version.
    """
    said = _read_json(folder / _PREPARED)
    if said.get("format") != _FORMAT or said.get("normalisation") != _normalisation():
        raise DatasetError(
            f"{folder} was prepared by another version; format {_FORMAT} and today's normalisation "
            f"are needed. {_again(folder)}"
        )
    try:
        inputs = np.load(folder / _INPUTS, mmap_mode="r", allow_pickle=False)
        table = pd.read_parquet(folder / _FEATURES)
        features = table[list(filter_feature_names())].astype(np.float32)
        ids, labels = tuple(table["ID"]), table["label"].to_numpy(np.int_)
    except (OSError, ValueError, KeyError) as error:
        raise _unfinished(folder, one_line(error)) from error
    if inputs.shape != (len(ids), len(CHANNELS), TILE, TILE) or list(ids) != said.get("ids"):
        raise _unfinished(folder, f"{_INPUTS}, {_FEATURES} and {_PREPARED} disagree")
    return PatchSet(ids, inputs, features, labels)


def is_prepared(folder: Path) -> bool:
    """Whether a folder is a finished preparation."""
    return (folder / _PREPARED).is_file()


def _source(paths: list[Path], inputs: PrepareInputs) -> _Source:
    ids = [path.stem for path in paths]
    labels = labels_of(ids, inputs.labels)
    return _Source(paths, labels)


def _chunk(source: _Source, part: slice) -> tuple[Floats, Floats]:
    """Model inputs (n, 13, 64, 64) and rows (n, 2 + features) of some patches."""
    pixels = read_patches(source.paths[part])
    cloud = cloud_by_brightness(pixels)
    features = filter_features(table_features(pixels))
    seen = np.isfinite(pixels).all(axis=1)  # in every band
    shares = [flags.mean(axis=(1, 2)) for flags in (cloud, seen)]
    rows = np.column_stack([*shares, features.to_numpy(np.float32)]).astype(np.float32)
    return model_input(pixels, cloud), rows


def _finish(out: Path, source: _Source, rows: Floats, digest: str) -> None:
    columns = [*_SHARES, *filter_feature_names()]
    table = pd.DataFrame(np.array(rows), columns=columns)
    table.insert(0, "label", source.labels)
    table.insert(0, "ID", source.ids)
    table.to_parquet(out / _FEATURES, index=False)
    said = {
        "format": _FORMAT,
        "ids": source.ids,
        "positives": int(source.labels.sum()),
        "normalisation": _normalisation(),
        "digest": digest,
        "finished": True,
    }
    _write_json(out / _PREPARED, said)
    _tidy(out)


def _normalisation() -> dict[str, Any]:
    """What the model inputs depend on beside the pixels."""
    channels = [[channel.name, channel.mean, channel.std] for channel in CHANNELS]
    return {"channels": channels, "cloud_red": CLOUD_RED}


def _digest(paths: list[Path], inputs: PrepareInputs) -> str:
    """Hash of the patches' names, sizes and times of change, and of the labels."""
    digest = hashlib.sha256(json.dumps([_FORMAT, _normalisation()]).encode())
    for path in paths:
        stat = path.stat()
        digest.update(f"{path.name}\n{stat.st_size}\n{stat.st_mtime_ns}\n".encode())
    # A table that is not there is refused, in its own words, when it is read.
    digest.update(inputs.labels.read_bytes() if inputs.labels.is_file() else b"none")
    return digest.hexdigest()


def _chunks_done(out: Path, digest: str) -> int | None:
    """Chunks of this source that `out` holds, None once it is finished.

    Raises DatasetError where `out` holds something else.
    """
    if out.is_dir() and {path.name for path in out.iterdir()} <= {f"{_STATE}.part"}:
        return 0
    for name in (_PREPARED, _STATE):
        if (out / name).is_file():
            said = _read_json(out / name)
            if said.get("digest") != digest:
                raise DatasetError(
                    f"{out} holds patches prepared from other files, or from these before they "
                    "changed; one folder holds one preparation. Choose another --out or remove it."
                )
            return None if name == _PREPARED else int(said["chunks"])
    if out.exists():
        raise DatasetError(
            f"{out} is neither an empty folder nor a preparation that was cut; one of them is "
            "needed. Choose another --out."
        )
    return 0


def _check_space(out: Path, patches: int) -> None:
    """Raise NoSpace where the patches still to come do not fit: a memory map would crash on it."""
    there = next(folder for folder in (out, *out.absolute().parents) if folder.is_dir())
    columns = len(_SHARES) + len(filter_feature_names())
    needed = patches * 4 * (len(CHANNELS) * TILE * TILE + 2 * columns)  # rows.npy and the parquet
    free = shutil.disk_usage(there).free
    if free < needed:
        raise NoSpace(
            f"{out} has {free / 1e9:.1f} GB free; the prepared patches need {needed / 1e9:.1f} GB. "
            "Free some or choose another disk."
        )


def _open(path: Path, shape: tuple[int, ...], resumed: bool) -> "np.memmap[Any, Any]":
    """A float32 file of the shape as a writable memory map."""
    if not resumed:
        return open_memmap(path, "w+", np.float32, shape)
    try:
        found = open_memmap(path, "r+")
    except (OSError, ValueError) as error:
        raise _unfinished(path.parent, one_line(error)) from error
    if found.shape != shape or found.dtype != np.float32:
        raise _unfinished(path.parent, f"{path.name} has shape {found.shape}")
    return found


def _tidy(out: Path) -> None:
    """Remove what only an unfinished preparation needs."""
    for name in (_ROWS, _STATE):
        (out / name).unlink(missing_ok=True)


def _summary(said: dict[str, Any], fresh: bool) -> Prepared:
    return Prepared(len(said["ids"]), said["positives"], fresh)


def _write_json(path: Path, said: dict[str, Any]) -> None:
    """Write at once: a reader sees the old file or the new one, never half of it."""
    beside = path.with_name(f"{path.name}.part")
    beside.write_text(json.dumps(said))
    beside.replace(path)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        said = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise _unfinished(path.parent, one_line(error)) from error
    return said if isinstance(said, dict) else {}


def _unfinished(folder: Path, found: str) -> DatasetError:
    return DatasetError(
        f"{folder} is no finished preparation ({found}); one is needed. {_again(folder)}"
    )


def _again(folder: Path) -> str:
    return f"Run `landslide prepare PATCHES --labels CSV --out {folder}`, into an empty folder."
