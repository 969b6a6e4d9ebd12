"""Work on a matrix block by block: on threads, from files, and on the workers of a Dask cluster.

The one way through data that may be larger than memory. Blocks come back in order, few are under way at a time, and
whoever stops early (an error, Ctrl-C) leaves nothing running.
"""

from __future__ import annotations

import sys
from contextlib import closing
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from sc_annotate._core.arrays import SomeColumns, in_memory, row_ordered, rows, with_columns
from sc_annotate._core.settings import n_threads, on_threads, settings, track
from sc_annotate.errors import MatrixError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

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
        Matrices of equally many rows, of any kind: in memory, in a file, or Dask arrays. What they hold is checked, and
        each row comes once, or an error does: no place for its result is left as it was.
    progress
        What the bar says.
    size
        Rows at a time; by default ``settings.block_size``. A Dask array is read by its own chunks.
    parallel
        Whether `function` may run on several threads at once.
    """
    n, reached = matrices[0].shape[0], 0
    blocks = _blocks(function, matrices, size or settings.block_size, progress, parallel=parallel)
    with closing(blocks):
        for where, result in blocks:
            if where.start != reached:
                break
            reached = where.stop
            yield where, result
    if reached != n:
        raise MatrixError(f"the matrix has {reached:,} rows, and {n:,} were declared. Read or make it again.")


def _blocks(
    function: OnBlock[R], matrices: Sequence[Any], size: int, progress: str, *, parallel: bool
) -> Generator[tuple[slice, R], None, None]:
    client = active_client()
    if client is not None and any(on_disk(X) for X in matrices):
        matrices = [as_dask(X, size) for X in matrices]
    if all(hasattr(X, "dask") for X in matrices):
        from sc_annotate._data.dask_blocks import dask_blocks

        yield from dask_blocks(function, matrices, size, client, progress, parallel=parallel)
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
    done = on_threads(tasks, n_threads() if parallel else 1)
    yield from zip(where, track(done, what=progress, total=len(where)), strict=True)


def _cutting(function: OnBlock[R], where: slice, matrices: Sequence[Any]) -> Callable[[], R]:
    return lambda: function(where, *(rows(X, where) for X in matrices))


def _bound(function: OnBlock[R], where: slice, blocks: Sequence[Any]) -> Callable[[], R]:
    return lambda: function(where, *blocks)


def on_disk(X: Any) -> bool:
    """Whether it is a matrix in an h5ad or zarr file, not a Dask array."""
    return not in_memory(X) and not hasattr(X, "dask")


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
        return with_columns(as_dask(X.X, size), X.columns)
    if in_memory(X):
        from_array: Any = da.from_array
        return from_array(X, chunks=(size, -1), asarray=False)
    from anndata.experimental import read_elem_lazy

    from sc_annotate._core.broken import unreadable

    try:
        # Backed sparse matrices stand for a group, backed dense ones are the dataset.
        return read_elem_lazy(getattr(X, "group", X), chunks=(size, X.shape[1]))
    except Exception as error:
        raise unreadable(X, error) from error
