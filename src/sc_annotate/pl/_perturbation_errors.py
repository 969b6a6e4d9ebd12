"""One score of all methods, condition by condition."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from sc_annotate._core.arguments import default
from sc_annotate._core.docs import documented
from sc_annotate._store.perturbation_slots import DEFAULT_KEY
from sc_annotate.errors import InputError
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
    from numpy.typing import NDArray

    from sc_annotate.pl._perturbation_stored import Board

PITCH = 0.5
"""Inches from one method to the next: with space for the lines between them."""

AGAINST = ("additive", "mean", "no_change")
"""Which baseline differences are written for: the first that is there."""


@documented()
def perturbation_errors(
    adata: AnnData,
    key: str = default(DEFAULT_KEY),
    *,
    kind: Literal["single", "double"] | None = None,
    metric: str = "l2",
    ax: Axes | None = None,
    show: bool | None = None,
    save: str | PathLike[str] | None = None,
    return_fig: bool = False,
) -> Axes | Figure:
    """Draw one score of all methods, with a thin line for each held-out condition.

    All methods predict the same conditions, so the lines show what their intervals cannot: whether one method is better
    for nearly all conditions, or for a few. Beside each mean stands its 95 % bootstrap interval, and below it
    the mean difference to a baseline on the same conditions (``additive`` for combinations, else ``mean``).

    Parameters
    ----------
    %(board)s
    %(kind)s
    metric
        Any that has a value for each condition, so not ``"sd_ratio"``, for which see :func:`sd_ratio`.
    %(ax)s
    %(show)s
    %(save)s
    %(return_fig)s

    Returns
    -------
    The Axes, or the figure. The best method stands above; methods without a value say ``undefined`` or
    ``not predicted``. Lines break where a method has no value for a condition.

    Raises
    ------
    InputError
        No such metric or kind, or no scores.
    StorageError
        No such result.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> screen = sca.datasets.simulate_perturb_seq(2000, 60, 12, 0, rng=0)
    >>> sca.tl.predict_perturbation(screen)
    >>> ax = sca.pl.perturbation_errors(screen, show=False)
    >>> len(ax.get_yticks())
    3
    """
    check_save(save)
    board = read_board(adata, key, kind)
    j = board.at(metric)
    if metric not in board.values:
        raise InputError(
            f"{metric!r} has no value for each condition; draw it with sca.pl.sd_ratio or sca.pl.leaderboard."
        )
    about = words.metric(metric)
    mean = np.asarray(board.summary["mean"], dtype=np.float64)[:, j]
    sign = 1 if about.good == words.LOWER else -1
    order = np.argsort(np.where(np.isfinite(mean), sign * mean, np.inf), kind="stable")
    methods = [board.methods[i] for i in order]
    against = next((name for name in AGAINST if name in board.baselines), None)
    shown = [_numbers(board, int(i), j, against) for i in order]
    title = [
        board.what,
        "a thin line: one condition",
        *([f"in brackets: 95 % interval, {about.good}"] if about.good else []),
    ]
    ax = one_axes(
        ax,
        3.4 + width_of(methods) + style.width_of([line for text in shown for line in text], style.SMALL),
        PITCH * len(methods) + 1.4,
    )
    method_rows(ax, board, methods)
    _lines(ax, board.values[metric][order][:, board.scored])
    color = words.colors(board.methods)
    for row, i in enumerate(order.tolist()):
        _dot(ax, board, i, j, row, color[i])
        beside(ax, row, "\n".join(shown[row]), linespacing=1.35)
    style.axis_names(ax, "\n".join(narrow([about.words], 52)) + f" ({metric})")
    style.title(ax, narrow(title, 64))
    return finish(ax, show=show, save=save, return_fig=return_fig)


def _lines(ax: Axes, values: NDArray[np.float64]) -> None:
    """Methods x conditions: a line through each condition, over methods without any value straight on."""
    some = np.flatnonzero(np.isfinite(values).any(axis=1))
    dim = float(np.clip(12 / max(values.shape[1], 1), 0.12, 0.5))
    for column in values.T:
        ax.plot(column[some], some, color="#5f6b78", lw=0.6, alpha=dim, zorder=1)
    for row in some:
        known = values[row][np.isfinite(values[row])]
        ax.plot(known, np.full(known.size, row), ls="", marker="|", ms=6, mew=0.7, color="#5f6b78", alpha=0.6, zorder=2)


def _dot(ax: Axes, board: Board, i: int, j: int, row: int, color: str) -> None:
    mean, low, high = (float(board.summary[part][i, j]) for part in ("mean", "low", "high"))
    if not np.isfinite(mean):
        return
    if np.isfinite([low, high]).all():
        ax.plot([low, high], [row, row], color=color, lw=3, solid_capstyle="butt", zorder=3)
    ax.plot([mean], [row], ls="", marker="o", ms=8, mew=1, mec="white", color=color, zorder=4)


def _numbers(board: Board, i: int, j: int, against: str | None) -> list[str]:
    """What stands beside a method: its mean, and the difference to a baseline."""
    mean, low, high = (float(board.summary[part][i, j]) for part in ("mean", "low", "high"))
    if not np.isfinite(mean):
        return [without_number(board, i, j)]
    out = [_interval(mean, low, high)]
    n, all_of = int(board.summary["n_scored"][i, j]), int(board.scored.sum())
    if n < all_of:
        out[0] += f"  (n={n:,})"
    if against is not None and board.methods[i] != against:
        b = board.baselines.index(against)
        found: list[Any] = [float(board.differences[part][b, i, j]) for part in ("mean", "low", "high")]
        if np.isfinite(found[0]):
            out.append(f"minus {against.replace('_', ' ')}: {_interval(*found)}")
    return out


def _interval(mean: float, low: float, high: float) -> str:
    text = words.figure(mean)
    return f"{text}  [{words.figure(low)}, {words.figure(high)}]" if np.isfinite([low, high]).all() else text
