"""Predicted and observed change of one perturbation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.docs import documented
from sc_annotate._store.perturbation_slots import DEFAULT_KEY
from sc_annotate.errors import InputError
from sc_annotate.pl import _style as style
from sc_annotate.pl._figure import check_save, finish, one_axes
from sc_annotate.pl._frame import frame, narrow, percent, rows
from sc_annotate.pl._names import beside_points
from sc_annotate.pl._perturbation_stored import read_predicted
from sc_annotate.pl._perturbation_words import BLUE, in_words

if TYPE_CHECKING:
    from os import PathLike

    from anndata import AnnData
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from sc_annotate.pl._perturbation_stored import Predicted

MOST_NAMES = 60
MANY = 3_000
"""Genes from which on their dots are kept as an image in vector files."""

TITLE = 56
"""Characters of a line of the title."""

WITHOUT = "no intervals: too few conditions were held out, or none"

TARGET, OTHER = "#b3126b", "#b0b0b0"


@documented()
def perturbation(
    adata: AnnData,
    key: str = DEFAULT_KEY,
    *,
    condition: str,
    n_names: int = 10,
    ax: Axes | None = None,
    show: bool | None = None,
    save: str | PathLike[str] | None = None,
    return_fig: bool = False,
) -> Axes | Figure:
    """Draw the observed against the predicted change of every gene in one condition.

    On the dashed line a gene changes as predicted; both axes have the same scale, so that a prediction
    that is too small is seen. The genes that change most are named, and the perturbed genes themselves (in red); bars are their
    intervals. Genes far from the line were predicted wrongly; a vertical column of dots is a prediction of no
    change.

    For a condition that was not measured, the genes with the largest predicted changes are drawn as rows, with their
    intervals.

    Parameters
    ----------
    adata
        An object with predicted perturbations (:func:`sc_annotate.tl.predict_perturbation`). Not changed.
    %(key)s
    condition
        Name of the condition, such as ``"KLF1"`` or ``"KLF1+GATA1"``; targets in any order.
    n_names
        How many genes to name, 0 to 60; at least 1 for a condition that was not measured.
    %(ax)s
    %(show)s
    %(save)s
    %(return_fig)s

    Returns
    -------
    The Axes, or the figure. The title says whether the condition was held out, and for how many genes the observed value
    lies in the interval.

    Raises
    ------
    InputError
        No such condition, or one that the method cannot predict, with the reason; `n_names` out of range.
    StorageError
        No such result.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> screen = sca.datasets.simulate_perturb_seq(2000, 60, 12, 0, rng=0)
    >>> sca.tl.predict_perturbation(screen, conditions=["G50"])
    >>> ax = sca.pl.perturbation(screen, condition="G50", show=False)
    >>> ax.get_ylabel()
    'observed change from the control'
    """
    check_save(save)
    found = read_predicted(adata, key)
    i = found.row(condition)
    if isinstance(n_names, bool) or not isinstance(n_names, int) or not 0 <= n_names <= MOST_NAMES:
        raise InputError(f"n_names must be a whole number from 0 to {MOST_NAMES}, not {n_names!r}.")
    if found.reason[i] or not np.isfinite(found.change[i]).any():
        raise InputError(
            f"{found.conditions[i]!r} could not be predicted by {found.method}: {found.reason[i] or 'no value is stored'}. "
            "Choose a condition with a prediction, or predict with another method."
        )
    if np.isfinite(found.observed[i]).any():
        ax = _against(found, i, n_names, ax)
    else:
        ax = _ranked(found, i, n_names, ax)
    return finish(ax, show=show, save=save, return_fig=return_fig)


def _named(found: Predicted, i: int, change: NDArray[np.float64], n: int) -> NDArray[np.intp]:
    """Genes to name: those of the largest change, and of the targets."""
    if not n:
        return np.zeros(0, dtype=np.intp)
    order = np.argsort(-np.nan_to_num(np.abs(change), nan=-1), kind="stable")[:n]
    return np.concatenate([order, np.setdiff1d(_targets(found, i), order)]).astype(np.intp)


def _targets(found: Predicted, i: int) -> NDArray[np.intp]:
    return np.flatnonzero(np.isin(found.genes, found.targets(i)))


def _intervals(found: Predicted, i: int) -> tuple[NDArray[np.float64], NDArray[np.float64], bool]:
    """Ends, NaN where they are not finite; and whether there are any."""
    both = np.stack([found.lower[i], found.upper[i]])
    both[:, ~np.isfinite(both).all(axis=0)] = np.nan
    return both[0], both[1], bool(np.isfinite(both).any())


def _against(found: Predicted, i: int, n_names: int, ax: Any) -> Axes:
    x, y = found.change[i], found.observed[i]
    low, high, there = _intervals(found, i)
    chosen = _named(found, i, y, n_names)
    ax = one_axes(ax, 4.6, 4.9)
    frame(ax)
    values = np.concatenate([x, y, low[chosen], high[chosen]])
    values = values[np.isfinite(values)]
    edge = 0.07 * float(np.ptp(values)) or 0.1
    limits = (float(values.min()) - edge, float(values.max()) + edge)
    ax.set(xlim=limits, ylim=limits, aspect="equal")
    ax.axline((0, 0), slope=1, color="#555555", lw=0.9, ls=(0, (4, 3)), zorder=1)
    for line in (ax.axhline, ax.axvline):
        line(0, color="#e4e4e4", lw=0.8, zorder=0)
    red = np.isin(np.arange(len(x)), _targets(found, i))
    strong = np.isin(np.arange(len(x)), chosen)
    for which, color, size in ((~strong & ~red, OTHER, 7.0), (strong & ~red, BLUE, 18.0), (red, TARGET, 18.0)):
        many = int(which.sum()) > MANY
        ax.scatter(x[which], y[which], s=size, c=color, lw=0, zorder=3 if size > 10 else 2, rasterized=many)
    for g in chosen[np.isfinite(low[chosen])]:
        ax.plot([low[g], high[g]], [y[g], y[g]], color=TARGET if red[g] else BLUE, lw=0.9, alpha=0.55, zorder=2.5)
    style.axis_names(ax, "predicted change from the control", "observed change from the control")
    style.title(ax, narrow([*_head(found, i), _held(found, i, low, high, there)], TITLE))
    # What names should not cover: dots, bars and the line.
    bars = [np.column_stack([np.linspace(low[g], high[g], 25), np.full(25, y[g])]) for g in chosen]
    diagonal = np.repeat(np.linspace(*limits, 120)[:, None], 2, axis=1)
    named = chosen[np.isfinite(x[chosen]) & np.isfinite(y[chosen])]
    if len(named):
        names = [f"{found.genes[g]} (perturbed)" if red[g] else str(found.genes[g]) for g in named]
        colors = [TARGET if red[g] else style.INK for g in named]
        beside_points(ax, x[named], y[named], names, colors, np.vstack([np.column_stack([x, y]), diagonal, *bars]))
    return ax


def _ranked(found: Predicted, i: int, n_names: int, ax: Any) -> Axes:
    if not n_names:
        raise InputError(
            f"n_names=0: {found.conditions[i]!r} was not measured, and is drawn as rows of named genes. Name at least 1."
        )
    x = found.change[i]
    low, high, there = _intervals(found, i)
    chosen = _named(found, i, x, n_names)
    chosen = chosen[np.argsort(-x[chosen], kind="stable")]
    red = np.isin(chosen, _targets(found, i))
    names = [f"{found.genes[g]} (perturbed)" if r else str(found.genes[g]) for g, r in zip(chosen, red, strict=True)]
    ax = one_axes(ax, 4.3 + style.width_of(names, style.FONT), 0.2 * len(names) + 1.3)
    rows(ax, names, style.FONT)
    ax.axvline(0, color="#555555", lw=0.9, zorder=1)
    for row, (g, is_target) in enumerate(zip(chosen, red, strict=True)):
        color = TARGET if is_target else BLUE
        if np.isfinite(low[g]):
            ax.plot([low[g], high[g]], [row, row], color=color, lw=1.6, solid_capstyle="butt", zorder=2)
        ax.plot([x[g]], [row], ls="", marker="o", ms=5, mew=0, color=color, zorder=3)
    interval = f", {100 * found.coverage:.4g} % interval" if there else ""
    style.axis_names(ax, f"predicted change from the control{interval}")
    none = [] if there else [WITHOUT]
    many = f"not measured; the {len(chosen):,} largest of {len(x):,} predicted changes"
    style.title(ax, narrow([*_head(found, i), many, *none], TITLE))
    return ax


def _head(found: Predicted, i: int) -> list[str]:
    method = in_words([found.method])[0]
    seen = ", fitted with this condition" if np.isfinite(found.observed[i]).any() else ""
    return [found.conditions[i], f"predicted by {method}{', held out' if found.held_out[i] else seen}"]


def _held(found: Predicted, i: int, low: NDArray[np.float64], high: NDArray[np.float64], there: bool) -> str:
    """Coverage of the intervals."""
    if not there:
        return WITHOUT
    if not found.held_out[i]:
        return f"bars: {100 * found.coverage:.4g} % intervals"
    known = np.isfinite(low) & np.isfinite(found.observed[i])
    inside = (low <= found.observed[i]) & (found.observed[i] <= high)
    return f"intervals contain {percent(inside[known].mean())} of the genes ({100 * found.coverage:.4g} % requested)"
