"""Held-out scores of a consensus, on the cells that its methods were scored on."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from sc_annotate.annotation.held_out import Scored, any_deep, evaluation_of
from sc_annotate.annotation.learn_trust import N_FOLDS, missing_in_fold
from sc_annotate.trust import consensus, cross_fit, make_calibrator, pool_weights

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from sc_annotate.annotation.held_out import Evaluation
    from sc_annotate.annotation.model import AnnotationModel
    from sc_annotate.evaluation import Predictions

CONSENSUS = "consensus"


def score_consensus(models: Sequence[AnnotationModel], rng: int) -> Evaluation | None:
    """Scores of the average of some methods beside their own; None where they were not scored on the same cells.

    The average is made as for new cells. What it learns, how to calibrate and to weigh its methods, it learns for the
    cells of each fold on those of all others, so that no cell has a say in its own prediction.
    """
    methods = [model.method for model in models]
    scored = [
        model.evaluation.found[model.method]
        for model in models
        if model.evaluation is not None and model.method in model.evaluation.found
    ]
    if len(scored) < len(models):
        return None
    own = [each.predictions[name] for each, name in zip(scored, methods, strict=True)]
    first = own[0]
    if not all(np.array_equal(p.cells, first.cells) and np.array_equal(p.classes, first.classes) for p in own[1:]):
        return None
    names = [None if model.trust is None else str(model.trust.report["method"]) for model in models]
    averaged = _averaged(own, [name for name in names if name is not None], rng)
    predictions = {CONSENSUS: averaged, **dict(zip(methods, own, strict=True))}
    for each in scored:
        predictions |= {name: p for name, p in each.predictions.items() if name not in predictions}
    evaluation = models[0].evaluation
    return evaluation_of(
        CONSENSUS,
        Scored(predictions, scored[0].cells, scored[0].groups, scored[0].batches),
        evaluation.split.partition("; mean over ")[0] if evaluation is not None else "",
        rng,
        deep=any_deep(*methods),
    )


def _averaged(own: Sequence[Predictions], calibrations: Sequence[str], rng: int) -> Predictions:
    """Held-out predictions of the average; of equal weights where the methods are not calibrated, as for new cells."""
    first = own[0]
    truth = np.searchsorted(first.classes, first.y)
    usable = ~np.any([missing_in_fold(p, truth) for p in own], axis=0)
    fold = first.fold
    if len(np.unique(fold)) < 2:
        # One hold-out: the methods saw none of its cells, so that any partition of them will do.
        fold = np.random.default_rng(rng).permutation(len(truth)) % N_FOLDS
    probas: list[NDArray[np.floating]] = [p.proba for p in own]
    out = np.empty(first.proba.shape, dtype=np.float32)
    if len(calibrations) < len(own) or usable.sum() < 2 * len(first.classes) or len(np.unique(fold[usable])) < 3:
        out = _average(probas, first.classes, None)
    else:
        for f in np.unique(fold):
            here, others = fold == f, (fold != f) & usable
            learned = [
                cross_fit(partial(make_calibrator, c), p[others], truth[others], fold[others])
                for p, c in zip(probas, calibrations, strict=True)
            ]
            weights = pool_weights(learned, truth[others])
            after = [
                make_calibrator(c).fit(p[others], truth[others]).transform(p[here])
                for p, c in zip(probas, calibrations, strict=True)
            ]
            out[here] = _average(after, first.classes, weights)
    return replace(first, proba=out, seconds_fit=0.0, seconds_predict=0.0)


def _average(
    probas: Sequence[NDArray[np.floating]], classes: NDArray[np.str_], weights: NDArray[np.float64] | None
) -> NDArray[np.float32]:
    return consensus(probas, [classes] * len(probas), weights=weights).proba
