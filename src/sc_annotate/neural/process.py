"""What a training leaves unchanged in the process that it runs in."""

from __future__ import annotations

import logging
import signal
import threading
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_ONE_AT_A_TIME = threading.RLock()


@contextmanager
def as_before(torch: Any) -> Iterator[None]:
    """Random state, log levels, warning filters and the handler of Ctrl-C are afterwards what they were before.

    Threads take turns, as all of these belong to the process: two trainings at once would draw from one random state.
    """
    with _ONE_AT_A_TIME:
        yield from _as_before(torch)


def _as_before(torch: Any) -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in ("lightning", "lightning.pytorch", "lightning.fabric")]
    levels = [each.level for each in loggers]
    here = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGINT) if here else None
    try:
        for each in loggers:
            each.setLevel(logging.ERROR)
        with torch.random.fork_rng(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="lightning")
            warnings.filterwarnings("ignore", module="torch")
            yield
    finally:
        for each, level in zip(loggers, levels, strict=True):
            each.setLevel(level)
        if here and handler is not None:
            signal.signal(signal.SIGINT, handler)
