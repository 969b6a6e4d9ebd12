"""Which cells of a reference are held out: to score methods on, and to learn from when to trust them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from sc_annotate.annotation.learn_trust import N_FOLDS
from sc_annotate.annotators.checks import MANY_TYPES
from sc_annotate.errors import InputError
from sc_annotate.evaluation import grouped, holdout, leave_one_group_out, stratified

if TYPE_CHECKING:
    from sc_annotate.annotation.requests import FitRequest
    from sc_annotate.annotation.training import Training
    from sc_annotate.evaluation import Split


def by_batch(training: Training) -> bool:
    """Whether whole batches can be held out."""
    return training.batch is not None and len(np.unique(training.batch)) > 1


def folds(training: Training, n: int | Literal["batches"], rng: int) -> tuple[list[Split], str]:
    """Folds that together hold out every cell once, whole batches where there are any; and their description."""
    if isinstance(n, str):
        if training.batch is None or not by_batch(training):
            raise InputError(
                "cv='batches' holds out one batch after the other, and all cells to learn from are of one batch. Name "
                "another column (batch_key), or a number of folds."
            )
        splits = leave_one_group_out(training.batch)
        return splits, f"leave-one-batch-out cross-validation, {len(splits):,} batches"
    if training.batch is not None and by_batch(training):
        few = min(n, len(np.unique(training.batch)))
        return grouped(training.y, training.batch, few, rng=rng), f"{few}-fold cross-validation, whole batches held out"
    if n > len(training.y):
        raise InputError(f"cv must be at most the number of cells to learn from, {len(training.y):,}, not {n:,}.")
    return stratified(training.y, n, rng=rng), f"{n}-fold cross-validation, stratified by type"


def one_holdout(training: Training, rng: int) -> tuple[list[Split], str]:
    """About a fifth of the cells, whole batches where there are any; and its description."""
    split = holdout(training.y, groups=training.batch if by_batch(training) else None, rng=rng)
    share = len(split.test) / len(training.y)
    if training.batch is not None and by_batch(training):
        held = ", ".join(np.unique(training.batch[split.test]))
        return [split], f"held out: batch {held} ({share:.0%} of the cells)"
    return [split], f"held out: {share:.0%} of the cells, stratified by type"


def choose_splits(training: Training, cv: int | Literal["batches"], rng: int) -> tuple[list[Split], str]:
    """The splits for ``cv`` (1: one hold-out, or of several batches all), and their description."""
    if cv == 1 and by_batch(training) and training.joint is None:
        # One batch drawn at random says little of the others.
        return folds(training, N_FOLDS, rng)
    return one_holdout(training, rng) if cv == 1 else folds(training, cv, rng)


def trust_splits(training: Training, fit: FitRequest) -> tuple[list[Split], str] | None:
    """On which cells trust is learned: those of each fold in turn, or of one split that the model never sees."""
    if fit.trust.calibration is None:
        return None
    if fit.trust.scheme == "split" or few_splits(training, fit):
        return one_holdout(training, fit.rng)
    return folds(training, fit.cv if fit.cross_validated else N_FOLDS, fit.rng)


def few_splits(training: Training, fit: FitRequest) -> bool:
    """Whether trust is learned on one hold-out in place of folds, as fits of so many types, or beside a query, are expensive."""
    wanted = "scheme" in fit.trust.written or fit.trust.scheme != "folds" or fit.cross_validated
    return not wanted and (training.joint is not None or len(np.unique(training.y)) > MANY_TYPES)
