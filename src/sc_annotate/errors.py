"""The exceptions and the warning that sc_annotate raises on purpose.

Each message says what is wrong, in which object, and how to fix it. All of them derive from
:class:`ScAnnotateError`, so ``except sca.errors.ScAnnotateError`` catches exactly what this package
refuses, and nothing that is a bug.
"""

from __future__ import annotations

__all__ = [
    "ArgumentError",
    "DownloadError",
    "GeneError",
    "InputError",
    "LabelError",
    "MatrixError",
    "MethodError",
    "MissingExtraError",
    "ModelFileError",
    "ScAnnotateError",
    "ScAnnotateWarning",
    "StorageError",
]


class ScAnnotateError(Exception):
    """Base of all that this package raises on purpose."""


class InputError(ScAnnotateError, ValueError):
    """An argument, or the object it names, cannot be used."""


class ArgumentError(InputError, TypeError):
    """A function was called with an argument that it does not have, twice with one, or without one that it needs."""


class MatrixError(InputError):
    """The expression values are not what the method needs (scaled, negative, NaN, wrong kind)."""


class GeneError(InputError):
    """The genes do not fit: too few in common, duplicated, or named in another way."""


class LabelError(InputError):
    """The labels are absent, too few, or of one kind only."""


class StorageError(InputError):
    """A result cannot be written to, or read from, the place it should have in the AnnData."""


class MethodError(InputError):
    """The method is unknown, registered twice, or called with parameters it does not have."""


class ModelFileError(InputError):
    """A model file is absent, damaged, of another kind, or made by a newer version."""


class DownloadError(InputError):
    """A file cannot be downloaded: no connection, too large, too slow, or another file than the requested one."""


class MissingExtraError(ScAnnotateError, ImportError):
    """A method needs an optional dependency that is not installed."""


class ScAnnotateWarning(UserWarning):
    """Something was assumed or looks wrong; the computation went on, and the result records it."""
