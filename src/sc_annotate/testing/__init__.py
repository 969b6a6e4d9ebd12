"""Conformance checks for methods from other packages, and the small tasks that they are checked on."""

from __future__ import annotations

from sc_annotate.testing._annotator import check_annotator
from sc_annotate.testing._predictor import check_predictor
from sc_annotate.testing.screens import easy_screen
from sc_annotate.testing.tasks import easy_task

__all__ = ["check_annotator", "check_predictor", "easy_screen", "easy_task"]
