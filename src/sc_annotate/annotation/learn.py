"""Score a method on held-out cells, fit it on all of them, and learn when to believe it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from sc_annotate._core import registry
from sc_annotate._core.capabilities import capabilities_of, params_of
from sc_annotate._core.codec import sanitize
from sc_annotate._core.progress import logger
from sc_annotate._core.version import __version__
from sc_annotate.annotation.checks import check_n_top_genes
from sc_annotate.annotation.held_out import choose_splits, evaluate, folds, held_out, one_holdout
from sc_annotate.annotation.learn_trust import N_FOLDS, TrustOptions, learn_trust
from sc_annotate.annotation.levels import score_levels
from sc_annotate.annotation.model import AnnotationModel
from sc_annotate.annotation.quality import learn_profiles
from sc_annotate.annotation.streaming import fit_on_full_reference
from sc_annotate.annotators.on_variable_genes import OnVariableGenes
from sc_annotate.errors import InputError, LabelError, MethodError

if TYPE_CHECKING:
    from sc_annotate.annotation.learn_trust import Trust
    from sc_annotate.annotation.training import Training
    from sc_annotate.evaluation import Predictions, Split
    from sc_annotate.trust import Levels


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
    # Made before any work is done, so that wrong parameters are refused at once.
    if capabilities_of(registry.make("annotation", method, params)).transductive:
        raise MethodError(
            f"{method!r} is transductive: it has to see the query when it is fitted, so there is no model to fit in advance."
        )
    params = with_tree(method, params, training.levels)
    options.check()
    n_top = None if training.input == "embedding" else n_top_genes
    problems = list(training.problems)
    own, scored, evaluation, trust = None, None, None, None
    rows = np.arange(len(training.y))
    try:
        learned_on = trust_splits(training, options, cv, rng)
        if learned_on is not None:
            own = scored = held_out(training, method, params, n_top, learned_on[0], rng)
        if cv:
            compared_on = learned_on if learned_on is not None and (cv > 1) == (len(learned_on[0]) > 1) else None
            splits, words = compared_on or choose_splits(training, cv, rng)
            known = own if compared_on is not None else None
            if training.levels is not None and own is None:
                known = scored = held_out(training, method, params, n_top, splits, rng)
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
    if training.full_reference is not None and options.scheme == "folds":
        whole = fit_on_full_reference(
            lambda: registry.make("annotation", method, params), n_top, training.full_reference, training.genes
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
    levels = None if training.levels is None else training.levels.at(fitted.classes_)
    level_scores = None if scored is None else scores_of_levels(training, scored, trust, rng)
    for note in training.notes:
        logger.info(note)
    for problem in problems:
        logger.warning(problem)
    every = training.full_reference
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
        levels=levels,
        level_scores=level_scores,
    )


def scores_of_levels(
    training: Training, held: Predictions, trust: Trust | None, rng: int
) -> dict[str, list[Any]] | None:
    """How the calls of held-out cells do at each level: from calibrated probabilities where there are any."""
    if training.levels is None:
        return None
    levels = training.levels.at(held.classes)
    if trust is not None and trust.held_out is not None:
        cells, proba, truth = trust.held_out
    else:
        cells, proba, truth = held.cells, held.proba, np.searchsorted(held.classes, held.y)
    batch = None if training.batch is None else training.batch[cells]
    groups = batch if batch is not None and len(np.unique(batch)) > 2 else None
    return score_levels(proba, truth, levels, groups, rng)


def with_tree(method: str, params: dict[str, Any], levels: Levels | None) -> dict[str, Any]:
    """The method's parameters, with the tree of the levels in place of the word."""
    if not isinstance(params.get("tree"), str):
        return params
    if params["tree"] != "levels" or levels is None:
        raise MethodError(
            f"{method}: tree={params['tree']!r} is no tree. Pass a dict of types with their ancestors; or 'levels', and name "
            "several columns of labels, coarse to fine (labels_key)."
        )
    return params | {"tree": levels.tree()}


def trust_splits(training: Training, options: TrustOptions, cv: int, rng: int) -> tuple[list[Split], str] | None:
    """On which cells trust is learned: those of each fold in turn, or of one split that the model never sees."""
    if options.calibration is None:
        return None
    if options.scheme == "split":
        return one_holdout(training, rng)
    return folds(training, cv if cv > 1 else N_FOLDS, rng)


def _resolved(annotator: Any, params: dict[str, Any]) -> dict[str, Any]:
    """The method's parameters, defaults included where it tells them."""
    told = params_of(annotator, params)
    tree = told.get("tree")
    if isinstance(tree, Mapping):
        # Files cannot hold names of types as keys.
        pairs = [(str(name), str(above)) for name, ancestors in tree.items() for above in ancestors]
        told["tree"] = {"type": [name for name, _ in pairs], "ancestor": [above for _, above in pairs]}
    return told


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
