"""Genes chosen by how they vary and by the labels: the F statistic against scikit-learn, and blocks against the whole."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import scanpy as sc
from scipy import sparse
from sklearn.feature_selection import f_classif

import sc_annotate as sca
from sc_annotate.annotators.chosen_genes import GeneStatistics, OnChosenGenes, choose_genes, genes_from
from sc_annotate.annotators.nearest_centroid import NearestCentroid
from sc_annotate.annotators.type_scores import MOST_GROUPS, TypeStatistics, type_scores
from sc_annotate.annotators.variable_genes import log_of_counts, variable_genes
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

FORMS: dict[str, Callable[[Any], Any]] = {
    "dense": np.array,
    "csr": sparse.csr_matrix,
    "csr_array": sparse.csr_array,
    "csc": sparse.csc_matrix,
}


@pytest.fixture(scope="module")
def cells() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Log values, types and batches of simulated cells."""
    adata = sca.datasets.simulate_reference(400, 300, 4, n_batches=3, dropout=0.4, depth=800, rng=4)
    sc.pp.normalize_total(adata, target_sum=1e4)
    sc.pp.log1p(adata)
    X = np.asarray(adata.X.toarray() if sparse.issparse(adata.X) else adata.X, dtype=np.float32)
    return X, adata.obs["cell_type"].to_numpy(str), adata.obs["batch"].to_numpy(str)


def _scores(X: Any, y: np.ndarray, batch: np.ndarray | None = None) -> np.ndarray:
    statistics = TypeStatistics.of(X, y, batch)
    assert statistics is not None
    found = type_scores(statistics)
    assert found is not None
    return found


def _sklearn(X: np.ndarray, y: np.ndarray) -> np.ndarray:
    with warnings.catch_warnings(), np.errstate(invalid="ignore", divide="ignore"):
        warnings.simplefilter("ignore")  # of constant genes
        return np.nan_to_num(f_classif(X.astype(float), y)[0])


def _ratio(between: np.ndarray, within: np.ndarray) -> np.ndarray:
    return np.divide(between, within, out=np.zeros_like(between), where=within > 0)


def _gathered(X: Any, y: np.ndarray, batch: np.ndarray | None, size: int) -> GeneStatistics:
    """Added up over blocks of cells in any order, an empty one among them, by two that are then merged."""
    codes = np.unique(y, return_inverse=True)[1]
    batches = np.zeros(len(y), int) if batch is None else np.unique(batch, return_inverse=True)[1]
    order = np.random.default_rng(0).permutation(len(y))
    halves = [GeneStatistics.empty(codes.max() + 1, batches.max() + 1, X.shape[1]) for _ in range(2)]
    for i, start in enumerate(range(0, len(y) + size, size)):
        rows = order[start : start + size]
        halves[i % 2].update(X[rows], codes[rows], batches[rows])
    return halves[0].merge(halves[1])


@pytest.mark.parametrize("form", FORMS)
def test_f_statistic_of_sklearn(cells: Any, form: str):
    X, y, _ = cells
    np.testing.assert_allclose(_scores(FORMS[form](X), y), _sklearn(X, y), rtol=1e-5)


def test_within_batches_it_is_the_squares_of_all_of_them_together(cells: Any):
    X, y, batch = cells
    between, within, degrees = 0.0, 0.0, np.zeros(2)
    for name in np.unique(batch):
        own, labels = X[batch == name].astype(float), y[batch == name]
        types = np.unique(labels)
        f = _sklearn(own, labels)
        free = np.array([len(types) - 1, len(own) - len(types)])
        rest = sum(np.square(own[labels == t] - own[labels == t].mean(axis=0)).sum(axis=0) for t in types)
        between, within, degrees = between + f * free[0] * rest / free[1], within + rest, degrees + free
    np.testing.assert_allclose(_scores(X, y, batch), _ratio(between / degrees[0], within / degrees[1]), rtol=1e-5)


def test_what_differs_between_batches_counts_for_nothing(cells: Any):
    X, y, batch = cells
    shifted = X + np.where(batch == batch[0], 3, 0)[:, None].astype(np.float32)
    np.testing.assert_allclose(_scores(shifted, y, batch), _scores(X, y, batch), rtol=1e-3)
    assert not np.allclose(_scores(shifted, y), _scores(X, y), rtol=0.1)


@pytest.mark.parametrize("kind", ["tiny", "sorted", "many"])
def test_batches_are_left_aside_where_they_say_nothing(cells: Any, kind: str):
    X, y, _ = cells
    batch = {
        "tiny": np.where(np.arange(len(y)) < 9, "a", "b"),
        "sorted": y,
        "many": np.resize([f"b{i}" for i in range(MOST_GROUPS // 4 + 1)], len(y)),
    }[kind]
    if kind == "many":
        more = np.vstack([X] * 13)
        names = np.tile(y, 13)
        batch = np.resize([f"b{i}" for i in range(MOST_GROUPS // 4 + 1)], len(names))
        np.testing.assert_allclose(_scores(more, names, batch), _scores(more, names), rtol=1e-6)
    else:
        np.testing.assert_array_equal(_scores(X, y, batch), _scores(X, y))


def test_constant_genes_markers_without_spread_and_types_of_one_cell(cells: Any):
    X, y, batch = cells
    X, y = X.copy(), y.copy()
    X[:, 0], X[:, 1], X[:, 2] = 0, 1.75, np.where(y == y[0], 2, 0)
    y[7] = "alone"
    for batches in (None, batch):
        found = _scores(X, y, batches)
        assert np.isfinite(found).all()
        assert found[:2].tolist() == [0, 0]
        if batches is None:
            np.testing.assert_allclose(found[3:], _sklearn(X[:, 3:], y), rtol=1e-5)
    assert found[2] == found.max()
    assert 2 in choose_genes(X, y, 20)


def test_nothing_can_be_said_of_one_type_or_of_single_cells(cells: Any):
    X, y, _ = cells
    for labels in (np.full(len(y), "a"), np.arange(len(y)).astype(str)):
        np.testing.assert_array_equal(choose_genes(X, labels, 40), variable_genes(X, 40))


def test_of_more_types_than_500_genes_are_chosen_by_how_they_vary():
    rng = np.random.default_rng(0)
    X = rng.poisson(1.0, (1002, 60)).astype(np.float32)
    y = np.resize([f"t{i}" for i in range(501)], 1002)
    np.testing.assert_array_equal(choose_genes(X, y, 20), variable_genes(X, 20))
    np.testing.assert_array_equal(genes_from(_gathered(X, y, None, 300), 20), variable_genes(X, 20))


@pytest.mark.parametrize("batched", [False, True])
def test_a_quarter_is_chosen_by_the_labels(cells: Any, batched: bool):
    X, y, batch = cells
    batches = batch if batched else None
    found = choose_genes(X, y, 40, batches)
    variable = variable_genes(X, 30, batches)
    assert np.isin(variable, found).all()
    assert np.array_equal(found, np.unique(found))
    assert len(found) == 40
    others = np.setdiff1d(found, variable)
    scores = _scores(X, y, batches)
    assert scores[others].min() >= np.delete(scores, found).max()


@pytest.mark.parametrize("n", [None, 300, 5000])
def test_all_genes(cells: Any, n: int | None):
    X, y, batch = cells
    np.testing.assert_array_equal(choose_genes(X, y, n, batch), np.arange(300))
    np.testing.assert_array_equal(genes_from(_gathered(X, y, batch, 100), n), np.arange(300))


@pytest.mark.slow
@pytest.mark.parametrize("form", ["dense", "csr"])
@pytest.mark.parametrize("batched", [False, True])
def test_blocks_choose_the_genes_of_the_whole(cells: Any, batched: bool, form: str):
    X, y, batch = cells
    batches = batch if batched else None
    matrix = FORMS[form](X)
    wanted = {n: choose_genes(matrix, y, n, batches) for n in (1, 2, 3, 40, 151, 299)}
    for size in (1, 37, 1000):
        statistics = _gathered(matrix, y, batches, size)
        for n, genes in wanted.items():
            assert len(genes) == n
            np.testing.assert_array_equal(genes_from(statistics, n), genes)


@pytest.mark.parametrize("batched", [False, True])
def test_neither_format_nor_order_matters(cells: Any, batched: bool):
    X, y, batch = cells
    batches = batch if batched else None
    before = X.copy()
    found = choose_genes(X, y, 40, batches)
    for form in FORMS.values():
        np.testing.assert_array_equal(choose_genes(form(X), y, 40, batches), found)
    rng = np.random.default_rng(1)
    genes, rows = rng.permutation(X.shape[1]), rng.permutation(len(y))
    np.testing.assert_array_equal(np.sort(genes[choose_genes(X[:, genes], y, 40, batches)]), found)
    moved = choose_genes(X[rows], y[rows], 40, None if batches is None else batches[rows])
    np.testing.assert_array_equal(moved, found)
    np.testing.assert_array_equal(X, before)


def test_twins_are_taken_in_order(cells: Any):
    X, y, batch = cells
    twins = np.repeat(X[:, :150], 2, axis=1)
    for form in ("dense", "csr"):
        scores = _scores(FORMS[form](twins), y, batch)
        np.testing.assert_array_equal(scores[::2], scores[1::2])
        for n in (41, 150):
            found = choose_genes(FORMS[form](twins), y, n, batch)
            assert len(found) == n
            np.testing.assert_array_equal(genes_from(_gathered(FORMS[form](twins), y, batch, 90), n), found)


def test_cells_without_a_label_have_a_say_in_how_genes_vary_alone(cells: Any):
    X, y, batch = cells
    known = np.arange(len(y)) % 2 == 0
    found = choose_genes(X[known], y[known], 40, batch[known], unlabelled=X[~known], unlabelled_batch=batch[~known])
    order = np.concatenate([np.flatnonzero(known), np.flatnonzero(~known)])
    variable = variable_genes(X[order], 30, batch[order])
    assert np.isin(variable, found).all()
    scores = _scores(X[known], y[known], batch[known])
    assert scores[np.setdiff1d(found, variable)].min() >= np.delete(scores, found).max()


def test_counts_are_logged_first_and_left_as_they_are(cells: Any):
    _, y, batch = cells
    counts = np.random.default_rng(0).poisson(1.0 + 3 * (y == y[0])[:, None], (len(y), 300)).astype(np.float32)
    for form in ("dense", "csr"):
        X = FORMS[form](counts)
        found = choose_genes(X, y, 40, batch, counts=True)
        np.testing.assert_array_equal(found, choose_genes(log_of_counts(X), y, 40, batch))
        np.testing.assert_array_equal(X.toarray() if sparse.issparse(X) else X, counts)


def test_a_method_sees_the_chosen_genes(cells: Any):
    X, y, batch = cells
    names = np.array([f"g{i}" for i in range(300)])
    model = OnChosenGenes(NearestCentroid, 40).fit(X, y, genes=names, batch=batch)
    np.testing.assert_array_equal(model.columns, choose_genes(X, y, 40, batch))
    assert model.predict_proba(X).shape == (len(y), 4)


def test_what_does_not_fit_is_refused(cells: Any):
    X, y, _ = cells
    statistics = TypeStatistics.of(X, y)
    assert statistics is not None
    codes = np.zeros(len(y), int)
    with pytest.raises(InputError, match="do not fit"):
        statistics.update(X[:, 1:], codes, codes)
    with pytest.raises(InputError, match="do not fit"):
        statistics.update(X, codes, codes[1:])
    with pytest.raises(InputError, match="do not combine"):
        statistics.merge(TypeStatistics.empty(2, 1, 300))
    with pytest.raises(InputError, match="no cells"):
        genes_from(GeneStatistics.empty(4, 3, 300), 40)
