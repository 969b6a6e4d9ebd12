"""Ends of prediction intervals, from the errors on held-out conditions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sc_annotate.evaluation import cv_coverage, cv_plus, error_quantile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from sc_annotate.perturbation.folds import HeldOut


def intervals(
    held: HeldOut,
    label: str,
    truth: NDArray[np.float64],
    targets: Sequence[tuple[str, ...]],
    asked: Sequence[tuple[str, ...]],
    at: NDArray[np.intp],
    values: NDArray[np.float64],
    coverage: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64], dict[str, float]]:
    """Ends of the intervals, and the coverage on held-out conditions, by number of targets."""
    errors = np.abs(held.predicted[label] - truth)
    many: NDArray[np.bool_] = np.array([len(each) > 1 for each in targets])
    usable: NDArray[np.bool_] = np.isfinite(errors).all(axis=1) & (held.fold >= 0)
    lower, upper = np.full((2, *values.shape), np.nan)
    found: dict[str, float] = {}
    for name, kind in (("single", ~many), ("double", many)):
        rows = np.flatnonzero(usable & kind)
        if rows.size > 1:
            share = cv_coverage(errors[rows], held.fold[rows], coverage)
            if np.isfinite(share).all():
                found |= {name: float(share.mean()), f"{name}_worst_tenth": float(np.quantile(share, 0.1))}
    nth = np.cumsum(at < 0) - 1
    widths: dict[tuple[bool, int], NDArray[np.float64]] = {}
    for i, each in enumerate(asked):
        several = len(each) > 1
        rows = np.flatnonzero(usable & (many if several else ~many))
        if not np.isfinite(values[i]).all():
            continue
        lower[i], upper[i] = -np.inf, np.inf
        if not rows.size:
            continue
        if at[i] >= 0 and held.fold[at[i]] >= 0:
            # Its own prediction is by one model; errors of its own fold would know it.
            own = int(held.fold[at[i]])
            if (several, own) not in widths:
                widths[several, own] = error_quantile(errors[rows[held.fold[rows] != own]], coverage)
            lower[i], upper[i] = values[i] - widths[several, own], values[i] + widths[several, own]
        else:
            if at[i] >= 0:
                continue
            says = held.new[:, nth[i]]
            could = np.asarray(np.isfinite(says).all(axis=1))
            rows = rows[could[held.fold[rows]]]
            lower[i], upper[i] = cv_plus(errors[rows], held.fold[rows], np.nan_to_num(says), coverage)
    return lower, upper, found
