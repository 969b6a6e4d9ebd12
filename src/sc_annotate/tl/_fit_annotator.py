"""Fit a model on labelled cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from sc_annotate._core.arguments import default
from sc_annotate._core.docs import documented
from sc_annotate._data.matrix import MatrixRequest
from sc_annotate.annotation.fitting import fit_annotator as fit_model
from sc_annotate.annotation.requests import MAX_CELLS, N_TOP_GENES, FitRequest
from sc_annotate.trust.options import COVERAGE, as_options

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from anndata import AnnData

    from sc_annotate._data.matrix import Stated
    from sc_annotate.annotation.model import AnnotationModel
    from sc_annotate.trust import Options
    from sc_annotate.trust.options import Calibration


@documented()
def fit_annotator(
    reference: AnnData,
    labels_key: str | Sequence[str],
    *,
    method: str = default("logreg"),
    method_kwargs: Mapping[str, Any] | None = default(None),
    batch_key: str | None = default(None),
    n_top_genes: int | None = default(N_TOP_GENES),
    min_cells: int = default(2),
    max_cells: int | None = default(MAX_CELLS),
    cv: int | Literal["batches"] = default(1),
    trust: Options | Calibration | None = default("auto"),
    coverage: float = default(COVERAGE),
    layer: str | None = default(None),
    use_raw: bool | None = default(None),
    use_rep: str | None = default(None),
    gene_symbols: str | None = default(None),
    total_counts_key: str | None = default(None),
    values: Stated | None = default(None),
    rng: int = default(0),
) -> AnnotationModel:
    """Learn cell types from a labelled reference.

    Values are inspected first: counts are normalised to 10,000 per cell and logged, logarithms of another base are
    converted, scaled data is refused. The reference itself is not changed.

    Parameters
    ----------
    reference
        Labelled cells x genes. Cells without a label are left out.
    labels_key
        Column of ``reference.obs`` with the types (strings, categories or numbers; taken as strings). Or several, coarse to
        fine, such as ``["lineage", "cell_type"]``: the model learns the last and predicts all, see :doc:`/levels`. Every
        type must lie under one label of each coarser column; a cell that lacks a coarser label takes that of its type.
    method
        A name in :func:`sc_annotate.tl.methods`.
    %(method_kwargs)s
    batch_key
        Column of ``reference.obs`` with batches or donors. Whole batches are then held out for the scores, and genes
        are chosen that vary within batches.
    %(n_top_genes)s
    %(min_cells)s
    %(max_cells)s
    cv
        How the model is scored: 1, one hold-out of about 20 % (whole batches with `batch_key`); k > 1, k folds;
        ``"batches"``, each batch of `batch_key` in turn; 0, not at all. ``majority`` and ``logreg`` are scored on the same
        cells, for a deep method ``logreg_pca`` too. The model returned is fitted on all cells.
    %(trust)s
        What :func:`annotate` detects in the cells (``false_positive_rate``, ``check_quality``, ``min_overlap``,
        ``min_confidence``) is refused here.
    %(coverage)s
    %(matrix)s
    gene_symbols
        Column of ``reference.var`` with other names of the genes, by which a query may be matched too.
    %(total_counts_key)s
    %(values)s
    %(rng)s

    Returns
    -------
    The model. ``print(model)`` shows its card, ``model.save(path)`` keeps it.

    Raises
    ------
    InputError
        One of its kinds, each saying how to fix it: :class:`~sc_annotate.errors.MatrixError`,
        :class:`~sc_annotate.errors.LabelError`, :class:`~sc_annotate.errors.GeneError`,
        :class:`~sc_annotate.errors.MethodError`. An argument that has no effect beside the others is an error that names
        it.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> model = sca.tl.fit_annotator(sca.datasets.pbmc68k(), "cell_type", method="nearest_centroid")
    >>> model.evaluation.table()["method"].tolist()
    ['nearest_centroid', 'majority', 'logreg']

    Two levels at once:

    >>> reference = sca.datasets.pbmc68k()
    >>> reference.obs["lineage"] = ["T" if "T" in str(t).split("/")[0] else "other" for t in reference.obs["cell_type"]]
    >>> model = sca.tl.fit_annotator(reference, ["lineage", "cell_type"], method="nearest_centroid")
    >>> model.level_scores["level"].tolist()
    ['lineage', 'cell_type']
    """
    fit = FitRequest(
        labels_key=labels_key,
        method=method,
        method_kwargs=method_kwargs,
        batch_key=batch_key,
        n_top_genes=n_top_genes,
        min_cells=min_cells,
        max_cells=max_cells,
        cv=cv,
        trust=as_options(trust),
        coverage=coverage,
        rng=rng,
    )
    matrix = MatrixRequest(
        layer=layer,
        use_raw=use_raw,
        use_rep=use_rep,
        gene_symbols=gene_symbols,
        total_counts_key=total_counts_key,
        values=values,
    )
    return fit_model(reference, fit, matrix)
