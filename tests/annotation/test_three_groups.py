"""Cells that are learned from, that end the training, and that are scored and calibrated on: no cell is in two groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import sc_annotate as sca
from sc_annotate import metrics
from sc_annotate.annotation import learn_trust
from sc_annotate.trust import make_calibrator

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray


@pytest.fixture
def data() -> AnnData:
    return sca.datasets.simulate_reference(300, 60, 3, n_batches=5, rng=0)


def rows(X: Any) -> NDArray[np.void]:
    """Cells by their values, which no two share."""
    dense = np.ascontiguousarray(X.toarray() if hasattr(X, "toarray") else X, dtype=np.float32)
    return dense.view(np.dtype((np.void, dense.itemsize * dense.shape[1]))).ravel()


@pytest.mark.slow
@pytest.mark.parametrize("batch_key", [None, "batch"])
@pytest.mark.parametrize("trust", ["temperature", sca.trust.Options(scheme="split")], ids=["folds", "split"])
def test_the_groups_are_disjoint(
    data: AnnData, monkeypatch: pytest.MonkeyPatch, batch_key: str | None, trust: Any
) -> None:
    pytest.importorskip("lightning")
    from sc_annotate.annotators.torch_mlp import TorchMLP
    from sc_annotate.neural import training

    fits: list[dict[str, Any]] = []
    train, predict = training.train, TorchMLP.predict_proba

    def spied_train(make: Any, cells: Any, *args: Any, **kwargs: Any) -> Any:
        fits.append({"learned": rows(cells.X), "stopping": rows(kwargs["stop_on"].X)})
        return train(make, cells, *args, **kwargs)

    def spied_predict(self: Any, X: Any) -> Any:
        fits[-1].setdefault("scored", rows(X))
        return predict(self, X)

    monkeypatch.setattr(training, "train", spied_train)
    monkeypatch.setattr(TorchMLP, "predict_proba", spied_predict)
    kwargs = {"epochs": 2, "hidden": 4, "patience": 1}
    settings: dict[str, Any] = {"batch_key": batch_key, "n_top_genes": None, "trust": trust, "cv": 0}
    model = sca.tl.fit_annotator(data, "cell_type", method="mlp_torch", method_kwargs=kwargs, **settings)
    cells = rows(_values(data))
    assert len(np.unique(cells)) == data.n_obs
    batch = dict(zip(cells.tolist(), data.obs["batch"].astype(str), strict=True))
    folds = [fit for fit in fits if "scored" in fit]
    assert len(folds) == (1 if not isinstance(trust, str) else 5)
    for fit in folds:
        groups = [set(fit[name].tolist()) for name in ("learned", "stopping", "scored")]
        assert sum(map(len, groups)) == len(set.union(*groups)) == data.n_obs
        assert min(map(len, groups)) > 0
        if batch_key is not None:
            # Whole batches, where there are at least three to learn from.
            found = [{batch[cell] for cell in group} for group in groups]
            assert sum(map(len, found)) == len(set.union(*found)) == 5
    assert model.trust is not None
    scored = np.concatenate([fit["scored"] for fit in folds])
    assert model.trust.report["n_cells"] == len(np.unique(scored))
    if not isinstance(trust, str):
        # The model itself never sees the cells that calibrate it.
        last = set(np.concatenate([fits[-1]["learned"], fits[-1]["stopping"]]).tolist())
        assert not last & set(scored.tolist())


def _values(data: AnnData) -> Any:
    """What a method is given: log1p of counts per 10,000."""
    from sc_annotate._data.matrix import MatrixRequest
    from sc_annotate._data.read import open_input
    from sc_annotate.annotation.requests import FitRequest
    from sc_annotate.annotation.training import labelled_cells, read_training

    fit, matrix = FitRequest(labels_key="cell_type"), MatrixRequest()
    found = open_input(data, matrix)
    return read_training(
        data, found, labelled_cells(data, fit, found, what="adata"), matrix, wanted="log", what="adata"
    ).X


@pytest.mark.parametrize("method", ["temperature", "isotonic", "venn_abers"])
def test_the_reported_error_is_of_cells_that_the_calibrator_did_not_see(
    data: AnnData, monkeypatch: pytest.MonkeyPatch, method: Any
) -> None:
    seen: dict[str, Any] = {}
    learn = learn_trust.learn_trust

    def spied(own: Any, *args: Any, **kwargs: Any) -> Any:
        seen["own"] = own
        return learn(own, *args, **kwargs)

    monkeypatch.setattr("sc_annotate.annotation.learn.learn_trust", spied)
    model = sca.tl.fit_annotator(data, "cell_type", method="nearest_centroid", trust=method, batch_key="batch")
    assert model.trust is not None
    own = seen["own"]
    truth = np.searchsorted(own.classes, own.y)
    expected = np.empty_like(own.proba)
    for fold in np.unique(own.fold):
        others = own.fold != fold
        calibrator = make_calibrator(method).fit(own.proba[others], truth[others])
        expected[~others] = calibrator.transform(own.proba[~others])
    scores = model.trust.report["scores"].set_index("probabilities")
    reported = scores.loc["calibrated", "expected_calibration_error"]
    assert reported == pytest.approx(metrics.expected_calibration_error(own.y, expected, own.classes), abs=1e-6)
