"""Annotated class attributes that look like hyperparameters and are none."""

from __future__ import annotations

import inspect
import re
from dataclasses import is_dataclass
from typing import Any, ClassVar, get_origin

from sc_annotate._core.registry import Capabilities
from sc_annotate.testing._run import require

_DECLARED = {*Capabilities.__dataclass_fields__, "registry_record", "link"}


def require_fields(cls: type[Any]) -> None:
    """Refuse ``sharpness: float = 20.0`` in a class without ``@dataclass``, where no argument can change it."""
    for each in cls.__mro__:
        found = _no_fields(each)
        require(
            not found,
            f"{', '.join(found)} of {each.__name__} cannot be set, as the class is no dataclass: write @dataclass "
            "directly above it, or annotate what is no hyperparameter as ClassVar",
        )


def _no_fields(cls: type[Any]) -> list[str]:
    own = cls.__dict__
    if "__dataclass_params__" in own:
        return []
    taken = set(inspect.signature(own["__init__"]).parameters) if "__init__" in own else set()
    found = []
    for name, annotation in inspect.get_annotations(cls).items():
        # Without a value it is a field that was forgotten only in a subclass of a dataclass; others say types so.
        meant = name in own or (is_dataclass(cls) and not name.endswith("_"))
        if meant and not name.startswith("_") and name not in taken | _DECLARED and not _is_of_class(annotation):
            found.append(name)
    return found


def _is_of_class(annotation: Any) -> bool:
    if isinstance(annotation, str):
        return re.match(r"(\w+\.)*ClassVar\b", annotation) is not None
    return annotation is ClassVar or get_origin(annotation) is ClassVar
