"""Preprocessing: look at data before it is used; average the cells of each condition of a perturbation screen."""

from sc_annotate.pp._conditions import parse_conditions
from sc_annotate.pp._embedding import perturbation_embedding
from sc_annotate.pp._inspect import Inspection, inspect
from sc_annotate.pp._map_genes import map_genes
from sc_annotate.pp._predictable import predictable
from sc_annotate.pp._profiles import perturbation_profiles, profiles_from_lfc
from sc_annotate.pp._read_ontology import Ontology, read_ontology

__all__ = [
    "Inspection",
    "Ontology",
    "inspect",
    "map_genes",
    "parse_conditions",
    "perturbation_embedding",
    "perturbation_profiles",
    "predictable",
    "profiles_from_lfc",
    "read_ontology",
]
