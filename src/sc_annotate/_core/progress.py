"""Progress bars and the logger."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, TypeVar

from sc_annotate._core.settings import settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

T = TypeVar("T")

logger = logging.getLogger("sc_annotate")


def track(items: Iterable[T], *, what: str, total: int | None = None) -> Iterator[T]:
    """Pass `items` through, with a bar that appears only once two seconds have gone by."""
    if not settings.progress:
        yield from items
        return
    from tqdm.auto import tqdm

    yield from tqdm(items, desc=what, total=total, delay=2, leave=False)
