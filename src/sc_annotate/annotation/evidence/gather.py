"""Gather which genes pushed the labels of each type, and which spoke against them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.arguments import Request, default, seed, whole
from sc_annotate._core.registry import capabilities_of
from sc_annotate._core.settings import logger
from sc_annotate._data.obs import with_tables
from sc_annotate._data.stream import each_block
from sc_annotate._store.storage import add_columns, read_uns
from sc_annotate._store.stored import read_annotation
from sc_annotate.annotation.evidence.attention import attention_entry
from sc_annotate.annotation.evidence.coefficients import evidence_model
from sc_annotate.annotation.evidence.faithful import faithfulness, tested_cells
from sc_annotate.annotation.evidence.labels_and_groups import group_numbers, label_codes, sample
from sc_annotate.annotation.evidence.reread import open_again
from sc_annotate.annotation.evidence.saliency import chosen_saliency, how_in_words, unit_of
from sc_annotate.annotation.evidence.sums import EvidenceSums
from sc_annotate.annotation.evidence.table import evidence_table
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from anndata import AnnData

FEW = 20
"""Cells of each type that are used by default where every gene of every cell has to be deleted in turn."""
AGREE = 0.9
"""Share of labels that the model has to reproduce; below, the matrix is hardly the one that was annotated."""

MOST_SUMS = 100_000_000
"""Groups times genes that are summed at once: several such tables are in memory, of 8 bytes a number."""


@dataclass(frozen=True, kw_only=True)
class EvidenceRequest(Request):
    """How many genes to list, and from how many cells."""

    n_genes: int = default(10)
    max_cells: int | None = default(None)
    rng: int = default(0)
    saliency: str | None = default(None)

    def check(self) -> None:
        seed(self.rng)
        if self.saliency is not None and not isinstance(self.saliency, str):
            raise InputError(f"saliency must be the name of a kind of evidence or None, not {self.saliency!r}.")
        whole(self.n_genes, "n_genes", least=1)
        if self.max_cells is not None:
            whole(self.max_cells, "max_cells", least=1)


def store_evidence(adata: AnnData, key: str, model: Any, groupby: str | None, request: EvidenceRequest) -> None:
    """Store the table of genes, and their values in all groups."""
    stored, columns = read_uns(adata, key), read_annotation(adata, key)
    used = evidence_model(adata, key, stored, model)
    tables = with_tables(adata)
    code = label_codes(columns, used.classes, key)
    pair, groups, types = group_numbers(tables, code, used.classes, groupby)
    n_all = np.bincount(pair[pair >= 0], minlength=len(groups))
    can = capabilities_of(used.annotator)
    saliency = chosen_saliency(request.saliency, can, str(stored.get("method")))
    most = request.max_cells if request.max_cells is not None else None if can.evidence else FEW
    pair = sample(pair, most, request.rng)
    matrix = open_again(tables, stored["params"], used)
    if len(groups) * len(used.means) > MOST_SUMS:
        raise InputError(
            f"obs[{groupby!r}] (groupby) and the labels make {len(groups):,} groups, too many to sum {len(used.means):,} genes in "
            "each. Name a column with fewer values, such as samples."
        )
    tested = tested_cells(pair, request.rng)
    block = EvidenceSums(
        used.annotator, matrix.transform, matrix.columns, used.means, code, pair, len(groups), tested, saliency
    )
    blocks = each_block(block, [matrix.X], progress="gathering evidence", parallel=can.parallel)
    sums = reduce(add, (part for _, part in blocks))
    n = np.bincount(pair[pair >= 0], minlength=len(groups))
    names = matrix.names[matrix.columns[matrix.columns >= 0]]
    table, dots = evidence_table(sums, names, groups, types, n, n_all, request.n_genes)
    agreement = sums.agree / int(n.sum())
    if agreement < AGREE:
        logger.warning(
            "the model reproduces the labels of only %.0f %% of the cells of %r: the matrix or the labels have changed since, "
            "and the evidence is for labels that the model does not predict",
            100 * agreement,
            key,
        )
    faithful = faithfulness(block.predict, sums.tested, matrix.columns >= 0, used.means, request.rng)
    entry = {
        "groupby": groupby,
        "how": how_in_words(saliency, can),
        "saliency": saliency,
        "unit": unit_of(saliency),
        "n_genes": int(request.n_genes),
        "max_cells": most,
        "n_cells": int(n.sum()),
        "n_genes_used": len(names),
        "agreement": float(agreement),
        "faithfulness": faithful,
        "table": table,
        "dots": dots,
    }
    if can.attends:
        entry["attention"] = attention_entry(sums.attention, names, groups, types, n, request.n_genes)
    add_columns(adata, key, {}, "evidence", entry)
