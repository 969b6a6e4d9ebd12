"""Conformance checks for third-party methods."""

from __future__ import annotations

from sc_annotate.testing._annotator import check_annotator
from sc_annotate.testing._predictor import check_predictor

__all__ = ["check_annotator", "check_predictor"]
