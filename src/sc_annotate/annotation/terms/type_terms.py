"""Which terms the types of an annotation are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sc_annotate._vocabulary.terms.map_names import map_names
from sc_annotate._vocabulary.terms.ontology import Ontology
from sc_annotate._vocabulary.terms.open_ontology import open_ontology
from sc_annotate._vocabulary.terms.type_tree import TypeTree, type_tree
from sc_annotate.errors import LabelError

if TYPE_CHECKING:
    from sc_annotate.annotation.terms.terms_request import TermsRequest


def tree_of(
    stored: Mapping[str, Any],
    request: TermsRequest,
    *,
    key: str,
) -> tuple[TypeTree, Ontology, str]:
    """The types of an annotation in a tree, the ontology that it is of, and where that came from in words."""
    classes = [str(c) for c in stored["classes"]]
    levels = stored.get("levels")
    if request.ontology is None and levels is not None:
        request.refuse("overrides", why="the levels of the labels are the terms. Leave it out, or pass an ontology.")
        found = Ontology.from_levels(levels)
        return type_tree(classes, classes, found), found, "the levels of the labels"
    found = open_ontology(request.ontology)
    mapped = map_names(classes, found, request.overrides)
    lost = [m for m in mapped if not m.id]
    if lost:
        shown = "; ".join(f"{m.label!r}" + (f" (near: {m.near})" if m.near else f" ({m.how})") for m in lost[:8])
        more = f" and {len(lost) - 8} more" if len(lost) > 8 else ""
        own = "Add them to the tree, or say" if isinstance(request.ontology, Mapping) else "Say"
        raise LabelError(
            f"{len(lost)} of the {len(classes)} types of {key!r} {'has' if len(lost) == 1 else 'have'} no term in {found!r}: {shown}{more}. {own} which they are: "
            f"overrides={{{lost[0].label!r}: ...}}, with the id or the name of a term."
        )
    return type_tree(classes, [m.id for m in mapped], found), found, repr(found)
