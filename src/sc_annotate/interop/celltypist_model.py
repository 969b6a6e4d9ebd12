"""Read a CellTypist model, from its pickle (as a description) or from the object itself."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate.errors import ModelFileError
from sc_annotate.interop.pickles import pickled_arrays
from sc_annotate.interop.pickles.description import MAX_BYTES, Thing, read

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from sc_annotate.interop.pickles.machine import Use

_MADE = re.compile(
    r"sklearn\.linear_model\.(_logistic|logistic) LogisticRegression"
    r"|sklearn\.linear_model\.(_stochastic_gradient|stochastic_gradient) SGDClassifier"
    r"|sklearn\.preprocessing\.(_data|data) StandardScaler"
)
# What scikit-learn stores besides the numbers: the loss and the random state.
_CALLED = re.compile(
    r"sklearn\._loss\._loss (Cy|__pyx_unpickle_Cy)\w+"
    r"|sklearn\.linear_model\._?sgd_fast (Log|__pyx_unpickle_Log)"
    r"|numpy\.random\._pickle (__randomstate_ctor|__bit_generator_ctor)"
)
_COMPRESSED = (
    b"\x78\x01",
    b"\x78\x5e",
    b"\x78\x9c",
    b"\x78\xda",
    b"\x1f\x8b",
    b"BZh",
    b"\xfd7zXZ",
    b"\x5d\x00\x00",
    b"\x04\x22M\x18",
)
"""How files begin that zlib, gzip, bzip2, xz, lzma and lz4 write."""
MAX_LINES = 100
"""Of the description."""
MAX_NUMBERS = 2**25
"""Coefficients: 300 types of 100,000 genes."""
_NAMED = re.compile(r"numpy\.random\._mt19937 MT19937")


def permit(module: str, name: str) -> Use | None:
    """Allow the names that occur in files of CellTypist, and no others."""
    text = f"{module} {name}"
    if _MADE.fullmatch(text):
        return "made"
    if _CALLED.fullmatch(text):
        return "called"
    return "named" if _NAMED.fullmatch(text) else pickled_arrays.permit(module, name)


@dataclass(frozen=True)
class Parts:
    """A CellTypist model in plain arrays: one row of `weights` a type, or one alone for two types.

    ``joint`` says that the types were fitted together (a softmax), which a sigmoid a type does not fit.
    """

    classes: NDArray[np.str_]
    features: NDArray[np.str_]
    weights: NDArray[np.float64]
    offset: NDArray[np.float64]
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    joint: bool
    trained_by: str
    description: dict[str, str]


def from_file(path: Path) -> Parts:
    """Read a pickle of CellTypist; nothing in it is run."""
    what = repr(str(path))
    if not os.path.isfile(path):
        raise ModelFileError(
            f"there is no file {what}. Download a model from https://www.celltypist.org/models, or write one with "
            "`model.write(path)` of celltypist."
        )
    if (size := path.stat().st_size) > MAX_BYTES:
        raise ModelFileError(f"{what} has {size:,} bytes; at most {MAX_BYTES:,} are read.")
    try:
        data = path.read_bytes()
    except MemoryError as error:
        raise ModelFileError(f"{what} has {size:,} bytes, for which there is not enough memory.") from error
    if data.startswith(_COMPRESSED):
        raise ModelFileError(
            f"{what} is compressed, as joblib does it, and no pickle as CellTypist writes it. Load it where it was made, and write it "
            "with `model.write(path)` of celltypist."
        )
    found = read(data, permit, what=what)
    if not isinstance(found, dict) or not {"Model", "Scaler_", "description"} <= set(found):
        raise ModelFileError(f"{what} is a pickle, but not of a CellTypist model (Model, Scaler_ and description).")
    model, scaler = found["Model"], found["Scaler_"]
    if not all(type(thing) is Thing and thing.of.use == "made" for thing in (model, scaler)):
        raise ModelFileError(f"{what} holds no classifier and scaler of scikit-learn, as a CellTypist model does.")
    return _parts(model.of.name, model.state, scaler.of.name, scaler.state, found["description"], what)


def from_object(model: Any) -> Parts:
    """Read a ``celltypist.models.Model`` that is in memory already."""
    classifier, scaler = model.classifier, model.scaler
    return _parts(
        type(classifier).__name__,
        getattr(classifier, "__dict__", {}),
        type(scaler).__name__,
        getattr(scaler, "__dict__", {}),
        model.description,
        "the CellTypist model",
    )


def _parts(kind: str, model: Any, scaler_kind: str, scaler: Any, description: Any, what: str) -> Parts:
    try:
        if kind not in ("LogisticRegression", "SGDClassifier") or scaler_kind != "StandardScaler":
            raise ValueError(f"{kind} and {scaler_kind} instead of a logistic regression and a StandardScaler")
        return _checked(kind, model, scaler, description)
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError, MemoryError) as error:
        raise ModelFileError(f"{what} is not a complete CellTypist model ({error}). Get it again.") from error


def _checked(kind: str, model: Mapping[str, Any], scaler: Mapping[str, Any], description: Any) -> Parts:
    """The arrays, which have to fit each other."""
    classes, features = (pickled_arrays.texts(pickled_arrays.value(model[name])) for name in ("classes_", "features"))
    weights, offset = _numbers(model["coef_"]), np.atleast_1d(_numbers(model["intercept_"]))
    k, n = len(classes), len(features)
    rows = 1 if k == 2 else k
    _require(k >= 2 and len(np.unique(classes)) == k, "its types repeat, or are fewer than two")
    _require(n >= 1 and len(np.unique(features)) == n, "its genes repeat")
    _require(weights.shape in {(rows, n), (k, n)}, "its coefficients do not fit its types and genes")
    _require(offset.shape == (len(weights),), "its intercepts do not fit its types")
    scale = _numbers(scaler["scale_"])
    centred = bool(pickled_arrays.value(scaler.get("with_mean", True)))
    mean = _numbers(scaler["mean_"]) if centred else np.zeros(n)
    _require(mean.shape == scale.shape == (n,), "its scaler does not fit its genes")
    _require(bool((scale > 0).all() and (mean >= 0).all()), "its scaler was not made from logarithms of counts")
    with np.errstate(all="ignore"):
        coef = weights / scale
        used = [coef.astype(np.float32), (offset - coef @ mean).astype(np.float32), mean.astype(np.float32)]
    _require(all(bool(np.isfinite(a).all()) for a in used), "its coefficients are too large")
    if kind == "SGDClassifier":
        loss = model.get("loss")
        known = isinstance(loss, str) and loss in ("log", "log_loss")
        _require(known, f"its loss is {loss[:30] if isinstance(loss, str) else None!r}, not logistic")
    order = np.argsort(classes)
    if len(weights) == k:
        weights, offset = weights[order], offset[order]
    elif order[0] != 0:
        weights, offset = -weights, -offset
    version = model.get("_sklearn_version")
    return Parts(
        classes[order],
        features,
        weights,
        offset,
        mean,
        scale,
        _joint(kind, model, weights),
        kind + (f" of scikit-learn {version}"[:60] if isinstance(version, str) else ""),
        _plain(description),
    )


def _joint(kind: str, model: Mapping[str, Any], weights: NDArray[np.float64]) -> bool:
    """Whether all types were fitted together.

    A softmax does not see a shift that all types share, so its penalty brings the sum of the coefficients of a gene over the
    types to 0; in regressions fitted one by one it never is. The parameters in the file are used too.
    """
    if kind == "SGDClassifier" or model.get("solver") == "liblinear":
        return False
    if model.get("multi_class") == "multinomial":
        return True
    if len(weights) == 1:
        return False
    if model.get("multi_class") not in ("ovr", "warn"):
        return True
    return bool(np.abs(weights.sum(axis=0)).max() <= 1e-3 * np.abs(weights).sum(axis=0).max())


def _numbers(found: Any) -> NDArray[np.float64]:
    values = pickled_arrays.value(found)
    # A nest of lists would become an array of any size.
    _require(isinstance(values, np.ndarray) and values.dtype.kind in "fiu", "numbers are missing")
    _require(values.size <= MAX_NUMBERS, f"more than {MAX_NUMBERS:,} numbers")
    _require(bool(np.isfinite(values).all()), "some numbers are not finite")
    return values.astype(np.float64)


def _plain(description: Any, longest: int = 2000) -> dict[str, str]:
    """The description as short strings on one line each."""
    if not isinstance(description, dict):
        return {}
    plain: dict[str, str] = {}
    for key, found in list(description.items())[:MAX_LINES]:
        # One after the other: each may be an array of the same bytes.
        value = pickled_arrays.value(found)
        if isinstance(value, str | int | float | np.generic):
            plain[_line(str(key)[:longest])] = _line(str(value)[:longest])
    return plain


def _line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)
