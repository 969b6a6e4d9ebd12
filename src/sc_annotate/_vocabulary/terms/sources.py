"""Where the terms of an ontology come from: OBO files, the CELLxGENE guide, a dict, columns of labels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from sc_annotate._core.extras import missing_extra
from sc_annotate._vocabulary.terms.obo import Term, parse_obo
from sc_annotate.errors import InputError, LabelError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray


ANY: str = "any type"
"""The root of trees that have several tops of their own."""


class Terms(NamedTuple):
    """The terms of a source, what it calls itself, and how errors name it."""

    terms: list[Term]
    version: str
    where: str


def some(items: Sequence[str]) -> str:
    """The first few names, and how many more there are."""
    shown = ", ".join(map(repr, items[:5]))
    return f"{shown} and {len(items) - 5} more" if len(items) > 5 else shown


def obo_terms(path: str | Path, prefix: str | None) -> Terms:
    """See :meth:`Ontology.from_obo`."""
    file = Path(path)
    header, terms = parse_obo(file)
    if prefix is None:
        # The header of "cl/subsets/..." names the ontology whose ids begin with "CL:".
        own = header.get("ontology", "").split("/")[0].upper()
        prefix = own if any(t.id.startswith(f"{own}:") for t in terms) else ""
    if prefix:
        terms = [t for t in terms if t.id.startswith(f"{prefix}:")]
        for t in terms:
            t.parents = [p for p in t.parents if p.startswith(f"{prefix}:")]
        if not terms:
            raise InputError(f"{str(file)!r} has no term whose id begins with {prefix + ':'!r}.")
    version = header.get("data-version") or header.get("ontology") or file.name
    return Terms(terms, version, repr(str(file)))


def guide_terms() -> Terms:
    """See :meth:`Ontology.from_guide`."""
    try:
        from cellxgene_ontology_guide.supported_versions import CXGSchema
    except ImportError as error:
        needs = "the Cell Ontology (else name an OBO file: ontology='cl.obo') comes with cellxgene-ontology-guide"
        raise missing_extra(needs, "cellxgene_ontology_guide", "ontology", error) from error
    schema = CXGSchema()
    found: dict[str, dict[str, Any]] = schema.ontology("CL")
    terms = [
        Term(
            id=key,
            name=str(entry["label"]),
            parents=[p for p, steps in entry["ancestors"].items() if steps == 1 and p in found],
            # The guide hands out exact synonyms only.
            synonyms=[(str(s), "exact") for s in entry.get("synonyms", ())],
            obsolete=bool(entry.get("deprecated")),
            replaced_by=str(entry.get("replaced_by") or ""),
        )
        for key, entry in found.items()
    ]
    version = schema.supported_ontologies["CL"]["version"]
    return Terms(terms, f"Cell Ontology {version}, CELLxGENE schema {schema.version}", "the guide")


def tree_terms(tree: Mapping[str, str | Sequence[str]]) -> Terms:
    """See :meth:`Ontology.from_tree`."""
    above = {child: _parents(child, parents) for child, parents in tree.items()}
    names = list(dict.fromkeys([*above, *(p for parents in above.values() for p in parents)]))
    wrong = [n for n in names if not isinstance(n, str) or not n.strip()]
    if wrong or not names:
        raise InputError(f"a tree is a dict from the name of each term to that of its parent; {wrong[:3]} is no name.")
    if itself := [n for n in names if n in above.get(n, ())]:
        raise InputError(f"in the tree, {itself[0]!r} is its own parent. Leave it out: a root needs no entry.")
    return _tree(names, {n: above.get(n, []) for n in names}, version="a tree")


def _parents(child: str, parents: str | Sequence[str] | None) -> list[str]:
    """The parents that a tree names; None is what people write for a root."""
    if parents is None or isinstance(parents, str):
        return [] if parents is None else [parents]
    if isinstance(parents, Mapping | bytes) or not isinstance(parents, Iterable):
        raise InputError(
            f"in the tree, the parent of {child!r} is {parents!r}: give a name, a list of names, or None for a root."
        )
    return list(parents)


def level_terms(columns: Mapping[str, ArrayLike] | Sequence[ArrayLike]) -> Terms:
    """See :meth:`Ontology.from_levels`."""
    if isinstance(columns, str) or not hasattr(columns, "__iter__"):
        raise LabelError(
            f"levels are a DataFrame, a dict or a list of columns of labels, not a {type(columns).__name__}."
        )
    if hasattr(columns, "keys"):
        table: Any = columns  # a DataFrame has keys too
        named = [(str(k), _labels(table[k], str(k))) for k in table.keys()]
    else:
        named = [(f"level {i}", _labels(c, f"level {i}")) for i, c in enumerate(columns, 1)]
    if not named or len({len(c) for _, c in named}) > 1:
        raise LabelError(
            f"levels are columns of labels of the same cells, coarse to fine, not columns of {[len(c) for _, c in named]} cells."
        )
    ids = _names_of_levels(named)
    above: dict[str, list[str]] = {term: [] for term in ids[0]}
    for (level, _), upper, lower in zip(named[1:], ids, ids[1:], strict=False):
        for parent, child in dict.fromkeys(zip(upper.tolist(), lower.tolist(), strict=True)):
            if parent == child:
                continue
            if above.get(child, [parent]) not in ([], [parent]):
                raise LabelError(
                    f"{child!r} ({level}) lies under {above[child][0]!r} and under {parent!r}: a finer label must lie under one "
                    "coarser label. Rename it or correct the cells."
                )
            above[child] = [parent]
    return _tree(list(above), above, version="levels of labels")


def _labels(column: Any, level: str) -> NDArray[np.str_]:
    import pandas as pd

    values = pd.Series(np.asarray(column, dtype=object))
    if values.isna().any():
        raise LabelError(f"{level} has no label for {int(values.isna().sum())} cells. Leave those cells out.")
    return np.asarray(values.astype(str), dtype=str)


def _names_of_levels(named: list[tuple[str, NDArray[np.str_]]]) -> list[NDArray[np.str_]]:
    """Ids of the labels of each column: a coarser one is renamed where a finer label of that name means less."""
    ids: list[NDArray[np.str_]] = []
    taken = {label for _, labels in named for label in labels.tolist()}
    for i, (level, labels) in enumerate(named):
        new = labels.astype(object)
        for label in np.unique(labels).tolist():
            inside = labels == label
            finer = [other for _, other in named[i + 1 :] if (other == label).any()]
            if any(((other == label) != inside).any() for other in finer):
                new[inside] = _free(f"{label} ({level})", taken)
        ids.append(new.astype(str))
    return ids


def _free(name: str, taken: set[str]) -> str:
    """A name that nothing has yet, the same one in brackets if need be; it is taken from now on."""
    while name in taken:
        name = f"({name})"
    taken.add(name)
    return name


def _tree(names: list[str], above: Mapping[str, list[str]], *, version: str) -> Terms:
    roots = [n for n in names if not above[n]]
    root = _free(ANY, set(names))
    more = [Term(root)] if len(roots) > 1 else []
    terms = [Term(n, n, parents=list(above[n]) or ([root] if more else [])) for n in names]
    return Terms([*more, *terms], version, "the tree")
