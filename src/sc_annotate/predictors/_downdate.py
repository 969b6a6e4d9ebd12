"""Eigenvectors of a diagonal matrix less a rank-one matrix, in time linear in its size, and singular vectors of tall ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import qr, svd

if TYPE_CHECKING:
    from numpy.typing import NDArray

_EPS = float(np.finfo(np.float64).eps)


def downdated(
    values: NDArray[np.float64], z: NDArray[np.float64], k: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The `k` largest eigenvalues of ``diag(values) - z z'`` (which has none below 0), and their eigenvectors.

    Fewer than `k` come back where fewer are above 0.

    Parameters
    ----------
    values
        Descending and positive, float64, shape (r,).
    z
        Float64, shape (r,).
    k
        How many.

    Returns
    -------
    Eigenvalues, descending, shape (k,), and eigenvectors as columns, shape (r, k), of either sign.

    References
    ----------
    Golub 1973, SIAM Review 15:318 (the secular equation); Gu & Eisenstat 1994 on its accuracy.
    """
    r = len(values)
    norm = float(np.linalg.norm(z))
    gaps = -np.diff(values[: k + 1])
    # Poles that (nearly) meet would need rotations first; that is rare, and the dense way is right for them.
    if k >= r or gaps.min(initial=np.inf) <= 64 * _EPS * values[0]:
        found, vectors = np.linalg.eigh(np.diag(values) - np.outer(z, z))
        kept = np.flatnonzero(found[::-1] > r * _EPS * values[0])[:k]
        return found[::-1][kept], vectors[:, ::-1][:, kept]
    if norm == 0:
        return values[:k], np.eye(r, k)
    # An entry of 0 takes its pole away. One below the rounding of the others changes nothing but keeps it.
    z = np.where(np.abs(z) < _EPS * norm, _EPS * norm, z)
    squares = z**2
    # Eigenvalue i lies between poles i and i + 1 and is measured from the nearer of them, so that no digits are lost
    # where it is close. 1 - sum(z^2 / (values - x)) falls from the lower to the upper.
    upper, lower = values[:k], values[1 : k + 1]
    middle = 1 - (squares / (values - ((upper + lower) / 2)[:, None])).sum(axis=1)
    from_upper = middle > 0
    pole = np.where(from_upper, upper, lower)
    sign = np.where(from_upper, 1.0, -1.0)
    shifted = values - pole[:, None]
    # Bisection of the logarithm of the distance: 130 binary orders of magnitude, each to full precision.
    high = np.log2(gaps / 2)
    low = high - 130
    for _ in range(61):
        guess = (low + high) / 2
        height = 1 - (squares / (shifted + (sign * np.exp2(guess))[:, None])).sum(axis=1)
        # Farther from the upper pole the function rises, and farther from the lower one it falls.
        further = height * sign < 0
        low, high = np.where(further, guess, low), np.where(further, high, guess)
    offset = sign * np.exp2((low + high) / 2)
    vectors = z / (shifted + offset[:, None])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return pole - offset, vectors.T


def thin_svd(
    tall: NDArray[np.float64], k: int | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """The first `k` left singular vectors, singular values above rounding, and right singular vectors as columns.

    Through the triangular factor of the long side: as exact as the decomposition of the whole, which an eigenvalue
    decomposition of the Gram matrix is not, since profiles differ little beside what they have in common.
    """
    rows, columns = tall.shape
    triangle = qr(tall, mode="r", check_finite=False)[0][:columns] if rows > columns else tall
    left, values, right_t = svd(triangle, full_matrices=False, check_finite=False)
    kept = np.flatnonzero(values > values[0] * max(rows, columns) * np.finfo(np.float64).eps)[:k]
    values, right = values[kept], right_t[kept].T
    return left[:, kept] if rows <= columns else tall @ (right / values), values, right
