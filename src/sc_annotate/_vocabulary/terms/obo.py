"""Read the terms of an OBO file (format 1.2 and 1.4): names, is_a parents, synonyms, what was retired."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sc_annotate._core.text_tables import enough_memory, lines, read_text
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_SYNONYM = re.compile(r'"((?:[^"\\]|\\.)*)"\s*(EXACT|BROAD|NARROW|RELATED)?')
MOST_TERMS = 1_000_000
_ESCAPED = {"n": " ", "t": " ", "W": " "}


@dataclass
class Term:
    """One term, as a source names it."""

    id: str
    name: str = ""
    parents: list[str] = field(default_factory=list)
    synonyms: list[tuple[str, str]] = field(default_factory=list)
    """Text and scope: exact, broad, narrow or related."""
    alternatives: list[str] = field(default_factory=list)
    """Ids under which the term was known before."""
    obsolete: bool = False
    replaced_by: str = ""


def parse_obo(path: Path) -> tuple[dict[str, str], list[Term]]:
    """The header, and the terms in the order of the file."""
    what = "an OBO file, plain or compressed"
    text = read_text(path, what=what)
    with enough_memory(path, what=what):
        n = len(re.findall(r"^\[Term\]", text, flags=re.MULTILINE))
        if n > MOST_TERMS:
            raise InputError(f"{str(path)!r} holds {n:,} terms; at most {MOST_TERMS:,} are read.")
        head, *stanzas = re.split(r"^\[(?=\w+\]\s*$)", text, flags=re.MULTILINE)
        header = dict(_pairs(head))
        terms = [_term(_pairs(s.partition("]")[2]), path) for s in stanzas if s.startswith("Term]")]
    if not terms:
        raise InputError(
            f"{str(path)!r} holds no [Term]: it is no OBO file. An OWL or JSON file must be converted first."
        )
    return header, terms


def _pairs(block: str) -> Iterator[tuple[str, str]]:
    """Tag and value of each line, one after the other: a block may have millions of them."""
    for line in lines(block):
        tag, colon, value = line.partition(":")
        if colon and not line.startswith("!"):
            yield tag.strip(), value.strip()


def _term(pairs: Iterable[tuple[str, str]], path: Path) -> Term:
    term = Term("")
    for tag, value in pairs:
        if tag == "id":
            term.id = _first(value)
        elif tag == "name":
            term.name = _plain(value)
        elif tag == "is_a":
            term.parents.append(_first(value))
        elif tag == "alt_id":
            term.alternatives.append(_first(value))
        elif tag == "is_obsolete":
            term.obsolete = value.lower().startswith("true")
        elif tag == "replaced_by":
            term.replaced_by = _first(value)
        elif tag == "synonym" and (match := _SYNONYM.match(value)):
            term.synonyms.append((_plain(match[1]), (match[2] or "RELATED").lower()))
    if not term.id:
        raise InputError(f"{str(path)!r} holds a [Term] without id (name {term.name!r}): the file is damaged.")
    return term


def _first(value: str) -> str:
    """An id, without the comment or modifiers behind it."""
    return value.split(maxsplit=1)[0] if value else ""


def _plain(value: str) -> str:
    """Text without escapes."""
    return re.sub(r"\\(.)", lambda m: _ESCAPED.get(m[1], m[1]), value).strip()
