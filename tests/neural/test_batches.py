"""Minibatches hold every cell once, whatever the sizes of the blocks."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array

from sc_annotate.neural.batches import ArrayBlocks, minibatches, n_minibatches


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize(("n", "block", "size"), [(10, 3, 4), (7, 100, 7), (129, 8, 128), (5, 2, 2), (1, 4, 3)])
def test_every_cell_once(n, block, size, sparse):
    X = np.arange(n * 2, dtype=np.float32).reshape(n, 2) + 1
    blocks = ArrayBlocks(csr_array(X) if sparse else X, np.arange(n), size=block)
    found = list(minibatches(blocks, size, (0, 1)))
    assert len(found) == n_minibatches(n, size)
    sizes = [len(codes) for _, codes in found]
    assert max(sizes) <= size
    assert max(sizes) - min(sizes) <= 1
    codes = np.concatenate([codes for _, codes in found])
    assert sorted(codes.tolist()) == list(range(n))
    rows = np.concatenate([dense for dense, _ in found])
    assert rows.dtype == np.float32
    np.testing.assert_array_equal(rows, X[codes])


def test_a_batch_of_one_cell_comes_only_alone():
    blocks = ArrayBlocks(np.ones((129, 1), np.float32), np.zeros(129, np.intp))
    assert [len(codes) for _, codes in minibatches(blocks, 128, (0,))] == [64, 65]


def test_the_order_follows_the_seed():
    blocks = ArrayBlocks(np.ones((50, 1), np.float32), np.arange(50))
    first, again, other = (
        np.concatenate([codes for _, codes in minibatches(blocks, 8, seed)]) for seed in [(3, 0), (3, 0), (3, 1)]
    )
    assert first.tolist() == again.tolist()
    assert first.tolist() != other.tolist()
