"""Arguments that several calls share, checked before any work is done."""

from __future__ import annotations

from numbers import Integral
from typing import Any, get_args

import numpy as np

from sc_annotate.annotation.block import Keep
from sc_annotate.errors import InputError, MethodError

N_TOP_GENES = 2000
"""Highly variable genes that a method sees, unless another number is asked for."""


def check_rng(rng: Any) -> None:
    """Refuse what is no seed."""
    if isinstance(rng, bool) or not isinstance(rng, int | np.integer) or not 0 <= int(rng) < 2**32:
        raise InputError(f"rng must be an integer from 0 to 2**32 - 1, not {rng!r}.")


def check_n_top_genes(n_top_genes: Any) -> None:
    """Refuse what is no number of genes."""
    if n_top_genes is not None and (
        isinstance(n_top_genes, bool) or not isinstance(n_top_genes, Integral) or n_top_genes < 2
    ):
        raise InputError(f"n_top_genes must be None or a whole number of at least 2, not {n_top_genes!r}.")


def check_store_proba(store_proba: Any) -> None:
    """Refuse what does not say which probabilities to keep."""
    if store_proba not in get_args(Keep) or store_proba == 0 and store_proba is not False:
        raise InputError(f"store_proba must be 'all', 'topk' or False, not {store_proba!r}.")


def check_min_overlap(min_overlap: Any) -> None:
    """Refuse what is no share of genes."""
    if isinstance(min_overlap, bool) or not isinstance(min_overlap, int | float) or not 0 <= min_overlap <= 1:
        raise InputError(f"min_overlap must be a share between 0 and 1, not {min_overlap!r}.")


def check_several(method: Any, reference: Any) -> list[str]:
    """Names of several methods, each once."""
    if not isinstance(method, list | tuple):
        raise MethodError(f"method must be a name such as 'logreg', or a list of names, not {method!r}.")
    names = list(method)
    if len(names) < 2 or len(set(names)) < len(names) or not all(isinstance(name, str) for name in names):
        raise InputError(f"method must be a name, or a list of at least two different names, not {method!r}.")
    if not hasattr(reference, "obs") and reference is not None:
        raise InputError("a fitted model has one method; pass the labelled reference to fit several.")
    return names
