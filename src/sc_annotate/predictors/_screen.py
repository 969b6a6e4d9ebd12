"""What predictors learn from: the mean profiles of a screen, and embeddings from other sources."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.arguments import public
from sc_annotate._core.codec import check_texts
from sc_annotate.errors import GeneError, InputError, MatrixError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import ArrayLike, NDArray


def _unique(names: Sequence[str], what: str, kind: type[InputError]) -> None:
    if twice := [name for name, n in Counter(names).items() if n > 1]:
        raise kind(f"{what} must be there once each, but {some(twice)} occur more often. Merge or rename them.")


def _finite(array: Any, name: str, shape: tuple[int | None, ...]) -> NDArray[np.float64]:
    try:
        values = np.asarray(array, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise MatrixError(f"{name} cannot be read as numbers ({error}). Hand in a float64 array.") from error
    if values.ndim != len(shape) or any(n is not None and n != m for n, m in zip(shape, values.shape, strict=True)):
        raise InputError(f"{name} has the shape {values.shape}, but must have {_shape(shape)}.")
    # A sum is one pass without a temporary; one that is not finite may only have run over.
    with np.errstate(invalid="ignore", over="ignore"):
        finite = np.isfinite(values.sum()) or np.isfinite(values).all()
    if not finite:
        raise MatrixError(f"{name} has NaN or infinite values. Leave out those genes or conditions.")
    return values


def _shape(shape: tuple[int | None, ...]) -> str:
    return "(" + ", ".join("any" if n is None else str(n) for n in shape) + ("," if len(shape) == 1 else "") + ")"


@dataclass(frozen=True, eq=False)
class Embedding:
    """Vectors of genes or of perturbations from another source: another screen, an annotation, a model.

    Parameters
    ----------
    names
        One name a row, str, shape (m,), each once. In a perturbation embedding the row named ``""`` is the
        control's; without one the control has zeros.
    values
        float64, shape (m, d).

    Raises
    ------
    sc_annotate.errors.InputError
        Names that occur twice, shapes that do not fit, or values that are not finite.

    Examples
    --------
    >>> from sc_annotate.predictors import Embedding
    >>> Embedding(["IRF1", "JAK2"], [[0.1, 2.0], [0.3, -1.0]]).rows(["JAK2", "SPI1"]).tolist()
    [1, -1]
    """

    names: NDArray[np.str_]
    values: NDArray[np.float64]
    _where: dict[str, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        names = np.asarray(self.names, dtype=np.str_)
        if names.ndim != 1:
            raise InputError(f"names of an embedding must have one dimension, not the shape {names.shape}.")
        _unique(names.tolist(), "names of an embedding", InputError)
        values = _finite(self.values, "values of an embedding", (len(names), None))
        if values.shape[1] == 0:
            raise InputError("values of an embedding have no columns. Pass at least one.")
        object.__setattr__(self, "names", names)
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "_where", {name: i for i, name in enumerate(names.tolist())})

    def rows(self, names: Iterable[str]) -> NDArray[np.intp]:
        """Where each name stands, intp; -1 where it is absent."""
        return np.array([self._where.get(name, -1) for name in names], dtype=np.intp)


@public
@dataclass(frozen=True, eq=False)
class Cells:
    """The cells behind a screen, for predictors that train on cells.

    Parameters
    ----------
    X
        Cells x genes, CSR or dense, float32, log-normalised.
    condition
        Position of each cell's condition in ``Screen.targets``, intp, shape (cells,); -1 is a control cell.
    batch
        Batch of each cell, str, or None.

    Examples
    --------
    >>> import numpy as np
    >>> from sc_annotate.predictors import Cells
    >>> Cells(np.ones((3, 2), np.float32), np.array([-1, 0, 0])).batch is None
    True
    """

    X: Any
    condition: NDArray[np.intp]
    batch: NDArray[np.str_] | None = None

    def _check(self, n_conditions: int, n_genes: int) -> None:
        n = len(self.condition)
        if self.X.shape != (n, n_genes):
            raise InputError(f"X of the cells has the shape {self.X.shape}, but must have {(n, n_genes)}.")
        if n and not -1 <= int(np.min(self.condition)) <= int(np.max(self.condition)) < n_conditions:
            raise InputError(f"condition of the cells must be -1 (control) to {n_conditions - 1}.")
        if self.batch is not None and len(self.batch) != n:
            raise InputError(f"batch has {len(self.batch)} entries for {n} cells.")


@public
@dataclass(frozen=True, eq=False)
class Screen:
    """The mean profiles of a perturbation screen; n conditions, p genes.

    Parameters
    ----------
    genes
        Read-out genes, str, shape (p,), each once.
    control
        Mean log-normalised expression of the control, float64, shape (p,). Zeros where `mean` holds log fold changes.
    mean
        The same of each condition, float64, shape (n, p).
    targets
        Perturbed genes of each condition, n tuples, each condition once and never empty. They need not be read out.
    controls
        Control matched to each condition (batch, cell line), float64, shape (n, p); None: `control` for all.
    n_cells
        Cells of each condition, int64, shape (n,), or None.
    cells
        The cells themselves, for predictors that train on them.

    Raises
    ------
    sc_annotate.errors.InputError
        Shapes that do not fit, values that are not finite, genes or conditions that occur twice, no condition.

    Examples
    --------
    >>> from sc_annotate.predictors import Screen
    >>> screen = Screen(["A", "B"], [1.0, 1.0], [[0.0, 1.5], [2.0, 0.5]], [("A",), ("B",)])
    >>> screen.delta.tolist()
    [[-1.0, 0.5], [1.0, -0.5]]
    >>> screen.select([1]).targets
    [('B',)]
    """

    genes: NDArray[np.str_]
    control: NDArray[np.float64]
    mean: NDArray[np.float64]
    targets: list[tuple[str, ...]]
    controls: NDArray[np.float64] | None = None
    n_cells: NDArray[np.int64] | None = None
    cells: Cells | None = None

    def __post_init__(self) -> None:
        check_texts(np.asarray(self.genes, dtype=object).ravel().tolist(), "genes", GeneError)
        genes = np.asarray(self.genes, dtype=np.str_)
        if genes.ndim != 1 or genes.size == 0:
            raise GeneError("genes must be a list of at least one gene name.")
        _unique(genes.tolist(), "genes", GeneError)
        targets = as_targets(self.targets)
        if not targets or () in targets:
            raise InputError(
                "a screen needs at least one condition, and each at least one target; the control goes into `control`."
            )
        _unique([name_of(t) for t in targets], "conditions", InputError)
        n, p = len(targets), genes.size
        checked: dict[str, Any] = {
            "genes": genes,
            "targets": targets,
            "control": _finite(self.control, "control", (p,)),
            "mean": _finite(self.mean, "mean", (n, p)),
        }
        if self.controls is not None:
            checked["controls"] = _finite(self.controls, "controls", (n, p))
        if self.n_cells is not None:
            checked["n_cells"] = np.asarray(self.n_cells, dtype=np.int64)
            if checked["n_cells"].shape != (n,):
                raise InputError(f"n_cells has the shape {checked['n_cells'].shape}, but must have ({n},).")
        if self.cells is not None:
            self.cells._check(n, p)
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    @property
    def delta(self) -> NDArray[np.float64]:
        """Profiles minus their controls, float64, shape (n, p)."""
        return self.mean - (self.control if self.controls is None else self.controls)

    def select(self, rows: ArrayLike) -> Screen:
        """The screen of some conditions, by position or by bool mask; cells of other conditions are left out.

        Raises
        ------
        sc_annotate.errors.InputError
            No row, a row twice, or one that is not there.
        """
        n = len(self.targets)
        chosen = np.asarray(rows)
        if chosen.dtype == np.bool_ and chosen.shape == (n,):
            chosen = np.flatnonzero(chosen)
        elif chosen.ndim != 1 or chosen.size == 0 or chosen.dtype.kind not in "iu":
            raise InputError(f"rows must be positions of conditions, or {n} bools, and at least one.")
        if chosen.size == 0 or chosen.min() < 0 or chosen.max() >= n or len(np.unique(chosen)) < chosen.size:
            raise InputError(f"rows must be different positions from 0 to {n - 1}, and at least one.")
        parts: dict[str, Any] = {
            "genes": self.genes,
            "control": self.control,
            "mean": self.mean[chosen],
            "targets": [self.targets[i] for i in chosen],
            "controls": None if self.controls is None else self.controls[chosen],
            "n_cells": None if self.n_cells is None else self.n_cells[chosen],
            "cells": None if self.cells is None else _cut(self.cells, chosen, n),
        }
        # Past the checks: they were made, and leaving out one condition after another would repeat them each time.
        screen = object.__new__(Screen)
        for name, value in parts.items():
            object.__setattr__(screen, name, value)
        return screen


def _cut(cells: Cells, chosen: NDArray[np.intp], n: int) -> Cells:
    # The last entry is for the code -1 of control cells; -2 marks cells that go.
    position = np.full(n + 1, -2, dtype=np.intp)
    position[chosen] = np.arange(chosen.size)
    position[n] = -1
    condition = position[cells.condition]
    kept = np.flatnonzero(condition > -2)
    return Cells(cells.X[kept], condition[kept], None if cells.batch is None else cells.batch[kept])


def as_targets(targets: Sequence[Iterable[str]]) -> list[tuple[str, ...]]:
    """Each condition as the sorted tuple of its different targets; a bare name is an error that says how to write it."""
    if isinstance(targets, str):
        raise InputError(f"targets must be a list of tuples, such as [({targets!r},)], not the text {targets!r}.")
    out = []
    for entry in targets:
        if isinstance(entry, str):
            raise InputError(f"a condition is a tuple of target genes: write ({entry!r},) instead of {entry!r}.")
        names = list(entry)
        if not all(isinstance(name, str) and name for name in names):
            raise InputError(f"the targets of a condition must be gene names, not {names!r}.")
        out.append(tuple(sorted({str(name) for name in names})))
    return out


def name_of(targets: tuple[str, ...]) -> str:
    """A condition in words."""
    return "+".join(targets)


def some(names: Sequence[str], n: int = 5) -> str:
    """The first few of many names."""
    more = f" and {len(names) - n} more" if len(names) > n else ""
    return ", ".join(names[:n]) + more
