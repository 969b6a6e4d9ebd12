"""Confidence against accuracy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.docs import documented
from sc_annotate._store.slots import DEFAULT_KEY
from sc_annotate._store.stored import read_calibration
from sc_annotate.pl import _style as style
from sc_annotate.pl._figure import check_save, finish, one_axes
from sc_annotate.pl._frame import frame, legend

if TYPE_CHECKING:
    from os import PathLike

    import pandas as pd
    from anndata import AnnData
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

BEFORE, AFTER = "uncalibrated", "calibrated"
LOOKS: dict[str, dict[str, Any]] = {
    BEFORE: {"color": "#c07a12", "mfc": "white", "marker": "s", "ms": 3.5, "mew": 1, "elinewidth": 0.8, "zorder": 3},
    AFTER: {"color": "#1f5fa8", "marker": "o", "ms": 4.5, "mew": 0, "elinewidth": 1, "zorder": 4},
}
SIDE = 3.4


@documented()
def reliability(
    adata: AnnData,
    key: str = DEFAULT_KEY,
    *,
    ax: Axes | None = None,
    show: bool | None = None,
    save: str | PathLike[str] | None = None,
    return_fig: bool = False,
) -> Axes | Figure:
    """Draw confidence against accuracy on held-out reference cells, before and after calibration.

    Cells stand in bins of about equal size by their confidence. On the diagonal, 80 of 100 predictions with confidence
    0.8 are correct; below it, confidence is too high. The vertical lines are 95 % intervals (Wilson).

    The legend gives the expected calibration error, the mean distance from the diagonal, and in brackets the value that is
    expected for a perfectly calibrated model with this number of cells. The figure is about reference cells: for cells of
    another technology or tissue, confidence may be too high.

    Parameters
    ----------
    %(annotated)s
    %(key)s
    %(ax)s
    %(show)s
    %(save)s
    %(return_fig)s

    Returns
    -------
    The Axes, or the figure.

    Raises
    ------
    StorageError
        No such result, or one without calibration; a consensus has none of its own.

    References
    ----------
    Guo et al. 2017, arXiv 1706.04599. Expected calibration error of a perfectly calibrated model: Bröcker & Smith 2007, Weather and
    Forecasting 22:651.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> adata = sca.datasets.pbmc68k()
    >>> query = adata[500:].copy()
    >>> sca.tl.annotate(query, adata[:500].copy(), "cell_type", method="nearest_centroid", cv=0)
    >>> ax = sca.pl.reliability(query, show=False)
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('confidence', 'share of correct labels')
    """
    check_save(save)
    found = read_calibration(adata, key, "reliability", "scores")
    scores = found["scores"].set_index("probabilities")
    tables = {name: found["reliability"][name] for name in (BEFORE, AFTER)}
    labels = {BEFORE: "before calibration", AFTER: f"after ({str(found['method']).replace('_', '-')})"}
    ax = one_axes(ax, SIDE + 0.6, SIDE + 1.5)
    lowest = min(float(np.nanmin(table[["low", "confidence"]].to_numpy(dtype=float))) for table in tables.values())
    start = np.floor(lowest * 10) / 10
    ax.plot([start, 1], [start, 1], color="#8c8c8c", lw=0.9, ls=(0, (4, 3)), zorder=1)
    for name, table in tables.items():
        error, chance = (float(scores.loc[name, c]) for c in ("expected_calibration_error", "if_calibrated"))
        _points(ax, table, name, f"{labels[name]}: {error:.3f} (expected {chance:.3f})")
    ax.set(xlim=(start - 0.02, 1.02), ylim=(start - 0.02, 1.02), aspect="equal")
    # Below the axis and not on it: points may lie anywhere.
    legend(ax, "expected calibration error", loc="upper center", bbox_to_anchor=(0.5, -0.15), handlelength=1.5)
    frame(ax)
    style.axis_names(ax, "confidence", "share of correct labels")
    style.title(
        ax, [f"{key}: {int(found['n_cells']):,} held-out reference cells", "in bins of equal size, with 95 % intervals"]
    )
    return finish(ax, show=show, save=save, return_fig=return_fig)


def _points(ax: Axes, table: pd.DataFrame, name: str, label: str) -> None:
    x, y, low, high = (table[c].to_numpy(dtype=float) for c in ("confidence", "accuracy", "low", "high"))
    # Rounding may leave an end of the interval on the wrong side of the share.
    ends: NDArray[np.float64] = np.maximum(np.stack([y - low, high - y]), 0)
    ax.errorbar(x, y, yerr=ends, ls="", label=label, **LOOKS[name])
