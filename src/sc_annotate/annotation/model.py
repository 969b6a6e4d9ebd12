"""A fitted annotation model: what it learned, from what, how well, and how to keep it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core import registry
from sc_annotate._core.capabilities import capabilities_of
from sc_annotate._store import modelfile
from sc_annotate.annotation.held_out import Evaluation
from sc_annotate.annotation.learn_trust import Trust
from sc_annotate.annotation.levels import restored
from sc_annotate.errors import MethodError, ModelFileError, ScAnnotateError

if TYPE_CHECKING:
    import os
    from pathlib import Path

    from numpy.typing import NDArray

    from sc_annotate.trust import Levels


@dataclass(frozen=True, repr=False)
class AnnotationModel:
    """A fitted model; made by :func:`sc_annotate.tl.fit_annotator`, used by :func:`sc_annotate.tl.annotate`.

    Attributes
    ----------
    method
        Name in the registry.
    classes
        Types, strings, sorted.
    counts
        Training cells of each type, int64.
    names
        Names of the model's genes, one array for each list of names that the reference has
        (``"var_names"`` first). For a model of a representation, the names of its dimensions.
    means
        Mean of each gene over the training cells, float32; stands in where a query lacks the gene.
    input
        ``"log"`` (log1p of counts per 10,000), ``"counts"`` or ``"embedding"``.
    panel
        Where the reference had the counts of some genes only: the names of the genes over which cells were
        normalised, to be used for queries too. Else None.
    about
        Plain account: labels, parameters, reference, what was found in it, versions.
    evaluation
        Held-out scores of the method and its baselines, or None.
    annotator
        The fitted annotator.
    trust
        Calibration, prediction sets and familiarity, learned on held-out cells; None where switched off, or where
        there were too few cells.
    levels
        Under which label of each coarser column every type lies, where several columns of labels were learned from; else
        None.
    level_scores
        Held-out accuracy of each level with its 95 % interval, the mean confidence and its calibration error, as columns of
        a table; None for one level, and where nothing was held out.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> model = sca.tl.fit_annotator(sca.datasets.pbmc68k(), "cell_type", method="nearest_centroid", cv=0)
    >>> print(model)  # doctest: +ELLIPSIS
    Annotation model ... (nearest_centroid)
    ...
    """

    method: str
    classes: NDArray[np.str_]
    counts: NDArray[np.int64]
    names: dict[str, NDArray[np.str_]]
    means: NDArray[np.float32]
    input: str
    panel: dict[str, NDArray[np.str_]] | None
    about: dict[str, Any]
    evaluation: Evaluation | None
    annotator: Any
    trust: Trust | None
    levels: Levels | None = None
    level_scores: dict[str, list[Any]] | None = None

    @cached_property
    def id(self) -> str:
        """Ten characters that change with the classes, the genes, the parameters or the fitted numbers."""
        digest = hashlib.sha256()
        for text in (
            self.method,
            *self.classes,
            *self.names["var_names"],
            json.dumps(self.about["params"], sort_keys=True),
        ):
            digest.update(text.encode() + b"\0")
        if self.levels is not None:
            for text in (*self.levels.names, *self.levels.labels.ravel()):
                digest.update(str(text).encode() + b"\0")
        digest.update(self.means.tobytes())
        if not self.saves:
            # What keeps no arrays is told apart by what it says of one cell.
            digest.update(
                np.asarray(
                    self.annotator.predict_proba(np.zeros((1, len(self.means)), np.float32)), np.float32
                ).tobytes()
            )
        for name, array in sorted(self._arrays().items()):
            digest.update(name.encode() + np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()[:10]

    def _arrays(self) -> dict[str, NDArray[Any]]:
        own = self.annotator.to_arrays()[0] if self.saves else {}
        return own | ({} if self.trust is None else self.trust.to_arrays()[0])

    @property
    def saves(self) -> bool:
        """Whether the method's state can be held in arrays, and so in a file."""
        return registry.get("annotation", self.method).saves and capabilities_of(self.annotator).saves

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the model to one ``.safetensors`` file; read it with :func:`sc_annotate.load`.

        The file appears whole or not at all. It holds arrays and a JSON text, and no code.

        Parameters
        ----------
        path
            File name ending in ``.safetensors``. An existing file is replaced.

        Returns
        -------
        The path.

        Raises
        ------
        MethodError
            The method cannot be kept as arrays (``sca.tl.methods()`` says which).
        InputError
            Another ending, or a folder that does not exist.

        Examples
        --------
        >>> import tempfile
        >>> import sc_annotate as sca
        >>> model = sca.tl.fit_annotator(sca.datasets.pbmc68k(), "cell_type", method="nearest_centroid", cv=0)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = model.save(f"{folder}/pbmc.safetensors")
        ...     sca.load(path).id == model.id
        True
        """
        if registry.get("annotation", self.method).saves and not capabilities_of(self.annotator).saves:
            raise MethodError(
                f"the method {self.method!r} has no to_arrays(), so its models cannot be saved. Add to_arrays and "
                "from_arrays to the class, or register it with saves=False."
            )
        if not self.saves:
            raise MethodError(
                f"a {self.method!r} model cannot be kept as plain arrays, and no pickle is ever written. "
                "Fit it again where it is needed, or choose a method with saves=True in `sca.tl.methods()`."
            )
        own, state = self.annotator.to_arrays()
        arrays = {"means": self.means} | {f"annotator.{k}": v for k, v in own.items()}
        trust = None
        if self.trust is not None:
            learned, trust = self.trust.to_arrays()
            arrays |= learned
        meta = {
            "method": self.method,
            "classes": self.classes.tolist(),
            "counts": self.counts.tolist(),
            "names": {k: v.tolist() for k, v in self.names.items()},
            "input": self.input,
            "panel": None if self.panel is None else {k: v.tolist() for k, v in self.panel.items()},
            "about": self.about,
            "evaluation": None if self.evaluation is None else self.evaluation.to_json(),
            "state": state,
            "trust": trust,
        }
        if self.levels is not None:
            meta["levels"] = {
                "names": list(self.levels.names),
                "labels": self.levels.labels.tolist(),
                "scores": self.level_scores,
            }
        return modelfile.save(path, arrays, meta)

    def __repr__(self) -> str:
        return f"AnnotationModel({self.method!r}, {len(self.classes)} types, {len(self.means):,} genes, id={self.id!r})"

    def __str__(self) -> str:
        from sc_annotate.annotation.card import card

        return card(self)


def read(path: str | os.PathLike[str]) -> AnnotationModel:
    """A model file, checked whole; :func:`sc_annotate.tl.load` is what users call."""
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
    _require(ABOUT <= set(meta["about"]), "the account of the fit is not whole")
    _require(all(len(v) == n_genes for v in names.values()), "the lists of gene names differ in length")
    _require(meta["input"] in ("log", "counts", "embedding"), "unknown input")
    _require(isinstance(meta["about"], dict) and isinstance(meta["about"].get("params"), dict), "no account of the fit")
    for name, array in arrays.items():
        _require(array.dtype.kind in "biu" or bool(np.isfinite(array).all()), f"{name} is not finite")
    cls = registry.load(registry.get("annotation", meta["method"]))
    parts = {name.removeprefix("annotator."): a for name, a in arrays.items() if name.startswith("annotator.")}
    annotator = cls.from_arrays(parts, meta["state"], classes)
    # Whatever the arrays claim to be, they must answer for one cell of these genes.
    probe = np.asarray(annotator.predict_proba(means[None, :]))
    _require(probe.shape == (1, len(classes)), "the arrays do not fit the genes and classes")
    _require(bool(np.isfinite(probe).all()) and abs(float(probe.sum()) - 1) < 1e-3, "its probabilities do not sum to 1")
    evaluation = None if meta["evaluation"] is None else Evaluation.from_json(meta["evaluation"])
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
        meta["about"],
        evaluation,
        annotator,
        trust,
        *restored(meta.get("levels"), classes),
    )


ABOUT = {"labels_key", "params", "n_cells", "n_genes", "values", "genes", "notes", "versions"}
"""What the account of a fit has to hold, for the card and for results."""


def _texts(values: Any, what: str) -> NDArray[np.str_]:
    _require(isinstance(values, list) and all(isinstance(v, str) for v in values), f"{what} are not strings")
    return np.array(values, dtype=str)


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)
