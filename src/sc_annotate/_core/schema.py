"""What a file may state about itself, in annotations: bounds and tables that ``Annotated`` adds to a type.

The types of the fields of dataclasses and typed dicts are the schema that :func:`sc_annotate._core.decode.decode` follows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pandas import DataFrame

    Frame = DataFrame
else:

    class Frame:
        """Placeholder for a table in annotations, so that reading them imports no pandas."""


LARGEST = 1e12
"""Largest number of any kind that a file states; no count or measurement here is as large."""


@dataclass(frozen=True)
class Within:
    """Bounds of a number, both included."""

    low: float
    high: float = LARGEST


@dataclass(frozen=True)
class Length:
    """Bounds of the length of a text or list, both included."""

    least: int = 0
    most: int = 100_000


@dataclass(frozen=True, eq=False)
class Columns:
    """Columns of a table by their type in JSON (``"float"``, ``"int"``, ``"bool"``, ``"text"``), and its fewest rows.

    `optional`: ``{}`` stands for no table.
    """

    of: Mapping[str, str]
    least: int = 0
    optional: bool = False


@dataclass(frozen=True, eq=False)
class Keys:
    """Keys that a dict must have, and the type of their values; the values of other keys are plain ones."""

    of: Mapping[str, Any]


@dataclass(frozen=True)
class Storable:
    """``uns`` can hold it, so that no key of a dict holds a ``/``."""


Text = Annotated[str, Length()]
Name = Annotated[str, Length(most=10_000)]
Count = Annotated[int, Within(0)]
Share = Annotated[float, Within(0, 1)]
