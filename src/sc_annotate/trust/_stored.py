"""Reading back what parts of this package stored of themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sc_annotate._core.decode import decode
from sc_annotate._core.stored_arrays import check_arrays
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypeVar

    from numpy.typing import NDArray

    from sc_annotate._core.stored_arrays import Stored

    T = TypeVar("T")


def stored_params(cls: type[T], meta: Mapping[str, Any]) -> T:
    """An unfitted `cls` with the parameters in ``meta["params"]``, all of which must be there; or an InputError."""
    params = meta.get("params")
    if not isinstance(params, dict) or set(params) != set(vars(cls)["__dataclass_fields__"]):
        raise InputError("the stored parameters are missing or of another version. Fit again.")
    try:
        model: T = decode(cls, params, "params")
    except ValueError as error:
        raise InputError(f"the stored {error}. Fit again.") from error
    return model


def take(
    arrays: Mapping[str, Any], prefix: str, declared: Mapping[str, Stored], **sizes: int
) -> dict[str, NDArray[Any]]:
    """All arrays whose names start with `prefix`, by the rest of their name, each as declared; or an InputError."""
    own = {name.removeprefix(prefix): value for name, value in arrays.items() if name.startswith(prefix)}
    try:
        return check_arrays(own, declared, **sizes)
    except ValueError as error:
        raise InputError(f"{prefix}: {error}. Fit again.") from error
