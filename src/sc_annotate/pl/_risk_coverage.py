"""Error rate when the least confident cells are left out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.docs import documented
from sc_annotate._store.slots import DEFAULT_KEY
from sc_annotate._store.stored import read_calibration
from sc_annotate.pl import _style as style
from sc_annotate.pl._figure import check_save, finish, one_axes
from sc_annotate.pl._frame import frame, legend, percent

if TYPE_CHECKING:
    from os import PathLike

    from anndata import AnnData
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

MARKS = (0.99, 0.95, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3)
"""Confidences that are marked on the curve, where there is space."""

APART = 0.085
"""Share of the axis between two marks."""

LEFT = 0.1
"""Share of the axis that the text of the first mark takes."""

BLUE, GREEN = "#1f5fa8", "#3a7d44"


@documented()
def risk_coverage(
    adata: AnnData,
    key: str = DEFAULT_KEY,
    *,
    ax: Axes | None = None,
    show: bool | None = None,
    save: str | PathLike[str] | None = None,
    return_fig: bool = False,
) -> Axes | Figure:
    """Draw the error rate among the most confident cells, for every share of cells that is kept.

    From held-out reference cells, as stored when the model was fitted. The curve ends at the right with all cells and
    their error rate. Dots mark confidences: the cells of at least this confidence, and the error rate among them. The green
    curve is the best possible order of the same predictions, all errors last; uninformative confidence stays at the error
    rate throughout. Areas are the mean height of each curve.

    Errors fall because difficult cells are left out; no prediction improves, and types that the reference lacks are not
    found, for which see :func:`unfamiliarity`.

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
    Geifman & El-Yaniv 2017, arXiv 1705.08500.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> adata = sca.datasets.pbmc68k()
    >>> query = adata[500:].copy()
    >>> sca.tl.annotate(query, adata[:500].copy(), "cell_type", method="nearest_centroid", cv=0)
    >>> ax = sca.pl.risk_coverage(query, show=False)
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('share of cells kept, most confident first', 'error rate among them')
    """
    check_save(save)
    found = read_calibration(adata, key, "risk_coverage")
    curve, area = found["risk_coverage"]["curve"], float(found["risk_coverage"]["area"])
    best_area = area - float(found["risk_coverage"]["excess_area"])
    share, risk, least = (curve[c].to_numpy(dtype=float) for c in ("coverage", "risk", "threshold"))
    error = float(risk[-1])
    ax = one_axes(ax, 4.6, 4.3)
    grid = np.linspace(0, 1, 401)[1:]
    best = np.maximum(grid - (1 - error), 0) / grid
    ax.plot([0, 1], [error, error], color="#8c8c8c", lw=0.9, ls=(0, (4, 3)), label=f"random order: area {error:.3f}")
    ax.plot(share, risk, color=BLUE, lw=1.8, label=f"by confidence: area {area:.3f}", zorder=3)
    ax.plot(grid, best, color=GREEN, lw=1.2, ls=(0, (1, 1)), label=f"best order: area {best_area:.3f}", zorder=2)
    top = max(float(risk.max()), error, 0.01) * 1.18
    ax.set(xlim=(0, 1.02), ylim=(-0.02 * top, top))
    _marks(ax, share, risk, least, top)
    legend(ax, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2)
    frame(ax)
    style.axis_names(ax, "share of cells kept, most confident first", "error rate among them")
    style.title(ax, [f"{key}: {int(found['n_cells']):,} held-out reference cells", f"error rate {percent(error)}"])
    return finish(ax, show=show, save=save, return_fig=return_fig)


def _marks(
    ax: Axes, share: NDArray[np.float64], risk: NDArray[np.float64], least: NDArray[np.float64], top: float
) -> None:
    """Dots at round confidences, those that would run into each other left out."""
    look: dict[str, Any] = {"ha": "right", "va": "bottom", "fontsize": style.SMALL, "color": style.INK}
    look["bbox"] = {"fc": "white", "lw": 0, "pad": 0.4}
    dots: list[tuple[float, float]] = []
    last = LEFT - APART
    for mark in MARKS:
        kept = np.flatnonzero(least >= mark)
        if not len(kept) or share[kept[-1]] - last < APART:
            continue
        last = float(share[kept[-1]])
        height = float(risk[kept[-1]])
        dots.append((last, height))
        ax.text(last - 0.012, height + 0.02 * top, f"≥ {mark:g}", **look)
    if dots:
        ax.plot(
            *zip(*dots, strict=True),
            ls="",
            marker="o",
            ms=5,
            mew=0,
            color=BLUE,
            zorder=4,
            label="confidence of at least …",
        )
