"""The genes of each group of cells in order: by a test against all other cells, or by what a network looks at."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sc_annotate._core.settings import counted, track
from sc_annotate._data.read import read_rows
from sc_annotate.annotation.evidence.attention import no_attention
from sc_annotate.annotation.evidence.faithful import faithfulness, first_genes, tested_cells
from sc_annotate.annotation.evidence.labels_and_groups import sample
from sc_annotate.annotation.evidence.sums import Sums, by_group
from sc_annotate.annotators.variable_genes import variable_genes
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sc_annotate._data.read import Input
    from sc_annotate._data.transform import Transform
    from sc_annotate.annotation.cell_groups import Groups

MOST_CELLS: Final = 1_000
"""Cells of each group that are read, drawn from all."""

MOST_SALIENT: Final = 200
"""Of these cells of each group, those that the saliency is the mean over."""

MOST_GENES: Final = 5_000
"""Genes that the network sees, the most variable ones, as published."""

_CELLS = 256


@dataclass(frozen=True)
class Sample:
    """Some cells of each group that has at least two: their values (cells x genes, common scale) and groups.

    `group` numbers the names in `names`, and `place` says which of all groups these are.
    """

    values: Any
    group: NDArray[np.intp]
    names: list[str]
    place: NDArray[np.intp]
    notes: list[str]
    problems: list[str]


@dataclass(frozen=True)
class Ranking:
    """Genes of each group of a sample, as columns of the matrix, -1 where there are no more; and what was measured."""

    first: NDArray[np.intp]
    sums: Sums
    n_cells: NDArray[np.intp]
    genes: NDArray[np.intp]
    faithful: dict[str, float | int] | None
    notes: list[str]


def read_sample(found: Input, transform: Transform, groups: Groups, rng: int) -> Sample:
    """Cells of all groups of at least two; an error where there are not two such groups."""
    sizes = np.bincount(groups.code, minlength=len(groups.names))
    kept = np.flatnonzero(sizes >= 2)
    alone = groups.names[sizes == 1].tolist()
    problems, notes = [], []
    if alone:
        problems.append(
            f"{counted(len(alone), 'group')} of a single cell got no label, as one cell has no spread: "
            f"{', '.join(map(repr, alone[:5]))}{', ...' if len(alone) > 5 else ''}"
        )
    if len(kept) < 2:
        raise InputError(
            f"genes are compared between groups of cells, and there {'is' if len(kept) == 1 else 'are'} "
            f"{counted(len(kept), 'group')} of at least two cells. Pass a column with more groups (groupby), or label single "
            "cells with by='zscore'."
        )
    number = np.full(len(groups.names), -1, dtype=np.intp)
    number[kept] = np.arange(len(kept))
    code = sample(number[groups.code], MOST_CELLS, rng)
    chosen = np.flatnonzero(code >= 0)
    if len(chosen) < int(sizes[kept].sum()):
        notes.append(f"of groups with more than {MOST_CELLS:,} cells, as many were drawn to rank the genes")
    every = np.arange(found.source.n_columns, dtype=np.intp)
    values = read_rows(found.source, transform, every, chosen, progress="reading the genes")
    return Sample(values, code[chosen], groups.names[kept].tolist(), kept, notes, problems)


def by_wilcoxon(cells: Sample, n_genes: int) -> Ranking:
    """Genes by the Wilcoxon score of a group against all other cells (``scanpy.tl.rank_genes_groups``), those above 0."""
    import pandas as pd
    from anndata import AnnData
    from scanpy.tl import rank_genes_groups

    n, n_all = cells.values.shape
    # Numbers as names: those of groups and genes may be anything.
    obs = pd.DataFrame({"group": pd.Categorical(cells.group.astype(str))}, index=[str(i) for i in range(n)])
    small = AnnData(X=cells.values, obs=obs, var=pd.DataFrame(index=[str(i) for i in range(n_all)]))
    with warnings.catch_warnings():
        # Warnings of scanpy about its own data frames do not concern the caller.
        warnings.simplefilter("ignore")
        rank_genes_groups(small, "group", method="wilcoxon", use_raw=False)
    ranked, tested = small.uns["rank_genes_groups"]["names"], small.uns["rank_genes_groups"]["scores"]
    scores = np.zeros((len(cells.names), n_all))
    for i in range(len(cells.names)):
        scores[i, ranked[str(i)].astype(np.intp)] = np.nan_to_num(tested[str(i)].astype(np.float64))
    size = np.bincount(cells.group, minlength=len(cells.names))
    value, expressed = by_group(cells.values, cells.group, len(cells.names), [lambda v: v, lambda v: v > 0])
    rest = size[:, None] - expressed
    sums = Sums(
        scores * size[:, None],
        np.where(scores > 0, expressed, rest),
        np.where(scores > 0, rest, expressed),
        value,
        expressed,
        int(size.sum()),
        [],
        no_attention(*scores.shape),
    )
    return Ranking(_first(scores, n_genes), sums, size, np.arange(n_all, dtype=np.intp), None, [])


def by_network(cells: Sample, n_genes: int, saliency: str, rng: int) -> Ranking:
    """Genes by their mean saliency for a group over its cells, in an N-ACT network that tells the groups apart."""
    from sc_annotate.annotators.torch_nact import NACTAnnotator

    genes, notes = variable_genes(cells.values, MOST_GENES), []
    if len(genes) < cells.values.shape[1]:
        notes.append(f"the network saw the {MOST_GENES:,} most variable of {cells.values.shape[1]:,} genes")
    X = cells.values[:, genes]
    k = len(cells.names)
    width = len(str(k))
    # Numbers that sort as the groups do.
    y = np.array([f"{i:0{width}d}" for i in cells.group.tolist()])
    model = NACTAnnotator().fit(X, y, genes=genes.astype(str), rng=rng)
    # Which genes decide needs fewer cells than how to tell the groups apart, and takes as long for each.
    used = np.flatnonzero(sample(cells.group, MOST_SALIENT, rng) >= 0)
    X, codes = X[used], cells.group[used]
    drawn = tested_cells(codes, rng)
    sums = [np.zeros((k, len(genes))) for _ in range(5)]
    tested = []
    for start in track(range(0, X.shape[0], _CELLS), what=f"{saliency.replace('_', ' ')} of cells"):
        rows = slice(start, start + _CELLS)
        part, group = X[rows], codes[rows]
        salient = model.gene_evidence(part, group, saliency=saliency)
        more = by_group(salient, group, k, [lambda v: v, lambda v: v > 0, lambda v: v < 0])
        more += by_group(part, group, k, [lambda v: v, lambda v: v > 0])
        sums = [one + other for one, other in zip(sums, more, strict=True)]
        if (own := drawn[rows]).any():
            tested.append(first_genes(part[own], salient[own], group[own]))
    agree = int((model.predict_proba(X).argmax(axis=1) == codes).sum())
    whole = Sums(sums[0], sums[1], sums[2], sums[3], sums[4], agree, tested, no_attention(k, len(genes)))
    every = np.ones(len(genes), dtype=np.bool_)
    faithful = faithfulness(model.predict_proba, tested, every, np.zeros(len(genes), dtype=np.float32), rng)
    size = np.bincount(codes, minlength=k)
    place = _first(sums[0] / size[:, None], n_genes)
    return Ranking(np.where(place >= 0, genes[place], -1), whole, size, genes, faithful, notes)


def need_network() -> None:
    """An error before any data are read where torch, Lightning or captum is missing."""
    from sc_annotate.annotators.torch_nact import NACTAnnotator
    from sc_annotate.neural.libraries import captum

    NACTAnnotator.import_libraries()
    captum()


def _first(values: NDArray[np.float64], n: int) -> NDArray[np.intp]:
    """Columns of the `n` largest values above 0 of each row, -1 where there are fewer."""
    order = np.argsort(-values, axis=1, kind="stable")[:, :n]
    return np.where(np.take_along_axis(values, order, axis=1) > 0, order, -1).astype(np.intp)
