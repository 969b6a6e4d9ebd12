"""Ledoit and Wolf's shrinkage against scikit-learn's."""

from __future__ import annotations

import numpy as np
from sklearn.covariance import ledoit_wolf

from sc_annotate._core.arrays import shrunken_covariance


def test_covariance_is_that_of_ledoit_and_wolf() -> None:
    R = np.random.default_rng(0).normal(size=(40, 12)) * np.linspace(1, 4, 12)
    np.testing.assert_allclose(shrunken_covariance(R), ledoit_wolf(R, assume_centered=True)[0], rtol=1e-10)
