"""Texts of parameters that several functions have, written once."""

from __future__ import annotations

import re
from textwrap import dedent, indent
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., object] | type")

_LINE = re.compile(r"^( *)%\((\w+)\)s$", flags=re.MULTILINE)


def documented(**texts: str) -> Callable[[F], F]:
    """Fill in lines such as ``%(layer)s`` of a docstring from :data:`PARAMETERS`, or from `texts` of the function's own.

    Examples
    --------
    >>> @documented()
    ... def f(adata, key):
    ...     '''Do something.
    ...
    ...     Parameters
    ...     ----------
    ...     %(key)s
    ...     '''
    >>> print(f.__doc__.strip().splitlines()[-1].strip())
    Name of the result (``key_added``).
    """
    known = PARAMETERS | texts

    def fill(match: re.Match[str]) -> str:
        return indent(dedent(known[match[2]]).strip("\n"), match[1])

    def decorate(described: F) -> F:
        # python -OO takes docstrings away.
        if described.__doc__ is not None:
            described.__doc__ = _LINE.sub(fill, described.__doc__)
        return described

    return decorate


PARAMETERS: dict[str, str] = {
    "key": """
        key
            Name of the result (``key_added``).
        """,
    "rng": """
        rng
            Seed, an integer; equal seeds give equal results, bit for bit, on one machine.
        """,
    "ax": """
        ax
            Axes to draw on; a new figure otherwise.
        """,
    "show": """
        show
            Whether to show the figure; by default only where matplotlib is interactive.
        """,
    "return_fig": """
        return_fig
            Return the figure instead of the Axes.
        """,
}
"""Entries of ``Parameters`` sections, by name."""
