"""Convert models of CellTypist."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.codec import to_json
from sc_annotate._core.settings import logger
from sc_annotate._vocabulary import gene_names
from sc_annotate.annotation.model import AnnotationModel
from sc_annotate.annotation.training import Provenance
from sc_annotate.annotators.celltypist import CellTypist
from sc_annotate.errors import InputError, ModelFileError, ScAnnotateWarning
from sc_annotate.interop.celltypist_model import from_file, from_object

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sc_annotate.interop.celltypist_model import Parts

UNCALIBRATED = (
    "a converted CellTypist model has no held-out cells: its confidence is its own score, not calibrated, and there are "
    "no prediction sets. Cells of types that the model does not know get a label all the same; the status unfamiliar marks those "
    "that are far from all that it learned from, and there is no other"
)
JOINT = (
    "the types of this CellTypist model were fitted together (a multinomial regression), for which CellTypist's sigmoid "
    "scores mean nothing: the probabilities are their softmax instead. The labels are the same"
)


def convert(source: Any, *, trust_pickle: bool) -> AnnotationModel:
    """The model in a file of CellTypist, or of a model of CellTypist in memory."""
    if isinstance(source, str | os.PathLike):
        if trust_pickle is not True:
            raise InputError(
                f"trust_pickle=True is needed to read {str(source)!r}: models of CellTypist are pickles. Nothing in it is run; pass "
                "trust_pickle=True if you trust its source."
            )
        path = Path(source)
        try:
            parts = from_file(path)
        except OSError as error:
            raise ModelFileError(f"{str(path)!r} cannot be read ({error}).") from error
        where = path.name
    elif all(hasattr(source, name) for name in ("classifier", "scaler", "description")):
        if trust_pickle:
            raise InputError("trust_pickle: no pickle is read from a CellTypist model in memory. Leave it out.")
        parts, where = from_object(source), "an object in memory"
    else:
        raise InputError(
            f"source must be the path of a CellTypist model or a celltypist.models.Model, not {type(source).__name__}."
        )
    return convert_parts(parts, where, {})


def convert_parts(parts: Parts, where: str, origin: Mapping[str, str]) -> AnnotationModel:
    """The model of what was read from `where`; `origin` says where that was downloaded."""
    problems = [UNCALIBRATED, JOINT] if parts.joint else [UNCALIBRATED]
    if parts.joint:
        warnings.warn(f"{JOINT}.", ScAnnotateWarning, stacklevel=4)
    logger.info(UNCALIBRATED)
    downloaded = [f"downloaded from {origin['url']}, sha256 {origin['sha256']}"] if origin else []
    annotator = CellTypist().given(
        parts.classes, parts.weights, parts.offset, parts.mean, parts.scale, joint=parts.joint
    )
    date = parts.description.get("date", "")
    return AnnotationModel(
        method="celltypist",
        classes=parts.classes,
        counts=np.zeros(len(parts.classes), dtype=np.int64),
        names={"var_names": parts.features},
        means=parts.mean.astype(np.float32),
        input="log",
        panel=None,
        provenance=Provenance(
            labels_key="celltypist",
            params={"method_kwargs": {}},
            n_cells=0,
            n_genes=len(parts.features),
            values={"where": f"the data that CellTypist learned from ({where})", "kind": "log1p"},
            genes=to_json(gene_names.look(parts.features)),
            notes=[
                f"converted from CellTypist ({where}{', ' + date if date else ''}), trained by {parts.trained_by}",
                *downloaded,
            ],
            problems=problems,
            uncalibrated=UNCALIBRATED,
            converted_from={"source": where, "trained_by": parts.trained_by, **parts.description, **origin},
        ),
        evaluation=None,
        annotator=annotator,
        trust=None,
    )
