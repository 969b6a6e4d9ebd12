"""The models of scvi-tools as annotators: the contract, what they refuse, and that they leave no traces."""

from __future__ import annotations

import logging
import random
import signal
import sys
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from sc_annotate.annotators._scvi_cells import Side, prepare
from sc_annotate.errors import InputError, LabelError, MatrixError, MethodError, MissingExtraError
from sc_annotate.testing import check_annotator

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("scvi")

from sc_annotate.annotators.scvi_latent import ScVI
from sc_annotate.annotators.scvi_resolvi import ResolVI, neighbours
from sc_annotate.annotators.scvi_scanvi import ScANVI
from sc_annotate.annotators.scvi_totalanvi import TotalANVI
from sc_annotate.neural import scvi_tools

SMALL: dict[type[Any], dict[str, Any]] = {
    ScANVI: {"epochs": 15, "classifier_epochs": 8, "n_hidden": 16, "learning_rate": 1e-2},
    ScVI: {"epochs": 20, "n_hidden": 16, "learning_rate": 1e-2},
    TotalANVI: {"epochs": 40, "classifier_epochs": 10, "n_hidden": 16, "n_latent": 5, "learning_rate": 1e-2},
    ResolVI: {"epochs": 30, "n_hidden": 8, "learning_rate": 1e-2},
}
SURGERY = {**SMALL[ScANVI], "surgery": True, "query_epochs": 5}
KINDS = [*SMALL.items(), (ScANVI, SURGERY)]
NAMES = ["scanvi", "scvi", "totalanvi", "resolvi", "surgery"]


def cells(n: int, seed: int = 0) -> dict[str, Any]:
    """Counts of three types, each with five genes and one protein of its own, and a place; the last gene is nowhere."""
    draw, code = np.random.default_rng(seed), np.arange(n) % 3
    means = np.ones((3, 20))
    for i in range(3):
        means[i, 5 * i : 5 * i + 5] = 6
    means[:, -1] = 0
    return {
        "X": csr_matrix(draw.poisson(means[code]).astype(np.float32)),
        "y": np.array(["B", "Unknown", "unlabelled"])[code],
        "protein_key": draw.poisson(20 * np.eye(3)[code] + 1).astype(np.float32),
        "spatial_key": np.column_stack([10 * code, code]) + draw.normal(size=(n, 2)),
    }


KNOWN, ASKED = cells(60), cells(24, 1)
GENES = np.array([f"g{i}" for i in range(20)])


def fit(cls: type[Any], params: dict[str, Any], known: Any = None, asked: Any = None, **more: Any) -> Any:
    known, asked = known or KNOWN, asked or ASKED
    obsm, query_obsm = ({name: side[name] for name in cls.obsm_params} for side in (known, asked))
    given = {"query": asked["X"], "obsm": obsm, "query_obsm": query_obsm, **more}
    return cls(**params).fit(known["X"], known["y"], genes=GENES, **given)


def right(model: Any) -> float:
    return float((model.classes_[model.predict_query().argmax(axis=1)] == ASKED["y"]).mean())


@pytest.mark.once
@pytest.mark.slow
@pytest.mark.parametrize(("cls", "params"), KINDS, ids=NAMES)
def test_the_contract_is_kept(cls: type[Any], params: dict[str, Any]) -> None:
    # A dozen fits; how well they learn is the matter of the next test.
    check_annotator(cls, **{name: n // 2 if name.endswith("epochs") else n for name, n in params.items()})


@pytest.mark.slow
@pytest.mark.parametrize(("cls", "params"), KINDS, ids=NAMES)
def test_types_are_told_apart_and_the_losses_kept(cls: type[Any], params: dict[str, Any]) -> None:
    model = fit(cls, params)
    assert right(model) > 0.8
    assert {"network", "epoch", "loss"} == model.history_[0].keys()
    numbers = {"epochs": 0, "classifier_epochs": 1, "query_epochs": 2}
    for name, network in numbers.items():
        epochs = [row["epoch"] for row in model.history_ if row["network"] == network]
        assert epochs == list(range(1, params.get(name, 0) + 1))


@pytest.mark.slow
@pytest.mark.parametrize(("cls", "params"), [KINDS[0], KINDS[1], KINDS[4]], ids=["scanvi", "scvi", "surgery"])
def test_other_cells_go_through_the_encoder(cls: type[Any], params: dict[str, Any]) -> None:
    model = fit(cls, params)
    # With surgery the query is one batch here, so that this is its batch.
    np.testing.assert_allclose(model.predict_proba(ASKED["X"]), model.predict_query(), atol=1e-6)
    proba = model.predict_proba(cells(9, 5)["X"])
    np.testing.assert_allclose(model.predict_proba(cells(9, 5)["X"][:1]), proba[:1], atol=1e-6)
    assert model.predict_proba(ASKED["X"][:0]).shape == (0, 3)
    assert np.allclose(model.predict_proba(np.zeros((1, 20), np.float32)), 1 / 3)
    with pytest.raises(MethodError, match="X holds 0.5"):
        model.predict_proba(np.full((1, 20), 0.5, np.float32))


@pytest.mark.slow
@pytest.mark.parametrize(("cls", "needs"), [(TotalANVI, "proteins"), (ResolVI, "places")])
def test_what_counts_do_not_hold_is_said(cls: type[Any], needs: str) -> None:
    model = fit(cls, {**SMALL[cls], "epochs": 2})
    with pytest.raises(MethodError, match=needs):
        model.predict_proba(ASKED["X"])


@pytest.mark.slow
def test_probabilities_are_those_of_scvi_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is read off the networks is what the public methods of the models return."""
    kept: list[Any] = []
    train = scvi_tools.train

    def keep(model: Any, *args: Any, **more: Any) -> Any:
        kept.append(model)
        return train(model, *args, **more)

    monkeypatch.setattr(scvi_tools, "train", keep)
    monkeypatch.setattr(scvi_tools, "forget", lambda before: None)
    model = fit(ScANVI, SMALL[ScANVI])
    theirs = kept[-1].predict(indices=np.arange(60, 84), soft=True).to_numpy()
    np.testing.assert_allclose(model.predict_query(), theirs, atol=1e-5)
    model = fit(ResolVI, {**SMALL[ResolVI], "epochs": 100})
    with scvi_tools.scvi_as_before(0):
        theirs = kept[-1].predict(indices=np.arange(60, 84), soft=True, num_samples=200).to_numpy()
    np.testing.assert_allclose(model.predict_query(), theirs, atol=0.15)


@pytest.mark.slow
@pytest.mark.parametrize(("cls", "params"), KINDS, ids=NAMES)
def test_cells_without_counts_get_the_shares_of_the_types(cls: type[Any], params: dict[str, Any]) -> None:
    short = {**params, **{name: 2 for name in params if name.endswith("epochs")}}
    known, asked = dict(KNOWN), dict(ASKED)
    dense = KNOWN["X"].toarray()
    dense[KNOWN["y"] == "B"] = 0
    known["X"] = dense
    dense = ASKED["X"].toarray()
    dense[5] = 0
    asked["X"] = dense
    proba = fit(cls, short, known, asked).predict_query()
    assert np.allclose(proba[5], 1 / 3)
    # Nothing could be learned of a type without counts.
    assert not np.delete(proba[:, 0], 5).any()
    assert np.allclose(fit(cls, short, KNOWN, {**ASKED, "X": 0 * dense}).predict_query(), 1 / 3)


@pytest.mark.slow
@pytest.mark.parametrize(("cls", "params"), KINDS, ids=NAMES)
def test_a_batch_of_one_cell_and_one_that_both_sides_have(cls: type[Any], params: dict[str, Any]) -> None:
    short = {**params, **{name: 2 for name in params if name.endswith("epochs")}}
    batch = np.array(["one", *["two"] * 59])
    own = np.array(["two"] * 23 + ["three"])
    assert np.isfinite(fit(cls, short, batch=batch, query_batch=own).predict_query()).all()
    few = {name: values[:1] for name, values in ASKED.items()}
    assert fit(cls, short, asked=few, batch=batch).predict_query().shape == (1, 3)


def _state() -> dict[str, Any]:
    import pyro
    import scvi
    import torch

    loggers = [logging.getLogger(name) for name in (None, "scvi", "pyro", "lightning.pytorch")]
    return {
        "numpy": str(np.random.get_state()),  # noqa: NPY002
        "python": random.getstate(),
        "torch": torch.random.get_rng_state().tolist(),
        "cudnn": (torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic),
        "threads": torch.get_num_threads(),
        "denormal": (torch.tensor(1e-30) * 1e-10).item(),
        "seed": scvi.settings.seed,
        "parameters": sorted(pyro.get_param_store().keys()),
        "loggers": [(each.level, len(each.handlers), each.propagate) for each in loggers],
        "filters": list(warnings.filters),
        "signal": signal.getsignal(signal.SIGINT),
        "out": (sys.stdout, sys.stderr),
    }


@pytest.mark.slow
@pytest.mark.parametrize(("cls", "params"), KINDS, ids=NAMES)
def test_nothing_global_changes(
    cls: type[Any],
    params: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    import pyro
    import scvi
    import torch

    monkeypatch.chdir(tmp_path)
    pyro.param("of_the_user", torch.ones(2))
    random.seed(3)
    kept = [keys for _, keys in scvi_tools.kept_cells(scvi)]
    before = _state()
    try:
        fit(cls, {**params, **{name: 2 for name in params if name.endswith("epochs")}})
        assert _state() == before
    finally:
        pyro.clear_param_store()
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr().out == ""
    # scvi-tools keeps the cells of each model that it is not told to forget.
    assert [keys for _, keys in scvi_tools.kept_cells(scvi)] == kept


@pytest.mark.once
@pytest.mark.slow
@pytest.mark.parametrize(("cls", "params"), KINDS[:4], ids=NAMES[:4])
def test_ctrl_c_is_raised(cls: type[Any], params: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    from sc_annotate.neural.callbacks import Losses

    def stop(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    import scvi

    before = _state()
    monkeypatch.setattr(Losses, "on_train_epoch_end", stop)
    kept = [keys for _, keys in scvi_tools.kept_cells(scvi)]
    with pytest.raises(KeyboardInterrupt):
        fit(cls, params)
    assert _state() == before
    assert [keys for _, keys in scvi_tools.kept_cells(scvi)] == kept


@pytest.mark.slow
def test_more_units_than_memory_are_refused() -> None:
    with pytest.raises(MethodError, match="does not fit into memory"):
        fit(ScANVI, {"n_hidden": 10**13})


@pytest.mark.slow
def test_numbers_of_numpy_are_as_those_of_python() -> None:
    small = {"epochs": 3, "classifier_epochs": 2, "n_hidden": 8, "batch_size": 20}
    plain, other = (fit(ScANVI, {name: kind(n) for name, n in small.items()}) for kind in (int, np.int64))
    assert np.array_equal(plain.predict_query(), other.predict_query())


@pytest.mark.once
@pytest.mark.slow
def test_what_diverges_is_said() -> None:
    with pytest.raises(MethodError, match="learning_rate"):
        fit(ScANVI, {**SMALL[ScANVI], "learning_rate": 1e12})


@pytest.mark.parametrize(
    ("cls", "wrong"),
    [
        (ScANVI, {"n_latent": 0}),
        (ScANVI, {"n_layers": 1.5}),
        (ScVI, {"n_hidden": -1}),
        (ScVI, {"epochs": 0}),
        (ScVI, {"learning_rate": 0}),
        (ScVI, {"batch_size": 1}),
        (ScVI, {"C": 0}),
        (ScANVI, {"classifier_epochs": 0}),
        (ScANVI, {"n_samples_per_label": "all"}),
        (ScANVI, {"surgery": "yes"}),
        (ScANVI, {"query_epochs": 10}),
        (ScANVI, {"query_epochs": 0, "surgery": True}),
        (TotalANVI, {"protein_key": ""}),
        (TotalANVI, {"protein_key": None}),
        (TotalANVI, {"classifier_epochs": -1}),
        (ResolVI, {"spatial_key": 3}),
    ],
)
def test_hyperparameters_are_refused_by_name(cls: type[Any], wrong: dict[str, Any]) -> None:
    with pytest.raises(MethodError, match=next(iter(wrong))):
        fit(cls, wrong)


@pytest.mark.parametrize(
    ("error", "words", "more"),
    [
        (MethodError, "cells to be annotated", {"query": None}),
        (MethodError, r"X holds 1\.5", {"X": 1.5 * np.ones((60, 20), np.float32)}),
        (MethodError, r"query holds -1", {"query": -np.ones((24, 20), np.float32)}),
        (MatrixError, "NaN", {"X": np.full((60, 20), np.nan, np.float32)}),
        (
            LabelError,
            "at least 2 types",
            {"X": np.eye(60, 20, dtype=np.float32)[::-1] * (np.arange(60) == 59)[:, None]},
        ),
        (InputError, "query_batch has 2 entries", {"query_batch": np.array(["a", "b"])}),
        (MethodError, "obsm must have an entry", {"obsm": {"protein_key": KNOWN["protein_key"]}}),
    ],
)
def test_bad_input(error: type[Exception], words: str, more: dict[str, Any]) -> None:
    given = {"query": ASKED["X"], **more}
    with pytest.raises(error, match=words):
        ScANVI().fit(given.pop("X", KNOWN["X"]), KNOWN["y"], genes=GENES, **given)


@pytest.mark.parametrize(
    ("cls", "words", "own", "asked"),
    [
        (TotalANVI, "no|wrong: protein_key", None, None),
        (TotalANVI, "3 proteins and the query 2", KNOWN["protein_key"], ASKED["protein_key"][:, :2]),
        (TotalANVI, "must name counts", KNOWN["protein_key"] + 0.5, ASKED["protein_key"]),
        (TotalANVI, "must name counts", KNOWN["protein_key"], -ASKED["protein_key"]),
        (TotalANVI, "NaN", KNOWN["protein_key"] * np.nan, ASKED["protein_key"]),
        (ResolVI, "2 or 3 columns", KNOWN["spatial_key"][:, :1], ASKED["spatial_key"][:, :1]),
        (ResolVI, "60 cells x columns", KNOWN["spatial_key"][:3], ASKED["spatial_key"]),
    ],
)
def test_bad_values_of_obsm(cls: type[Any], words: str, own: Any, asked: Any) -> None:
    name = cls.obsm_params[0]
    obsm, query_obsm = ({} if side is None else {name: side} for side in (own, asked))
    with pytest.raises(MethodError, match=words):
        fit(cls, {}, obsm=obsm, query_obsm=query_obsm)


def test_a_version_without_a_model_is_said() -> None:
    import scvi

    with pytest.raises(MissingExtraError, match=f"scvi-tools {scvi.__version__}.* has no GONE.*pip install"):
        scvi_tools.external(scvi, "GONE")


def test_cells_are_joined_and_named_apart() -> None:
    def joined(own: Any, asked: Any) -> Any:
        return prepare(KNOWN["y"], GENES, Side(KNOWN["X"], own, {}), Side(ASKED["X"], asked, {}))

    known = joined(None, None)
    assert known.batches.tolist() == [0] * 60 + [1] * 24
    same = joined(["a"] * 60, ["a"] * 24)
    assert set(same.batches) == {0}
    # A batch that has the name of the default one is another.
    apart = joined(["query"] * 60, None)
    assert apart.batches.tolist() == [0] * 60 + [1] * 24
    adata = known.anndata()
    assert adata.obs["label"].cat.categories.tolist() == ["type00", "type01", "type02", "unlabelled"]
    assert (adata.obs["label"][60:] == "unlabelled").all()


def test_neighbours_in_one_place_and_of_few_cells() -> None:
    near, away = neighbours(np.zeros((14, 2)), np.zeros(14, np.intp))
    assert (near != np.arange(14)[:, None]).all()
    assert not away.any()
    near, away = neighbours(np.arange(6.0).reshape(3, 2), np.zeros(3, np.intp))
    assert (near[:, 2:] == np.arange(3)[:, None]).all()
    assert np.allclose(away[0, :2], [8, 32])
