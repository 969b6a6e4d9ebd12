"""What held-out cells teach about when to trust a model: calibration, prediction sets, out-of-distribution scores."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.codec import from_json, to_json
from sc_annotate.annotation.applied import Applied
from sc_annotate.annotation.learn_shown import learn_shown
from sc_annotate.annotation.trust_report import ONE_HELD_OUT, Held, trust_report
from sc_annotate.errors import InputError
from sc_annotate.trust import Conformal, Familiarity, Groups, Profiles, quality_measures
from sc_annotate.trust.calibration import calibrator_class
from sc_annotate.trust.choice import choose, unit_weights
from sc_annotate.trust.ladder import Ladder
from sc_annotate.trust.neighbourhood import LEAST
from sc_annotate.trust.options import COVERAGE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from sc_annotate.annotation.requests import FitRequest
    from sc_annotate.annotation.shallow import LessOfTheCells
    from sc_annotate.evaluation import Predictions
    from sc_annotate.trust import Calibrator, Levels, Options
    from sc_annotate.trust.choice import Choice

N_FOLDS = 5
PREFIXES = ("calibration", "sets", "familiarity", "groups", "profiles", "depth", "genes")
ALL_GENES = 0.98
"""A query with at least this share of what is detected in the model's genes is taken to have them all."""


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
    depth: Ladder | None = None
    """Calibration by the number of detected genes, on the axis of ``log1p``."""
    genes: Ladder | None = None
    """Calibration by the share of the model's genes that a query has, on the axis of its logarithm."""
    rates: NDArray[np.float32] | None = None
    """In which share of the training cells each gene of the model is detected."""
    level_powers: NDArray[np.float64] | None = None
    """Of the summed probabilities of each coarser level of a model of several; see :meth:`sc_annotate.trust.Levels.calibrate`."""
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
        if self.rates is not None:
            arrays["shown.rates"] = self.rates
        if self.level_powers is not None:
            arrays["levels.powers"] = self.level_powers
        return arrays, meta

    def with_levels(self, levels: Levels, batch: NDArray[np.str_] | None) -> Trust:
        """The same, the coarser levels calibrated on the held-out cells too."""
        if self.held_out is None:
            return self
        cells, proba, truth = self.held_out
        batches = None if batch is None or not self.report["n_batches"] else batch[cells]
        if batches is None:
            fold = np.arange(len(truth)) % N_FOLDS
        else:
            fold = np.unique(batches, return_inverse=True)[1].astype(np.intp)
        powers = levels.calibrate(proba, truth, fold, unit_weights(batches, len(truth)))
        return replace(self, level_powers=powers)

    def applied(self, present: NDArray[np.bool_]) -> Applied:
        """For a query that has these genes of the model."""

        def part(*values: Any) -> Applied:
            return Applied(self.calibration, self.sets, self.depth, *values)

        if self.rates is None or present.all():
            return part()
        there = float(self.rates[present].sum()) / max(float(self.rates.sum()), 1e-12)
        if there > ALL_GENES:
            return part(1 / there)
        if there <= 0:
            return part(1.0, -np.inf, self.genes)
        return part(1 / there, float(np.log(there)), self.genes)

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], meta: Mapping[str, Any]) -> Trust:
        """Rebuild; what does not fit is an error of the part."""
        parts = {
            prefix: {k.partition(".")[2]: v for k, v in arrays.items() if k.startswith(f"{prefix}.")}
            for prefix in PREFIXES
        }
        report = from_json(meta["report"])
        n_classes = int(np.asarray(arrays["sets.cluster"]).size) if "sets.cluster" in arrays else 0
        ladders = {
            name: Ladder.from_arrays(parts[name], meta[name], n_classes) for name in ("depth", "genes") if name in meta
        }
        rates = arrays.get("shown.rates")
        calibration = calibrator_class(report["method"]).from_arrays(parts["calibration"], meta["calibration"])
        known = Familiarity.from_arrays(parts["familiarity"], meta["familiarity"]) if "familiarity" in meta else None
        profiles = Profiles.from_arrays(parts["profiles"], meta["profiles"]) if "profiles" in meta else None
        groups = Groups.from_arrays(parts["groups"], meta["groups"]) if "groups" in meta else None
        powers = arrays.get("levels.powers")
        if powers is not None and (
            powers.ndim != 1 or powers.dtype != np.float64 or not ((powers > 0) & (powers < 1e6)).all()
        ):
            raise InputError("the stored calibration of levels is damaged. Fit again.")
        sets = Conformal.from_arrays(parts["sets"], meta["sets"])
        depth, genes = ladders.get("depth"), ladders.get("genes")
        return cls(
            calibration,
            sets,
            known,
            profiles,
            report,
            groups,
            depth=depth,
            genes=genes,
            rates=rates,
            level_powers=powers,
        )

    def check(self, cells: NDArray[np.float32], n_classes: int) -> None:
        """Whether the parts work for some cells of a model's genes; an error where they do not."""
        proba = np.vstack([np.full((1, n_classes), 1 / n_classes), np.eye(n_classes)[:2]])
        after = self.calibration.transform(proba)
        self.sets.sets(after, COVERAGE)
        found: list[Any] = [after, self.sets.p_values(proba)]
        for ladder in (self.depth, self.genes):
            if ladder is not None:
                some = np.array([-1.0, 0.0, 50.0])[: len(after)]
                found += [ladder.adjust(after[: len(some)], some), ladder.more(some, COVERAGE, 0.5)]
        if self.rates is not None and (
            self.rates.shape != cells.shape[1:] or not ((self.rates >= 0) & (self.rates <= 1)).all()
        ):
            raise InputError("the rates of detection do not fit the genes. Fit again.")
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
    less: LessOfTheCells | None = None,
) -> Trust | None:
    """Learn from held-out predictions `own`; `X` and `codes` are the training cells of the model, for familiarity.

    `less` has predictions of held-out cells with fewer molecules and genes.

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
    if batches is None and batch is not None and len(np.unique(batch)) > 1:
        report["valid_for"] = ONE_HELD_OUT
    shown, tables = learn_shown(less, own.cells[usable], choice, batches is not None, X, codes, options)
    return Trust(
        calibration=choice.calibrator,
        sets=sets,
        familiarity=_familiarity(X, codes, rng),
        profiles=profiles,
        report=report | tables,
        groups=_groups(X, codes, batch, rng),
        held_out=(own.cells[usable], choice.proba, truth),
        not_kept=_not_kept(options, choice),
        **shown,
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
