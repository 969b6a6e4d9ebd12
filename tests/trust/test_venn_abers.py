"""Venn-Abers against its definition and the venn-abers package."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression

from probabilities import simulate
from sc_annotate.errors import InputError
from sc_annotate.trust import VennAbers


def by_definition(score: np.ndarray, own: np.ndarray, new: float) -> tuple[float, float]:
    """Isotonic regression with the new cell added, first as one of the others, then as one of the class."""
    values = []
    for label in (0, 1):
        x, y = np.append(score, new), np.append(own, label)
        values.append(float(IsotonicRegression().fit(x, y).predict([new])[0]))
    return values[0], values[1]


@pytest.mark.parametrize("merge", ["mean", "minimax"])
@pytest.mark.parametrize("decimals", [1, None])
def test_equals_its_definition(merge: str, decimals: int | None) -> None:
    proba, codes = simulate(60, 3, decimals=decimals)
    new = np.vstack([simulate(20, 3, seed=1)[0], proba[:5], np.eye(3)])
    expected = np.empty_like(new)
    for i, j in np.ndindex(*new.shape):
        p0, p1 = by_definition(proba[:, j], codes == j, new[i, j])
        expected[i, j] = (p0 + p1) / 2 if merge == "mean" else p1 / (1 - p0 + p1)
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(VennAbers(merge).fit(proba, codes).transform(new), expected, atol=1e-6)


@pytest.mark.parametrize("k", [2, 4])
def test_equals_the_package(k: int) -> None:
    """One against the rest, merged by ``p1 / (1 - p0 + p1)``, rows divided by their sums."""
    package = pytest.importorskip("venn_abers.venn_abers")
    proba, codes = simulate(300, k)
    new, _ = simulate(200, k, seed=1)
    with np.errstate(all="ignore"):
        expected, pairs = package.predict_proba_prefitted_va(proba, codes, new, va_tpe="one_vs_rest")
    model = VennAbers("minimax").fit(proba, codes)
    np.testing.assert_allclose(model.transform(new), expected, atol=1e-6)
    for j, table in enumerate(model.tables_):
        p = model._look_up(table, new[:, j])
        np.testing.assert_allclose(p, pairs[j][:, 1] / (1 - pairs[j][:, 0] + pairs[j][:, 1]), atol=1e-9)


def test_many_scores_are_merged() -> None:
    proba, codes = simulate(5000, 2)
    model = VennAbers().fit(proba, codes)
    assert all(900 < table[0].size <= 1000 for table in model.tables_)
    errors = []
    for new in simulate(20, 2, seed=1)[0]:
        p0, p1 = by_definition(proba[:, 0], codes == 0, new[0])
        errors.append(abs(model.transform(new[None])[0, 0] - (p0 + p1) / 2))
    assert np.mean(errors) < 0.01
    assert max(errors) < 0.03


def test_bad_merge() -> None:
    with pytest.raises(InputError, match="merge"):
        VennAbers("best").fit(*simulate(5))  # type: ignore[arg-type]
