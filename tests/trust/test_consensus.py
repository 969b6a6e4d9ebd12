"""Averages, disagreement and which methods disagree against scipy and plain loops."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.spatial.distance import jensenshannon

from probabilities import simulate
from sc_annotate.errors import InputError, LabelError
from sc_annotate.trust import consensus, disagreement, pool_weights


def test_same_classes() -> None:
    a, b, c = (simulate(30, 4, seed=s)[0] for s in range(3))
    names = np.array(["T", "B", "NK", "mono"])
    found = consensus([a, b, c], [names] * 3)
    order = np.argsort(names)
    assert found.classes.tolist() == sorted(names)
    np.testing.assert_allclose(found.proba, ((a + b + c) / 3)[:, order], atol=1e-6)
    call = names[((a + b + c) / 3).argmax(axis=1)]
    assert (found.labels == call).all()
    for i, p in enumerate((a, b, c)):
        np.testing.assert_array_equal(found.disagrees[:, i], names[p.argmax(axis=1)] != call)
    assert found.knows.all()
    weighted = consensus([a, b, c], [names] * 3, weights=[2, 0, 6])
    np.testing.assert_allclose(weighted.proba, (a / 4 + 3 * c / 4)[:, order], atol=1e-6)


def test_disagreement_of_two_equals_scipy() -> None:
    """scipy gives the square root; in base 2 it lies between 0 and 1."""
    a, b = simulate(40, 5)[0], simulate(40, 5, seed=1)[0]
    expected = [jensenshannon(p, q, base=2) ** 2 for p, q in zip(a, b, strict=True)]
    np.testing.assert_allclose(disagreement([a, b]), expected, atol=1e-6)
    np.testing.assert_allclose(consensus([a, b], [list("abcde")] * 2).disagreement, expected, atol=1e-6)


def test_disagreement_from_none_to_full() -> None:
    same = simulate(10, 3)[0]
    np.testing.assert_allclose(disagreement([same] * 4), 0, atol=1e-6)
    sure = np.eye(3)
    np.testing.assert_allclose(disagreement([sure[[0]], sure[[1]], sure[[2]]]), 1)
    np.testing.assert_allclose(disagreement([sure[[0]], sure[[1]]]), 1)
    # More methods than classes: still at most 1.
    assert disagreement([sure[[0]], sure[[1]], sure[[2]], sure[[0]]])[0] == pytest.approx(0.946, abs=0.001)


def test_classes_that_only_some_have() -> None:
    knows_both = np.array([[0.0, 1.0], [0.8, 0.2]])
    knows_b = np.array([[0.9, 0.1]] * 2)  # B or T, no NK
    found = consensus([knows_both, knows_b], [["B", "NK"], ["B", "T"]])
    assert found.classes.tolist() == ["B", "NK", "T"]
    assert found.knows.tolist() == [[True, True, False], [True, False, True]]
    # NK and T are the opinion of one method each, B of both.
    expected = np.array([[0.45, 1.0, 0.1], [0.85, 0.2, 0.1]])
    np.testing.assert_allclose(found.proba, expected / expected.sum(axis=1, keepdims=True), atol=1e-6)
    assert found.labels.tolist() == ["NK", "B"]
    assert found.disagrees.tolist() == [[False, True], [False, False]]
    zero = consensus([knows_both, knows_b], [["B", "NK"], ["B", "T"]], absent="zero")
    np.testing.assert_allclose(zero.proba, [[0.45, 0.5, 0.05], [0.85, 0.1, 0.05]], atol=1e-6)
    ignored = consensus([knows_both, knows_b], [["B", "NK"], ["B", "T"]], weights=[0, 1])
    np.testing.assert_allclose(ignored.proba, [[0.9, 0, 0.1]] * 2, atol=1e-6)


@pytest.mark.parametrize("absent", ["abstain", "zero"])
def test_rows_sum_to_one(absent: str) -> None:
    a, b = simulate(50, 4)[0], simulate(50, 3, seed=1)[0].astype(np.float32)
    found = consensus([a, b], [list("abcd"), list("cxy")], absent=absent)  # type: ignore[arg-type]
    np.testing.assert_allclose(found.proba.sum(axis=1), 1, atol=1e-6)
    assert found.proba.dtype == found.disagreement.dtype == np.float32
    assert found.disagreement.max() <= 1


def test_weights_equal_a_plain_minimisation() -> None:
    true, codes = simulate(400, 4, sharpness=1)
    members = [true, simulate(400, 4, seed=9)[0], 0.7 * true + 0.3 * np.roll(true, 1, axis=1)]

    def loss(w: np.ndarray) -> float:
        w = np.exp(w) / np.exp(w).sum()
        return -np.log(sum(x * p[np.arange(400), codes] for x, p in zip(w, members, strict=True))).mean()

    found = pool_weights(members, codes)
    assert found.sum() == pytest.approx(1)
    assert loss(np.log(found + 1e-12)) <= minimize(loss, np.zeros(3), method="Nelder-Mead").fun + 1e-4
    # Not worse than the best of them, on these cells.
    assert loss(np.log(found + 1e-12)) <= min(loss(np.log(np.eye(3)[i] + 1e-12)) for i in range(3)) + 1e-6
    np.testing.assert_allclose(pool_weights([true], codes), [1])


def test_bad_input() -> None:
    a, codes = simulate(5, 3)
    names = ["a", "b", "c"]
    with pytest.raises(InputError, match="two methods"):
        consensus([a], [names])
    with pytest.raises(InputError, match="two methods"):
        consensus([a, a], [names])
    with pytest.raises(InputError, match=r"numbers of cells: \[5, 4\]"):
        consensus([a, a[:4]], [names] * 2)
    with pytest.raises(InputError, match="sum to 1"):
        consensus([a, a / 2], [names] * 2)
    with pytest.raises(InputError, match="absent"):
        consensus([a, a], [names] * 2, absent="ignore")  # type: ignore[arg-type]
    for weights in ([1], [1, -1], [0, 0], [1, np.nan]):
        with pytest.raises(InputError, match="weights"):
            consensus([a, a], [names] * 2, weights=weights)
    for bad in (["a", "b"], ["a", "b", "b"]):
        with pytest.raises(LabelError, match="method 1"):
            consensus([a, a], [names, bad])
    for few in ([a], [a, a[:4]]):
        with pytest.raises(InputError, match="two methods"):
            disagreement(few)
    for none in ([], [a, a[:4]]):
        with pytest.raises(InputError, match="weights need"):
            pool_weights(none, codes)
