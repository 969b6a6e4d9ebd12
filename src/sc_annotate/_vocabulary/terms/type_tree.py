"""The types of a model in a tree of terms: which of them lie under which term."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sc_annotate._vocabulary.terms.sources import ANY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from sc_annotate._vocabulary.terms.ontology import Ontology


@dataclass(frozen=True, eq=False)
class TypeTree:
    """Terms that distinguish the types of a model: of those with the same types under them, the deepest."""

    ids: NDArray[np.str_]
    """Ids of the terms; "" for a root that was put above those of the ontology."""
    names: NDArray[np.str_]
    """A type's own label where no other type is under the term, the term's name otherwise; unique."""
    types: NDArray[np.intp]
    """Position of the type whose label the name is, -1 for a term that is no type."""
    membership: NDArray[np.bool_]
    """Types at or under each term, shape (terms, types)."""
    depth: NDArray[np.intp]
    """How deep the terms lie in the ontology."""
    parents: NDArray[np.intp]
    """Position of the next term above, -1 for the root."""


def type_tree(classes: Sequence[str], terms: Sequence[str], ontology: Ontology) -> TypeTree:
    """The tree of `classes`, each of which is the term beside it; each is a leaf, all together are the root."""
    k = len(classes)
    terms = [ontology.resolve(t) for t in terms]
    under: dict[str, NDArray[np.bool_]] = {}
    for j, term in enumerate(terms):
        for above in ontology.ancestors(term):
            under.setdefault(above, np.zeros(k, dtype=bool))[j] = True
    # Of terms with the same types the deepest; then that with the least else under it, then by id.
    best: dict[bytes, str] = {}
    for term in sorted(under, key=lambda t: (-ontology.depth(t), len(ontology.descendants(t)), t)):
        best.setdefault(under[term].tobytes(), term)
    of = {term: int(np.flatnonzero(types)[0]) for term, types in under.items() if types.sum() == 1}
    rows = [(term, under[term], ontology.depth(term), of.get(term, -1)) for term in best.values()]
    # A type whose term holds other types too is a kind of its own below it: it may be called without them.
    rows += [(t, np.arange(k) == j, ontology.depth(t) + 1, j) for j, t in enumerate(terms) if t not in of]
    if not any(r[1].all() for r in rows):
        rows.append(("", np.ones(k, dtype=bool), -1, -1))
    rows.sort(key=lambda r: (-int(r[1].sum()), r[2], r[0]))
    membership = np.array([r[1] for r in rows])
    names = [classes[r[3]] if r[3] >= 0 else (ontology.name(r[0]) if r[0] else ANY) for r in rows]
    for i, row in enumerate(rows):
        # A term that is called like a type, or like another term, and is not it.
        if row[3] < 0 and names.count(names[i]) > 1:
            names[i] = f"{names[i]} (of any kind)"
            if names.count(names[i]) > 1:
                names[i] = f"{names[i]} [{row[0]}]"
    return TypeTree(
        ids=np.array([r[0] for r in rows], dtype=str),
        names=np.array(names, dtype=str),
        types=np.array([r[3] for r in rows], dtype=np.intp),
        membership=membership,
        depth=np.array([r[2] for r in rows], dtype=np.intp),
        parents=_parents(membership, np.array([r[2] for r in rows])),
    )


def _parents(membership: NDArray[np.bool_], depth: NDArray[np.intp]) -> NDArray[np.intp]:
    """For each term the one above it with the fewest types, of such the deepest."""
    sizes = membership.sum(axis=1)
    parents = np.full(len(membership), -1, dtype=np.intp)
    for i, types in enumerate(membership):
        above = np.flatnonzero((membership | ~types).all(axis=1) & (sizes > sizes[i]))
        if above.size:
            parents[i] = above[np.lexsort((-depth[above], sizes[above]))[0]]
    return parents
