"""Package-wide settings: progress bars, cells per block, threads, limits of downloads."""

from __future__ import annotations

import logging
import math
import os
from collections import deque
from collections.abc import Sized
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future


MOST_THREADS = 8
_NAMES = ("progress", "block_size", "n_threads", "max_download_bytes", "max_download_seconds")


class Settings:
    """What holds for the whole package; read and set as attributes of ``sca.settings``.

    Attributes
    ----------
    progress
        Whether anything that may take over two seconds shows a progress bar.
    block_size
        How many cells are worked on at once; the memory that prediction takes grows with it.
    n_threads
        How many blocks are worked on at the same time; None: as many as this process has cores, at most 8.
    max_download_bytes
        Largest file that is downloaded; None: 250 MB for a model, 20 GB for a screen of ``sca.datasets``, 500 MB for anything
        else. Lists of models have a limit of their own, of some MB.
    max_download_seconds
        How long one download may take; None: an hour, for a screen twelve. One that transfers less than 16 KB in 15 seconds is
        given up earlier.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> with sca.settings.override(block_size=1000):
    ...     sca.settings.block_size
    1000
    >>> sca.settings.block_size
    4096
    """

    __slots__ = ("_block_size", "_max_download_bytes", "_max_download_seconds", "_n_threads", "_progress")

    def __init__(self) -> None:
        self._progress = True
        self._block_size = 4096
        self._n_threads: int | None = None
        self._max_download_bytes: int | None = None
        self._max_download_seconds: float | None = None

    @property
    def progress(self) -> bool:
        return self._progress

    @progress.setter
    def progress(self, value: bool) -> None:
        if not isinstance(value, bool):
            raise InputError(f"settings.progress must be True or False, not {value!r}.")
        self._progress = value

    @property
    def block_size(self) -> int:
        return self._block_size

    @block_size.setter
    def block_size(self, value: int) -> None:
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise InputError(f"settings.block_size must be a whole number of cells of at least 1, not {value!r}.")
        self._block_size = value

    @property
    def n_threads(self) -> int | None:
        return self._n_threads

    @n_threads.setter
    def n_threads(self, value: int | None) -> None:
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
            raise InputError(f"settings.n_threads must be None or a whole number of at least 1, not {value!r}.")
        self._n_threads = value

    @property
    def max_download_bytes(self) -> int | None:
        return self._max_download_bytes

    @max_download_bytes.setter
    def max_download_bytes(self, value: int | None) -> None:
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
            raise InputError(
                f"settings.max_download_bytes must be None or a whole number of bytes of at least 1, not {value!r}."
            )
        self._max_download_bytes = value

    @property
    def max_download_seconds(self) -> float | None:
        return self._max_download_seconds

    @max_download_seconds.setter
    def max_download_seconds(self, value: float | None) -> None:
        wrong = isinstance(value, bool) or not isinstance(value, int | float | None)
        if wrong or (value is not None and not 0 < value < math.inf):
            raise InputError(f"settings.max_download_seconds must be None or a number above 0, not {value!r}.")
        self._max_download_seconds = value

    @contextmanager
    def override(self, **values: Any) -> Iterator[None]:
        """Other settings for the length of a ``with`` block."""
        before = {name: getattr(self, name) for name in _NAMES}
        unknown = set(values) - set(before)
        if unknown:
            raise InputError(f"there is no setting {sorted(unknown)}; there are: {', '.join(before)}.")
        try:
            for name, value in values.items():
                setattr(self, name, value)
            yield
        finally:
            for name, value in before.items():
                setattr(self, name, value)

    def __repr__(self) -> str:
        return f"Settings({', '.join(f'{name}={getattr(self, name)}' for name in _NAMES)})"


settings = Settings()


def n_threads() -> int:
    """How many blocks are worked on at once."""
    if settings.n_threads is not None:
        return settings.n_threads
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(MOST_THREADS, cores)


T = TypeVar("T")

DELAY = 2.0

logger = logging.getLogger("sc_annotate")


def counted(n: int, what: str) -> str:
    """A number and what it counts, for messages.

    Examples
    --------
    >>> counted(1, "cell"), counted(2000, "cell")
    ('1 cell', '2,000 cells')
    """
    return f"{n:,} {what}{'' if n == 1 else 's'}"


_said: ContextVar[set[str] | None] = ContextVar("said", default=None)


def say(texts: Iterable[str], level: int = logging.WARNING) -> None:
    """Log each text; within :func:`each_once`, one that was logged before is not repeated."""
    said = _said.get()
    for text in texts:
        if said is None or text not in said:
            logger.log(level, text)
        if said is not None:
            said.add(text)


@contextmanager
def each_once() -> Iterator[None]:
    """Within the block, :func:`say` says each fact once, however many methods it holds for."""
    token = _said.set(set())
    try:
        yield
    finally:
        _said.reset(token)


_within: ContextVar[str] = ContextVar("within", default="")


@contextmanager
def within(what: str) -> Iterator[None]:
    """Bars that appear within the block also say this, such as the number of a fold."""
    token = _within.set(what)
    try:
        yield
    finally:
        _within.reset(token)


def track(
    items: Iterable[T], *, what: str, total: int | None = None, size: Callable[[T], int] | None = None
) -> Iterator[T]:
    """Pass `items` through, with a bar that appears once two seconds have gone by and there is more to do.

    With `size`, bytes are counted instead of items, and `total` is a number of bytes. tqdm is imported only then: in a notebook without ipywidgets its import prints a warning of its own.
    """
    started, bar, done = monotonic(), None, 0
    if total is None and size is None and isinstance(items, Sized):
        total = len(items)
    try:
        for item in items:
            if bar is None and done and settings.progress and monotonic() - started > DELAY:
                from tqdm.auto import tqdm

                unit = {} if size is None else {"unit": "B", "unit_scale": True}
                where = _within.get()
                bar = tqdm(desc=f"{what}, {where}" if where else what, total=total, initial=done, leave=False, **unit)
            yield item
            step = 1 if size is None else size(item)
            done += step
            if bar is not None:
                bar.update(step)
    finally:
        if bar is not None:
            bar.close()


def on_threads(tasks: Iterator[Callable[[], T]], n: int) -> Iterator[T]:
    """Results in the order of the tasks, with at most twice as many in progress as there are threads."""
    if n == 1:
        for task in tasks:
            yield task()
        return
    pool = ThreadPoolExecutor(n, thread_name_prefix="sc_annotate")
    under_way: deque[Future[T]] = deque()
    try:
        for task in tasks:
            under_way.append(pool.submit(task))
            if len(under_way) >= 2 * n:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
