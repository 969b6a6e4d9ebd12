"""Getters: stored results as labelled tables, and as a report to read."""

from sc_annotate.get._annotation import annotation, clusters, probabilities
from sc_annotate.get._annotations import annotations
from sc_annotate.get._evidence import evidence, evidence_overlap, faithfulness
from sc_annotate.get._gene_mapping import gene_mapping
from sc_annotate.get._groups import groups
from sc_annotate.get._history import history
from sc_annotate.get._perturbation import leaderboard, perturbation
from sc_annotate.get._report import Report, report
from sc_annotate.get._sets import sets

__all__ = [
    "Report",
    "annotation",
    "annotations",
    "clusters",
    "evidence",
    "evidence_overlap",
    "faithfulness",
    "gene_mapping",
    "groups",
    "history",
    "leaderboard",
    "perturbation",
    "probabilities",
    "report",
    "sets",
]
