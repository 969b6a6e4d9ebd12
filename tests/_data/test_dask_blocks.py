"""Dask arrays whose chunks are other than declared, and clusters that go away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from scipy import sparse

from sc_annotate._core.arrays import check_layout, rows
from sc_annotate._data.stream import each_block
from sc_annotate.errors import InputError, MatrixError

if TYPE_CHECKING:
    from pathlib import Path

da = pytest.importorskip("dask.array")

N, M = 40, 12


def values() -> np.ndarray:
    return np.random.default_rng(0).poisson(1.0, (N, M)).astype(np.float32)


def summed(where: slice, *blocks: Any) -> np.ndarray:
    return np.asarray(blocks[0].sum(axis=1)).ravel()


def declared(change: Any, chunks: tuple[int, int] = (10, -1), D: np.ndarray | None = None) -> Any:
    """An array whose second row of chunks is not what it says."""

    def work(block: Any, block_info: Any = None) -> Any:
        return change(block) if block_info and block_info[0]["chunk-location"][0] == 1 else block

    return da.from_array(values() if D is None else D, chunks=chunks).map_blocks(
        work, dtype="f4", meta=np.zeros((0, 0), "f4")
    )


CHANGES = {
    "fewer rows": lambda block: block[:-1],
    "one row": lambda block: block[:1],
    "no rows": lambda block: block[:0],
    "more rows": lambda block: np.concatenate([block, block]),
    "fewer columns": lambda block: block[:, :-3],
    "more columns": lambda block: np.hstack([block, block]),
    "one dimension": lambda block: block[0],
    "three dimensions": lambda block: block[None],
    "sparse with fewer rows": lambda block: sparse.csr_matrix(block[:-1]),
}


@pytest.mark.parametrize("chunks", [(10, -1), (10, 5), (7, 12)])
@pytest.mark.parametrize("change", CHANGES)
def test_chunks_of_another_shape(change: str, chunks: tuple[int, int]) -> None:
    X = declared(CHANGES[change], chunks)
    with pytest.raises(MatrixError, match=r"the chunk \[.*\] of the Dask array should have the shape .* and has"):
        list(each_block(summed, [X], progress="x"))
    with pytest.raises(MatrixError, match="should have the shape"):
        rows(X, np.arange(N))
    good = da.from_array(values(), chunks=(15, -1))
    with pytest.raises(MatrixError, match="should have the shape"):
        list(each_block(summed, [good, X], progress="x"))


def broken(block: Any) -> Any:
    out = sparse.csr_matrix(block)
    out.indices[3] = 10**6
    return out


def test_broken_chunks_are_refused_before_they_are_joined() -> None:
    for chunks in ((10, -1), (10, 6)):
        X = declared(broken, chunks)
        for way in (lambda X=X: list(each_block(summed, [X], progress="x")), lambda X=X: rows(X, np.arange(5, 15))):
            with pytest.raises(
                MatrixError, match=r"the chunk \[10:20, \d+:\d+\] of the Dask array is a broken sparse matrix"
            ):
                way()


def test_chunks_that_are_no_arrays() -> None:
    import pandas as pd

    for change, words in (
        (pd.DataFrame, "is a DataFrame, not an array"),
        (np.ndarray.tolist, "is a list, not an array"),
    ):
        with pytest.raises(MatrixError, match=words):
            list(each_block(summed, [declared(change)], progress="x"))


def test_chunks_of_another_type_of_number_are_read() -> None:
    D = values()
    for change in (
        lambda block: block.astype(np.float64),
        lambda block: block.astype(np.int8),
        lambda block: block.astype(np.float16),
        sparse.csr_matrix,
        sparse.csc_array,
        np.asfortranarray,
    ):
        found = np.concatenate([part for _, part in each_block(summed, [declared(change)], progress="x")])
        np.testing.assert_array_equal(found, D.sum(axis=1))
    for change in (lambda block: block.astype(object), lambda block: block.astype(str)):
        with pytest.raises(MatrixError, match="not numbers"):
            list(each_block(summed, [declared(change)], progress="x"))


def test_unknown_sizes() -> None:
    D = values()
    X = da.from_array(D, chunks=(10, -1))
    X = X[da.from_array(D.sum(axis=1) > 0, chunks=10)]
    with pytest.raises(
        MatrixError, match=r"adata.X is a Dask array whose chunk sizes are unknown.*compute_chunk_sizes"
    ):
        check_layout(X, "adata.X")
    with pytest.raises(MatrixError, match="compute_chunk_sizes"):
        list(each_block(summed, [X], progress="x"))


def test_an_array_that_cannot_be_computed() -> None:
    def fails(block: Any) -> Any:
        raise FileNotFoundError("no file 'atlas.zarr'")

    for way in (
        lambda: list(each_block(summed, [declared(fails)], progress="x")),
        lambda: rows(declared(fails), slice(0, N)),
    ):
        with pytest.raises(
            MatrixError, match="the Dask array cannot be computed: FileNotFoundError: no file 'atlas.zarr'"
        ):
            way()


@pytest.mark.parametrize("kind", [AttributeError, TimeoutError, ValueError])
def test_on_a_cluster_an_error_of_the_array_is_none_of_the_cluster(kind: type[Exception]) -> None:
    """Whatever kind it is of: the cluster's own errors are of some of these."""
    distributed = pytest.importorskip("distributed")

    def fails(block: Any) -> Any:
        raise kind("a store that does not answer")

    with distributed.Client(processes=False, n_workers=1, threads_per_worker=1, dashboard_address=":0"):
        with pytest.raises(MatrixError, match=f"cannot be computed: {kind.__name__}: a store that does not answer"):
            list(each_block(summed, [declared(fails)], progress="x"))


def test_an_error_of_the_function_is_its_own() -> None:
    def fails(where: slice, block: Any) -> None:
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        list(each_block(fails, [da.from_array(values(), chunks=(10, -1))], progress="x"))


@pytest.fixture
def own_cluster() -> Any:
    """A cluster of two processes that a test may break."""
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0", memory_limit=0
        ) as local,
        distributed.Client(local) as client,
    ):
        yield local, client


def slow_cells(n: int, seconds: float, folder: Path) -> tuple[Any, Any, Any]:
    """A query in chunks that take their time, the same in memory, and a model.

    The chunks are in a file: as a part of the graph, large ones would be sent to the scheduler with each task.
    """
    import sc_annotate as sca

    cells = sca.datasets.simulate_reference(n + 200, 60, 3)
    model = sca.tl.fit_annotator(cells[n:].copy(), "cell_type", method="nearest_centroid", cv=0)
    query = cells[:n].copy()
    lazy = query.copy()

    path = str(folder / "X.npy")
    np.save(path, query.X.toarray().astype(np.float32))

    def late(block_info: Any = None) -> Any:
        import time

        time.sleep(seconds)
        (low, high), _ = block_info[None]["array-location"]
        return np.array(np.load(path, mmap_mode="r")[low:high])

    chunk = -(-n // 40)
    lengths = tuple(min(chunk, n - low) for low in range(0, n, chunk))
    lazy.X = da.map_blocks(late, chunks=(lengths, (query.n_vars,)), dtype="f4", meta=np.zeros((0, 0), "f4"))
    return lazy, query, model


def half_way(monkeypatch: pytest.MonkeyPatch, happen: Any) -> list[int]:
    """Has something happen when results of some chunks are there; what was waited for is counted."""
    from sc_annotate._data import dask_blocks

    result, seen = dask_blocks._result, []

    def counted(client: Any, future: Any) -> Any:
        seen.append(1)
        if len(seen) == 8:
            happen()
        return result(client, future)

    monkeypatch.setattr(dask_blocks, "_result", counted)
    return seen


@pytest.mark.slow
def test_warnings_of_dask_are_no_errors_of_the_array(own_cluster: Any) -> None:
    """Warnings are errors here, and an array from memory is sent as part of the graph, which Dask advises against."""
    import warnings

    import dask

    def of_cells(where: slice, *blocks: Any) -> np.ndarray:
        # Defined here, so that workers, which cannot import this file, get it by value.
        return np.asarray(sum(block.sum(axis=1) for block in blocks)).ravel()

    X = da.from_array(values(), chunks=(10, -1))
    before = list(warnings.filters)
    with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1 kB"}):
        with pytest.raises(UserWarning, match="large graph"):
            own_cluster[1].compute(X.sum())
        sums = [found for _, found in each_block(of_cells, [X], progress="x")]
    np.testing.assert_allclose(np.concatenate(sums), values().sum(axis=1))
    assert list(warnings.filters) == before


@pytest.mark.once
@pytest.mark.slow
def test_a_worker_killed_half_way(own_cluster: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """``SC_ANNOTATE_KILLED_CELLS=100000`` for the full size."""
    import os
    import signal

    import sc_annotate as sca

    lazy, query, model = slow_cells(int(os.environ.get("SC_ANNOTATE_KILLED_CELLS", "2000")), 0.02, tmp_path)
    sca.tl.annotate(query, model)
    first = next(iter(own_cluster[0].workers.values())).pid
    seen = half_way(monkeypatch, lambda: os.kill(first, getattr(signal, "SIGKILL", signal.SIGTERM)))
    sca.tl.annotate(lazy, model)
    assert len(seen) >= 40
    assert list(lazy.obs["annotation"]) == list(query.obs["annotation"])
    np.testing.assert_allclose(lazy.obs["annotation_confidence"], query.obs["annotation_confidence"], atol=1e-5)


@pytest.mark.once
@pytest.mark.slow
def test_a_cluster_that_goes_away(own_cluster: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import sc_annotate as sca

    lazy, _, model = slow_cells(400, 0.02, tmp_path)
    columns = list(lazy.obs)
    half_way(monkeypatch, own_cluster[0].close)
    with pytest.raises(InputError, match="the Dask cluster was closed or lost its workers"):
        sca.tl.annotate(lazy, model)
    assert list(lazy.obs) == columns
    assert "annotation" not in lazy.uns


@pytest.mark.once
@pytest.mark.slow
def test_all_workers_lost_half_way(own_cluster: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The scheduler lives on; a call ends after as long without workers as Dask is set to wait."""
    import time

    import dask

    import sc_annotate as sca

    lazy, _, model = slow_cells(400, 0.02, tmp_path)
    columns, (local, client), lost = list(lazy.obs), own_cluster, []

    def lose() -> None:
        local.scale(0)
        while client.scheduler_info()["workers"]:
            time.sleep(0.05)
        lost.append(time.monotonic())

    half_way(monkeypatch, lose)
    with (
        dask.config.set({"distributed.scheduler.no-workers-timeout": "3s"}),
        pytest.raises(
            InputError, match="the Dask cluster (has had no worker for 3 seconds|was closed or lost its workers)"
        ),
    ):
        sca.tl.annotate(lazy, model)
    assert time.monotonic() - lost[0] < 60
    assert list(lazy.obs) == columns
    assert "annotation" not in lazy.uns
    assert not lazy.obsm
