"""Scores: pure functions on arrays. Each says which types and cells it counts, and what it leaves out."""

from __future__ import annotations

from sc_annotate.metrics.calibration import (
    expected_calibration_error,
    expected_calibration_error_if_calibrated,
    reliability,
)
from sc_annotate.metrics.classification import accuracy, balanced_accuracy, confusion, macro_f1, per_type
from sc_annotate.metrics.deletion import DeletionCurve, deletion_curve
from sc_annotate.metrics.embedding import effective_rank
from sc_annotate.metrics.interactions import (
    EmpiricalNull,
    average_precision,
    empirical_null,
    interaction_class,
    interaction_curve,
    local_fdr,
    tail_area_q,
)
from sc_annotate.metrics.ontology_distance import (
    HierarchicalScores,
    hierarchical_precision_recall_f1,
    ontology_accuracy,
    ontology_distance,
    ontology_match,
)
from sc_annotate.metrics.openset import auroc, found_at
from sc_annotate.metrics.perturbation import (
    centroid_accuracy,
    de_weights,
    energy_distance,
    inverse_rank,
    l2,
    overlap_at_n,
    pearson_delta,
    perturbation_discrimination,
    precision_at_n,
    replicate_ceiling,
    sd_ratio,
    sign_accuracy,
    top_expressed,
    weighted_mse,
    weighted_r2,
)
from sc_annotate.metrics.probabilities import brier, log_loss, set_coverage
from sc_annotate.metrics.selective import risk_coverage, with_rejection

__all__ = [
    "DeletionCurve",
    "EmpiricalNull",
    "HierarchicalScores",
    "accuracy",
    "auroc",
    "average_precision",
    "balanced_accuracy",
    "brier",
    "centroid_accuracy",
    "confusion",
    "de_weights",
    "deletion_curve",
    "effective_rank",
    "empirical_null",
    "energy_distance",
    "expected_calibration_error",
    "expected_calibration_error_if_calibrated",
    "found_at",
    "hierarchical_precision_recall_f1",
    "interaction_class",
    "interaction_curve",
    "inverse_rank",
    "l2",
    "local_fdr",
    "log_loss",
    "macro_f1",
    "ontology_accuracy",
    "ontology_distance",
    "ontology_match",
    "overlap_at_n",
    "pearson_delta",
    "per_type",
    "perturbation_discrimination",
    "precision_at_n",
    "reliability",
    "replicate_ceiling",
    "risk_coverage",
    "sd_ratio",
    "set_coverage",
    "sign_accuracy",
    "tail_area_q",
    "top_expressed",
    "weighted_mse",
    "weighted_r2",
    "with_rejection",
]
