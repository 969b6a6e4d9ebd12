"""The shift of a query: as written out in plain loops, found where there is one, and not where only the composition differs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.special import softmax

from sc_annotate.errors import InputError
from sc_annotate.trust import estimate_shift

TYPES, GENES = 4, 30


def link(scores: Any) -> Any:
    return softmax(scores, axis=1)


def cells(counts: list[int], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cells of four types with two markers each, their types, and the means of the types."""
    means = np.full((TYPES, GENES), 0.5)
    for t in range(TYPES):
        means[t, 2 * t : 2 * t + 2] = 3
    y = np.repeat(np.arange(TYPES), counts)
    return means[y] + rng.normal(0, 0.4, (len(y), GENES)), y, means


def transcribed(X: np.ndarray, W: np.ndarray, b: np.ndarray, M: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The update, cell by cell and gene by gene."""
    Z = np.array([[sum(x[g] * W[t, g] for g in range(GENES)) + b[t] for t in range(TYPES)] for x in X])
    shift = np.zeros(GENES)
    for _ in range(8):
        taken = np.array([z - W @ shift for z in Z])
        P = np.exp(taken) / np.exp(taken).sum(axis=1, keepdims=True)
        share = P.mean(axis=0)
        for g in range(GENES):
            shift[g] = X[:, g].mean() - sum(share[t] * M[t, g] for t in range(TYPES))
    return shift, share


@pytest.mark.parametrize("counts", [[10, 10, 10, 10], [36, 2, 1, 1]])
def test_as_transcribed(counts: list[int]) -> None:
    rng = np.random.default_rng(0)
    X, _, M = cells(counts, rng)
    W, b = rng.normal(0, 0.3, (TYPES, GENES)), rng.normal(0, 1, TYPES)
    shift, share = transcribed(X, W, b, M)
    found = estimate_shift(X @ W.T + b, X.mean(axis=0), M, W, link)
    np.testing.assert_allclose(found.genes, shift, atol=1e-5)
    np.testing.assert_allclose(found.composition, share, atol=1e-6)
    np.testing.assert_allclose(found.scores, W @ shift, atol=1e-5)
    assert found.genes.dtype == np.float32
    assert found.rounds == 8
    assert found.norm == pytest.approx(np.linalg.norm(shift), rel=1e-5)
    assert found.log_odds == pytest.approx(np.ptp(W @ shift), rel=1e-5)


@pytest.mark.parametrize("counts", [[200, 200, 200, 200], [400, 20, 20, 20], [5, 5, 5, 300], [300, 0, 0, 0]])
@pytest.mark.parametrize("shifted", [False, True])
def test_a_shift_is_found_whatever_the_composition(counts: list[int], shifted: bool) -> None:
    rng = np.random.default_rng(1)
    X, y, M = cells(counts, rng)
    true = rng.normal(0, 0.7, GENES) if shifted else np.zeros(GENES)
    X = X + true
    W = 0.8 * (M - M.mean(axis=0))
    b = -0.5 * (W * (M + M.mean(axis=0))).sum(axis=1)
    found = estimate_shift(X @ W.T + b, X.mean(axis=0), M, W, link)
    np.testing.assert_allclose(found.genes, true, atol=0.2)
    np.testing.assert_allclose(found.composition, np.bincount(y, minlength=TYPES) / len(y), atol=0.02)
    right = (found.apply(X @ W.T + b).argmax(axis=1) == y).mean()
    assert right >= max(0.99, ((X @ W.T + b).argmax(axis=1) == y).mean() - 1e-9)


def test_genes_that_are_lacking_are_not_shifted() -> None:
    rng = np.random.default_rng(2)
    X, _, M = cells([20, 5, 5, 5], rng)
    present = np.arange(GENES) % 3 > 0
    X[:, ~present] = M.mean(axis=0)[~present]
    W = M - M.mean(axis=0)
    found = estimate_shift(X @ W.T, X.mean(axis=0), M, W, link, present=present)
    assert not found.genes[~present].any()
    assert found.genes[present].any()


WRONG: dict[str, dict[str, Any]] = {
    "other types": {"class_means": np.zeros((3, 2))},
    "other genes": {"mean": np.zeros(3)},
    "other coefficients": {"coef": np.zeros((2, 3))},
    "no cells": {"scores": np.zeros((0, 2))},
    "no rounds": {"rounds": 0},
    "a short mask": {"present": [True]},
}


@pytest.mark.parametrize("case", WRONG)
def test_what_does_not_fit_is_refused(case: str) -> None:
    right: dict[str, Any] = {
        "scores": np.zeros((4, 2)),
        "mean": np.zeros(2),
        "class_means": np.eye(2),
        "coef": np.eye(2),
    }
    with pytest.raises(InputError, match="must be|needs cells"):
        estimate_shift(**(right | {"link": link} | WRONG[case]))
