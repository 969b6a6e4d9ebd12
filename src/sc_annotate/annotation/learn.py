"""Score a method on held-out cells, fit it on all of them, and learn when to trust it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from logging import INFO
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from sc_annotate._core.codec import to_json
from sc_annotate._core.registry import capabilities_of, params_of
from sc_annotate._core.settings import say
from sc_annotate.annotation.held_out import Candidate, any_deep, evaluate, held_out
from sc_annotate.annotation.held_out_cells import (
    by_batch,
    choose_splits,
    few_splits,
    trust_splits,
)
from sc_annotate.annotation.learn_trust import N_FOLDS, learn_trust
from sc_annotate.annotation.model import AnnotationModel
from sc_annotate.annotation.requests import with_tree
from sc_annotate.annotation.shallow import LessOfTheCells
from sc_annotate.annotation.streaming import fit_on_full_reference
from sc_annotate.annotation.training import Provenance
from sc_annotate.annotators.checks import MANY_TYPES
from sc_annotate.errors import LabelError
from sc_annotate.trust.options import FITTED

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from sc_annotate.annotation.held_out import Evaluation
    from sc_annotate.annotation.learn_trust import Trust
    from sc_annotate.annotation.requests import FitRequest
    from sc_annotate.annotation.training import Training
    from sc_annotate.annotators.chosen_genes import OnChosenGenes
    from sc_annotate.evaluation import Predictions, Split
    from sc_annotate.trust import Levels


@dataclass
class _HeldOut:
    """What was found out on held-out cells before the final fit."""

    own: Predictions | None = None
    shifts: Any = None
    scored: Predictions | None = None
    evaluation: Evaluation | None = None
    less: LessOfTheCells | None = None
    rows: NDArray[np.intp] = field(default_factory=lambda: np.empty(0, dtype=np.intp))
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    verdicts: list[str] = field(default_factory=list)

    def look(self, model: Any, split: Split) -> None:
        """What else is to be seen of the fitted method of each split."""
        for each in (self.shifts, self.less):
            if each is not None:
                each(model, split)


def learn(training: Training, fit: FitRequest) -> AnnotationModel:
    """Score the method and its baselines on held-out cells, then fit it on all of them."""
    method, params = str(fit.method), dict(fit.method_kwargs or {})
    # Made before any work is done, so that wrong parameters are refused at once.
    Candidate(method, params, None).make()
    params = with_tree(method, params, training.levels)
    embedding = training.input == "embedding"
    candidate = Candidate(method, params, None if embedding else fit.n_top_genes, embedding)
    seen = _hold_out(training, candidate, fit)
    fitted = _fit(training, candidate, fit, seen)
    X = training.X[:, fitted.columns]
    trust = alignment = None
    if capabilities_of(fitted.annotator).aligns:
        from sc_annotate.annotation.learn_alignment import keep_alignment

        alignment, seen.own = keep_alignment(seen.shifts, seen.own, training, fitted, fit)
    if seen.own is not None:
        trust = _learn_trust(training, fitted, X, fit, seen)
    levels = None if training.levels is None else training.levels.at(fitted.classes_)
    if levels is not None and trust is not None:
        trust = trust.with_levels(levels, training.batch)
    level_scores = None
    if seen.scored is not None and training.levels is not None:
        level_scores = scores_of_levels(training, training.levels.at(seen.scored.classes), seen.scored, trust, fit.rng)
    notes = [*training.notes, *seen.notes, *getattr(fitted.annotator, "notes_", ())]
    say([*notes, *seen.verdicts], INFO)
    say(seen.problems)
    full = training.full_reference
    _, counts = np.unique(training.y if full is None else full.codes[full.codes >= 0], return_counts=True)
    return AnnotationModel(
        method=method,
        classes=fitted.classes_.astype(str),
        counts=counts.astype(np.int64),
        names={k: v[fitted.columns] for k, v in training.names.items()},
        means=(np.asarray(X.sum(axis=0, dtype=np.float64)).ravel() / X.shape[0]).astype(np.float32),
        input=training.input,
        panel=training.panel,
        provenance=_provenance(training, fit, fitted.annotator, params, int(counts.sum()), [*seen.problems, *notes]),
        evaluation=seen.evaluation,
        annotator=fitted.annotator,
        trust=trust,
        levels=levels,
        level_scores=level_scores,
        history=_history(fitted.annotator) if capabilities_of(fitted.annotator).deep else None,
        alignment=alignment,
    )


def _history(annotator: Any) -> pd.DataFrame | None:
    """The losses of a deep method's training."""
    from sc_annotate.annotation.history import history_of

    return history_of(annotator)


def _hold_out(training: Training, candidate: Candidate, fit: FitRequest) -> _HeldOut:
    """Scores, and the predictions that trust is learned from; on the same cells where the splits allow."""
    seen = _HeldOut(rows=np.arange(len(training.y)), problems=list(training.problems))
    try:
        learned_on = trust_splits(training, fit)
        if learned_on is not None and training.joint is not None and few_splits(training, fit):
            seen.notes.append(
                f"{candidate.method} is fitted anew for cells that are held out: confidence was learned on one held-out part of "
                f"them, not on {N_FOLDS} folds; cv={N_FOLDS} asks for these"
            )
        elif learned_on is not None and few_splits(training, fit):
            seen.notes.append(
                f"{len(np.unique(training.y)):,} types (more than {MANY_TYPES:,}): confidence was learned on one held-out "
                f"part of the cells, not on {N_FOLDS} folds; cv={N_FOLDS} asks for them"
            )
        if learned_on is not None:
            if fit.trust.align is not None and capabilities_of(candidate.make()).aligns:
                from sc_annotate.annotation.learn_alignment import HeldOutShifts

                seen.shifts = HeldOutShifts(training, fit.trust.align, fit.rng)
            if training.joint is None and not candidate.embedding:
                seen.less = LessOfTheCells(training, fit.rng)
            seen.own = seen.scored = held_out(training, candidate, learned_on[0], fit.rng, seen.look)
        if fit.cv:
            several = None if learned_on is None else len(learned_on[0]) > 1
            # One batch drawn at random says little of the others, all of which are held out to learn trust anyway.
            compared_on = learned_on if several in (fit.cross_validated, by_batch(training)) else None
            splits, words = compared_on or choose_splits(training, fit.cv, fit.rng)
            known = seen.own if compared_on is not None else None
            if training.levels is not None and seen.own is None:
                known = seen.scored = held_out(training, candidate, splits, fit.rng)
            genes = None
            if candidate.embedding:
                from sc_annotate.annotation.embedding import read_genes

                beside = read_genes(training)
                genes, seen.notes = beside.training, [*seen.notes, beside.note]
            seen.evaluation = evaluate(training, candidate, splits, words, rng=fit.rng, own=known, genes=genes)
            seen.problems += seen.evaluation.notes
            whose = candidate.method + (f" on {training.found.source.where}" if candidate.embedding else "")
            seen.verdicts = [f"{whose}: {text}" for text in seen.evaluation.differences["verdict"]]
        elif any_deep(candidate.method):
            seen.notes.append(f"cv=0: whether {candidate.method} is better than logistic regression is not known")
        elif candidate.embedding:
            seen.notes.append(f"cv=0: whether {training.found.source.where} is better than genes is not known")
        if seen.own is not None and fit.trust.scheme == "split" and learned_on is not None:
            seen.rows = learned_on[0][0].train
    except LabelError as error:
        # Too few types are left in a training fold to fit anything; the model itself may still be fitted.
        seen.problems.append(f"nothing could be learned from held-out cells: {error}")
        seen.own = None
    return seen


def _fit(training: Training, candidate: Candidate, fit: FitRequest, seen: _HeldOut) -> OnChosenGenes:
    """The method fitted on all cells that it may see: on the full reference, block by block, where there is one."""
    if training.full_reference is not None and fit.trust.scheme == "folds":
        whole = fit_on_full_reference(candidate.make, candidate.n_top, training.full_reference, training.genes, fit.rng)
        if whole is not None:
            return whole
        seen.problems.append(
            f"{candidate.method} cannot be fitted block by block on so many genes: it learned from the sample alone"
        )
    rows, joint, unlabelled = seen.rows, training.joint, training.unlabelled_for(candidate.method)
    method = candidate.on_chosen_genes()
    return method.fit(
        (training.X if joint is None else joint.X)[rows],
        training.y[rows],
        genes=training.genes,
        batch=None if training.batch is None else training.batch[rows],
        rng=fit.rng,
        **({} if unlabelled is None else unlabelled.passed(method)),
        **({} if joint is None else joint.passed(rows)),
    )


def _learn_trust(training: Training, fitted: OnChosenGenes, X: Any, fit: FitRequest, seen: _HeldOut) -> Trust | None:
    if seen.own is None:
        return None
    codes = np.searchsorted(fitted.classes_, training.y)
    profiles = None
    if training.counts is not None:
        from sc_annotate.annotation.quality import learn_profiles

        profiles = learn_profiles(training.counts, fitted.columns, codes, fit.rng)
    trust = learn_trust(seen.own, X, codes, training.batch, fit, profiles=profiles, less=seen.less)
    if trust is None:
        seen.problems.append("too few held-out cells to calibrate: confidence is the method's own, without sets")
        return None
    if trust.not_kept is not None:
        seen.problems.append(trust.not_kept)
    if trust.familiarity is not None:
        seen.notes += trust.familiarity.space_.notes
    return trust


def _provenance(
    training: Training, fit: FitRequest, annotator: Any, params: dict[str, Any], n_cells: int, notes: list[str]
) -> Provenance:
    chosen = {name: getattr(fit, name) for name in ("batch_key", "n_top_genes", "cv", "max_cells", "rng")}
    trust = {name: getattr(fit.trust, name) for name in FITTED}
    return Provenance(
        labels_key=training.labels_key,
        params=to_json(chosen | trust | {"method_kwargs": _resolved(annotator, params)}),
        n_cells=n_cells,
        n_genes=len(training.genes),
        values=to_json(training.found.values),
        genes=to_json(training.found.genes),
        notes=notes,
        sparse=bool(sparse.issparse(training.X)),
    )


def scores_of_levels(
    training: Training, levels: Levels, held: Predictions, trust: Trust | None, rng: int
) -> pd.DataFrame:
    """Accuracy of the labels of held-out cells at each level: from calibrated probabilities where there are any."""
    from sc_annotate.annotation.levels import score_levels

    if trust is not None and trust.held_out is not None:
        cells, proba, truth = trust.held_out
    else:
        cells, proba, truth = held.cells, held.proba, np.searchsorted(held.classes, held.y)
    batch = None if training.batch is None else training.batch[cells]
    groups = batch if batch is not None and len(np.unique(batch)) > 2 else None
    return score_levels(proba, truth, levels, groups, rng, None if trust is None else trust.level_powers)


def _resolved(annotator: Any, params: dict[str, Any]) -> dict[str, Any]:
    """The method's parameters, with the defaults of methods that state them."""
    stated = params_of(annotator, params)
    tree = stated.get("tree")
    if isinstance(tree, Mapping):
        # Files cannot hold names of types as keys.
        pairs = [(str(name), str(above)) for name, ancestors in tree.items() for above in ancestors]
        stated["tree"] = {"type": [name for name, _ in pairs], "ancestor": [above for _, above in pairs]}
    return stated
