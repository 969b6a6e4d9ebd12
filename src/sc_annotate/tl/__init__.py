"""Tools: annotate cells, fit models, explain labels, predict perturbations, list methods."""

from sc_annotate.annotation.model import AnnotationModel
from sc_annotate.representation.model import EncoderModel
from sc_annotate.tl._annotate import annotate
from sc_annotate.tl._annotate_markers import annotate_markers
from sc_annotate.tl._compare_labels import compare_labels
from sc_annotate.tl._consensus import consensus
from sc_annotate.tl._convert_celltypist import convert_celltypist
from sc_annotate.tl._embed import embed
from sc_annotate.tl._evaluate_perturbation import evaluate_perturbation
from sc_annotate.tl._evidence import evidence
from sc_annotate.tl._fit_annotator import fit_annotator
from sc_annotate.tl._genetic_interactions import genetic_interactions
from sc_annotate.tl._import_labels import import_labels
from sc_annotate.tl._load import load
from sc_annotate.tl._map_labels import map_labels
from sc_annotate.tl._markers_agree import markers_agree
from sc_annotate.tl._methods import methods
from sc_annotate.tl._predict_perturbation import predict_perturbation
from sc_annotate.tl._pretrain import pretrain
from sc_annotate.tl._rollup import rollup
from sc_annotate.tl._vote import vote

__all__ = [
    "AnnotationModel",
    "EncoderModel",
    "annotate",
    "annotate_markers",
    "compare_labels",
    "consensus",
    "convert_celltypist",
    "embed",
    "evaluate_perturbation",
    "evidence",
    "fit_annotator",
    "genetic_interactions",
    "import_labels",
    "load",
    "map_labels",
    "markers_agree",
    "methods",
    "predict_perturbation",
    "pretrain",
    "rollup",
    "vote",
]
