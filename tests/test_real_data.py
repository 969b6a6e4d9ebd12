"""The figures that the defaults must reach on measured data, with one set of defaults."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anndata as ad
import numpy as np
import pytest

import sc_annotate as sca
from sc_annotate._data.matrix import MatrixRequest
from sc_annotate._data.read import open_input
from sc_annotate.annotation.held_out import Candidate, held_out
from sc_annotate.annotation.requests import N_TOP_GENES, FitRequest
from sc_annotate.annotation.training import labelled_cells, read_training
from sc_annotate.evaluation import leave_one_group_out

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData


@pytest.mark.slow
def test_pbmc68k_five_folds(pbmc: AnnData) -> None:
    rows = []
    for seed in range(5):
        table = sca.benchmark.annotators(pbmc, "cell_type", methods=["logreg"], cv=5, rng=seed).set_index("method")
        rows.append(table.loc["logreg", ["accuracy", "macro_f1"]].to_numpy(dtype=float))
    accuracy, f1 = np.mean(rows, axis=0)
    assert accuracy >= 0.84
    assert f1 >= 0.70


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "floor"), [("pbmc_3tech", 0.80), ("kang2018_pbmc_ifnb", 0.90), ("scmixology_celseq2_dropseq", 0.98)]
)
def test_leave_one_batch_out(shared_data: Path, name: str, floor: float) -> None:
    adata = ad.read_h5ad(shared_data / f"{name}.h5ad")
    cells = labelled_cells(
        adata, FitRequest(labels_key="cell_type", batch_key="batch", min_cells=1, max_cells=None), what="adata"
    )
    training = read_training(adata, open_input(adata), cells, MatrixRequest(), wanted="log", what="adata")
    assert training.batch is not None
    splits = leave_one_group_out(training.batch)
    found = held_out(training, Candidate("logreg", {}, N_TOP_GENES), splits, 0)
    # Each batch by itself, over the types that it has; then the mean over batches.
    scores = [sca.metrics.macro_f1(found.y[found.fold == i], found.labels[found.fold == i]) for i in range(len(splits))]
    assert np.mean(scores) >= floor


def test_another_logarithm_and_few_genes(shared_data: Path) -> None:
    """Two pancreas studies in log2, 219 genes in common."""
    xin, wang = (ad.read_h5ad(shared_data / f"{n}2016_pancreas.h5ad") for n in ("xin", "wang"))
    sca.tl.annotate(wang, xin, "cell_type", cv=0)
    assert wang.uns["annotation"]["input"]["values"]["base"] == "2"
    shared = wang[wang.obs["cell_type"].isin(xin.obs["cell_type"].unique())]
    right = shared.obs["annotation"].astype(str) == shared.obs["cell_type"].astype(str)
    assert right.mean() > 0.85


@pytest.mark.slow
def test_ensembl_names(shared_data: Path) -> None:
    adata = ad.read_h5ad(shared_data / "scmixology_celseq2_dropseq.h5ad")
    report = sca.pp.inspect(adata)
    assert report.values.kind == "counts"
    assert report.genes is not None
    assert (report.genes.id_type, report.genes.species) == ("ensembl", "human")


@pytest.mark.slow
def test_a_lymphoma_by_its_proteins(shared_data: Path) -> None:
    """Calls from RNA agree with CD3 and CD19 proteins, which the model never saw."""
    reference = ad.read_h5ad(shared_data / "pbmc_3tech.h5ad")
    query = ad.read_h5ad(shared_data / "malt10k_citeseq.h5ad")
    sca.tl.annotate(query, reference, "cell_type_broad", cv=0)
    protein = np.log1p(query.obsm["protein_counts"])
    cd3 = next(c for c in protein if c.upper().startswith("CD3_") or c.upper() == "CD3")
    cd19 = next(c for c in protein if c.upper().startswith("CD19"))
    margin = (protein[cd3] - protein[cd3].median()) - (protein[cd19] - protein[cd19].median())
    called_t = query.obs["annotation"].astype(str).str.startswith("T")
    called_b = query.obs["annotation"].astype(str).str.startswith("B")
    assert called_t.sum() > 100
    assert called_b.sum() > 100
    assert (margin[called_t] > 0).mean() > 0.85
    assert (margin[called_b] < 0).mean() > 0.75
