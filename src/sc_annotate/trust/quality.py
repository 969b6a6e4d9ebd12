"""Cells that are empty, look like two cells, or like the soup between cells: simple measures on counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate.errors import InputError
from sc_annotate.trust._depth import depth, log_depth
from sc_annotate.trust._mixing import as_counts, mixing
from sc_annotate.trust.profiles import Profiles

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["EMPTY_Z", "FEW_Z", "Profiles", "depth", "quality"]

EMPTY_Z = -3.0
"""Below this in log counts or log genes a cell is empty."""
FEW_Z = -1.0
"""Only below this in log counts a cell can be ambient-like."""


def quality(
    counts: Any,
    known: Profiles | None = None,
    *,
    typical: NDArray[np.float64] | None = None,
    totals: ArrayLike | None = None,
    n_genes: ArrayLike | None = None,
) -> tuple[dict[str, NDArray[np.float32]], dict[str, NDArray[np.bool_]]]:
    """Measures of low quality, and which cells are beyond their lines.

    They are cheap signs, not proof. What they cannot see: a doublet of two cells of one type; that a cell of an unseen
    type, or on the way from one type to another, is not a doublet (both lie between profiles, so look at the
    unfamiliarity as well); small types that really have little RNA, such as platelets, which look empty among large
    ones; ambient molecules that make up only a part of a cell. Where doublets matter, use a tool made for them.

    Parameters
    ----------
    counts
        Cells x genes, counts, CSR or dense; with `known`, the genes that it was fitted on.
    known
        Profiles of a reference. None: only counts and genes are looked at.
    typical
        What :func:`depth` gave, or ``known.depth_`` to compare with the reference, which makes sense where both were
        sequenced alike. None: these very cells.
    totals, n_genes
        Molecules and detected genes of each cell over all genes, shape (n,), where `counts` holds a selection.

    Returns
    -------
    Two dicts of arrays of shape (n,). Measures, float32:

    ``counts_z``, ``genes_z``
        log (1 + counts) and log (1 + genes), minus the typical median, over the typical spread.
    ``doublet``
        Gain in log-likelihood when the best type's profile may be mixed with another's (shares 0.3, 0.5 or 0.7), over
        the square root of the number of molecules; 0 or more. Only with `known`.
    ``ambient``
        Log-likelihood a molecule under the mean profile of the reference, minus that under the best type's: above 0,
        no type fits as well as the mean of everything. Only with `known`.

    And masks, bool:

    ``empty``
        ``counts_z`` or ``genes_z`` below -3, or no molecule at all.
    ``doublet``
        ``doublet`` above ``known.doublet_line_``, and not empty. Only with `known`.
    ``ambient``
        ``ambient`` above 0 and ``counts_z`` below -1. Only with `known`.

    Raises
    ------
    sc_annotate.errors.InputError
        Negative or infinite values, other genes than were learned, or arrays of other lengths.

    Examples
    --------
    >>> import numpy as np
    >>> from sc_annotate.trust.quality import quality
    >>> measures, low = quality(np.array([[50, 40, 60], [60, 50, 40], [45, 45, 55], [1, 0, 0]]))
    >>> low["empty"].tolist()
    [False, False, False, True]
    """
    if known is not None:
        known.need_fitted()
    matrix = as_counts(counts, None if known is None else known.mean_.size)
    log_counts, log_genes = log_depth(matrix, totals, n_genes)
    center = depth(matrix, totals=totals, n_genes=n_genes) if typical is None else np.asarray(typical, dtype=np.float64)
    if center.shape != (4,) or not np.isfinite(center).all() or not (center[[1, 3]] > 0).all():
        raise InputError("typical must be what depth() gave: four numbers, the second and fourth above 0.")
    measures = {"counts_z": (log_counts - center[0]) / center[1], "genes_z": (log_genes - center[2]) / center[3]}
    low = {"empty": (np.minimum(*measures.values()) < EMPTY_Z) | (log_counts == 0)}
    if known is not None:
        measures["doublet"], measures["ambient"] = mixing(matrix, known.types_, known.mean_)
        low["doublet"] = (measures["doublet"] > known.doublet_line_) & ~low["empty"]
        low["ambient"] = (measures["ambient"] > 0) & (measures["counts_z"] < FEW_Z)
    return {name: value.astype(np.float32) for name, value in measures.items()}, low
