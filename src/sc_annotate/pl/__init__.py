"""Plots: draw stored results, change nothing, return matplotlib Axes."""

from sc_annotate.pl._annotation import annotation
from sc_annotate.pl._confusion import confusion
from sc_annotate.pl._consensus import consensus
from sc_annotate.pl._methods import methods
from sc_annotate.pl._probabilities import probabilities
from sc_annotate.pl._reliability import reliability
from sc_annotate.pl._risk_coverage import risk_coverage
from sc_annotate.pl._sets import sets
from sc_annotate.pl._status import status
from sc_annotate.pl._unfamiliarity import unfamiliarity

__all__ = [
    "annotation",
    "confusion",
    "consensus",
    "methods",
    "probabilities",
    "reliability",
    "risk_coverage",
    "sets",
    "status",
    "unfamiliarity",
]
