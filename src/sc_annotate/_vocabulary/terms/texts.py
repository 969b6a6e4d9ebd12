"""Find terms by what they are called."""

from __future__ import annotations

import difflib
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from sc_annotate._vocabulary.terms.names import UNCLEAR, spelling, with_cell, written_out

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray


class Found(NamedTuple):
    """What a text was found to mean."""

    id: str
    """Id of the term; "" where there is none."""
    how: str
    """``id``, ``exact`` (the name), ``synonym`` (an exact one), ``normalised``, ``abbreviation``, ``ambiguous`` or
    ``unmapped``."""


class Texts:
    """Names and exact synonyms of terms, as they stand and in one spelling."""

    def __init__(
        self, ids: NDArray[np.str_], names: NDArray[np.str_], synonyms: Mapping[str, list[tuple[str, str]]]
    ) -> None:
        self._ids = ids
        self._names = names
        self._synonyms = synonyms

    @cached_property
    def _tables(self) -> dict[str, dict[str, set[int]]]:
        """Positions of terms by name, by exact synonym, and by the spelling of both."""
        tables: dict[str, dict[str, set[int]]] = {"exact": {}, "synonym": {}, "normalised": {}}
        for place, term in enumerate(self._ids.tolist()):
            name = str(self._names[place])
            tables["exact"].setdefault(name.casefold(), set()).add(place)
            tables["normalised"].setdefault(spelling(name), set()).add(place)
            for text, scope in self._synonyms.get(term, ()):
                if scope == "exact":
                    tables["synonym"].setdefault(text.casefold(), set()).add(place)
                    tables["normalised"].setdefault(spelling(text), set()).add(place)
        return tables

    def find(self, text: str) -> Found:
        """See :meth:`Ontology.find`."""
        plain = spelling(text)
        tried = [("exact", text.casefold(), "exact")]
        if plain not in UNCLEAR:
            tried.append(("synonym", text.casefold(), "synonym"))
            tried += [("normalised", t, "normalised") for t in (plain, with_cell(plain)) if t]
            for out in written_out(plain):
                tried += [("normalised", t, "abbreviation") for t in (out, with_cell(out)) if t]
        for table, key, how in tried:
            places = self._tables[table].get(key, ())
            if len(places) == 1:
                return Found(str(self._ids[next(iter(places))]), how)
            if places:
                return Found("", "ambiguous")
        return Found("", "ambiguous" if plain in UNCLEAR else "unmapped")

    def near(self, text: str, n: int) -> list[str]:
        """See :meth:`Ontology.near`."""
        spelled = self._tables["normalised"]
        words = spelling(str(text)).split()
        # "memory CD4 T cell" is a "T cell", however unlike the two are written.
        ends = (" ".join(words[i:]) for i in range(1, len(words)) if words[i:] != ["cell"])
        broader = [end for end in ends if end in spelled]
        found = [*broader, *difflib.get_close_matches(" ".join(words), spelled, n=n, cutoff=0.7)]
        return list(dict.fromkeys(str(self._names[min(spelled[f])]) for f in found))[:n]
