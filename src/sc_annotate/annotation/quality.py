"""Which cells of a query are empty, two, or soup: what the reference teaches, and the verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._data.common_scale import Transform
from sc_annotate._data.read import read_rows
from sc_annotate.errors import InputError, MatrixError
from sc_annotate.trust import Profiles, low_quality
from sc_annotate.trust.sampling import sample

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sc_annotate._data.read import Input
    from sc_annotate.annotation.training import Training

REASONS = ("empty", "doublet", "ambient")
MAX_CELLS = 20_000
"""Reference cells whose counts are read."""


def learn_profiles(training: Training, columns: NDArray[np.intp], codes: NDArray[np.intp], rng: int) -> Profiles | None:
    """Profiles of the types over the model's genes; None where the reference has no counts."""
    if training.counts is None:
        return None
    source, cells, genes = training.counts
    kept, _ = sample(codes, MAX_CELLS, np.random.default_rng(rng))
    try:
        counts = read_rows(source, Transform(identity=True), genes[columns], cells[kept], progress="reading counts")
        return Profiles().fit(counts, codes[kept], rng=rng)
    except InputError:
        # Negative or infinite numbers that the sample of its values did not show.
        return None


def check_wanted(wanted: Any) -> None:
    """Refuse what is no yes or no."""
    if wanted is not None and not isinstance(wanted, bool | np.bool_):
        raise InputError(f"check_quality must be True, False or None (where adata has counts), not {wanted!r}.")


def check_counts(counts: Input | None, wanted: bool | None, *, elsewhere: str) -> Input | None:
    """The counts to judge quality by, where that is wanted; refuses where it is and they are missing."""
    if wanted and counts is None:
        raise MatrixError(
            "check_quality=True needs the counts of adata, in the matrix that is used or in layers['counts'] for the same "
            f"genes. {elsewhere}"
        )
    return counts if wanted is None or wanted else None


def judge_quality(
    measures: dict[str, NDArray[Any]], where: str, known: Profiles | None, asked: NDArray[np.intp]
) -> tuple[dict[str, NDArray[np.bool_]], dict[str, Any], list[str]]:
    """Masks by reason from the measures of all cells, the account for ``uns``, and problems in words.

    Only the cells `asked` for are judged, among themselves.
    """
    line = np.inf if known is None else known.doublet_line_
    n = len(measures["log_counts"])
    measures = {name: values[asked] for name, values in measures.items()}
    found = low_quality(measures, line)
    low = {name: np.zeros(n, dtype=bool) for name in found}
    for name, mask in found.items():
        low[name][asked] = mask
    account: dict[str, Any] = {"counts": where, "doublet_line": float(line)}
    account |= {f"n_{name}": int(low[name].sum()) for name in REASONS if name in low}
    problems = []
    if known is not None:
        account["doublets_found"] = known.doublets_found_
        above = int(((measures["doublet"] > line) & ~found["empty"]).sum())
        if above and not low["doublet"].any():
            problems.append(
                f"{above:,} of {len(measures['doublet']):,} cells look like two types at once, more than doublets can be: "
                "the reference's profiles do not fit this data, and no cell is called a doublet"
            )
    return low, account, problems
