"""CellAssign of scvi-tools: types of single cells from their counts of marker genes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sc_annotate.errors import MethodError

if TYPE_CHECKING:
    from numpy.typing import NDArray

EPOCHS: Final = 400
"""Most passes over the cells; training ends when the loss of a tenth of them does not fall any more."""

LARGEST_BATCH: Final = 1024
MOST_ENTRIES: Final = 5_000_000
"""Cells of a minibatch times genes times types: ten such tables are in memory, of 4 bytes a number."""

LARGEST: Final = 100_000
"""Genes times types that are refused above: a step takes seconds with as many."""


def batch_size(n_genes: int, n_types: int) -> int:
    """Cells a step, fewer the more genes and types there are."""
    return int(np.clip(MOST_ENTRIES // (n_genes * n_types), 32, LARGEST_BATCH))


def assign(
    counts: Any, markers: NDArray[np.bool_], size_factors: NDArray[np.float64], *, rng: int = 0, epochs: int = EPOCHS
) -> NDArray[np.float32]:
    """Posterior probability of each type in each cell, cells x types, float32; rows sum to 1.

    Parameters
    ----------
    counts
        Cells x marker genes, CSR or dense; every cell has some.
    markers
        Marker genes x types: whether the gene is expected to be higher in the type.
    size_factors
        Of each cell, 1 in the mean.
    rng
        Seed of the weights and minibatches. Nothing global is left changed.
    epochs
        Most passes over the cells.

    References
    ----------
    Zhang et al. 2019, Nature Methods 16:1007, doi 10.1038/s41592-019-0529-1; the implementation is that of scvi-tools.
    """
    import pandas as pd
    from anndata import AnnData

    from sc_annotate.neural.scvi_tools import external, scvi_as_before, train

    n, n_genes = counts.shape
    # What scvi-tools draws the cells for early stopping from cannot be seeded; it can be told to take the first ones.
    order = np.random.default_rng(rng).permutation(n)
    names = [str(i) for i in range(n_genes)]
    obs = pd.DataFrame({"size_factor": size_factors[order].astype(np.float32)}, index=[str(i) for i in range(n)])
    cells = AnnData(X=counts[order].astype(np.float32), obs=obs, var=pd.DataFrame(index=names))
    lists = pd.DataFrame(markers.astype(np.float32), index=names, columns=[str(j) for j in range(markers.shape[1])])
    with scvi_as_before(rng) as scvi:
        kind = external(scvi, "CellAssign")
        kind.setup_anndata(cells, size_factor_key="size_factor")
        model = kind(cells, lists)
        size = min(batch_size(*markers.shape), n)
        train(model, epochs, network=0, what="CellAssign", batch_size=size, shuffle_set_split=False)
        found = np.empty((n, markers.shape[1]), dtype=np.float32)
        found[order] = model.predict().to_numpy()
    if not np.isfinite(found).all():
        raise MethodError("CellAssign did not converge: its probabilities are NaN. Use longer lists, or by='zscore'.")
    return found / found.sum(axis=1, keepdims=True)


def need_scvi() -> None:
    """An error before any data are read where scvi-tools is missing."""
    from sc_annotate.neural.libraries import scvi

    scvi()
