"""How unfamiliar the cells of a query are, as they come in blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate.trust._scales import joined

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from sc_annotate.trust import Familiarity


class FamiliarityPass:
    """Gathers the measures of all cells, and makes scores of them when all are there.

    Parameters
    ----------
    known
        What was learned from the reference.
    n
        Cells of the query.
    read
        Reads some of its cells, by their rows.
    rng
        Draws the cells that the others are compared with.
    """

    def __init__(self, known: Familiarity, n: int, read: Callable[[NDArray[np.intp]], Any], rng: int) -> None:
        self.known = known
        rows = known.company_rows(n, rng=rng)
        self.own = np.full(n, -1, dtype=np.intp)
        self.own[rows] = np.arange(rows.size)
        self.company = known.gather(read(rows)) if rows.size else None
        self._parts: list[dict[str, NDArray[np.float64]]] = []

    def add(self, where: slice, block: Any) -> None:
        """The next rows, the model's genes."""
        self._parts.append(self.known.measure(block, self.company, self.own[where]))

    def finish(self) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Score and p-value of each cell."""
        score = self.known.combined(joined(self._parts))
        return score, self.known.p_values(score)
