"""The losses of a training are kept with the result, the model and its file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import anndata as ad
import numpy as np
import pytest

import sc_annotate as sca
from sc_annotate._core import registry
from sc_annotate.annotators.nearest_centroid import NearestCentroid
from sc_annotate.errors import InputError, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from anndata import AnnData

COLUMNS = ["network", "epoch", "loss", "held_out_loss"]


@pytest.fixture
def deep() -> Iterator[str]:
    """A method that leaves the losses of two networks."""

    @sca.register_annotator("stand_in")
    @dataclass
    class StandIn(NearestCentroid):
        deep: ClassVar[bool] = True

        def fit(self, X: Any, y: Any, **kwargs: Any) -> Any:
            pairs = [(i, j) for i in (0, 1) for j in (1, 2, 3)]
            self.history_ = [{"network": float(i), "epoch": float(j), "loss": 1.0 / j} for i, j in pairs]
            for row in self.history_[3:]:
                row["held_out_loss"] = 2 * row["loss"]
            return super().fit(X, y, **kwargs)

    yield "stand_in"
    registry.unregister("annotation", "stand_in")


@pytest.fixture
def data() -> AnnData:
    return sca.datasets.simulate_reference(120, 60, 3, rng=0)


def test_it_is_kept_everywhere(deep: str, data: AnnData, tmp_path: Path) -> None:
    model = sca.tl.fit_annotator(data, "cell_type", method=deep, cv=0, trust=None)
    expected = sca.get.history(model)
    assert expected.columns.tolist() == COLUMNS
    assert expected["network"].tolist() == [1, 1, 1, 2, 2, 2]
    assert expected["epoch"].tolist() == [1, 2, 3] * 2
    assert expected["held_out_loss"].isna().tolist() == [True] * 3 + [False] * 3
    again = sca.load(model.save(tmp_path / "model.safetensors"))
    assert again.id == model.id
    sca.tl.annotate(query := data[:30].copy(), again)
    query.write_h5ad(tmp_path / "query.h5ad")
    query.write_zarr(tmp_path / "query.zarr")
    read = [ad.read_h5ad(tmp_path / "query.h5ad"), ad.read_zarr(tmp_path / "query.zarr")]
    for each in (again, query, *read):
        found = sca.get.history(each)
        assert found.dtypes.astype(str).tolist() == ["int64", "int64", "float64", "float64"]
        np.testing.assert_array_equal(found, expected)
    # A copy: the stored one stays as it is.
    copy = sca.get.history(query)
    copy["loss"] = 0.0
    np.testing.assert_array_equal(sca.get.history(query), expected)
    assert len(sca.pl.training(again, show=False).get_lines()) == len(sca.pl.training(query, show=False).get_lines())


def test_a_model_has_no_key(deep: str, data: AnnData) -> None:
    model = sca.tl.fit_annotator(data, "cell_type", method=deep, cv=0, trust=None)
    for call in (sca.get.history, sca.pl.training):
        with pytest.raises(InputError, match="key='annotation' names a result in an AnnData"):
            call(model, "annotation")


def test_other_methods_have_none(data: AnnData) -> None:
    model = sca.tl.fit_annotator(data, "cell_type", method="nearest_centroid", cv=0, trust=None)
    sca.tl.annotate(query := data[:30].copy(), model)
    assert model.history is None
    assert "history" not in query.uns["annotation"]
    for each in (model, query):
        with pytest.raises(StorageError, match="'nearest_centroid'.* no training history"):
            sca.get.history(each)


@pytest.mark.slow
def test_networks_leave_theirs(data: AnnData) -> None:
    pytest.importorskip("lightning")
    kwargs = {"epochs": 3, "hidden": 4, "n_networks": 2, "patience": 3}
    model = sca.tl.fit_annotator(data, "cell_type", method="mlp_torch", method_kwargs=kwargs, cv=0, trust=None)
    found = sca.get.history(model)
    assert found["epoch"].tolist() == [1, 2, 3] * 2
    assert np.isfinite(found[["loss", "held_out_loss"]].to_numpy()).all()
