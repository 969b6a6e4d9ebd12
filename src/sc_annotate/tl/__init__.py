"""Tools: name cells, fit models, list methods."""

from sc_annotate.tl._annotate import annotate
from sc_annotate.tl._fit import fit_annotator
from sc_annotate.tl._methods import methods
from sc_annotate.tl._model import AnnotationModel, load

__all__ = ["AnnotationModel", "annotate", "fit_annotator", "load", "methods"]
