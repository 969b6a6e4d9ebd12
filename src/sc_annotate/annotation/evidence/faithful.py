"""Whether the genes of the evidence matter to the model: its confidence without them, and without as many others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import csr_matrix, issparse, vstack

from sc_annotate.metrics.deletion import deletion_curve

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

N_DELETED = 20
"""Genes that are deleted from each cell."""

MOST_CELLS = 500
"""Cells, drawn from all, that genes are deleted from."""


@dataclass(frozen=True)
class Tested:
    """Cells to delete genes from: values (cells x genes), the first genes of each, and the code of its label."""

    cells: Any
    ranked: NDArray[np.intp]
    codes: NDArray[np.intp]


def tested_cells(group: NDArray[np.intp], rng: int) -> NDArray[np.bool_]:
    """Whether each cell is one of those that genes are deleted from; none without a group (-1) is."""
    used = np.flatnonzero(group >= 0)
    out = np.zeros(len(group), dtype=bool)
    # Another stream than that of the cells that are used, which may be all.
    out[np.random.default_rng([rng, 1]).permutation(used)[:MOST_CELLS]] = True
    return out


def first_genes(cells: Any, evidence: Any, codes: NDArray[np.intp]) -> Tested:
    """The genes of each cell with the most evidence, of those that push towards its label; -1 where there are no more."""
    values = evidence.toarray() if issparse(evidence) else np.asarray(evidence)
    m = min(N_DELETED, values.shape[1])
    first = np.argpartition(-values, m - 1, axis=1)[:, :m]
    pushes = np.take_along_axis(values, first, axis=1) > 0
    return Tested(csr_matrix(cells), np.where(pushes, first, -1).astype(np.intp), codes)


def faithfulness(
    predict_proba: Callable[[Any], Any],
    tested: list[Tested],
    present: NDArray[np.bool_],
    fill: NDArray[np.float32],
    rng: int,
) -> dict[str, float | int]:
    """Mean probability of the labels, what deleting genes costs of it, and the differences to both controls.

    `present` are the genes of the model that the cells have a value of; others are `fill`.
    """
    cells = csr_matrix(vstack([one.cells for one in tested], format="csr"))
    ranked, codes = (np.concatenate([getattr(one, name) for one in tested]) for name in ("ranked", "codes"))

    def of_model(X: Any) -> Any:
        if present.all():
            return predict_proba(X)
        whole = np.tile(fill, (X.shape[0], 1))
        whole[:, present] = X.toarray()
        return predict_proba(whole)

    m = ranked.shape[1]
    curve = deletion_curve(of_model, cells, ranked, codes, steps=[m], rng=rng)
    found: dict[str, float | int] = {
        "n_cells": len(codes),
        "n_deleted": m,
        "before": float(curve.before.mean()),
        "drop": float(curve.drop.mean()),
        "random_drop": float(curve.random_drop.mean()),
        "highest_drop": float(curve.highest_drop.mean()),
    }
    for control in ("random", "highest"):
        mean, low, high = curve.difference(control, rng=rng)
        found |= {f"minus_{control}": mean, f"minus_{control}_low": low, f"minus_{control}_high": high}
    return found
