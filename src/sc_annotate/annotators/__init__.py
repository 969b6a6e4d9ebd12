"""Cell typing methods: arrays in, arrays out, one file a method."""

from __future__ import annotations

from sc_annotate._core.arguments import need_choice, need_count, need_positive
from sc_annotate._core.cells import as_matrix
from sc_annotate.annotators._base import Annotator, AnnotatorLike
from sc_annotate.annotators.checks import (
    Training,
    as_labels,
    check_fit,
    check_predict,
    need_fitted,
)

__all__ = [
    "Annotator",
    "AnnotatorLike",
    "Training",
    "as_labels",
    "as_matrix",
    "check_fit",
    "check_predict",
    "need_choice",
    "need_count",
    "need_fitted",
    "need_positive",
]
