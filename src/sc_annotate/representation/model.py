"""A fitted encoder with the genes it was trained on: it maps other cells, and is kept in a file."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sc_annotate._core import registry
from sc_annotate._core.codec import sanitize, to_json
from sc_annotate._core.docs import documented
from sc_annotate._core.registry import capabilities_of
from sc_annotate._core.version import __version__
from sc_annotate._store import modelfile
from sc_annotate.errors import InputError, MethodError

if TYPE_CHECKING:
    import os
    from pathlib import Path

    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

KIND = "encoder"


@dataclass(frozen=True, eq=False)
class EncoderModel:
    """What :func:`sc_annotate.tl.pretrain` returns, and :func:`sc_annotate.load` reads.

    Attributes
    ----------
    objective
        A name in ``sca.tl.methods("encoding")``.
    encoder
        The fitted encoder.
    names
        Names of its genes, one array for each list of names that the first object has (``"var_names"``, ids, symbols).
    means
        Mean log value of each gene over the training cells, float32, shape (genes,); taken where a query lacks the gene.
    params
        Hyperparameters, with their defaults.
    n_cells, n_batches
        Cells and batches trained on; 0 batches: none were named.
    scores
        One row an encoder, itself and principal components: ``rank`` (effective rank), ``sd`` (spread relative to length)
        and, where labels were named, ``macro_f1`` of neighbours' labels and its ``difference`` to principal components, with
        95 % intervals.
    scored
        How, in words.
    verdict
        Whether it is better than principal components, in words.
    history
        Loss by epoch; None of a method without epochs.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> encoder = sca.tl.pretrain(sca.datasets.pbmc68k(), "pca")
    >>> encoder.verdict
    'principal components are the baseline'
    """

    objective: str
    encoder: Any
    names: dict[str, NDArray[np.str_]]
    means: NDArray[np.float32]
    params: dict[str, Any]
    n_cells: int
    n_batches: int
    scores: pd.DataFrame
    scored: str
    verdict: str
    history: pd.DataFrame | None = None

    @property
    def id(self) -> str:
        """Short checksum of what it is: of its arrays and genes."""
        arrays, meta = self.encoder.to_arrays()
        digest = hashlib.sha256(repr([self.objective, sorted(meta), self.names["var_names"].tolist()]).encode())
        for name in sorted(arrays):
            digest.update(arrays[name].tobytes())
        return digest.hexdigest()[:8]

    @documented()
    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write it to a ``.safetensors`` file, which :func:`sc_annotate.load` reads; no pickle is written.

        Parameters
        ----------
        path
            Of the file.
        overwrite
            Whether a file that is there is replaced.

        Returns
        -------
        The path.

        Raises
        ------
        MethodError
            The encoder cannot be kept as arrays.
        InputError
            As :meth:`AnnotationModel.save`.

        Examples
        --------
        >>> import tempfile
        >>> import sc_annotate as sca
        >>> encoder = sca.tl.pretrain(sca.datasets.pbmc68k(), "pca")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     sca.load(encoder.save(f"{folder}/encoder.safetensors")).id == encoder.id
        True
        """
        if not (registry.get("encoding", self.objective).saves and capabilities_of(self.encoder).saves):
            # Encoders have to_arrays by contract; one of another package may say that it cannot.
            raise MethodError(
                f"an encoder {self.objective!r} cannot be kept as plain arrays, and no pickle is written."
            )
        own, state = self.encoder.to_arrays()
        meta = {
            "kind": KIND,
            "objective": self.objective,
            "state": state,
            "names": {kind: names.tolist() for kind, names in self.names.items()},
            "n_cells": self.n_cells,
            "n_batches": self.n_batches,
            "scores": to_json(self.scores),
            "scored": self.scored,
            "verdict": self.verdict,
            "history": None if self.history is None else to_json(self.history),
            "version": __version__,
        }
        arrays = {"means": self.means} | {f"encoder.{name}": array for name, array in own.items()}
        try:
            return modelfile.save(path, arrays, meta, overwrite=overwrite)
        except ValueError as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"the encoder cannot be saved: {error}.") from error

    def to_uns(self) -> dict[str, Any]:
        """What is recorded of it beside the coordinates."""
        found = {
            "objective": self.objective,
            "encoder": self.id,
            "params": {
                name: value for name, value in self.params.items() if value is not None and name != "programmes"
            },
            "genes": self.names["var_names"].astype(object),
            "n_cells": self.n_cells,
            "n_batches": self.n_batches,
            "baseline": self.scores,
            "scored": self.scored,
            "verdict": self.verdict,
            "version": __version__,
        }
        return sanitize(found | ({} if self.history is None else {"history": self.history}), where="uns")

    def __repr__(self) -> str:
        return f"EncoderModel({self.objective!r}, {len(self.means):,} genes, {self.n_cells:,} cells, id={self.id!r})"

    def __str__(self) -> str:
        lines = [
            f"Encoder {self.id} ({self.objective})",
            f"  trained on  {self.n_cells:,} cells"
            + (f" of {self.n_batches:,} batches" if self.n_batches else "")
            + f", {len(self.means):,} genes: {', '.join(self.names['var_names'][:4].tolist())}, ...",
            f"  verdict     {self.verdict}",
            f"  scored      {self.scored}",
        ]
        table = self.scores.round(3).to_string(index=False).splitlines()
        return "\n".join([*lines, *(f"  {line}" for line in table)])
