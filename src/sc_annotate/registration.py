"""Decorators that add a method to the registry for this Python process.

Packages use entry points instead (``sc_annotate.annotators``, ``sc_annotate.predictors``,
``sc_annotate.encoders``), which work without importing anything first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sc_annotate._core.arguments import public
from sc_annotate._core.registry import register

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["register_annotator", "register_encoder", "register_predictor"]


@public
def register_annotator(name: str, **record: Any) -> Callable[[type[Any]], type[Any]]:
    """Make a class available as ``sca.tl.annotate(..., method=name)``.

    Parameters
    ----------
    name
        What users will write. The name of a built-in method or of an installed package's is refused; a name that was
        registered by a decorator before is replaced, since a notebook cell runs more than once.
    **record
        Fields of the registry's line: ``summary`` (default: the first line of the class's docstring),
        ``reference`` (a DOI), ``inputs`` (``"log"``, ``"counts"`` or ``"embedding"``), ``kind`` (``"array"``, or
        ``"adapter"`` for a tool that insists on an AnnData), ``extra`` (what to install), ``saves``. What is left out is
        as the class declares it: see :class:`sc_annotate.annotators.Annotator`.

    Returns
    -------
    A class decorator. Check the class with :func:`sc_annotate.testing.check_annotator`.

    Raises
    ------
    MethodError
        The name is taken, or the record has unknown fields or values.

    Examples
    --------
    >>> import numpy as np
    >>> import sc_annotate as sca
    >>> @sca.register_annotator("coin", summary="Every type equally likely", saves=False)
    ... class Coin:
    ...     def fit(self, X, y, *, genes, batch=None, rng=0):
    ...         self.classes_ = np.unique(y)
    ...         return self
    ...
    ...     def predict_proba(self, X):
    ...         return np.full((X.shape[0], len(self.classes_)), 1 / len(self.classes_), np.float32)
    >>> sca.tl.methods().loc["coin", "summary"]
    'Every type equally likely'
    """
    return register("annotation", name, **record)


@public
def register_predictor(name: str, **record: Any) -> Callable[[type[Any]], type[Any]]:
    """Make a perturbation predictor available by name.

    Parameters
    ----------
    name
        What users will write; taken names as of :func:`register_annotator`.
    **record
        As of :func:`register_annotator`, but ``inputs`` is ``"profiles"`` (default: the class gets mean profiles) or
        ``"cells"`` (it needs the cells of the screen as well).

    Returns
    -------
    A class decorator. Check the class with :func:`sc_annotate.testing.check_predictor`.

    Raises
    ------
    MethodError
        The name is taken, or the record has unknown fields or values.

    Examples
    --------
    >>> import numpy as np
    >>> import sc_annotate as sca
    >>> @sca.register_predictor("median", summary="The median profile of the training conditions", saves=False)
    ... class Median:
    ...     def fit(self, screen, *, rng=0):
    ...         self.profile_ = np.median(screen.mean, axis=0)
    ...         return self
    ...
    ...     def predict(self, targets):
    ...         return np.tile(self.profile_, (len(targets), 1))
    ...
    ...     def why_not(self, targets):
    ...         return np.full(len(targets), "")
    >>> sca.tl.methods("perturbation").loc["median", "inputs"]
    'profiles'
    """
    return register("perturbation", name, **record)


@public
def register_encoder(name: str, **record: Any) -> Callable[[type[Any]], type[Any]]:
    """Make an encoder available by name.

    Parameters
    ----------
    name
        What users will write.
    **record
        As of :func:`register_annotator`.

    Raises
    ------
    MethodError
        The name is taken, or the record has unknown fields or values.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> @sca.register_encoder("identity", summary="Hands the values back")
    ... class Identity: ...
    """
    return register("encoding", name, **record)
