"""Checks of the hyperparameters that all networks have."""

from __future__ import annotations

import os
from typing import Any, get_args

from sc_annotate._core.arguments import need_choice, need_count, need_positive
from sc_annotate._core.codec import check_texts
from sc_annotate.annotators._moments import Scaling
from sc_annotate.annotators.checks import need_not_negative
from sc_annotate.errors import InputError, MethodError

MOST_EPOCHS, MOST_NETWORKS = 100_000, 1_000
_LARGEST_STEP = 1e6  # AdamW moves each weight by about this much: more is no number in single precision.


def check_network(model: Any) -> None:
    """Refuse hyperparameters that cannot be used."""
    need_positive(model, "learning_rate")
    if model.learning_rate > _LARGEST_STEP:
        raise MethodError(f"learning_rate must be {_LARGEST_STEP:g} at most, not {model.learning_rate!r}.")
    need_count(model, "batch_size", "n_networks", "devices")
    need_count(model, *(name for name in ("epochs", "patience") if getattr(model, name) is not None))
    need_at_most(model, "epochs", MOST_EPOCHS)
    need_at_most(model, "n_networks", MOST_NETWORKS)
    need_choice(model, "class_weight", ("balanced", "sqrt", None))
    need_choice(model, "scaling", get_args(Scaling))
    need_choice(model, "precision", ("auto", "32", "16-mixed", "bf16-mixed"))
    if model.clip is not None:
        need_positive(model, "clip")
    for name in ("sd_floor", "weight_decay"):
        need_not_negative(model, name)
    for name in (name for name in ("input_dropout", "dropout") if hasattr(model, name)):
        need_not_negative(model, name)
        if getattr(model, name) >= 1:
            raise MethodError(f"{name} must be at least 0 and below 1, not {getattr(model, name)!r}.")
    if model.checkpoint is not None:
        _check_folder(model.checkpoint)


def need_at_most(model: Any, name: str, most: int) -> None:
    """Refuse more than a training ever takes: it would not end, and there is no telling why."""
    if (value := getattr(model, name)) is not None and value > most:
        raise MethodError(f"{name} must be {most:,} at most, not {value}.")


def _check_folder(folder: object) -> None:
    path = os.fspath(folder) if isinstance(folder, str | os.PathLike) else None
    if not isinstance(path, str) or not path:
        raise MethodError(f"checkpoint must be a folder or None, not {folder!r}.")
    try:
        check_texts([path], "checkpoint")
    except InputError as error:
        raise MethodError(str(error)) from error
