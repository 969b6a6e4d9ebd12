"""Read a fitted model from a file, checked whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core import registry
from sc_annotate._core.registry import capabilities_of
from sc_annotate._store import modelfile
from sc_annotate.annotation import model_file
from sc_annotate.annotation.learn_trust import Trust
from sc_annotate.annotation.levels import restored
from sc_annotate.annotation.model import AnnotationModel
from sc_annotate.annotation.requests import usable_method
from sc_annotate.errors import ModelFileError

if TYPE_CHECKING:
    import os

    from numpy.typing import NDArray

    from sc_annotate.annotation.alignment import Alignment
    from sc_annotate.annotation.model_file import ModelInFile


def read_model(path: str | os.PathLike[str]) -> AnnotationModel:
    """The model in a file; a ModelFileError where it is not whole."""
    arrays, meta = modelfile.load(path)
    try:
        stated = model_file.read(meta, arrays)
    except ValueError as error:
        raise ModelFileError(_not_whole(path, error)) from error
    method = usable_method(stated["method"])
    cls = registry.load(method)
    try:
        return _rebuild(arrays, stated, cls, method.inputs)
    except Exception as error:
        # A method of another package may raise anything.
        raise ModelFileError(_not_whole(path, error)) from error


def _not_whole(path: str | os.PathLike[str], error: Exception) -> str:
    why = str(error) or repr(error)
    why = why if len(why) <= 300 else f"{why[:300]}..."
    return f"{str(path)!r} does not describe a whole model ({why}). Get or save it again."


def _rebuild(arrays: dict[str, NDArray[Any]], stated: ModelInFile, cls: Any, inputs: str) -> AnnotationModel:
    classes, means = np.array(stated["classes"], dtype=str), arrays["means"]
    _require(stated["input"] in ("embedding", inputs), f"the method needs {inputs}, and the model {stated['input']}")
    parts = {name.removeprefix("annotator."): a for name, a in arrays.items() if name.startswith("annotator.")}
    _require(all(a.dtype.kind in "biu" or bool(np.isfinite(a).all()) for a in parts.values()), "an array is not finite")
    trust = None
    # What is far out of range shows in the results.
    with np.errstate(all="ignore"):
        annotator = cls.from_arrays(parts, stated["state"], classes)
        # The arrays must give probabilities for cells of these genes.
        cells = _cells(means, stated["input"])
        proba = np.asarray(annotator.predict_proba(cells))
        _require(proba.shape == (len(cells), len(classes)), "the arrays do not fit the genes and classes")
        _require(bool((np.abs(proba.sum(axis=1) - 1) < 1e-3).all()), "its probabilities do not sum to 1")
        _require(bool((proba >= 0).all()), "some of its probabilities are below 0")
        if stated["trust"] is not None:
            trust = Trust.from_arrays(arrays, stated["trust"])
            trust.check(cells, len(classes))
    if trust is not None and trust.level_powers is not None:
        n_levels = len((stated.get("levels") or {"names": []})["names"])
        _require(len(trust.level_powers) == n_levels - 1, "the calibration of levels does not fit these")
    return AnnotationModel(
        stated["method"],
        classes,
        np.array(stated["counts"], dtype=np.int64),
        _texts(stated["names"]),
        means,
        stated["input"],
        None if stated["panel"] is None else _texts(stated["panel"]),
        stated["provenance"],
        stated["evaluation"],
        annotator,
        trust,
        *restored(stated.get("levels"), classes),
        history=stated.get("history"),
        alignment=_alignment(arrays, stated, annotator),
    )


def _alignment(arrays: dict[str, NDArray[Any]], stated: ModelInFile, annotator: Any) -> Alignment | None:
    if "alignment" not in stated:
        return None
    from sc_annotate.annotation.alignment import Alignment

    _require(capabilities_of(annotator).aligns, "the method cannot be aligned")
    return Alignment(arrays["alignment.class_means"], **stated["alignment"])


def _cells(means: NDArray[np.float32], kind: str) -> NDArray[np.float32]:
    """Cells to try a model on: one of means, one of zeros, and one of values as large as they get."""
    most = {"log": np.full_like(means, 16), "counts": 1000 * (1 + means), "embedding": 10 * means}[kind]
    return np.stack([means, np.zeros_like(means), most.astype(np.float32)])


def _texts(names: dict[str, list[str]]) -> dict[str, NDArray[np.str_]]:
    return {name: np.array(values, dtype=str) for name, values in names.items()}


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)
