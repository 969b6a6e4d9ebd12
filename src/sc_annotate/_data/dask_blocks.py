"""Blocks of Dask arrays, on the workers of a cluster or on threads. Imported where a matrix is a Dask array."""

from __future__ import annotations

import contextlib
import time
import warnings
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from sc_annotate._core.arrays import check_layout, rows
from sc_annotate._core.files import one_line
from sc_annotate._core.lazy import checked, computed, failed
from sc_annotate._core.settings import n_threads, on_threads, track
from sc_annotate.errors import InputError, ScAnnotateError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

R = TypeVar("R")

WORKER_TIMEOUT = 60.0
"""Seconds without a worker after which a call ends, unless Dask's ``distributed.scheduler.no-workers-timeout`` is set."""
_POLL = 2.0
"""Seconds between two checks for workers."""


def dask_blocks(
    function: Callable[..., R], matrices: Sequence[Any], size: int, client: Any, progress: str, *, parallel: bool
) -> Iterator[tuple[slice, R]]:
    """By the chunks of the first array, on the cluster's workers, or on threads where there is none."""
    from dask.delayed import delayed

    # Checked as they are, before chunks are joined or cut by code that trusts what they declare.
    first = checked(matrices[0], check_layout).rechunk({1: -1})
    matrices = [first, *(checked(X, check_layout).rechunk((first.chunks[0], -1)) for X in matrices[1:])]
    stops = [0]
    for length in first.chunks[0]:
        stops.append(stops[-1] + int(length))
    chunks = list(zip(*(X.to_delayed()[:, 0] for X in matrices), strict=True))
    starts = stops[:-1]
    if client is None:
        tasks = (
            (lambda s=s, c=c: _chunk(function, s, size, *map(computed, c))) for s, c in zip(starts, chunks, strict=True)
        )
        done = on_threads(tasks, n_threads() if parallel else 1)
    else:
        with _lost_cluster():
            client.wait_for_workers(1, timeout=_worker_timeout())
            sent = client.scatter(_Sent(function), broadcast=True, hash=False)
        lazy = (delayed(_on_worker)(sent, s, size, *c) for s, c in zip(starts, chunks, strict=True))
        done = _on_cluster(client, lazy)
    for results in track(done, what=progress, total=len(chunks)):
        yield from results


def _chunk(function: Callable[..., R], start: int, size: int, *chunks: Any) -> list[tuple[slice, R]]:
    """A chunk in blocks of no more than `size` rows."""
    out = []
    n = chunks[0].shape[0]
    for low in range(0, n, size):
        inner = slice(low, min(low + size, n))
        where = slice(start + inner.start, start + inner.stop)
        out.append((where, function(where, *(rows(chunk, inner) for chunk in chunks))))
    return out


@dataclass(frozen=True)
class _Sent:
    """What is sent to the workers once."""

    function: Any

    def __reduce__(self) -> tuple[Any, ...]:
        # On its own, distributed sees where it was written: functions of a notebook, and of modules that the workers lack, go by
        # value.
        from distributed.protocol import pickle

        untyped: Any = pickle
        return _received, (untyped.dumps(self.function),)


def _received(pickled: bytes) -> _Sent:
    from distributed.protocol import pickle

    untyped: Any = pickle
    return _Sent(untyped.loads(pickled))


@dataclass(frozen=True)
class _Raised:
    """An error of the function itself, distinguished from those of the cluster and of the user's array."""

    error: Exception


def _on_worker(sent: _Sent, start: int, size: int, *chunks: Any) -> Any:
    try:
        return _chunk(sent.function, start, size, *chunks)
    except Exception as error:  # noqa: BLE001 - raised again where the call was made
        return _Raised(error)


def _on_cluster(client: Any, lazy: Iterator[Any]) -> Iterator[Any]:
    """Results in order; twice as many chunks in progress as there are threads, so that no worker waits."""
    with _lost_cluster():
        most = 2 * max(1, sum(client.nthreads().values()))
    in_progress: deque[Any] = deque()
    try:
        for task in lazy:
            with _lost_cluster(), _dask_may_warn():
                in_progress.append(client.compute(task))
            if len(in_progress) >= most:
                yield _result(client, in_progress.popleft())
        while in_progress:
            yield _result(client, in_progress.popleft())
    finally:
        if in_progress:
            # A closed cluster has nothing to cancel.
            with contextlib.suppress(Exception):
                client.cancel(list(in_progress))


def _result(client: Any, future: Any) -> Any:
    """The result of a chunk as soon as it is computed; an error where no worker is left."""
    from distributed import KilledWorker, wait
    from distributed.comm.core import CommClosedError

    waiting: Any = wait
    without_since = None
    with _lost_cluster():
        while not future.done():
            try:
                waiting(future, timeout=_POLL)
            except TimeoutError:
                if sum(client.nthreads().values()):
                    without_since = None
                    continue
                without_since = without_since or time.monotonic()
                if time.monotonic() - without_since > _worker_timeout():
                    raise
        # An error of the user's array may be of the same class as one of the cluster.
        error = future.exception() if future.status == "error" else None
        if error is None or isinstance(error, KilledWorker | CommClosedError):
            result = future.result()
    if isinstance(error, ScAnnotateError | MemoryError):
        raise error
    if error is not None:
        raise failed(error) from error
    if isinstance(result, _Raised):
        raise result.error
    return result


@contextlib.contextmanager
def _dask_may_warn() -> Iterator[None]:
    """Where warnings are errors, Dask's advice on the size of a graph would end the call as if its array could not be computed."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"(dask|distributed)\b")
        yield


def _worker_timeout() -> float:
    import dask
    from dask.utils import parse_timedelta

    wanted = dask.config.get("distributed.scheduler.no-workers-timeout", None)
    return WORKER_TIMEOUT if wanted is None else float(parse_timedelta(wanted))


@contextlib.contextmanager
def _lost_cluster() -> Iterator[None]:
    """Errors of the cluster and of the user's array, as errors of this package."""
    from concurrent.futures import CancelledError

    from distributed import KilledWorker
    from distributed.comm.core import CommClosedError

    try:
        yield
    except (ScAnnotateError, MemoryError):
        raise
    except TimeoutError as error:
        raise InputError(
            f"the Dask cluster has had no worker for {_worker_timeout():g} seconds. Start workers and wait for them "
            "(`client.wait_for_workers(1)`), or close the client to work on this machine."
        ) from error
    except KilledWorker as error:
        raise InputError(
            f"workers of the Dask cluster died repeatedly while computing one chunk, usually for lack of memory: "
            f"{one_line(error)[:200]} Give them more memory, or make the chunks smaller."
        ) from error
    except (CancelledError, CommClosedError, AttributeError) as error:
        raise InputError(
            f"the Dask cluster was closed or lost its workers during the call: {one_line(error)[:200]} Start a new cluster and "
            "client, and call again."
        ) from error
    except Exception as error:
        raise failed(error) from error
