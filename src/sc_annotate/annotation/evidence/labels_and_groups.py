"""Groups of cells with one label, for which evidence is averaged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate.annotation.cell_groups import read_groups
from sc_annotate.errors import StorageError

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray


def label_codes(columns: Any, classes: NDArray[np.str_], key: str) -> NDArray[np.intp]:
    """The label of each cell as a code of `classes`; -1 for cells that no model labelled."""
    predicted = np.asarray(columns["model"].notna() & columns["label"].notna(), dtype=bool)
    if not predicted.any():
        raise StorageError(f"no cell of {key!r} was labelled by a model: all were pre-labelled.")
    labels = np.asarray(columns["label"].astype(str), dtype=str)
    place = np.minimum(np.searchsorted(classes, labels), len(classes) - 1)
    unknown = predicted & (classes[place] != labels)
    if unknown.any():
        raise StorageError(
            f"adata.obs[{key!r}] has the label {str(labels[unknown][0])!r}, which the model does not know: the column was changed. "
            "Annotate again, and keep other names in a column of their own."
        )
    return np.where(predicted, place, -1)


def group_numbers(
    adata: AnnData, code: NDArray[np.intp], classes: NDArray[np.str_], groupby: str | None
) -> tuple[NDArray[np.intp], list[str], list[str]]:
    """A number for each combination of group and label that occurs (-1: no prediction), and the names of both."""
    names, number = np.array([""]), np.zeros(len(code), dtype=np.intp)
    if groupby is not None:
        found = read_groups(adata, groupby)
        names, number = found.names, found.code.astype(np.intp)
    both = np.where(code >= 0, number * len(classes) + code, -1)
    occur = np.unique(both[both >= 0])
    types = classes[occur % len(classes)].tolist()
    groups = types if groupby is None else names[occur // len(classes)].tolist()
    return np.where(both >= 0, np.searchsorted(occur, both), -1), groups, types


def sample(pair: NDArray[np.intp], most: int | None, rng: int) -> NDArray[np.intp]:
    """-1 for all but `most` cells of each group."""
    if most is None:
        return pair
    order = np.random.default_rng(rng).permutation(len(pair))
    order = order[np.argsort(pair[order], kind="stable")]
    sizes = np.unique(pair, return_counts=True)[1]
    place = np.arange(len(pair)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    out = pair.copy()
    out[order[place >= most]] = -1
    return out
