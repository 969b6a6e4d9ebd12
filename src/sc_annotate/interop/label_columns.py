"""Columns of labels as other tools name them: which tool it was, and in which column it left its confidence."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection

UNKNOWN: Final = "imported"
"""The method of labels of which no tool is known."""


@dataclass(frozen=True)
class LabelColumn:
    """The tool that names a column of labels so, and the column with its confidence."""

    tool: str = UNKNOWN
    score: str | None = None
    counts_votes: bool = False
    """Whether the confidence counts the methods that agree, instead of being a share of 1."""
    note: str = ""


_OF_THE_CELL: Final = (
    "conf_score is the confidence of predicted_labels, unless CellTypist was run with insert_conf_by='majority_voting'; a "
    "cell that the vote gave another label keeps it"
)

_AZIMUTH: Final = r"predicted(?:\.\S+|_(?:ann|annotation|celltype|class|cluster|subclass)(?:_\S+)?)"

# Name of the column, tool, its confidence, other columns that the tool writes (one of them, or the confidence, is there), whether
# the confidence counts votes, a note. "{0}" is what stands before the name, "{column}" the whole of it.
_TOOLS: Final[tuple[tuple[str, str, str, tuple[str, ...], bool, str], ...]] = (
    (r"(.*)predicted_labels", "celltypist", "{0}conf_score", ("{0}over_clustering", "{0}majority_voting"), False, ""),
    (r"(.*)majority_voting", "celltypist", "{0}conf_score", ("{0}over_clustering",), False, _OF_THE_CELL),
    (r"(.*)popv_prediction", "popv", "{column}_score", ("{column}_depth",), True, ""),
    (r"(.*)popv_majority_vote_prediction", "popv", "{0}popv_majority_vote_score", (), True, ""),
    (r"(.*)predicted\.id", "seurat", "{0}prediction.score.max", (), False, ""),
    (_AZIMUTH, "azimuth", "{column}.score", ("mapping.score",), False, ""),
    (_AZIMUTH, "azimuth", "{column}_score", ("mapping_score",), False, ""),
    (r"(.*)final_level_labels", "azimuth", "{0}final_level_confidence", (), False, ""),
)
_SUFFIXES: Final = (".score", "_score", "_confidence", ".confidence", "_conf", "_conf_score", "_probability", "_prob")
"""What people write behind the name of a column of labels for its confidence."""


def label_column(column: str, columns: Collection[str]) -> LabelColumn:
    """What the names of all `columns` say about one with labels.

    Examples
    --------
    >>> label_column("predicted_labels", ["predicted_labels", "over_clustering", "conf_score"])
    LabelColumn(tool='celltypist', score='conf_score', counts_votes=False, note='')
    >>> label_column("gpt", ["gpt", "gpt_confidence"]).score
    'gpt_confidence'
    """
    for pattern, tool, score, others, votes, note in _TOOLS:
        match = re.fullmatch(pattern, column)
        if match is None:
            continue
        own, *rest = (name.format(*match.groups(), column=column) for name in (score, *others))
        if own in columns:
            return LabelColumn(tool, own, votes, note)
        if any(name in columns for name in rest):
            return LabelColumn(tool)
    found = next((column + suffix for suffix in _SUFFIXES if column + suffix in columns), None)
    return LabelColumn(score=found)
