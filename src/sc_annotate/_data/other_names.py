"""Names under which two objects share more genes: in other columns of ``var``, or without prefixes and suffixes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sc_annotate._vocabulary.gene_ids.affixes import shares, undecorated
from sc_annotate._vocabulary.gene_names import BOTH, species_of, strip_version, texts

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from sc_annotate._vocabulary.gene_ids.affixes import Undecorated

    Lists = dict[str, NDArray[np.str_]]

APART = 1.1
"""A pair of lists is used if it shares this many times more genes than any other that maps genes differently."""
WORTH = 1.01
"""Names without affixes are used if they share this many times more genes than the usual ones."""
WITHOUT = " without "
MARKERS = "markers"


@dataclass(frozen=True)
class Candidate:
    """Two lists of names, and the genes that they share by names that occur once: place in the query, in the reference."""

    labels: tuple[str, str]
    pairs: dict[int, int]

    def same_genes(self, other: Candidate) -> bool:
        """Whether both map nearly every gene alike, so that it does not matter which is used."""
        both = self.pairs.items() & other.pairs.items()
        return len(both) >= 0.99 * max(len(self.pairs), len(other.pairs))


@dataclass(frozen=True)
class Other:
    """Lists that fit better than the usual ones, where it is clear which do; and in words what else could be meant."""

    query: Lists
    reference: Lists
    notes: list[str]
    problems: list[str]
    hints: list[str]
    clear: bool
    """Whether other names share enough, and only which of them are meant is open."""
    affixes: list[str]
    bare: tuple[NDArray[np.str_] | None, NDArray[np.str_] | None]
    """``var_names`` without their affixes, where they have some."""


def other_names(
    query: Lists,
    reference: Lists,
    tables: tuple[pd.DataFrame | None, pd.DataFrame | None],
    *,
    what: tuple[str, str],
    n_shared: int,
    least: int,
) -> Other:
    """The pair of lists by which the most genes are shared, where it is clear which.

    Columns are read only where fewer than `least` genes are shared; names without their affixes wherever more could
    be. `notes` say what was used, `hints` what is not clear.
    """
    few = n_shared < least
    usual = query, reference
    sides = [dict(query), dict(reference)]
    if few:
        for side, table in zip(sides, tables, strict=True):
            side |= {label: names for label, names in text_columns(table) if label not in side}
    bare: list[dict[str, Undecorated]] = [{}, {}]
    problems: list[str] = []
    for i, side in enumerate(sides):
        for label, names in list(side.items()):
            found = undecorated(names)
            if found is not None:
                # Names that the other side has as they are stay so.
                found = undecorated(names, frozenset().union(*(own.tolist() for own in sides[1 - i].values())))
            if found is not None:
                problems += mixed_genomes(found, what[i])
                found = found.of_species(_species(sides[1 - i]), names)
                bare[i][f"{label}{WITHOUT}{found}"] = found
        side |= {label: found.names for label, found in bare[i].items()}
    nothing_new = all(len(side) == len(lists) for side, lists in zip(sides, usual, strict=True))
    candidates = [] if nothing_new else _candidates(sides, usual)
    hints = [_hint(each, what) for each in candidates[:4] if few and len(each.pairs) > max(n_shared, 2)]
    affixes = [
        f"{found.n:,} of the {len(found.of):,} names of {name} have the {found}: {_removes(name)}"
        for side, name in zip(bare, what, strict=True)
        for label, found in side.items()
        if label.startswith("var_names")
    ]
    q_bare, r_bare = (
        next((found.names for label, found in side.items() if label.startswith("var_names")), None) for side in bare
    )
    enough = bool(candidates) and len(candidates[0].pairs) >= max(least, n_shared * WORTH)
    nothing = Other({}, {}, [], list(dict.fromkeys(problems)), hints, enough, affixes, (q_bare, r_bare))
    if not enough:
        return nothing
    best = candidates[0]
    rest = next((each for each in candidates[1:] if not each.same_genes(best)), None)
    if few and rest is not None and len(rest.pairs) * APART > len(best.pairs):
        return nothing
    notes: list[str] = []
    new: list[Lists] = []
    for i, label in enumerate(best.labels):
        new.append({} if label in usual[i] else {label: sides[i][label]})
        if label in bare[i]:
            n, total = bare[i][label].n, len(bare[i][label].of)
            notes.append(
                f"{n:,} of the {total:,} names of {what[i]} were compared without their {bare[i][label]}: {len(best.pairs):,} genes "
                f"are shared, {n_shared:,} otherwise. {_removes(what[i])}"
            )
        elif new[-1]:
            notes.append(
                f"the genes of {what[i]} are matched by its {label}: {len(best.pairs):,} are shared, {n_shared:,} by the usual names"
            )
    return replace(nothing, query=new[0], reference=new[1], notes=notes, hints=[])


def text_columns(table: pd.DataFrame | None) -> Iterator[tuple[str, NDArray[np.str_]]]:
    """Columns of ``var`` that hold text, of whatever type, and have a unique name."""
    if table is None:
        return
    for place, name in enumerate(table.columns):
        column = table.iloc[:, place]
        if not isinstance(name, str) or (table.columns == name).sum() > 1 or column.dtype.kind in "biufcmM":
            continue
        values = column.dropna()
        if len(values) and all(isinstance(value, str | bytes) for value in values.iloc[:20]):
            yield f"var[{name!r}]", texts(column)


def reference_columns(found: Lists, table: pd.DataFrame | None) -> Lists:
    """The lists of a reference, and columns of any name that hold names of genes: a model is to find these in any query."""
    return found | {label: names for label, names in text_columns(table) if label not in found and _are_genes(names)}


def _are_genes(names: NDArray[np.str_]) -> bool:
    """Whether these are names of genes: nearly all differ, hardly any has a blank, and they are written as those of a species."""
    own = [name for name in names.tolist() if name]
    differ = len(set(own)) >= 0.9 * len(own) >= 0.45 * len(names)
    return differ and sum(" " in name for name in own) < 0.05 * len(own) and species_of(names[names != ""]) != "unknown"


def _species(side: Lists) -> str:
    """The species of one side, by its lists."""
    found = (species_of(names) for names in side.values())
    return next((species for species in found if species not in ("unknown", BOTH)), "unknown")


def _candidates(sides: list[Lists], usual: tuple[Lists, Lists]) -> list[Candidate]:
    """Pairs of lists of which one at least is not among the usual ones, the one with the most shared genes first."""
    places = [{label: _once(names) for label, names in side.items()} for side in sides]
    out = []
    for r_label, r_place in places[1].items():
        for q_label, q_place in places[0].items():
            if q_label not in usual[0] or r_label not in usual[1]:
                shared = q_place.keys() & r_place.keys()
                out.append(Candidate((q_label, r_label), {q_place[name]: r_place[name] for name in shared}))
    return sorted((each for each in out if each.pairs), key=lambda each: -len(each.pairs))


def _once(names: NDArray[np.str_]) -> dict[str, int]:
    """The place of each name that occurs once, Ensembl ids without versions."""
    bare = strip_version(names).tolist()
    times = Counter(bare)
    return {name: i for i, name in enumerate(bare) if name and times[name] == 1}


def _hint(each: Candidate, what: tuple[str, str]) -> str:
    return f"{len(each.pairs):,} by {each.labels[0]} of {what[0]} and {each.labels[1]} of {what[1]}"


def _removes(name: str) -> str:
    """What removes the affixes of an object for good, as its owner would write it."""
    known = name.removeprefix("the ")
    return (
        f"sca.pp.map_genes({known}) removes it"
        if known.isidentifier() and known != MARKERS
        else f"Remove it from {name}"
    )


def mixed_genomes(found: Undecorated, name: str) -> list[str]:
    """What to say where the names of an object are of several genomes."""
    if len(found.species) < 2:
        return []
    of = ", ".join(f"{n:,} of {species}" for species, n in found.species.items())
    return [
        f"{name} has genes of several genomes ({of}; {shares(found.affixes, len(found.of))}). Only those of the species of the other "
        "side are matched, and cells of another species get arbitrary labels: keep the cells and genes of one"
    ]
