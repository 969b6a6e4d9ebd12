"""Cells that are empty, look like two cells, or like ambient RNA: simple measures on counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.arguments import public
from sc_annotate.errors import InputError
from sc_annotate.trust._mixing import as_counts, mixing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

    from sc_annotate.trust.profiles import Profiles

__all__ = ["low_quality", "quality_measures"]

EMPTY_Z = -3.0
"""Below this in log counts or log genes a cell is empty."""
FEW_Z = -1.0
"""Only below this in log counts a cell can be ambient-like."""
ENOUGH_CELLS = 50
"""Fewer cells do not say what is usual among them."""
MOST_DOUBLETS = 0.15
"""Where more cells than this look like doublets, the profiles do not fit the data; droplet experiments have fewer."""
# 1.4826 times the median absolute deviation is the standard deviation of a normal distribution. A spread below this
# (10 %) would make ordinary cells of very even data stand out.
_TO_SD, _LEAST_SD = 1.4826, 0.1


@public
def quality_measures(
    counts: Any, known: Profiles | None = None, *, totals: ArrayLike | None = None, n_genes: ArrayLike | None = None
) -> dict[str, NDArray[np.float64]]:
    """Measures of low quality, each cell by itself, so that data may come in blocks.

    Parameters
    ----------
    counts
        Cells x genes, counts, CSR or dense; with `known`, the genes that it was fitted on.
    known
        Profiles of a reference. None: only counts and genes are looked at.
    totals, n_genes
        Molecules and detected genes of each cell over all genes, shape (n,), where `counts` holds a selection.

    Returns
    -------
    A dict of arrays of shape (n,):

    ``log_counts``, ``log_genes``
        log (1 + molecules) and log (1 + detected genes).
    ``doublet``
        Gain in log-likelihood when the best type's profile may be mixed with another's (shares 0.3, 0.5 or 0.7), over
        the square root of the number of molecules; 0 or more. Only with `known`.
    ``ambient``
        Log-likelihood a molecule under the mean profile of the reference, minus that under the best type's: above 0,
        no type fits as well as the mean of all cells. Only with `known`.

    Raises
    ------
    sc_annotate.errors.InputError
        Negative or infinite values, other genes than were learned, or arrays of other lengths.

    Examples
    --------
    >>> import numpy as np
    >>> from sc_annotate.trust import quality_measures
    >>> measures = quality_measures(np.array([[50, 40, 60], [60, 50, 40], [1, 0, 0]]))
    >>> measures["log_genes"].round(2).tolist()
    [1.39, 1.39, 0.69]
    """
    if known is not None:
        known.need_fitted()
    matrix = as_counts(counts, None if known is None else known.mean_.size)
    molecules = (
        np.asarray(matrix.sum(axis=1, dtype=np.float64)).ravel()
        if totals is None
        else _per_cell(totals, "totals", matrix)
    )
    genes = (
        np.bincount(matrix.nonzero()[0], minlength=matrix.shape[0])
        if n_genes is None
        else _per_cell(n_genes, "n_genes", matrix)
    )
    measures = {"log_counts": np.log1p(molecules), "log_genes": np.log1p(genes)}
    if known is not None:
        measures["doublet"], measures["ambient"] = mixing(matrix, known.types_, known.mean_)
    return measures


@public
def low_quality(
    measures: Mapping[str, NDArray[Any]], doublet_threshold: float = np.inf
) -> dict[str, NDArray[np.bool_]]:
    """Which of all cells are beyond the lines of the measures.

    These are cheap signs, not proof. What they cannot see: a doublet of two cells of one type; that a cell of an unseen
    type, or on the way from one type to another, is not a doublet (both lie between profiles, so look at the
    unfamiliarity as well); small types that really have little RNA, such as platelets, which look empty among large
    ones; ambient molecules that make up only a part of a cell. Where doublets matter, use a tool made for them.

    Parameters
    ----------
    measures
        What :func:`quality_measures` gave, of all cells that are usual for one another, such as one experiment.
    doublet_threshold
        A cell is doublet-like above it: ``Profiles.doublet_threshold_``.

    Returns
    -------
    A dict of masks of shape (n,), bool:

    ``empty``
        No molecule at all; or log counts or log genes more than 3 robust standard deviations (1.4826 times the median
        absolute deviation, at least 0.1) below the median of these cells. With fewer than 50 cells, only the former.
    ``doublet``
        ``doublet`` above the threshold, and not empty. No cell where more than 15 % of 50 or more cells would be: then the
        profiles do not fit the data, as those of untreated cells do not fit treated ones.
    ``ambient``
        ``ambient`` above 0, and log counts more than 1 robust standard deviation below the median; not empty, and not
        decided for fewer than 50 cells.

    Raises
    ------
    sc_annotate.errors.InputError
        Measures are missing, or of different lengths.

    Examples
    --------
    >>> import numpy as np
    >>> from sc_annotate.trust import low_quality, quality_measures
    >>> counts = np.random.default_rng(0).poisson(2, size=(60, 40))
    >>> counts[7] = 0
    >>> counts[8] = counts[8] > 3
    >>> np.flatnonzero(low_quality(quality_measures(counts))["empty"]).tolist()
    [7, 8]
    """
    if missing := {"log_counts", "log_genes"} - set(measures):
        raise InputError(f"measures lacks {', '.join(sorted(missing))}. Hand in what quality_measures gave.")
    if len({len(values) for values in measures.values()}) > 1:
        raise InputError("measures differ in length. Join the blocks of each of them.")
    n = len(measures["log_counts"])
    empty = measures["log_counts"] == 0
    few = np.zeros(n, dtype=bool)
    if n >= ENOUGH_CELLS:
        z = _robust_z(measures["log_counts"])
        few = z < FEW_Z
        empty |= np.minimum(z, _robust_z(measures["log_genes"])) < EMPTY_Z
    found = {"empty": empty}
    if "doublet" in measures:
        double = (measures["doublet"] > doublet_threshold) & ~empty
        fits = n < ENOUGH_CELLS or double.mean() <= MOST_DOUBLETS
        found["doublet"] = double if fits else np.zeros(n, dtype=bool)
        found["ambient"] = (measures["ambient"] > 0) & few & ~empty
    return found


def _robust_z(values: NDArray[np.float64]) -> NDArray[np.float64]:
    center = np.median(values)
    return (values - center) / max(_TO_SD * float(np.median(np.abs(values - center))), _LEAST_SD)


def _per_cell(values: ArrayLike, name: str, counts: Any) -> NDArray[np.float64]:
    out = np.asarray(values, dtype=np.float64)
    if out.shape != (counts.shape[0],) or not np.isfinite(out).all() or (out < 0).any():
        raise InputError(f"{name} must have one number a cell of counts, finite and 0 or more.")
    return out
