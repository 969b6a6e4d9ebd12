"""Log loss and Brier score against scikit-learn and plain loops."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as oracle

from sc_annotate import metrics
from sc_annotate.errors import InputError, LabelError

CLASSES = ["T", "B", "NK"]


def example(seed: int, dtype: type = np.float64) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return np.array(CLASSES)[rng.integers(0, 3, 50)], rng.dirichlet([1, 1, 1], 50).astype(dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_log_loss_equals_scikit_learn(dtype: type) -> None:
    y, proba = example(0, dtype)
    order = np.argsort(CLASSES)
    expected = oracle.log_loss(y, example(0)[1][:, order], labels=np.sort(CLASSES))
    assert metrics.log_loss(y, proba, CLASSES) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_brier_equals_its_definition(dtype: type) -> None:
    y, proba = example(1, dtype)
    expected = np.mean([sum((proba[i, j] - (CLASSES[j] == y[i])) ** 2 for j in range(3)) for i in range(50)])
    assert metrics.brier(y, proba, CLASSES) == pytest.approx(expected, rel=1e-5)


def test_certainty_and_a_type_that_no_column_has() -> None:
    sure = [[1.0, 0.0, 0.0]]
    assert metrics.log_loss(["T"], sure, CLASSES) == 0
    assert metrics.brier(["T"], sure, CLASSES) == 0
    for truth in ("B", "plasma"):
        assert metrics.log_loss([truth], sure, CLASSES) == pytest.approx(-np.log(1e-6))
    assert metrics.brier(["B"], sure, CLASSES) == 2
    # The squared length of the probabilities, plus 1 for the truth that got nothing.
    assert metrics.brier(["plasma"], [[0.5, 0.5, 0.0]], CLASSES) == pytest.approx(1.5)


@pytest.mark.parametrize("score", [metrics.log_loss, metrics.brier])
def test_what_are_no_probabilities_is_refused(score) -> None:
    with pytest.raises(InputError, match="rows that sum to 1"):
        score(["T"], [[0.5, 0.2, 0.1]], CLASSES)
    with pytest.raises(InputError, match="0 or more"):
        score(["T"], [[1.5, -0.5, 0.0]], CLASSES)
    with pytest.raises(InputError, match="NaN"):
        score(["T"], [[np.nan, 0.5, 0.5]], CLASSES)
    with pytest.raises(InputError, match=r"\(1, 2\).*3 types"):
        score(["T"], [[0.5, 0.5]], CLASSES)
    with pytest.raises(InputError, match="y has 2 cells but proba has 1"):
        score(["T", "B"], [[1, 0, 0]], CLASSES)
    with pytest.raises(LabelError, match="twice"):
        score(["T"], [[0.5, 0.5]], ["T", "T"])
    with pytest.raises(LabelError, match="missing"):
        score([None], [[1, 0, 0]], CLASSES)
