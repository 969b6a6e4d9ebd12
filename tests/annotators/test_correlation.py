from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from scipy.stats import spearmanr

from sc_annotate.annotators._spearman import pair_markers, spearman
from sc_annotate.annotators.correlation import Correlation
from sc_annotate.errors import MethodError
from sc_annotate.testing import easy_task


def test_spearman_against_scipy():
    rng = np.random.default_rng(0)
    cells = rng.poisson(1.0, size=(7, 40)).astype(np.float32)  # many ties
    profiles = rng.normal(size=(3, 40))
    expected = [[spearmanr(c, p).statistic for p in profiles] for c in cells]
    np.testing.assert_allclose(spearman(cells, profiles), expected, atol=1e-12)
    assert spearman(np.zeros((1, 40)), profiles).tolist() == [[0, 0, 0]]
    assert spearman(cells[:0], profiles).shape == (0, 3)


def test_pair_markers():
    profiles = np.array([[3.0, 0.0, 1.0], [0.0, 2.0, 1.0]])
    markers = pair_markers(profiles, 2)
    assert markers[0, 1].tolist() == [0, -1]
    assert markers[1, 0].tolist() == [1, -1]
    assert (markers[0, 0] == -1).all()


@pytest.mark.parametrize("change", [np.sqrt, np.expm1, lambda x: 0.3 * x**3 + x])
def test_only_the_order_of_genes_matters(change):
    task = easy_task()
    model = Correlation().fit(task.X, task.y, genes=task.genes)
    cells = np.round(task.test_X, 2)  # so that rounding makes no new ties
    changed = change(cells.astype(np.float64)).astype(np.float32)
    np.testing.assert_allclose(model.predict_proba(changed), model.predict_proba(cells), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(
        model.predict_proba(csr_matrix(changed)), model.predict_proba(cells), rtol=1e-5, atol=1e-7
    )


def close_types():
    """Two types apart in a few genes, a third far from both."""
    rng = np.random.default_rng(3)
    base = rng.gamma(2.0, 1.0, size=80)
    profiles = np.array([base, base, rng.permutation(base)])
    profiles[0, :4] += 2
    profiles[1, 4:8] += 2
    y = np.repeat(["a", "b", "c"], 40)
    X = np.maximum(profiles[np.repeat(np.arange(3), 40)] + rng.normal(0, 3.0, size=(120, 80)), 0)
    return X.astype(np.float32), y


def test_fine_tuning_against_a_plain_loop():
    X, y = close_types()
    model = Correlation(tune_gap=0.1, n_markers=15).fit(X, y, genes=np.arange(80).astype(str))

    def plain(cell):
        types = [0, 1, 2]
        while True:
            genes = np.unique(model.markers_[np.ix_(types, types)])
            genes = genes[genes >= 0]
            rho = np.array([spearmanr(cell[genes], model.profiles_[t, genes]).statistic for t in types])
            kept = [t for t, r in zip(types, rho, strict=True) if r >= rho.max() - 0.1]
            if len(kept) in (1, len(types)):
                return types[int(rho.argmax())]
            types = kept

    P = model.predict_proba(X)
    calls = P.argmax(axis=1)
    assert calls.tolist() == [plain(cell) for cell in X]
    once = Correlation(tune_gap=0.0, n_markers=15).fit(X, y, genes=np.arange(80).astype(str)).predict_proba(X)
    assert (calls != once.argmax(axis=1)).any()
    np.testing.assert_allclose(P[:, 2], once[:, 2], atol=1e-6)  # what lies outside the group keeps its probability


def test_types_with_one_profile_share_the_cells():
    X, _ = close_types()
    same = np.vstack([X[:10], X[:10]])
    y = np.repeat(["a", "b"], 10)
    P = Correlation().fit(same, y, genes=np.arange(80).astype(str)).predict_proba(same)
    np.testing.assert_allclose(P, 0.5)


def test_wrong_gap():
    task = easy_task()
    with pytest.raises(MethodError, match="tune_gap"):
        Correlation(tune_gap=-0.1).fit(task.X, task.y, genes=task.genes)
