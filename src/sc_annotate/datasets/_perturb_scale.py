"""From the share of a gene among a cell's molecules to its mean log-normalised expression, and back.

Effects that are to add up in profiles must be made on the scale of profiles: the mean of ``log1p`` of counts per 10,000
is no linear function of log rates, least of all for genes with few molecules.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from scipy.interpolate import CubicSpline

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Counts per this many molecules, before log1p; SD of the log depth of cells.
PER = 1e4
DEPTH_SD = 0.35
# Nodes for the integral over t = exp(u): a doubly exponential integrand, for which the trapezoid rule is exact here.
_U = np.arange(-28.0, 4.5, 0.15)
_LOG_SHARE = np.linspace(np.log(1e-9), np.log(0.9), 150)


def mean_log(share: NDArray[np.float64], fano: float, depth: float) -> NDArray[np.float64]:
    """Expected log(1 + 10,000 n / d) of counts n with mean d * `share`, over cells whose depth d varies.

    Counts are Poisson where `fano` (variance / mean) is 1, else negative binomial. Uses
    log(1 + x) = integral of exp(-t) (1 - exp(-x t)) / t dt, so that only the Laplace transform of the counts is needed.
    The total of a cell is taken to be its depth d: that is off by about fano / depth.
    """
    nodes, weights = np.polynomial.hermite_e.hermegauss(11)
    weights = weights / weights.sum()
    out = np.zeros(share.size)
    t = np.exp(_U)
    for x, weight in zip(nodes, weights, strict=True):
        d = depth * np.exp(DEPTH_SD * x - DEPTH_SD**2 / 2)
        event = -np.expm1(-PER / d * t)
        exponent = event if fano == 1 else np.log1p((fano - 1) * event) / (fano - 1)
        lost = -np.expm1(-d * np.outer(share, exponent))
        out += weight * (lost @ (np.exp(-t) * 0.15))
    return out


@dataclass
class Scale:
    """Both directions, for genes of which each has one of a few levels of extra noise."""

    fano: NDArray[np.float64]
    """Variance / mean of the counts of a cell, by level."""
    level: NDArray[np.intp]
    """Level of each gene."""
    depth: float
    _to_mean: list[CubicSpline] = field(init=False)
    _to_share: list[CubicSpline] = field(init=False)

    def __post_init__(self) -> None:
        # Both logs, as the curve is a straight line there for all but the highest genes.
        curves = [np.log(mean_log(np.exp(_LOG_SHARE), f, self.depth)) for f in self.fano]
        self._to_mean = [CubicSpline(_LOG_SHARE, c) for c in curves]
        self._to_share = [CubicSpline(c, _LOG_SHARE) for c in curves]

    def _by_level(self, splines: list[CubicSpline], log_values: NDArray[np.float64], order: int) -> NDArray[np.float64]:
        out = np.empty_like(log_values)
        for i, spline in enumerate(splines):
            genes = self.level == i
            out[..., genes] = spline(log_values[..., genes], order)
        return out

    def mean(self, share: NDArray[np.float64]) -> NDArray[np.float64]:
        """Mean log-normalised expression, (..., genes), of shares that sum to 1 over genes."""
        out: NDArray[np.float64] = np.exp(self._by_level(self._to_mean, np.log(share), 0))
        return out

    def slope(self, share: NDArray[np.float64]) -> NDArray[np.float64]:
        """How fast that mean grows with the log of the share."""
        return self.mean(share) * self._by_level(self._to_mean, np.log(share), 1)

    def share(self, mean: NDArray[np.float64]) -> NDArray[np.float64]:
        """The shares, (..., genes), that give such means; the last gene takes what is left over, whatever its mean.

        Where the others leave less than a hundredth, all shares are scaled to sum to 1, and all means move.
        """
        highest = np.array([spline.x[-1] for spline in self._to_share])[self.level]
        values = np.exp(self._by_level(self._to_share, np.minimum(np.log(mean), highest), 0))
        values[..., -1] = np.maximum(1 - values[..., :-1].sum(axis=-1), 0.01)
        out: NDArray[np.float64] = values / values.sum(axis=-1, keepdims=True)
        return out
