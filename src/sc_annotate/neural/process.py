"""What a training leaves unchanged in the process that it runs in."""

from __future__ import annotations

import logging
import signal
import threading
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sc_annotate.errors import MethodError

if TYPE_CHECKING:
    from collections.abc import Iterator

_ONE_AT_A_TIME = threading.RLock()


@contextmanager
def as_before(torch: Any) -> Iterator[None]:
    """Random state, logging, warning filters and handlers of signals are afterwards what they were before.

    Threads take turns, as all of these belong to the process: two trainings at once would draw from one random state.
    """
    with _ONE_AT_A_TIME:
        try:
            yield from _as_before(torch)
        except RuntimeError as error:
            if not lacks_memory(error):
                raise
            said = " ".join(str(error).split())[:200]
            raise MethodError(
                f"the network does not fit into memory ({said}). Use fewer units, a lower rank, or fewer genes (n_top_genes)."
            ) from error


def lacks_memory(error: BaseException) -> bool:
    """Whether torch says that there is too little memory, for which it has no exception of its own on CPUs.

    Examples
    --------
    >>> lacks_memory(RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 800 bytes"))
    True
    """
    words = ("allocate memory", "not enough memory", "out of memory", "Storage size calculation overflowed")
    return isinstance(error, RuntimeError) and any(each in str(error) for each in words)


def _as_before(torch: Any) -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in ("lightning", "lightning.pytorch", "lightning.fabric")]
    levels = [each.level for each in loggers]
    # What some libraries log at the root gives it a handler for good.
    own = list(logging.root.handlers)
    here = threading.current_thread() is threading.main_thread()
    handlers = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)} if here else {}
    try:
        for each in loggers:
            each.setLevel(logging.ERROR)
        with torch.random.fork_rng(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="lightning")
            warnings.filterwarnings("ignore", module="torch")
            yield
    finally:
        for added in [each for each in logging.root.handlers if each not in own]:
            logging.root.removeHandler(added)
        for each, level in zip(loggers, levels, strict=True):
            each.setLevel(level)
        for number, handler in handlers.items():
            if handler is not None:
                signal.signal(number, handler)


@contextmanager
def interruptible() -> Iterator[None]:
    """Ctrl-C ends what is done with a KeyboardInterrupt, a request to end the process with SystemExit, as without Lightning."""
    from lightning.pytorch.utilities.exceptions import SIGTERMException

    try:
        yield
    except SIGTERMException as error:
        # 128 and the number of the signal, as shells have it.
        raise SystemExit(128 + signal.SIGTERM) from error
    except SystemExit as error:
        # Lightning leaves the interpreter after Ctrl-C; a notebook is to go on.
        raise KeyboardInterrupt from error
