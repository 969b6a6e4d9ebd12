"""How far a call lies from the truth in an ontology: not every mistake is the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from sc_annotate._core.arguments import public
from sc_annotate._vocabulary.terms.open_ontology import open_ontology
from sc_annotate.metrics.encoding import encode, same_length

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import ArrayLike, NDArray

    from sc_annotate._vocabulary.terms.ontology import Ontology

    Source = Ontology | str | Path | Mapping[str, str | Sequence[str]] | None

__all__ = [
    "HierarchicalScores",
    "hierarchical_precision_recall_f1",
    "ontology_accuracy",
    "ontology_distance",
    "ontology_match",
]


class HierarchicalScores(NamedTuple):
    """Precision, recall and F1 of ancestor sets: numbers, or arrays of shape (n,) of the cells.

    Examples
    --------
    >>> from sc_annotate.metrics import HierarchicalScores
    >>> HierarchicalScores(1.0, 0.5, 2 / 3).recall
    0.5
    """

    precision: Any
    """Share of what the calls say that is true."""
    recall: Any
    """Share of what is true that the calls say."""
    f1: Any
    """Their harmonic mean."""


@public
def ontology_distance(truth: ArrayLike, called: ArrayLike, ontology: Source = None) -> NDArray[np.float64]:
    """Edges between the true term and the called one, over a common ancestor, for each cell.

    0 is right; the upper end depends on the ontology. Edges of an ontology are not equally long: where it is drawn in
    more detail, the same mistake costs more. Compare methods on one ontology only, paired.

    Parameters
    ----------
    truth
        Ids of the true terms, shape (n,); in a tree of your own the ids are the names.
    called
        Ids of the called terms, shape (n,); None, NaN or "" for a cell without a call.
    ontology
        What :func:`sc_annotate.pp.read_ontology` gave, or takes.

    Returns
    -------
    Whole numbers as float64, shape (n,); NaN for a cell without a call. All cells count; nothing is averaged.

    Raises
    ------
    sc_annotate.errors.InputError
        Arguments of different cells, an id that the ontology lacks, or terms without a common ancestor.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> tree = {"CD4 T": "T", "CD8 T": "T", "T": "blood", "B": "blood"}
    >>> sca.metrics.ontology_distance(["CD4 T"] * 4, ["CD4 T", "CD8 T", "T", "B"], tree).tolist()
    [0.0, 2.0, 1.0, 3.0]
    """
    found = open_ontology(ontology)
    return _of_pairs(truth, called, found, lambda t, c: float(found.distance(t, c)), np.nan)


@public
def ontology_match(truth: ArrayLike, called: ArrayLike, ontology: Source = None) -> NDArray[np.str_]:
    """Whether each call is exact, an ancestor of the truth (right but coarser), a descendant (finer than known), or other.

    An ancestor is right however little it says: "cell" is an ancestor of all. Report how fine the calls are beside.

    Parameters
    ----------
    truth, called, ontology
        As in :func:`ontology_distance`.

    Returns
    -------
    ``"exact"``, ``"ancestor"``, ``"descendant"`` or ``"other"``; ``""`` for a cell without a call. Shape (n,).

    Raises
    ------
    sc_annotate.errors.InputError
        Arguments of different cells, or an id that the ontology lacks.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> tree = {"CD4 T": "T", "CD8 T": "T", "T": "blood", "B": "blood"}
    >>> sca.metrics.ontology_match(["CD4 T", "CD4 T", "T", "B"], ["CD4 T", "T", "CD4 T", "T"], tree).tolist()
    ['exact', 'ancestor', 'descendant', 'other']
    """
    found = open_ontology(ontology)
    return _of_pairs(truth, called, found, lambda t, c: _match(t, c, found), "").astype(str)


@public
def ontology_accuracy(truth: ArrayLike, called: ArrayLike, ontology: Source = None) -> float:
    """Accuracy in which a call above or below the truth counts partly.

    An exact call counts 1; an ancestor or descendant of the truth counts the F1 of the two sets of ancestors, without
    roots, so the less the nearer the call is to the root, and "cell" counts nothing; any other call, and none, counts 0.
    So it lies at or above the accuracy, and at or below 1.

    Parameters
    ----------
    truth, called, ontology
        As in :func:`ontology_distance`.

    Returns
    -------
    Mean over all cells, those without a call included, from 0 to 1.

    Raises
    ------
    sc_annotate.errors.InputError
        Arguments of different cells, or an id that the ontology lacks.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> tree = {"CD4 T": "T", "CD8 T": "T", "T": "blood", "B": "blood"}
    >>> round(sca.metrics.ontology_accuracy(["CD4 T"] * 4, ["CD4 T", "T", "blood", "B"], tree), 3)
    0.417
    """
    found = open_ontology(ontology)

    def credit(t: str, c: str) -> float:
        match = _match(t, c, found)
        return 1.0 if match == "exact" else 0.0 if match == "other" else _f1(*_overlap(t, c, found))

    return float(_of_pairs(truth, called, found, credit, 0.0).mean())


@public
def hierarchical_precision_recall_f1(
    truth: ArrayLike, called: ArrayLike, ontology: Source = None, *, per_cell: bool = False
) -> HierarchicalScores:
    """Precision, recall and F1 of the terms that a call implies: the called term and all above it, roots left out.

    All cells count, as they are many: a common type weighs more. A mistake between neighbours costs little, and little
    is said of rare types; read macro-F1 beside. The sets grow with the detail of the ontology, so compare on one only.

    Parameters
    ----------
    truth, called, ontology
        As in :func:`ontology_distance`.
    per_cell
        Scores of each cell, instead of one of all cells pooled.

    Returns
    -------
    ``precision``, ``recall`` and ``f1``, each from 0 to 1. Pooled (micro-averaged): the sizes of the sets are summed over
    the cells first; a cell without a call implies nothing, so it lowers the recall only. Of each cell: shape (n,);
    precision is NaN where the call implies nothing (none, or a root), recall is NaN where the truth is a root, F1 is 0
    where either is NaN unless both are the same root (1).

    Raises
    ------
    sc_annotate.errors.InputError
        Arguments of different cells, or an id that the ontology lacks.

    References
    ----------
    Kiritchenko, Matwin and Famili 2005, Functional annotation of genes using hierarchical text categorization.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> tree = {"CD4 T": "T", "CD8 T": "T", "T": "lymphocyte", "B": "lymphocyte", "lymphocyte": "cell"}
    >>> scores = sca.metrics.hierarchical_precision_recall_f1(["CD4 T", "CD4 T"], ["CD8 T", "T"], tree)
    >>> scores.precision, round(scores.recall, 3)
    (0.8, 0.667)
    """
    found = open_ontology(ontology)
    sizes = _of_pairs(truth, called, found, lambda t, c: _overlap(t, c, found), None)
    # A cell without a call implies nothing.
    none = [(0, 0, _overlap(t, t, found)[2]) if s is None else s for s, t in zip(sizes, _texts(truth), strict=True)]
    both, said, true = np.array(none, dtype=np.float64).reshape(-1, 3).T
    if not per_cell:
        sums = [float(v.sum()) for v in (both, said, true)]
        p = sums[0] / sums[1] if sums[1] else float("nan")
        r = sums[0] / sums[2] if sums[2] else float("nan")
        return HierarchicalScores(p, r, _f1(*sums))
    nan = np.full(len(both), np.nan)
    precision = np.divide(both, said, out=nan.copy(), where=said > 0)
    recall = np.divide(both, true, out=nan.copy(), where=true > 0)
    same = np.array([t == c for t, c in zip(_texts(truth), _texts(called), strict=True)])
    f1 = np.divide(2 * both, said + true, out=same.astype(float), where=said + true > 0)
    return HierarchicalScores(precision, recall, f1)


def _texts(values: ArrayLike) -> list[str]:
    return [str(v) for v in np.asarray(values, dtype=object)]


def _match(truth: str, called: str, ontology: Ontology) -> str:
    truth, called = ontology.resolve(truth), ontology.resolve(called)
    if truth == called:
        return "exact"
    if called in ontology.ancestors(truth):
        return "ancestor"
    return "descendant" if truth in ontology.ancestors(called) else "other"


def _overlap(truth: str, called: str, ontology: Ontology) -> tuple[int, int, int]:
    """Sizes of what both imply, what the call implies, and what is true; roots are left out."""
    true, said = ({t for t in ontology.ancestors(x) if not ontology.is_root(t)} for x in (truth, called))
    return len(true & said), len(said), len(true)


def _f1(both: float, said: float, true: float) -> float:
    return 2 * both / (said + true) if said + true else 0.0


def _of_pairs(
    truth: ArrayLike, called: ArrayLike, ontology: Ontology, score: Callable[[str, str], Any], without: Any
) -> NDArray[Any]:
    """A score of each cell, worked out once for each pair of terms; `without` a call."""
    true_names, true = encode(truth, "truth")
    names, call = encode(called, "called", missing=True)
    same_length(true.size, call.size, "called", of="truth")
    for name in [*true_names.tolist(), *names.tolist()]:
        ontology.resolve(name)
    pairs, back = np.unique(true * (names.size + 1) + call + 1, return_inverse=True)
    values = np.empty(pairs.size, dtype=object)
    for i, pair in enumerate(pairs.tolist()):
        t, c = divmod(pair, names.size + 1)
        values[i] = score(str(true_names[t]), str(names[c - 1])) if c else without
    cells = values[back]
    return cells.astype(np.float64) if isinstance(without, float) else cells
