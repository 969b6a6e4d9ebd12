"""What an encoder is worth beside principal components of the same cells: neighbours' labels, spread, rank."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.codec import table
from sc_annotate.evaluation import interval, leave_one_group_out, paired_difference, stratified
from sc_annotate.metrics import effective_rank

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

N_NEIGHBORS = 11
N_FOLDS = 5
SCORES = ("macro_f1", "macro_f1_low", "macro_f1_high", "difference", "difference_low", "difference_high")
COLLAPSED = 2.0
"""An effective rank below this: all cells lie on about a line, so that the embedding has collapsed."""
_SAMPLE = 5_000


def spread(Z: NDArray[np.float32], rng: int) -> dict[str, float]:
    """Effective rank, and the mean standard deviation of the coordinates relative to their mean length."""
    rows = np.sort(np.random.default_rng(rng).permutation(len(Z))[:_SAMPLE])
    some = Z[rows].astype(np.float64)
    length = float(np.sqrt(np.square(some).sum(axis=1)).mean())
    return {"rank": effective_rank(some), "sd": float(some.std(axis=0).mean() / length) if length > 0 else 0.0}


def folds(y: NDArray[np.str_], batch: NDArray[np.str_] | None, rng: int) -> tuple[list[Any], str]:
    """Whole batches in turn, where there are any; else five folds; and in words."""
    if batch is not None and len(np.unique(batch)) > 1:
        splits = leave_one_group_out(batch)
        return splits, f"each of {len(splits)} batches in turn, labelled by the others"
    return stratified(y, N_FOLDS, rng=rng), f"{N_FOLDS} folds, stratified by type"


def neighbours_labels(Z: NDArray[np.float32], y: NDArray[np.str_], splits: list[Any]) -> NDArray[np.str_]:
    """The label of each cell by its 11 nearest neighbours (Euclidean) among the cells that are not held out with it."""
    from sklearn.neighbors import KNeighborsClassifier

    found = np.full(len(y), "", dtype=y.dtype)
    for split in splits:
        k = min(N_NEIGHBORS, len(split.train))
        model = KNeighborsClassifier(k).fit(Z[split.train], y[split.train])
        found[split.test] = model.predict(Z[split.test])
    return found


def compare(
    embeddings: dict[str, NDArray[np.float32]],
    labels: NDArray[np.str_] | None,
    batch: NDArray[np.str_] | None,
    rng: int,
) -> tuple[pd.DataFrame, str]:
    """One row an encoder, the last one being the baseline, and how it was scored, in words.

    Without labels, only the spread of the coordinates is known. With them macro-F1 of labels by neighbours, with intervals over cells
    (whole batches, where there are three or more), and the paired difference to the baseline.
    """
    unknown = dict.fromkeys(SCORES, float("nan"))
    rows: list[dict[str, Any]] = [{"encoder": name} | spread(Z, rng) | unknown for name, Z in embeddings.items()]
    if labels is None:
        return table(rows), "no labels were named, so that nothing is known of the types"
    known = np.flatnonzero(labels != "")
    y, of = labels[known], None if batch is None else batch[known]
    if len(np.unique(y)) < 2 or len(known) < 2 * N_FOLDS:
        return table(rows), f"{len(known)} cells with a label are too few to compare"
    splits, words = folds(y, of, rng)
    groups = of if of is not None and len(np.unique(of)) > 2 else None
    found = {name: neighbours_labels(Z[known], y, splits) for name, Z in embeddings.items()}
    baseline = list(found)[-1]
    for row in rows:
        own = found[row["encoder"]]
        score = interval(y, own, groups=groups, rng=rng)
        gap = paired_difference(y, own, found[baseline], groups=groups, rng=rng)
        row |= {"macro_f1": score.estimate, "macro_f1_low": score.low, "macro_f1_high": score.high}
        row |= {"difference": gap.estimate, "difference_low": gap.low, "difference_high": gap.high}
    return table(rows), f"labels of {N_NEIGHBORS} neighbours; {words}"


def verdict(scores: pd.DataFrame, objective: str) -> str:
    """Whether it helped over principal components, in words."""
    first = scores.iloc[0]
    if first["rank"] < COLLAPSED:
        return (
            f"{objective} has collapsed: its coordinates have an effective rank of {first['rank']:.1f}, so that most cells "
            "are alike. Train longer, or choose another objective or augmentation"
        )
    if np.isnan(first["difference"]):
        return f"whether {objective} is better than principal components is not known: name a column of labels (labels_key)"
    low, high = first["difference_low"], first["difference_high"]
    gap = f"macro-F1 {first['difference']:+.3f} [{low:+.3f}, {high:+.3f}]"
    if low > 0:
        return f"{objective} is better than principal components: {gap}"
    if high < 0:
        return f"{objective} is worse than principal components: {gap}"
    return f"{objective} is no better than principal components: {gap}"
