"""``cv="batches"``: each batch is held out in turn, or the words are refused by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import sc_annotate as sca
from sc_annotate.annotation.held_out import Candidate, held_out
from sc_annotate.annotation.held_out_cells import folds
from sc_annotate.cli.main import main
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

FAST: dict[str, Any] = {"method": "nearest_centroid", "cv": "batches"}


@pytest.fixture
def data() -> AnnData:
    return sca.datasets.simulate_reference(240, 80, 3, n_batches=4, rng=0)


@pytest.mark.parametrize(
    "trust", ["temperature", None, sca.trust.Options(scheme="split")], ids=["folds", "none", "split"]
)
def test_each_batch_is_held_out_in_turn(data: AnnData, trust: Any) -> None:
    model = sca.tl.fit_annotator(data, "cell_type", batch_key="batch", trust=trust, **FAST)
    found = model.evaluation
    assert found is not None
    assert (found.split, found.n_cells) == (
        "leave-one-batch-out cross-validation, 4 batches; mean over 4 held-out batches",
        data.n_obs,
    )
    assert model.provenance.params["cv"] == "batches"
    if trust == "temperature":
        assert model.trust is not None
        assert model.trust.report["n_cells"] == data.n_obs


def test_a_fold_is_a_batch(data: AnnData) -> None:
    from sc_annotate._data.matrix import MatrixRequest
    from sc_annotate._data.read import open_input
    from sc_annotate.annotation.requests import FitRequest
    from sc_annotate.annotation.training import labelled_cells, read_training

    fit = FitRequest(labels_key="cell_type", batch_key="batch", cv="batches")
    read, matrix = open_input(data, MatrixRequest()), MatrixRequest()
    training = read_training(
        data, read, labelled_cells(data, fit, read, what="adata"), matrix, wanted="log", what="adata"
    )
    splits = folds(training, "batches", 0)[0]
    own = held_out(training, Candidate("nearest_centroid", {}, 60), splits, 0)
    assert sorted(own.fold_names) == sorted(data.obs["batch"].astype(str).unique())
    batch = data.obs["batch"].to_numpy(str)[own.cells]
    assert batch.tolist() == [own.fold_names[f] for f in own.fold]


def test_it_is_stored_with_the_result(data: AnnData) -> None:
    query = data[:30].copy()
    sca.tl.annotate(query, data, "cell_type", batch_key="batch", **FAST)
    assert query.uns["annotation"]["baseline"]["split"].startswith("leave-one-batch-out")
    assert query.uns["annotation"]["params"]["cv"] == "batches"
    table = sca.benchmark.annotators(data, "cell_type", methods=["majority"], batch_key="batch", cv="batches")
    assert table.attrs["split"].startswith("leave-one-batch-out")


@pytest.mark.parametrize("name", ["fit_annotator", "annotate", "benchmark"])
def test_without_batches_it_is_refused(data: AnnData, name: str) -> None:
    data.obs["one"] = "a"
    query = data[:30].copy()
    before = list(query.obs)
    call: Any = {
        "fit_annotator": lambda **more: sca.tl.fit_annotator(data, "cell_type", **FAST, **more),
        "annotate": lambda **more: sca.tl.annotate(query, data, "cell_type", **FAST, **more),
        "benchmark": lambda **more: sca.benchmark.annotators(
            data, "cell_type", methods=["majority"], cv="batches", **more
        ),
    }[name]
    with pytest.raises(InputError, match="cv='batches' holds out one batch after the other and needs batch_key"):
        call()
    with pytest.raises(InputError, match="cv='batches' .* are of one batch"):
        call(batch_key="one")
    assert list(query.obs) == before


@pytest.mark.parametrize("cv", ["donors", "", "5", None, -1, 1.5, np.array([1, 2])])
def test_other_words_are_refused(data: AnnData, cv: Any) -> None:
    with pytest.raises(InputError, match="or 'batches' \\(each batch in turn\\), not "):
        sca.tl.fit_annotator(data, "cell_type", batch_key="batch", cv=cv)


def test_beside_a_fitted_model_it_is_refused(data: AnnData) -> None:
    model = sca.tl.fit_annotator(data, "cell_type", method="nearest_centroid", cv=0)
    with pytest.raises(InputError, match="cv says how a model is fitted"):
        sca.tl.annotate(data[:30].copy(), model, cv="batches")


def test_in_the_shell(data: AnnData, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data.write_h5ad(tmp_path / "reference.h5ad")
    line = ["train", str(tmp_path / "reference.h5ad"), str(tmp_path / "model.safetensors"), "--labels-key", "cell_type"]
    line += ["--method", "nearest_centroid", "--cv", "batches"]
    assert main(line) != 0
    assert "--cv 'batches' holds out" in (said := capsys.readouterr().err)
    assert "needs --batch-key" in said
    assert main([*line, "--batch-key", "batch"]) == 0
    found = sca.load(tmp_path / "model.safetensors").evaluation
    assert found is not None
    assert found.split.startswith("leave-one-batch-out")
