"""Fit a model on labelled cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from sc_annotate._core import registry
from sc_annotate._data.lazy import with_tables
from sc_annotate._data.matrix import check_adata
from sc_annotate._data.read import open_input
from sc_annotate._data.request import MatrixRequest
from sc_annotate.annotation.checks import N_TOP_GENES, check_rng
from sc_annotate.annotation.held_out import check_cv
from sc_annotate.annotation.learn import learn
from sc_annotate.annotation.learn_trust import COVERAGE, By, Calibration, Scheme, Score, TrustOptions
from sc_annotate.annotation.training import MAX_CELLS, check_max_cells, labelled_cells, read_training, sample_size

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from anndata import AnnData

    from sc_annotate._data.transform import Stated, Wanted
    from sc_annotate.annotation.model import AnnotationModel


def fit_annotator(
    reference: AnnData,
    labels_key: str | Sequence[str],
    *,
    method: str = "logreg",
    method_kwargs: Mapping[str, Any] | None = None,
    batch_key: str | None = None,
    n_top_genes: int | None = N_TOP_GENES,
    min_cells: int | None = None,
    max_cells: int | None = MAX_CELLS,
    cv: int = 1,
    calibration: Calibration | None = "temperature",
    calibration_scheme: Scheme = "folds",
    set_score: Score = "lac",
    sets_by: By = "marginal",
    coverage: float = COVERAGE,
    layer: str | None = None,
    use_raw: bool | None = None,
    use_rep: str | None = None,
    gene_symbols: str | None = None,
    total_counts_key: str | None = None,
    values: Stated | None = None,
    rng: int = 0,
) -> AnnotationModel:
    """Learn cell types from a labelled reference.

    The values are looked at first: counts are normalised to 10,000 a cell and logged, logarithms of another base
    are converted, scaled data is refused. The reference itself is not changed.

    Parameters
    ----------
    reference
        Labelled cells x genes. Cells without a label are left aside.
    labels_key
        Column of ``reference.obs`` with the types (strings, categories or numbers; taken as strings). Or several, coarse to
        fine, such as ``["lineage", "cell_type"]``: the model learns the last and answers for all, see :doc:`/levels`. Every
        type must lie under one label of each coarser column; a cell that lacks a coarser label takes that of its type.
    method
        A name in :func:`sc_annotate.tl.methods`.
    method_kwargs
        Parameters of the method, by name.
    batch_key
        Column of ``reference.obs`` with batches or donors. Whole batches are then held out for the scores, and genes
        are chosen that vary within batches.
    n_top_genes
        Number of highly variable genes that the method sees; None for all.
    min_cells
        Leave out types with fewer labelled cells. By default none is left out, and a type of one cell is an error.
    max_cells
        Learn from so many cells, drawn at random, with at least 100 of each type as far as there are; None for all. The
        model says so. Held-out scores, confidence and sets are learned from the plain random sample alone. With None and
        a reference in a file or a Dask array, methods that can (``lda``, ``nearest_centroid``, ``naive_bayes``) are fitted
        on all cells block by block, whatever their number; others read them into memory.
    cv
        How the model is scored: 1, one hold-out of about 20 % (whole batches with `batch_key`); k > 1, k folds; 0, not
        at all. ``majority`` and ``logreg`` are scored on the same cells. The model returned is fitted on all cells.
    calibration
        How confidence is made to mean what it says, from reference cells that the model was not fitted on (whole
        batches with `batch_key`): ``"temperature"``, ``"isotonic"`` or ``"venn_abers"``. None: not at all, and without
        prediction sets and unfamiliarity, which come from the same cells.
    calibration_scheme
        ``"folds"``: every reference cell is held out once and the model then fitted on all of them. ``"split"``: a
        fifth of the cells is held out for good, which the guarantee of the sets strictly needs.
    set_score
        Of the prediction sets: ``"lac"``, ``"aps"`` or ``"raps"``.
    sets_by
        ``"marginal"``: the coverage holds over all cells. ``"label"``: for each type with enough cells.
        ``"clustered"``: over groups of types.
    coverage
        Share of sets that should hold the true type.
    layer, use_raw, use_rep
        Which matrix: a layer, ``.raw`` (``use_raw=None``: only where ``X`` is scaled and ``.raw`` is not), or a
        representation in ``obsm`` (then queries need the same one). At most one of them.
    gene_symbols
        Column of ``reference.var`` with other names of the genes, by which a query may be matched too.
    total_counts_key
        Column of ``reference.obs`` with the true total counts, where ``X`` holds counts of some genes only.
    values
        What the matrix holds, where you know it: ``"counts"``, ``"log1p"`` (natural), ``"log2"``, ``"log10"``,
        ``"linear"``. By default it is found out; what contradicts the values is an error.
    rng
        Seed, an integer.

    Returns
    -------
    The model. ``print(model)`` shows its card, ``model.save(path)`` keeps it.

    Raises
    ------
    InputError
        One of its kinds, with the cure: :class:`~sc_annotate.errors.MatrixError`,
        :class:`~sc_annotate.errors.LabelError`, :class:`~sc_annotate.errors.GeneError`,
        :class:`~sc_annotate.errors.MethodError`.

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
    >>> model.level_scores["level"]
    ['lineage', 'cell_type']
    """
    record = registry.get("annotation", method)
    check_rng(rng)
    check_cv(cv)
    check_adata(reference, what="reference")
    reference = with_tables(reference)
    found = open_input(
        reference,
        MatrixRequest(layer=layer, use_raw=use_raw, use_rep=use_rep, gene_symbols=gene_symbols),
        what="reference",
    )
    check_max_cells(max_cells)
    n, stream = sample_size(reference, found, method, max_cells)
    cells = labelled_cells(
        reference,
        labels_key,
        batch_key=batch_key,
        min_cells=min_cells,
        max_cells=n,
        stream=stream,
        rng=rng,
        what="reference",
    )
    training = read_training(
        reference,
        found,
        cells,
        labels_key=cells.labels_key,
        wanted=cast("Wanted", record.inputs),
        stated=values,
        total_counts_key=total_counts_key,
    )
    options = TrustOptions(calibration, calibration_scheme, set_score, sets_by, coverage)
    return learn(
        training,
        method,
        method_kwargs,
        n_top_genes,
        batch_key=batch_key,
        cv=cv,
        max_cells=max_cells,
        options=options,
        rng=rng,
    )
