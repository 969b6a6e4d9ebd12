"""From sums over groups of cells to the genes for and against their labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from sc_annotate.annotation.evidence.sums import Sums

MOST_NUMBERS = 4_000_000
"""Groups times genes up to which all of them are kept for the dot plot."""


def evidence_table(
    sums: Sums,
    genes: NDArray[np.str_],
    groups: list[str],
    types: list[str],
    n: NDArray[np.intp],
    n_all: NDArray[np.intp],
    n_genes: int,
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The table of :func:`sc_annotate.tl.evidence`, and the listed genes in all groups.

    `n` cells of each group were used, of `n_all`.
    """
    import pandas as pd

    mean, value = sums.contribution / n[:, None], sums.value / n[:, None]
    others = _mean_of_others(value, types, n_all)
    parts: list[dict[str, Any]] = []
    for i in range(len(n)):
        order = np.argsort(-mean[i], kind="stable")
        for direction, sign, chosen, count in (
            ("towards", 1, order, sums.towards),
            ("against", -1, order[::-1], sums.against),
        ):
            listed = chosen[:n_genes]
            listed = listed[sign * mean[i, listed] > 0]
            parts.append(
                {
                    "row": np.full(len(listed), i),
                    "direction": np.full(len(listed), direction, dtype=object),
                    "rank": np.arange(1, len(listed) + 1),
                    "column": listed,
                    "share": count[i, listed] / n[i],
                }
            )
    flat = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    row, column = flat["row"].astype(np.intp), flat["column"].astype(np.intp)
    table = pd.DataFrame(
        {
            "group": np.array(groups, dtype=object)[row],
            "type": np.array(types, dtype=object)[row],
            "n_cells": n[row].astype(np.int64),
            "direction": flat["direction"],
            "rank": flat["rank"].astype(np.int64),
            "gene": genes.astype(object)[column],
            "contribution": mean[row, column].astype(np.float32),
            "share": flat["share"].astype(np.float32),
            "mean": value[row, column].astype(np.float32),
            "mean_others": others[row, column].astype(np.float32),
        }
    )
    table.index = table.index.astype(str)
    listed = np.unique(column)
    if len(listed) * len(n) > MOST_NUMBERS:
        return table, {}
    dots = {
        "group": np.array(groups, dtype=object),
        "type": np.array(types, dtype=object),
        "n_cells": n_all.astype(np.int64),
        "genes": genes.astype(object)[listed],
        "contribution": mean[:, listed].astype(np.float32),
        "expressed": (sums.expressed[:, listed] / n[:, None]).astype(np.float32),
    }
    return table, dots


def _mean_of_others(value: NDArray[np.float64], types: list[str], n_all: NDArray[np.intp]) -> NDArray[np.float64]:
    """Mean value in the cells with other labels; NaN where there are none. A sampled group counts in full."""
    names, code = np.unique(np.array(types), return_inverse=True)
    weighed = value * n_all[:, None]
    total = np.zeros((len(names), value.shape[1]))
    np.add.at(total, code, weighed)
    cells = np.bincount(code, weights=n_all)
    # Subtracting leaves rounding where the rest is 0.
    rest = np.maximum(total.sum(axis=0) - total, 0.0)
    n_others = cells.sum() - cells
    mean = np.divide(rest, n_others[:, None], out=np.full(rest.shape, np.nan), where=n_others[:, None] > 0)
    return np.asarray(mean[code])
