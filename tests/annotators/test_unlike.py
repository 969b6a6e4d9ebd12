"""Cells that a model of CellTypist's form does not know, without a held-out cell."""

from __future__ import annotations

import logging
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import sc_annotate as sca
from sc_annotate.annotators.celltypist import CellTypist

GENES = 300


def cells(first: int, n: int = 80, seed: int = 0) -> Any:
    """Log counts of cells with many molecules of 100 genes from `first` on, two types by every third of these."""
    draw = np.random.default_rng(seed)
    rate = np.full((n, GENES), 0.05)
    rate[:, first : first + 100] = 3.0
    rate[: n // 2, first : first + 100 : 3] = 9.0
    counts = draw.poisson(rate)
    return np.log1p(counts / counts.sum(axis=1, keepdims=True) * 1e4).astype(np.float32)


def test_cells_with_other_genes_are_unlike_what_was_learned() -> None:
    types = np.repeat(["a", "b"], 40)
    model = CellTypist().fit(cells(0), types, genes=np.array([f"G{i}" for i in range(GENES)]))
    every = np.ones(GENES, dtype=bool)
    known, new = cells(0, seed=1), cells(180, seed=1)
    assert (model.unlike(known, every) <= 1).mean() > 0.95
    assert (model.unlike(new, every) > 1).all()
    np.testing.assert_allclose(model.unlike(sparse.csr_matrix(new), every), model.unlike(new, every), rtol=1e-5)


def test_genes_that_are_not_there_take_no_part() -> None:
    model = CellTypist().fit(cells(0), np.repeat(["a", "b"], 40), genes=np.array([f"G{i}" for i in range(GENES)]))
    present = np.arange(GENES) % 2 == 0
    filled = np.where(present, cells(0, seed=1), model.mean_.astype(np.float32))
    alone = filled.copy()
    alone[:, ~present] = model.mean_.astype(np.float32)[~present]
    np.testing.assert_array_equal(model.unlike(filled, present), model.unlike(alone, present))
    assert (model.unlike(filled, present) <= 1).mean() > 0.95


@pytest.mark.parametrize("rate", [0.05, None])
def test_annotate_marks_them_without_calibration(rate: float | None, caplog: pytest.LogCaptureFixture) -> None:
    names = pd.Index([f"GENE{i}" for i in range(GENES)])
    known = ad.AnnData(cells(0), obs={"cell_type": np.repeat(["a", "b"], 40)}, var=pd.DataFrame(index=names))
    model = sca.tl.fit_annotator(known, "cell_type", method="celltypist", trust=None)
    query = ad.AnnData(np.vstack([cells(0, seed=1), cells(180, seed=1)]), var=pd.DataFrame(index=names))
    with caplog.at_level(logging.WARNING, logger="sc_annotate"):
        # It cannot be promised, so it is not taken; None switches it off.
        sca.tl.annotate(
            query, model, **({"trust": sca.trust.Options(false_positive_rate=None)} if rate is None else {})
        )
    if rate is None:
        assert "annotation_status" not in query.obs
        return
    marked = (query.obs["annotation_status"] == "unfamiliar").to_numpy()
    assert marked[80:].all()
    assert marked[:80].mean() < 0.05
    assert (query.obs["annotation_unfamiliarity"][marked] > 1).all()
    assert "lie far from all that the model learned from" in caplog.text
