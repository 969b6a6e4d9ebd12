"""Leading directions of a matrix: centred in thought only, so that a sparse one stays sparse, or exact for a tall one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.linalg import qr, svd
from scipy.sparse import issparse
from scipy.sparse.linalg import LinearOperator, svds

if TYPE_CHECKING:
    from numpy.typing import NDArray


# Up to this many rows or columns a full decomposition is the quickest.
_FEW = 100
# Up to this many, and this many values in all, the products of rows (or columns) are decomposed whole: several times
# quicker than ARPACK, which comes into its own with larger matrices.
_SOME = 1000
_VALUES = 10_000_000


def leading_directions(
    Z: Any, center: NDArray[np.float64], k: int, rng: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The `k` largest singular values of ``Z - center``, largest first, and their right singular vectors as rows.

    `Z` is float64, dense or sparse. The largest entry of each vector is positive.
    """
    n, p = Z.shape
    few = min(n, p)
    if k >= few or few <= _FEW:
        length, vt = np.linalg.svd(_centred(Z, center), full_matrices=False)[1:]
    elif few <= _SOME and n * p <= _VALUES:
        length, vt = _of_products(_centred(Z, center), k)
    else:
        centred = LinearOperator(
            (n, p),
            matvec=lambda v: Z @ v.ravel() - center @ v.ravel(),
            rmatvec=lambda u: Z.T @ u.ravel() - center * u.sum(),
            dtype=np.float64,
        )
        length, vt = svds(centred, k=k, v0=np.random.default_rng(rng).standard_normal(few))[1:]
    order = np.argsort(-length, kind="stable")[:k]
    length, vt = length[order], vt[order]
    return length, vt * np.where(vt[np.arange(k), np.abs(vt).argmax(axis=1)] < 0, -1.0, 1.0)[:, None]


def _centred(Z: Any, center: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray((Z.toarray() if issparse(Z) else Z) - center, dtype=np.float64)


def _of_products(C: NDArray[np.float64], k: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Through the products of rows with each other, or of columns where these are fewer."""
    if C.shape[0] > C.shape[1]:
        vectors = np.linalg.eigh(C.T @ C)[1][:, -k:]
        length, turned = np.linalg.svd(C @ vectors, full_matrices=False)[1:]
        return length, turned @ vectors.T
    vectors = np.linalg.eigh(C @ C.T)[1][:, -k:]
    # Eigenvectors of no length say nothing of the other side; this gives unit vectors for them too.
    return np.linalg.svd(vectors.T @ C, full_matrices=False)[1:]


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


def ledoit_wolf(*, squared_norm: float, n_dimensions: int, n: int, second: float, fourth: float) -> float:
    """Weight of the identity, from sums that can be gathered without forming a matrix.

    Parameters
    ----------
    squared_norm
        Sum of the squared entries of the covariance, which is divided by `n`.
    n_dimensions
        Its size.
    n
        Number of observations.
    second, fourth
        Means over the observations of the squared distance from the mean, and of the square of that.

    References
    ----------
    Ledoit & Wolf 2004, A well-conditioned estimator for large-dimensional covariance matrices,
    `doi:10.1016/S0047-259X(03)00096-4 <https://doi.org/10.1016/S0047-259X(03)00096-4>`_.
    """
    away = squared_norm - second**2 / n_dimensions
    error = (fourth - squared_norm) / n
    return 1.0 if away <= 0 else float(np.clip(error / away, 0.0, 1.0))


def shrunken_covariance(R: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shrunken covariance of centred rows, divided by their number.

    Examples
    --------
    >>> import numpy as np
    >>> shrunken_covariance(np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 2.0], [0.0, -2.0]])).round(3).tolist()
    [[1.208, 0.0], [0.0, 1.292]]
    """
    n, k = R.shape
    S = R.T @ R / n
    squared = np.square(R).sum(axis=1)
    weight = ledoit_wolf(
        squared_norm=float(np.square(S).sum()),
        n_dimensions=k,
        n=n,
        second=float(np.trace(S)),
        fourth=float(np.square(squared).mean()),
    )
    return (1 - weight) * S + weight * np.trace(S) / k * np.eye(k)
