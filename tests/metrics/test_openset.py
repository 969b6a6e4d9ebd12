"""Scores of unseen types against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score, roc_curve

from sc_annotate import metrics
from sc_annotate.errors import InputError


@pytest.mark.parametrize("decimals", [1, 6])
def test_auroc_and_found_equal_scikit_learn(decimals: int) -> None:
    for seed in range(5):
        rng = np.random.default_rng(seed)
        unseen = rng.random(150) < 0.3
        score = np.round(rng.normal(size=150) + unseen, decimals)
        assert metrics.auroc(unseen, score) == pytest.approx(roc_auc_score(unseen, score))
        false, true, _ = roc_curve(unseen, score, drop_intermediate=False)
        for share in (0.0, 0.05, 0.2):
            assert metrics.found_at(unseen, score, share) == pytest.approx(true[false <= share].max())


def test_extremes() -> None:
    unseen = np.array([False] * 20 + [True] * 20)
    apart = np.arange(40.0)
    assert (metrics.auroc(unseen, apart), metrics.found_at(unseen, apart, 0.0)) == (1.0, 1.0)
    assert (metrics.auroc(unseen, -apart), metrics.found_at(unseen, -apart)) == (0.0, 0.0)
    # Nothing is above a threshold that is the only value.
    assert (metrics.auroc(unseen, np.ones(40)), metrics.found_at(unseen, np.ones(40))) == (0.5, 0.0)
    # One of 20 is 5 %.
    assert metrics.found_at(unseen, np.r_[np.zeros(19), 9.0, np.full(20, 5.0)], 0.05) == 1.0


@pytest.mark.parametrize("call", [metrics.auroc, metrics.found_at])
def test_bad_input(call) -> None:
    with pytest.raises(InputError, match="both kinds"):
        call([True, True], [0.1, 0.2])
    with pytest.raises(InputError, match="2 cells"):
        call([True, False], [0.1])
    with pytest.raises(InputError, match="True or False"):
        call([1, 0], [0.1, 0.2])
    with pytest.raises(InputError, match="NaN"):
        call([True, False], [0.1, np.nan])
    with pytest.raises(InputError, match="false_positive_rate"):
        metrics.found_at([True, False], [0.1, 0.2], 1.0)
