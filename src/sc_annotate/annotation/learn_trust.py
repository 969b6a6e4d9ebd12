"""What held-out cells teach about when to trust a model: calibration, prediction sets, out-of-distribution scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.codec import from_json, to_json
from sc_annotate.annotation.trust_report import Held, trust_report
from sc_annotate.errors import InputError
from sc_annotate.trust import Conformal, Familiarity, Groups, Profiles, quality_measures
from sc_annotate.trust.calibration import calibrator_class
from sc_annotate.trust.choice import choose, unit_weights
from sc_annotate.trust.neighbourhood import LEAST
from sc_annotate.trust.options import COVERAGE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from sc_annotate.annotation.requests import FitRequest
    from sc_annotate.evaluation import Predictions
    from sc_annotate.trust import Calibrator, Options
    from sc_annotate.trust.choice import Choice

N_FOLDS = 5
PREFIXES = ("calibration", "sets", "familiarity", "groups", "profiles")


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
    groups: Groups | None = None
    held_out: tuple[NDArray[np.intp], NDArray[np.float32], NDArray[np.intp]] | None = None
    not_kept: str | None = None
    """Why the calibrator that was asked for is not there; right after fitting only."""

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
        calibration = calibrator_class(report["method"]).from_arrays(parts["calibration"], meta["calibration"])
        known = Familiarity.from_arrays(parts["familiarity"], meta["familiarity"]) if "familiarity" in meta else None
        profiles = Profiles.from_arrays(parts["profiles"], meta["profiles"]) if "profiles" in meta else None
        groups = Groups.from_arrays(parts["groups"], meta["groups"]) if "groups" in meta else None
        return cls(calibration, Conformal.from_arrays(parts["sets"], meta["sets"]), known, profiles, report, groups)

    def check(self, cells: NDArray[np.float32], n_classes: int) -> None:
        """Whether the parts work for some cells of a model's genes; an error where they do not."""
        proba = np.vstack([np.full((1, n_classes), 1 / n_classes), np.eye(n_classes)[:2]])
        after = self.calibration.transform(proba)
        self.sets.sets(after, COVERAGE)
        found: list[Any] = [after, self.sets.p_values(proba)]
        if self.familiarity is not None:
            found.append(self.familiarity.score(cells[np.arange(LEAST) % len(cells)]))
            found.append(self.familiarity.p_values(found[-1]))
        if self.groups is not None:
            found.append(self.groups.threshold(0.05))
        if self.profiles is not None:
            found += quality_measures(np.abs(np.rint(cells)), self.profiles).values()
        if not all(np.isfinite(values).all() for values in found):
            raise InputError("what was learned on held-out cells gives no finite numbers. Fit again.")


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
    batches = None if batch is None else batch[own.cells[usable]]
    if batches is None or len(np.unique(batches)) < 2:
        batches = None
    if len(np.unique(fold)) < 2:
        # One hold-out: the model saw none of its cells, so that any partition of them serves to check the parts.
        fold = np.random.default_rng(rng).permutation(len(truth)) % N_FOLDS
    weight = unit_weights(batches, len(truth))
    choice = choose(options.calibration, proba, truth, fold, weight)
    held = Held(own.classes[truth], truth, choice.proba, fold, own.classes, batches, weight)
    sets = held.sets(options, rng)
    report = trust_report(held, proba, choice, sets, options, fit.coverage, rng)
    report["n_left_out"] = int((~usable).sum())
    return Trust(
        calibration=choice.calibrator,
        sets=sets,
        familiarity=_familiarity(X, codes, rng),
        profiles=profiles,
        report=report,
        groups=_groups(X, codes, batch, rng),
        held_out=(own.cells[usable], choice.proba, truth),
        not_kept=_not_kept(options, choice),
    )


def _not_kept(options: Options, choice: Choice) -> str | None:
    """What to say where a calibrator that was named did worse than none."""
    if choice.name != "none" or options.calibration == "auto":
        return None
    return (
        f"calibration={options.calibration!r} was not kept: the log loss of held-out cells is {choice.calibrated:.4f} with it "
        f"and {choice.uncalibrated:.4f} without. calibration='auto' chooses"
    )


def _familiarity(X: Any, codes: NDArray[np.intp], rng: int) -> Familiarity | None:
    """None where the cells are too few, or too much alike, to measure distances among."""
    try:
        # Folds of single cells: whole batches cost much power, and hold the false positive rate on new batches no better.
        return Familiarity().fit(X, codes, rng=rng)
    except InputError:
        return None


def _groups(X: Any, codes: NDArray[np.intp], batch: NDArray[np.str_] | None, rng: int) -> Groups | None:
    """None where too few cells can be held out."""
    try:
        return Groups().fit(X, codes, batch=batch, rng=rng)
    except InputError:
        return None


def missing_in_fold(own: Predictions, truth: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Cells whose type has probability 0 for every cell of their fold, so was not in its training cells."""
    out = np.zeros(len(truth), dtype=bool)
    for f in np.unique(own.fold):
        here = own.fold == f
        absent = own.proba[here].max(axis=0) == 0
        out[here] = absent[truth[here]]
    return out
