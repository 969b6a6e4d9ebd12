"""The only module that knows where results are kept in an AnnData, and that one thread at a time changes them."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar

from sc_annotate.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
R = TypeVar("R")

SCHEMA: Final = 1
"""Number of the storage layout; raised when a slot changes its meaning."""

DEFAULT_KEY: Final = "annotation"

TOP_K: Final = 10
"""Probabilities of each cell that are kept with ``store_proba="topk"``."""

CONFIDENT: Final = "confident"
AMBIGUOUS: Final = "ambiguous"
UNFAMILIAR: Final = "unfamiliar"
LOW_QUALITY: Final = "low_quality"
GIVEN: Final = "given"
STATUSES: Final = (CONFIDENT, AMBIGUOUS, UNFAMILIAR, LOW_QUALITY, GIVEN)

REASONS: Final = ("empty", "doublet", "ambient")
"""Why a cell is of low quality, the strongest first."""


_LOCKS: dict[int, Any] = {}
"""One for each process: after a fork during a write, the parent's lock would never be released."""


def lock() -> Any:
    """Held while results are checked and written: what one thread adds to a table, another must not write over.

    One for all objects, as views and shallow copies share what they hold.
    """
    return _LOCKS.setdefault(os.getpid(), threading.RLock())


def one_at_a_time(function: Callable[P, R]) -> Callable[P, R]:
    """A function that changes results; threads wait for each other."""

    @wraps(function)
    def alone(*args: P.args, **kwargs: P.kwargs) -> R:
        with lock():
            return function(*args, **kwargs)

    return alone


def result_name(key: Any) -> str:
    """The name of a result, which files must be able to hold."""
    if not isinstance(key, str) or not key or "/" in key or "\0" in key or key in (".", "..", "_index"):
        raise StorageError(
            f"the name of a result (key_added, key) must be a non-empty string without '/' that files can hold, not {key!r}."
        )
    return key


@dataclass(frozen=True)
class Slots:
    """Names of the slots of one annotation, from its key."""

    key: str

    @property
    def label(self) -> str:
        return self.key

    @property
    def confidence(self) -> str:
        return f"{self.key}_confidence"

    @property
    def status(self) -> str:
        return f"{self.key}_status"

    @property
    def set_size(self) -> str:
        return f"{self.key}_set_size"

    @property
    def unfamiliarity(self) -> str:
        return f"{self.key}_unfamiliarity"

    @property
    def group(self) -> str:
        """Column of ``obs``: group of similar query cells that was tested as a whole."""
        return f"{self.key}_group"

    @property
    def low_quality(self) -> str:
        return f"{self.key}_low_quality"

    @property
    def term_id(self) -> str:
        """Column of ``obs`` with the ontology ids of labels; of any column of labels, not of annotations alone."""
        return f"{self.key}_ontology_term_id"

    @property
    def terms(self) -> str:
        """Key in ``uns`` with how these ids were found."""
        return f"{self.key}_ontology"

    @property
    def model(self) -> str:
        return f"{self.key}_model"

    @property
    def disagreement(self) -> str:
        return f"{self.key}_disagreement"

    @property
    def voted(self) -> str:
        return f"{self.key}_voted"

    @property
    def voted_share(self) -> str:
        return f"{self.key}_voted_share"

    @property
    def clusters(self) -> str:
        return f"{self.key}_clusters"

    @property
    def markers_agree(self) -> str:
        return f"{self.key}_markers_agree"

    @property
    def rollup(self) -> str:
        return f"{self.key}_rollup"

    @property
    def rollup_confidence(self) -> str:
        return f"{self.key}_rollup_confidence"

    @property
    def rollup_id(self) -> str:
        return f"{self.key}_rollup_ontology_term_id"

    @property
    def obs(self) -> tuple[str, ...]:
        """Every column of ``obs`` that an annotation may own."""
        return (
            self.label,
            self.confidence,
            self.status,
            self.set_size,
            self.unfamiliarity,
            self.group,
            self.low_quality,
            self.disagreement,
            self.voted,
            self.voted_share,
            self.clusters,
            self.markers_agree,
            self.rollup,
            self.rollup_confidence,
            self.rollup_id,
            self.model,
        )

    @property
    def proba(self) -> str:
        """Key in ``obsm``."""
        return f"{self.key}_proba"

    @property
    def disagrees(self) -> str:
        """Key in ``obsm``: which methods of a consensus predict another label for a cell."""
        return f"{self.key}_disagrees"

    @property
    def obsm(self) -> tuple[str, ...]:
        """Every key of ``obsm`` that an annotation may own."""
        return (self.proba, self.disagrees)

    @property
    def uns(self) -> str:
        return self.key

    @property
    def colors(self) -> str:
        """Key in ``uns`` where scanpy looks for the colours of the labels."""
        return f"{self.key}_colors"
