"""sc_annotate: annotate cells and predict perturbations on AnnData, always compared with a simple baseline."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from sc_annotate._core.version import __version__

if TYPE_CHECKING:
    from sc_annotate import (
        annotators,
        benchmark,
        datasets,
        encoders,
        errors,
        get,
        metrics,
        models,
        pl,
        pp,
        predictors,
        testing,
        tl,
        trust,
    )
    from sc_annotate._core.settings import settings
    from sc_annotate.registration import register_annotator, register_encoder, register_predictor
    from sc_annotate.tl import load

__all__ = [
    "__version__",
    "annotators",
    "benchmark",
    "datasets",
    "encoders",
    "errors",
    "get",
    "load",
    "metrics",
    "models",
    "pl",
    "pp",
    "predictors",
    "register_annotator",
    "register_encoder",
    "register_predictor",
    "settings",
    "testing",
    "tl",
    "trust",
]

# Importing anndata or scanpy takes seconds, so every name is fetched when it is first used.
_MODULES = {
    "load": "sc_annotate.tl",
    "register_annotator": "sc_annotate.registration",
    "register_encoder": "sc_annotate.registration",
    "register_predictor": "sc_annotate.registration",
    "settings": "sc_annotate._core.settings",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'sc_annotate' has no attribute {name!r}")
    if name in _MODULES:
        value = getattr(import_module(_MODULES[name]), name)
    else:
        value = import_module(f"sc_annotate.{name}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
