"""Read a fitted model from a file, checked whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core import registry
from sc_annotate._core.codec import record
from sc_annotate._store import modelfile
from sc_annotate.annotation.held_out import Evaluation
from sc_annotate.annotation.learn_trust import Trust
from sc_annotate.annotation.levels import restored
from sc_annotate.annotation.model import AnnotationModel
from sc_annotate.annotation.training import Provenance
from sc_annotate.errors import MethodError, ModelFileError, ScAnnotateError

if TYPE_CHECKING:
    import os

    from numpy.typing import NDArray


def read_model(path: str | os.PathLike[str]) -> AnnotationModel:
    """The model in a file; a ModelFileError where it is not whole."""
    arrays, meta = modelfile.load(path)
    try:
        return _rebuild(arrays, meta)
    except (MethodError, ImportError):
        raise
    except (ScAnnotateError, KeyError, TypeError, ValueError, AttributeError, IndexError, NotImplementedError) as error:
        raise ModelFileError(
            f"{str(path)!r} does not describe a whole model ({error!r}). Get or save it again."
        ) from error


def _rebuild(arrays: dict[str, NDArray[Any]], meta: dict[str, Any]) -> AnnotationModel:
    classes = _texts(meta["classes"], "classes")
    names = {str(k): _texts(v, "names") for k, v in meta["names"].items()}
    panel = None if meta["panel"] is None else {str(k): _texts(v, "panel") for k, v in meta["panel"].items()}
    counts = np.asarray(meta["counts"])
    means = arrays["means"]
    n_genes = len(names["var_names"])
    _require(len(classes) >= 1 and len(np.unique(classes)) == len(classes), "the classes are empty or repeat")
    _require(counts.shape == classes.shape and counts.dtype.kind == "i", "counts and classes differ")
    _require(means.shape == (n_genes,) and means.dtype == np.float32, "means and genes differ")
    _require(len(np.unique(names["var_names"])) == n_genes, "gene names repeat")
    _require(panel is None or "var_names" in panel, "the panel has no names")
    _require(all(len(v) == n_genes for v in names.values()), "the lists of gene names differ in length")
    _require(meta["input"] in ("log", "counts", "embedding"), "unknown input")
    for name, array in arrays.items():
        _require(array.dtype.kind in "biu" or bool(np.isfinite(array).all()), f"{name} is not finite")
    cls = registry.load(registry.get("annotation", meta["method"]))
    parts = {name.removeprefix("annotator."): a for name, a in arrays.items() if name.startswith("annotator.")}
    annotator = cls.from_arrays(parts, meta["state"], classes)
    # Whatever the arrays claim to be, they must give probabilities for one cell of these genes.
    probe = np.asarray(annotator.predict_proba(means[None, :]))
    _require(probe.shape == (1, len(classes)), "the arrays do not fit the genes and classes")
    _require(bool(np.isfinite(probe).all()) and abs(float(probe.sum()) - 1) < 1e-3, "its probabilities do not sum to 1")
    evaluation = None if meta["evaluation"] is None else record(Evaluation, meta["evaluation"])
    trust = None if meta["trust"] is None else Trust.from_arrays(arrays, meta["trust"])
    if trust is not None:
        trust.check(means, len(classes))
    return AnnotationModel(
        meta["method"],
        classes,
        counts.astype(np.int64),
        names,
        means,
        meta["input"],
        panel,
        record(Provenance, meta["provenance"]),
        evaluation,
        annotator,
        trust,
        *restored(meta.get("levels"), classes),
    )


def _texts(values: Any, what: str) -> NDArray[np.str_]:
    _require(isinstance(values, list) and all(isinstance(v, str) for v in values), f"{what} are not strings")
    return np.array(values, dtype=str)


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)
