"""Getters: stored results as labelled tables."""

from sc_annotate.get._annotation import annotation, probabilities

__all__ = ["annotation", "probabilities"]
