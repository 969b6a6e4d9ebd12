"""Draw molecules for many cells straight into a sparse matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_matrix

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

# Molecules, and cells x genes, that are worked on at a time: scratch arrays that still fit a processor's cache.
_BLOCK = 1 << 17


def alias_table(p: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Walker's alias table of one distribution: take bucket i with its threshold as probability, else its alias.

    Built by sweeping over cumulative deficits of the light outcomes and surpluses of the heavy ones, which needs no
    loop (Walker 1977, ACM TOMS 3:253; sweep after Hübschle-Schneider & Sanders 2022, ACM TOMS 48:1).
    """
    weight = p * p.size / p.sum()
    light, heavy = np.flatnonzero(weight < 1), np.flatnonzero(weight >= 1)
    threshold, alias = np.ones(p.size), np.arange(p.size)
    if light.size == 0 or heavy.size == 0:
        return threshold, alias
    deficit, surplus = np.cumsum(1 - weight[light]), np.cumsum(weight[heavy] - 1)
    threshold[light] = weight[light]
    before = np.append(0.0, deficit[:-1])
    alias[light] = heavy[np.minimum(np.searchsorted(surplus, before, side="right"), heavy.size - 1)]
    # A heavy outcome that gave away more than its surplus gets the rest of its bucket from the next heavy one.
    last = np.searchsorted(deficit, surplus[:-1], side="left")
    gave = (last < light.size) & (np.append(before, np.inf)[last] < surplus[:-1])
    over = np.append(deficit, np.inf)[last] - surplus[:-1]
    threshold[heavy[:-1][gave]] = 1 - over[gave]
    alias[heavy[:-1]] = heavy[1:]
    return threshold, alias


def draw_counts(
    profiles: NDArray[np.float64],
    which: Sequence[NDArray[np.intp]],
    n_molecules: Sequence[NDArray[np.intp]],
    *,
    dropout: float,
    rng: np.random.Generator,
) -> csr_matrix:
    """Counts, cells x genes, CSR float32.

    `profiles` (profiles x genes) sum to 1 along genes. Cell i gets ``n_molecules[0][i]`` molecules from profile
    ``which[0][i]``, and the same again for each further entry. `dropout` is the chance of losing a non-zero count.
    """
    n_cells, n_genes = which[0].size, profiles.shape[1]
    tables = [alias_table(p) for p in profiles]
    threshold = np.concatenate([t for t, _ in tables])
    step = np.concatenate([a - np.arange(n_genes) for _, a in tables])
    # Rows end where their molecules fill a block, or their genes do.
    total = np.cumsum(np.sum(n_molecules, axis=0))
    per_block = max(1, _BLOCK // n_genes)
    data, indices = np.empty(0, dtype=np.float32), np.empty(0, dtype=np.int32)
    row_sizes = np.zeros(n_cells + 1, dtype=np.int64)
    start = filled = 0
    while start < n_cells:
        so_far = total[start - 1] if start else 0
        stop = int(np.searchsorted(total[start : start + per_block], so_far + _BLOCK, side="right")) + start
        stop = max(stop, start + 1)
        cells = slice(start, stop)
        counts = _block(threshold, step, [w[cells] for w in which], [m[cells] for m in n_molecules], n_genes, rng)
        hits = np.flatnonzero(counts != 0)
        if dropout > 0:
            hits = hits[rng.random(hits.size, dtype=np.float32) >= dropout]
        sizes = np.diff(np.searchsorted(hits, np.arange(stop - start + 1) * n_genes))
        if filled + hits.size > data.size:
            # Guess the final size from the rows so far. On Linux, growing in place moves no data.
            guess = int(1.02 * n_cells * (filled + hits.size) / stop) + _BLOCK
            data.resize(guess, refcheck=False)
            indices.resize(guess, refcheck=False)
        here = slice(filled, filled + hits.size)
        data[here] = counts[hits]
        indices[here] = hits - np.repeat(np.arange(stop - start) * n_genes, sizes)
        row_sizes[start + 1 : stop + 1] = sizes
        start, filled = stop, filled + hits.size
    data.resize(filled, refcheck=False)
    indices.resize(filled, refcheck=False)
    indptr = np.cumsum(row_sizes).astype(np.int32 if filled < 2**31 else np.int64)
    matrix = csr_matrix((data, indices, indptr), shape=(n_cells, n_genes))
    # Known from how it was made; finding it out again takes seconds.
    matrix.has_sorted_indices = matrix.has_canonical_format = True
    return matrix


def _block(
    threshold: NDArray[np.float64],
    step: NDArray[np.intp],
    which: list[NDArray[np.intp]],
    n_molecules: list[NDArray[np.intp]],
    n_genes: int,
    rng: np.random.Generator,
) -> NDArray[np.intp]:
    """Counts of a few cells, one after another."""
    n_cells = which[0].size
    size = np.concatenate(n_molecules)
    table = np.repeat(np.concatenate(which) * n_genes, size)
    row = np.repeat(np.tile(np.arange(n_cells) * n_genes, len(which)), size)
    # One random number does for both: its whole part is the bucket, its fraction is held against the threshold.
    number = rng.random(table.size) * n_genes
    gene = number.astype(np.intp)
    number -= gene
    table += gene
    # Arithmetic in place of np.where: the processor cannot guess such branches, and each miss costs more than this.
    gene += step[table] * (number >= threshold[table])
    return np.bincount(row + gene, minlength=n_cells * n_genes)
