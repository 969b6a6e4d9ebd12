"""Which genetic interactions there are, and which methods predict them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.docs import documented
from sc_annotate._store.reading import check_adata
from sc_annotate._store.storage import check_key
from sc_annotate.errors import StorageError
from sc_annotate.pl import _perturbation_words as words
from sc_annotate.pl import _style as style
from sc_annotate.pl._figure import check_save, finish, pair
from sc_annotate.pl._frame import beside, frame, legend, narrow, percent, rows

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

    from anndata import AnnData
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CLASSES = {
    "buffering": ("buffering", "less than the sum", "#1f5fa8"),
    "synergistic": ("synergistic", "more than the sum", "#b35900"),
    "opposite": ("opposite", "the other way than both singles", "#7b3fa0"),
    "other": ("other", "singles of different sign", "#8c8c8c"),
}
WIDE, BARS = 3.1, 2.4
"""Inches of the curves and of the bars, without their texts."""


@documented()
def interactions(
    adata: AnnData,
    key: str = "interactions",
    *,
    ax: Sequence[Axes] | None = None,
    show: bool | None = None,
    save: str | PathLike[str] | None = None,
    return_fig: bool = False,
) -> dict[str, Axes] | Figure:
    """Draw how well predictions find genetic interactions, and of what class the interactions are.

    Left, pairs of a gene and a double perturbation, ranked by how far each method predicts them from the sum of the
    singles: the share of all interactions that is found, against the share of false discoveries. Curves further up and
    left are better. ``no change`` (dashed) takes every large sum for an interaction, and is hard to beat; the dotted line
    is a random ranking.

    Right, the observed interactions by class: with both singles in one direction the double may do less than the sum
    (buffering), more (synergistic), or go the other way (opposite).

    Parameters
    ----------
    adata
        Profiles with genetic interactions (:func:`sc_annotate.tl.genetic_interactions`). Not changed.
    %(key)s
    ax
        Two Axes to draw on; a new figure otherwise.
    %(show)s
    %(save)s
    %(return_fig)s

    Returns
    -------
    A dict of the Axes ``"curves"`` and ``"classes"``, or the figure. Methods without a curve are in the legend with the
    reason.

    Raises
    ------
    InputError
        Not two Axes.
    StorageError
        No such result.

    References
    ----------
    Ahlmann-Eltze, Huber & Anders 2025, Nature Methods, doi 10.1038/s41592-025-02772-6.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> screen = sca.datasets.simulate_perturb_seq(5000, 200, 15, 15, interactions=0.05)
    >>> profiles = sca.pp.perturbation_profiles(screen)
    >>> sca.tl.genetic_interactions(profiles)
    >>> sorted(sca.pl.interactions(profiles, show=False))
    ['classes', 'curves']
    """
    check_save(save)
    found = _read(adata, key)
    names = [f"{CLASSES[c][0]}: {CLASSES[c][1]}" for c in CLASSES]
    wide = style.width_of(names, style.FONT)
    curves = found.get("curves")
    methods = [] if curves is None else [str(m) for m in np.ravel(curves["methods"])]
    axes = pair(
        ax,
        WIDE + BARS + wide + 2.0,
        WIDE + 1.3 + 0.17 * (len(methods) + 1),
        (WIDE, BARS),
        ("the curves", "the classes"),
    )
    _curves(axes[0], curves, methods, found)
    _classes(axes[1], found, names)
    return finish(dict(zip(("curves", "classes"), axes, strict=True)), show=show, save=save, return_fig=return_fig)


def _read(adata: Any, key: str) -> dict[str, Any]:
    check_adata(adata, what="adata")
    check_key(key)
    stored = adata.uns.get(key)
    if not _ours(stored):
        have = [name for name, value in adata.uns.items() if _ours(value)]
        raise StorageError(
            f"adata.uns has no genetic interactions {key!r}; there are: {', '.join(map(repr, have)) or 'none'}. Run "
            "`sca.tl.genetic_interactions(profiles)` on the profiles first, and pass these."
        )
    return dict(stored)


def _ours(stored: Any) -> bool:
    return isinstance(stored, dict) and stored.get("task") == "genetic_interactions" and "classes" in stored


def _curves(ax: Axes, curves: Any, methods: list[str], found: dict[str, Any]) -> None:
    frame(ax)
    ax.set(xlim=(0, 1), ylim=(0, 1.02), box_aspect=1)
    style.axis_names(ax, "share of false discoveries", "share of the interactions found")
    if curves is None:
        nothing = "no interaction was detected,\nso none can be predicted"
        ax.text(0.5, 0.5, nothing, ha="center", va="center", fontsize=style.FONT, color=style.INK)
        style.title(ax, ["finding interactions"])
        return
    tpr = np.asarray(curves["tpr"], dtype=np.float64).reshape(len(methods), -1)
    fdp = np.ravel(np.asarray(curves["fdp"], dtype=np.float64))
    area = np.ravel(np.asarray(curves["average_precision"], dtype=np.float64))
    # In a random ranking, the share of interactions is that among all pairs, at every depth.
    detected = sum(int(n) for n in found["classes"].values())
    chance = 1 - detected / max(int(found["n_pairs"]), 1)
    ax.axvline(chance, color="#555555", lw=0.9, ls=(0, (1, 2)), zorder=1)
    left = chance > 0.5
    side = "right" if left else "left"
    ax.text(chance - 0.015 if left else chance + 0.015, 0.03, "at random", ha=side, va="bottom", fontsize=style.SMALL,
            color="#555555", bbox={"fc": "white", "lw": 0, "pad": 0.3}, zorder=4)  # fmt: skip
    # The best in the legend first; the baseline that must be beaten is dashed.
    order = np.argsort(-np.nan_to_num(area, nan=-1), kind="stable")
    color = words.colors(methods)
    shown = words.in_words(methods)
    for i in order:
        known = np.isfinite(tpr[i]).any()
        text = f"{shown[i]}: {area[i]:.3f}" if known else f"{shown[i]}: not predicted"
        dashed = (0, (4, 2)) if methods[i] == "no_change" else "-"
        ax.plot(fdp, tpr[i], color=color[i], lw=1.6, ls=dashed, label=text, zorder=3)
    legend(ax, "average precision", loc="upper center", bbox_to_anchor=(0.5, -0.15), handlelength=1.8)
    n, dropped = int(curves["n_scored"]), int(curves["n_dropped"])
    notes = [f"{dropped:,} left out, as not all methods predict them"] if dropped else []
    style.title(ax, narrow([f"{n:,} pairs of a gene and a double", *notes], 46))


def _classes(ax: Axes, found: dict[str, Any], names: list[str]) -> None:
    counts = np.array([int(found["classes"].get(c, 0)) for c in CLASSES])
    n = max(int(found["n_pairs"]), 1)
    rows(ax, names, style.FONT)
    ax.barh(range(len(counts)), counts, height=0.66, color=[c for _, _, c in CLASSES.values()], lw=0, zorder=2)
    ax.set_xlim(0, max(int(counts.max()), 1) * 1.02)
    for i, count in enumerate(counts):
        beside(ax, i, f"{count:,}  ({100 * count / n:.2g} %)")
    ax.locator_params(axis="x", nbins=4, integer=True)
    style.axis_names(ax, "interactions")
    how = found.get("params", {})
    by = {"tail_area": "false discovery rate", "local_fdr": "local false discovery rate"}.get(
        str(how.get("select_by")), ""
    )
    limit = [f"{by} at most {100 * float(how['fdr']):.3g} %"] if by and "fdr" in how else []
    total = int(counts.sum())
    doubles = len(np.ravel(found["doubles"]))
    head = [f"{total:,} interaction{'s' * (total != 1)} in {doubles:,} doubles", f"{percent(total / n)} of {n:,} pairs"]
    style.title(ax, narrow([*head, *limit], 52))
