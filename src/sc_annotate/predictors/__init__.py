"""Predictors of perturbation effects: the profiles of a screen in, the profiles of other conditions out."""

from __future__ import annotations

from sc_annotate._core.arguments import need_choice, need_count, need_positive
from sc_annotate.predictors._base import Predictor, PredictorLike
from sc_annotate.predictors._embedding import screen_embedding
from sc_annotate.predictors._gmt import read_gmt
from sc_annotate.predictors._leave_one_out import leave_one_out, refits
from sc_annotate.predictors._screen import Cells, Embedding, Screen

__all__ = [
    "Cells",
    "Embedding",
    "Predictor",
    "PredictorLike",
    "Screen",
    "leave_one_out",
    "need_choice",
    "need_count",
    "need_positive",
    "read_gmt",
    "refits",
    "screen_embedding",
]
