"""Label the cells of an AnnData."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from sc_annotate._core.arguments import default, value_of
from sc_annotate._core.docs import documented
from sc_annotate._data.matrix import MatrixRequest
from sc_annotate._store.slots import DEFAULT_KEY
from sc_annotate.annotation.annotate import annotate as annotate_cells
from sc_annotate.annotation.requests import MAX_CELLS, N_TOP_GENES, AnnotateRequest, FitRequest, PredictRequest
from sc_annotate.trust.options import COVERAGE, as_options

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from anndata import AnnData

    from sc_annotate._data.matrix import Stated
    from sc_annotate.annotation.model import AnnotationModel
    from sc_annotate.annotation.requests import Keep
    from sc_annotate.trust import Options
    from sc_annotate.trust.options import Calibration


@documented()
def annotate(
    adata: AnnData,
    reference: AnnData | AnnotationModel | str | os.PathLike[str] | None = None,
    labels_key: str | Sequence[str] | None = None,
    *,
    method: str | Sequence[str] = default("logreg"),
    method_kwargs: Mapping[str, Any] | None = default(None),
    batch_key: str | None = default(None),
    n_top_genes: int | None = default(N_TOP_GENES),
    min_cells: int = default(2),
    max_cells: int | None = default(MAX_CELLS),
    cv: int | Literal["batches"] = default(1),
    trust: Options | Calibration | None = default("auto"),
    coverage: float = default(COVERAGE),
    layer: str | None = default(None),
    reference_layer: str | None = default(None),
    use_raw: bool | None = default(None),
    use_rep: str | None = default(None),
    gene_symbols: str | None = default(None),
    total_counts_key: str | None = default(None),
    values: Stated | None = default(None),
    vote: str | None = default(None),
    store_proba: Keep = default("all"),
    key_added: str = DEFAULT_KEY,
    rng: int = default(0),
) -> None:
    """Annotate the cells of `adata` using a labelled reference.

    Values are inspected and brought to one scale on the fly: counts are normalised to 10,000 per cell and logged,
    logarithms of another base converted, scaled data refused with a hint what to pass instead. Genes are matched by name,
    else by a column with other names. Nothing of `adata` but the slots below is changed.

    Parameters
    ----------
    adata
        Cells to be annotated, cells x genes; in memory or backed.
    reference
        Labelled cells; or a fitted model (:func:`fit_annotator`); or the path or https address of a saved one; or
        ``"celltypist:NAME"``, a model that CellTypist publishes (:func:`sc_annotate.models.available` lists them). Without it,
        the labelled cells of `adata` (`labels_key`) are the reference for those without a label. With a fitted model, every
        argument that says how to fit one is refused.
    labels_key
        Column of ``reference.obs`` (of ``adata.obs`` without a reference) with the types. Or several, coarse to fine, such
        as ``["lineage", "cell_type"]``: cells are labelled at every level, without contradiction, see :doc:`/levels`.
    method
        A name in :func:`sc_annotate.tl.methods`. A list of names: each result is stored under
        ``f"{key_added}_{name}"``, and their :func:`consensus` under `key_added`, with weights learned on held-out reference
        cells. For marker genes without a reference see :func:`annotate_markers`.
    %(method_kwargs)s
    batch_key
        Column of the reference's ``obs`` with batches or donors; whole ones are held out for the scores.
    %(n_top_genes)s
    %(min_cells)s
    %(max_cells)s
    cv
        How the model is scored on held-out reference cells, beside ``majority`` and ``logreg`` (a deep method also beside
        ``logreg_pca``): 1, one hold-out; k > 1, k folds; ``"batches"``, each batch of `batch_key` in turn; 0, not at all.
    %(trust)s
    %(coverage)s
    %(matrix)s
    reference_layer
        Layer of the reference.
    gene_symbols
        Column of ``var`` (of `adata`, the reference, or both) with other names of the genes. By default customary columns are
        compared too and, where these share too few genes, any text column; ``uns[key]["input"]["matched_by"]`` says which.
    total_counts_key
        Column of ``adata.obs`` (and, where it has one, of the reference) with the true total counts of each cell, for
        counts of some genes only.
    %(values)s
    vote
        ``"leiden"``: the cells are over-clustered, and each cluster votes on one label, as :func:`vote` does with its
        defaults: Leiden communities of nearest neighbours, in principal components of the common-scale values (or in the
        representation), with a resolution of 5 to 30 by the number of cells. Needs the extra ``[leiden]``. Or the name of
        a column of ``adata.obs`` whose groups vote. The labels themselves stay as they are.
    %(store_proba)s
    %(key_added)s
    %(rng)s

    Returns
    -------
    None. Written to `adata`:

    ``obs[key_added]`` : categorical
        The label.
    ``obs[f"{key_added}_confidence"]`` : float32
        Calibrated probability of the label; NaN for cells that were labelled already.
    ``obs[f"{key_added}_status"]`` : categorical
        ``"confident"``: the prediction set holds the label alone. ``"ambiguous"``: it holds other types too.
        ``"unfamiliar"``: out of distribution, farther from the reference than all but a share ``false_positive_rate`` of
        its held-out cells. ``"low_quality"``: the cell has no value in any of the model's genes, or looks empty, like two
        cells, or like ambient RNA. ``"given"``: it was labelled already.
    ``obs[f"{key_added}_set_size"]`` : int32
        Number of types in the prediction set; 0 for cells that were labelled already.
    ``obs[f"{key_added}_unfamiliarity"]`` : float32
        Out-of-distribution score: how far the cell lies from the reference, also by what it shares with similar cells of
        `adata`; so annotate a data set as a whole. See :class:`sc_annotate.trust.Familiarity`.
    ``obs[f"{key_added}_low_quality"]`` : categorical
        Why a cell is of low quality: ``"empty"``, ``"doublet"`` or ``"ambient"``, missing for all others. Only where
        quality was checked.
    ``obs[f"{key_added}_voted"]``, ``obs[f"{key_added}_voted_share"]`` : categorical, float32
        With `vote`: the label of the group, and its share of the cells. ``uns[key_added]["vote"]`` says the rest.
    ``obs[f"{key_added}_clusters"]`` : categorical
        With ``vote="leiden"``: the clusters.
    ``obs[f"{key_added}_model"]`` : categorical
        Short id of the model that labelled the cell.
    ``obs[f"{key_added}_{level}"]``, ``obs[f"{key_added}_{level}_confidence"]`` : categorical, float32
        For each coarser column of `labels_key`: its label, which is always the one that the type lies under, and its
        probability. With several levels a cell gets the type whose labels are right at the most levels in expectation;
        ``uns[key_added]["levels"]`` holds the label of each type at each level, ``["level_scores"]`` the held-out accuracy
        of each level with its 95 % interval.
    ``obsm[f"{key_added}_proba"]`` : float32, cells x types
        Probabilities; read them with :func:`sc_annotate.get.probabilities`.
    ``uns[key_added]`` : dict
        ``schema``, ``method``, ``model``, ``params``, ``classes``, ``input``, ``reference``, ``calibration`` (scores
        before and after, coverage of the sets), ``sets``, ``familiarity``, ``quality``, ``baseline`` (held-out scores of the
        method, ``majority`` and ``logreg``).
    ``uns[f"{key_added}_colors"]`` : list
        The reference's colours of the types, where it has them.

    Raises
    ------
    InputError
        One of its kinds, each saying how to fix it: :class:`~sc_annotate.errors.MatrixError`,
        :class:`~sc_annotate.errors.GeneError`, :class:`~sc_annotate.errors.LabelError`,
        :class:`~sc_annotate.errors.MethodError`, :class:`~sc_annotate.errors.StorageError`,
        :class:`~sc_annotate.errors.ModelFileError`. An argument that has no effect beside the others is an error that
        names it. `adata` is then as it was.
    MissingExtraError
        The method needs a package that is not installed.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> adata = sca.datasets.pbmc68k()
    >>> reference, query = adata[:500].copy(), adata[500:].copy()
    >>> sca.tl.annotate(query, reference, "cell_type", method="nearest_centroid")
    >>> bool((query.obs["annotation"].astype(str) == query.obs["cell_type"].astype(str)).mean() > 0.7)
    True
    """
    options = as_options(trust)
    request = AnnotateRequest(
        fit=FitRequest(
            labels_key=labels_key,
            method=method,
            method_kwargs=method_kwargs,
            batch_key=batch_key,
            n_top_genes=n_top_genes,
            min_cells=min_cells,
            max_cells=max_cells,
            cv=cv,
            trust=options,
            coverage=coverage,
            rng=rng,
        ),
        ask=PredictRequest(trust=options, coverage=coverage, store_proba=store_proba, rng=rng),
        matrix=MatrixRequest(
            layer=layer,
            use_raw=use_raw,
            use_rep=use_rep,
            gene_symbols=gene_symbols,
            total_counts_key=total_counts_key,
            values=values,
        ),
        reference_matrix=MatrixRequest(layer=reference_layer, use_rep=use_rep),
        key=key_added,
        vote=value_of(vote),
    )
    annotate_cells(adata, reference, request)
