"""How a command ends: done, refused, interrupted, or by a mistake in the package."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import warnings
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from time import monotonic
from typing import TYPE_CHECKING, Any

from sc_annotate._core.files import one_line, shortened
from sc_annotate.cli.options import spoken
from sc_annotate.cli.output import printable
from sc_annotate.errors import ScAnnotateError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from sc_annotate.cli.output import Outputs

REFUSED, MISTAKE, CLOSED = 1, 3, 141
"""Exit codes; that of a signal is 128 and its number."""
AGAIN = 2.0
"""Seconds in which another signal does not disturb the deleting of temporary files."""


class _Ended(BaseException):
    """The process was asked to end."""

    def __init__(self, number: int) -> None:
        self.number = number


def run(args: argparse.Namespace, outputs: Outputs) -> int:
    """Do the work of a command; whatever goes wrong is one line on stderr and an exit code."""
    command = args.command
    try:
        with _signals(), _plain_messages():
            args.run(args, outputs)
            sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read stdout, such as `head`, is gone; Python would complain again at its end.
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code, text = CLOSED, "the reader of its output is gone"
    except _Ended as error:
        code, text = 128 + error.number, "interrupted" if error.number == signal.SIGINT else "terminated"
        return _ended(command, f"{text}; {_written(outputs) or 'nothing was written'}", code)
    except KeyboardInterrupt:
        return _ended(command, f"interrupted; {_written(outputs) or 'nothing was written'}", 128 + signal.SIGINT)
    except (ScAnnotateError, OSError) as error:
        # Two options may set arguments of one name, of two functions: the one that was written is meant.
        options = sorted(args.options, key=lambda each: getattr(args, each.dest, None) is None)
        code, text = REFUSED, spoken(shortened(one_line(error)), options)
    except MemoryError as error:
        code, text = REFUSED, f"there is not enough memory ({shortened(one_line(error)) or 'MemoryError'})"
    except Exception as error:
        if args.verbose:
            raise
        code = MISTAKE
        text = (
            f"a mistake in sc-annotate, {type(error).__name__}: {shortened(one_line(error)).removesuffix('.')}. Please report it, with what the same "
            "command prints with --verbose"
        )
    else:
        return 0
    done = _written(outputs)
    return _ended(command, f"{text.removesuffix('.')}; {done}" if done else text, code)


def _ended(command: str, text: str, code: int) -> int:
    print(f"sc-annotate {command}: {printable(text)}", file=sys.stderr)
    return code


def _written(outputs: Outputs) -> str:
    return f"written before: {', '.join(outputs.done)}" if outputs.done else ""


@contextmanager
def _signals() -> Iterator[None]:
    """Let signals unwind what is being done, so that temporary files are deleted."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may say what a signal does
        return
    last = -AGAIN

    def end(number: int, _: Any) -> None:
        nonlocal last
        before, last = last, monotonic()
        if last - before >= AGAIN:
            raise _Ended(number)

    names = [name for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    held = {number: signal.getsignal(number) for number in (getattr(signal, name) for name in names)}
    # What is ignored stays so, as below `nohup`.
    held = {number: handler for number, handler in held.items() if handler not in (signal.SIG_IGN, None)}
    for number in held:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in held.items():
            signal.signal(number, handler)


@contextmanager
def _plain_messages() -> Iterator[None]:
    """Warnings on one line each, without the place in the code, and texts that no terminal fails to show."""
    streams = [stream for stream in (sys.stdout, sys.stderr) if isinstance(stream, TextIOWrapper)]
    errors = [stream.errors for stream in streams]
    plainly = warnings.formatwarning
    for stream in streams:
        stream.reconfigure(errors="backslashreplace")
    warnings.formatwarning = _plain_warning
    try:
        with warnings.catch_warnings():
            # Deprecation notices of other packages are of no use on a terminal.
            warnings.simplefilter("ignore", FutureWarning)
            yield
    finally:
        warnings.formatwarning = plainly
        for stream, before in zip(streams, errors, strict=True):
            stream.reconfigure(errors=before)


def _plain_warning(message: Warning | str, *_: Any, **__: Any) -> str:
    return f"WARNING: {printable(shortened(' '.join(str(message).split())))}\n"


class PlainFormatter(logging.Formatter):
    """What is logged, on one line that no terminal takes for a command."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        return printable(super().format(record))
