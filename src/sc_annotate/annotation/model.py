"""A fitted annotation model: what it learned, from what, how well, and how to keep it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core import registry
from sc_annotate._core.codec import to_json
from sc_annotate._core.registry import capabilities_of
from sc_annotate._store import modelfile
from sc_annotate.annotation import model_file
from sc_annotate.errors import InputError, MethodError

if TYPE_CHECKING:
    import os
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

    from sc_annotate.annotation.held_out import Evaluation
    from sc_annotate.annotation.learn_trust import Trust
    from sc_annotate.annotation.training import Provenance
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
        Mean of each gene over the training cells, float32; used where a query lacks the gene.
    input
        ``"log"`` (log1p of counts per 10,000), ``"counts"`` or ``"embedding"``.
    panel
        Where the reference had the counts of some genes only: the names of the genes over which cells were
        normalised, to be used for queries too. Else None.
    provenance
        Labels, parameters, reference, what was found in it, versions.
    evaluation
        Held-out scores of the method and its baselines, or None.
    annotator
        The fitted annotator.
    trust
        Calibration, prediction sets and out-of-distribution scores, learned on held-out cells; None where switched off, or
        where there were too few cells.
    levels
        Under which label of each coarser column every type lies, where several columns of labels were learned from; else
        None.
    level_scores
        Held-out accuracy of each level with its 95 % interval, the mean confidence and its calibration error, as a
        DataFrame; None for one level, and where nothing was held out.

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
    provenance: Provenance
    evaluation: Evaluation | None
    annotator: Any
    trust: Trust | None
    levels: Levels | None = None
    level_scores: pd.DataFrame | None = None

    @cached_property
    def id(self) -> str:
        """Ten characters that change with the classes, the genes, the parameters or the fitted numbers."""
        digest = hashlib.sha256()
        for text in (
            self.method,
            *self.classes,
            *self.names["var_names"],
            json.dumps(self.provenance.params, sort_keys=True),
        ):
            digest.update(text.encode() + b"\0")
        if self.levels is not None:
            for text in (*self.levels.names, *self.levels.labels.ravel()):
                digest.update(str(text).encode() + b"\0")
        digest.update(self.means.tobytes())
        if not self.saves:
            # What keeps no arrays is identified by what it predicts for one cell.
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

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write the model to one ``.safetensors`` file; read it with :func:`sc_annotate.load`.

        The file appears whole or not at all. It holds arrays and a JSON text, and no code.

        Parameters
        ----------
        path
            File name ending in ``.safetensors``. A symbolic link stays, and the file that it names is written.
        overwrite
            Whether an existing file is replaced.

        Returns
        -------
        The path.

        Raises
        ------
        MethodError
            The method cannot be kept as arrays (``sca.tl.methods()`` says which).
        InputError
            Another ending, a folder that does not exist or cannot be written to, a full disk, or a file that exists where
            `overwrite` is not set. Nothing is left behind then, and an existing file is as it was. Or the model holds what
            no file can, such as a label with a zero byte.

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
            "provenance": to_json(self.provenance),
            "evaluation": to_json(self.evaluation),
            "state": state,
            "trust": trust,
        }
        if self.levels is not None:
            meta["levels"] = {
                "names": list(self.levels.names),
                "labels": self.levels.labels.tolist(),
                "scores": to_json(self.level_scores),
            }
        # Nothing is written that could not be read again.
        try:
            model_file.read({"format": modelfile.FORMAT, "format_number": modelfile.FORMAT_NUMBER, **meta}, arrays)
        except ValueError as error:
            raise InputError(
                f"the model cannot be kept in a file: {error}. Rename or leave out what is named."
            ) from error
        return modelfile.save(path, arrays, meta, overwrite=overwrite)

    def __repr__(self) -> str:
        return f"AnnotationModel({self.method!r}, {len(self.classes)} types, {len(self.means):,} genes, id={self.id!r})"

    def __str__(self) -> str:
        from sc_annotate.annotation.card import card

        return card(self)
