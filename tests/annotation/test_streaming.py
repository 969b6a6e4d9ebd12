"""Data that stays in files, in Dask arrays or on a cluster: the same results, X never read as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import sc_annotate as sca
from sc_annotate.cli import main

if TYPE_CHECKING:
    from pathlib import Path

KINDS = ["h5ad csr", "h5ad csc", "h5ad dense", "h5ad lazy", "zarr lazy", "zarr dense lazy", "dask", "dask csr"]
QUICK = {"cv": 0, "method": "logreg", "method_kwargs": {"max_iter": 200}}


@pytest.fixture(scope="module")
def cells() -> tuple[ad.AnnData, ad.AnnData]:
    adata = sca.datasets.simulate_reference(700, 150, 4, n_batches=2, rng=0)
    reference, query = adata[:400].copy(), adata[400:].copy()
    # Rows that make the edges of blocks and chunks interesting.
    dense = query.X.toarray()
    dense[17] = 0
    query.X = sparse.csr_matrix(dense)
    return reference, query


@pytest.fixture(scope="module")
def model(cells: tuple[ad.AnnData, ad.AnnData]) -> Any:
    return sca.tl.fit_annotator(cells[0], "cell_type", **QUICK)


@pytest.fixture(scope="module")
def expected(cells: tuple[ad.AnnData, ad.AnnData], model: Any) -> ad.AnnData:
    query = cells[1].copy()
    sca.tl.annotate(query, model)
    return query


def elsewhere(kind: str, adata: ad.AnnData, folder: Path) -> ad.AnnData:
    adata = adata.copy()
    if "csc" in kind:
        adata.X = adata.X.tocsc()
    if "dense" in kind:
        adata.X = adata.X.toarray()
    if kind.startswith("h5ad"):
        adata.write_h5ad(folder / "cells.h5ad")
        if "lazy" in kind:
            pytest.importorskip("xarray")
            return ad.experimental.read_lazy(folder / "cells.h5ad")
        return ad.read_h5ad(folder / "cells.h5ad", backed="r")
    if kind.startswith("zarr"):
        pytest.importorskip("xarray")
        adata.write_zarr(folder / "cells.zarr", chunks=(100, 50) if "dense" in kind else None)
        return ad.experimental.read_lazy(folder / "cells.zarr")
    da = pytest.importorskip("dask.array")
    X = da.from_array(adata.X.toarray(), chunks=(70, 60))
    adata.X = X.rechunk((70, -1)).map_blocks(sparse.csr_matrix) if kind == "dask csr" else X
    return adata


def texts(adata: ad.AnnData, column: str) -> list[str]:
    values = adata.obs[column]
    return ["" if missing else str(value) for missing, value in zip(values.isna(), values, strict=True)]


def assert_same(found: ad.AnnData, expected: ad.AnnData, *, far: float = 1e-3) -> None:
    """`far`: how far unfamiliarity may differ, relatively; dense and sparse matrices are decomposed in other orders."""
    for column in ("annotation", "annotation_status", "annotation_set_size", "annotation_low_quality"):
        np.testing.assert_array_equal(texts(found, column), texts(expected, column))
    np.testing.assert_allclose(found.obsm["annotation_proba"], expected.obsm["annotation_proba"], atol=1e-5)
    np.testing.assert_allclose(
        found.obs["annotation_unfamiliarity"],
        expected.obs["annotation_unfamiliarity"],
        atol=max(1e-3, far / 5),
        rtol=far,
    )


@pytest.mark.parametrize("block_size", [1000, 64])
@pytest.mark.parametrize("kind", KINDS)
def test_annotate(
    kind: str, block_size: int, cells: tuple[ad.AnnData, ad.AnnData], model: Any, expected: ad.AnnData, tmp_path: Path
) -> None:
    query = elsewhere(kind, cells[1], tmp_path)
    kept = type(query.X)
    with sca.settings.override(block_size=block_size):
        sca.tl.annotate(query, model)
    assert_same(query, expected)
    assert type(query.X) is kept
    assert isinstance(query.obs, pd.DataFrame)


@pytest.mark.parametrize("kind", KINDS)
def test_fit(kind: str, cells: tuple[ad.AnnData, ad.AnnData], model: Any, expected: ad.AnnData, tmp_path: Path) -> None:
    reference = elsewhere(kind, cells[0], tmp_path)
    fitted = sca.tl.fit_annotator(reference, "cell_type", **QUICK)
    np.testing.assert_array_equal(fitted.classes, model.classes)
    query = cells[1].copy()
    sca.tl.annotate(query, fitted)
    assert_same(query, expected, far=0.05)


def test_a_lazy_object_stays_as_it_was_after_an_error(cells: tuple[ad.AnnData, ad.AnnData], tmp_path: Path) -> None:
    query = elsewhere("h5ad lazy", cells[1], tmp_path)
    before = type(query.obs)
    with pytest.raises(sca.errors.InputError):
        sca.tl.annotate(query, cells[0], "no such column")
    assert type(query.obs) is before
    assert sca.pp.inspect(query).values.kind == "counts"


def test_counts_layer_in_a_file(
    cells: tuple[ad.AnnData, ad.AnnData], model: Any, expected: ad.AnnData, tmp_path: Path
) -> None:
    query = cells[1].copy()
    query.layers["counts"] = query.X.copy()
    log = query.X.multiply(1e4 / np.maximum(query.X.sum(axis=1), 1)).log1p()
    query.X = sparse.csr_matrix(log).astype(np.float32)
    query.write_h5ad(tmp_path / "log.h5ad")
    for backed in (ad.read_h5ad(tmp_path / "log.h5ad", backed="r"), ad.experimental.read_lazy(tmp_path / "log.h5ad")):
        sca.tl.annotate(backed, model)
        assert backed.uns["annotation"]["quality"]["counts"] == "layers['counts']"
        np.testing.assert_array_equal(
            texts(backed, "annotation_low_quality"), texts(expected, "annotation_low_quality")
        )


def test_results_go_back_into_the_file(cells: tuple[ad.AnnData, ad.AnnData], model: Any, tmp_path: Path) -> None:
    cells[1].write_h5ad(tmp_path / "cells.h5ad")
    backed = ad.read_h5ad(tmp_path / "cells.h5ad", backed="r+")
    sca.tl.annotate(backed, model)
    backed.write()
    backed.file.close()
    again = ad.read_h5ad(tmp_path / "cells.h5ad")
    assert (again.X != cells[1].X).nnz == 0
    assert sca.get.probabilities(again).shape == (300, 4)


@pytest.mark.slow
@pytest.mark.parametrize("with_model", [True, False])
def test_command_line(
    with_model: bool, cells: tuple[ad.AnnData, ad.AnnData], model: Any, expected: ad.AnnData, tmp_path: Path
) -> None:
    query = cells[1].copy()
    query.obsm["X_pca"] = np.zeros((300, 2))
    query.write_h5ad(tmp_path / "query.h5ad")
    cells[0].write_h5ad(tmp_path / "reference.h5ad")
    source = ["--model", str(model.save(tmp_path / "model.safetensors"))]
    if not with_model:
        source = ["--reference", str(tmp_path / "reference.h5ad"), "--labels-key", "cell_type", "--cv", "0"]
    words = ["annotate", str(tmp_path / "query.h5ad"), str(tmp_path / "out.h5ad"), "--backed", *source]
    assert main(words) == 0
    out = ad.read_h5ad(tmp_path / "out.h5ad")
    np.testing.assert_array_equal(out.obs["annotation"].astype(str), expected.obs["annotation"].astype(str))
    assert (out.X != query.X).nnz == 0
    assert "X_pca" in out.obsm
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(
        ["query.h5ad", "reference.h5ad", "out.h5ad", "model.safetensors"]
    )


def test_an_interrupted_command_leaves_no_file(
    cells: tuple[ad.AnnData, ad.AnnData], model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells[1].write_h5ad(tmp_path / "query.h5ad")
    (tmp_path / "out.h5ad").write_bytes(b"as it was")
    path = model.save(tmp_path / "model.safetensors")

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("anndata.io.write_elem", interrupted)
    words = ["annotate", str(tmp_path / "query.h5ad"), str(tmp_path / "out.h5ad"), "--backed", "--force"]
    assert main([*words, "--model", str(path)]) == 130
    assert (tmp_path / "out.h5ad").read_bytes() == b"as it was"
    assert len(list(tmp_path.iterdir())) == 3


# Of files that anndata reads itself the form matters on every stack; of arrays it is Dask's, the same everywhere.
@pytest.mark.slow
@pytest.mark.parametrize(
    "kind",
    [
        "h5ad csr",
        "zarr lazy",
        *(pytest.param(kind, marks=pytest.mark.once) for kind in ("h5ad dense", "dask", "dask csr")),
    ],
)
def test_on_a_cluster(
    cluster: Any, kind: str, cells: tuple[ad.AnnData, ad.AnnData], model: Any, expected: ad.AnnData, tmp_path: Path
) -> None:
    query = elsewhere(kind, cells[1], tmp_path)
    with sca.settings.override(block_size=64):
        sca.tl.annotate(query, model)
    assert_same(query, expected)
    (tmp_path / "reference").mkdir()
    reference = elsewhere(kind, cells[0], tmp_path / "reference")
    fitted = sca.tl.fit_annotator(reference, "cell_type", **QUICK)
    again = cells[1].copy()
    sca.tl.annotate(again, fitted)
    assert_same(again, expected, far=0.05)
