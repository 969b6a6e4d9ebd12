"""What a training needs of its cells beforehand, in memory or block by block: moments, weights, cells held out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate.annotators import statistics
from sc_annotate.annotators._moments import as_dense, class_weights, common_factor, inverse_of_sd, mean_and_factor
from sc_annotate.errors import GeneError, InputError, LabelError, MatrixError, MethodError
from sc_annotate.neural.batches import ArrayBlocks

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from sc_annotate.neural.batches import Cells


def checked_blocks(blocks: Cells, classes: ArrayLike, genes: ArrayLike, batch: NDArray[Any] | None) -> NDArray[np.str_]:
    """Names of the types, if all that is known without reading the cells fits together."""
    names = np.asarray(classes).astype(str)
    codes, n_genes = np.asarray(blocks.codes), len(np.asarray(genes))
    if n_genes != blocks.n_genes:
        raise GeneError(
            f"genes has {n_genes} names and the blocks have {blocks.n_genes} columns. Hand in one name a column."
        )
    if n_genes == 0:
        raise GeneError("the blocks have no genes. Select at least one.")
    if names.ndim != 1 or len(names) < 2:
        raise LabelError("classes needs at least 2 types.")
    present = np.unique(codes)
    if codes.dtype.kind not in "iu" or present.tolist() != list(range(len(names))):
        raise LabelError(f"codes of the blocks must be whole numbers from 0 to {len(names) - 1}, each of which occurs.")
    if batch is not None and len(batch) != len(codes):
        raise InputError(f"batch has {len(batch)} entries and there are {len(codes)} cells. Hand in one batch a cell.")
    return names


def check_devices(devices: int, cells: Cells) -> None:
    """Several processes are sent the cells, which an open file cannot be."""
    if devices > 1 and not isinstance(cells, ArrayBlocks):
        raise MethodError(
            f"devices={devices} trains on cells in memory, and these are read block by block. Leave out devices, or set "
            "max_cells to as many cells as memory holds."
        )


def scale_of(cells: Cells, scaling: str, floor: float, n_types: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean of each column and what it is multiplied by, as ``mean_and_factor`` of the whole matrix, in one or two passes."""
    if isinstance(cells, ArrayBlocks):
        return mean_and_factor(cells.X, scaling, floor)
    found = statistics.Statistics.empty(n_types, cells.n_genes)
    for X, codes in cells.in_order():
        found.update(X, codes)
    if not np.isfinite(found.squares).all():
        raise MatrixError(
            "the blocks have NaN or infinite values. Remove those cells or genes, or put numbers in their place."
        )
    mean, sd = statistics.mean_and_sd(found)
    if scaling != "common":
        return mean, inverse_of_sd(sd, floor)
    squares = np.zeros(cells.n_genes)
    for X, _ in cells.in_order():
        squares += np.square(as_dense(X) - mean).sum(axis=0)
    return mean, common_factor(mean, np.sqrt(squares / cells.n_cells))


def loss_weights(codes: NDArray[np.intp], how: str | None, n_types: int) -> NDArray[np.float64]:
    """Weight of each type in the loss, mean 1 over the cells."""
    weights = np.ones(n_types)
    if (chosen := class_weights(codes, how)) is not None:
        present = np.bincount(codes, minlength=n_types) > 0
        weights[: len(chosen)] = list(chosen.values())
        # A type all of whose cells are held out for stopping is not in the loss.
        weights[~present] = 0.0
    return weights


def stopping_cells(
    codes: NDArray[np.intp], batch: NDArray[Any] | None, rng: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows that are learned from, and those whose loss ends the training; types that only the second have are moved."""
    from sc_annotate.evaluation import holdout

    grouped = batch is not None and len(np.unique(batch)) > 2
    split = holdout(codes, groups=batch if grouped else None, fraction=0.1, rng=rng)
    missing = ~np.isin(codes[split.test], codes[split.train])
    if grouped and missing.all():
        # Each batch has types of its own, so that whole ones say nothing: cells of every type are held out.
        return stopping_cells(codes, None, rng)
    return np.sort(np.concatenate([split.train, split.test[missing]])), np.sort(split.test[~missing])
