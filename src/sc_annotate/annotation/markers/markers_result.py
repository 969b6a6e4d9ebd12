"""What ``annotate_markers`` stores, from the scores of the lists."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sc_annotate._core.settings import counted
from sc_annotate._store import storage
from sc_annotate._store.slots import AMBIGUOUS, CONFIDENT, LOW_QUALITY, STATUSES, UNFAMILIAR, Slots
from sc_annotate.annotation.result import categorical
from sc_annotate.annotators.marker_scores import RARE, SOFTNESS, SPREAD

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from sc_annotate._vocabulary.marker_lists.lists import MarkerLists
    from sc_annotate.annotation.cell_groups import Groups
    from sc_annotate.annotation.markers.scored import Scored

HALF: Final = 0.5
"""A label with no more than this share is ambiguous: the other types together have as much."""

NOTE: Final = (
    "labels from markers are not calibrated, as there are no labelled cells. The confidence is the softmax of the scores of "
    "the lists: it says how far the best list stands out of the others, not how often such labels are right"
)


@dataclass(frozen=True)
class MarkerLabels:
    """Shares of each row (cell or group), rows that fit no list, cells without a marker, and the groups if requested."""

    proba: NDArray[np.float32]
    fits_none: NDArray[np.bool_]
    silent: NDArray[np.bool_]
    groups: Groups | None

    @property
    def row(self) -> NDArray[np.intp]:
        """The row of each cell."""
        return np.arange(len(self.silent)) if self.groups is None else self.groups.code.astype(np.intp)


def result_of(
    scored: Scored, lists: MarkerLists, labels: MarkerLabels, *, params: dict[str, Any], model: str, key: str
) -> storage.Annotation:
    """What is stored, from what was found."""
    import pandas as pd

    matched, row = scored.matched, labels.row
    code = labels.proba.argmax(axis=1)
    confidence = labels.proba[np.arange(len(code)), code]
    status = np.where(confidence <= HALF, STATUSES.index(AMBIGUOUS), STATUSES.index(CONFIDENT))
    status[labels.fits_none] = STATUSES.index(UNFAMILIAR)
    status = status[row]
    status[labels.silent] = STATUSES.index(LOW_QUALITY)
    table = matched.table.copy()
    n_labelled = pd.Series(np.bincount(code[row], minlength=len(matched.types)), index=matched.types.tolist())
    table["n_cells"] = np.array([int(n_labelled.get(t, 0)) for t in table["type"]], dtype=np.int64)
    slots = Slots(key)
    obs = {
        slots.label: categorical(code[row], matched.types),
        slots.confidence: confidence[row].astype(np.float32),
        slots.status: categorical(status, STATUSES),
        slots.model: pd.Categorical.from_codes(np.zeros(len(row), dtype=np.int8), pd.Index([model], dtype=object)),
    }
    provenance: dict[str, Any] = {
        "source": lists.source,
        "rule": f"score of decoupler on (value - mean of the gene) / (standard deviation + {SPREAD:g}); softmax of "
        f"score / {SOFTNESS:g}; unfamiliar: best score no rarer than {RARE:g} by chance; ambiguous: share of {HALF:g} or less",
        "table": table,
    }
    if labels.groups is not None:
        provenance["groups"] = _groups(scored, labels, code)
    found = scored.found
    uns: dict[str, Any] = {
        "method": "markers",
        "model": model,
        "params": params,
        "classes": matched.types.astype(object),
        "input": {
            "values": found.values,
            "genes": found.genes,
            **found.left_out,
            "matched_by": f"{matched.how} of adata",
            "n_genes_of_model": matched.n_genes,
            "n_genes_shared": matched.n_shared,
            "n_cells_without_values": int(labels.silent.sum()),
            "notes": [*found.notes, *scored.transform.notes, *matched.notes],
            "problems": [*matched.problems, *_problems(labels, status == STATUSES.index(UNFAMILIAR))],
        },
        "reference": {},
        "calibration": {"method": "none", "note": NOTE},
        "markers": provenance,
        "quality": {},
        "baseline": {},
    }
    return storage.Annotation(obs, labels.proba[row], uns)


def _problems(labels: MarkerLabels, unfamiliar: NDArray[np.bool_]) -> list[str]:
    """How many cells have a label that means nothing, and how many fit no list."""
    problems = []
    if n := int(labels.silent.sum()):
        has, means = ("has", "its label means") if n == 1 else ("have", "their labels mean")
        problems.append(f"{counted(n, 'cell')} {has} no value in any marker gene (status low_quality); {means} nothing")
    if n := int(unfamiliar.sum()):
        k = 0 if labels.groups is None else len(np.unique(labels.row[unfamiliar]))
        of = f" of {counted(k, 'group')}" if k else ""
        problems.append(f"{counted(n, 'cell')}{of} {'fits' if n == 1 else 'fit'} none of the lists (status unfamiliar)")
    return problems


def _groups(scored: Scored, labels: MarkerLabels, code: NDArray[np.intp]) -> pd.DataFrame:
    """A row for each group: its label, and the list with the next highest score."""
    import pandas as pd

    types, scores = scored.matched.types, scored.scores
    order = np.argsort(-scores, axis=1, kind="stable")
    rows = np.arange(len(code))
    table = pd.DataFrame(
        {
            "group": pd.Series([] if labels.groups is None else labels.groups.names.tolist(), dtype=object),
            "n_cells": np.bincount(labels.row, minlength=len(code)).astype(np.int64),
            "type": pd.Series(types[order[:, 0]].tolist(), dtype=object),
            "term_id": pd.Series(scored.matched.term_ids[order[:, 0]].tolist(), dtype=object),
            "share": labels.proba[rows, order[:, 0]].astype(float),
            "score": scores[rows, order[:, 0]],
            "runner_up": pd.Series(types[order[:, 1]].tolist(), dtype=object),
            "score_runner_up": scores[rows, order[:, 1]],
        }
    )
    table.index = table.index.astype(str)
    return table
