"""Leading directions against the decomposition of the whole, centred matrix."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array

from sc_annotate._core import arrays as directions
from sc_annotate._core.arrays import leading_directions

SIZES = {"few": (60, 300), "some rows": (150, 400), "some columns": (400, 150), "many": (150, 400)}


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("rank", [None, 4], ids=["full", "rank four"])
def test_as_the_whole_decomposition(size: str, sparse: bool, rank: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    n, p = SIZES[size]
    if size == "many":
        monkeypatch.setattr(directions, "_SOME", 100)
    draw = np.random.default_rng(0)
    Z = np.maximum(draw.normal(size=(n, p)) - 0.5, 0)
    if rank:
        Z = draw.normal(size=(n, rank)) @ np.maximum(draw.normal(size=(rank, p)), 0)
    center = Z.mean(axis=0)
    length, vt = leading_directions(csr_array(Z) if sparse else Z, center, 8, 0)
    want, directions_of_all = np.linalg.svd(Z - center, full_matrices=False)[1:]
    np.testing.assert_allclose(length, want[:8], rtol=1e-9, atol=1e-5 * want[0])
    np.testing.assert_allclose(vt @ vt.T, np.eye(8), atol=1e-6)
    assert (vt[np.arange(8), np.abs(vt).argmax(axis=1)] > 0).all()
    kept = rank or 8
    same = np.abs(np.sum(vt[:kept] * directions_of_all[:kept], axis=1))
    np.testing.assert_allclose(same, 1, rtol=1e-9)
