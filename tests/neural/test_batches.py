"""Minibatches hold every cell once, whatever the sizes of the blocks."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array

from sc_annotate.neural.batches import FEWEST_BLOCKS, ArrayBlocks, StreamedBlocks, minibatches, n_minibatches


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


@pytest.mark.parametrize("shares", [2, 3])
def test_processes_share_each_minibatch(shares):
    """Together they see what one would, in as many steps."""
    X = np.arange(101, dtype=np.float32)[:, None]
    blocks = ArrayBlocks(X, np.arange(101), size=20)
    parts = [list(minibatches(blocks, 16, (0, 1), share=i, shares=shares)) for i in range(shares)]
    assert {len(each) for each in parts} == {n_minibatches(101, 16)}
    whole = list(minibatches(blocks, 16, (0, 1)))
    together = [np.concatenate([each[step][1] for each in parts]) for step in range(len(whole))]
    assert all(abs(len(codes) - len(one)) <= 1 for codes, (_, one) in zip(together, whole, strict=True))
    assert np.concatenate(together).tolist() == np.concatenate([codes for _, codes in whole]).tolist()


def test_the_order_follows_the_seed():
    blocks = ArrayBlocks(np.ones((50, 1), np.float32), np.arange(50))
    first, again, other = (
        np.concatenate([codes for _, codes in minibatches(blocks, 8, seed)]) for seed in [(3, 0), (3, 0), (3, 1)]
    )
    assert first.tolist() == again.tolist()
    assert first.tolist() != other.tolist()


def streamed(n, *, block=5, buffer=12, kind=csr_array, read=None):
    """Cells numbered by their value and their code, in blocks of `block`."""
    X = kind(np.arange(2 * n, dtype=np.float32).reshape(n, 2) + 1)
    starts = np.append(np.arange(0, n, block), n)

    def rows(i):
        if read is not None:
            read.append(i)
        return X[starts[i] : starts[i + 1]]

    return StreamedBlocks(rows, starts, np.arange(n), 2, buffer=buffer)


@pytest.mark.parametrize("kind", [csr_array, np.asarray])
@pytest.mark.parametrize(("n", "buffer"), [(101, 12), (101, 1), (101, 10**6), (4, 12)])
def test_streamed_cells_come_once_an_epoch(kind, n, buffer):
    cells = streamed(n, buffer=buffer, kind=kind)
    codes, rows = [], []
    for X, part in minibatches(cells, 16, (0, 1)):
        codes.append(part)
        rows.append(X)
    codes = np.concatenate(codes)
    assert sorted(codes.tolist()) == list(range(n))
    np.testing.assert_array_equal(np.concatenate(rows)[:, 0], 2 * codes + 1)


def test_no_more_than_a_buffer_is_read_together():
    cells = streamed(1000, block=5, buffer=40)
    sizes = [X.shape[0] for X, _ in cells.epoch((0,))]
    assert set(sizes) == {40}
    small = streamed(1000, block=50, buffer=40)
    assert {X.shape[0] for X, _ in small.epoch((0,))} == {50 * FEWEST_BLOCKS}


def test_streamed_cells_of_a_file_in_order_are_spread():
    """Neighbours in a file must not be neighbours in training: a minibatch has cells of all buffers' blocks."""
    cells = streamed(1000, block=5, buffer=100)
    _, codes = next(minibatches(cells, 50, (0,)))
    assert np.ptp(codes) > 500
    assert (np.diff(np.sort(codes)) > 1).any()
    first, again, other = (
        np.concatenate([part for _, part in minibatches(cells, 50, seed)]).tolist() for seed in [(1, 0), (1, 0), (1, 1)]
    )
    assert first == again != other


def test_some_of_the_streamed_cells():
    read = []
    cells = streamed(30, read=read).part(np.array([0, 1, 12, 13, 14, 29]))
    assert cells.n_cells == 6
    again = cells.part(np.array([1, 2, 5]))
    found = [(X.toarray()[:, 0].tolist(), codes.tolist()) for X, codes in again.in_order()]
    assert found == [([3.0], [1]), ([25.0], [12]), ([59.0], [29])]
    assert sorted(read) == [0, 2, 5]
    assert sorted(np.concatenate([codes for _, codes in again.epoch((0,))]).tolist()) == [1, 12, 29]


def test_an_error_while_reading_is_raised():
    cells = streamed(30)

    def fails(i):
        raise OSError("gone")

    broken = StreamedBlocks(fails, cells.starts, cells.codes, 2)
    with pytest.raises(OSError, match="gone"):
        list(broken.epoch((0,)))
