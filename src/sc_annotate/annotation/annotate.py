"""Name the cells of an AnnData."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._data import gene_match as genes
from sc_annotate._data.lazy import with_tables
from sc_annotate._data.matrix import check_adata
from sc_annotate._store import storage
from sc_annotate._store.slots import DEFAULT_KEY, TOP_K
from sc_annotate.annotation.block import Keep, largest
from sc_annotate.annotation.checks import N_TOP_GENES, check_min_overlap, check_rng, check_several, check_store_proba
from sc_annotate.annotation.consensus import combine, learn_weights, method_result
from sc_annotate.annotation.held_out import check_cv
from sc_annotate.annotation.learn_trust import (
    COVERAGE,
    FALSE_ALARMS,
    By,
    Calibration,
    Scheme,
    Score,
    TrustOptions,
    check_share,
)
from sc_annotate.annotation.levels import add_levels_of_consensus, check_apart, check_free, level_names
from sc_annotate.annotation.named import Asked, named
from sc_annotate.annotation.quality import check_wanted
from sc_annotate.annotation.reference import Options
from sc_annotate.annotation.training import MAX_CELLS, check_max_cells
from sc_annotate.errors import MethodError

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from anndata import AnnData

    from sc_annotate._data.transform import Stated
    from sc_annotate.annotation.model import AnnotationModel


def annotate(
    adata: AnnData,
    reference: AnnData | AnnotationModel | str | os.PathLike[str] | None = None,
    labels_key: str | Sequence[str] | None = None,
    *,
    method: str | Sequence[str] = "logreg",
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
    false_alarms: float | None = FALSE_ALARMS,
    check_quality: bool | None = None,
    layer: str | None = None,
    reference_layer: str | None = None,
    use_raw: bool | None = None,
    use_rep: str | None = None,
    gene_symbols: str | None = None,
    total_counts_key: str | None = None,
    values: Stated | None = None,
    min_overlap: float = genes.MIN_SHARED_FRACTION,
    store_proba: Keep = "all",
    key_added: str = DEFAULT_KEY,
    rng: int = 0,
) -> None:
    """Name the cells of `adata` after a labelled reference.

    The values of both sides are looked at and brought to one scale on the fly: counts are normalised to 10,000 a cell
    and logged, logarithms of another base converted, scaled data refused with the cure. Genes are matched by name,
    else by a column with other names. Nothing of `adata` but the slots below is changed.

    Parameters
    ----------
    adata
        Cells to be named, cells x genes; in memory or backed.
    reference
        Labelled cells; or a fitted model (:func:`fit_annotator`); or the path or https address of a saved one. Without it, the cells of
        `adata` that have a label in `labels_key` name those that have none.
    labels_key
        Column of ``reference.obs`` (of ``adata.obs`` without a reference) with the types. Or several, coarse to fine, such as
        ``["lineage", "cell_type"]``: cells are named at every level, without contradiction, see :doc:`/levels`.
    method
        A name in :func:`sc_annotate.tl.methods`. With a fitted model, the model's own counts. A list of names: each
        result is stored under ``f"{key_added}_{name}"``, and their :func:`consensus` under `key_added`, with weights
        learned on held-out reference cells.
    method_kwargs
        Parameters of the method, by name.
    batch_key
        Column of the reference's ``obs`` with batches or donors; whole ones are held out for the scores.
    n_top_genes
        Number of highly variable genes that the method sees; None for all.
    min_cells
        Leave out types with fewer reference cells. By default none is left out, and a type of one cell is an error.
    max_cells
        Learn from so many reference cells, drawn at random, with at least 100 of each type as far as there are; None for
        all. Held-out scores, confidence and sets are learned from the plain random sample alone.
    cv
        How the model is scored on held-out reference cells, beside ``majority`` and ``logreg``: 1, one hold-out; k > 1,
        k folds; 0, not at all.
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
    false_alarms
        Share of cells of known types that may be called unfamiliar. None: unfamiliar cells are not looked for, which
        takes a fraction of the time.
    check_quality
        Whether cells that look empty, like two cells, or like ambient molecules get the status ``"low_quality"``. None:
        where `adata` has counts, in the matrix that is used or in ``layers["counts"]`` for the same genes; doublets and
        ambient molecules only where the reference has them too. See :func:`sc_annotate.trust.low_quality`.
    layer, use_raw, use_rep
        Which matrix of `adata`: a layer, ``.raw`` (``use_raw=None``: only where ``X`` is scaled and ``.raw`` is not),
        or a representation in ``obsm`` that `adata` and the reference share (name with or without ``X_``).
    reference_layer
        Layer of the reference.
    gene_symbols
        Column of ``var`` (of `adata`, the reference, or both) with other names of the genes.
    total_counts_key
        Column of ``adata.obs`` (and, where it has one, of the reference) with the true total counts of each cell, for
        counts of some genes only.
    values
        What the matrix of `adata` holds, where you know it: ``"counts"``, ``"log1p"``, ``"log2"``, ``"log10"``,
        ``"linear"``. By default it is found out; what contradicts the values is an error.
    min_overlap
        Smallest share of the genes of the smaller side that both must have in common. At least 50 genes are needed
        in any case (90 % of a smaller panel).
    store_proba
        ``"all"``; ``"topk"``, the 10 largest of each cell, as a sparse matrix, for many cells and types; or False to leave
        them out.
    key_added
        Name of the result. An earlier result of the same name is replaced; a foreign column of that name is an error.
    rng
        Seed, an integer; equal seeds give equal results, bit for bit, on one machine.

    Returns
    -------
    None. Written to `adata`:

    ``obs[key_added]`` : categorical
        The call.
    ``obs[f"{key_added}_confidence"]`` : float32
        Calibrated probability of the call; NaN for cells whose label was given.
    ``obs[f"{key_added}_status"]`` : categorical
        ``"confident"``: the prediction set holds the call alone. ``"ambiguous"``: it holds other types too.
        ``"unfamiliar"``: the cell lies farther from the reference than all but `false_alarms` of its held-out cells.
        ``"low_quality"``: it has no value in any of the model's genes, or looks empty, like two cells, or like ambient
        molecules. ``"given"``: it had a label.
    ``obs[f"{key_added}_set_size"]`` : int32
        Number of types in the prediction set; 0 for cells whose label was given.
    ``obs[f"{key_added}_unfamiliarity"]`` : float32
        How unlike the reference the cell is, also by what it shares with cells like it in `adata`: annotate a data set
        as a whole. See :class:`sc_annotate.trust.Familiarity`.
    ``obs[f"{key_added}_low_quality"]`` : categorical
        Why a cell is of low quality: ``"empty"``, ``"doublet"`` or ``"ambient"``, missing for all others. Only where
        quality was checked.
    ``obs[f"{key_added}_model"]`` : categorical
        Short id of the model that named the cell.
    ``obs[f"{key_added}_{level}"]``, ``obs[f"{key_added}_{level}_confidence"]`` : categorical, float32
        For each coarser column of `labels_key`: its call, which is always the one that the type lies under, and its
        probability. With several levels the call of a cell is the type whose labels are right at the most levels in
        expectation; ``uns[key_added]["levels"]`` holds the label of each type at each level, ``["level_scores"]`` the
        held-out accuracy of each level with its 95 % interval.
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
        One of its kinds, with the cure: :class:`~sc_annotate.errors.MatrixError`,
        :class:`~sc_annotate.errors.GeneError`, :class:`~sc_annotate.errors.LabelError`,
        :class:`~sc_annotate.errors.MethodError`, :class:`~sc_annotate.errors.StorageError`,
        :class:`~sc_annotate.errors.ModelFileError`. `adata` is then as it was.
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
    check_adata(adata, what="adata")
    check_rng(rng)
    check_cv(cv)
    check_max_cells(max_cells)
    trust = TrustOptions(calibration, calibration_scheme, set_score, sets_by, coverage)
    trust.check()
    if false_alarms is not None:
        check_share(false_alarms, "false_alarms")
    check_wanted(check_quality)
    coarser = () if labels_key is None else level_names(labels_key)[:-1]
    check_free(adata, key_added, coarser)
    check_store_proba(store_proba)
    check_min_overlap(min_overlap)
    options = Options(
        method if isinstance(method, str) else "",
        method_kwargs,
        batch_key,
        n_top_genes,
        min_cells,
        max_cells,
        cv,
        reference_layer,
        gene_symbols,
        total_counts_key,
        values,
        min_overlap,
        rng,
        trust,
    )
    asked = Asked(None if false_alarms is None else float(false_alarms), check_quality)
    if method == "markers":
        raise MethodError("markers need no reference: use sca.tl.annotate_markers(adata, markers, groupby) instead.")
    target, adata = adata, with_tables(adata)
    if hasattr(reference, "obs") and reference is not None:
        reference = adata if reference is target else with_tables(reference)
    place = {"layer": layer, "use_raw": use_raw, "use_rep": use_rep}
    if isinstance(method, str):
        asked = replace(asked, keep=store_proba)
        results = {key_added: named(adata, reference, labels_key, options, place, key_added, asked).result}
    else:
        names = check_several(method, reference)
        keys = {name: f"{key_added}_{name}" for name in names}
        check_apart([key_added, *keys.values()], coarser)
        for key in keys.values():
            check_free(adata, key, coarser)
        found = {
            key: named(adata, reference, labels_key, replace(options, method=name), place, key, asked)
            for name, key in keys.items()
        }
        results = {key: one.result for key, one in found.items()}
        weights = learn_weights([one.model.trust for one in found.values()])
        methods = [method_result(key, result) for key, result in results.items()]
        results[key_added] = combine(methods, key=key_added, weights=weights)
        levels = next(iter(found.values())).levels
        if levels is not None:
            add_levels_of_consensus(results[key_added], key_added, levels)
    for key, result in results.items():
        if isinstance(result.proba, np.ndarray) and store_proba != "all":
            # A consensus is made from all of them.
            result.proba = largest(result.proba, TOP_K) if store_proba == "topk" else None
            result.uns["proba"] = store_proba or "none"
        storage.write(target, key, result)
