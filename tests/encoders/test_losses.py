"""Losses against figures of lightly 1.6.0 on fixed inputs, and against plain transcriptions where lightly has none."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from sc_annotate.encoders import losses  # noqa: E402
from sc_annotate.encoders.nnclr import nearest  # noqa: E402


@pytest.fixture(scope="module")
def views() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    draw = np.random.default_rng(0)
    first = draw.normal(size=(64, 32)).astype("f4")
    second = (0.5 * first + draw.normal(size=(64, 32))).astype("f4")
    bank = torch.nn.functional.normalize(torch.from_numpy(draw.normal(size=(128, 32)).astype("f4")), dim=1)
    return torch.from_numpy(first), torch.from_numpy(second), bank


# NTXentLoss(0.1), (0.5), (0.5, memory_bank_size=(128, 32)), VICRegLoss(5, 5, 1), VICRegLoss(), BarlowTwinsLoss(0.005),
# NegativeCosineSimilarity() of lightly 1.6.0.
LIGHTLY = {
    "nt_xent, .1": 1.7493354082107544,
    "nt_xent, .5": 3.9414734840393066,
    "bank": 3.9506616592407227,
    "vicreg": 7.321398735046387,
    "vicreg, as published": 31.20745849609375,
    "barlow_twins": 8.64143180847168,
    "cosine": -0.4901779890060425,
}


def test_losses_equal_lightly(views: tuple[torch.Tensor, torch.Tensor, torch.Tensor]) -> None:
    a, b, bank = views
    found = {
        "nt_xent, .1": losses.nt_xent(a, b, 0.1),
        "nt_xent, .5": losses.nt_xent(a, b, 0.5),
        "bank": losses.nt_xent_bank(a, b, bank, 0.5),
        "vicreg": losses.vicreg(a, b, invariance=5, variance=5, covariance=1),
        "vicreg, as published": losses.vicreg(a, b, invariance=25, variance=25, covariance=1),
        "barlow_twins": losses.barlow_twins(a, b, 0.005),
        "cosine": losses.negative_cosine(a, b),
    }
    for name, value in LIGHTLY.items():
        assert float(found[name]) == pytest.approx(value, rel=1e-5), name


def test_nt_xent_by_the_book(views: tuple[torch.Tensor, torch.Tensor, torch.Tensor]) -> None:
    """Equation 1 of Chen et al. 2020, cell by cell."""
    a, b = (each[:7].double().numpy() for each in views[:2])
    z = np.concatenate([a, b])
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    each = []
    for i in range(14):
        similar = np.exp(z @ z[i] / 0.3)
        each.append(-np.log(similar[(i + 7) % 14] / (similar.sum() - similar[i])))
    found = losses.nt_xent(torch.from_numpy(a), torch.from_numpy(b), 0.3)
    assert float(found) == pytest.approx(np.mean(each), rel=1e-9)


def test_no_gradient_reaches_what_is_predicted() -> None:
    a, b = (torch.randn(5, 3, requires_grad=True) for _ in range(2))
    losses.negative_cosine(a, b).backward()
    assert a.grad is not None
    assert b.grad is None


def test_nearest_past_embedding(views: tuple[torch.Tensor, torch.Tensor, torch.Tensor]) -> None:
    a, _, bank = views
    cosine = np.array([[np.dot(x, y) / np.linalg.norm(x) for y in bank.numpy()] for x in a.numpy()])
    np.testing.assert_array_equal(nearest(a, bank).numpy(), bank.numpy()[cosine.argmax(axis=1)])
