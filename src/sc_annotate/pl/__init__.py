"""Plotting: draw stored results, return matplotlib Axes; nothing is changed."""

from sc_annotate.pl._annotation import annotation
from sc_annotate.pl._attention import attention
from sc_annotate.pl._confusion import confusion
from sc_annotate.pl._consensus import consensus
from sc_annotate.pl._dotplot import dotplot
from sc_annotate.pl._effects import effects
from sc_annotate.pl._evidence import evidence
from sc_annotate.pl._interactions import interactions
from sc_annotate.pl._leaderboard import leaderboard
from sc_annotate.pl._levels import levels
from sc_annotate.pl._markers_agree import markers_agree
from sc_annotate.pl._methods import methods
from sc_annotate.pl._ontology import ontology
from sc_annotate.pl._perturbation import perturbation
from sc_annotate.pl._perturbation_errors import perturbation_errors
from sc_annotate.pl._probabilities import probabilities
from sc_annotate.pl._reliability import reliability
from sc_annotate.pl._risk_coverage import risk_coverage
from sc_annotate.pl._sd_ratio import sd_ratio
from sc_annotate.pl._sets import sets
from sc_annotate.pl._status import status
from sc_annotate.pl._training import training
from sc_annotate.pl._unfamiliarity import unfamiliarity

__all__ = [
    "annotation",
    "attention",
    "confusion",
    "consensus",
    "dotplot",
    "effects",
    "evidence",
    "interactions",
    "leaderboard",
    "levels",
    "markers_agree",
    "methods",
    "ontology",
    "perturbation",
    "perturbation_errors",
    "probabilities",
    "reliability",
    "risk_coverage",
    "sd_ratio",
    "sets",
    "status",
    "training",
    "unfamiliarity",
]
