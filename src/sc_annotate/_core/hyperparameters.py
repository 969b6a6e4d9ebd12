"""Checks of hyperparameters, for annotators and predictors: an error that names the class and the parameter."""

from __future__ import annotations

from typing import Any

import numpy as np

from sc_annotate.errors import MethodError


def need_positive(model: Any, *names: str) -> None:
    """Raise MethodError unless the named hyperparameters are positive numbers.

    Parameters
    ----------
    model
        A method.
    names
        Names of its hyperparameters.

    Examples
    --------
    >>> from sc_annotate.annotators.knn import KNN
    >>> need_positive(KNN(n_neighbors=0), "n_neighbors")
    Traceback (most recent call last):
        ...
    sc_annotate.errors.MethodError: KNN: n_neighbors must be a positive number, not 0.
    """
    for name in names:
        value = getattr(model, name)
        if not isinstance(value, int | float | np.number) or isinstance(value, bool) or not value > 0:
            raise MethodError(f"{type(model).__name__}: {name} must be a positive number, not {value!r}.")


def need_count(model: Any, *names: str) -> None:
    """Raise MethodError unless the named hyperparameters are whole numbers from 1.

    Parameters
    ----------
    model
        A method.
    names
        Names of its hyperparameters.

    Examples
    --------
    >>> from sc_annotate.annotators.knn import KNN
    >>> need_count(KNN(n_neighbors=2.5), "n_neighbors")
    Traceback (most recent call last):
        ...
    sc_annotate.errors.MethodError: KNN: n_neighbors must be a whole number from 1, not 2.5.
    """
    for name in names:
        value = getattr(model, name)
        if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 1:
            raise MethodError(f"{type(model).__name__}: {name} must be a whole number from 1, not {value!r}.")


def need_choice(model: Any, name: str, choices: tuple[Any, ...]) -> None:
    """Raise MethodError unless the named hyperparameter is one of `choices`.

    Parameters
    ----------
    model
        A method.
    name
        Name of a hyperparameter.
    choices
        What it may be.

    Examples
    --------
    >>> from sc_annotate.annotators.lda import LDA
    >>> need_choice(LDA(priors="flat"), "priors", ("observed", "uniform"))
    Traceback (most recent call last):
        ...
    sc_annotate.errors.MethodError: LDA: priors must be one of 'observed', 'uniform', not 'flat'.
    """
    value = getattr(model, name)
    if value not in choices:
        raise MethodError(
            f"{type(model).__name__}: {name} must be one of {', '.join(map(repr, choices))}, not {value!r}."
        )
