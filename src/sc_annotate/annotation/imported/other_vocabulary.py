"""Labels of one vocabulary in the words of another: what the user says, what means the same term, and near names."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.frames import is_frame
from sc_annotate.annotation.markers.lists_of_labels import forms
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray


def read_mapping(mapping: Any, types: Iterable[str], *, truth: str) -> dict[str, str]:
    """What each label is called among the true `types`; "" for no type.

    `mapping` is a dict, or a table of :func:`sc_annotate.tl.map_labels` with the terms of labels and of true types.
    """
    if mapping is None:
        return {}
    names = list(types)
    if is_frame(mapping):
        return _by_term(mapping, names, truth)
    if not isinstance(mapping, Mapping):
        raise InputError(
            "mapping must be a dict from labels to true types, or a table of sca.tl.map_labels, not a "
            f"{type(mapping).__name__}."
        )
    found = {}
    for label, name in mapping.items():
        if not isinstance(label, str) or not (name is None or isinstance(name, str)):
            raise InputError(f"mapping must be a dict from labels to true types; {label!r}: {name!r} is not.")
        if name and name not in names:
            hint = f" Did you mean {near[0]!r}?" if (near := near_types(name, names)) else ""
            raise InputError(
                f"mapping takes {label!r} for {name!r}, which no cell of adata.obs[{truth!r}] (truth) is.{hint} There are: "
                f"{', '.join(map(repr, names))}."
            )
        found[label] = name or ""
    return found


def _by_term(table: pd.DataFrame, types: list[str], truth: str) -> dict[str, str]:
    """Labels that have the term of one true type; a true type may be the id or name of a term itself."""
    if missing := [name for name in ("label", "term_id") if name not in table.columns]:
        raise InputError(
            f"mapping, a table, lacks the columns {missing}. Pass uns['{truth}_ontology']['table'] and that of the labels, as "
            "sca.tl.map_labels writes them, joined by pandas.concat."
        )
    names = table["term_name"] if "term_name" in table.columns else table["term_id"]
    rows = [
        (str(label), str(term), str(name))
        for label, term, name in zip(table["label"], table["term_id"], names, strict=True)
        if isinstance(term, str) and term
    ]
    of_term: dict[str, set[str]] = {}
    for label, term, name in rows:
        of_term.setdefault(term, set()).update({label, term, name}.intersection(types))
    found = {label: next(iter(of_term[term])) for label, term, _ in rows if len(of_term[term]) == 1}
    if not any(label != name for label, name in found.items()):
        raise InputError(
            f"mapping, a table, has no label that shares its term with one type of adata.obs[{truth!r}] (truth). It needs the "
            f"rows of both: run sca.tl.map_labels(adata, {truth!r}) and join the two tables with pandas.concat."
        )
    return found


def translate(labels: NDArray[np.str_], mapping: Mapping[str, str]) -> NDArray[np.str_]:
    """Labels in the words of the mapping; those that are not in it as they are."""
    names, code = np.unique(labels, return_inverse=True)
    return np.array([mapping.get(name, name) for name in names.tolist()], dtype=str)[code]


def near_types(label: str, types: Iterable[str]) -> list[str]:
    """True types that a label may mean: of the same spelling, else the one that shares all words, else similar ones."""
    own, names = forms(label), list(types)
    spelled = {name: forms(name) for name in names}
    if alike := [name for name in names if own & spelled[name]]:
        return alike
    within = [name for name in names if any(_within(a, b) for a in own for b in spelled[name])]
    return within if len(within) == 1 else difflib.get_close_matches(label, names, n=2, cutoff=0.6)


def _within(one: str, other: str) -> bool:
    """Whether one name has all words of the other: "B" and "CD19 B"."""
    a, b = set(one.split()), set(other.split())
    return a <= b or b <= a
