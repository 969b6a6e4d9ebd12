"""What the cells of a query are compared with, other cells of it, and how far out of distribution they and their groups are."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.settings import counted
from sc_annotate._data.read import read_cells

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from sc_annotate.annotation.block import Gathered, PredictBlock
    from sc_annotate.annotation.fitted import Aligned, FittedModel, Query
    from sc_annotate.annotation.requests import PredictRequest
    from sc_annotate.trust import Familiarity, Groups
    from sc_annotate.trust.grouping import Found
    from sc_annotate.trust.neighbourhood import Neighbourhood

# How much the score of a cell rises where the statistic of its group is e times as large: with one batch more, as the shift
# of a new batch, which is taken off the statistic, is in the score of every cell. And the least share of the threshold that
# counts.
_WEIGHT, _OF_ONE_BATCH, _LEAST = 1.5, 3.0, 0.1
# A threshold is at least this, where the share is taken: no group of the reference may differ from its type at all.
_TINY = 1e-12
# Genes that are named for a group.
_GENES = 10


@dataclass(frozen=True)
class Compared:
    """Cells of a query (`rows`, ascending) that the others are compared with, and the groups that it has."""

    rows: NDArray[np.intp]
    neighbourhood: Neighbourhood | None
    groups: Found | None


@dataclass(frozen=True)
class QueryGroups:
    """Groups of the query: of each cell (-1: of none), whether it is unfamiliar or in doubt for it, and what is recorded."""

    group: NDArray[np.int32]
    unfamiliar: NDArray[np.bool_]
    doubted: NDArray[np.bool_]
    record: dict[str, Any]


@dataclass(frozen=True)
class Outside:
    """How far out of distribution the cells are; NaN for those with a label, None where that is not looked for."""

    unfamiliarity: NDArray[np.float32] | None = None
    p_familiar: NDArray[np.float64] | None = None
    groups: QueryGroups | None = None
    unfamiliar: NDArray[np.bool_] | None = None
    """Cells that are so for another reason than their own p-value."""
    problems: list[str] = field(default_factory=list)


def compare(query: Query, model: FittedModel, ask: PredictRequest, aligned: Aligned) -> Compared:
    """Read some cells of the query, once for all that needs them; none where nothing is compared."""
    trust, rows, nothing = model.trust, query.rows, np.empty(0, dtype=np.intp)
    if trust is None or ask.trust.false_positive_rate is None:
        return Compared(nothing, None, None)
    known, groups = trust.familiarity, trust.groups
    near = nothing if known is None else known.neighbourhood_rows(len(rows), rng=ask.rng)
    grouped = nothing if groups is None else groups.rows(len(rows), rng=ask.rng)
    chosen = np.union1d(near, grouped)
    if not chosen.size:
        return Compared(nothing, None, None)
    some = read_cells(
        query.found.source,
        aligned.scale,
        aligned.columns,
        model.means,
        rows[chosen],
        progress="reading some cells",
    )
    neighbourhood = found = None
    # Groups first: what is kept of the neighbourhood then takes the place of what finding them took.
    if groups is not None and grouped.size:
        present, rate = aligned.columns >= 0, ask.trust.false_positive_rate
        found = groups.find(_part(some, chosen, grouped), genes=present, false_positive_rate=rate, rng=ask.rng)
    if known is not None and near.size:
        some = _part(some, chosen, near)
        neighbourhood = known.gather(some, len(rows))
    return Compared(rows[near], neighbourhood, found)


def _part(cells: Any, chosen: NDArray[np.intp], wanted: NDArray[np.intp]) -> Any:
    return cells if wanted.size == chosen.size else cells[np.searchsorted(chosen, wanted)]


def outside(query: Query, model: FittedModel, task: PredictBlock, gathered: Gathered, rate: float | None) -> Outside:
    """Score and p-value of each cell without a label, and the groups of these."""
    known, measured, trust = task.familiarity, gathered.familiarity, model.trust
    if rate is None:
        return Outside()
    if trust is None:
        return _alone(query, measured)
    groups = None
    if trust.groups is not None and task.groups is not None and gathered.group is not None:
        groups = _groups(query, model, trust.groups, task.groups, gathered.group, rate)
    flagged, problems = (None, []) if groups is None else (groups.unfamiliar, _problems(groups, trust.groups))
    if not measured or known is None:
        return Outside(groups=groups, unfamiliar=flagged, problems=problems)
    n, rows = query.found.source.n_cells, query.rows
    own = measured if len(rows) == n else {k: values[rows] for k, values in measured.items()}
    unfamiliarity, p_familiar = np.full(n, np.nan, dtype=np.float32), np.full(n, np.nan)
    score = known.combined(own)
    if groups is not None and task.groups is not None:
        # What is unlikely of a group is unlikely of its cells, and the other way round.
        share = np.maximum(task.groups.statistic / max(groups.record["threshold"], _TINY), _LEAST)
        weight = _WEIGHT if groups.record["n_batches"] > 1 else _OF_ONE_BATCH
        score = (score + weight * np.log(share)[groups.group[rows]]).astype(np.float32)
    unfamiliarity[rows] = score
    p_familiar[rows] = known.p_values(score)
    return Outside(unfamiliarity, p_familiar, groups, flagged, [*problems, *_too_few(known, rate, len(rows))])


def _alone(query: Query, measured: dict[str, NDArray[np.float32]]) -> Outside:
    """Of a model without held-out cells: what it knows of the cells that it learned from."""
    if "unlike" not in measured:
        return Outside()
    n, rows = query.found.source.n_cells, query.rows
    far = np.full(n, np.nan, dtype=np.float32)
    far[rows] = measured["unlike"][rows]
    unfamiliar = far > 1
    problems = []
    if k := int(unfamiliar.sum()):
        problems.append(
            f"{k:,} of {counted(len(rows), 'cell')} {'lies' if k == 1 else 'lie'} far from all that the model learned from (status "
            "unfamiliar): of types that it does not know, or on another scale"
        )
    return Outside(far, None, None, unfamiliar, problems)


def _too_few(known: Familiarity, rate: float, n: int) -> list[str]:
    if np.isfinite(known.threshold(rate, n)):
        return []
    return [
        f"{len(known.reference(n)):,} held-out reference cells are too few for false_positive_rate={rate:g}: no "
        "cell can get the status unfamiliar by itself"
    ]


def _groups(
    query: Query, model: FittedModel, known: Groups, found: Found, group: NDArray[np.int32], rate: float
) -> QueryGroups:
    threshold, doubt = known.threshold(rate), known.doubt(rate)
    own = np.full(len(group), -1, dtype=np.int32)
    own[query.rows] = group[query.rows]
    flagged = found.statistic > threshold
    # The last entry is that of cells in no group.
    of = np.append(found.statistic, -np.inf)[own]
    record = {
        "table": _table(known, found, np.bincount(own[own >= 0], minlength=len(flagged)), flagged, model),
        "threshold": threshold,
        "doubt": doubt,
        "n_batches": known.n_batches_,
    }
    # With one batch it is not known what another batch does to a group: such cells are not confident, and no more is said.
    unfamiliar = (of > threshold) & (known.n_batches_ > 1)
    return QueryGroups(own, unfamiliar, (of > doubt) & ~unfamiliar, record)


def _table(
    known: Groups, found: Found, cells: NDArray[np.intp], flagged: NDArray[np.bool_], model: FittedModel
) -> pd.DataFrame:
    """One row a group, the farthest first."""
    import pandas as pd

    genes = model.names["var_names"]
    return pd.DataFrame(
        {
            "group": [str(i) for i in range(len(flagged))],
            "cells": cells,
            "statistic": found.statistic,
            "p_value": known.p_values(found.statistic),
            "flagged": flagged,
            "nearest_type": model.classes[found.nearest].astype(object),
            "genes_above": [_names(genes, apart) for apart in found.apart],
            "genes_below": [_names(genes, -apart) for apart in found.apart],
        }
    )


def _names(genes: NDArray[np.str_], apart: NDArray[np.float32]) -> str:
    """Genes that lie the farthest outside of all known types."""
    order = np.argsort(-apart, kind="stable")[:_GENES]
    return ", ".join(str(genes[i]) for i in order if apart[i] > 0)


def _problems(groups: QueryGroups, known: Groups | None) -> list[str]:
    table = groups.record["table"]
    large = table[table["flagged"]].sort_values("cells", ascending=False)
    if not len(large) or known is None:
        return []
    one = len(large) == 1
    alone = known.n_batches_ < 2
    why = ". The reference has one batch: another batch may look like this too" if alone else ""
    return [
        f"{counted(len(large), 'group')} of similar cells ({counted(int(large['cells'].sum()), 'cell')} in all) "
        f"{'is' if one else 'are'} as far from all types of the reference as unseen types are (status "
        f"{'ambiguous' if alone else 'unfamiliar'}); sca.get.groups(adata) lists {'it' if one else 'them'} with the genes that "
        f"set {'it' if one else 'them'} apart{why}"
    ]
