"""Arguments of predict_perturbation: checked before anything is computed, and as a file can hold them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sc_annotate._core.arguments import columns
from sc_annotate._core.codec import sanitize
from sc_annotate.errors import InputError, StorageError

if TYPE_CHECKING:
    from collections.abc import Mapping

TAKEN = ("reason", "held_out")
"""Columns of what get.perturbation returns."""


def check_kwargs(method_kwargs: Any) -> dict[str, Any]:
    """Parameters of a method."""
    if method_kwargs is not None and not hasattr(method_kwargs, "items"):
        raise InputError(f"method_kwargs must be a dict of parameters, not {method_kwargs!r}.")
    return dict(method_kwargs or {})


def check_covariates(covariate_keys: Any) -> list[str]:
    """Names of columns with contexts."""
    keys = columns(covariate_keys, "covariate_keys")
    if taken := [key for key in keys if key in TAKEN]:
        raise InputError(f"covariate_keys: {taken[0]!r} is a column of the result. Rename it in obs.")
    return keys


def plain(params: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters as a file can hold them; of objects such as another screen only the kind."""
    out: dict[str, Any] = {}
    for name, value in params.items():
        if isinstance(value, dict) and len(value) > 20:
            out[str(name)] = f"<dict of {len(value)}>"
            continue
        try:
            out[str(name)] = sanitize(value)
        except StorageError:
            out[str(name)] = f"<{type(value).__name__}>"
    return out
