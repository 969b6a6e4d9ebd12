"""The order in which people expect names: "type 2" before "type 10"."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_NUMBERS = re.compile(r"([0-9]+)")


def natural_key(name: str) -> tuple[tuple[Any, ...], str]:
    """What to sort a name by: numbers in it by their value, the rest as text.

    Examples
    --------
    >>> sorted(["type 10", "type 2", "9", "10"], key=natural_key)
    ['9', '10', 'type 2', 'type 10']
    """
    parts: list[Any] = _NUMBERS.split(name)
    # As text of a length and not as int: a name may have thousands of digits.
    numbers = [part.lstrip("0") for part in parts[1::2]]
    parts[1::2] = [(len(number), number) for number in numbers]
    return tuple(parts), name


def natural(names: Iterable[str]) -> list[str]:
    """Names in natural order.

    Examples
    --------
    >>> natural({"T10", "T9", "B"})
    ['B', 'T9', 'T10']
    """
    return sorted(names, key=natural_key)


def shown_order(categories: Sequence[str]) -> list[str]:
    """Categories in natural order where they stand in that of the alphabet, else in their own, which someone chose.

    Examples
    --------
    >>> shown_order(["1", "10", "2"]), shown_order(["young", "old", "10", "9"])
    (['1', '2', '10'], ['young', 'old', '10', '9'])
    """
    names = list(categories)
    return natural(names) if names == sorted(names) else names
