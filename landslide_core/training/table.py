"""The filter features of labelled patches as their rows of band statistics have them."""

from pathlib import Path

import numpy as np
import pandas as pd

from landslide_core.errors import DatasetError
from landslide_core.features import features_from_table, filter_features
from landslide_core.training.dataset import PatchSet
from landslide_core.training.surrogate import read_table


def features_of_table(path: Path, patches: PatchSet) -> pd.DataFrame:
    """Filter features (N, 136) of patches, from the table they were made from.

    Where pixels are surrogates the table is the real thing: stage 1 is fitted on it. Raises
    DatasetError where a patch has no row, or another label there.
    """
    table = read_table(path).set_index("ID")
    absent = [name for name in patches.ids if name not in table.index]
    if absent:
        raise DatasetError(
            f"{len(absent)} patches have no row in {path} (first: {absent[0]}); every patch needs "
            "its row of band statistics. Use the table the patches were made from."
        )
    table = table.loc[list(patches.ids)].reset_index(drop=True)
    if "label" in table and (wrong := np.flatnonzero(table["label"] != patches.labels)).size:
        raise DatasetError(
            f"{path} and the patches disagree on {wrong.size} labels (first: "
            f"{patches.ids[wrong[0]]}). Use the labels that belong to the table."
        )
    return filter_features(features_from_table(table))
