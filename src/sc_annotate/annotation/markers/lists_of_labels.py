"""Match labels with the marker lists of their types."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from sc_annotate._vocabulary.terms.names import spelling, written_out
from sc_annotate.errors import LabelError, MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    from numpy.typing import NDArray


class OwnList(NamedTuple):
    """The list of a label, as its place among those that are used, and how it was found."""

    place: int
    how: str
    """``types`` (the user), ``name``, ``spelling`` or ``ontology`` (the same term)."""


def lists_of_labels(
    labels: list[str],
    usable: NDArray[np.str_],
    term_ids: NDArray[np.str_],
    every: NDArray[np.str_],
    types: Mapping[str, str],
) -> dict[str, OwnList]:
    """The list of each label that has one: the one that the user names, else that of the same name, spelling or term.

    `usable` are the names of the lists with genes here and `term_ids` their terms ("" for none); `every` those of all lists.
    """
    if not isinstance(types, Mapping):
        raise LabelError(f"types must be a dict from labels to names of lists, not {type(types).__name__}.")
    names = usable.tolist()
    place = {name: j for j, name in enumerate(names)}
    for label, name in types.items():
        if label not in labels:
            near = difflib.get_close_matches(str(label), labels, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise LabelError(f"types names {label!r}, and no cell has that label.{hint} Labels: {', '.join(labels)}.")
        if not isinstance(name, str) or name not in place:
            why = "has too few genes in adata" if name in every.tolist() else "does not exist"
            near = difflib.get_close_matches(str(name), list(place), n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise LabelError(f"types maps {label!r} to the list {name!r}, which {why}.{hint}")
    found = {label: OwnList(place[name], "types") for label, name in types.items()}
    found |= {label: OwnList(place[label], "name") for label in labels if label in place and label not in found}
    spelled = _by_meaning((forms(name), j) for j, name in enumerate(names))
    _add(found, {label: forms(label) for label in labels if label not in found}, spelled, "spelling")
    if rest := [label for label in labels if label not in found]:
        _add_by_term(found, rest, names, term_ids.tolist())
    if not found:
        raise LabelError(
            f"no label has a list of its name. Labels: {', '.join(labels[:10])}. Lists: {', '.join(names[:10])}. Say "
            "which belong together: types={'label': 'name of a list'}."
        )
    return {label: found[label] for label in labels if label in found}


def _by_meaning(named: Iterable[tuple[set[str], int]]) -> dict[str, set[int]]:
    """The lists of each form of a name."""
    places: dict[str, set[int]] = {}
    for texts, j in named:
        for text in texts:
            places.setdefault(text, set()).add(j)
    return places


def _add(found: dict[str, OwnList], labels: dict[str, set[str]], places: dict[str, set[int]], how: str) -> None:
    """Add the labels of which a form belongs to one list alone."""
    for label, texts in labels.items():
        alike = set().union(*(places.get(text, set()) for text in texts))
        if len(alike) == 1:
            found[label] = OwnList(alike.pop(), how)


def _add_by_term(found: dict[str, OwnList], labels: list[str], names: list[str], terms: list[str]) -> None:
    """Add labels that mean the same term of the Cell Ontology as a list; none where the ontology is not installed."""
    from sc_annotate._vocabulary.terms.ontology import Ontology

    try:
        ontology = Ontology.from_guide()
    except MissingExtraError:
        return
    ids = [ontology.find(term).id or ontology.find(name).id for name, term in zip(names, terms, strict=True)]
    places = _by_meaning(({term}, j) for j, term in enumerate(ids) if term)
    _add(found, {label: {ontology.find(label).id} - {""} for label in labels}, places, "ontology")


def forms(text: str) -> set[str]:
    """A name in one spelling, as it is and with abbreviations written out, without the words that do not tell types apart.

    "CD4+ T cells" and "CD4 T" have a form in common, "NK cells" and "natural killer cell" too; "CD25-" keeps its sign.
    """
    spelled = spelling(text)
    plain = {_plain(each) for each in (spelled, *written_out(spelled))}
    return plain - {""}


def _plain(spelled: str) -> str:
    words = re.sub(r"[^\w~]+", " ", spelled.replace("_", " ")).split()
    kept = [w for w in words if w not in ("cell", "cells", "positive")]
    return " ".join(w[:-1] if len(w) > 3 and w.endswith("s") and not w.endswith("ss") else w for w in kept)
