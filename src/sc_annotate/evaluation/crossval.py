"""Cross-validation of methods that are handed in, as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from sc_annotate._core.registry import capabilities_of
from sc_annotate.errors import InputError, MethodError
from sc_annotate.metrics.encoding import encode, same_length

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    from sc_annotate.evaluation.splits import Split

__all__ = ["Predictions", "Unlabelled", "cross_validate"]


class _Fits(Protocol):
    classes_: NDArray[np.str_]

    def fit(self, X: Any, y: Any, *, genes: Any, batch: Any = ..., rng: int = ...) -> Any: ...

    def predict_proba(self, X: Any) -> NDArray[np.float32]: ...


@dataclass(frozen=True, eq=False)
class Unlabelled:
    """Cells without a label, for methods that declare to learn from them too (``unlabelled``).

    Examples
    --------
    >>> import numpy as np
    >>> from sc_annotate.evaluation import Unlabelled
    >>> cells = Unlabelled(np.zeros((3, 2), np.float32), np.array(["one", "one", "two"]))
    >>> cells.without(["two"]).X.shape
    (2, 2)
    """

    X: Any
    """Cells x genes, the genes of the labelled cells; CSR or dense."""
    batch: NDArray[np.str_] | None = None
    """Batch of each cell, or None."""

    def without(self, batches: ArrayLike) -> Unlabelled:
        """Those of no such batch; all where batches are not known."""
        if self.batch is None:
            return self
        kept = ~np.isin(self.batch, batches)
        return Unlabelled(self.X[kept], self.batch[kept])

    def passed(self, model: Any) -> dict[str, Any]:
        """Arguments of ``fit``: none for a model that does not declare to take them, or without any cells."""
        if not capabilities_of(model).unlabelled or not self.X.shape[0]:
            return {}
        return {"unlabelled": self.X, "unlabelled_batch": self.batch}


@dataclass(frozen=True, eq=False)
class Predictions:
    """What a method said of cells it had not seen.

    Splits follow one another. A cell that two splits test on appears twice.
    """

    y: NDArray[np.str_]
    """True types, shape (n_test,)."""
    proba: NDArray[np.float32]
    """Probabilities, shape (n_test, k); 0 for a type that the training cells of the fold lack."""
    classes: NDArray[np.str_]
    """Types of the columns: all that occur in y, sorted."""
    cells: NDArray[np.intp]
    """Row numbers in X, shape (n_test,)."""
    fold: NDArray[np.intp]
    """Position of the split, shape (n_test,)."""
    fold_names: list[str]
    """Names of the splits."""
    seconds_fit: float
    """Wall time of all fits together."""
    seconds_predict: float
    """Wall time of all predictions together."""

    @property
    def labels(self) -> NDArray[np.str_]:
        """The most probable type of each cell, shape (n_test,); of equal ones the first in `classes`."""
        labels: NDArray[np.str_] = self.classes[self.proba.argmax(axis=1)]
        return labels


def cross_validate(
    make: Callable[[], _Fits],
    X: Any,
    y: ArrayLike,
    splits: Sequence[Split],
    *,
    genes: ArrayLike,
    batch: ArrayLike | None = None,
    unlabelled: Unlabelled | None = None,
    obsm: Mapping[str, NDArray[Any]] | None = None,
    rng: int = 0,
    progress: str | None = None,
    then: Callable[[Any, Split], None] | None = None,
) -> Predictions:
    """Train on the training cells of each split and predict its test cells.

    Parameters
    ----------
    make
        Called without arguments for each split; returns an unfitted method with ``fit``, ``predict_proba`` and
        ``classes_``.
    X
        Cells x genes, a scipy sparse matrix or a numpy array. Handed on row by row, not modified.
    y
        Type of each cell, shape (n,).
    splits
        From `sc_annotate.evaluation.splits`.
    genes
        One name a column of `X`.
    batch
        Batch of each cell, shape (n,), handed to ``fit``.
    unlabelled
        Further cells, handed to the ``fit`` of methods that declare ``unlabelled``. Where a split tests whole batches, cells
        of these are left out of it: a new batch would not be seen either.
    obsm
        What else is known of each cell, arrays of n rows, handed in parts to methods that declare ``transductive``: these are
        fitted on the training cells and, as cells without a label, on the test cells.
    rng
        Seed, handed to each ``fit``.
    progress
        Text of a progress bar; None shows no bar.
    then
        Called with the fitted method of each split, and the split.

    Returns
    -------
    The predictions for all test cells, split after split.

    Raises
    ------
    sc_annotate.errors.InputError
        Lengths that do not fit, no splits, or a split that trains on what it tests, is empty or goes beyond the cells.
    sc_annotate.errors.MethodError
        The method returns probabilities of the wrong shape, of types it was not shown, or NaN.

    Examples
    --------
    >>> import numpy as np
    >>> from sc_annotate.evaluation import cross_validate, stratified
    >>> class Shares:
    ...     def fit(self, X, y, *, genes, batch=None, rng=0):
    ...         self.classes_, n = np.unique(y, return_counts=True)
    ...         self.shares = n / n.sum()
    ...
    ...     def predict_proba(self, X):
    ...         return np.tile(self.shares, (X.shape[0], 1))
    >>> y = np.array(["B"] * 10 + ["T"] * 20)
    >>> X = np.ones((30, 2), dtype=np.float32)
    >>> out = cross_validate(Shares, X, y, stratified(y, 5), genes=["CD19", "CD3E"])
    >>> out.proba.shape, float((out.labels == out.y).mean().round(2))
    ((30, 2), 0.67)
    """
    from sc_annotate._core.settings import track, within

    X, truth, genes, batch = _checked(X, y, splits, genes, batch)
    if unlabelled is not None:
        unlabelled = _usable(unlabelled, X.shape[1])
    classes = np.unique(truth)
    parts, fitting, predicting = [], 0.0, 0.0
    for i, split in enumerate(track(splits, what=progress, total=len(splits)) if progress else splits):
        start = perf_counter()
        model: Any = make()
        more = {} if unlabelled is None else _beside(unlabelled, split, batch).passed(model)
        if sees_query := capabilities_of(model).transductive:
            more |= _query(X, batch, obsm or {}, split)
        with within(f"fold {i + 1} of {len(splits)}"):
            model.fit(
                X[split.train],
                truth[split.train],
                genes=genes,
                batch=None if batch is None else batch[split.train],
                rng=rng,
                **more,
            )
        fitted = perf_counter()
        proba = model.predict_query() if sees_query else model.predict_proba(X[split.test])
        fitting += fitted - start
        predicting += perf_counter() - fitted
        parts.append(_aligned(proba, model, classes, split, type(model).__name__))
        if then is not None:
            then(model, split)
    cells = np.concatenate([split.test for split in splits])
    fold = np.repeat(np.arange(len(splits)), [split.test.size for split in splits])
    names = [split.name for split in splits]
    return Predictions(truth[cells], np.concatenate(parts), classes, cells, fold, names, fitting, predicting)


def _checked(
    X: Any, y: ArrayLike, splits: Sequence[Split], genes: ArrayLike, batch: ArrayLike | None
) -> tuple[Any, NDArray[np.str_], NDArray[np.str_], NDArray[np.str_] | None]:
    """The arguments as arrays that agree with each other."""
    if getattr(X, "format", "csr") != "csr":
        X = X.tocsr()
    n, n_genes = X.shape
    types, codes = encode(y, "y")
    same_length(n, codes.size, "y", of="X")
    gene_names = np.asarray(genes).astype(np.str_)
    if gene_names.shape != (n_genes,):
        raise InputError(f"genes must name the {n_genes} columns of X, but its shape is {gene_names.shape}.")
    batches = None
    if batch is not None:
        batch_names, batch_codes = encode(batch, "batch")
        same_length(n, batch_codes.size, "batch", of="X")
        batches = batch_names[batch_codes]
    if not splits:
        raise InputError("splits is empty. Pass at least one split.")
    for split in splits:
        both = np.concatenate([split.train, split.test])
        if split.train.size == 0 or split.test.size == 0:
            raise InputError(
                f"the split {split.name!r} has {split.train.size} training and {split.test.size} test cells."
            )
        if both.min() < 0 or both.max() >= n:
            raise InputError(f"the split {split.name!r} goes beyond the {n} cells of X. Was it made for other cells?")
        if np.intersect1d(split.train, split.test).size:
            raise InputError(f"the split {split.name!r} trains on cells that it tests. Make its parts disjoint.")
    return X, types[codes], gene_names, batches


def _usable(unlabelled: Unlabelled, n_genes: int) -> Unlabelled:
    """The cells without a label, with the genes of the others and one batch each."""
    X, batch = unlabelled.X, unlabelled.batch
    if getattr(X, "format", "csr") != "csr":
        X = X.tocsr()
    if X.ndim != 2 or X.shape[1] != n_genes:
        raise InputError(f"unlabelled.X has the shape {X.shape} and X has {n_genes} genes. Pass the same genes.")
    if batch is not None:
        batch = np.asarray(batch).astype(np.str_)
        same_length(X.shape[0], batch.size, "unlabelled.batch", of="unlabelled.X")
    return Unlabelled(X, batch)


def _beside(unlabelled: Unlabelled, split: Split, batch: NDArray[np.str_] | None) -> Unlabelled:
    """The cells without a label that a split may be fitted on: none of a batch that it only tests."""
    if batch is None:
        return unlabelled
    return unlabelled.without(np.setdiff1d(batch[split.test], batch[split.train]))


def _query(X: Any, batch: NDArray[np.str_] | None, obsm: Mapping[str, NDArray[Any]], split: Split) -> dict[str, Any]:
    """The test cells of a split, for a method that sees what it is to annotate."""
    return {
        "query": X[split.test],
        "query_batch": None if batch is None else batch[split.test],
        "obsm": {name: values[split.train] for name, values in obsm.items()},
        "query_obsm": {name: values[split.test] for name, values in obsm.items()},
    }


def _aligned(
    proba: NDArray[np.float32], model: _Fits, classes: NDArray[np.str_], split: Split, name: str
) -> NDArray[np.float32]:
    """The probabilities in the columns of all types."""
    known = np.asarray(model.classes_).astype(np.str_)
    where = f"{name} on the split {split.name!r}"
    if proba.shape != (split.test.size, known.size):
        raise MethodError(
            f"{where} returned {proba.shape} probabilities for {split.test.size} cells, {known.size} types."
        )
    if not np.isin(known, classes).all():
        raise MethodError(f"{where} has types in classes_ that y does not have.")
    if not np.isfinite(proba).all():
        raise MethodError(f"{where} returned NaN or infinite probabilities.")
    out = np.zeros((split.test.size, classes.size), dtype=np.float32)
    out[:, np.searchsorted(classes, known)] = proba
    return out
