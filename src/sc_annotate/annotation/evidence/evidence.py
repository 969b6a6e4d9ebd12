"""Which genes say so: what pushed the calls of each type, and what spoke against them."""

from __future__ import annotations

from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.capabilities import capabilities_of
from sc_annotate._core.progress import logger
from sc_annotate._data.lazy import with_tables
from sc_annotate._data.stream import each_block
from sc_annotate._store.slots import DEFAULT_KEY
from sc_annotate._store.storage import add_columns, read_uns
from sc_annotate._store.stored import read_annotation
from sc_annotate.annotation.checks import check_rng
from sc_annotate.annotation.evidence.block import AskEvidence
from sc_annotate.annotation.evidence.coefficients import known_model
from sc_annotate.annotation.evidence.groups import call_codes, group_numbers, sample
from sc_annotate.annotation.evidence.reread import reread
from sc_annotate.annotation.evidence.table import evidence_table
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    import os

    from anndata import AnnData

    from sc_annotate.annotation.model import AnnotationModel

FEW = 20
"""Cells of each type that are looked at where every gene of every cell has to be deleted in turn."""
AGREE = 0.9
"""Share of calls that the model has to repeat; below, the matrix is hardly the one that was named."""

MOST_SUMS = 100_000_000
"""Groups times genes that are summed at once: several such tables are in memory, of 8 bytes a number."""


def evidence(
    adata: AnnData,
    key: str = DEFAULT_KEY,
    *,
    model: AnnotationModel | str | os.PathLike[str] | None = None,
    groupby: str | None = None,
    n_genes: int = 10,
    max_cells: int | None = None,
    rng: int = 0,
) -> None:
    """List the genes that pushed the calls of each type, and those that spoke against them.

    For linear methods a gene's contribution is its value times the slope of the log-odds of the call against all other
    types: in natural units, about what the log-odds would lose without the gene. For other methods each expressed gene of
    each cell is set to 0 and the model asked again, which takes long: choose few cells. Log-odds are the model's own,
    before calibration.

    It says what the **model** used, and not what makes a type: of genes that go together a model may use any. A gene that a
    cell does not express contributes 0, though its absence may have helped; a gene that `adata` lacks is no evidence.

    Parameters
    ----------
    adata
        An annotated object, with the matrix that was named.
    key
        Name of the result (``key_added``).
    model
        The fitted model that named the cells, or its path. By default the coefficients that :func:`annotate` kept, which it
        does for linear methods of up to 4 million of them.
    groupby
        Column of ``obs`` with groups of cells, such as samples: the cells of each group and call are looked at on their
        own. By default all cells of a call together.
    n_genes
        Genes of each group and direction.
    max_cells
        Cells of each group, drawn at random. None: all of them, or 20 where genes have to be deleted one by one.
    rng
        Seed of the draw.

    Returns
    -------
    None. Written to `adata`:

    ``uns[key]["evidence"]`` : dict
        ``groupby``, ``how`` (in words), ``n_genes``, ``n_cells`` looked at, ``n_genes_looked_at``, ``agreement`` (share of
        those cells that the model, asked again, calls the same), and two more:

        ``table``, a DataFrame: ``group``, ``type`` (the call), ``n_cells``, ``direction`` (``"towards"`` or
        ``"against"``), ``rank``, ``gene``, ``contribution`` (mean over those cells), ``share`` (of them in which the gene
        pushes in this direction), ``mean`` (value of the gene in them, as the model sees it: ``log1p`` of counts per
        10,000) and ``mean_elsewhere`` (in the cells called otherwise). Without `groupby`, the group is the type.

        ``dots``: the listed genes in all groups, ``contribution`` and ``expressed`` (share of cells), groups x genes.

    Cells whose label was given are left out.

    Raises
    ------
    StorageError
        No such result; a consensus; calls of several models; no coefficients kept and no model passed.
    InputError
        Another model than the one that named the cells; no such column; numbers out of range. `adata` is as it was.
    MatrixError, GeneError
        The matrix that was named is not there any more.

    References
    ----------
    Gradient times input: Shrikumar et al. 2016, Not just a black box, arXiv 1605.01713. Deleting: Zeiler & Fergus 2014,
    `doi:10.1007/978-3-319-10590-1_53 <https://doi.org/10.1007/978-3-319-10590-1_53>`_.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> adata = sca.datasets.pbmc68k()
    >>> query = adata[500:].copy()
    >>> sca.tl.annotate(query, adata[:500].copy(), "cell_type", method="nearest_centroid", cv=0)
    >>> sca.tl.evidence(query, n_genes=10)
    >>> found = sca.get.evidence(query, group="CD19+ B")
    >>> "CD79A" in set(found.loc[found["direction"] == "towards", "gene"])
    True
    """
    check_rng(rng)
    _check_number(n_genes, "n_genes")
    if max_cells is not None:
        _check_number(max_cells, "max_cells")
    stored, calls = read_uns(adata, key), read_annotation(adata, key)
    known = known_model(adata, key, stored, model)
    tables = with_tables(adata)
    code = call_codes(calls, known.classes, key)
    pair, groups, types = group_numbers(tables, code, known.classes, groupby)
    n_all = np.bincount(pair[pair >= 0], minlength=len(groups))
    can = capabilities_of(known.annotator)
    most = max_cells if max_cells is not None else None if can.evidence else FEW
    pair = sample(pair, most, rng)
    matrix = reread(tables, stored["params"], known)
    if len(groups) * len(known.means) > MOST_SUMS:
        raise InputError(
            f"obs[{groupby!r}] (groupby) and the calls make {len(groups):,} groups, too many to sum {len(known.means):,} genes in "
            "each. Name a column with fewer values, such as samples."
        )
    ask = AskEvidence(known.annotator, matrix.transform, matrix.columns, known.means, code, pair, len(groups))
    sums = reduce(
        add, (s for _, s in each_block(ask, [matrix.X], progress="gathering evidence", parallel=can.parallel))
    )
    n = np.bincount(pair[pair >= 0], minlength=len(groups))
    names = matrix.names[matrix.columns[matrix.columns >= 0]]
    table, dots = evidence_table(sums, names, groups, types, n, n_all, n_genes)
    agreement = sums.agree / int(n.sum())
    if agreement < AGREE:
        logger.warning(
            "asked again, the model calls only %.0f %% of the cells of %r the same: the matrix, or the calls, have changed "
            "since, and the evidence is for calls that the model does not make",
            100 * agreement,
            key,
        )
    how = "the method's own" if can.evidence else "one gene deleted at a time"
    if can.linear:
        how = "slope of the log-odds times value"
    account = {
        "groupby": groupby,
        "how": how,
        "n_genes": int(n_genes),
        "max_cells": most,
        "n_cells": int(n.sum()),
        "n_genes_looked_at": len(names),
        "agreement": float(agreement),
        "table": table,
        "dots": dots,
    }
    add_columns(adata, key, {}, "evidence", account)


def _check_number(value: Any, name: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise InputError(f"{name} must be a whole number, 1 or more, not {value!r}.")
