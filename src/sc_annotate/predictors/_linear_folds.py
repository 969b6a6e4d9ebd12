"""Errors and predictions of the linear model without one condition, for each condition in turn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from sc_annotate.predictors._double_ridge import DoubleRidge

    Setting = tuple[int, float]

COMPONENTS = (1, 2, 3, 5, 10, 20, 50)
PENALTIES = tuple(10.0**exponent for exponent in range(-2, 7))


@dataclass(frozen=True, eq=False)
class LeftOutErrors:
    """L2 of each condition, predicted without it, at each setting."""

    settings: list[Setting]
    values: NDArray[np.float64]
    """Conditions x settings; NaN for conditions that cannot be predicted."""

    def best(self) -> tuple[Setting, float]:
        """The setting with the smallest mean error over the conditions; among equals the first."""
        mean = self.values[~np.isnan(self.values[:, 0])].mean(axis=0)
        i = int(np.argmin(mean))
        return self.settings[i], float(mean[i])


def left_out_errors(parts: DoubleRidge, n_components: int, penalty: float) -> LeftOutErrors:
    """Errors over a grid that holds the requested setting."""
    n = len(parts.known)
    needs_components = parts.targets.given is None or parts.given_genes is None
    ks = sorted({k for k in (*COMPONENTS, n_components) if k < n} or {1}) if needs_components else [n_components]
    penalties = sorted({*PENALTIES, float(penalty)})
    # Small and strongly penalised first: where errors are equal, the simpler setting wins.
    settings = [(k, lam) for k in ks for lam in penalties[::-1]]
    values = np.full((n, len(settings)), np.nan)
    for i in np.flatnonzero(parts.known).tolist():
        components = parts.components(i, ks[-1])
        # The error is basis @ c + rest. The basis is orthonormal, so small products give its length.
        rest = parts.offset(i) - parts.delta[i]
        inner, length = parts.projected_offset(i) - parts.projected[i], rest @ rest
        errors = []
        for k in ks:
            weights = parts.weights(i, components[:, :k])
            vector = parts.targets.finish(parts.targets.training[[i]], components[:, :k])
            for lam in penalties[::-1]:
                c = weights.coefficients(vector, lam)[:, 0]
                errors.append(c @ (c + 2 * inner) + length)
        values[i] = np.sqrt(np.maximum(errors, 0))
    return LeftOutErrors(settings, values)


def linear_folds(
    parts: DoubleRidge,
    control: NDArray[np.float64],
    new: list[tuple[str, ...]],
    setting: Setting,
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Predictions of each condition and of `new` ones, without that condition."""
    can = np.array([bool(t) and not parts.targets.missing(t) for t in new], dtype=np.bool_)
    new_rows = parts.targets.rows([t for t, ok in zip(new, can, strict=True) if ok])
    n = len(parts.known)
    # Several conditions at a time share one pass over the basis, which is the largest array here.
    block = max(1, 256 // (1 + len(new_rows)))
    for start in range(0, n, block):
        rows = range(start, min(start + block, n))
        coefficients = [_coefficients(parts, i, new_rows, setting) for i in rows]
        changes = np.split(
            np.concatenate(coefficients, axis=1).T @ parts.basis.T,
            np.cumsum([c.shape[1] for c in coefficients])[:-1],
        )
        for i, change in zip(rows, changes, strict=True):
            own, others = np.full(len(control), np.nan), np.full((len(new), len(control)), np.nan)
            if parts.n_known(i):
                profiles = control + (change + parts.offset(i))
                own = profiles[0] if parts.known[i] else own
                others[can] = profiles[int(parts.known[i]) :]
            yield own, others


def _coefficients(parts: DoubleRidge, i: int, new_rows: NDArray[np.float64], setting: Setting) -> NDArray[np.float64]:
    """Of condition `i`, where it has a vector, and of the new ones, r x conditions; without condition `i`."""
    k, penalty = setting
    wanted = np.concatenate([parts.targets.training[[i]], new_rows]) if parts.known[i] else new_rows
    if parts.n_known(i) == 0:
        return np.zeros((parts.basis.shape[1], 0))
    components = parts.components(i, k)
    return parts.weights(i, components).coefficients(parts.targets.finish(wanted, components), penalty)
