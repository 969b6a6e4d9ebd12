"""Cells with known types, drawn from known profiles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.arguments import number, public, seed, share, whole
from sc_annotate.datasets._molecules import draw_counts
from sc_annotate.datasets._random_tree import apportion, by_type_and_batch, grow, log_profiles, shares
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["simulate_reference"]

# Standard deviation of the log depth of cells; how many times any other type's value makes a gene a marker.
_DEPTH_SD, _MARKER_FOLD = 0.35, 2.0


@public
def simulate_reference(
    n_cells: int = 2000,
    n_genes: int = 1000,
    n_types: int = 8,
    *,
    n_batches: int = 1,
    depth: float = 2000,
    imbalance: float = 5,
    batch_strength: float = 0.3,
    type_strength: float = 0.5,
    dropout: float = 0,
    unseen_types: int = 0,
    ambient: float = 0,
    doublets: float = 0,
    rng: int = 0,
) -> AnnData:
    """Counts of cells whose types, profiles and batch effects are known.

    Types are the leaves of a random binary tree. Each branch changes 15 % of the genes, and a type has all the changes
    between the root and itself, so siblings are alike. A cell gets a Poisson number of molecules, with a mean that
    varies between cells, and each molecule falls on a gene with the probability that its type and batch give it.

    Cells of a type and batch differ by chance alone: real types have inner structure that is not here, so scores are
    better than on real data. Types and profiles depend on `rng`, `n_genes`, `n_types` and `type_strength`, not on
    `n_cells`. A million cells x 2,000 genes take less than a minute on one core, and hardly more memory than the result.

    Parameters
    ----------
    n_cells, n_genes, n_types
        Size; at least 2 types, and at least as many cells as types.
    n_batches
        Batches, of equal size up to one cell, all with the same types.
    depth
        Mean number of molecules of a cell.
    imbalance
        How many times as frequent the most frequent type is than the rarest; those between are spaced evenly on a log
        scale, in random order. Each type has at least one cell.
    batch_strength
        Standard deviation of the shift of a gene in a batch, natural log; no shift where there is one batch.
    type_strength
        Standard deviation of the change of a gene along a branch of the tree, natural log.
    dropout
        Chance that a non-zero count is lost, from 0 to 1.
    unseen_types
        How many types, chosen at random, to flag in ``obs["unseen"]``: leave them out of a training set to see whether
        a method notices what it has not been taught.
    ambient
        Share of a cell's molecules that come from the mean profile of its batch, from 0 to 1.
    doublets
        Share of cells that hold a second cell's molecules as well, of a type drawn by frequency. They keep the first
        type as label.
    rng
        Seed, an integer or a :class:`numpy.random.Generator`; equal arguments give equal cells.

    Returns
    -------
    AnnData:

    ``X``
        Counts, CSR float32.
    ``obs``
        ``cell_type``, ``cell_type_broad`` (a cut of the tree), ``batch`` (categoricals), ``total_counts`` (float32),
        ``is_doublet``, ``unseen`` (bool).
    ``var``
        ``marker_of``: the type that has at least twice as much of the gene as any other (categorical, NaN where none);
        ``marker_fold``: how many times the next type's value the highest is (float32).
    ``varm["profiles"]``
        Share of each gene in the molecules of each type, before batch shifts and ambient molecules; float64, genes x
        types, columns in the order of ``uns["simulation"]["types"]`` and of the categories of ``cell_type``.
    ``varm["batch_shift"]``
        Shift of each gene in each batch, natural log, genes x batches.
    ``uns["tree"]``
        Arrays ``parent`` and ``child``, names of nodes, one entry a branch; leaves have the names of types.
    ``uns["simulation"]``
        All parameters, and the arrays ``types`` and ``unseen``.

    Raises
    ------
    sc_annotate.errors.InputError
        An argument out of its range.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> adata = sca.datasets.simulate_reference(500, 200, 4, n_batches=2, rng=1)
    >>> adata.shape, adata.obs["cell_type"].cat.categories.tolist()
    ((500, 200), ['type_01', 'type_02', 'type_03', 'type_04'])
    >>> adata.varm["profiles"].sum(axis=0).round(6).tolist()
    [1.0, 1.0, 1.0, 1.0]
    """
    params = dict(locals())
    _check(params)
    import pandas as pd
    from anndata import AnnData

    # Streams of their own, so that the types stay the same when the number of cells changes.
    for_types, for_batches, for_cells, for_molecules = np.random.default_rng(rng).spawn(4)
    tree = grow(n_types, for_types)
    log_p = log_profiles(tree, n_genes, type_strength, for_types)
    unseen = np.sort(for_types.permutation(n_types)[:unseen_types])
    rank = for_types.permutation(n_types)
    shift = for_batches.normal(0, batch_strength, (n_batches, n_genes)) * (n_batches > 1)

    frequency = imbalance ** (-rank / (n_types - 1))
    cell_type = for_cells.permutation(apportion(n_cells, frequency / frequency.sum()))
    batch = for_cells.permutation(np.arange(n_cells) % n_batches)
    table = by_type_and_batch(log_p, shift, np.bincount(cell_type) / n_cells, ambient)

    size = depth * np.exp(for_cells.normal(-(_DEPTH_SD**2) / 2, _DEPTH_SD, (2, n_cells)))
    molecules = for_cells.poisson(size)
    is_doublet = np.zeros(n_cells, dtype=bool)
    is_doublet[for_cells.permutation(n_cells)[: round(doublets * n_cells)]] = True
    second = for_cells.permutation(cell_type)
    parts = 1 + bool(is_doublet.any())
    X = draw_counts(
        table,
        [cell_type * n_batches + batch, second * n_batches + batch][:parts],
        [molecules[0], molecules[1] * is_doublet][:parts],
        dropout=dropout,
        rng=for_molecules,
    )

    names = np.array(tree.names)
    types = names[tree.leaves]
    broad_names, broad = np.unique(names[tree.broad], return_inverse=True)
    batches = [f"batch_{i + 1:0{len(str(n_batches))}d}" for i in range(n_batches)]
    obs = pd.DataFrame(
        {
            "cell_type": pd.Categorical.from_codes(cell_type, pd.Index(types)),
            "cell_type_broad": pd.Categorical.from_codes(broad[cell_type], pd.Index(broad_names)),
            "batch": pd.Categorical.from_codes(batch, pd.Index(batches)),
            # float32 is exact here, and does not convert all of X as a float64 sum would.
            "total_counts": X @ np.ones(n_genes, dtype=np.float32),
            "is_doublet": is_doublet,
            "unseen": np.isin(cell_type, unseen),
        },
        index=_numbered("cell_", n_cells),
    )
    profiles = shares(log_p)
    highest = np.sort(profiles, axis=0)[-2:]
    fold = highest[1] / highest[0]
    marker_of = np.where(fold >= _MARKER_FOLD, profiles.argmax(axis=0), -1)
    var = pd.DataFrame(
        {"marker_of": pd.Categorical.from_codes(marker_of, pd.Index(types)), "marker_fold": fold.astype(np.float32)},
        index=_numbered("G", n_genes),
    )
    return AnnData(
        X=X,
        obs=obs,
        var=var,
        varm={"profiles": profiles.T.copy(), "batch_shift": shift.T.copy()},
        uns={
            "tree": {"parent": names[tree.parent[1:]], "child": names[1:]},
            "simulation": {**params, "types": types, "unseen": types[unseen]},
        },
    )


def _numbered(prefix: str, n: int) -> list[str]:
    return [f"{prefix}{i:0{max(5, len(str(n)))}d}" for i in range(1, n + 1)]


def _check(params: dict[str, Any]) -> None:
    n_types = whole(params["n_types"], "n_types", least=2)
    for name, least in {"n_cells": n_types, "n_genes": 2, "n_batches": 1, "unseen_types": 0}.items():
        whole(params[name], name, least=least)
    seed(params["rng"])
    for name, bound in {"depth": 1, "imbalance": 1, "batch_strength": 0, "type_strength": 0}.items():
        number(params[name], name, low=bound)
    for name in ("dropout", "ambient", "doublets"):
        share(params[name], name, ends="both")
    if params["unseen_types"] >= n_types:
        raise InputError(f"unseen_types is {params['unseen_types']}, which leaves no type of {n_types} to train on.")
