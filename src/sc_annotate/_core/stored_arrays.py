"""What the arrays of a fitted object must be when they are read from a file: type, shape and range, declared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.schema import LARGEST

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray


@dataclass(frozen=True)
class Stored:
    """One array: its type, the names or sizes of its dimensions, and the range of its values, both ends included.

    One name is one size wherever it stands. ``below`` is the name of a dimension whose size all values lie below, as
    numbers of its entries do. Values are finite.
    """

    dtype: str
    shape: tuple[str | int, ...]
    low: float = -LARGEST
    high: float = LARGEST
    below: str | None = None


def check_arrays(arrays: Mapping[str, Any], declared: Mapping[str, Stored], **sizes: int) -> dict[str, NDArray[Any]]:
    """The arrays, all that are declared and no others; a ValueError names the first that is not as declared.

    Examples
    --------
    >>> declared = {"coef": Stored("f4", ("types", "genes")), "codes": Stored("i4", ("cells",), low=0, below="types")}
    >>> arrays = {"coef": np.zeros((2, 3), np.float32), "codes": np.array([0, 1, 2], np.int32)}
    >>> check_arrays(arrays, declared, types=2)
    Traceback (most recent call last):
    ...
    ValueError: the array 'codes' has values that are not between 0 and 1
    """
    if wrong := arrays.keys() ^ declared.keys():
        raise ValueError(f"the arrays {', '.join(sorted(map(repr, wrong)))} are missing or unknown")
    for name, each in declared.items():
        array = np.asarray(arrays[name])
        if array.dtype != np.dtype(each.dtype) or array.ndim != len(each.shape):
            raise ValueError(f"the array {name!r} holds {array.dtype} of shape {array.shape}")
        for dimension, size in zip(each.shape, array.shape, strict=True):
            known = sizes.setdefault(dimension, size) if isinstance(dimension, str) else dimension
            if size != known or not size:
                raise ValueError(f"the array {name!r} has the shape {array.shape}, which does not fit the others")
    for name, each in declared.items():
        high = each.high if each.below is None else sizes[each.below] - 1
        # NaN is in no range.
        if not bool(((arrays[name] >= each.low) & (arrays[name] <= high)).all()):
            raise ValueError(f"the array {name!r} has values that are not between {each.low:g} and {high:g}")
    return dict(arrays)
