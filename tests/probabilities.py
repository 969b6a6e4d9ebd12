"""Simulated probabilities with known truth; imported by tests of several modules."""

from __future__ import annotations

import numpy as np


def simulate(
    n: int, k: int = 4, *, sharpness: float = 2.0, seed: int = 0, decimals: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities and codes of n cells, the classes of unequal size.

    The probabilities are the true ones to the power of `sharpness`: over-confident above 1, and a temperature of
    `sharpness` undoes it. `decimals` makes ties.
    """
    rng = np.random.default_rng(seed)
    true = rng.dirichlet(1 / np.arange(1, k + 1), n)
    codes = (true.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1).clip(max=k - 1)
    proba = true**sharpness + 1e-12
    proba /= proba.sum(axis=1, keepdims=True)
    if decimals is not None:
        proba = np.round(proba, decimals)
        # Rounded again, or equal probabilities would differ in their last bit.
        proba = np.round(proba / proba.sum(axis=1, keepdims=True), 9)
    return proba, codes
