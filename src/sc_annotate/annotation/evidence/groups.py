"""Which cells are looked at together, and for which call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._data.columns import check_column
from sc_annotate.errors import InputError, StorageError

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray


def call_codes(calls: Any, classes: NDArray[np.str_], key: str) -> NDArray[np.intp]:
    """The call of each cell as a number of a type; -1 for cells that no model named."""
    named = np.asarray(calls["model"].notna() & calls["label"].notna(), dtype=bool)
    if not named.any():
        raise StorageError(f"no cell of {key!r} was named by a model: all labels were given.")
    labels = np.asarray(calls["label"].astype(str), dtype=str)
    place = np.minimum(np.searchsorted(classes, labels), len(classes) - 1)
    unknown = named & (classes[place] != labels)
    if unknown.any():
        raise StorageError(
            f"adata.obs[{key!r}] calls cells {str(labels[unknown][0])!r}, which the model does not know: the column was changed. "
            "Annotate again, and keep other names in a column of their own."
        )
    return np.where(named, place, -1)


def group_numbers(
    adata: AnnData, code: NDArray[np.intp], classes: NDArray[np.str_], groupby: str | None
) -> tuple[NDArray[np.intp], list[str], list[str]]:
    """A number for each combination of group and call that occurs (-1: not named), and the names of both."""
    names, number = np.array([""]), np.zeros(len(code), dtype=np.intp)
    if groupby is not None:
        column = check_column(adata, groupby, argument="groupby")
        if column.isna().any():
            raise InputError(f"adata.obs[{groupby!r}] (groupby) is missing for {int(column.isna().sum())} cells.")
        names, number = np.unique(np.asarray(column.astype(str), dtype=str), return_inverse=True)
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
