"""The defaults of logreg on measured data; the published bar is in the docs' table of benchmarks."""

from __future__ import annotations

import warnings

import anndata as ad
import numpy as np
import pytest
import scanpy as sc
from scipy.sparse import csr_matrix
from sklearn.metrics import f1_score
from sklearn.model_selection import StratifiedKFold

from sc_annotate.annotators.logreg import LogReg
from sc_annotate.annotators.variable_genes import variable_genes


def calls_and_truth(X, y, genes, train, test):
    columns = variable_genes(X[train], 2000)
    model = LogReg().fit(X[train][:, columns], y[train], genes=genes[columns])
    return model.classes_[model.predict_proba(X[test][:, columns]).argmax(axis=1)], y[test]


def macro_f1(called, truth):
    return f1_score(truth, called, labels=np.unique(truth), average="macro", zero_division=0)


@pytest.mark.slow
def test_pbmc68k():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        adata = sc.datasets.pbmc68k_reduced()
    X = csr_matrix(adata.raw.X).astype(np.float32)
    y = adata.obs["bulk_labels"].astype(str).to_numpy().astype(str)
    genes = np.array(adata.raw.var_names, dtype=str)
    accuracy, f1 = [], []
    for seed in range(5):
        for train, test in StratifiedKFold(5, shuffle=True, random_state=seed).split(y, y):
            called, truth = calls_and_truth(X, y, genes, train, test)
            accuracy.append((called == truth).mean())
            f1.append(macro_f1(called, truth))
    assert np.mean(accuracy) >= 0.84
    assert np.mean(f1) >= 0.70


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "bar"), [("pbmc_3tech", 0.80), ("kang2018_pbmc_ifnb", 0.90), ("scmixology_celseq2_dropseq", 0.98)]
)
def test_batch_left_out(shared_data, file, bar):
    adata = ad.read_h5ad(shared_data / f"{file}.h5ad")
    X = csr_matrix(adata.X).astype(np.float32)
    if file != "pbmc_3tech":
        X.data = np.log1p(1e4 * X.data / np.repeat(np.asarray(X.sum(axis=1)).ravel(), np.diff(X.indptr)))
    y, batch = (adata.obs[c].astype(str).to_numpy().astype(str) for c in ("cell_type", "batch"))
    genes = np.array(adata.var_names, dtype=str)
    f1 = [
        macro_f1(*calls_and_truth(X, y, genes, np.flatnonzero(batch != b), np.flatnonzero(batch == b)))
        for b in np.unique(batch)
    ]
    assert np.mean(f1) >= bar
