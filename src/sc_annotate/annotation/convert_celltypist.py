"""Make a model of ours from one of CellTypist."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.progress import logger
from sc_annotate._vocabulary import gene_names
from sc_annotate.annotation.model import AnnotationModel
from sc_annotate.annotation.provenance import Provenance
from sc_annotate.annotators.celltypist import CellTypist
from sc_annotate.errors import InputError, ModelFileError, ScAnnotateWarning
from sc_annotate.interop.celltypist import from_file, from_object

if TYPE_CHECKING:
    from sc_annotate.interop.celltypist import Parts

UNCALIBRATED = (
    "a converted CellTypist model brings no held-out cells: its confidence is its own score, not calibrated, and there are "
    "no prediction sets and no status. Types that the model does not know get a name all the same"
)
JOINT = (
    "the types of this CellTypist model were fitted together (a multinomial regression), for which CellTypist's sigmoid "
    "scores mean nothing: the probabilities are their softmax instead. The calls are the same"
)


def convert_celltypist(source: str | os.PathLike[str] | Any, *, trust_pickle: bool = False) -> AnnotationModel:
    """Make a model of :func:`annotate` from a model of CellTypist; save it, and no pickle is needed any more.

    A CellTypist file is a pickle, and Python would run whatever code is in one. It is read here as a description: nothing in
    it is imported or called, and what is neither an array, a logistic regression nor a scaler is refused by name. Neither
    celltypist nor scikit-learn is needed.

    The calls are CellTypist's (``"best match"``), and ``model.annotator.scores(X)`` is its matrix of probabilities: log1p of
    counts per 10,000, scaled by the model's means and deviations, at most 10, then a sigmoid a type. Genes that the cells
    lack drop out, as there. Probabilities, and so the confidence, are these scores made to sum to 1: divided by their sum where
    that is above 1; else what they lack of 1 is spread evenly over the types, so that a cell that no type fits has a low
    confidence, as in CellTypist.

    Parameters
    ----------
    source
        Path of a CellTypist model (``.pkl``), or a ``celltypist.models.Model``.
    trust_pickle
        Say so to have a pickle read at all.

    Returns
    -------
    A model of the method ``"celltypist"``: pass it to :func:`annotate`, keep it with ``model.save(path)``. It has no held-out
    scores and no calibration, as the training cells do not come with it; ``annotate`` says so. ``model.provenance.converted_from``
    holds the description, the date and what trained it.

    Raises
    ------
    InputError
        `source` is neither a path nor a CellTypist model, or a path without ``trust_pickle=True``.
    ModelFileError
        There is no such file, it is no whole CellTypist model, or it holds something else beside, which is named.

    Warns
    -----
    ScAnnotateWarning
        The types were fitted together by a multinomial regression (CellTypist's training with some versions of
        scikit-learn): a sigmoid of such scores means nothing, so that their softmax is taken.

    References
    ----------
    Dominguez Conde et al. 2022, Cross-tissue immune cell analysis reveals tissue-specific features in humans, Science 376,
    `doi:10.1126/science.abl5197 <https://doi.org/10.1126/science.abl5197>`_.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> model = sca.tl.convert_celltypist("Immune_All_Low.pkl", trust_pickle=True)  # doctest: +SKIP
    >>> model.save("Immune_All_Low.safetensors")  # doctest: +SKIP
    >>> sca.tl.annotate(adata, "Immune_All_Low.safetensors")  # doctest: +SKIP
    """
    if isinstance(source, str | os.PathLike):
        if trust_pickle is not True:
            raise InputError(
                f"{str(source)!r} would have to be a pickle, as CellTypist's models are. It is read without running anything in "
                "it, yet only on request: pass trust_pickle=True if you know where the file comes from."
            )
        path = Path(source)
        try:
            parts = from_file(path)
        except OSError as error:
            raise ModelFileError(f"{str(path)!r} cannot be read ({error}).") from error
        where = path.name
    elif all(hasattr(source, name) for name in ("classifier", "scaler", "description")):
        parts, where = from_object(source), "an object in memory"
    else:
        raise InputError(
            f"source must be the path of a CellTypist model or a celltypist.models.Model, not {type(source).__name__}."
        )
    problems = [UNCALIBRATED, JOINT] if parts.joint else [UNCALIBRATED]
    if parts.joint:
        warnings.warn(f"{JOINT}.", ScAnnotateWarning, stacklevel=2)
    logger.info(UNCALIBRATED)
    return _model(parts, where, problems)


def _model(parts: Parts, where: str, problems: list[str]) -> AnnotationModel:
    arrays = {"weights": parts.weights, "offset": parts.offset, "mean": parts.mean, "scale": parts.scale}
    annotator = CellTypist.from_arrays(arrays, {"params": {}, "joint": parts.joint}, parts.classes)
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
            genes=gene_names.look(parts.features).to_dict(),
            notes=[f"converted from CellTypist ({where}{', ' + date if date else ''}), trained by {parts.trained_by}"],
            problems=problems,
            uncalibrated=UNCALIBRATED,
            converted_from={"source": where, "trained_by": parts.trained_by, **parts.description},
        ),
        evaluation=None,
        annotator=annotator,
        trust=None,
    )
