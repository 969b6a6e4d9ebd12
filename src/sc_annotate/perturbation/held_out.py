"""Every predictor on the same held-out conditions, and what follows from that: intervals and scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from sc_annotate._core.settings import track
from sc_annotate.evaluation import condition_folds, cv_coverage, cv_plus, error_quantile, leaderboard
from sc_annotate.perturbation.method import predicted, reasons

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from sc_annotate.evaluation import Leaderboard, Split
    from sc_annotate.perturbation.screen import Context
    from sc_annotate.predictors import Screen

    Makers = Mapping[str, Callable[[], Any]]

LEAVE_ONE_OUT = 50
"""Up to this many conditions each is held out alone; of more, ten folds are."""
LEAST = 4
"""With fewer held-out conditions no interval means anything."""


@dataclass(frozen=True)
class HeldOut:
    """Predictions of the conditions of a screen by models that had not seen them.

    ``predicted`` is conditions x genes by model, the method first; ``fold`` is the fold that a condition
    was held out, -1 where in none. ``new`` are predictions of other conditions by the first model of each fold, folds x
    conditions x genes.
    """

    screen: Screen
    predicted: dict[str, NDArray[np.float64]]
    why_not: dict[str, NDArray[np.str_]]
    fold: NDArray[np.intp]
    new: NDArray[np.float64]

    @property
    def label(self) -> str:
        return next(iter(self.predicted))

    @property
    def several(self) -> NDArray[np.bool_]:
        """Which conditions are combinations."""
        return np.array([len(each) > 1 for each in self.screen.targets], dtype=bool)


@dataclass(frozen=True)
class Ends:
    """Ends of prediction intervals, requested conditions x genes, and the share of true values inside on held-out ones."""

    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    coverage: dict[str, float]

    @classmethod
    def unknown(cls, shape: tuple[int, ...]) -> Ends:
        lower, upper = np.full((2, *shape), np.nan)
        return cls(lower, upper, {})


def positions(screen: Screen, requested: Sequence[tuple[str, ...]]) -> NDArray[np.intp]:
    """Where conditions stand in a screen; -1 of those that were not measured."""
    place = {targets: i for i, targets in enumerate(screen.targets)}
    return np.array([place.get(targets, -1) for targets in requested], dtype=np.intp)


def splits_of(targets: Sequence[tuple[str, ...]], n_folds: int | None, rng: int) -> list[Split]:
    """Folds of the single conditions, then of the combinations; none of what there is only one of."""
    out: list[Split] = []
    kinds: tuple[tuple[Literal["singles", "combinations"], bool], ...] = (("singles", False), ("combinations", True))
    for kind, several in kinds:
        n = sum((len(each) > 1) == several for each in targets)
        if n > 1 and (several or n < len(targets) or n > 2):
            k = min(n, n_folds) if n_folds is not None else n if n <= LEAVE_ONE_OUT else 10
            out += condition_folds(targets, k, rng=rng, kind=kind)
    return out


def hold_out(
    screen: Screen, makers: Makers, new: Sequence[tuple[str, ...]], splits: Sequence[Split], *, rng: int
) -> HeldOut:
    """Fit every model without each fold in turn; all see the same conditions."""
    n, p = screen.mean.shape
    found = {name: np.full((n, p), np.nan) for name in makers}
    why = {name: np.full(n, "", dtype=object) for name in makers}
    fold = np.full(n, -1, dtype=np.intp)
    others = np.full((len(splits), len(new), p), np.nan)
    for k, split in enumerate(track(splits, what="holding out conditions", total=len(splits))):
        held = [screen.targets[i] for i in split.test]
        fold[split.test] = k
        for i, (name, make) in enumerate(makers.items()):
            # Each gets its own: one that works in place must not change what others learn from.
            model = make().fit(screen.select(split.train), rng=rng)
            found[name][split.test] = predicted(model, held, p)
            why[name][split.test] = reasons(model, held, found[name][split.test])
            if i == 0 and new:
                others[k] = predicted(model, new, p)
    return HeldOut(screen, found, {name: values.astype(np.str_) for name, values in why.items()}, fold, others)


def intervals(
    held: HeldOut, requested: Sequence[tuple[str, ...]], values: NDArray[np.float64], coverage: float
) -> Ends:
    """Intervals around `values`, the predictions of the requested conditions, from errors on held-out conditions."""
    errors = np.abs(held.predicted[held.label] - held.screen.mean)
    many = held.several
    usable: NDArray[np.bool_] = np.isfinite(errors).all(axis=1) & (held.fold >= 0)
    ends = Ends.unknown(values.shape)
    for name, kind in (("single", ~many), ("double", many)):
        rows = np.flatnonzero(usable & kind)
        if rows.size > 1:
            share = cv_coverage(errors[rows], held.fold[rows], coverage)
            if np.isfinite(share).all():
                ends.coverage[name] = float(share.mean())
                ends.coverage[f"{name}_worst_tenth"] = float(np.quantile(share, 0.1))
    at = positions(held.screen, requested)
    nth = np.cumsum(at < 0) - 1
    widths: dict[tuple[bool, int], NDArray[np.float64]] = {}
    for i, each in enumerate(requested):
        several = len(each) > 1
        rows = np.flatnonzero(usable & (many if several else ~many))
        if not np.isfinite(values[i]).all():
            continue
        ends.lower[i], ends.upper[i] = -np.inf, np.inf
        if not rows.size:
            continue
        if at[i] >= 0 and held.fold[at[i]] >= 0:
            # Its own prediction is by one model; errors of its own fold would know it.
            own = int(held.fold[at[i]])
            if (several, own) not in widths:
                widths[several, own] = error_quantile(errors[rows[held.fold[rows] != own]], coverage)
            ends.lower[i], ends.upper[i] = values[i] - widths[several, own], values[i] + widths[several, own]
        elif at[i] < 0:
            by_fold = held.new[:, nth[i]]
            could = np.asarray(np.isfinite(by_fold).all(axis=1))
            rows = rows[could[held.fold[rows]]]
            ends.lower[i], ends.upper[i] = cv_plus(errors[rows], held.fold[rows], np.nan_to_num(by_fold), coverage)
    return ends


def baselines(targets: Sequence[tuple[str, ...]], requested: Sequence[tuple[str, ...]], baseline: str) -> list[str]:
    """The methods that stand beside any other."""
    names = [baseline, "no_change", "mean"]
    if any(len(each) == 1 for each in targets):
        names.append("linear")
    if any(len(each) > 1 for each in [*targets, *requested]):
        names.append("additive")
    return list(dict.fromkeys(names))


def scores(held: HeldOut, context: Context, *, n_top: int, rng: int) -> tuple[dict[str, Leaderboard], str]:
    """One leaderboard for conditions of one target and one for combinations, and what follows from them."""
    screen, many = held.screen, held.several
    boards: dict[str, Leaderboard] = {}
    verdicts = []
    for name, kind, beside in (("single", ~many, "linear"), ("double", many, "additive")):
        at = np.flatnonzero(kind & (held.fold >= 0))
        if at.size < LEAST:
            continue
        used = {m: v[at] for m, v in held.predicted.items() if m in (held.label, "no_change", "mean", beside)}
        used |= {m: v[at] for m, v in held.predicted.items() if m not in used and m != "additive"}
        halves = None
        if context.halves is not None:
            halves = (context.halves[0][at], context.halves[1][at], screen.control, screen.control)
        boards[name] = leaderboard(
            screen.mean[at],
            used,
            control=screen.control,
            perturbed_mean=screen.mean.mean(axis=0),
            training_mean=held.predicted["mean"][at],
            targets=[screen.targets[i] for i in at],
            genes=screen.genes,
            reference=[m for m in used if m != held.label],
            # Log fold changes have no gene that is highest in control.
            n_top=None if context.is_lfc else n_top,
            halves=halves,
            rng=rng,
        )
        verdicts.append(
            f"Held-out conditions of {'one target' if name == 'single' else 'several targets'}: {boards[name].verdict}"
        )
    return boards, " ".join(verdicts)
