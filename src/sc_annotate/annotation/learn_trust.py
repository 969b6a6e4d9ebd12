"""What held-out cells teach about when to trust a model: calibration, prediction sets, out-of-distribution scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate import metrics
from sc_annotate._core.codec import from_json, table, to_json
from sc_annotate.errors import InputError
from sc_annotate.trust import (
    CALIBRATORS,
    Conformal,
    Familiarity,
    Profiles,
    cross_fit,
    make_calibrator,
    quality_measures,
)
from sc_annotate.trust.neighbourhood import LEAST
from sc_annotate.trust.options import COVERAGE

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from numpy.typing import NDArray

    from sc_annotate.annotation.requests import FitRequest
    from sc_annotate.evaluation import Predictions
    from sc_annotate.trust import Calibrator, Options

LEVELS = (0.8, 0.9, 0.95)
"""Coverages at which the sets of a model are checked, besides the requested one."""

N_FOLDS = 5
PREFIXES = ("calibration", "sets", "familiarity", "profiles")


@dataclass(frozen=True)
class Trust:
    """A fitted calibrator, prediction sets, familiarity and profiles of the types, with a report of how well they do.

    ``report`` holds only what JSON and ``uns`` can hold, tables as DataFrames: the scheme, the scores before and after
    calibration, and the coverage of the sets at several levels, overall, by type and by batch, all on cells that the parts
    were not fitted on. ``held_out`` (which cells, their calibrated probabilities, their types) is there right after fitting
    only.
    """

    calibration: Calibrator
    sets: Conformal
    familiarity: Familiarity | None
    profiles: Profiles | None
    report: dict[str, Any]
    held_out: tuple[NDArray[np.intp], NDArray[np.float32], NDArray[np.intp]] | None = None

    def to_arrays(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """All parts, arrays under their part's name."""
        arrays: dict[str, NDArray[Any]] = {}
        meta: dict[str, Any] = {"report": to_json(self.report)}
        for prefix in PREFIXES:
            part = getattr(self, prefix)
            if part is not None:
                own, meta[prefix] = part.to_arrays()
                arrays |= {f"{prefix}.{name}": array for name, array in own.items()}
        return arrays, meta

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], meta: Mapping[str, Any]) -> Trust:
        """Rebuild; what does not fit is an error of the part."""
        parts = {
            prefix: {k.partition(".")[2]: v for k, v in arrays.items() if k.startswith(f"{prefix}.")}
            for prefix in PREFIXES
        }
        report = from_json(meta["report"])
        calibration = CALIBRATORS[report["method"]].from_arrays(parts["calibration"], meta["calibration"])
        known = Familiarity.from_arrays(parts["familiarity"], meta["familiarity"]) if "familiarity" in meta else None
        profiles = Profiles.from_arrays(parts["profiles"], meta["profiles"]) if "profiles" in meta else None
        return cls(calibration, Conformal.from_arrays(parts["sets"], meta["sets"]), known, profiles, report)

    def check(self, cells: NDArray[np.float32], n_classes: int) -> None:
        """Whether the parts work for some cells of a model's genes; an error where they do not."""
        proba = np.vstack([np.full((1, n_classes), 1 / n_classes), np.eye(n_classes)[:2]])
        after = self.calibration.transform(proba)
        self.sets.sets(after, COVERAGE)
        found: list[Any] = [after, self.sets.p_values(proba)]
        if self.familiarity is not None:
            found.append(self.familiarity.score(cells[np.arange(LEAST) % len(cells)]))
            found.append(self.familiarity.p_values(found[-1]))
        if self.profiles is not None:
            found += quality_measures(np.abs(np.rint(cells)), self.profiles).values()
        if not all(np.isfinite(values).all() for values in found):
            raise InputError("what was learned on held-out cells gives no finite numbers. Fit again.")


@dataclass(frozen=True)
class _Held:
    """Calibrated probabilities of held-out cells, each by a calibrator that did not see the cell, and their types."""

    y: NDArray[np.str_]
    truth: NDArray[np.intp]
    proba: NDArray[Any]
    fold: NDArray[np.intp]
    classes: NDArray[np.str_]
    batch: NDArray[np.str_] | None

    def sets(self, options: Options, rng: int, rows: NDArray[np.bool_] | slice = slice(None)) -> Conformal:
        """Prediction sets learned from these cells, or from some of them."""
        return Conformal(options.set_score, options.sets_by).fit(self.proba[rows], self.truth[rows], rng=rng)


def learn_trust(
    own: Predictions,
    X: Any,
    codes: NDArray[np.intp],
    batch: NDArray[np.str_] | None,
    fit: FitRequest,
    *,
    profiles: Profiles | None = None,
) -> Trust | None:
    """Learn from held-out predictions `own`; `X` and `codes` are the training cells of the model, for familiarity.

    None where too few cells are left to learn from.
    """
    options, rng = fit.trust, fit.rng
    if options.calibration is None:
        return None
    truth = np.searchsorted(own.classes, own.y)
    # A type that a training fold lacked could not be predicted there: such cells say nothing about the final model.
    usable = ~missing_in_fold(own, truth)
    proba, truth, fold = own.proba[usable], truth[usable], own.fold[usable]
    if len(truth) < 2 * len(own.classes):
        return None
    if len(np.unique(fold)) < 2:
        # One hold-out: the model saw none of its cells, so that any partition of them serves to check the parts.
        fold = np.random.default_rng(rng).permutation(len(truth)) % N_FOLDS
    name = options.calibration
    after = cross_fit(lambda: make_calibrator(name), proba, truth, fold)
    held = _Held(
        y=own.classes[truth],
        truth=truth,
        proba=after,
        fold=fold,
        classes=own.classes,
        batch=None if batch is None else batch[own.cells[usable]],
    )
    sets = held.sets(options, rng)
    report = {
        "method": name,
        "scheme": options.scheme,
        "scheme_in_words": _SCHEMES[options.scheme],
        "n_cells": len(truth),
        "n_left_out": int((~usable).sum()),
        "scores": _scores(held, proba, rng),
        "reliability": {
            "uncalibrated": table(metrics.reliability(held.y, proba, own.classes)),
            "calibrated": table(metrics.reliability(held.y, after, own.classes)),
        },
        "risk_coverage": _risk(held),
        "sets": _sets(held, sets, options, fit.coverage, rng),
    }
    return Trust(
        calibration=make_calibrator(name).fit(proba, truth),
        sets=sets,
        familiarity=_familiarity(X, codes, rng),
        profiles=profiles,
        report=report,
        held_out=(own.cells[usable], after, truth),
    )


def _familiarity(X: Any, codes: NDArray[np.intp], rng: int) -> Familiarity | None:
    """None where the cells are too few, or too much alike, to measure distances among."""
    try:
        # Folds of single cells: whole batches cost much power, and hold the false positive rate on new batches no better.
        return Familiarity().fit(X, codes, rng=rng)
    except InputError:
        return None


_SCHEMES = {
    "folds": "out-of-fold cells of the reference, the model refitted on all of them: close to the requested coverage "
    "on cells like these, without a strict guarantee",
    "split": "a fifth of the reference that the model never saw: the coverage is guaranteed on average for cells drawn "
    "like these",
}


def missing_in_fold(own: Predictions, truth: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Cells whose type has probability 0 for every cell of their fold, so was not in its training cells."""
    out = np.zeros(len(truth), dtype=bool)
    for f in np.unique(own.fold):
        here = own.fold == f
        absent = own.proba[here].max(axis=0) == 0
        out[here] = absent[truth[here]]
    return out


def _risk(held: _Held, most: int = 200) -> dict[str, Any]:
    """The curve at no more than `most` points, and its areas."""
    found = metrics.risk_coverage(held.y, held.classes[held.proba.argmax(axis=1)], held.proba.max(axis=1))
    n = len(found["coverage"])
    shown = np.unique(np.linspace(0, n - 1, min(n, most)).astype(int))
    return {
        "area": float(found["area"]),
        "excess_area": float(found["excess_area"]),
        "curve": table({k: np.asarray(found[k])[shown] for k in ("coverage", "risk", "threshold")}),
    }


def _scores(held: _Held, before: NDArray[Any], rng: int) -> pd.DataFrame:
    return table(
        [
            {
                "probabilities": name,
                "expected_calibration_error": metrics.expected_calibration_error(held.y, p, held.classes),
                "if_calibrated": metrics.expected_calibration_error_if_calibrated(p.max(axis=1), rng=rng),
                "log_loss": metrics.log_loss(held.y, p, held.classes),
                "brier": metrics.brier(held.y, p, held.classes),
            }
            for name, p in (("uncalibrated", before), ("calibrated", held.proba))
        ]
    )


def _sets(held: _Held, whole: Conformal, options: Options, coverage: float, rng: int) -> dict[str, Any]:
    """How often the sets hold the truth, each fold with thresholds from the others."""
    fitted = {f: held.sets(options, rng, held.fold != f) for f in np.unique(held.fold)}
    overall: list[dict[str, Any]] = []
    groups: dict[str, list[dict[str, Any]]] = {"by_type": [], "by_batch": []}
    for level in sorted({*LEVELS, float(coverage)}):
        sets = np.zeros(held.proba.shape, dtype=bool)
        for f, conformal in fitted.items():
            sets[held.fold == f] = conformal.sets(held.proba[held.fold == f], level)
        found = metrics.set_coverage(held.y, sets, held.classes, batch=held.batch)
        keys = ("coverage", "low", "high", "n", "mean_size", "singletons", "worst_type", "worst_coverage")
        overall.append({"requested": level} | {k: found[k] for k in keys})
        for name, rows in groups.items():
            columns = {k: np.asarray(v).tolist() for k, v in (found.get(name) or {}).items()}
            rows += [
                {"requested": level} | dict(zip(columns, row, strict=True))
                for row in zip(*columns.values(), strict=True)
            ]
    return {
        "score": options.set_score,
        "by": options.sets_by,
        "overall": table(overall),
        "by_type": table(groups["by_type"]),
        "by_batch": table(groups["by_batch"]) if groups["by_batch"] else {},
        "types_with_the_common_threshold": [str(held.classes[i]) for i in whole.fallback_["marginal"]],
    }
