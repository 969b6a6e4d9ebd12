"""Plots: draw stored results, change nothing, return matplotlib Axes."""

from sc_annotate.pl._annotation import annotation
from sc_annotate.pl._confusion import confusion
from sc_annotate.pl._methods import methods
from sc_annotate.pl._probabilities import probabilities

__all__ = ["annotation", "confusion", "methods", "probabilities"]
