"""Cells of a query that are empty, two cells, or ambient RNA: what the reference teaches, and the decision."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._data.read import read_rows
from sc_annotate._data.transform import Transform
from sc_annotate._store.slots import REASONS
from sc_annotate.errors import InputError
from sc_annotate.evaluation.allocation import sample
from sc_annotate.trust import Profiles, low_quality

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sc_annotate._data.matrix import Source

MAX_CELLS = 20_000
"""Reference cells whose counts are read."""


def learn_profiles(
    counts: tuple[Source, NDArray[np.intp], NDArray[np.intp]],
    columns: NDArray[np.intp],
    codes: NDArray[np.intp],
    rng: int,
) -> Profiles | None:
    """Profiles of the types over the model's genes, from counts (a matrix, its rows and its columns).

    None where they turn out to be no counts.
    """
    source, cells, genes = counts
    kept, _ = sample(codes, MAX_CELLS, np.random.default_rng(rng))
    try:
        read = read_rows(source, Transform(identity=True), genes[columns], cells[kept], progress="reading counts")
        return Profiles().fit(read, codes[kept], rng=rng)
    except InputError:
        # Negative or infinite numbers that the sample of its values did not show.
        return None


def detect_low_quality(
    measures: dict[str, NDArray[Any]], where: str, known: Profiles | None, rows: NDArray[np.intp]
) -> tuple[dict[str, NDArray[np.bool_]], dict[str, Any], list[str]]:
    """Masks by reason from the measures of all cells, what is recorded in ``uns``, and problems in words.

    Only the cells in `rows` are looked at, among themselves.
    """
    threshold = np.inf if known is None else known.doublet_threshold_
    n = len(measures["log_counts"])
    measures = {name: values[rows] for name, values in measures.items()}
    found = low_quality(measures, threshold)
    low = {name: np.zeros(n, dtype=bool) for name in found}
    for name, mask in found.items():
        low[name][rows] = mask
    recorded: dict[str, Any] = {"counts": where, "doublet_threshold": float(threshold)}
    recorded |= {f"n_{name}": int(low[name].sum()) for name in REASONS if name in low}
    problems = []
    if known is not None:
        recorded["doublets_found"] = known.doublets_found_
        above = int(((measures["doublet"] > threshold) & ~found["empty"]).sum())
        if above and not low["doublet"].any():
            problems.append(
                f"{above:,} of {len(measures['doublet']):,} cells look like two types at once, more than doublets can be: "
                "the reference's profiles do not fit this data, and no cell is taken for a doublet"
            )
    return low, recorded, problems
