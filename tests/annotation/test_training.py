"""Large references: a sample is learned from, and says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anndata as ad
import numpy as np
import pytest

import sc_annotate as sca
from sc_annotate.annotation.requests import FitRequest
from sc_annotate.annotation.training import labelled_cells
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

QUICK = {"method": "nearest_centroid", "cv": 0}


@pytest.fixture(scope="module")
def atlas() -> ad.AnnData:
    """1,500 cells or so; of the rarest type there are 30."""
    adata = sca.datasets.simulate_reference(1500, 120, 4, rng=0)
    kept = np.flatnonzero(adata.obs["cell_type"] != "type_04")
    rare = np.flatnonzero(adata.obs["cell_type"] == "type_04")[:30]
    return adata[np.sort(np.concatenate([kept, rare]))].copy()


def test_a_plain_sample_with_the_rare_types_on_top(atlas: ad.AnnData) -> None:
    cells = labelled_cells(atlas, FitRequest(labels_key="cell_type", max_cells=400), what="reference")
    types = atlas.obs["cell_type"].astype(str).to_numpy()
    assert (np.diff(cells.rows) > 0).all()
    assert cells.sampled.sum() == 400
    assert (cells.y == types[cells.rows]).all()
    rarest = min(set(types), key=list(types).count)
    assert (cells.y == rarest).sum() == (types == rarest).sum()
    assert not cells.sampled[cells.y == rarest].all()
    # The plain part has the types in their own shares.
    share = (types == "type_01").mean()
    assert abs((cells.y[cells.sampled] == "type_01").mean() - share) < 4 * np.sqrt(share * (1 - share) / 400)


def test_the_model_says_so_and_scores_are_of_the_plain_sample(atlas: ad.AnnData) -> None:
    model = sca.tl.fit_annotator(atlas, "cell_type", method="nearest_centroid", cv=5, max_cells=400)
    assert any("400" in note and "max_cells" in note for note in model.provenance.notes)
    assert model.provenance.params["max_cells"] == 400
    assert model.evaluation is not None
    assert model.evaluation.n_cells == 400
    assert model.trust is not None
    assert model.trust.report["n_cells"] <= 400
    assert model.counts.sum() > 400
    whole = sca.tl.fit_annotator(atlas, "cell_type", method="nearest_centroid", cv=0, max_cells=None)
    assert whole.counts.sum() == atlas.n_obs
    assert not any("max_cells" in note for note in whole.provenance.notes)


def test_the_sample_follows_the_seed(atlas: ad.AnnData) -> None:
    models = [sca.tl.fit_annotator(atlas, "cell_type", max_cells=300, rng=seed, **QUICK) for seed in (0, 0, 1)]
    assert models[0].id == models[1].id
    assert models[0].id != models[2].id


def test_annotate_takes_it_too(atlas: ad.AnnData) -> None:
    query = atlas[::10].copy()
    sca.tl.annotate(query, atlas, "cell_type", max_cells=300, **QUICK)
    assert query.uns["annotation"]["params"]["max_cells"] == 300
    within = atlas.copy()
    within.obs["some"] = within.obs["cell_type"].astype(object).where(np.arange(within.n_obs) % 10 > 0)
    sca.tl.annotate(within, labels_key="some", max_cells=300, **QUICK)
    truth, call = (within.obs[c].astype(str)[::10] for c in ("cell_type", "annotation"))
    assert (truth == call).mean() > 0.8


@pytest.mark.parametrize("max_cells", [0, 99, 1.5, True, "all"], ids=repr)
def test_nonsense_is_refused(atlas: ad.AnnData, max_cells: object) -> None:
    with pytest.raises(InputError, match="max_cells"):
        sca.tl.fit_annotator(atlas, "cell_type", max_cells=max_cells, **QUICK)
    with pytest.raises(InputError, match="max_cells"):
        sca.tl.annotate(atlas.copy(), atlas, "cell_type", max_cells=max_cells, **QUICK)


def test_a_fitted_model_is_not_told_how_to_fit(atlas: ad.AnnData) -> None:
    model = sca.tl.fit_annotator(atlas, "cell_type", **QUICK)
    with pytest.raises(InputError, match="max_cells"):
        sca.tl.annotate(atlas.copy(), model, max_cells=300)


@pytest.mark.slow
@pytest.mark.parametrize("batch_key", [None, "batch"])
@pytest.mark.parametrize("method", ["lda", "nearest_centroid", "naive_bayes"])
def test_streams_all_cells_from_a_file(
    method: str, batch_key: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model is that of all cells in memory; scores and trust come from a sample."""
    adata = sca.datasets.simulate_reference(900, 120, 4, n_batches=3, rng=1)
    options = {"method": method, "cv": 0, "n_top_genes": 60, "max_cells": None, "batch_key": batch_key}
    whole = sca.tl.fit_annotator(adata, "cell_type", **options)
    adata.write_h5ad(tmp_path / "cells.h5ad")
    monkeypatch.setattr("sc_annotate.annotation.training.MAX_CELLS", 300)
    with sca.settings.override(block_size=128):
        backed = ad.read_h5ad(tmp_path / "cells.h5ad", backed="r")
        streamed = sca.tl.fit_annotator(backed, "cell_type", **options)
    np.testing.assert_array_equal(streamed.names["var_names"], whole.names["var_names"])
    np.testing.assert_array_equal(streamed.counts, whole.counts)
    X = np.asarray(adata[:200, whole.names["var_names"]].X.toarray())
    X = np.log1p(X * 1e4 / adata[:200].X.sum(axis=1).A1[:, None]).astype(np.float32)
    np.testing.assert_allclose(streamed.annotator.predict_proba(X), whole.annotator.predict_proba(X), atol=1e-5)
    assert streamed.trust is not None
    assert whole.trust is not None
    assert streamed.trust.report["n_cells"] == 300
    assert whole.trust.report["n_cells"] == 900
    assert any("300" in note for note in streamed.provenance.notes)


def _of_many(kind: str, adata: ad.AnnData, folder: Path) -> ad.AnnData:
    if kind == "dask":
        da = pytest.importorskip("dask.array")
        adata = adata.copy()
        adata.X = da.from_array(adata.X.toarray(), chunks=(70, 60))
        return adata
    if kind == "backed":
        adata.write_h5ad(folder / "cells.h5ad")
        return ad.read_h5ad(folder / "cells.h5ad", backed="r")
    pytest.importorskip("xarray")
    adata.write_zarr(folder / "cells.zarr")
    return ad.experimental.read_lazy(folder / "cells.zarr")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["backed", "zarr", "dask"])
def test_networks_train_on_all_cells_of_a_file(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On blocks of all cells, in the last fit alone; scores and trust come from a sample in memory."""
    pytest.importorskip("lightning")
    from sc_annotate.annotators.torch_mlp import TorchMLP
    from sc_annotate.neural.batches import StreamedBlocks

    adata = sca.datasets.simulate_reference(900, 120, 4, n_batches=3, rng=1)
    adata.obs["cell_type"] = adata.obs["cell_type"].astype(object)
    adata.obs.loc[adata.obs_names[5:25], "cell_type"] = np.nan
    options = {"method": "mlp_torch", "n_top_genes": 60, "max_cells": None, "batch_key": "batch", "cv": 0, "rng": 3}
    options["method_kwargs"] = {"epochs": 8}
    whole = sca.tl.fit_annotator(adata, "cell_type", trust=None, **options)
    if kind != "backed":
        options["trust"] = None
    trained, original = [], TorchMLP._fit
    monkeypatch.setattr(
        TorchMLP, "_fit", lambda self, cells, *rest: trained.append(cells) or original(self, cells, *rest)
    )
    monkeypatch.setattr("sc_annotate.annotation.training.MAX_CELLS", 300)
    monkeypatch.setattr("sc_annotate.annotation.training.LEAST_OF_A_TYPE", 20)
    with sca.settings.override(block_size=128):
        model = sca.tl.fit_annotator(_of_many(kind, adata, tmp_path), "cell_type", **options)
    assert [type(cells) is StreamedBlocks for cells in trained] == [False] * (len(trained) - 1) + [True]
    assert [cells.n_cells for cells in trained][-1] == 880
    assert all(cells.n_cells <= 300 for cells in trained[:-1])
    assert model.counts.sum() == 880
    np.testing.assert_array_equal(model.names["var_names"], whole.names["var_names"])
    scale, other = model.annotator.networks_[0][0], whole.annotator.networks_[0][0]
    np.testing.assert_allclose(scale.factor, other.factor, rtol=1e-6)
    np.testing.assert_allclose(scale.center, other.center, rtol=1e-5, atol=1e-7)
    query = adata[:300].copy()
    sca.tl.annotate(query, model)
    truth = adata.obs["cell_type"][:300]
    assert (query.obs["annotation"].astype(str) == truth)[truth.notna()].mean() > 0.9


def test_what_does_not_stream_is_read(atlas: ad.AnnData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    atlas.write_h5ad(tmp_path / "cells.h5ad")
    monkeypatch.setattr("sc_annotate.annotation.training.MAX_CELLS", 300)
    backed = ad.read_h5ad(tmp_path / "cells.h5ad", backed="r")
    model = sca.tl.fit_annotator(backed, "cell_type", method="knn", cv=0, max_cells=None, trust=None)
    assert model.counts.sum() == atlas.n_obs
