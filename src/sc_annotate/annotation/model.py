"""A fitted annotation model: what it learned, from what, how well, and how to keep it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sc_annotate._core import registry
from sc_annotate._core.arguments import default
from sc_annotate._core.codec import to_json
from sc_annotate._core.docs import documented
from sc_annotate._core.registry import capabilities_of
from sc_annotate._data.matrix import MatrixRequest
from sc_annotate._store import modelfile
from sc_annotate._store.slots import DEFAULT_KEY
from sc_annotate.annotation import model_file
from sc_annotate.annotation.fitted import FittedModel
from sc_annotate.annotation.requests import AnnotateRequest, FitRequest, PredictRequest
from sc_annotate.errors import InputError, MethodError
from sc_annotate.trust.options import COVERAGE, as_options

if TYPE_CHECKING:
    import os
    from pathlib import Path

    import pandas as pd
    from anndata import AnnData

    from sc_annotate._data.matrix import Stated
    from sc_annotate.trust import Options
    from sc_annotate.trust.options import Calibration


@dataclass(frozen=True, repr=False)
class AnnotationModel(FittedModel):
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
    history
        Of a deep method: the losses of its training, as a DataFrame with ``network``, ``epoch``, ``loss`` and
        ``held_out_loss``; see :func:`sc_annotate.get.history`. Else None.
    alignment
        Of a linear method: means of its types, and whether aligning it to a query helped on held-out batches. Else None.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> model = sca.tl.fit_annotator(sca.datasets.pbmc68k(), "cell_type", method="nearest_centroid", cv=0)
    >>> print(model)  # doctest: +ELLIPSIS
    Annotation model ... (nearest_centroid)
    ...
    """

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
        if self.alignment is not None:
            kept, alignment = self.alignment.to_arrays()
            arrays |= kept
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
        if self.alignment is not None:
            meta["alignment"] = alignment
        if self.history is not None:
            meta["history"] = to_json(self.history)
        # Nothing is written that could not be read again.
        try:
            model_file.read({"format": modelfile.FORMAT, "format_number": modelfile.FORMAT_NUMBER, **meta}, arrays)
        except ValueError as error:
            raise InputError(f"the model cannot be saved: {error}. Rename or leave out what is named.") from error
        return modelfile.save(path, arrays, meta, overwrite=overwrite)

    @documented()
    def predict(
        self,
        adata: AnnData,
        *,
        trust: Options | Calibration | None = default("auto"),
        coverage: float = default(COVERAGE),
        layer: str | None = default(None),
        use_raw: bool | None = default(None),
        use_rep: str | None = default(None),
        gene_symbols: str | None = default(None),
        total_counts_key: str | None = default(None),
        values: Stated | None = default(None),
        rng: int = default(0),
    ) -> pd.DataFrame:
        """Labels of the cells of `adata` as a table; nothing is written.

        It holds what :func:`sc_annotate.tl.annotate` would store and :func:`sc_annotate.get.annotation` would read. The
        arguments are those of ``annotate``, and are refused for the same reasons.

        Parameters
        ----------
        adata
            Cells x genes; in memory or backed. Not changed.
        trust
            What to detect in the cells: ``false_positive_rate``, ``check_quality`` and ``min_overlap`` of
            :class:`sc_annotate.trust.Options`. The rest was decided when the model was fitted.
        %(coverage)s
        %(matrix)s
        %(gene_symbols)s
        %(total_counts_key)s
        %(values)s
        %(rng)s

        Returns
        -------
        One row a cell, by its name: ``label``, ``confidence`` and ``model``; for a model with calibration ``status``,
        ``set_size`` and ``unfamiliarity``; where there are counts ``low_quality``; and the label and confidence of each
        coarser level.

        Raises
        ------
        InputError
            As :func:`sc_annotate.tl.annotate`.

        Examples
        --------
        >>> import sc_annotate as sca
        >>> adata = sca.datasets.pbmc68k()
        >>> model = sca.tl.fit_annotator(adata[:500].copy(), "cell_type", method="nearest_centroid")
        >>> table = model.predict(adata[500:].copy())
        >>> table.columns.tolist()[:3]
        ['label', 'confidence', 'status']
        """
        from sc_annotate.annotation.predict_table import predicted

        options = as_options(trust)
        request = AnnotateRequest(
            fit=FitRequest(trust=options, coverage=coverage, rng=rng),
            ask=PredictRequest(trust=options, coverage=coverage, store_proba=False, rng=rng),
            matrix=MatrixRequest(
                layer=layer,
                use_raw=use_raw,
                use_rep=use_rep,
                gene_symbols=gene_symbols,
                total_counts_key=total_counts_key,
                values=values,
            ),
            reference_matrix=MatrixRequest(),
            key=DEFAULT_KEY,
        )
        return predicted(adata, self, request)

    def __repr__(self) -> str:
        return f"AnnotationModel({self.method!r}, {len(self.classes)} types, {len(self.means):,} genes, id={self.id!r})"

    def __str__(self) -> str:
        from sc_annotate.annotation.card import card

        return card(self)

    def _repr_html_(self) -> str:
        from sc_annotate.annotation.card import html_card

        return html_card(self)
