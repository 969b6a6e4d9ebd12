"""Sparse matrices whose parts do not fit together are refused before compiled code reads outside of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from scipy import sparse

from sc_annotate._core.arrays import check_layout, row_ordered, rows
from sc_annotate.errors import MatrixError

if TYPE_CHECKING:
    from collections.abc import Callable

N, M = 40, 30


def index(value: int) -> Callable[[Any], None]:
    def damage(X: Any) -> None:
        X.indices[17] = value

    return damage


def pointer(at: int, value: int) -> Callable[[Any], None]:
    def damage(X: Any) -> None:
        X.indptr[at] = value

    return damage


def shorter(name: str) -> Callable[[Any], None]:
    def damage(X: Any) -> None:
        setattr(X, name, getattr(X, name)[:-3].copy())

    return damage


DAMAGES: dict[str, tuple[Callable[[Any], None], str]] = {
    "a million": (index(10**6), r"the index 1000000 in \w+ \d+ lies outside"),
    "one too far": (index(max(N, M)), "lies outside"),
    "negative": (index(-1), r"the index -1 in \w+ \d+ lies outside"),
    "most negative": (index(-(2**31)), "lies outside"),
    "starts late": (pointer(0, 2), "indptr starts at 2, not at 0"),
    "starts before": (pointer(0, -2), "indptr starts at -2, not at 0"),
    "goes down": (pointer(5, 0), r"indptr decreases after \w+ \d"),
    "jumps": (pointer(5, 10**9), r"indptr decreases after \w+ 5"),
    "ends behind the data": (pointer(-1, 10**9), "indptr ends at 1,000,000,000"),
    "short indptr": (shorter("indptr"), "indptr has"),
    "short indices": (shorter("indices"), r"values and [\d,]+ indices"),
    "short data": (shorter("data"), r"values and [\d,]+ indices"),
}


def whole(form: str = "csr", family: str = "matrix") -> Any:
    D = np.random.default_rng(0).poisson(0.7, (N, M)).astype(np.float32)
    return getattr(sparse, f"{form}_{family}")(D)


@pytest.mark.parametrize("family", ["matrix", "array"])
@pytest.mark.parametrize("form", ["csr", "csc"])
@pytest.mark.parametrize("name", DAMAGES)
def test_every_way_in_refuses(name: str, form: str, family: str) -> None:
    damage, words = DAMAGES[name]
    X = whole(form, family)
    damage(X)
    with pytest.raises(MatrixError, match=f"^adata.X is a broken sparse matrix .{form.upper()}.: .*{words}"):
        check_layout(X, "adata.X")
    for where in (slice(0, N), np.arange(N), slice(0, N, 1), slice(N - 1, None, -1)):
        with pytest.raises(MatrixError, match="the matrix is a broken sparse matrix"):
            rows(X, where)
    if form == "csc":
        with pytest.raises(MatrixError, match="broken"):
            row_ordered(X)


@pytest.mark.parametrize("name", DAMAGES)
def test_rows_beside_the_damage(name: str) -> None:
    """What is not asked for may be broken, but nothing outside of the arrays is read."""
    X = whole()
    DAMAGES[name][0](X)
    for row in range(N):
        for where in (slice(row, row + 1), np.array([row])):
            try:
                block = rows(X, where)
            except MatrixError:
                continue
            assert np.isin(block.indices, np.arange(M)).all()


@pytest.mark.parametrize("form", ["coo", "bsr"])
@pytest.mark.parametrize("family", ["matrix", "array"])
def test_other_formats(form: str, family: str) -> None:
    X = whole(form, family)
    np.testing.assert_array_equal(rows(X, slice(3, 9)).toarray(), X.toarray()[3:9])
    (X.coords[1] if form == "coo" and family == "array" else X.col if form == "coo" else X.indices)[4] = 10**6
    with pytest.raises(MatrixError, match=f"broken sparse matrix .{form.upper()}."):
        rows(X, slice(3, 9))
    with pytest.raises(MatrixError, match=f"broken sparse matrix .{form.upper()}."):
        row_ordered(X)


@pytest.mark.parametrize("form", ["dia", "lil", "dok"])
def test_formats_without_compiled_code(form: str) -> None:
    X = whole(form)
    np.testing.assert_array_equal(rows(X, np.array([1, 5])).toarray(), X.toarray()[[1, 5]])
    np.testing.assert_array_equal(row_ordered(X).toarray(), X.toarray())


@pytest.mark.parametrize("form", ["csr", "csc"])
@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_unsorted_and_repeated_entries_are_right(form: str, dtype: type) -> None:
    """scipy allows them: what is stored twice is a sum."""
    X = whole(form)
    D = X.toarray()
    n, lengths = X.shape[0 if form == "csr" else 1], np.diff(X.indptr)
    data = np.repeat(X.data / 2, 2)
    indices = np.repeat(X.indices, 2)
    turned = np.concatenate([np.flatnonzero(np.repeat(np.arange(n), 2 * lengths) == i)[::-1] for i in range(n)])
    parts = data[turned], indices[turned].astype(dtype), (2 * X.indptr).astype(dtype)
    odd = getattr(sparse, f"{form}_matrix")(parts, shape=X.shape)
    kept = odd.indices.copy()
    for where in (slice(0, N), slice(5, 20), np.array([1, 7, 30])):
        np.testing.assert_array_equal(rows(odd, where).toarray(), D[where])
        assert rows(odd, where).has_canonical_format
    np.testing.assert_array_equal(odd.indices, kept)


def test_values_behind_the_end_do_not_count() -> None:
    X = whole()
    D = X.toarray()
    X.indices, X.data = np.append(X.indices, [10**6, -5]).astype(np.int32), np.append(X.data, [1, 1])
    check_layout(X)
    np.testing.assert_array_equal(rows(X, slice(0, N)).toarray(), D)


def test_the_message_says_what_to_do() -> None:
    X = whole()
    X.indices[:2] = -3
    with pytest.raises(
        MatrixError, match=re.escape("in row 0 lies outside its 30 columns, and 1 more. The object or its file")
    ):
        check_layout(X)
