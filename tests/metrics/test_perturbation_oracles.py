"""Metrics of predicted profiles against scPertEval and cell-eval, on the same cells."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any, NamedTuple

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from sc_annotate import metrics

# What other packages warn about is theirs; our own warnings are errors in the other tests of these metrics.
pytestmark = pytest.mark.filterwarnings("ignore")

N, P, CELLS = 14, 60, 12
# Conditions are named after the gene they perturb, which is how cell-eval knows what to leave out.
NAMES = [f"G{c:02d}" if c < 10 else f"H{c}" for c in range(N)]


class Cells(NamedTuple):
    """Measured and predicted cells, and their means in the order of the sorted condition names."""

    real: ad.AnnData
    predicted: ad.AnnData
    control: np.ndarray
    truth: np.ndarray
    guess: np.ndarray


@pytest.fixture(scope="module")
def cells() -> Cells:
    rng = np.random.default_rng(0)
    level = rng.gamma(1.0, 1.0, P)
    effect = rng.normal(0, 0.5, (N, P)) * (rng.random((N, P)) < 0.3) + rng.normal(0, 0.3, P)
    # Near enough for some to be found among the others and far enough for some not to be.
    guessed = 0.4 * effect + rng.normal(0, 0.4, (N, P)) * rng.integers(1, 4, (N, 1))
    names = np.repeat(["control", *NAMES], CELLS)
    obs = pd.DataFrame({"perturbation": names}, index=[f"c{i}" for i in range(names.size)])
    var = pd.DataFrame(index=[f"G{g:02d}" for g in range(P)])
    noise = rng.normal(0, 0.3, (2, names.size, P))
    noise[1, :CELLS] = noise[0, :CELLS]
    shifts = [np.repeat(np.vstack([np.zeros(P), e]), CELLS, axis=0) for e in (effect, guessed)]
    real, predicted = (
        ad.AnnData(level + s + e, obs=obs.copy(), var=var.copy()) for s, e in zip(shifts, noise, strict=True)
    )
    truth, guess = (a.X[CELLS:].reshape(N, CELLS, P).mean(axis=1) for a in (real, predicted))
    return Cells(real, predicted, real.X[:CELLS].mean(axis=0), truth, guess)


# ---- scPertEval


@pytest.fixture(scope="module")
def scperteval(cells: Cells) -> Any:
    """Its scores of the predicted cells, as a function of the protocol."""
    package = pytest.importorskip("scperteval")
    prepared = package.prepare(cells.real, [], min_cells=1, workers=1)

    def score(protocol: str) -> np.ndarray:
        table = package.score(prepared, protocol, cells.predicted, de_method="t-test_overestim_var").per_perturbation
        assert table["perturbation"].tolist() == NAMES
        return table["score"].to_numpy()

    return score


def test_errors_of_the_founding_paper(cells: Cells, scperteval: Any) -> None:
    genes = metrics.top_expressed(cells.control, 20)
    ours = metrics.l2(cells.truth, cells.guess, genes=genes)
    np.testing.assert_allclose(ours, scperteval("l2_heg_k=20"), rtol=1e-10)
    ours = metrics.pearson_delta(cells.truth, cells.guess, cells.control, genes=genes)
    np.testing.assert_allclose(ours, scperteval("pearson_ctrl_heg_k=20"), rtol=1e-10)


def test_pearson_from_the_mean_of_the_others(cells: Cells, scperteval: Any) -> None:
    """scPertEval leaves each condition out of the mean that it is measured from."""
    others = (cells.truth.sum(axis=0) - cells.truth) / (N - 1)
    ours = metrics.pearson_delta(cells.truth, cells.guess, others)
    np.testing.assert_allclose(ours, scperteval("pearson_pert"), rtol=1e-10)


def test_weighted_errors(cells: Cells, scperteval: Any) -> None:
    blocks = pytest.importorskip("scperteval.blocks.de")
    measured = cells.real.X[CELLS:].reshape(N, CELLS, P)
    # Each condition against the rest of the perturbed cells.
    rest = [np.delete(measured, i, axis=0).reshape(-1, P) for i in range(N)]
    test = blocks.DE_METHODS["t-test_overestim_var"]
    t = np.array([test(a, b).statistic for a, b in zip(measured, rest, strict=True)])
    weights = metrics.de_weights(t)
    ours = metrics.weighted_mse(cells.truth, cells.guess, weights)
    np.testing.assert_allclose(ours, scperteval("wmse_exp2"), rtol=1e-10)
    ours = metrics.weighted_r2(cells.truth, cells.guess, cells.control, weights)
    np.testing.assert_allclose(ours, scperteval("weighted_r2_ctrl_exp2"), rtol=1e-10)
    t[3, 4] = np.nan
    np.testing.assert_allclose(metrics.de_weights(t), [blocks.mejia_weights(row) for row in t], rtol=1e-12)


def test_inverse_rank(cells: Cells, scperteval: Any) -> None:
    ours = metrics.inverse_rank(cells.truth, cells.guess)
    np.testing.assert_allclose(ours, scperteval("nir"), rtol=1e-10)
    # The comparison says something: not all are found, and not all alike.
    assert np.unique(ours).size > 4


# ---- cell-eval


@pytest.mark.parametrize("distance", ["l1", "l2", "cosine"])
@pytest.mark.parametrize("targets_left_out", [True, False])
def test_discrimination(cells: Cells, distance: str, targets_left_out: bool) -> None:
    package = pytest.importorskip("cell_eval")
    pair = package.PerturbationAnndataPair(
        real=cells.real, pred=cells.predicted, pert_col="perturbation", control_pert="control"
    )
    score = pytest.importorskip("cell_eval.metrics").discrimination_score
    theirs = score(pair, metric=distance, exclude_target_gene=targets_left_out)
    exclude = [np.flatnonzero(cells.real.var_names == name) for name in NAMES] if targets_left_out else None
    assert exclude is None or [len(e) for e in exclude] == [1] * 10 + [0] * 4
    ours = metrics.perturbation_discrimination(
        cells.truth, cells.guess, cells.control, exclude=exclude, distance=distance
    )
    np.testing.assert_allclose(ours, [theirs[name] for name in NAMES], rtol=1e-12)
    assert np.unique(ours).size > 4


def _table(polars: Any, change: np.ndarray, significant: np.ndarray) -> Any:
    n, p = change.shape
    fdr = np.where(significant, 0.01, 0.5).ravel()
    return polars.DataFrame(
        {
            "target": np.repeat(NAMES[:n], p),
            "feature": np.tile([f"G{g:02d}" for g in range(p)], n),
            "log2_fold_change": change.ravel(),
            "p_value": fdr,
            "fdr": fdr,
        }
    )


@pytest.mark.parametrize("seed", range(3))
def test_overlap_and_precision(seed: int) -> None:
    package = pytest.importorskip("cell_eval")
    polars = pytest.importorskip("polars")
    rng = np.random.default_rng(seed)
    change, guess = rng.normal(0, 1, (2, N, P))
    significant, called = rng.random((2, N, P)) < rng.random((2, N, 1))
    significant[4] = called[5] = False
    tables = (_table(polars, change, significant), _table(polars, guess, called))
    compared = package.initialize_de_comparison(*tables)
    # cell-eval has 0 where there is nothing to compare; ours is NaN there, but 0 for an overlap with no calls.
    undefined = {"overlap": ~significant.any(axis=1), "precision": ~significant.any(axis=1) | ~called.any(axis=1)}
    for name, ours in (
        ("overlap", metrics.overlap_at_n((change, significant), (guess, called))),
        ("precision", metrics.precision_at_n((change, significant), (guess, called))),
    ):
        theirs = compared.compute_overlap(k=None, metric=name)
        expected = np.array([theirs[c] for c in NAMES])
        np.testing.assert_array_equal(np.isnan(ours), undefined[name])
        assert (expected[undefined[name]] == 0).all()
        np.testing.assert_allclose(ours[~undefined[name]], expected[~undefined[name]], rtol=1e-12)
        assert np.unique(expected).size > 6


# ---- pertpy, an extra and no oracle: it computes the energy distance


@pytest.mark.skipif(find_spec("pertpy") is None, reason="pertpy is not installed (extra perturb)")
def test_energy_distance_equals_the_formula() -> None:
    import warnings

    from scipy.sparse import csr_matrix

    rng = np.random.default_rng(0)
    x, y = rng.normal(0, 1, (15, 4)), rng.normal(0.5, 2, (9, 4))

    def mean(a: np.ndarray, b: np.ndarray) -> float:
        return float(np.mean([[np.sqrt(((u - v) ** 2).sum()) for v in b] for u in a]))

    expected = 2 * mean(x, y) - mean(x, x) - mean(y, y)
    filters = list(warnings.filters)
    assert metrics.energy_distance(x, y) == pytest.approx(expected, rel=1e-9)
    assert metrics.energy_distance(csr_matrix(x), y) == pytest.approx(expected, rel=1e-9)
    assert warnings.filters == filters
    assert metrics.energy_distance(x, x) == pytest.approx(0.0, abs=1e-9)
    assert metrics.energy_distance([[0.0], [1.0]], [[2.0], [3.0]]) == pytest.approx(3.0)
    if find_spec("scperteval") is None:
        return
    # scPertEval leaves out the distance of a cell from itself.
    theirs = pytest.importorskip("scperteval.protocols.metrics").energy_distance(x, y, None)
    unbiased = 2 * mean(x, y) - mean(x, x) * 15 / 14 - mean(y, y) * 9 / 8
    assert theirs == pytest.approx(unbiased)
    assert theirs == pytest.approx(metrics.energy_distance(x, y) - mean(x, x) / 14 - mean(y, y) / 8)
