"""Scores: pure functions on arrays. Each says which types and cells it counts, and what it leaves out."""

from __future__ import annotations

from sc_annotate.metrics.classification import accuracy, balanced_accuracy, confusion, macro_f1, per_type
from sc_annotate.metrics.probabilities import brier, log_loss

__all__ = ["accuracy", "balanced_accuracy", "brier", "confusion", "log_loss", "macro_f1", "per_type"]
