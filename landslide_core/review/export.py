"""A review in files: the tile table with what people said, their outlines, labels to train on."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from errno import EDQUOT, ENOSPC
from pathlib import Path
from typing import Final

import geopandas
import numpy as np
import pandas as pd
import pyogrio
from numpy.typing import NDArray
from pyogrio.errors import DataSourceError

from landslide_core.bands import ADDED, INDEX, OPTICAL, STORED
from landslide_core.errors import CannotWrite, DatasetError, NoSpace, RunDamaged
from landslide_core.folder import Run, check_inputs, refuse_existing
from landslide_core.outputs import UNDATED, style_tiles
from landslide_core.pixels import Floats
from landslide_core.plan import tiling_of
from landslide_core.progress import Progress
from landslide_core.readers.inputs import open_scene
from landslide_core.readers.patches import to_bands
from landslide_core.review.journal import JOURNAL
from landslide_core.review.review import Review

PACKAGE: Final = "review.gpkg"
TABLE: Final = "review.csv"
PATCHES: Final = "patches"
TRAIN: Final = "Train.csv"
_LABEL: Final = {"stable": 0, "landslide": 1}
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")  # begin what a spreadsheet would compute


@dataclass(frozen=True)
class Exported:
    """What an export holds, and how many labelled tiles it has no patch of."""

    tiles: int
    labelled: int
    outlines: int
    patches: int = 0
    positives: int = 0
    left_out_unsure: int = 0
    left_out_missing: int = 0  # a pixel without a number in some band, which no patch can hold


def export_review(
    review: Review, out: Path, patches: bool = False, progress: Progress | None = None
) -> Exported:
    """Write a review into a new folder, whole or not at all.

    review.gpkg has the layers "tiles" and "outlines", review.csv the tiles; with `patches` there
    are patches/ID.npy and Train.csv, which `landslide prepare` takes. Raises RunBusy where `out`
    is there, SceneError or RunDamaged where the run's inputs moved or changed, DatasetError where
    no tile makes a patch, CannotWrite, NoSpace.
    """
    refuse_existing(out)
    state = review.state()
    table, outlines = reviewed_tiles(review.run, state), outlines_of(state)
    labelled = int(state["label"].notna().sum())
    told = Exported(len(table), labelled, len(outlines))
    with _whole(out) as making:
        write_package(making / PACKAGE, table, outlines)
        plain_text(table.drop(columns="geometry")).to_csv(making / TABLE, index=False)
        if patches:
            told = _write_patches(review, state["label"], making, told, progress)
    return told


def state_of(run: Run) -> pd.DataFrame | None:
    """What people say of a run's tiles; None where nobody has begun to. Raises RunDamaged."""
    return Review.of(run).state() if (run.folder / JOURNAL).is_file() else None


def reviewed_tiles(run: Run, state: pd.DataFrame) -> geopandas.GeoDataFrame:
    """The run's tile table with the review's columns, in EPSG:4326.

    `corrected` is the reviewer's label, "uncertain" where that is unsure, else the verdict.
    """
    corrected = state["label"].replace("unsure", "uncertain").fillna(state["verdict"])
    columns = {
        "corrected": corrected,
        "review_label": state["label"],
        "reviewed_by": state["reviewer"],
        "reviewed_at": state["when"],
        "review_comment": state["comment"],
        "has_outline": state["outline"].notna(),
    }
    return run.tiles.assign(**{name: values.to_numpy() for name, values in columns.items()})


def outlines_of(state: pd.DataFrame) -> geopandas.GeoDataFrame:
    """One row an outline that was drawn, in EPSG:4326: who drew it, what its tile is called.

    `outlined_as` is the drawer's own last label of the tile, none where they gave none;
    `review_label` is the label that counts, which may be somebody else's, `reviewed_by`.
    """
    drawn = state[state["outline"].notna()]
    columns = {
        "tile_id": drawn.index.to_numpy(),
        "outlined_by": drawn["outlined_by"].to_numpy(),
        "outlined_as": drawn["outlined_as"].to_numpy(),
        "outlined_at": drawn["outlined_at"].to_numpy(),
        "review_label": drawn["label"].to_numpy(),
        "reviewed_by": drawn["reviewer"].to_numpy(),
        "reviewed_at": drawn["when"].to_numpy(),
        "review_comment": drawn["comment"].to_numpy(),
    }
    return geopandas.GeoDataFrame(columns, geometry=list(drawn["outline"]), crs="EPSG:4326")


def stored_patch(bands: Floats) -> NDArray[np.float64]:
    """Bands (12, 64, 64) in a scene's units as the challenge stores them, (64, 64, 12).

    As float64, in which offset and difference lose nothing: reading gives the same bits back.
    """
    exact = bands.astype(np.float64)
    stored = []
    for name in STORED:
        if name in OPTICAL:
            stored.append(exact[INDEX[name]] + ADDED)
        elif name.endswith("_diff"):
            stem = name.removesuffix("_diff")
            stored.append(exact[INDEX[f"{stem}_post"]] - exact[INDEX[f"{stem}_pre"]])
        else:
            stored.append(exact[INDEX[name]])
    return np.stack(stored, axis=-1)


def _write_patches(
    review: Review,
    labels: pd.Series,
    folder: Path,
    told: Exported,
    progress: Progress | None,
) -> Exported:
    """Cut labelled tiles from the run's scene into patches with their labels."""
    run, sure = review.run, labels[labels.isin(list(_LABEL))]
    check_inputs(run)
    scene = open_scene(run.inputs())
    if scene.grid != run.grid():
        raise RunDamaged(
            f"The inputs of {run.folder} make another grid than when it was made. Put the old "
            "files back, or run the detection again."
        )
    (folder / PATCHES).mkdir()
    tiling, rows = tiling_of(run.meta), []
    for done, (tile, label) in enumerate(sure.items(), 1):
        bands = scene.read(tiling.window(*divmod(int(tile), tiling.cols)))
        patch = stored_patch(bands)
        # NaN equals nothing; and an optical 0 would be read as NaN, though the scene has a number.
        if np.array_equal(to_bands(patch), bands):
            name = f"{review.journal.run[:12]}_{tile:06d}"
            np.save(folder / PATCHES / f"{name}.npy", patch, allow_pickle=False)
            rows.append((name, _LABEL[label]))
        if progress:
            progress("patches", done, len(sure))
    if not rows:
        raise DatasetError(
            f"{run.folder} has {len(sure)} tiles labelled landslide or stable, none with every "
            "band in every pixel; one is needed for patches. Label more, or leave out --patches."
        )
    pd.DataFrame(rows, columns=["ID", "label"]).to_csv(folder / TRAIN, index=False)
    return Exported(
        told.tiles,
        told.labelled,
        told.outlines,
        patches=len(rows),
        positives=sum(label for _, label in rows),
        left_out_unsure=told.labelled - len(sure),
        left_out_missing=len(sure) - len(rows),
    )


def write_package(
    path: Path, tiles: geopandas.GeoDataFrame, outlines: geopandas.GeoDataFrame | None
) -> None:
    """Write a GeoPackage with the layers "tiles" and "outlines", if any are given."""
    # The package notes when it was written; the same review shall be the same bytes.
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": UNDATED})
    try:
        for layer, table in (("tiles", tiles), ("outlines", outlines)):
            if table is None:
                continue
            # Tiles across 180° and outlines may be in parts: one type for all, also where empty.
            kind = {"geometry_type": "MultiPolygon", "promote_to_multi": True}
            table.to_file(path, layer=layer, driver="GPKG", **kind)
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": None})
    style_tiles(path, "corrected" if "corrected" in tiles else "verdict")


def plain_text(table: pd.DataFrame) -> pd.DataFrame:
    """A table whose words of reviewers no spreadsheet takes for formulas."""
    texts = [name for name in ("reviewed_by", "review_comment") if name in table]
    return table.assign(**{name: table[name].map(_no_formula) for name in texts})


def _no_formula(text: str | None) -> str | None:
    """A reviewer's words so that a spreadsheet shows them instead of computing them."""
    return f"'{text}" if isinstance(text, str) and text.startswith(_FORMULA) else text


@contextmanager
def _whole(out: Path) -> Iterator[Path]:
    """A folder that becomes `out` once all of it is written. Raises CannotWrite, NoSpace."""
    making = out.absolute().with_name(f".{out.name}.partial-{os.getpid()}")
    try:
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir(parents=True)
        yield making
        with suppress(FileNotFoundError):
            out.rmdir()  # an empty one was allowed
        making.replace(out)
    except (OSError, DataSourceError) as error:
        number, why = getattr(error, "errno", None), getattr(error, "strerror", None) or error
        if number in (ENOSPC, EDQUOT):
            raise NoSpace(f"The disk filled up while writing {out}. Free some space.") from error
        raise CannotWrite(f"{out} cannot be written ({why}). Choose another --out.") from error
    finally:
        shutil.rmtree(making, ignore_errors=True)
