"""Conditions and names in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def as_targets(targets: Sequence[Iterable[str]]) -> list[tuple[str, ...]]:
    """Each condition as the sorted tuple of its different targets; a bare name is refused with the cure."""
    if isinstance(targets, str):
        raise InputError(f"targets must be a list of tuples, such as [({targets!r},)], not the text {targets!r}.")
    out = []
    for entry in targets:
        if isinstance(entry, str):
            raise InputError(f"a condition is a tuple of target genes: write ({entry!r},) instead of {entry!r}.")
        names = list(entry)
        if not all(isinstance(name, str) and name for name in names):
            raise InputError(f"the targets of a condition must be gene names, not {names!r}.")
        out.append(tuple(sorted({str(name) for name in names})))
    return out


def name_of(targets: tuple[str, ...]) -> str:
    """A condition in words."""
    return "+".join(targets)


def some(names: Sequence[str], n: int = 5) -> str:
    """The first few of many names."""
    more = f" and {len(names) - n} more" if len(names) > n else ""
    return ", ".join(names[:n]) + more
