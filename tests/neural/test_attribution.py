"""Attributions of the log-odds."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sc_annotate.neural.attribution import input_x_gradient, integrated_gradients, log_odds
from sc_annotate.neural.mlp import mlp


@pytest.fixture
def network():
    torch.manual_seed(0)
    return mlp(5, 3, hidden=(16, 8), input_dropout=0.5, dropout=0.5, batch_norm=False, clip=None).eval()


@pytest.fixture
def cells():
    X = np.random.default_rng(0).gamma(1.0, size=(30, 5)).astype(np.float32)
    X[:, 2] = 0
    return X, np.arange(30) % 3


def odds(network, X, codes):
    with torch.no_grad():
        return log_odds(network(torch.from_numpy(X)), torch.from_numpy(codes)).numpy()


def test_integrated_gradients_add_up(network, cells):
    X, codes = cells
    found = integrated_gradients([network], X, codes, steps=400)
    gap = odds(network, X, codes) - odds(network, np.zeros_like(X), codes)
    np.testing.assert_allclose(found.sum(axis=1), gap, atol=0.01)
    assert not found[:, 2].any()
    assert found.dtype == np.float32


def test_gradient_times_value_is_that_of_a_finite_difference(network, cells):
    X, codes = cells
    found = input_x_gradient([network], X, codes)
    step = 1e-2
    for gene in range(5):
        moved, back = X.copy(), X.copy()
        moved[:, gene] += step
        back[:, gene] -= step
        slope = (odds(network, moved, codes) - odds(network, back, codes)) / (2 * step)
        # Where a unit is switched on or off within the step, the difference is no derivative.
        near = np.abs(found[:, gene] - slope * X[:, gene]) < 0.02
        assert near.mean() > 0.8


def test_log_odds_are_those_of_the_softmax():
    scores = torch.tensor([[2.0, -1.0, 0.5], [0.0, 0.0, 0.0]])
    p = torch.softmax(scores, dim=1)[torch.arange(2), torch.tensor([0, 2])]
    torch.testing.assert_close(log_odds(scores, torch.tensor([0, 2])), torch.log(p / (1 - p)))


def test_several_networks_are_averaged(network, cells):
    X, codes = cells
    torch.manual_seed(1)
    other = mlp(5, 3, hidden=(4,), input_dropout=0, dropout=0, batch_norm=True, clip=None).eval()
    one, two = (integrated_gradients([each], X, codes) for each in (network, other))
    np.testing.assert_allclose(integrated_gradients([network, other], X, codes), (one + two) / 2, rtol=1e-5, atol=1e-6)
