"""What a split is, and the checks that all splits share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sc_annotate.errors import InputError
from sc_annotate.metrics.encoding import encode

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, eq=False)
class Split:
    """One division of the cells; `train` and `test` are sorted row numbers and share none."""

    name: str
    train: NDArray[np.intp]
    test: NDArray[np.intp]


def split_by(name: str, test: NDArray[np.bool_]) -> Split:
    """The split that tests the marked cells and trains on the others."""
    return Split(name, np.flatnonzero(~test), np.flatnonzero(test))


def check_fraction(fraction: float) -> None:
    """Raise unless a share is held out and a share is left."""
    if not 0 < fraction < 1:
        raise InputError(f"fraction is {fraction}, but must lie between 0 and 1, both excluded.")


def missing_types(y: ArrayLike, split: Split) -> NDArray[np.str_]:
    """Types that are tested on but have no training cell, sorted: no method can get these right.

    Parameters
    ----------
    y
        Type of each cell, shape (n,).
    split
        One split of these cells.

    Examples
    --------
    >>> from sc_annotate.evaluation import leave_one_type_out, missing_types
    >>> y = ["B"] * 5 + ["T"] * 5
    >>> [missing_types(y, split).tolist() for split in leave_one_type_out(y)]
    [['B'], ['T']]
    """
    types, codes = encode(y, "y")
    return types[np.setdiff1d(codes[split.test], codes[split.train])]
