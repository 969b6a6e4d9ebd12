"""Genetic interactions: which deviations are more than noise, of what kind, and who predicts them."""

from __future__ import annotations

from sc_annotate.metrics._interactions_curve import average_precision, interaction_class, interaction_curve
from sc_annotate.metrics._interactions_fdr import EmpiricalNull, empirical_null, local_fdr, tail_area_q

__all__ = [
    "EmpiricalNull",
    "average_precision",
    "empirical_null",
    "interaction_class",
    "interaction_curve",
    "local_fdr",
    "tail_area_q",
]
