"""An ontology from whatever a user may name one by."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sc_annotate._vocabulary.terms.ontology import Ontology
from sc_annotate.errors import InputError


def open_ontology(source: Ontology | str | Path | Mapping[str, Any] | None) -> Ontology:
    """The ontology itself, the Cell Ontology for None, a tree for a dict, or what an OBO file holds."""
    if isinstance(source, Ontology):
        return source
    if source is None:
        return Ontology.from_guide()
    if isinstance(source, Mapping):
        return Ontology.from_tree(source)
    if isinstance(source, str | Path):
        return Ontology.from_obo(source)
    raise InputError(
        f"ontology must be an Ontology, the path of an OBO file, a dict from child to parent, or None, not a "
        f"{type(source).__name__}."
    )
