"""Conformance checks for third-party methods."""

from __future__ import annotations

from sc_annotate.testing._annotator import check_annotator

__all__ = ["check_annotator"]
