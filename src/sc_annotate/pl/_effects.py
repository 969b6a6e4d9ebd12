"""Predicted and observed changes of many perturbations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from sc_annotate._core.docs import documented
from sc_annotate._store.perturbation_slots import DEFAULT_KEY
from sc_annotate.errors import InputError
from sc_annotate.pl import _style as style
from sc_annotate.pl._figure import check_save, color_bar, finish, given_axes, new_axes
from sc_annotate.pl._frame import narrow
from sc_annotate.pl._heatmap import font_for
from sc_annotate.pl._perturbation_stored import read_predicted
from sc_annotate.pl._perturbation_words import in_words

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

    from anndata import AnnData
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from sc_annotate.pl._perturbation_stored import Predicted

LAYERS = {"delta": "", "lower": ", lower end of the interval", "upper": ", upper end of the interval"}
COLORS, ABSENT = "RdBu_r", "#e3e3e3"
MOST_GENES = 200
ROW, COLUMN = 0.16, 0.15
"""Inches of a condition and of a gene."""

NARROWEST = 2.5

STRONG = 99.0
"""Percentile of the absolute changes that has the darkest colour; otherwise a few extreme genes leave the others pale."""


@documented()
def effects(
    adata: AnnData,
    key: str = DEFAULT_KEY,
    *,
    layer: Literal["delta", "lower", "upper"] = "delta",
    n_genes: int = 30,
    conditions: Sequence[str] | None = None,
    ax: Sequence[Axes] | None = None,
    show: bool | None = None,
    save: str | PathLike[str] | None = None,
    return_fig: bool = False,
) -> dict[str, Axes] | Figure:
    """Draw a heat map of predicted changes, conditions x genes, and beside it of the observed ones where there are any.

    Red is up and blue down against the control, white no change; both maps have the same rows, columns and colours. Genes
    are those of the largest changes (root mean square over conditions, of predictions and observations; the change of a
    perturbed gene itself is not counted, and is marked by a dot). Similar genes are neighbours, and so are similar
    conditions. Rows without values are grey and hatched, with the reason.

    Parameters
    ----------
    adata
        An object with predicted perturbations (:func:`sc_annotate.tl.predict_perturbation`). Not changed.
    %(key)s
    layer
        What the left map shows: the predicted change (``"delta"``), or an end of its interval (``"lower"``, ``"upper"``)
        minus the control. Where both ends have the same colour, the interval excludes no change.
    n_genes
        How many genes, 1 to 200.
    conditions
        Which to draw; by default all.
    ax
        Two Axes to draw on, one where nothing was measured; a new figure otherwise.
    %(show)s
    %(save)s
    %(return_fig)s

    Returns
    -------
    A dict of the Axes ``"predicted"`` and, where there is any observation, ``"observed"``; or the figure.

    Raises
    ------
    InputError
        No such condition or layer, `n_genes` out of range, another number of Axes, or nothing to draw.
    StorageError
        No such result.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> screen = sca.datasets.simulate_perturb_seq(2000, 60, 12, 0, rng=0)
    >>> sca.tl.predict_perturbation(screen)
    >>> sorted(sca.pl.effects(screen, n_genes=10, show=False))
    ['observed', 'predicted']
    """
    check_save(save)
    found = read_predicted(adata, key)
    if layer not in LAYERS:
        raise InputError(f"layer must be one of {', '.join(map(repr, LAYERS))}, not {layer!r}.")
    if isinstance(n_genes, bool) or not isinstance(n_genes, int) or not 1 <= n_genes <= MOST_GENES:
        raise InputError(f"n_genes must be a whole number from 1 to {MOST_GENES}, not {n_genes!r}.")
    if isinstance(conditions, str):
        raise InputError(f"conditions must be a list of names, such as [{conditions!r}].")
    rows = np.arange(len(found.conditions)) if conditions is None else np.array([found.row(c) for c in conditions])
    predicted = {"delta": found.change, "lower": found.lower, "upper": found.upper}[layer][rows]
    predicted = np.where(np.isfinite(predicted), predicted, np.nan)
    observed = found.observed[rows]
    if not rows.size or not (np.isfinite(predicted).any() or np.isfinite(observed).any()):
        raise InputError(
            f"none of the {rows.size} conditions has a value{LAYERS[layer]}: nothing can be drawn. Choose others"
            + (", or layer='delta'." if layer != "delta" else ".")
        )
    own = np.array([np.isin(found.genes, found.targets(i)) for i in rows])
    genes, order = _layout(predicted, observed, own, min(n_genes, len(found.genes)))
    rows = rows[order]
    maps = {"predicted": predicted[order][:, genes]}
    if np.isfinite(observed).any():
        maps["observed"] = observed[order][:, genes]
    return finish(_draw(found, maps, rows, genes, layer, ax), show=show, save=save, return_fig=return_fig)


def _layout(
    predicted: NDArray[np.float64], observed: NDArray[np.float64], own: NDArray[np.bool_], n: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Genes of the largest changes, and conditions; similar ones next to each other, conditions without values last."""
    size = np.zeros(predicted.shape[1])
    for values in (predicted, observed):
        known = np.isfinite(values) & ~own
        total = np.where(known, values, 0.0) ** 2
        size = np.maximum(size, np.sqrt(total.sum(axis=0) / np.maximum(known.sum(axis=0), 1)))
    genes = np.sort(np.argsort(-size, kind="stable")[:n])
    stacked = np.where(np.isfinite(predicted), predicted, observed)[:, genes]
    full = np.flatnonzero(np.isfinite(predicted).all(axis=1))
    rest = np.setdiff1d(np.arange(len(predicted)), full)
    filled = np.nan_to_num(stacked)
    return genes[_alike(filled.T)], np.concatenate([full[_alike(filled[full])], rest])


def _alike(values: NDArray[np.float64]) -> NDArray[np.intp]:
    """Order of rows such that neighbours are similar."""
    from scipy.cluster.hierarchy import leaves_list, linkage

    if len(values) < 3:
        return np.arange(len(values))
    return np.asarray(leaves_list(linkage(values, "average", optimal_ordering=len(values) <= 200)), dtype=np.intp)


def _draw(
    found: Predicted, maps: dict[str, NDArray[np.float64]], rows: NDArray[np.intp], genes: NDArray[np.intp], layer: str, ax: Any,
) -> dict[str, Axes]:  # fmt: skip
    names = style.shorten(found.conditions[i] for i in rows)
    columns = style.shorten(found.genes[genes])
    font = font_for(len(names))
    wide = max(COLUMN * len(columns), NARROWEST)
    if ax is None:
        high = max(ROW * len(names), 1.2) + style.width_of(columns, style.SMALL) + 0.9
        axes = new_axes(1, len(maps), wide * len(maps) + style.width_of(names, font) + 1.3, high)
    else:
        axes = given_axes(ax, len(maps), f"for {' and '.join(maps)}")
    known = np.abs(np.concatenate([values[np.isfinite(values)] for values in maps.values()]))
    top = float(np.percentile(known, STRONG)) or float(known.max()) or 1.0
    own = np.array([np.isin(found.genes[genes], found.targets(i)) for i in rows])
    for k, (name, values) in enumerate(maps.items()):
        one = axes[k]
        image = one.imshow(values, cmap=COLORS, vmin=-top, vmax=top, aspect="auto", interpolation="nearest")
        one.grid(visible=False)
        one.tick_params(which="both", length=0)
        one.spines[:].set_visible(False)
        one.set_xticks(range(len(columns)), columns, fontsize=style.SMALL, color=style.INK, rotation=90)
        one.set_yticks(range(len(names)), names if k == 0 else [""] * len(names), fontsize=font, color=style.INK)
        style.plain([*one.get_xticklabels(), *one.get_yticklabels()])
        why = [found.reason[i] for i in rows] if name == "predicted" else ["not measured"] * len(rows)
        _empty(one, values, why, wide)
        own_y, own_x = np.nonzero(own & np.isfinite(values))
        one.plot(own_x, own_y, ls="", marker="o", ms=3.2, mew=0.6, mec="black", mfc="white", zorder=3)
        head = f"predicted by {in_words([found.method])[0]}{LAYERS[layer]}" if name == "predicted" else "observed"
        note = ["dot: the perturbed gene"] if len(own_y) else []
        style.title(one, narrow([head, *note], int(wide * 13)))
    _bar(axes[len(maps) - 1], image, known, top)
    return dict(zip(maps, axes, strict=True))


def _empty(ax: Axes, values: NDArray[np.float64], why: list[str], wide: float) -> None:
    """Grey, hatched, and with the reason: rows without values."""
    from matplotlib.patches import Rectangle

    n = values.shape[1]
    for i in np.flatnonzero(~np.isfinite(values).any(axis=1)).tolist():
        ax.add_patch(Rectangle((-0.5, i - 0.46), n, 0.92, fc=ABSENT, ec="#c4c4c4", hatch="////", lw=0, zorder=2))
        text = why[i] or "no interval"
        while len(text) > 4 and style.width_of([text], style.SMALL) > wide - 0.1:
            text = text.rstrip("…")[:-1].rstrip() + "…"
        written = ax.text((n - 1) / 2, i, text, ha="center", va="center", fontsize=style.SMALL, color=style.INK, zorder=4,
                       bbox={"fc": ABSENT, "lw": 0, "pad": 0.2})  # fmt: skip
        style.plain([written])


def _bar(ax: Axes, image: Any, known: NDArray[np.float64], top: float) -> None:
    if known.max() > top:
        # Arrows at the ends: some changes are larger.
        image.cmap = image.cmap.copy()
        image.cmap.colorbar_extend = "both"
    color_bar(ax, image, "change from the control")
