"""What ``annotate_markers`` stores, from the scores of the lists."""

from __future__ import annotations

from dataclasses import dataclass, field
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
LOG: Final = (
    "the confidence of markers is not calibrated: it says how far the best list stands out of the others, not how often such "
    "labels are right"
)
RULE: Final = (
    f"score of decoupler on (value - mean of the gene) / (standard deviation + {SPREAD:g}); softmax of "
    f"score / {SOFTNESS:g}; unfamiliar: best score no rarer than {RARE:g} by chance; ambiguous: share of {HALF:g} or less"
)


@dataclass(frozen=True)
class MarkerLabels:
    """Shares of each row (cell or group), rows that fit no list, cells without a marker, and the groups if requested.

    The label of a row is `best`, by default that with the largest share, and `passed` are lists that it is finer than; with
    `without_label`, rows that fit no list get none. A share of `ambiguous` or less makes a label ambiguous. `named` are entries of the metadata, and `columns` those of
    the table of groups, beside the usual ones.
    """

    proba: NDArray[np.float32]
    fits_none: NDArray[np.bool_]
    silent: NDArray[np.bool_]
    groups: Groups | None
    best: NDArray[np.intp] | None = None
    passed: NDArray[np.bool_] | None = None
    without_label: bool = False
    ambiguous: float = HALF
    rule: str = RULE
    note: str = NOTE
    log: str = LOG
    named: dict[str, Any] = field(default_factory=dict)
    columns: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def row(self) -> NDArray[np.intp]:
        """The row of each cell."""
        return np.arange(len(self.silent)) if self.groups is None else self.groups.code.astype(np.intp)

    @property
    def code(self) -> NDArray[np.intp]:
        """The type of each row, -1 for none."""
        best = self.proba.argmax(axis=1) if self.best is None else self.best
        return np.where(self.fits_none, -1, best) if self.without_label else best


def result_of(
    scored: Scored, lists: MarkerLists, labels: MarkerLabels, *, params: dict[str, Any], model: str, key: str
) -> storage.Annotation:
    """What is stored, from what was found."""
    import pandas as pd

    matched, row, code = scored.matched, labels.row, labels.code
    has = code >= 0
    proba = np.where(has[:, None], labels.proba, np.float32(np.nan))
    confidence = proba[np.arange(len(code)), np.maximum(code, 0)]
    status = np.where(confidence <= labels.ambiguous, STATUSES.index(AMBIGUOUS), STATUSES.index(CONFIDENT))
    status[labels.fits_none] = STATUSES.index(UNFAMILIAR)
    status = status[row]
    status[labels.silent] = STATUSES.index(LOW_QUALITY)
    table = matched.table.copy()
    n_labelled = pd.Series(np.bincount(code[row][has[row]], minlength=len(matched.types)), index=matched.types.tolist())
    table["n_cells"] = np.array([int(n_labelled.get(t, 0)) for t in table["type"]], dtype=np.int64)
    slots = Slots(key)
    obs = {
        slots.label: categorical(code[row], matched.types),
        slots.confidence: confidence[row].astype(np.float32),
        slots.status: categorical(status, STATUSES),
        slots.model: pd.Categorical.from_codes(
            np.where(has, 0, -1)[row].astype(np.int8), pd.Index([model], dtype=object)
        ),
    }
    provenance: dict[str, Any] = {"source": lists.source, "rule": labels.rule, "table": table, **labels.named}
    if labels.groups is not None:
        provenance["groups"] = _groups(scored, labels)
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
            "notes": [*found.notes, *scored.transform.notes, *matched.notes, *labels.notes],
            "problems": [
                *matched.problems,
                *labels.problems,
                *_problems(labels, status == STATUSES.index(UNFAMILIAR)),
            ],
        },
        "reference": {},
        "calibration": {"method": "none", "note": labels.note},
        "markers": provenance,
        "quality": {},
        "baseline": {},
    }
    return storage.Annotation(obs, proba[row], uns)


def _problems(labels: MarkerLabels, unfamiliar: NDArray[np.bool_]) -> list[str]:
    """How many cells have a label that means nothing, and how many fit no list."""
    problems = []
    if n := int(labels.silent.sum()):
        has, means = ("has", "its label means") if n == 1 else ("have", "their labels mean")
        problems.append(f"{counted(n, 'cell')} {has} no value in any marker gene (status low_quality); {means} nothing")
    if n := int(unfamiliar.sum()):
        k = 0 if labels.groups is None else len(np.unique(labels.row[unfamiliar]))
        of = f" of {counted(k, 'group')}" if k else ""
        fit = f"{'fits' if n == 1 else 'fit'} none of the lists"
        no = f" and {'has' if n == 1 else 'have'} no label" if labels.without_label else ""
        problems.append(f"{counted(n, 'cell')}{of} {fit}{no} (status unfamiliar)")
    return problems


def _groups(scored: Scored, labels: MarkerLabels) -> pd.DataFrame:
    """A row for each group: its label, and the list with the next highest score that the label is not finer than.

    Without a label, the best list is the next.
    """
    import pandas as pd

    types, scores, terms = scored.matched.types, scored.scores, scored.matched.term_ids
    code = labels.code
    rows = np.arange(len(code))
    has = code >= 0
    best = np.where(has, code, 0)
    others = scores.copy() if labels.passed is None else np.where(labels.passed, -np.inf, scores)
    others[rows[has], code[has]] = -np.inf
    second, two = others.argmax(axis=1), np.isfinite(others.max(axis=1))
    more = dict(labels.columns)
    if labels.passed is not None:
        first = np.where(labels.passed, scores, -np.inf).argmax(axis=1)
        more["finer_than"] = pd.Series(np.where(labels.passed.any(axis=1), types[first], "").tolist(), dtype=object)
    table = pd.DataFrame(
        {
            "group": pd.Series([] if labels.groups is None else labels.groups.names.tolist(), dtype=object),
            "n_cells": np.bincount(labels.row, minlength=len(code)).astype(np.int64),
            "type": pd.Series(np.where(has, types[best], "").tolist(), dtype=object),
            "term_id": pd.Series(np.where(has, terms[best], "").tolist(), dtype=object),
            "share": np.where(has, labels.proba[rows, best].astype(float), np.nan),
            "score": np.where(has, scores[rows, best], np.nan),
            "runner_up": pd.Series(np.where(two, types[second], "").tolist(), dtype=object),
            "score_runner_up": np.where(two, scores[rows, second], np.nan),
            **more,
        }
    )
    table.index = table.index.astype(str)
    return table
