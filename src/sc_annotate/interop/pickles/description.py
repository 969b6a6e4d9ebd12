"""Read a pickle as a description, without running any of it.

A pickle is a small program: it names functions and calls them. Here its instructions are followed on a stack of our own
on which nothing is imported, called or set on a real object. A name stays a :class:`Name`, and what would have been a
call or an object becomes a :class:`Thing` that remembers what it would have been made of. Names outside a list given by
the caller are refused before anything is built on them.
"""

from __future__ import annotations

import pickletools
import warnings
from typing import TYPE_CHECKING, Any

from sc_annotate.errors import ModelFileError
from sc_annotate.interop.pickles.machine import Machine, Name, Refused, Thing

if TYPE_CHECKING:
    from sc_annotate.interop.pickles.machine import Permit

__all__ = ["MAX_BYTES", "MAX_MEMORY", "MAX_STEPS", "Name", "Thing", "read"]

MAX_BYTES = 2**28
"""Larger files are refused. The largest model that CellTypist publishes has some tens of megabytes."""
MAX_STEPS = 3_000_000
"""Instructions in one file: a model needs a few for each of its genes and types."""
MAX_MEMORY = 2**30
"""Bytes of memory that the content of a file may take, whatever its size."""


def read(data: bytes, permit: Permit, *, what: str) -> Any:
    """The description in a pickle.

    Parameters
    ----------
    data
        The bytes of the file.
    permit
        Says of a module and a name how it may be used: ``"named"``, only as an argument; ``"called"``, as the maker of a
        :class:`Thing`; ``"made"``, as its class; None, not at all.
    what
        The file, for messages.

    Returns
    -------
    Numbers, strings, bytes, lists, tuples and dicts as in the file, and :class:`Name` and :class:`Thing`.

    Raises
    ------
    ModelFileError
        The file names anything else, uses a name in another way, is not a complete pickle, or too large.
    """
    if len(data) > MAX_BYTES:
        raise ModelFileError(f"{what} has {len(data):,} bytes; at most {MAX_BYTES:,} are read.")
    # Names of genes take some ten times their bytes in the file.
    machine = Machine(permit, min(2**26 + 16 * len(data), MAX_MEMORY))
    try:
        with warnings.catch_warnings():
            # Of a damaged file: escapes in a name that Python does not know.
            warnings.simplefilter("ignore", DeprecationWarning)
            for step, (code, argument, _) in enumerate(pickletools.genops(data)):
                if step >= MAX_STEPS:
                    raise Refused(f"has more than {MAX_STEPS:,} instructions")
                if code.name == "STOP":
                    return machine.result()
                machine.do(code.name, argument)
    except Refused as refused:
        raise ModelFileError(f"{what} {refused}, so it is refused; nothing in it was run.") from None
    except (ValueError, IndexError, KeyError, TypeError, OverflowError, MemoryError, RecursionError) as error:
        raise ModelFileError(f"{what} is not a complete pickle ({type(error).__name__}). Get it again.") from error
    raise ModelFileError(f"{what} is not a complete pickle: its end is missing. Get it again.")
