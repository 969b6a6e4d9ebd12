"""Terms and what lies under what: a cell ontology, a tree of the user's own, or levels of labels."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import numpy as np

from sc_annotate._core.codec import check_texts
from sc_annotate._vocabulary.terms import sources
from sc_annotate._vocabulary.terms.graph import TermGraph
from sc_annotate._vocabulary.terms.sources import some
from sc_annotate._vocabulary.terms.texts import Found, Texts
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import ArrayLike, NDArray

    from sc_annotate._vocabulary.terms.sources import Terms


_ID = re.compile(r"[A-Za-z_]+[:_]\d+")


@dataclass(frozen=True, eq=False, repr=False)
class Ontology:
    """Terms of an ontology or a tree, and the direct parents of each.

    Make one with :func:`sc_annotate.pp.read_ontology`, or with one of the ``from_`` methods. It is never changed.

    Parameters
    ----------
    ids
        Ids of the terms, shape (n,), unique.
    names
        Their names, shape (n,).
    parents
        Positions of the direct parents of each term; empty for a root.
    synonyms
        Of some ids: texts with their scope (``exact``, ``broad``, ``narrow``, ``related``).
    retired
        Earlier ids and what took their place; "" where nothing did.
    version
        What the source calls itself.

    Raises
    ------
    InputError
        No terms, ids twice, parents that are not there, or a cycle.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> tree = sca.pp.read_ontology({"CD4 T": "T", "CD8 T": "T", "T": "lymphocyte", "B": "lymphocyte"})
    >>> tree.lowest_common_ancestor(["CD4 T", "B"]), tree.distance("CD4 T", "B")
    ('lymphocyte', 3)
    >>> tree.ancestors("CD8 T")
    ['CD8 T', 'T', 'lymphocyte']
    """

    ids: NDArray[np.str_]
    names: NDArray[np.str_]
    parents: list[NDArray[np.intp]]
    synonyms: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    retired: dict[str, str] = field(default_factory=dict)
    version: str = ""

    def __post_init__(self) -> None:
        for name, plain in (("ids", self.ids), ("names", self.names)):
            check_texts(np.asarray(plain, dtype=object).ravel().tolist(), f"{name} of an ontology", InputError)
            object.__setattr__(self, name, np.asarray(plain, dtype=str))
        object.__setattr__(self, "parents", [np.asarray(p, dtype=np.intp) for p in self.parents])
        if not len(self.ids) or not len(self.ids) == len(self.names) == len(self.parents):
            raise InputError(
                f"an ontology needs terms with a name and parents each, not {len(self.ids)} ids, {len(self.names)} names and "
                f"{len(self.parents)} lists of parents."
            )
        values, counts = np.unique(self.ids, return_counts=True)
        if (counts > 1).any():
            raise InputError(
                f"ids of an ontology must be unique; these occur twice: {some(values[counts > 1].tolist())}."
            )
        if any(len(p) and not (0 <= p.min() and p.max() < len(self.ids)) for p in self.parents):
            raise InputError("parents of an ontology's terms must be positions among its terms.")
        if cycle := self._graph.cycle():
            names = [str(self.ids[i]) for i in cycle]
            raise InputError(f"the ontology has a cycle: {' is under '.join([*names, names[0]])}.")

    def __len__(self) -> int:
        return len(self.ids)

    def __contains__(self, term: object) -> bool:
        return term in self._place

    def __repr__(self) -> str:
        return f"Ontology of {len(self):,} terms{f' ({self.version})' if self.version else ''}"

    # ---- sources

    @classmethod
    def from_obo(cls, path: str | Path, *, prefix: str | None = None) -> Ontology:
        """Read an OBO file, plain or gzipped.

        Obsolete terms are left out; their ids, and alternative ones, lead to what replaced them.

        Parameters
        ----------
        path
            The file.
        prefix
            Keep the terms whose id begins so ("CL"), and cut what lies above or beside. By default that of the ontology
            which the header names, as files of the Cell Ontology bring along terms of other ones; "" keeps all.

        Returns
        -------
        The ontology; `version` is the file's ``data-version``.
        """
        return cls._of(sources.obo_terms(path, prefix))

    @classmethod
    def from_guide(cls) -> Ontology:
        """Read the Cell Ontology that the installed cellxgene-ontology-guide brings along; works offline."""
        return _guide()

    @classmethod
    def from_tree(cls, tree: Mapping[str, str | Sequence[str]]) -> Ontology:
        """Make a tree of a dict from each name to its parent, or its parents; ids are the names.

        Where several names have no parent, a root ``"any type"`` is put above them.
        """
        return cls._of(sources.tree_terms(tree))

    @classmethod
    def from_levels(cls, columns: Mapping[str, ArrayLike] | Sequence[ArrayLike]) -> Ontology:
        """Make a tree of columns of labels, coarse to fine, all of the same cells (or types).

        Ids are the labels. A label that occurs in two columns is one term only where the coarser one holds nothing else;
        otherwise the coarser one is called by its column too, as ``"T (broad)"``. Where the coarsest column has several
        labels, a root ``"any type"`` is put above them.

        Parameters
        ----------
        columns
            Labels by the name of the column (a dict or DataFrame), or a sequence of columns, all of one length.
        """
        return cls._of(sources.level_terms(columns))

    @classmethod
    def _of(cls, found: Terms) -> Ontology:
        """An ontology of the terms of a source; obsolete ones are kept as ids only."""
        living = [t for t in found.terms if not t.obsolete]
        place: dict[str, int] = {}
        for i, t in enumerate(living):
            if t.id in place:
                raise InputError(f"{found.where} has the id {t.id!r} twice.")
            place[t.id] = i
        if lost := sorted({p for t in living for p in t.parents if p not in place}):
            raise InputError(f"{found.where} names parents that it does not hold: {some(lost)}. Take the whole file.")
        retired = {t.id: t.replaced_by for t in found.terms if t.obsolete}
        check_texts([text for t in living for text in (t.id, t.name)], found.where, InputError)
        retired |= {old: t.id for t in living for old in t.alternatives if old not in place}
        return cls(
            ids=np.array([t.id for t in living], dtype=str),
            names=np.array([t.name or t.id for t in living], dtype=str),
            parents=[np.array(sorted({place[p] for p in t.parents}), dtype=np.intp) for t in living],
            synonyms={t.id: t.synonyms for t in living if t.synonyms},
            retired=retired,
            version=found.version,
        )

    # ---- one term

    @cached_property
    def _place(self) -> dict[str, int]:
        return {str(term): i for i, term in enumerate(self.ids)}

    def _current(self, term: str) -> str:
        """The id of today, "" where there is none; replacements may lead on to others."""
        seen = set()
        while term not in self._place:
            if term in seen or not self.retired.get(term):
                return ""
            seen.add(term)
            term = self.retired[term]
        return term

    def resolve(self, term: str) -> str:
        """The id of today: of an id that was replaced, what replaced it."""
        if not isinstance(term, str):
            raise InputError(f"a term is named by its id, a string, not by {term!r}.")
        current = self._current(term)
        if current:
            return current
        if term in self.retired:
            raise InputError(f"{term!r} is obsolete in {self!r}, and nothing in it replaces it. Choose another term.")
        # An id of a similar spelling is another type altogether.
        near = [] if _ID.fullmatch(term.strip()) else self.near(term)
        hint = f" Did you mean {', '.join(map(repr, near))}?" if near else ""
        raise InputError(f"{self!r} has no term {term!r}.{hint}")

    def index(self, term: str) -> int:
        """Position of a term."""
        return self._place[self.resolve(term)]

    def name(self, term: str) -> str:
        """Name of a term."""
        return str(self.names[self.index(term)])

    def depth(self, term: str) -> int:
        """Edges on the longest path from a root: a term is always deeper than those above it."""
        return self._graph.depths[self.index(term)]

    def is_root(self, term: str) -> bool:
        """Whether nothing lies above a term."""
        return not len(self.parents[self.index(term)])

    # ---- what lies under what

    @cached_property
    def _graph(self) -> TermGraph:
        return TermGraph(self.parents)

    def ancestors(self, term: str) -> list[str]:
        """The term and all above it, nearest first."""
        return [str(self.ids[i]) for i in self._graph.above(self.index(term))]

    def descendants(self, term: str) -> list[str]:
        """The term and all under it, nearest first."""
        return [str(self.ids[i]) for i in self._graph.under(self.index(term))]

    def lowest_common_ancestor(self, terms: Iterable[str]) -> str:
        """The most specific term that is at or above all of these.

        Where several have no other common ancestor under them, the one with the fewest descendants, then the first by id.
        """
        places = sorted({self.index(t) for t in terms})
        if not places:
            raise InputError("a common ancestor needs at least one term.")
        common = set.intersection(*(set(self._graph.above(i)) for i in places))
        if not common:
            raise InputError(f"{some([str(self.ids[i]) for i in places])} have no common ancestor in {self!r}.")
        lowest = common - {above for i in common for above in self._graph.above(i) if above != i}
        return str(self.ids[min(lowest, key=lambda i: (len(self._graph.under(i)), str(self.ids[i])))])

    def distance(self, a: str, b: str) -> int:
        """Edges on the shortest path from one term to the other over a common ancestor."""
        up, other = self._graph.above(self.index(a)), self._graph.above(self.index(b))
        common = up.keys() & other.keys()
        if not common:
            raise InputError(f"{a!r} and {b!r} have no common ancestor in {self!r}, so no distance.")
        return min(up[i] + other[i] for i in common)

    # ---- names

    @cached_property
    def _texts(self) -> Texts:
        return Texts(self.ids, self.names, self.synonyms)

    def find(self, text: str) -> Found:
        """The term that a text means, and how it was found.

        Tried in turn: an id, a name, an exact synonym (case ignored), one spelling of both (plural, dashes, commas, signs
        of markers, ``cell`` left out), and a few abbreviations. Broad, narrow and related synonyms never count. A text
        that fits two terms at the first step where it fits any, or means other cells in other contexts ("alpha cells"), is
        ``ambiguous`` and has no id.

        Returns
        -------
        ``id`` ("" for none) and ``how``: ``id``, ``exact``, ``synonym``, ``normalised``, ``abbreviation``, ``ambiguous``
        or ``unmapped``.
        """
        text = str(text).strip()
        term = self._current(text)
        return Found(term, "id") if term else self._texts.find(text)

    def near(self, text: str, n: int = 3) -> list[str]:
        """Names of terms that look like a text."""
        return self._texts.near(text, n)


@lru_cache(maxsize=1)
def _guide() -> Ontology:
    return Ontology._of(sources.guide_terms())
