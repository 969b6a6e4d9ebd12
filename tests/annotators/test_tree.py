"""The loss that knows a tree: its gradient, its limits, and what it does to mistakes on real data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anndata as ad
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import approx_fprime
from scipy.special import log_softmax

from sc_annotate._core import softmax_regression as module
from sc_annotate._core.softmax_regression import Loss, Solver, softmax_regression
from sc_annotate.annotators._tree import common_ancestors
from sc_annotate.annotators.chosen_genes import OnChosenGenes
from sc_annotate.annotators.logreg import LogReg
from sc_annotate.errors import MethodError

if TYPE_CHECKING:
    from pathlib import Path

CLASSES = np.array(["B", "CD4", "CD8", "Mono", "NK"])
TREE = {"B": ["L"], "CD4": ["T", "L"], "CD8": ["T", "L"], "NK": ["L"], "Mono": []}


def transcribed(score: np.ndarray, codes: np.ndarray, weights: np.ndarray, sets: np.ndarray) -> float:
    """The loss as it is written: one cell and one ancestor after the other."""
    total, scale = 0.0, 0.0
    for row, code, weight in zip(score, codes, weights, strict=True):
        p = np.exp(row - row.max())
        p /= p.sum()
        total -= weight * np.log(p[code])
        for members in sets:
            if members[code] > 0:
                total -= weight * members[code] * np.log(p[members > 0].sum())
                scale += weight * members[code]
    return total / (1 + scale / weights.sum())


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_gradient_against_finite_differences(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n, k = 8, 6
    sets = rng.uniform(0.1, 3) * (rng.random((3, k)) < 0.5)
    codes, weights, score = rng.integers(0, k, n), rng.uniform(0.2, 3, n), 2 * rng.normal(size=(n, k))
    above = module._Above(sets, weights, codes)

    def loss(flat: np.ndarray) -> float:
        log_p = log_softmax(flat.reshape(n, k), axis=1)
        plain = -float(weights @ log_p[np.arange(n), codes])
        return above(plain, np.exp(log_p), codes, weights)[0]

    assert loss(score.ravel()) == pytest.approx(transcribed(score, codes, weights, sets), rel=1e-9)
    slope = above(0.0, np.exp(log_softmax(score, axis=1)), codes, weights)[1] * weights[:, None]
    np.testing.assert_allclose(slope.ravel(), approx_fprime(score.ravel(), loss, 1e-7), rtol=1e-4, atol=1e-5)


def test_the_solver_finds_the_least_of_the_written_loss() -> None:
    rng = np.random.default_rng(0)
    X, codes = rng.normal(size=(60, 4)), rng.integers(0, 5, 60)
    sets = common_ancestors(TREE, CLASSES)

    def whole(coef: np.ndarray, intercept: np.ndarray) -> float:
        return transcribed(X @ coef + intercept, codes, np.ones(60), sets) + 2.0 / 2 * np.square(coef).sum()

    found = softmax_regression(X, codes, 5, Loss(2.0, above=sets), solver=Solver(tol=1e-8))
    best = whole(found.coef, found.intercept)
    for _ in range(50):
        step = rng.normal(size=(4, 5)) * 0.02
        assert whole(found.coef + step, found.intercept + rng.normal(size=5) * 0.02) > best


def test_sets_under_ancestors() -> None:
    tree = TREE | {"Mono": ["root2"], "HSC": ["L"]}
    found = {tuple(CLASSES[row > 0]) for row in common_ancestors(tree, CLASSES)}
    assert found == {("CD4", "CD8"), ("B", "CD4", "CD8", "NK")}
    twice = {name: [*above, *(f"{a} again" for a in above), "cell"] for name, above in TREE.items()}
    np.testing.assert_array_equal(common_ancestors(twice, CLASSES), common_ancestors(TREE, CLASSES))
    own = common_ancestors({"B": [], "CD4": ["NK"], "CD8": [], "Mono": [], "NK": []}, CLASSES)
    assert [CLASSES[row > 0].tolist() for row in own] == [["CD4", "NK"]], "a type may be an ancestor itself"


@pytest.mark.parametrize("tree", ["levels", {"B": "L"}, [("B", "L")], {"B": []}])
def test_what_is_no_tree_is_refused(tree: object) -> None:
    X = np.eye(4, dtype=np.float32)
    with pytest.raises(MethodError, match="tree"):
        LogReg(tree=tree).fit(X, np.array(["B", "T", "B", "T"]), genes=np.array(list("abcd")))  # type: ignore[arg-type]


def test_a_tree_that_says_nothing_changes_nothing() -> None:
    rng = np.random.default_rng(0)
    X, y = rng.poisson(1.0, (80, 12)).astype(np.float32), CLASSES[rng.integers(0, 5, 80)]
    genes = np.array([f"g{i}" for i in range(12)])
    plain = LogReg().fit(X, y, genes=genes)
    flat = LogReg(tree={name: ["cell"] for name in CLASSES}).fit(X, y, genes=genes)
    np.testing.assert_allclose(flat.coef_, plain.coef_, rtol=1e-6, atol=1e-8)
    tree = LogReg(tree=TREE, tree_weight=2.0).fit(X, y, genes=genes)
    assert np.abs(tree.coef_ - plain.coef_).max() > 1e-3
    arrays, meta = tree.to_arrays()
    again = LogReg.from_arrays(arrays, meta, tree.classes_)
    assert again.params() == tree.params()
    np.testing.assert_array_equal(again.predict_proba(X), tree.predict_proba(X))
    assert "tree" not in plain.params()


KANG = {
    "B cells": ["lymphocyte"],
    "CD4 T cells": ["lymphocyte", "T cell"],
    "CD8 T cells": ["lymphocyte", "T cell"],
    "CD14+ Monocytes": ["myeloid leukocyte", "monocyte"],
    "FCGR3A+ Monocytes": ["myeloid leukocyte", "monocyte"],
}
"""As in the Cell Ontology, without the terms between that hold the same types."""


@pytest.mark.once
@pytest.mark.slow
@pytest.mark.parametrize("file", ["kang2018_pbmc_ifnb.h5ad", "pbmc_3tech.h5ad"])
def test_distance_of_mistakes_on_batches_left_out(shared_data: Path, file: str) -> None:
    """The loss is not worse than the plain one; that it were better is not claimed: the interval holds 0.

    A distance is the number of edges between the true and the called type. Every batch in turn is named by a model of the
    others; cells are resampled in pairs.
    """
    from sc_annotate._data.matrix import MatrixRequest
    from sc_annotate._data.read import open_input
    from sc_annotate.annotation.requests import FitRequest
    from sc_annotate.annotation.training import labelled_cells, read_training

    adata = ad.read_h5ad(shared_data / file)
    cells = labelled_cells(
        adata, FitRequest(labels_key="cell_type", batch_key="batch", min_cells=1, max_cells=None), what="adata"
    )
    data = read_training(adata, open_input(adata), cells, MatrixRequest(), wanted="log", what="adata")
    assert data.batch is not None
    tree = KANG
    if "3tech" in file:
        broad = dict(zip(adata.obs["cell_type"].astype(str), adata.obs["cell_type_broad"].astype(str), strict=True))
        tree = {name: [f"broad: {above}"] for name, above in broad.items()}
    paths = {name: {name, *above} for name, above in tree.items()}
    far = {}
    for how, given_tree in (("plain", None), ("tree", tree)):
        calls = np.empty(len(data.y), dtype=object)
        for batch in np.unique(data.batch):
            held = data.batch == batch
            model = OnChosenGenes(lambda given_tree=given_tree: LogReg(tree=given_tree), 2000)  # type: ignore[misc]
            model.fit(data.X[~held], data.y[~held], genes=data.genes, batch=data.batch[~held])
            calls[held] = model.classes_[model.predict_proba(data.X[held]).argmax(axis=1)]
        far[how] = np.array([len(paths[a] ^ paths[b]) for a, b in zip(data.y, calls, strict=True)], dtype=float)
    gap = far["tree"] - far["plain"]
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, len(gap), (2000, len(gap)))
    low, high = np.quantile(gap[drawn].mean(axis=1), [0.025, 0.975])
    a, b = far["plain"][drawn], far["tree"][drawn]
    of_mistakes = b.sum(axis=1) / (b > 0).sum(axis=1) - a.sum(axis=1) / (a > 0).sum(axis=1)
    low_m, high_m = np.quantile(of_mistakes, [0.025, 0.975])
    print(  # shown with -rP
        f"{file}: over all cells {far['plain'].mean():.4f} plain, {far['tree'].mean():.4f} tree, difference {gap.mean():+.4f} "
        f"[{low:+.4f}, {high:+.4f}]; of mistakes {far['plain'][far['plain'] > 0].mean():.4f}, "
        f"{far['tree'][far['tree'] > 0].mean():.4f}, difference [{low_m:+.4f}, {high_m:+.4f}]"
    )
    assert low <= 0, "the loss makes calls worse"
    assert high < 0.02
