"""Splits, cross-validation and comparisons of array methods that are handed in; knows no method by name."""

from __future__ import annotations

from sc_annotate.evaluation.compare import Interval, interval, paired_difference
from sc_annotate.evaluation.crossval import Predictions, cross_validate
from sc_annotate.evaluation.splits import (
    Split,
    grouped,
    holdout,
    leave_one_group_out,
    leave_one_type_out,
    missing_types,
    stratified,
)

__all__ = [
    "Interval",
    "Predictions",
    "Split",
    "cross_validate",
    "grouped",
    "holdout",
    "interval",
    "leave_one_group_out",
    "leave_one_type_out",
    "missing_types",
    "paired_difference",
    "stratified",
]
