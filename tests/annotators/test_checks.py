from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import coo_array, csc_matrix, csr_array, csr_matrix

from sc_annotate.annotators.checks import as_labels, as_matrix, check_fit, row_blocks
from sc_annotate.errors import LabelError, MatrixError


@pytest.mark.parametrize("form", [csr_matrix, csr_array, csc_matrix, coo_array])
def test_sparse_becomes_canonical_csr(form):
    dense = np.array([[0, 1.5], [2, 0]])
    out = as_matrix(form(dense))
    assert isinstance(out, csr_array)
    assert out.dtype == np.float32
    assert out.indices.dtype == np.int32
    assert out.toarray().tolist() == dense.tolist()


def test_duplicates_are_summed_in_a_copy_and_long_indices_are_shortened():
    index = np.array([1, 1, 0], np.int64), np.array([0, 2, 3], np.int64)
    X = csr_array((np.array([1, 2, 3], np.float32), *index), shape=(2, 2))
    out = as_matrix(X)
    assert out.toarray().tolist() == [[0, 3], [3, 0]]
    assert out.indices.dtype == np.int32
    assert X.data.tolist() == [1, 2, 3]
    assert X.indices.tolist() == [1, 1, 0]


def test_float32_is_not_copied():
    dense = np.ones((2, 2), np.float32)
    sparse = csr_matrix(dense)
    assert as_matrix(dense) is dense
    assert np.shares_memory(as_matrix(sparse).data, sparse.data)


def test_what_is_no_matrix_is_refused():
    with pytest.raises(MatrixError, match="numbers"):
        as_matrix(np.array([["a", "b"]], dtype=object))
    with pytest.raises(LabelError, match="one dimension"):
        as_labels(np.array([["a"], ["b"]]))
    with pytest.raises(LabelError, match="has none"):
        check_fit(np.ones((0, 2)), [], ["a", "b"])


def test_labels_sort_and_index():
    training = check_fit(np.ones((3, 1)), ["b/c", "ä", "b/c"], ["g"])
    assert training.classes.tolist() == ["b/c", "ä"]
    assert training.codes.tolist() == [0, 1, 0]


def test_blocks_cover_the_rows():
    assert [(b.start, b.stop) for b in row_blocks(5, 2)] == [(0, 2), (2, 4), (4, 5)]
    assert list(row_blocks(0, 2)) == []
