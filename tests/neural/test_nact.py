"""N-ACT against a transcription in numpy, and what attention must be."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import softmax

from sc_annotate.neural.batches import ArrayBlocks
from sc_annotate.neural.module import CrossEntropy
from sc_annotate.neural.nact import NACT
from sc_annotate.neural.settings import TrainSettings
from sc_annotate.neural.training import train


def network(n_genes=12, n_types=4, *, rank=None, attention="softmax", seed=0):
    torch.manual_seed(seed)
    made = NACT(n_genes, n_types, rank=rank, feed_forward=5, attention=attention, input_dropout=0.0, clip=None)
    with torch.no_grad():
        for parameter in made.parameters():
            # Norms and biases that are not 1 and 0, so that a missing one would be seen.
            parameter.add_(0.3 * torch.randn_like(parameter))
    return made.eval()


def transcription(net, X):
    """The published forward pass (research of the method, 2.1): attention, two blocks, a shared feed-forward layer."""
    P = {name: value.detach().numpy().astype(np.float64) for name, value in net.state_dict().items()}

    def linear(name, h):
        if f"{name}.weight" in P:
            return h @ P[f"{name}.weight"].T + P[f"{name}.bias"]
        return (h @ P[f"{name}.0.weight"].T) @ P[f"{name}.1.weight"].T + P[f"{name}.1.bias"]

    def norm(i, h):
        centred = h - h.mean(axis=1, keepdims=True)
        scaled = centred / np.sqrt(h.var(axis=1, keepdims=True) + 1e-5)
        return scaled * P[f"norms.{i}.weight"] + P[f"norms.{i}.bias"]

    def feed(h):
        inner = np.maximum(h @ P["feed.0.weight"].T + P["feed.0.bias"], 0)
        return norm(2, inner @ P["feed.2.weight"].T + P["feed.2.bias"] + h)

    x = (X - P["scale.center"]) * P["scale.factor"]
    alpha = softmax(linear("attention", x), axis=1)
    gamma = alpha * x * X.shape[1]
    h = feed(norm(0, linear("first", gamma) + gamma)) + gamma
    h = feed(norm(1, linear("second", h) + h)) + gamma
    scores = linear("head", h)
    return np.where(scores > 0, scores, 0.01 * scores), alpha, gamma


@pytest.mark.parametrize("rank", [None, 3])
def test_forward_pass(rank):
    net = network(rank=rank)
    net.scale.center = torch.linspace(0, 1, 12)
    net.scale.factor = torch.linspace(0.5, 2, 12)
    X = np.random.default_rng(0).gamma(1.0, size=(7, 12)).astype(np.float32)
    with torch.no_grad():
        found = net.scores(torch.from_numpy(X))
    for ours, theirs in zip(found, transcription(net, X.astype(np.float64)), strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("attention", ["softmax", "sparsemax", "entmax"])
def test_attention_sums_to_1(attention):
    net = network(attention=attention)
    X = torch.from_numpy(np.random.default_rng(0).gamma(1.0, 3.0, size=(9, 12)).astype(np.float32))
    with torch.no_grad():
        alpha = net.scores(X)[1]
    torch.testing.assert_close(alpha.sum(dim=1), torch.ones(9))
    assert (alpha >= 0).all()
    zeros = (alpha == 0).float().mean()
    assert zeros == 0 if attention == "softmax" else zeros > 0.1


@pytest.mark.parametrize("attention", ["softmax", "sparsemax", "entmax"])
@pytest.mark.parametrize("rank", [None, 3])
def test_every_parameter_has_a_gradient(attention, rank):
    net = network(rank=rank, attention=attention).train()
    X = torch.from_numpy(np.random.default_rng(0).gamma(1.0, size=(20, 12)).astype(np.float32))
    torch.nn.functional.cross_entropy(net(X), torch.arange(20) % 4).backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("n_genes", [1, 2, 5, 97])
def test_any_number_of_genes_and_a_batch_of_one(n_genes):
    net = network(n_genes)
    X = torch.from_numpy(np.random.default_rng(0).gamma(1.0, size=(3, n_genes)).astype(np.float32))
    with torch.no_grad():
        together, alone = net(X), net(X[:1])
    assert together.shape == (3, 4)
    torch.testing.assert_close(alone, together[:1])


@pytest.mark.once
@pytest.mark.parametrize("attention", ["sparsemax", "entmax"])
def test_sparse_attention_learns(attention):
    """Its loss falls by 30 % in five epochs."""
    rng = np.random.default_rng(0)
    codes = np.repeat(np.arange(4), 100)
    X = (rng.gamma(1.0, 0.3, size=(400, 40)) + 2.0 * (np.arange(40) % 4 == codes[:, None])).astype(np.float32)
    settings = TrainSettings(epochs=5, batch_size=16, learning_rate=3e-3, weight_decay=0.01, clip_gradient=1.0)

    def made():
        return NACT(40, 4, rank=16, feed_forward=16, attention=attention, input_dropout=0.0, clip=None)

    _, history = train(made, ArrayBlocks(X, codes), lambda: CrossEntropy(np.ones(4)), settings, rng=0)
    assert history[-1]["loss"] < 0.7 * history[0]["loss"]
