"""Comparisons of methods."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

import sc_annotate as sca
from comparing import same, snapshot
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from anndata import AnnData


def test_table(pbmc: AnnData) -> None:
    before = snapshot(pbmc)
    table = sca.benchmark.annotators(pbmc, "cell_type", methods=["knn", "nearest_centroid"], cv=3)
    assert same(before, snapshot(pbmc))
    assert table["method"].tolist() == ["knn", "nearest_centroid", "majority", "logreg"]
    assert table.attrs["split"] == "3-fold cross-validation, stratified by type"
    assert (table["macro_f1_low"] < table["macro_f1"]).all()
    assert (table["macro_f1"] < table["macro_f1_high"]).all()
    assert (table["seconds"] > 0).all()
    by_method = table.set_index("method")
    assert by_method.loc["majority", "accuracy"] == pytest.approx(240 / 700, abs=1e-6)
    assert by_method.loc["logreg", "difference"] == 0
    assert by_method.loc["majority", "difference_high"] < -0.5


def test_same_seed_same_table(pbmc: AnnData) -> None:
    a, b = (sca.benchmark.annotators(pbmc, "cell_type", methods=["nearest_centroid"], cv=1, rng=5) for _ in range(2))
    np.testing.assert_array_equal(a.drop(columns=["method", "seconds"]), b.drop(columns=["method", "seconds"]))


def test_parameters_reach_their_method(pbmc: AnnData) -> None:
    few, many = (
        sca.benchmark.annotators(pbmc, "cell_type", methods=["logreg"], cv=1, method_kwargs={"logreg": {"C": c}})
        for c in (1e-6, 0.3)
    )
    assert few.loc[0, "macro_f1"] < many.loc[0, "macro_f1"]


def test_batches_are_held_out_and_resampled() -> None:
    data = sca.datasets.simulate_reference(400, 200, 3, n_batches=4, rng=0)
    table = sca.benchmark.annotators(data, "cell_type", methods=["nearest_centroid"], batch_key="batch", cv=4)
    assert table.attrs["split"] == "4-fold cross-validation, whole batches held out"


def test_methods_on_counts_cannot_be_compared_here(pbmc: AnnData) -> None:
    from sc_annotate._core import registry

    @sca.register_annotator("on_counts", inputs="counts")
    class OnCounts: ...

    try:
        with pytest.raises(InputError, match="on_counts need counts"):
            sca.benchmark.annotators(pbmc, "cell_type", methods=["on_counts"])
    finally:
        registry.unregister("annotation", "on_counts")
