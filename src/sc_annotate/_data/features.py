"""Distinguish genes from antibodies, peaks, guides and hashtags in the same matrix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate.errors import MatrixError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from numpy.typing import NDArray

_GENES = frozenset(("gene expression", "gene", "genes", "gex", "rna", "mrna"))
# Only words that are known to name other features: CELLxGENE has biotypes of genes ("lncRNA") in a column of the same name.
_OTHERS = frozenset(
    (
        "antibody capture",
        "antibody",
        "antibodies",
        "antibody derived tag",
        "antibody derived tags",
        "adt",
        "protein",
        "proteins",
        "prot",
        "peaks",
        "peak",
        "atac",
        "chromatin accessibility",
        "crispr guide capture",
        "crispr",
        "guide",
        "guides",
        "guide rna",
        "grna",
        "sgrna",
        "multiplexing capture",
        "multiplexing",
        "cell multiplexing oligo",
        "cmo",
        "hashtag",
        "hashtags",
        "hashtag oligo",
        "hto",
        "antigen capture",
        "antigen",
        "custom",
    )
)


@dataclass(frozen=True)
class Features:
    """Which columns of a matrix are genes, where a column of ``var`` says that others are not.

    `columns` is a slice where genes are adjacent, which makes selecting them cheap; `left_out` has the number of
    features of each other type.
    """

    what: str
    column: str
    used: list[str]
    n_used: int
    left_out: dict[str, int]
    columns: slice | NDArray[np.intp]

    def __str__(self) -> str:
        others = ", ".join(f"{name} ({n:,})" for name, n in self.left_out.items())
        return (
            f"{self.what}.var[{self.column!r}] distinguishes features: {self.n_used:,} of gene expression are used, and left out "
            f"are {others}"
        )

    def to_uns(self) -> dict[str, Any]:
        """What is recorded of a result."""
        return {
            "column": self.column,
            "used": self.used,
            "n_used": self.n_used,
            "left_out": list(self.left_out),
            "n_left_out": list(self.left_out.values()),
        }

    to_json = to_uns


def features(var: pd.DataFrame, columns: Sequence[str], *, what: str) -> Features | None:
    """The genes among the features of `var`; None where no column says that there are others.

    `columns` are those that may say so; the first that does is used.

    Where some features are called gene expression, these are used, with those of no type. Else those are left out whose
    type is known to be of other features.

    Raises
    ------
    MatrixError
        No feature is a gene.
    """
    for column in columns:
        if column not in var.columns or getattr(var[column], "ndim", 1) != 1:
            continue
        found = _of_column(var[column], column, what)
        if found is not None:
            return found
    return None


def _of_column(values: pd.Series, column: str, what: str) -> Features | None:
    import pandas as pd

    codes, names = pd.factorize(np.asarray(values, dtype=object))
    words = [" ".join(str(name).casefold().replace("_", " ").replace("-", " ").split()) for name in names]
    genes = np.array([word in _GENES for word in words], dtype=bool)
    if not genes.any():
        genes = np.array([word not in _OTHERS for word in words], dtype=bool)
    if genes.all():
        return None
    # Concatenation leaves missing types; such features are used.
    kept = np.append(genes, True)[codes]
    counts = np.bincount(codes[codes >= 0], minlength=len(names))
    left_out = {str(names[i]): int(counts[i]) for i in np.flatnonzero(~genes)}
    if not kept.any():
        have = ", ".join(f"{name} ({n:,})" for name, n in left_out.items())
        raise MatrixError(
            f"{what}.var[{column!r}] names no gene expression; there are: {have}. Pass the object, or the modality of the "
            f"MuData, that holds gene expression. Should these be used as they are, drop the column: del {what}.var[{column!r}]."
        )
    return Features(
        what, column, [str(names[i]) for i in np.flatnonzero(genes)], int(kept.sum()), left_out, _columns(kept)
    )


def _columns(kept: NDArray[np.bool_]) -> slice | NDArray[np.intp]:
    columns = np.flatnonzero(kept)
    start, stop = int(columns[0]), int(columns[-1]) + 1
    return slice(start, stop) if stop - start == len(columns) else columns
