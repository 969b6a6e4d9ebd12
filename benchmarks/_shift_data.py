"""Labelled cells of several batches, and what is left out of the reference in turn, for trust_shift.py."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import anndata as ad
import numpy as np

import sc_annotate as sca
from sc_annotate.evaluation import leave_one_group_out, stratified

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from anndata import AnnData

LABELS = "cell_type"
LEAST_OF_ALL = 10
"""Types with fewer cells in a data set are left out of it."""
LEAST = 25
"""Cells of a removed type, in the reference and in the query."""

BATCHES, ONE_BATCH, SPECIES = "two batches or more", "one batch", "across species"
BATCH_KEYS = {
    "pbmc_3tech": ("pbmc_3tech", "batch"),
    "kang2018": ("kang2018_pbmc_ifnb", "batch"),
    "kang_14k": ("kang2018_pbmc_14k", "condition"),
    "baron": ("baron2016_pancreas", "Sample"),
    "baron_species": ("baron2016_pancreas", "batch"),
    "scmixology": ("scmixology_celseq2_dropseq", "batch"),
}
XIN_WANG = "xin_wang"
DATA = (*BATCH_KEYS, XIN_WANG)
PBMC68K = "pbmc68k"
COUNTS = ("kang_14k", "scmixology")
"""Data with all genes as counts, whose cells can be thinned."""


@dataclass(frozen=True)
class Case:
    """One batch left out: the query; the reference is all else."""

    data: str
    name: str
    kind: str
    reference: AnnData
    query: AnnData
    batch_key: str | None

    @property
    def known(self) -> np.ndarray:
        """Which cells of the query are of a type of the reference."""
        return np.isin(types_of(self.query), types_of(self.reference))

    def without(self, unseen: str) -> Case:
        """The same with one type removed from the reference."""
        kept = self.reference[types_of(self.reference) != unseen].copy()
        return Case(self.data, self.name, self.kind, kept, self.query, self.batch_key)

    def removable(self) -> list[str]:
        own, there = (np.unique(types_of(a), return_counts=True) for a in (self.reference, self.query))
        enough = [set(names[n >= LEAST].tolist()) for names, n in (own, there)]
        return sorted(enough[0] & enough[1])


def types_of(adata: AnnData) -> np.ndarray:
    return adata.obs[LABELS].astype(str).to_numpy().astype(str)


def read(path: Path) -> AnnData:
    adata = ad.read_h5ad(path)
    names, n = np.unique(types_of(adata), return_counts=True)
    return adata[np.isin(types_of(adata), names[n >= LEAST_OF_ALL])].copy()


def cases(data: str, folder: Path, only: str | None = None) -> Iterator[Case]:
    """Every batch of a data set left out; or the folds of one without batches."""
    if data == XIN_WANG:
        reference, query = read(folder / "xin2016_pancreas.h5ad"), read(folder / "wang2016_pancreas.h5ad")
        query = query[np.isin(types_of(query), types_of(reference))].copy()
        yield Case(data, "xin -> wang", ONE_BATCH, reference, query, None)
        return
    if data == PBMC68K:
        adata = sca.datasets.pbmc68k()
        splits, batch_key = stratified(types_of(adata), 5, rng=0), None
    else:
        file, batch_key = BATCH_KEYS[data]
        adata = read(folder / f"{file}.h5ad")
        splits = leave_one_group_out(adata.obs[batch_key].astype(str).to_numpy().astype(str))
    for split in splits:
        if only is None or split.name == only:
            reference, query = adata[split.train].copy(), adata[split.test].copy()
            yield Case(data, split.name, kind_of(data, split.name, len(splits)), reference, query, batch_key)


def kind_of(data: str, name: str, n_batches: int) -> str:
    if data == "baron_species" or (data == "baron" and name.startswith("mouse")):
        return SPECIES
    return ONE_BATCH if n_batches < 3 else BATCHES


def thinned(adata: AnnData, depth: int, rng: np.random.Generator) -> AnnData:
    """Every cell with about `depth` molecules of those it has; cells with fewer stay as they are."""
    X = adata.X.tocsr().copy()
    totals = np.asarray(X.sum(axis=1)).ravel()
    share = np.minimum(1, depth / np.maximum(totals, 1))
    X.data = rng.binomial(X.data.astype(np.int64), np.repeat(share, np.diff(X.indptr))).astype(np.float32)
    X.eliminate_zeros()
    return ad.AnnData(X, obs=adata.obs.copy(), var=adata.var.copy())


def skewed(adata: AnnData, rng: np.random.Generator, share: float = 0.15) -> AnnData:
    """The most frequent type, and a random share of all other cells."""
    y = types_of(adata)
    names, n = np.unique(y, return_counts=True)
    most = y == names[n.argmax()]
    rest = np.flatnonzero(~most)
    few = rng.permutation(rest)[: round(share * rest.size)]
    return adata[np.sort(np.concatenate([np.flatnonzero(most), few]))].copy()
