"""Predict what perturbations do, and how well that works."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sc_annotate._core.arguments import default
from sc_annotate._core.docs import documented
from sc_annotate._data.matrix import MatrixRequest
from sc_annotate._store.perturbation_slots import DEFAULT_KEY
from sc_annotate.perturbation.predict import predict
from sc_annotate.perturbation.requests import MIN_CELLS, PredictionRequest, ProfilesRequest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from anndata import AnnData

    from sc_annotate._data.matrix import Stated


@documented()
def predict_perturbation(
    adata: AnnData,
    perturbation_key: str = default("perturbation"),
    control: str = default("control"),
    *,
    conditions: Sequence[str] | None = default(None),
    method: str | None = default(None),
    method_kwargs: Mapping[str, Any] | None = default(None),
    baseline: str = default("linear"),
    evaluate: bool = default(True),
    n_folds: int | None = default(None),
    coverage: float = default(0.9),
    n_top: int = default(1000),
    covariate_keys: Sequence[str] = default(()),
    replicate_key: str | None = default(None),
    separator: str | Sequence[str] = default("+"),
    guide_suffix: str | None = default(None),
    layer: str | None = default(None),
    total_counts_key: str | None = default(None),
    values: Stated | None = default(None),
    min_cells: int = default(MIN_CELLS),
    key_added: str = DEFAULT_KEY,
    rng: int = default(0),
) -> None:
    """Predict the mean expression of perturbed cells, with intervals, beside what simple baselines reach.

    Measured conditions are held out and predicted by the method and by ``no_change``, ``mean`` and ``linear`` (for
    combinations: ``additive``); the scores of all are stored with the result, and a sentence says what follows.

    Parameters
    ----------
    adata
        Cells x genes of a screen; or its profiles (:func:`sc_annotate.pp.perturbation_profiles`).
    perturbation_key, control
        Column of ``obs`` with the condition of each cell, and the name of unperturbed cells; for cells only.
    conditions
        What to predict: ``"KLF1"``, ``"KLF1+GATA1"``. Of conditions that were measured, the prediction is by a model that
        had not seen them. None: all measured conditions.
    method
        A name in the registry's ``perturbation`` methods; None: the baseline is the method.
    method_kwargs
        Parameters of the method (without one: of the baseline). Profiles of another screen stand for it (``transfer``:
        ``{"source": profiles}``), the path of a GMT file for its gene sets (``ridge``: ``{"gene_sets": "go_bp.gmt.gz"}``).
        ``perturbation_embedding`` (``linear``, ``knn``) and ``gene_embedding`` (``linear``) are features of targets and of
        genes from another screen or a pretrained model: a DataFrame with names as index, or a pair of an AnnData and the
        key of its ``varm``. With `evaluate`, a source or an embedding that holds what was measured here is refused.
    baseline
        The simple method that `method` is held against.
    evaluate
        Whether to hold conditions out. Without it there are neither scores nor intervals, and `n_folds`, `coverage` and
        `n_top` are errors, as is `baseline` beside a `method`.
    n_folds
        By default every condition is held out alone where there are up to 50, else ten folds are; conditions that share a
        target are held out together. Not with ``method="transfer"`` across contexts, which are held out as a whole.
    coverage
        Share of the genes' true values that the intervals should hold.
    n_top
        Genes highest in control that errors are measured on; log fold changes are measured on all genes.
    covariate_keys
        Columns of ``obs`` with contexts, such as cell line or time. All is done within each combination of theirs, and
        conditions are named ``"KLF1|K562"``; one named ``"KLF1"`` is predicted in every context. With
        ``method="transfer"`` and no source, each context is predicted from the mean changes in the others, and all
        methods are scored so, with the control of a context alone. Profiles must have been made with the same.
    replicate_key, separator, guide_suffix, layer, total_counts_key, values, min_cells
        How cells are averaged: see :func:`sc_annotate.pp.perturbation_profiles`. Profiles record it, so with them these
        are errors.
    key_added
        Name of the result. An earlier result of that name is replaced; anything else of that name is an error.
    %(rng)s

    Returns
    -------
    None. Written to `adata`; read it with :func:`sc_annotate.get.perturbation`:

    ``varm[key_added]`` : float32, genes x conditions
        Predicted mean log-normalised expression; NaN for conditions that the method cannot predict.
    ``varm[f"{key_added}_lower"]``, ``varm[f"{key_added}_upper"]`` : float32
        Ends of the intervals, by the jackknife+ or CV+ over held-out conditions; infinite where there are too few.
    ``varm[f"{key_added}_observed"]`` : float32
        What was measured, where it was.
    ``var[f"{key_added}_control"]`` : float32
        Mean of the control.
    ``varm[f"{key_added}_controls"]`` : float32, genes x contexts
        With `covariate_keys`: the control of each; ``var[f"{key_added}_control"]`` is then their mean.
    ``uns[key_added]`` : dict
        ``conditions``, ``reason`` (why a condition could not be predicted, else empty), ``held_out``, ``method``,
        ``baseline``, ``params``, ``control``, ``coverage`` (what was requested, and the share of genes that the intervals hold on
        held-out conditions: on average, which is near what was requested by construction, and in the tenth of conditions
        where it is lowest), ``single`` and ``double`` (scores of all
        methods on held-out conditions of one and of several targets: :func:`sc_annotate.get.leaderboard`), ``verdict``,
        ``notes``. With `covariate_keys` also ``covariates`` (DataFrame, a row for each context), ``context`` (the row of
        each condition), ``covariate_keys``, and ``context_scores``; ``single`` and ``double`` are then of all contexts
        together, each condition scored among those of its own.

    Raises
    ------
    sc_annotate.errors.InputError
        One of its kinds, which says what to do; `adata` is then as it was.

    References
    ----------
    Ahlmann-Eltze, Huber & Anders 2025, Nature Methods, doi:10.1038/s41592-025-02772-6. Barber et al. 2021, Annals of
    Statistics 49:486.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> screen = sca.datasets.simulate_perturb_seq(2000, 60, 12, 0, rng=0)
    >>> sca.tl.predict_perturbation(screen, conditions=["G50"])
    >>> sca.get.perturbation(screen).shape
    (1, 60)
    """
    how = ProfilesRequest(
        perturbation_key=perturbation_key,
        control=control,
        covariate_keys=covariate_keys,
        replicate_key=replicate_key,
        separator=separator,
        guide_suffix=guide_suffix,
        min_cells=min_cells,
        rng=rng,
    )
    matrix = MatrixRequest(layer=layer, total_counts_key=total_counts_key, values=values)
    request = PredictionRequest(
        conditions=conditions,
        method=method,
        method_kwargs=method_kwargs,
        baseline=baseline,
        evaluate=evaluate,
        n_folds=n_folds,
        coverage=coverage,
        n_top=n_top,
        rng=rng,
    )
    predict(adata, key_added, how, matrix, request)
