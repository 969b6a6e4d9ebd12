"""Tools: name cells, fit models, vote, agree, list methods."""

from sc_annotate.tl._annotate import annotate
from sc_annotate.tl._consensus import consensus
from sc_annotate.tl._evaluate_perturbation import evaluate_perturbation
from sc_annotate.tl._fit import fit_annotator
from sc_annotate.tl._genetic_interactions import genetic_interactions
from sc_annotate.tl._methods import methods
from sc_annotate.tl._model import AnnotationModel, load
from sc_annotate.tl._predict_perturbation import predict_perturbation
from sc_annotate.tl._vote import vote

__all__ = [
    "AnnotationModel",
    "annotate",
    "consensus",
    "evaluate_perturbation",
    "fit_annotator",
    "genetic_interactions",
    "load",
    "methods",
    "predict_perturbation",
    "vote",
]
