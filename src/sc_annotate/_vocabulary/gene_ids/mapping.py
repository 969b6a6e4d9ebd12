"""Decide what each gene of an object is to be called, and which genes then share a name."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

Merge = Literal["sum", "first"]
GENE_MAPPING: Final = "gene_mapping"
"""Key in ``uns``."""
SCHEMA: Final = 1

KEPT: Final = "kept"
RENAMED: Final = "renamed"
MERGED: Final = "merged"
UNKNOWN: Final = "unknown"
LOST: Final = "lost"
STATUSES: Final = (KEPT, RENAMED, MERGED, UNKNOWN, LOST)


@dataclass(frozen=True)
class NewName:
    """What a table says of one name.

    ``to`` is the new name, empty where there is none: with a `reason` the gene is lost, because its name means several
    genes; without one the table does not know it. A `weak` name counts only where no other gene asks for the same name.
    """

    to: str = ""
    reason: str = ""
    weak: bool = False


@dataclass(frozen=True)
class GeneMapping:
    """New names of genes.

    ``to``, ``status`` and ``reason`` have one entry for each old gene; ``genes`` are the new ones, in the order in which
    they first occur, ``code`` the new gene of each old one (-1: lost), ``first`` the old gene that stands for each new one.
    """

    names: NDArray[np.str_]
    to: NDArray[np.str_]
    status: NDArray[np.str_]
    reason: NDArray[np.str_]
    genes: NDArray[np.str_]
    code: NDArray[np.intp]
    first: NDArray[np.intp]

    @property
    def counts(self) -> dict[str, int]:
        """How many old genes have each status."""
        return {f"n_{status}": int((self.status == status).sum()) for status in STATUSES}

    @property
    def merges(self) -> bool:
        """Whether any values have to be added."""
        return bool((self.status == MERGED).any())


def assign(
    names: NDArray[np.str_],
    found: Sequence[NewName],
    *,
    merge: Merge = "sum",
    drop_unknown: bool = False,
    absent: str = "not in the table",
    is_gene: NDArray[np.bool_] | None = None,
) -> GeneMapping:
    """Give every gene its new name by what was `found`; genes that share one are merged, or all but the first are lost.

    A gene that the table does not know keeps its name, unless `drop_unknown`; `absent` says why. What `is_gene` says to be
    an antibody or the like stands for a new gene only where no gene does.
    """
    wanted = Counter(a.to for a in found if a.to)
    strong = Counter(a.to for a in found if a.to and not a.weak)
    to, reason = [], []
    for name, a in zip(names.tolist(), found, strict=True):
        if a.weak and a.to and (strong[a.to] or wanted[a.to] > 1):
            # Names of one release mean different genes; what another gene claims is no alias of this one.
            to.append("" if drop_unknown else name)
            reason.append(f"an alias of {a.to}, a name that another gene here has or gets")
        elif a.to or a.reason:
            to.append(a.to)
            reason.append(a.reason)
        else:
            to.append("" if drop_unknown else name)
            reason.append(absent)
    known = np.array([bool(a.to) and a.to == t for a, t in zip(found, to, strict=True)], dtype=bool)
    return _settle(names, np.array(to, dtype=str), np.array(reason, dtype=object), known, merge, is_gene)


def _settle(
    names: NDArray[np.str_],
    to: NDArray[np.str_],
    reason: NDArray[np.object_],
    known: NDArray[np.bool_],
    merge: Merge,
    is_gene: NDArray[np.bool_] | None,
) -> GeneMapping:
    """Number the new genes, and say what became of each old one."""
    status = np.where(to == "", LOST, np.where(~known, UNKNOWN, np.where(to == names, KEPT, RENAMED))).astype(object)
    old: dict[str, list[int]] = {}
    for i, name in enumerate(to.tolist()):
        if name:
            old.setdefault(name, []).append(i)
    code, first = np.full(len(names), -1, dtype=np.intp), np.empty(len(old), dtype=np.intp)
    for number, (name, those) in enumerate(old.items()):
        # The gene that has the name already lends its row of var, and is the one that stays.
        genes = those if is_gene is None else [i for i in those if is_gene[i]] or those
        first[number] = best = next((i for i in genes if names[i] == name), genes[0])
        if len(those) == 1:
            code[best] = number
        elif merge == "sum":
            code[those] = number
            status[those] = MERGED
            for i in those:
                others = ", ".join(str(names[j]) for j in those if j != i)
                reason[i] = "; ".join(filter(None, [reason[i] if known[i] else "", f"added to {others}"]))
        else:
            code[best] = number
            rest = [i for i in those if i != best]
            status[rest], to[rest] = LOST, ""
            reason[rest] = f"{name} is taken by {names[best]}, which was kept (merge='first')"
    return GeneMapping(names, to, status.astype(str), reason.astype(str), np.array(list(old), dtype=str), code, first)


def listed(names: Sequence[str], *, most: int = 3) -> str:
    """A few of many names, for messages."""
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")
