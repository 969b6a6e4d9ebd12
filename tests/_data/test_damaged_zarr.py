"""Zarr stores of which a part is missing: an error that names the store, never zeros in its place."""

from __future__ import annotations

import re
import shutil
import warnings
from functools import cache
from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pytest
from scipy import sparse

import sc_annotate as sca
from sc_annotate._data.matrix import find
from sc_annotate.errors import MatrixError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytest.importorskip("xarray")
pytest.importorskip("dask.array")

FORMS: dict[str, Any] = {"csr": sparse.csr_matrix, "csc": sparse.csc_matrix, "dense": lambda X: X.toarray()}
# Of a store with shards, a file holds several chunks.
KINDS = ["2", "3", "3 shards"]


@pytest.fixture(scope="module")
def simulated() -> tuple[ad.AnnData, Any]:
    cells = sca.datasets.simulate_reference(300, 120, 3)
    return cells, sca.tl.fit_annotator(cells, "cell_type", method="nearest_centroid", cv=0)


def written(path: Path, X: Any, like: ad.AnnData, kind: str) -> Path:
    """A store with several chunks in each array of X."""
    import zarr

    with warnings.catch_warnings():
        # Which format is the default, and that consolidated metadata are not in the specification of format 3.
        warnings.simplefilter("ignore")
        with ad.settings.override(zarr_write_format=int(kind[0])):
            ad.AnnData(sparse.csr_matrix(X.shape), obs=like.obs, var=like.var).write_zarr(path)
        store = zarr.open_group(path, mode="r+", use_consolidated=False)
        del store["X"]
        form = {"chunks": 60, "shards": 120} if "shards" in kind else {"chunks": 60}
        if sparse.issparse(X):
            group = store.create_group(
                "X",
                attributes={"encoding-type": f"{X.format}_matrix", "encoding-version": "0.1.0", "shape": list(X.shape)},
            )
            for name in ("data", "indices", "indptr"):
                values = getattr(X, name)
                each = {key: (value if name == "indptr" else 10 * value,) for key, value in form.items()}
                group.create_array(name, data=values, **each, fill_value=0)
        else:
            array = store.create_array(
                "X", data=X, **{key: (value, value) for key, value in form.items()}, fill_value=0
            )
            array.attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
        zarr.consolidate_metadata(store.store)
    return path


@pytest.fixture(scope="module")
def whole(simulated: tuple[ad.AnnData, Any], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Path]:
    """Stores that tests copy and damage, each written once."""
    folder, cells = tmp_path_factory.mktemp("whole"), simulated[0]

    @cache
    def store(form: str, kind: str) -> Path:
        return written(folder / f"{form} {kind}.zarr", FORMS[form](cells.X), cells, kind)

    return store


def opened(path: Path) -> ad.AnnData:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ad.experimental.read_lazy(path)


def chunks(array: Path) -> list[Path]:
    return sorted(file for file in array.rglob("*") if file.is_file() and not file.name.startswith((".z", "zarr")))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", FORMS)
def test_whole_stores_are_read(form: str, kind: str, simulated: tuple[ad.AnnData, Any], tmp_path: Path) -> None:
    cells, model = simulated
    expected = cells.copy()
    sca.tl.annotate(expected, model)
    lazy = opened(written(tmp_path / "cells.zarr", FORMS[form](cells.X), cells, kind))
    sca.tl.annotate(lazy, model)
    assert list(lazy.obs["annotation"]) == list(expected.obs["annotation"])


@pytest.mark.parametrize("part", ["data", "indices", "indptr"])
@pytest.mark.parametrize("which", ["first", "middle", "last", "all", "array"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", ["csr", "csc"])
def test_a_missing_part_of_a_sparse_matrix(
    form: str,
    kind: str,
    which: str,
    part: str,
    simulated: tuple[ad.AnnData, Any],
    whole: Callable[[str, str], Path],
    tmp_path: Path,
) -> None:
    model = simulated[1]
    path = shutil.copytree(whole(form, kind), tmp_path / "cells.zarr")
    lazy = opened(path)
    files = chunks(path / "X" / part)
    assert len(files) > 1
    if which == "array":
        shutil.rmtree(path / "X" / part)
    chosen = {"first": files[:1], "middle": files[len(files) // 2 :][:1], "last": files[-1:], "all": files, "array": []}
    for file in chosen[which]:
        file.unlink()
    words = str(path) if which == "array" else rf"of the \d+ chunks of the array 'X/{part}' are missing in {path}"
    for adata in (lazy, lazy[:200]):
        with pytest.raises(MatrixError, match=words):
            find(adata)
    if which == "array":
        return
    with pytest.raises(MatrixError, match=words):
        find(opened(path))
    if which == "middle":
        columns = list(lazy.obs)
        with pytest.raises(MatrixError, match=words):
            sca.tl.annotate(lazy, model)
        with pytest.raises(MatrixError, match=words):
            sca.pp.inspect(lazy)
        assert list(lazy.obs) == columns
        assert not lazy.uns


@pytest.mark.parametrize("kind", KINDS)
def test_a_dense_array_that_is_gone(kind: str, simulated: tuple[ad.AnnData, Any], tmp_path: Path) -> None:
    cells, model = simulated
    for i, gone in enumerate(("chunks", "array")):
        path = written(tmp_path / f"{i}.zarr", cells.X.toarray(), cells, kind)
        lazy = opened(path)
        if gone == "array":
            shutil.rmtree(path / "X")
        else:
            for file in chunks(path / "X"):
                file.unlink()
        with pytest.raises(MatrixError, match=re.escape(str(path))):
            sca.tl.annotate(lazy, model)
        assert not lazy.uns


@pytest.mark.parametrize("kind", KINDS)
def test_backed_matrices_in_a_store(kind: str, simulated: tuple[ad.AnnData, Any], tmp_path: Path) -> None:
    import zarr

    cells, model = simulated
    path = written(tmp_path / "cells.zarr", cells.X.tocsr(), cells, kind)
    backed = ad.AnnData(obs=cells.obs, var=cells.var)
    backed.layers["stored"] = ad.io.sparse_dataset(zarr.open_group(path, mode="r")["X"])
    sca.tl.annotate(backed, model, layer="stored")
    chunks(path / "X" / "data")[0].unlink()
    with pytest.raises(MatrixError, match=re.escape(f"are missing in {path}")):
        sca.tl.annotate(backed, model, layer="stored", key_added="again")
    assert "again" not in backed.obs


@pytest.mark.parametrize("kind", KINDS)
def test_chunks_of_zeros_that_are_right(kind: str, tmp_path: Path) -> None:
    """Zarr does not write them: dense blocks of zeros, leading empty rows, indices of rows with one entry each."""
    import zarr

    from sc_annotate._core.zarr_chunks import check_stored

    D = np.random.default_rng(0).poisson(1.0, (300, 120)).astype(np.float32)
    D[:130] = 0
    only_first = np.zeros_like(D)
    only_first[:, 0] = 1
    like = ad.AnnData(D)
    few = D.copy()
    few[:, 5:] = 0
    for i, values in enumerate((D, few, np.tile(only_first, (20, 1)), D[:0])):
        like = ad.AnnData(values)
        for form in (sparse.csr_matrix, sparse.csc_matrix, np.asarray):
            if form is np.asarray and not len(values):
                continue
            path = written(tmp_path / f"{i}{form.__name__}.zarr", form(values), like, kind)
            held = zarr.open_group(path, mode="r")["X"]
            check_stored(held if form is np.asarray else ad.io.sparse_dataset(held))
            if len(values):
                check_stored(opened(path).X)
