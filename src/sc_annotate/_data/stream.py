"""Work on a matrix block by block: on threads, from files, and on the workers of a Dask cluster.

The one way through data that may be larger than memory. Blocks come back in order, few are under way at a time, and
whoever stops early (an error, Ctrl-C) leaves nothing running.
"""

from __future__ import annotations

import sys
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from sc_annotate._core.arrays import SomeColumns, row_ordered, rows
from sc_annotate._core.settings import n_threads, settings, track

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Future

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class OnBlock(Protocol[R_co]):
    """What is done to each block: rows `where` of every matrix, in memory, CSR or dense."""

    def __call__(self, where: slice, *blocks: Any) -> R_co: ...


def each_block(
    function: OnBlock[R],
    matrices: Sequence[Any],
    *,
    progress: str,
    size: int | None = None,
    parallel: bool = True,
) -> Iterator[tuple[slice, R]]:
    """Results of `function` for all blocks of rows, in order, and which rows they are of.

    Parameters
    ----------
    function
        Called with the rows and with the same rows of each matrix. On a cluster it is sent to the workers.
    matrices
        Matrices of equally many rows, of any kind: in memory, in a file, or Dask arrays.
    progress
        What the bar says.
    size
        Rows at a time; by default ``settings.block_size``. A Dask array is read by its own chunks.
    parallel
        Whether `function` may run on several threads at once.
    """
    size = size or settings.block_size
    client = active_client()
    if client is not None and any(on_disk(X) for X in matrices):
        matrices = [as_dask(X, size) for X in matrices]
    if all(hasattr(X, "dask") for X in matrices):
        yield from _dask(function, matrices, size, client, progress, parallel=parallel)
        return
    matrices = [row_ordered(X) for X in matrices]
    n = int(matrices[0].shape[0])
    where = [slice(start, min(start + size, n)) for start in range(0, n, size)]
    if all(in_memory(X) for X in matrices):
        # Cutting rows out is work too.
        tasks = (_cutting(function, w, matrices) for w in where)
    else:
        # A file is read by one thread, while the others work on what was read.
        tasks = (_bound(function, w, [rows(X, w) for X in matrices]) for w in where)
    done = _on_threads(tasks, n_threads() if parallel else 1)
    yield from zip(where, track(done, what=progress, total=len(where)), strict=True)


def _cutting(function: OnBlock[R], where: slice, matrices: Sequence[Any]) -> Callable[[], R]:
    return lambda: function(where, *(rows(X, where) for X in matrices))


def _bound(function: OnBlock[R], where: slice, blocks: Sequence[Any]) -> Callable[[], R]:
    return lambda: function(where, *blocks)


def in_memory(X: Any) -> bool:
    """Whether rows can be cut out of it by several threads at once."""
    from scipy import sparse

    if isinstance(X, SomeColumns):
        return in_memory(X.X)
    return sparse.issparse(X) or type(X).__module__.partition(".")[0] == "numpy"


def on_disk(X: Any) -> bool:
    """Whether it is a matrix in an h5ad or zarr file, not a Dask array."""
    return not in_memory(X) and not hasattr(X, "dask")


def _on_threads(tasks: Iterator[Callable[[], R]], n: int) -> Iterator[R]:
    """Results in the order of the tasks, with no more than twice as many under way as there are threads."""
    if n == 1:
        for task in tasks:
            yield task()
        return
    pool = ThreadPoolExecutor(n, thread_name_prefix="sc_annotate")
    under_way: deque[Future[R]] = deque()
    try:
        for task in tasks:
            under_way.append(pool.submit(task))
            if len(under_way) >= 2 * n:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def active_client() -> Any:
    """The Dask cluster that the user works on, or None."""
    if "distributed" not in sys.modules:
        return None
    from distributed import get_client

    try:
        return get_client()
    except ValueError:
        return None


def as_dask(X: Any, size: int) -> Any:
    """A matrix in a file as a Dask array that each worker reads for itself; others cut into chunks of rows."""
    import dask.array as da

    if hasattr(X, "dask"):
        return X
    if isinstance(X, SomeColumns):
        return as_dask(X.X, size)[:, X.columns]
    if in_memory(X):
        from_array: Any = da.from_array
        return from_array(X, chunks=(size, -1), asarray=False)
    from anndata.experimental import read_elem_lazy

    # Backed sparse matrices stand for a group, backed dense ones are the dataset.
    return read_elem_lazy(getattr(X, "group", X), chunks=(size, X.shape[1]))


def _dask(
    function: OnBlock[R], matrices: Sequence[Any], size: int, client: Any, progress: str, *, parallel: bool
) -> Iterator[tuple[slice, R]]:
    """By the chunks of the first array, on the cluster's workers, or on threads where there is none."""
    from dask.delayed import delayed

    first = matrices[0].rechunk({1: -1})
    matrices = [first, *(X.rechunk((first.chunks[0], -1)) for X in matrices[1:])]
    stops = [0]
    for length in first.chunks[0]:
        stops.append(stops[-1] + int(length))
    chunks = list(zip(*(X.to_delayed()[:, 0] for X in matrices), strict=True))
    starts = stops[:-1]
    if client is None:
        tasks = (
            (lambda s=s, c=c: _chunk(function, s, size, *(d.compute(scheduler="synchronous") for d in c)))
            for s, c in zip(starts, chunks, strict=True)
        )
        done = _on_threads(tasks, n_threads() if parallel else 1)
    else:
        sent = client.scatter(function, broadcast=True, hash=False)
        lazy = (delayed(_chunk)(sent, s, size, *c) for s, c in zip(starts, chunks, strict=True))
        done = _on_cluster(client, lazy)
    for results in track(done, what=progress, total=len(chunks)):
        yield from results


def _chunk(function: OnBlock[R], start: int, size: int, *chunks: Any) -> list[tuple[slice, R]]:
    """A chunk in blocks of no more than `size` rows."""
    out = []
    n = chunks[0].shape[0]
    for low in range(0, n, size):
        inner = slice(low, min(low + size, n))
        where = slice(start + inner.start, start + inner.stop)
        out.append((where, function(where, *(rows(chunk, inner) for chunk in chunks))))
    return out


def _on_cluster(client: Any, lazy: Iterator[Any]) -> Iterator[Any]:
    """Results in order; as many chunks under way as keep all workers busy."""
    most = 2 * max(1, sum(client.nthreads().values()))
    under_way: deque[Any] = deque()
    try:
        for task in lazy:
            under_way.append(client.compute(task))
            if len(under_way) >= most:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()
    finally:
        if under_way:
            client.cancel(list(under_way))
