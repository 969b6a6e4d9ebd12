"""Empirical null of many z values, and the density of all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import norm

if TYPE_CHECKING:
    from numpy.typing import NDArray

_STEPS = 200


def fit_truncated_normal(z: NDArray[np.float64], low: float, high: float) -> tuple[float, float] | None:
    """Mean and standard deviation of a normal of which only values in [low, high] were seen, by maximum likelihood.

    Newton's method in the two natural parameters, in which the likelihood is concave; None where it has no maximum,
    since values fall off less towards the ends than any normal does.
    """
    # On a scale on which the interval is [-1, 1], so that both parameters are of like size.
    middle, half = (low + high) / 2, (high - low) / 2
    x = (z - middle) / half
    seen = np.array([x.mean(), (x**2).mean()])
    grid, weight = np.polynomial.legendre.leggauss(200)
    powers = np.stack([grid, grid**2])
    variance = max(x.var(), 1e-6)
    theta = np.array([x.mean() / variance, -1 / (2 * variance)])

    def loss(t: NDArray[np.float64]) -> float:
        exponent = t @ powers
        top = exponent.max()
        return float(np.log(weight @ np.exp(exponent - top)) + top - t @ seen)

    at = loss(theta)
    for _ in range(_STEPS):
        exponent = theta @ powers
        p = weight * np.exp(exponent - exponent.max())
        p /= p.sum()
        expected = powers @ p
        curvature = (powers * p) @ powers.T - np.outer(expected, expected)
        step = np.linalg.solve(curvature, seen - expected)
        size = 1.0
        while size > 1e-8 and not loss(theta + size * step) <= at:
            size /= 2
        moved = theta + size * step
        done = np.abs(moved - theta).max() < 1e-10 * (1 + np.abs(theta).max())
        theta, at = moved, loss(moved)
        if done:
            break
    if theta[1] >= 0:
        return None
    spread = np.sqrt(-1 / (2 * theta[1]))
    return float(middle + half * theta[0] * spread**2), float(half * spread)


def natural_spline(x: NDArray[np.float64], knots: NDArray[np.float64]) -> NDArray[np.float64]:
    """Basis of cubic splines that are straight beyond the outer knots, (x, knots); the first column is 1."""
    unit = (x - knots[0]) / (knots[-1] - knots[0])
    k = (knots - knots[0]) / (knots[-1] - knots[0])

    def bent(i: int) -> NDArray[np.float64]:
        return (np.maximum(unit - k[i], 0) ** 3 - np.maximum(unit - k[-1], 0) ** 3) / (k[-1] - k[i])

    last = bent(k.size - 2)
    return np.stack([np.ones_like(unit), unit, *(bent(i) - last for i in range(k.size - 2))], axis=1)


def poisson_regression(basis: NDArray[np.float64], counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Coefficients of a log-linear model of counts, by iteratively reweighted least squares."""
    # Orthonormal columns: those of the spline are far from it.
    q, r = np.linalg.qr(basis)
    fitted = counts + 0.5
    eta = np.log(fitted)
    for _ in range(_STEPS):
        root = np.sqrt(fitted)
        target = eta + (counts - fitted) / fitted
        coefficients = np.linalg.lstsq(q * root[:, None], target * root, rcond=None)[0]
        new = np.clip(q @ coefficients, -30, 30)
        done = np.abs(new - eta).max() < 1e-8
        eta, fitted = new, np.exp(new)
        if done:
            break
    return np.linalg.solve(r, coefficients)


def density(z: NDArray[np.float64], low: float, high: float, n_bins: int, df: int) -> NDArray[np.float64]:
    """Smooth density of all z, at each z; those outside [low, high] get the density of the nearer end."""
    edges = np.linspace(low, high, n_bins + 1)
    counts = np.histogram(z, edges)[0].astype(np.float64)
    middle = (edges[1:] + edges[:-1]) / 2
    knots = np.linspace(middle[0], middle[-1], df + 1)
    coefficients = poisson_regression(natural_spline(middle, knots), counts)
    at = natural_spline(np.clip(z, middle[0], middle[-1]), knots)
    out: NDArray[np.float64] = np.exp(at @ coefficients) / (z.size * (edges[1] - edges[0]))
    return out


def two_sided_p(z: NDArray[np.float64], delta0: float, sigma0: float) -> NDArray[np.float64]:
    """Chance under the null of a value at least as far from its middle."""
    out: NDArray[np.float64] = 2 * norm.sf(np.abs(z - delta0) / sigma0)
    return out
