"""Blocks in order, from every kind of matrix, on threads and on a cluster."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pytest
from scipy import sparse

from sc_annotate._core.settings import settings
from sc_annotate._data.stream import active_client, each_block, n_threads

if TYPE_CHECKING:
    from pathlib import Path

N = 53


def summed(where: slice, *blocks: Any) -> tuple[int, np.ndarray]:
    return where.start, np.stack([np.asarray(b.sum(axis=1)).ravel() for b in blocks])


@pytest.fixture
def numbers() -> np.ndarray:
    return np.random.default_rng(0).poisson(1.0, (N, 7)).astype(np.float32)


def build(kind: str, D: np.ndarray, folder: Path) -> Any:
    if kind == "dense":
        return D
    if kind in ("csr", "csc"):
        return getattr(sparse, f"{kind}_matrix")(D)
    if kind.startswith("h5ad"):
        adata = ad.AnnData(sparse.csr_matrix(D) if kind == "h5ad csr" else D)
        adata.write_h5ad(folder / f"{kind}.h5ad")
        return ad.read_h5ad(folder / f"{kind}.h5ad", backed="r").X
    da = pytest.importorskip("dask.array")
    if kind == "dask":
        return da.from_array(D, chunks=(11, 3))
    return da.from_array(sparse.csr_matrix(D), chunks=(20, -1), asarray=False)


KINDS = ["dense", "csr", "csc", "h5ad csr", "h5ad dense", "dask", "dask csr"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("threads", [1, 3])
def test_all_rows_once_and_in_order(kind: str, threads: int, numbers: np.ndarray, tmp_path: Path) -> None:
    X = build(kind, numbers, tmp_path)
    with settings.override(block_size=8, n_threads=threads):
        found = list(each_block(summed, [X], progress="x"))
    assert found[0][0].start == 0
    assert found[-1][0].stop == N
    assert all(a[0].stop == b[0].start for a, b in zip(found[:-1], found[1:], strict=True))
    assert all(where.stop - where.start <= 8 and start == where.start for where, (start, _) in found)
    np.testing.assert_allclose(np.concatenate([s[0] for _, (_, s) in found]), numbers.sum(axis=1))


@pytest.mark.parametrize("second", KINDS)
@pytest.mark.parametrize("first", ["csr", "h5ad csr", "dask"])
def test_two_matrices_side_by_side(first: str, second: str, numbers: np.ndarray, tmp_path: Path) -> None:
    if first == second == "h5ad csr":
        pytest.skip("one file twice")
    matrices = [build(first, numbers, tmp_path), build(second, 2 * numbers, tmp_path)]
    with settings.override(block_size=8):
        for _, (_, sums) in each_block(summed, matrices, progress="x"):
            np.testing.assert_allclose(2 * sums[0], sums[1])


def own_threads() -> list[str]:
    """Those of the package; other packages start and end theirs when they like."""
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("sc_annotate")]


def test_threads_are_used_and_left(numbers: np.ndarray) -> None:
    seen: set[str] = set()
    together = threading.Barrier(2)

    def met(where: slice, block: Any) -> int:
        seen.add(threading.current_thread().name)
        if where.start < 8:
            # The first block is not done before another thread has the second.
            together.wait(timeout=300)
        return where.start

    def alone(where: slice, block: Any) -> None:
        seen.add(threading.current_thread().name)

    with settings.override(block_size=4, n_threads=3):
        list(each_block(met, [numbers], progress="x"))
    assert len(seen) > 1
    assert own_threads() == []
    with settings.override(block_size=4, n_threads=3):
        seen.clear()
        list(each_block(alone, [numbers], progress="x", parallel=False))
    assert seen == {threading.current_thread().name}
    assert n_threads() >= 1


def test_an_error_stops_the_rest(numbers: np.ndarray) -> None:
    calls: list[int] = []

    def fails(where: slice, block: Any) -> None:
        calls.append(where.start)
        if where.start == 8:
            raise KeyboardInterrupt

    with settings.override(block_size=1, n_threads=2), pytest.raises(KeyboardInterrupt):
        list(each_block(fails, [numbers], progress="x"))
    assert len(calls) < 20
    assert own_threads() == []


def test_few_blocks_are_under_way(numbers: np.ndarray) -> None:
    started: list[int] = []

    def note(where: slice, block: Any) -> int:
        started.append(where.start)
        return where.start

    with settings.override(block_size=1, n_threads=2):
        for done, _ in enumerate(each_block(note, [numbers], progress="x")):
            assert len(started) <= done + 5


def test_without_a_cluster() -> None:
    assert active_client() is None


@pytest.fixture
def workers(cluster: Any) -> Any:
    """The cluster, to whose workers the functions of this file are sent as they are: they cannot import it."""
    import cloudpickle

    module = sys.modules[where_it_ran.__module__]
    cloudpickle.register_pickle_by_value(module)
    yield cluster
    cloudpickle.unregister_pickle_by_value(module)


def where_it_ran(where: slice, block: Any) -> tuple[int, np.ndarray]:
    import os

    return os.getpid(), np.asarray(block.sum(axis=1)).ravel()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["dask", "dask csr", "h5ad csr", "h5ad dense"])
def test_blocks_run_on_the_workers(workers: Any, kind: str, numbers: np.ndarray, tmp_path: Path) -> None:
    import os

    X = build(kind, numbers, tmp_path)
    with settings.override(block_size=8):
        found = list(each_block(where_it_ran, [X], progress="x"))
    np.testing.assert_allclose(np.concatenate([s for _, (_, s) in found]), numbers.sum(axis=1))
    assert os.getpid() not in {pid for _, (pid, _) in found}


@pytest.mark.once
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # the workers that remain say that one has gone
def test_a_worker_may_die_in_the_middle(workers: Any, numbers: np.ndarray, tmp_path: Path) -> None:
    X = build("dask csr", numbers, tmp_path)
    flag = tmp_path / "died"

    def dies_once(where: slice, block: Any) -> np.ndarray:
        import os

        if where.start >= 16 and not flag.exists():
            flag.touch()
            os._exit(1)
        return np.asarray(block.sum(axis=1)).ravel()

    found = list(each_block(dies_once, [X], progress="x"))
    assert flag.exists()
    np.testing.assert_allclose(np.concatenate([s for _, s in found]), numbers.sum(axis=1))
