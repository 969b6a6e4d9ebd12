"""Whether predictions differ between perturbations as much as observations do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from sc_annotate._core.arguments import default
from sc_annotate._core.docs import documented
from sc_annotate._store.perturbation_slots import DEFAULT_KEY
from sc_annotate.pl import _perturbation_words as words
from sc_annotate.pl import _style as style
from sc_annotate.pl._figure import check_save, finish, one_axes
from sc_annotate.pl._frame import beside, narrow
from sc_annotate.pl._perturbation_stored import read_board
from sc_annotate.pl._perturbation_words import method_rows, width_of, without_number

if TYPE_CHECKING:
    from os import PathLike

    from anndata import AnnData
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BINS = 20
"""To each side of 1 at least; bins are 1/20 wide."""

MOST = 3.0
"""Ratios above stand at the edge."""

TALL = 0.84
"""Height of the largest bin, in rows."""


@documented()
def sd_ratio(
    adata: AnnData,
    key: str = default(DEFAULT_KEY),
    *,
    kind: Literal["single", "double"] | None = None,
    ax: Axes | None = None,
    show: bool | None = None,
    save: str | PathLike[str] | None = None,
    return_fig: bool = False,
) -> Axes | Figure:
    """Draw how much predictions differ between perturbations, relative to observations, gene by gene.

    A row for each method: a histogram of the ratio of two standard deviations between conditions, predicted over observed.
    At 1 predictions of a gene differ as much as observations; at 0 a method predicts the same for every perturbation,
    however small its error. Well above 1 it predicts differences that do not exist. Observed profiles contain noise, so a
    good prediction lies somewhat below 1. The rows are scaled to equal height.

    Parameters
    ----------
    %(board)s
    %(kind)s
    %(ax)s
    %(show)s
    %(save)s
    %(return_fig)s

    Returns
    -------
    The Axes, or the figure. Medians stand at the right, ``undefined`` where there is no ratio. The title counts ratios
    beyond the edge.

    Raises
    ------
    InputError
        No such kind, or no scores.
    StorageError
        No such result.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> screen = sca.datasets.simulate_perturb_seq(2000, 60, 12, 0, rng=0)
    >>> sca.tl.predict_perturbation(screen)
    >>> ax = sca.pl.sd_ratio(screen, show=False)
    >>> [text.get_text() for text in ax.get_yticklabels()]
    ['linear', 'no change  (as the control)', 'mean  (of all perturbations)']
    """
    check_save(save)
    board = read_board(adata, key, kind)
    n, j = len(board.methods), board.at("sd_ratio")
    known = board.sd_ratios[np.isfinite(board.sd_ratios)]
    top = float(np.clip(np.ceil(4 * known.max(initial=0)) / 4, 1.5, MOST))
    edges = np.linspace(0, top, round(BINS * top) + 1)
    ax = one_axes(ax, 3.7 + width_of(board.methods) + 0.9, max(0.5 * n, 1.0) + 1.5)
    method_rows(ax, board, board.methods)
    ax.set_ylim(n - 0.5, -0.75)
    for row, (ratios, color) in enumerate(zip(board.sd_ratios, words.colors(board.methods), strict=True)):
        own = ratios[np.isfinite(ratios)]
        base = row + 0.45
        ax.plot([0, top], [base, base], color="#c8c8c8", lw=0.6, zorder=1)
        if not own.size:
            beside(ax, row + 0.2, without_number(board, row, j))
            continue
        heights = np.histogram(np.clip(own, 0, top), edges)[0]
        ax.stairs(base - TALL * heights / heights.max(), edges, baseline=base, fill=True, color=color, lw=0, zorder=2)
        beside(ax, row + 0.2, f"median {np.median(own):.2f}")
    ax.axvline(1, color="#555555", lw=0.9, ls=(0, (4, 3)), zorder=3)
    ax.set_xlim(-0.02 * top, top)
    ax.text(1, 1.01, "as observed", ha="left", va="bottom", fontsize=style.SMALL, color=style.INK,
            transform=ax.get_xaxis_transform())  # fmt: skip
    ax.text(0, 1.01, "the same for all", ha="left", va="bottom", fontsize=style.SMALL, color=style.INK,
            transform=ax.get_xaxis_transform())  # fmt: skip
    style.axis_names(ax, "SD between conditions, predicted / observed, of each gene")
    n_genes = int(np.isfinite(board.sd_ratios).any(axis=0).sum())
    beyond = int((known > top).sum())
    notes = [f"{beyond:,} ratios above {top:g} stand at the edge"] if beyond else []
    style.title(ax, narrow([board.what, f"{n_genes:,} genes", *notes], 64), pad=15)
    return finish(ax, show=show, save=save, return_fig=return_fig)
