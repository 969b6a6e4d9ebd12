"""Fitted annotators from what a file holds: hyperparameters and arrays, each as declared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.decode import decode
from sc_annotate._core.stored_arrays import check_arrays

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypeVar

    from numpy.typing import NDArray

    from sc_annotate._core.stored_arrays import Stored

    T = TypeVar("T")


def rebuild(
    cls: type[T],
    arrays: Mapping[str, NDArray[Any]],
    meta: Mapping[str, Any],
    classes: NDArray[np.str_],
    *,
    declared: Mapping[str, Stored],
    state: Mapping[str, Any] | None = None,
) -> T:
    """An annotator with its classes and, as attributes that end in ``_``, the arrays and the numbers of its state.

    `declared` says what each array must be; ``"types"`` is the number of classes. `state` is the type of each entry of
    `meta` beside the hyperparameters. What is not as declared is a ValueError.
    """
    names = np.asarray(classes).astype(str)
    state = dict(state or {})
    if wrong := meta.keys() ^ {"params", *state}:
        raise ValueError(f"the state lacks or does not know {', '.join(sorted(map(repr, wrong)))}")
    model = decode(cls, dict(meta["params"]), "params")
    found: dict[str, Any] = dict(check_arrays(arrays, declared, types=len(names)))
    found |= {name: decode(kind, meta[name], name) for name, kind in state.items()}
    vars(model).update({f"{name}_": value for name, value in found.items()}, classes_=names)
    rebuilt: T = model
    return rebuilt
