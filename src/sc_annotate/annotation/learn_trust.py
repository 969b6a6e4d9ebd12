"""What held-out cells teach about when to believe a model: calibration, prediction sets, familiarity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from sc_annotate import metrics
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

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from sc_annotate.evaluation import Predictions
    from sc_annotate.trust import Calibrator

Calibration = Literal["temperature", "isotonic", "venn_abers"]
Scheme = Literal["folds", "split"]
Score = Literal["lac", "aps", "raps"]
By = Literal["marginal", "label", "clustered"]

COVERAGE = 0.9
FALSE_ALARMS = 0.05
LEVELS = (0.8, 0.9, 0.95)
"""Coverages at which the sets of a model are checked, besides the one asked for."""

N_FOLDS = 5
PREFIXES = ("calibration", "sets", "familiarity", "profiles")


@dataclass(frozen=True)
class TrustOptions:
    """How trust is learned."""

    calibration: Calibration | None = "temperature"
    scheme: Scheme = "folds"
    score: Score = "lac"
    by: By = "marginal"
    coverage: float = COVERAGE

    def params(self) -> dict[str, Any]:
        """Under the names that users write."""
        return {
            "calibration": self.calibration,
            "calibration_scheme": self.scheme,
            "set_score": self.score,
            "sets_by": self.by,
        }

    def check(self) -> None:
        """Refuse what is none of the choices."""
        if self.calibration is not None and self.calibration not in CALIBRATORS:
            raise InputError(f"there is no calibration {self.calibration!r}; choose {', '.join(CALIBRATORS)}, or None.")
        for name, value, choices in (
            ("calibration_scheme", self.scheme, get_args(Scheme)),
            ("set_score", self.score, get_args(Score)),
            ("sets_by", self.by, get_args(By)),
        ):
            if value not in choices:
                raise InputError(f"{name} must be one of {', '.join(choices)}, not {value!r}.")
        check_share(self.coverage, "coverage")


def check_share(value: Any, name: str) -> None:
    """Refuse what is no number between 0 and 1."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1:
        raise InputError(f"{name} must be a number between 0 and 1, both excluded, not {value!r}.")


@dataclass(frozen=True)
class Trust:
    """A fitted calibrator, prediction sets, familiarity and profiles of the types, with a plain report of how well they do.

    ``report`` holds only what JSON and ``uns`` can hold: the scheme, the scores before and after calibration, and the
    coverage of the sets at several levels, overall, by type and by batch, all on cells that the parts were not fitted
    on. ``held_out`` (which cells, their calibrated probabilities, their types) is there right after fitting only.
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
        meta: dict[str, Any] = {"report": self.report}
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
        report = dict(meta["report"])
        calibration = CALIBRATORS[report["method"]].from_arrays(parts["calibration"], meta["calibration"])
        known = Familiarity.from_arrays(parts["familiarity"], meta["familiarity"]) if "familiarity" in meta else None
        profiles = Profiles.from_arrays(parts["profiles"], meta["profiles"]) if "profiles" in meta else None
        return cls(calibration, Conformal.from_arrays(parts["sets"], meta["sets"]), known, profiles, report)

    def check(self, cell: NDArray[np.float32], n_classes: int) -> None:
        """Whether the parts answer for one cell of a model's genes; an InputError where they do not."""
        proba = self.calibration.transform(np.full((1, n_classes), 1 / n_classes))
        self.sets.sets(proba, COVERAGE)
        if self.familiarity is not None:
            self.familiarity.p_values(self.familiarity.score(np.tile(cell, (LEAST, 1))))
        if self.profiles is not None:
            quality_measures(np.abs(cell[None, :]), self.profiles)


def learn_trust(
    own: Predictions,
    X: Any,
    codes: NDArray[np.intp],
    batch: NDArray[np.str_] | None,
    options: TrustOptions,
    *,
    profiles: Profiles | None = None,
    rng: int,
) -> Trust | None:
    """Learn from held-out predictions `own`; `X` and `codes` are the training cells of the model, for familiarity.

    None where too few cells are left to learn from.
    """
    if options.calibration is None:
        return None
    truth = np.searchsorted(own.classes, own.y)
    # A type that a training fold lacked could not be called there: such cells say nothing about the final model.
    usable = ~_missing_in_fold(own, truth)
    proba, truth, fold = own.proba[usable], truth[usable], own.fold[usable]
    if len(truth) < 2 * len(own.classes):
        return None
    if len(np.unique(fold)) < 2:
        # One hold-out: the model saw none of its cells, so that any partition of them serves to check the parts.
        fold = np.random.default_rng(rng).permutation(len(truth)) % N_FOLDS
    name = options.calibration
    after = cross_fit(lambda: make_calibrator(name), proba, truth, fold)
    y = own.classes[truth]
    held_batch = None if batch is None else batch[own.cells[usable]]
    report = {
        "method": name,
        "scheme": options.scheme,
        "scheme_in_words": _SCHEMES[options.scheme],
        "n_cells": len(truth),
        "n_left_out": int((~usable).sum()),
        "scores": _scores(y, proba, after, own.classes, rng),
        "reliability": {
            "uncalibrated": _lists(metrics.reliability(y, proba, own.classes)),
            "calibrated": _lists(metrics.reliability(y, after, own.classes)),
        },
        "risk_coverage": _risk(y, after, own.classes),
        "sets": _sets(y, truth, after, fold, own.classes, held_batch, options, rng),
    }
    return Trust(
        calibration=make_calibrator(name).fit(proba, truth),
        # Each cell's score comes from a calibrator that did not see the cell.
        sets=Conformal().fit(after, truth, score=options.score, by=options.by, rng=rng),
        familiarity=_familiarity(X, codes, rng),
        profiles=profiles,
        report=report,
        held_out=(own.cells[usable], after, truth),
    )


def _familiarity(X: Any, codes: NDArray[np.intp], rng: int) -> Familiarity | None:
    """None where the cells are too few, or too much alike, to measure distances among."""
    try:
        # Folds of single cells: whole batches cost much power, and hold false alarms on new batches no better.
        return Familiarity().fit(X, codes, rng=rng)
    except InputError:
        return None


_SCHEMES = {
    "folds": "out-of-fold cells of the reference, the model refitted on all of them: close to the asked coverage on "
    "cells like these, without a strict guarantee",
    "split": "a fifth of the reference that the model never saw: the coverage is guaranteed on average for cells drawn "
    "like these",
}


def _missing_in_fold(own: Predictions, truth: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Cells whose type has probability 0 for every cell of their fold, so was not in its training cells."""
    out = np.zeros(len(truth), dtype=bool)
    for f in np.unique(own.fold):
        here = own.fold == f
        absent = own.proba[here].max(axis=0) == 0
        out[here] = absent[truth[here]]
    return out


def _risk(y: NDArray[np.str_], proba: NDArray[Any], classes: NDArray[np.str_], most: int = 200) -> dict[str, Any]:
    """The curve at no more than `most` points, and its areas."""
    found = metrics.risk_coverage(y, classes[proba.argmax(axis=1)], proba.max(axis=1))
    n = len(found["coverage"])
    shown = np.unique(np.linspace(0, n - 1, min(n, most)).astype(int))
    return {
        "area": float(found["area"]),
        "excess_area": float(found["excess_area"]),
        "curve": {k: np.asarray(found[k])[shown].tolist() for k in ("coverage", "risk", "threshold")},
    }


def _lists(table: Mapping[str, Any]) -> dict[str, list[Any]]:
    return {key: [_plain(v) for v in np.asarray(values)] for key, values in table.items()}


def _scores(
    y: NDArray[np.str_], before: NDArray[Any], after: NDArray[Any], classes: NDArray[np.str_], rng: int
) -> dict[str, list[Any]]:
    rows = []
    for name, p in (("uncalibrated", before), ("calibrated", after)):
        rows.append(
            {
                "probabilities": name,
                "expected_calibration_error": metrics.expected_calibration_error(y, p, classes),
                "of_a_perfect_model": metrics.expected_calibration_error_floor(p.max(axis=1), rng=rng),
                "log_loss": metrics.log_loss(y, p, classes),
                "brier": metrics.brier(y, p, classes),
            }
        )
    return {key: [row[key] for row in rows] for key in rows[0]}


def _sets(
    y: NDArray[np.str_],
    truth: NDArray[np.intp],
    proba: NDArray[Any],
    fold: NDArray[np.intp],
    classes: NDArray[np.str_],
    batch: NDArray[np.str_] | None,
    options: TrustOptions,
    rng: int,
) -> dict[str, Any]:
    """How often the sets hold the truth, each fold with thresholds from the others."""
    fitted = {
        f: Conformal().fit(proba[fold != f], truth[fold != f], score=options.score, by=options.by, rng=rng)
        for f in np.unique(fold)
    }
    overall: list[dict[str, Any]] = []
    by_type: list[dict[str, Any]] = []
    by_batch: list[dict[str, Any]] = []
    for level in sorted({*LEVELS, float(options.coverage)}):
        sets = np.zeros(proba.shape, dtype=bool)
        for f, conformal in fitted.items():
            sets[fold == f] = conformal.sets(proba[fold == f], level)
        found = metrics.set_coverage(y, sets, classes, batch=batch)
        keys = ("coverage", "low", "high", "n", "mean_size", "singletons", "worst_type", "worst_coverage")
        overall.append({"asked": level} | {k: found[k] for k in keys})
        for rows, table in (
            (by_type, found["by_type"]),
            (by_batch, found.get("by_batch") if batch is not None else None),
        ):
            if table is not None:
                columns = {k: np.asarray(v).tolist() for k, v in table.items()}
                rows += [
                    {"asked": level} | dict(zip(columns, r, strict=True)) for r in zip(*columns.values(), strict=True)
                ]
    few = Conformal().fit(proba, truth, score=options.score, by=options.by, rng=rng).fallback_["marginal"]
    return {
        "score": options.score,
        "by": options.by,
        "overall": _columns(overall),
        "by_type": _columns(by_type),
        "by_batch": _columns(by_batch),
        "types_with_the_common_threshold": [str(classes[i]) for i in few],
    }


def _columns(rows: list[dict[str, Any]]) -> dict[str, list[Any]]:
    return {key: [_plain(row[key]) for row in rows] for key in rows[0]} if rows else {}


def _plain(value: Any) -> Any:
    """As JSON can hold it: no numpy scalar, no NaN."""
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and not np.isfinite(value) else value
