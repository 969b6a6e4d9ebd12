"""Splits, cross-validation and comparisons of array methods that are handed in; knows no method by name."""

from __future__ import annotations

from sc_annotate.evaluation.compare import Interval, interval, paired_difference
from sc_annotate.evaluation.crossval import Predictions, Unlabelled, cross_validate
from sc_annotate.evaluation.cv_plus import cv_coverage, cv_plus, error_quantile
from sc_annotate.evaluation.leaderboard import Leaderboard, leaderboard
from sc_annotate.evaluation.perturbation_splits import (
    condition_folds,
    double_split,
    leave_one_covariate_out,
    single_split,
)
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
    "Leaderboard",
    "Predictions",
    "Split",
    "Unlabelled",
    "condition_folds",
    "cross_validate",
    "cv_coverage",
    "cv_plus",
    "double_split",
    "error_quantile",
    "grouped",
    "holdout",
    "interval",
    "leaderboard",
    "leave_one_covariate_out",
    "leave_one_group_out",
    "leave_one_type_out",
    "missing_types",
    "paired_difference",
    "single_split",
    "stratified",
]
