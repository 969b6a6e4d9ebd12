"""The figures of calibration and prediction sets on 700 real blood cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

import sc_annotate as sca
from sc_annotate import metrics
from sc_annotate.annotators.logreg import LogReg
from sc_annotate.evaluation import Predictions, cross_validate, leave_one_type_out, stratified
from sc_annotate.trust import CALIBRATORS, Conformal, Familiarity, Temperature, cross_fit

if TYPE_CHECKING:
    from numpy.typing import NDArray


@pytest.fixture(scope="module")
def held_out() -> Predictions:
    """Out-of-fold probabilities of logreg."""
    adata = sca.datasets.pbmc68k()
    y = adata.obs["cell_type"].astype(str).to_numpy()
    genes = adata.var_names.to_numpy().astype(str)
    return cross_validate(LogReg, adata.X, y, stratified(y, 5), genes=genes)


@pytest.fixture(scope="module")
def codes(held_out: Predictions) -> NDArray[np.intp]:
    return np.searchsorted(held_out.classes, held_out.y)


@pytest.mark.parametrize("name", list(CALIBRATORS))
def test_calibration_error(held_out: Predictions, codes: NDArray[np.intp], name: str) -> None:
    after = cross_fit(CALIBRATORS[name], held_out.proba, codes, held_out.fold)
    assert metrics.expected_calibration_error(held_out.y, after, held_out.classes) <= 0.05
    before = metrics.log_loss(held_out.y, held_out.proba, held_out.classes)
    assert metrics.log_loss(held_out.y, after, held_out.classes) <= before + 0.03


def test_sets(held_out: Predictions, codes: NDArray[np.intp]) -> None:
    proba = cross_fit(Temperature, held_out.proba, codes, held_out.fold)
    found, by_label = [], []
    for seed in range(20):
        order = np.random.default_rng(seed).permutation(len(codes))
        a, b = order[:350], order[350:]
        sets = Conformal().fit(proba[a], codes[a]).sets(proba[b], 0.9)
        found.append(metrics.set_coverage(held_out.y[b], sets, held_out.classes))
        sets = Conformal(by="label").fit(proba[a], codes[a]).sets(proba[b], 0.9)
        enough = np.bincount(codes[a], minlength=len(held_out.classes)) >= 30
        hit = sets[np.arange(350), codes[b]]
        by_label.append([hit[codes[b] == j].mean() if enough[j] else np.nan for j in range(len(enough))])
    assert 0.88 <= np.mean([f["coverage"] for f in found]) <= 0.92
    assert np.mean([f["mean_size"] for f in found]) <= 1.3
    assert max(f["empty"] for f in found) == 0
    # What the mean hides, and what thresholds by label fix where there are cells enough.
    assert np.mean([f["worst_coverage"] for f in found]) < 0.5
    some = np.isfinite(by_label).sum(axis=0) >= 10
    assert some.sum() >= 4
    assert np.nanmin(np.nanmean(np.array(by_label)[:, some], axis=0)) >= 0.8


@pytest.mark.once
@pytest.mark.slow
def test_unseen_types_are_unfamiliar() -> None:
    """Each type of 25 cells or more left out of the reference in turn; docs/benchmarks_unfamiliar.md has more seeds."""
    adata = sca.datasets.pbmc68k()
    y = adata.obs["cell_type"].astype(str).to_numpy()
    found = {}
    for split in leave_one_type_out(y, rng=0):
        unseen = y[split.test] == split.name
        if unseen.sum() < 25:
            continue
        known = Familiarity().fit(adata.X[split.train], np.unique(y[split.train], return_inverse=True)[1])
        score = known.score(adata.X[split.test])
        flagged = known.p_values(score) < 0.05
        found[split.name] = (metrics.auroc(unseen, score), flagged[unseen].mean(), flagged[~unseen].mean())
    auroc, share, alarms = np.array(list(found.values())).T
    assert len(found) == 7
    assert auroc.mean() >= 0.92
    assert auroc.min() >= 0.83
    assert share.mean() >= 0.55
    assert alarms.mean() <= 0.07
