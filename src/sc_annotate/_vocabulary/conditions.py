"""Names of perturbed conditions and the genes they stand for."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.codec import check_texts
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

SEPARATOR = "+"
# Spelled in so many ways beside a single target, as in "KLF1+ctrl". None of these is the name of a gene.
_NO_TARGET = {"", "ctrl", "control", "non-targeting", "nontargeting", "non_targeting", "negctrl"}
# Short for non-targeting or negative on their own, but genes beside another one, unless the control is named so.
_MAY_BE_GENES = {"nt", "neg"}


@dataclass(frozen=True)
class Condition:
    """One name as it was found: its targets, ascending (none for control), or why it could not be read."""

    name: str
    targets: tuple[str, ...]
    problem: str = ""

    @property
    def canonical(self) -> str:
        """Targets joined by ``+``: the same for ``"A+B"`` and ``"B+A"``."""
        return SEPARATOR.join(self.targets)


def parse(
    names: Iterable[Any], *, control: str, separator: str | Sequence[str] = SEPARATOR, guide_suffix: str | None = None
) -> list[Condition]:
    r"""Each name as a set of targets.

    Parameters
    ----------
    names
        As they stand in a column; missing ones cannot be read.
    control
        The name of the control. In a combination it, ``"ctrl"``, ``"control"``, ``"non-targeting"`` (also with ``_`` or
        without a hyphen) and ``"negctrl"``, whatever their case, are no target; where the control is itself a
        combination of one part, such as ``"NT+NT"``, neither is that part.
    separator
        What stands between the targets of a combination; several are tried one after the other, the first that occurs in
        the name counts.
    guide_suffix
        Regular expression of what follows the gene in the name of a guide, such as ``r"_g\d+"``; cut off at the end of
        each part.
    """
    if not isinstance(control, str) or not control:
        raise InputError(f"control must be the name of the control, a string, not {control!r}.")
    if isinstance(names, str) or not hasattr(names, "__iter__"):
        raise InputError(f"names of conditions must be a list such as ['KLF1', 'KLF1+GATA1'], not {names!r}.")
    between: list[Any] = (
        [separator] if isinstance(separator, str) or not hasattr(separator, "__iter__") else [*separator]
    )
    if not between or not all(isinstance(mark, str) and mark for mark in between):
        raise InputError(f"separator must be a string such as '+', or a list of them, not {separator!r}.")
    if guide_suffix is not None and not isinstance(guide_suffix, str):
        raise InputError(f"guide_suffix must be a regular expression such as r'_g\\d+', not {guide_suffix!r}.")
    try:
        suffix = None if guide_suffix is None else re.compile(f"(?:{guide_suffix})$")
    except re.error as error:
        raise InputError(f"guide_suffix={guide_suffix!r} is no regular expression: {error}.") from error
    names = list(names)
    check_texts(names, "names of conditions", InputError)
    none = _NO_TARGET | {control.lower()}
    mark = next((mark for mark in between if mark in control), None)
    halves = {part.strip().lower() for part in control.split(mark)} if mark else set()
    none |= halves if len(halves) == 1 else set()
    out = []
    for name in names:
        if name is None or type(name).__name__ in ("NAType", "NaTType") or name != name:
            out.append(Condition("", (), "the name is missing"))
            continue
        text = str(name)
        if text == control:
            out.append(Condition(text, ()))
            continue
        mark = next((mark for mark in between if mark in text), None)
        parts = [part.strip() for part in (text.split(mark) if mark else [text])]
        if suffix is not None:
            parts = [part if part.lower() in none else suffix.sub("", part) for part in parts]
        if text != control and suffix is not None and suffix.sub("", text) == control:
            out.append(Condition(text, ()))
            continue
        if any(SEPARATOR in part for part in parts):
            out.append(
                Condition(text, (), f"a target holds {SEPARATOR!r}, which joins targets; name that separator, too")
            )
            continue
        if not all(parts):
            out.append(Condition(text, (), "a part of the name is empty"))
            continue
        targets = tuple(sorted({part for part in parts if part.lower() not in none}))
        if not {part.lower() for part in targets} - _MAY_BE_GENES:
            targets = ()
        problem = "" if targets else f"it names no gene; should it be the control, pass control={text!r}"
        out.append(Condition(text, targets, problem))
    return out


def check_control(names: Sequence[str], control: Any, *, where: str) -> str:
    """The name of the control, which must occur."""
    if not isinstance(control, str) or not control:
        raise InputError(f"control must be the name of the control in {where}, not {control!r}.")
    if control in names:
        return control
    same = [name for name in names if name.lower() == control.lower()]
    usual = [name for name in names if name.lower() in _NO_TARGET | _MAY_BE_GENES]
    near = same or difflib.get_close_matches(control, list(names), n=1, cutoff=0.6) or usual[:1]
    hint = f"Did you mean {near[0]!r}? " if near else ""
    shown = ", ".join(map(repr, list(names)[:8])) + (", ..." if len(names) > 8 else "")
    raise InputError(f"{where} has no {control!r} (control). {hint}There are: {shown or 'none'}.")


def targets_of(column: Iterable[Any]) -> list[tuple[str, ...]]:
    """Targets from the canonical names of a ``targets`` column; none for control."""
    return [tuple(name.split(SEPARATOR)) if name else () for name in map(str, column)]


def as_targets(
    conditions: Any,
    *,
    control: str = "control",
    separator: str | Sequence[str] = SEPARATOR,
    guide_suffix: str | None = None,
) -> list[tuple[str, ...]]:
    """Conditions as a caller names them: ``"A"``, ``"A+B"`` or as the screen spells them, or a list of targets each."""
    if isinstance(conditions, str) or not hasattr(conditions, "__iter__"):
        raise InputError(f"conditions must be a list such as ['KLF1', 'KLF1+GATA1'], not {conditions!r}.")
    out = []
    marks: list[str] = [separator] if isinstance(separator, str) else [*separator]
    for condition in conditions:
        if isinstance(condition, list | tuple | np.ndarray) and len(condition):
            condition = SEPARATOR.join(map(str, condition))
        if not isinstance(condition, str):
            raise InputError(f"{condition!r} is no condition: write 'A', 'A+B' or a list of targets.")
        (found,) = parse(
            [condition],
            control=control,
            separator=[*marks, SEPARATOR] if SEPARATOR not in marks else marks,
            guide_suffix=guide_suffix,
        )
        if found.problem:
            raise InputError(f"{condition!r} is no condition: {found.problem}.")
        if not found.targets:
            raise InputError(f"{condition!r} is the control, which is not predicted. Name perturbed genes.")
        out.append(found.targets)
    if not out:
        raise InputError("conditions is empty. Name at least one, or leave it out.")
    return list(dict.fromkeys(out))


def names_of(targets: Sequence[tuple[str, ...]]) -> NDArray[np.str_]:
    """Canonical names."""
    return np.array([SEPARATOR.join(each) for each in targets], dtype=np.str_)
