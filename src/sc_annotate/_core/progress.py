"""Progress bars and the logger."""

from __future__ import annotations

import logging
from collections.abc import Sized
from time import monotonic
from typing import TYPE_CHECKING, TypeVar

from sc_annotate._core.settings import settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

T = TypeVar("T")

DELAY = 2.0

logger = logging.getLogger("sc_annotate")


def track(items: Iterable[T], *, what: str, total: int | None = None) -> Iterator[T]:
    """Pass `items` through, with a bar that appears once two seconds have gone by and there is more to do.

    tqdm is imported only then: in a notebook without ipywidgets its import prints a warning of its own.
    """
    started, bar = monotonic(), None
    if total is None and isinstance(items, Sized):
        total = len(items)
    try:
        for done, item in enumerate(items):
            if bar is None and done and settings.progress and monotonic() - started > DELAY:
                from tqdm.auto import tqdm

                bar = tqdm(desc=what, total=total, initial=done, leave=False)
            yield item
            if bar is not None:
                bar.update()
    finally:
        if bar is not None:
            bar.close()
