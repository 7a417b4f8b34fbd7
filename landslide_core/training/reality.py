"""How far made tiles are from real ones, in the space of the filter's features.

Two questions: does what is learnt on the one hold on the other (`transfer`), and can trees tell
the two apart (`two_sample`; Lopez-Paz and Oquab 2017: 0.5 is as good as real). Row i of a real
and a made table is one patch in two forms, and always lies on one side of a fold.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
import xgboost
from numpy.typing import NDArray
from sklearn.metrics import f1_score, roc_auc_score
from sklearn.model_selection import GroupKFold, StratifiedKFold

from landslide_core.features import DN_INDICES, TABLE_LAYERS, TABLE_STATISTICS
from landslide_core.training.metrics import f1_threshold, rank_scores

Labels = NDArray[np.int_]
Floats = NDArray[np.float64]

_FOLDS: Final = 5
_INNER_FOLDS: Final = 3
_ROUNDS: Final = 200
_TELLING: Final = 5
_LEAST: Final = 1e-3  # of a spread, in the layer's unit, so that flat layers divide nothing by 0


@dataclass(frozen=True)
class TwoSample:
    """How well trees tell made tiles from real ones, and by what."""

    auc: float  # 0.5 = not at all
    telling: dict[str, float]  # the five features with the most gain -> share of all gain


def promised(features: pd.DataFrame) -> list[str]:
    """Features a surrogate copies from its row: all but the two indices, which it only nears."""
    return [name for name in features.columns if not name.startswith(DN_INDICES)]


def distance(real: pd.DataFrame, made: pd.DataFrame, labels: Labels, seed: int) -> dict[str, float]:
    """Figures of `transfer`, and the AUC of `two_sample` on all features and the promised ones."""
    kept = promised(real)
    return {
        **transfer(real, made, labels, seed),
        "two_sample_auc": two_sample(real, made, seed).auc,
        "two_sample_auc_promised": two_sample(real[kept], made[kept], seed).auc,
    }


def transfer(real: pd.DataFrame, made: pd.DataFrame, labels: Labels, seed: int) -> dict[str, float]:
    """AUC, average precision and F1 of "trained on → tested on", by cross-validation over rows.

    Keys "made_to_real_auc" and so on; "real_to_real" is the yardstick. F1 is at the threshold
    that is best on inner out-of-fold scores of the training part, in the form trained on.
    """
    forms = {"real": _matrix(real), "made": _matrix(made)}
    ways = (("made", "real"), ("real", "made"), ("real", "real"))
    scores = {way: np.zeros(len(labels)) for way in ways}
    says = {way: np.zeros(len(labels), bool) for way in ways}
    outer = StratifiedKFold(_FOLDS, shuffle=True, random_state=seed)
    for fitted, held in outer.split(labels, labels):
        for form, rows in forms.items():
            threshold = _inner_threshold(rows[fitted], labels[fitted], seed)
            booster = _fit(rows[fitted], labels[fitted], seed)
            for way in ways:
                if way[0] == form:
                    scores[way][held] = booster.inplace_predict(forms[way[1]][held])
                    says[way][held] = scores[way][held] >= threshold
    figures: dict[str, float] = {}
    for (trained, tested), score in scores.items():
        found = {
            **rank_scores(labels, score),
            "f1": float(f1_score(labels, says[trained, tested], zero_division=0.0)),
        }
        figures |= {f"{trained}_to_{tested}_{name}": value for name, value in found.items()}
    return figures


def two_sample(real: pd.DataFrame, made: pd.DataFrame, seed: int, paired: bool = True) -> TwoSample:
    """Whether trees tell made rows from real ones, by cross-validation over rows.

    `paired`: row i of both is one patch and stays in one fold. Without, the tables are unrelated
    and may differ in length.
    """
    rows = np.concatenate([_matrix(real), _matrix(made)])
    is_made = np.repeat((0, 1), (len(real), len(made)))
    ids = np.arange(len(rows)) % len(real) if paired else np.arange(len(rows))
    scores, gains = np.zeros(len(rows)), np.zeros(rows.shape[1])
    if paired:
        folds = GroupKFold(_FOLDS, shuffle=True, random_state=seed).split(rows, is_made, ids)
    else:
        folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=seed).split(rows, is_made)
    for fitted, held in folds:
        booster = _fit(rows[fitted], is_made[fitted], seed)
        scores[held] = booster.inplace_predict(rows[held])
        for name, gain in booster.get_score(importance_type="total_gain").items():
            gains[int(name.removeprefix("f"))] += gain
    most = np.argsort(-gains)[:_TELLING]
    share = gains / max(gains.sum(), 1e-12)
    telling = {str(real.columns[i]): float(share[i]) for i in most}
    return TwoSample(float(roc_auc_score(is_made, scores)), telling)


def errors(real: pd.DataFrame, made: pd.DataFrame) -> pd.DataFrame:
    """How far each statistic of made tiles is off: median, 95th percentile, worst and where.

    Mean, minimum and maximum in standard deviations of the real patch's layer, the standard
    deviation relative to itself, skewness and kurtosis as they are. One row for bands and one
    for indices per statistic; what either side does not know is left out.
    """
    found = []
    layers = list(TABLE_LAYERS)
    groups = {"bands": [n for n in layers if n not in DN_INDICES], "indices": list(DN_INDICES)}
    for group, names in groups.items():
        spread = np.maximum(_columns(real, names, "std"), _LEAST)
        for statistic in TABLE_STATISTICS:
            off = np.abs(_columns(made, names, statistic) - _columns(real, names, statistic))
            if statistic not in ("skew", "kurt"):
                off /= spread
            row, column = np.unravel_index(np.nanargmax(off), off.shape)
            found.append(
                {
                    "group": group,
                    "statistic": statistic,
                    "median": float(np.nanmedian(off)),
                    "q95": float(np.nanquantile(off, 0.95)),
                    "worst": float(off[row, column]),
                    "worst_layer": names[int(column)],
                    "worst_row": int(row),
                }
            )
    return pd.DataFrame(found).set_index(["group", "statistic"])


def _columns(features: pd.DataFrame, layers: list[str], statistic: str) -> Floats:
    columns = [f"{name}_{statistic}" for name in layers]
    return np.asarray(features[columns], np.float64)


def _matrix(features: pd.DataFrame) -> NDArray[np.float32]:
    return np.asarray(features, np.float32)


def _inner_threshold(rows: NDArray[np.float32], labels: Labels, seed: int) -> float:
    """The threshold of greatest F1 on out-of-fold scores of the rows."""
    scores = np.zeros(len(labels))
    folds = StratifiedKFold(_INNER_FOLDS, shuffle=True, random_state=seed)
    for fitted, held in folds.split(rows, labels):
        scores[held] = _fit(rows[fitted], labels[fitted], seed).inplace_predict(rows[held])
    return f1_threshold(labels, scores)


def _fit(rows: NDArray[np.float32], labels: Labels, seed: int) -> xgboost.Booster:
    """Trees like the filter's, without its blanked copies and with fewer, larger steps."""
    settings = {
        "objective": "binary:logistic",
        "learning_rate": 0.1,
        "max_depth": 5,
        "min_child_weight": 2,
        "subsample": 0.7,
        "colsample_bytree": 0.25,
        "tree_method": "hist",
        "nthread": 1,
        "seed": seed,
    }
    return xgboost.train(settings, xgboost.DMatrix(rows, labels), _ROUNDS)
