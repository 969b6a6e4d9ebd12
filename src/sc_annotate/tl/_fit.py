"""Fit a model on labelled cells."""

from __future__ import annotations

from numbers import Integral
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from scipy import sparse

from sc_annotate._core import registry
from sc_annotate._core.lazy import with_tables
from sc_annotate._core.matrix import check_adata
from sc_annotate._core.progress import logger
from sc_annotate._core.read import open_input
from sc_annotate._core.sanitize import sanitize
from sc_annotate._core.version import __version__
from sc_annotate.annotators._selected import OnVariableGenes
from sc_annotate.errors import InputError, LabelError
from sc_annotate.tl._evaluation import check_cv, choose_splits, evaluate, folds, held_out, one_holdout
from sc_annotate.tl._model import AnnotationModel
from sc_annotate.tl._quality import learn_profiles
from sc_annotate.tl._streaming import fit_on_everything
from sc_annotate.tl._training import MAX_CELLS, check_max_cells, labelled_cells, read_training, sample_size
from sc_annotate.tl._trust import COVERAGE, N_FOLDS, By, Calibration, Scheme, Score, TrustOptions, learn_trust

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anndata import AnnData

    from sc_annotate._core.transform import Stated, Wanted
    from sc_annotate.evaluation import Split
    from sc_annotate.tl._training import Training

N_TOP_GENES = 2000


def fit_annotator(
    reference: AnnData,
    labels_key: str,
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
        Column of ``reference.obs`` with the types (strings, categories or numbers; taken as strings).
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
    """
    record = registry.get("annotation", method)
    check_rng(rng)
    check_cv(cv)
    check_adata(reference, what="reference")
    reference = with_tables(reference)
    found = open_input(
        reference, layer=layer, use_raw=use_raw, use_rep=use_rep, gene_symbols=gene_symbols, what="reference"
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
        labels_key=labels_key,
        wanted=cast("Wanted", record.input),
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


def check_rng(rng: Any) -> None:
    if isinstance(rng, bool) or not isinstance(rng, int | np.integer) or not 0 <= int(rng) < 2**32:
        raise InputError(f"rng must be an integer from 0 to 2**32 - 1, not {rng!r}.")


def check_n_top_genes(n_top_genes: Any) -> None:
    if n_top_genes is not None and (
        isinstance(n_top_genes, bool) or not isinstance(n_top_genes, Integral) or n_top_genes < 2
    ):
        raise InputError(f"n_top_genes must be None or a whole number of at least 2, not {n_top_genes!r}.")


def learn(
    training: Training,
    method: str,
    method_kwargs: Mapping[str, Any] | None,
    n_top_genes: int | None,
    *,
    batch_key: str | None,
    cv: int,
    max_cells: int | None,
    options: TrustOptions,
    rng: int,
) -> AnnotationModel:
    """Score the method and its baselines on held-out cells, then fit it on all of them."""
    check_n_top_genes(n_top_genes)
    if method_kwargs is not None and not hasattr(method_kwargs, "keys"):
        raise InputError(f"method_kwargs must be a dict of parameters, not {method_kwargs!r}.")
    params = dict(method_kwargs or {})
    registry.make("annotation", method, params)  # refuses wrong parameters before any work is done
    options.check()
    n_top = None if training.input == "embedding" else n_top_genes
    problems = list(training.problems)
    own, evaluation, trust = None, None, None
    rows = np.arange(len(training.y))
    try:
        learned_on = trust_splits(training, options, cv, rng)
        if learned_on is not None:
            own = held_out(training, method, params, n_top, learned_on[0], rng)
        if cv:
            compared_on = learned_on if learned_on is not None and (cv > 1) == (len(learned_on[0]) > 1) else None
            splits, words = compared_on or choose_splits(training, cv, rng)
            known = own if compared_on is not None else None
            evaluation = evaluate(training, method, params, n_top, splits, words, rng=rng, own=known)
            problems += evaluation.notes
        if own is not None and options.scheme == "split" and learned_on is not None:
            rows = learned_on[0][0].train
    except LabelError as error:
        # Too few types are left in a training fold to fit anything; the model itself may still be fitted.
        problems.append(f"nothing could be learned from held-out cells: {error}")
        own = None
    fitted = OnVariableGenes(lambda: registry.make("annotation", method, params), n_top).fit(
        training.X[rows],
        training.y[rows],
        genes=training.genes,
        batch=None if training.batch is None else training.batch[rows],
        rng=rng,
    )
    if training.everything is not None and options.scheme == "folds":
        whole = fit_on_everything(
            lambda: registry.make("annotation", method, params), n_top, training.everything, training.genes
        )
        if whole is None:
            problems.append(
                f"{method} cannot be fitted block by block on so many genes: it learned from the sample alone"
            )
        fitted = whole or fitted
    X = training.X[:, fitted.columns]
    if own is not None:
        codes = np.searchsorted(fitted.classes_, training.y)
        profiles = learn_profiles(training, fitted.columns, codes, rng)
        trust = learn_trust(own, X, codes, training.batch, options, profiles=profiles, rng=rng)
        if trust is None and options.calibration is not None:
            problems.append("too few held-out cells to calibrate: confidence is the method's own, without sets")
    for note in training.notes:
        logger.info(note)
    for problem in problems:
        logger.warning(problem)
    every = training.everything
    _, counts = np.unique(training.y if every is None else every.codes[every.codes >= 0], return_counts=True)
    return AnnotationModel(
        method=method,
        classes=fitted.classes_.astype(str),
        counts=counts.astype(np.int64),
        names={k: v[fitted.columns] for k, v in training.names.items()},
        means=(np.asarray(X.sum(axis=0, dtype=np.float64)).ravel() / X.shape[0]).astype(np.float32),
        input=training.input,
        panel=training.panel,
        about={
            "labels_key": training.labels_key,
            "params": plain(
                sanitize(
                    {
                        "batch_key": batch_key,
                        "n_top_genes": n_top_genes,
                        "cv": cv,
                        "max_cells": max_cells,
                        "rng": int(rng),
                    }
                    | options.params()
                )
            )
            | {"method_kwargs": plain(sanitize(_resolved(fitted.annotator, params), where="method_kwargs"))},
            "n_cells": int(counts.sum()),
            "n_genes": len(training.genes),
            "sparse": bool(sparse.issparse(training.X)),
            "values": training.found.values.to_dict(),
            "genes": None if training.found.genes is None else training.found.genes.to_dict(),
            "notes": [*problems, *training.notes],
            "versions": versions(),
        },
        evaluation=evaluation,
        annotator=fitted.annotator,
        trust=trust,
    )


def trust_splits(training: Training, options: TrustOptions, cv: int, rng: int) -> tuple[list[Split], str] | None:
    """On which cells trust is learned: those of each fold in turn, or of one split that the model never sees."""
    if options.calibration is None:
        return None
    if options.scheme == "split":
        return one_holdout(training, rng)
    return folds(training, cv if cv > 1 else N_FOLDS, rng)


def _resolved(annotator: Any, params: dict[str, Any]) -> dict[str, Any]:
    """The method's parameters, defaults included where it tells them."""
    return annotator.params() if callable(getattr(annotator, "params", None)) else params


def plain(value: Any) -> Any:
    """Arrays as lists, for JSON."""
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    return value.tolist() if isinstance(value, np.ndarray) else value


def versions() -> dict[str, str]:
    """Versions of what decides about the numbers."""
    import platform
    from importlib.metadata import version

    packages = ("numpy", "scipy", "scikit-learn", "scanpy", "anndata")
    return {"sc_annotate": __version__, "python": platform.python_version()} | {p: version(p) for p in packages}
