"""Which genes a network with attention looks at: means over groups of cells."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import issparse

if TYPE_CHECKING:
    from numpy.typing import NDArray

TINY = 1e-30


@dataclass(frozen=True)
class AttentionSums:
    """Sums over the cells of each group: of attention (groups x genes), effective genes, and attention to expressed genes."""

    weight: NDArray[np.float64]
    effective: NDArray[np.float64]
    expressed: NDArray[np.float64]

    def __add__(self, other: AttentionSums) -> AttentionSums:
        return AttentionSums(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


def attention_sums(
    weights: NDArray[np.float32], cells: Any, present: NDArray[np.bool_], group: NDArray[np.intp], n_groups: int
) -> AttentionSums:
    """Of a block of cells; genes without a value in the matrix count for the effective number alone."""
    alpha = np.asarray(weights, dtype=np.float64)
    effective = np.exp(-(alpha * np.log(np.maximum(alpha, TINY))).sum(axis=1))
    own = cells.toarray() if issparse(cells) else np.asarray(cells)
    seen = (alpha * ((own != 0) & present)).sum(axis=1)
    by_gene = np.zeros((n_groups, int(present.sum())))
    np.add.at(by_gene, group, alpha[:, present])
    each = [np.bincount(group, weights=one, minlength=n_groups).astype(np.float64) for one in (effective, seen)]
    return AttentionSums(by_gene, *each)


def no_attention(n_groups: int, n_genes: int) -> AttentionSums:
    """Of no cells."""
    return AttentionSums(np.zeros((n_groups, n_genes)), np.zeros(n_groups), np.zeros(n_groups))


def attention_entry(
    sums: AttentionSums, genes: NDArray[np.str_], groups: list[str], types: list[str], n: NDArray[np.intp], most: int
) -> dict[str, Any]:
    """What is stored for :func:`sc_annotate.pl.attention`: the first `most` genes of each group, in all groups."""
    mean = sums.weight / n[:, None]
    first = np.argsort(-mean, axis=1, kind="stable")[:, :most]
    listed = np.unique(first)
    return {
        "group": np.array(groups, dtype=object),
        "type": np.array(types, dtype=object),
        "n_cells": n.astype(np.int64),
        "genes": genes.astype(object)[listed],
        "attention": mean[:, listed].astype(np.float32),
        "n_effective": (sums.effective / n).astype(np.float32),
        "expressed": (sums.expressed / n).astype(np.float32),
        "n_genes": int(mean.shape[1]),
    }
