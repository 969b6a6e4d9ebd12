"""Which lists are of a finer type than another, by their names: lists come from anywhere, mostly without an ontology."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_SPECIES: Final = {"human", "mouse"}
_OTHERWISE: Final = {"non", "not", "no", "pre", "pro", "like"}
"""Words that make another type of a name, not a finer one."""


class FinerTypes:
    """Types of a finer kind than each of some types: all words of its name, and others before the same last two.

    Examples
    --------
    >>> names = ["T cell", "CD4 T cell", "naive CD4 T cell", "B cell", "type B pancreatic cell", "CD4 memory T cell"]
    >>> [names[i] for i in FinerTypes(names).of(1)]
    ['naive CD4 T cell', 'CD4 memory T cell']
    """

    def __init__(self, types: Sequence[str]) -> None:
        self._words = [_words(name) for name in types]
        self._found: dict[int, list[int]] = {}

    def of(self, coarse: int) -> list[int]:
        """Places of the types that are finer than the one at this place."""
        if coarse not in self._found:
            words = self._words[coarse]
            self._found[coarse] = [i for i, other in enumerate(self._words) if _finer(other, words)]
        return self._found[coarse]


def _words(name: str) -> list[str]:
    words = [word for word in re.split(r"[\s,_]+", name.lower()) if word]
    return [word for word in words if word not in _SPECIES] or words


def _finer(words: list[str], coarse: list[str]) -> bool:
    end = min(2, len(coarse))
    more = set(words) - set(coarse)
    return (
        len(words) > len(coarse)
        and words[-end:] == coarse[-end:]
        and set(coarse) <= set(words)
        and bool(more)
        and not more & _OTHERWISE
    )
