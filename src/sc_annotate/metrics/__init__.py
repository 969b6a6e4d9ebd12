"""Scores: pure functions on arrays. Each says which types and cells it counts, and what it leaves out."""

from __future__ import annotations

from sc_annotate.metrics.calibration import (
    expected_calibration_error,
    expected_calibration_error_floor,
    reliability,
)
from sc_annotate.metrics.classification import accuracy, balanced_accuracy, confusion, macro_f1, per_type
from sc_annotate.metrics.openset import auroc, found_at
from sc_annotate.metrics.probabilities import brier, log_loss
from sc_annotate.metrics.selective import risk_coverage, with_rejection
from sc_annotate.metrics.sets import set_coverage

__all__ = [
    "accuracy",
    "auroc",
    "balanced_accuracy",
    "brier",
    "confusion",
    "expected_calibration_error",
    "expected_calibration_error_floor",
    "found_at",
    "log_loss",
    "macro_f1",
    "per_type",
    "reliability",
    "risk_coverage",
    "set_coverage",
    "with_rejection",
]
