"""All scores of all methods, each metric in a panel of its own."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from sc_annotate._core.arguments import default
from sc_annotate._core.docs import documented
from sc_annotate._store.perturbation_slots import DEFAULT_KEY
from sc_annotate.errors import InputError
from sc_annotate.pl import _perturbation_words as words
from sc_annotate.pl import _style as style
from sc_annotate.pl._figure import check_save, finish, given_axes, new_axes
from sc_annotate.pl._frame import beside, narrow
from sc_annotate.pl._perturbation_stored import read_board
from sc_annotate.pl._perturbation_words import method_rows, width_of, without_number

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

    from anndata import AnnData
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from sc_annotate.pl._perturbation_stored import Board

ACROSS = 4
"""Panels in a row."""

WIDE, PITCH = 1.75, 0.27
"""Inches of a panel without its texts, and of the row of a method."""


@documented()
def leaderboard(
    adata: AnnData,
    key: str = default(DEFAULT_KEY),
    *,
    kind: Literal["single", "double"] | None = None,
    metrics: Sequence[str] | None = None,
    ax: Sequence[Axes] | None = None,
    show: bool | None = None,
    save: str | PathLike[str] | None = None,
    return_fig: bool = False,
) -> dict[str, Axes] | Figure:
    """Draw how well methods predict held-out perturbations, one panel per metric.

    A dot is the mean over held-out conditions (for ``sd_ratio`` the median over genes), the bar its 95 % bootstrap interval
    over conditions. A hollow dot marks an uninformative method: it predicts the same for every perturbation, or
    distinguishes them no better than chance, whatever its other scores. "replicates" is the score of one half of the cells as the
    prediction of the other half: no method can be expected to do much better. "chance" is the score of a prediction that
    does not depend on the perturbation. All panels have the same order of methods.

    Overlapping intervals do not mean that two methods are equal: they were scored on the same conditions, so look at the
    paired differences, in :func:`perturbation_errors` and in the table.

    Parameters
    ----------
    %(board)s
    %(kind)s
    metrics
        Which to draw, and in which order; by default all.
    ax
        As many Axes as metrics; a new figure otherwise, which then has the verdict in its title.
    %(show)s
    %(save)s
    %(return_fig)s

    Returns
    -------
    A dict of Axes by metric, or the figure. Metrics that have no value say ``undefined``, and methods that predict none of
    the conditions ``not predicted``; where only some conditions have a value, their number stands beside.

    Raises
    ------
    InputError
        No such metric or kind, no scores, or another number of Axes.
    StorageError
        No such result.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> screen = sca.datasets.simulate_perturb_seq(2000, 60, 12, 0, rng=0)
    >>> sca.tl.predict_perturbation(screen)
    >>> sorted(sca.pl.leaderboard(screen, metrics=["l2", "discrimination"], show=False))
    ['discrimination', 'l2']
    """
    check_save(save)
    board = read_board(adata, key, kind)
    if isinstance(metrics, str):
        raise InputError(f"metrics must be a list of names, such as [{metrics!r}].")
    chosen = board.metrics if metrics is None else list(dict.fromkeys(str(m) for m in metrics))
    if not chosen:
        raise InputError("metrics is empty: name at least one metric, or leave it out to draw all.")
    columns = [board.at(m) for m in chosen]
    axes, first = _axes(ax, board, len(chosen))
    for i, (metric, j, one) in enumerate(zip(chosen, columns, axes, strict=True)):
        method_rows(one, board, board.methods, named=i in first)
        _panel(one, board, metric, j)
    return finish(dict(zip(chosen, axes, strict=True)), show=show, save=save, return_fig=return_fig)


def _axes(ax: Any, board: Board, n: int) -> tuple[list[Axes], set[int]]:
    """The caller's Axes, or those of a new figure with the verdict above; and which ones carry the names of methods."""
    if ax is not None:
        return given_axes(ax, n, "one for each metric"), {0}
    across = min(n, ACROSS)
    down = -(-n // across)
    width = width_of(board.methods) + across * (WIDE + 0.25) + 0.4
    head = [board.what + "; dots: mean, bars: 95 % intervals", board.verdict]
    if "uninformative" in board.informative:
        head.append("hollow: uninformative, it does not distinguish perturbations")
    head = [row for line in head for row in wrap(line, int(width * 14))]
    height = down * (PITCH * (len(board.methods) + 2) + 0.95) + 0.16 * len(head) + 0.2
    made = new_axes(down, across, width, height)
    for spare in made[n:]:
        spare.set_axis_off()
    title = made[0].figure.figure.suptitle("\n".join(head), fontsize=style.TITLE, color=style.INK)
    style.plain([title])
    return made[:n], set(range(0, n, across))


def _panel(ax: Axes, board: Board, metric: str, j: int) -> None:
    about, n = words.metric(metric), len(board.methods)
    mean, low, high, n_scored = (
        np.asarray(board.summary[part], dtype=np.float64)[:, j] for part in ("mean", "low", "high", "n_scored")
    )
    fewer = int(board.scored.sum())
    ax.set_ylim(n + 0.1, -1.1)  # a row above and one below, for the words at the lines
    for i, color in enumerate(words.colors(board.methods)):
        if not np.isfinite(mean[i]):
            continue
        hollow = board.informative[i : i + 1] == ["uninformative"]
        if np.isfinite([low[i], high[i]]).all():
            ax.plot([low[i], high[i]], [i, i], color=color, lw=1.6, solid_capstyle="butt", zorder=2)
        face = "white" if hollow else color
        ax.plot([mean[i]], [i], ls="", marker="o", ms=5.5, mew=1.3, mec=color, mfc=face, zorder=3)
        if metric != "sd_ratio" and n_scored[i] < fewer:
            beside(ax, i, f"n={int(n_scored[i]):,}")
    lines = {"replicates": (board.ceiling.get(metric, np.nan), words.GREEN, -0.8)}
    if metric == "sd_ratio":
        lines["as observed"] = (1.0, "#555555", n - 0.2)
    elif (chance := about.chance_of(len(board.conditions))) is not None:
        lines["chance"] = (chance, "#555555", n - 0.2)
    _limits(ax, [*mean, *low, *high, *(value for value, _, _ in lines.values())])
    for name, (value, color, row) in lines.items():
        if np.isfinite(value):
            ax.axvline(value, color=color, lw=0.9, ls=(0, (4, 3)), zorder=1)
            _word(ax, name, value, row, color)
    for i in np.flatnonzero(~np.isfinite(mean)).tolist():
        middle = float(np.mean(ax.get_xlim()))
        ax.text(middle, i, without_number(board, i, j), ha="center", va="center", fontsize=style.SMALL, color="#6b6b6b", style="italic",
                bbox={"fc": "white", "lw": 0, "pad": 0.6}, zorder=4)  # fmt: skip
    ax.locator_params(axis="x", nbins=4)
    heading = "\n".join(narrow([about.words], 27))
    style.plain([ax.set_title(heading, fontsize=style.FONT, color=style.INK, pad=4)])
    style.axis_names(ax, f"{metric}\n{about.good}".rstrip())


def _limits(ax: Axes, values: Sequence[float]) -> None:
    known = np.asarray([v for v in values if np.isfinite(v)], dtype=np.float64)
    if not known.size:
        ax.set_xlim(0, 1)
        ax.set_xticks([])
        return
    edge = 0.08 * float(np.ptp(known)) or 0.1 * abs(float(known[0])) or 0.1
    ax.set_xlim(float(known.min()) - edge, float(known.max()) + edge)


def _word(ax: Axes, name: str, value: float, row: float, color: str) -> None:
    """A word at a line, on the side where there is space."""
    low, high = ax.get_xlim()
    left = (value - low) / (high - low) < 0.5
    shift = 0.02 * (high - low) * (1 if left else -1)
    ax.text(
        value + shift, row, name, ha="left" if left else "right", va="center", fontsize=style.SMALL, color=color,
        bbox={"fc": "white", "lw": 0, "pad": 0.4}, zorder=4,
    )  # fmt: skip
