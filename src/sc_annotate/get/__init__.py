"""Getters: stored results as labelled tables."""

from sc_annotate.get._annotation import annotation, probabilities
from sc_annotate.get._sets import sets

__all__ = ["annotation", "probabilities", "sets"]
