"""Labels to terms of an ontology, with what the user decided."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sc_annotate._vocabulary.terms.ontology import Ontology


@dataclass(frozen=True)
class Mapped:
    """What became of one label."""

    label: str
    id: str
    """"" where it has no term."""
    name: str
    how: str
    near: str
    """Names that look like it, for a label without a term."""


def map_names(labels: Sequence[str], ontology: Ontology, overrides: Mapping[str, str] | None) -> list[Mapped]:
    """The term of each label; `overrides` give ids or names of terms, and "" for none."""
    own = _decided(overrides, ontology)
    found = []
    for label in labels:
        if label in own:
            term, how = own[label], "override"
        else:
            term, how = ontology.find(label)
        near = "" if term or how == "override" else "; ".join(ontology.near(label))
        found.append(Mapped(label, term, ontology.name(term) if term else "", how, near))
    return found


def _decided(overrides: Mapping[str, str] | None, ontology: Ontology) -> dict[str, str]:
    if overrides is None:
        return {}
    if not isinstance(overrides, Mapping):
        raise InputError(f"overrides must be a dict from label to term, not a {type(overrides).__name__}.")
    decided = {}
    for label, term in overrides.items():
        if not isinstance(label, str) or not isinstance(term, str):
            raise InputError(
                f"overrides must be a dict from label to the id or name of a term; {label!r}: {term!r} is not."
            )
        found = ontology.find(term) if term else None
        # An id that is unknown or obsolete is refused with the reason; a name must be one, not look like one.
        ok = found is None or (found.id and found.how in ("id", "exact", "synonym"))
        decided[str(label)] = (found.id if found else "") if ok else ontology.resolve(term)
    return decided
