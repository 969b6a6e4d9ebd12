"""Which cells of a query are empty, two, or soup: from their counts, as they come in blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.common_scale import Transform
from sc_annotate._core.read import read_rows
from sc_annotate.errors import InputError, MatrixError
from sc_annotate.trust import Profiles, low_quality, quality_measures
from sc_annotate.trust._sampling import sample

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sc_annotate._core.read import Input
    from sc_annotate.tl._training import Training

REASONS = ("empty", "doublet", "ambient")
MAX_CELLS = 20_000
"""Reference cells whose counts are read."""


def learn_profiles(training: Training, columns: NDArray[np.intp], codes: NDArray[np.intp], rng: int) -> Profiles | None:
    """Profiles of the types over the model's genes; None where the reference has no counts."""
    if training.counts is None:
        return None
    source, cells, genes = training.counts
    kept, _ = sample(codes, MAX_CELLS, np.random.default_rng(rng))
    counts = read_rows(source, Transform(identity=True), genes[columns], cells[kept], progress="reading counts")
    try:
        return Profiles().fit(counts, codes[kept], rng=rng)
    except InputError:
        # Negative or infinite numbers that the sample of its values did not show.
        return None


def check_counts(counts: Input | None, wanted: bool | None, *, elsewhere: str) -> Input | None:
    """The counts to judge quality by, where that is wanted; refuses where it is and they are missing."""
    if wanted not in (None, True, False):
        raise InputError(f"check_quality must be True, False or None (where adata has counts), not {wanted!r}.")
    if wanted and counts is None:
        raise MatrixError(
            "check_quality=True needs the counts of adata, in the matrix that is used or in layers['counts'] for the same "
            f"genes. {elsewhere}"
        )
    return None if wanted is False else counts


class QualityPass:
    """Gathers the measures of all cells, and judges when all are there.

    Parameters
    ----------
    counts
        Where the query's counts are.
    known
        The model's profiles, or None.
    columns
        Column of the counts for each gene of the model, -1 where it is missing.
    totals
        True total counts, one a cell, where they are known.
    """

    def __init__(
        self,
        counts: Input,
        known: Profiles | None,
        columns: NDArray[np.intp],
        totals: NDArray[np.float64] | None,
    ) -> None:
        self.where = counts.source.where
        self.known = None if known is None else known.on(columns >= 0)
        self.columns, self.totals = columns[columns >= 0], totals
        self._parts: list[dict[str, NDArray[np.float64]]] = []

    def add(self, where: slice, block: Any) -> None:
        """The next rows, all genes of the query."""
        totals = np.asarray(block.sum(axis=1)).ravel() if self.totals is None else self.totals[where]
        n_genes = np.asarray((block > 0).sum(axis=1)).ravel()
        self._parts.append(quality_measures(block[:, self.columns], self.known, totals=totals, n_genes=n_genes))

    def finish(self) -> tuple[dict[str, NDArray[np.bool_]], dict[str, Any], list[str]]:
        """Masks by reason, the account for ``uns``, and problems in words."""
        measures = {name: np.concatenate([p[name] for p in self._parts]) for name in self._parts[0]}
        line = np.inf if self.known is None else self.known.doublet_line_
        low = low_quality(measures, line)
        account: dict[str, Any] = {"counts": self.where, "doublet_line": float(line)}
        account |= {f"n_{name}": int(low[name].sum()) for name in REASONS if name in low}
        problems = []
        if self.known is not None:
            account["doublets_found"] = self.known.doublets_found_
            above = int(((measures["doublet"] > line) & ~low["empty"]).sum())
            if above and not low["doublet"].any():
                problems.append(
                    f"{above:,} of {len(measures['doublet']):,} cells look like two types at once, more than doublets can be: "
                    "the reference's profiles do not fit this data, and no cell is called a doublet"
                )
        return low, account, problems
