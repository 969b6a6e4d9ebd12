"""Preprocessing: look at data before it is used; average the cells of each condition of a perturbation screen."""

from sc_annotate.pp._embedding import perturbation_embedding
from sc_annotate.pp._inspect import Inspection, inspect
from sc_annotate.pp._predictable import predictable
from sc_annotate.pp._profiles import parse_conditions, perturbation_profiles, profiles_from_lfc

__all__ = [
    "Inspection",
    "inspect",
    "parse_conditions",
    "perturbation_embedding",
    "perturbation_profiles",
    "predictable",
    "profiles_from_lfc",
]
