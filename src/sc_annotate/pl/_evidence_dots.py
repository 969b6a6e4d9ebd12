"""Genes against groups: a dot for what each gene contributed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate.errors import StorageError
from sc_annotate.pl import _style as style
from sc_annotate.pl._figure import color_bar, one_axes
from sc_annotate.pl._frame import legend
from sc_annotate.pl._heatmap import font_for, pitch
from sc_annotate.pl._order import by_similarity

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from sc_annotate.pl._evidence_rows import Rows

MAP = "RdBu_r"
STRIP = 0.95
"""Rows or columns between the dots and the strip with the colours of the types."""


def dots(ax: Any, stored: dict[str, Any], found: Rows, colors: dict[str, str], key: str, n_genes: int | None) -> Axes:
    """The picture; see :func:`sc_annotate.pl.evidence`."""
    kept = stored.get("dots")
    if not isinstance(kept, dict) or "contribution" not in kept:
        raise StorageError(
            f"adata.uns[{key!r}]['evidence'] keeps no dots: there were too many groups and genes. Run sca.tl.evidence with "
            "fewer groups or n_genes, or draw style='bars' of some groups."
        )
    place = {pair: i for i, pair in enumerate(zip(_texts(kept["group"]), _texts(kept["type"]), strict=True))}
    values = np.asarray(kept["contribution"], dtype=np.float64)
    pairs = list(found.pairs)
    if not found.ordered:
        pairs = [pairs[i] for i in by_similarity(_alike(values[[place[pair] for pair in pairs]]))]
    n = n_genes or (5 if len(pairs) <= 12 else 3 if len(pairs) <= 24 else 2)
    owner: dict[str, int] = {}
    for j, pair in enumerate(pairs):
        for gene in found.genes(pair, "towards", n)["gene"]:
            owner.setdefault(gene, j)
    column = {gene: i for i, gene in enumerate(_texts(kept["genes"]))}
    rows, genes = [place[pair] for pair in pairs], [column[gene] for gene in owner]
    contribution = values[np.ix_(rows, genes)].T
    expressed = np.asarray(kept["expressed"], dtype=np.float64)[np.ix_(rows, genes)].T
    names = style.shorten([found.symbol(gene) for gene in owner])
    tops = style.shorten([found.name(pair) for pair in pairs])
    high, wide = max(pitch(len(names)), 0.14), max(pitch(len(tops)), 0.17)
    small, large = font_for(len(names)), font_for(len(tops))
    drawn = one_axes(
        ax,
        max(wide * len(tops), 1.6) + style.width_of(names, small) + 1.5,
        max(high * len(names), 1.2) + style.width_of(tops, large) + 1.3,
    )
    widest = (min(high, wide) * 72 - 1) ** 2
    limit = float(np.quantile(np.abs(contribution), 0.98)) or 1.0
    y, x = np.indices(contribution.shape)
    shades = drawn.scatter(
        x.ravel(), y.ravel(), s=widest * expressed.ravel(), c=contribution.ravel(), cmap=MAP, vmin=-limit, vmax=limit,
        linewidths=0.3, edgecolors="#9a9a9a", zorder=2,
    )  # fmt: skip
    _strips(drawn, pairs, list(owner.values()), colors, widest)
    _names(drawn, names, tops, (small, large))
    for share in (0.25, 0.5, 1.0):
        drawn.scatter([], [], s=widest * share, color="#9a9a9a", lw=0, label=f"{100 * share:.0f} % express it")
    legend(drawn, loc="upper center", bbox_to_anchor=(0.5, 0.0), ncols=1 if len(tops) < 14 else 3)
    style.title(drawn, [f"{key}: genes with the largest contributions to each label", *found.how, *found.note], pad=6)
    color_bar(drawn, shades, "contribution to the log-odds" if found.unit == "log-odds" else found.unit)
    return drawn


def _texts(values: Any) -> list[str]:
    return [str(v) for v in np.ravel(values)]


def _alike(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Groups x groups, 0 to 1: cosine of the positive contributions."""
    push = np.maximum(values, 0)
    length = np.linalg.norm(push, axis=1, keepdims=True)
    unit = np.divide(push, length, out=np.zeros_like(push), where=length > 0)
    return np.asarray(unit @ unit.T)


def _strips(ax: Axes, pairs: list[tuple[str, str]], owners: list[int], colors: dict[str, str], size: float) -> None:
    """The colour of each column's type above it, and beside each gene that of the column it belongs to."""
    shade = [colors.get(kind, style.GREY) for _, kind in pairs]
    square: dict[str, Any] = {"marker": "s", "s": 0.8 * size, "linewidths": 0, "zorder": 2, "clip_on": False}
    ax.scatter(range(len(pairs)), [-STRIP] * len(pairs), c=shade, **square)
    ax.scatter([-STRIP] * len(owners), range(len(owners)), c=[shade[j] for j in owners], **square)


def _names(ax: Axes, genes: list[str], tops: list[str], sizes: tuple[float, float]) -> None:
    ax.set_xlim(-STRIP - 0.6, len(tops) - 0.4)
    ax.set_ylim(len(genes) - 0.4, -STRIP - 0.6)
    ax.grid(visible=False)
    ax.set_axisbelow(True)
    for i in range(len(genes)):
        ax.axhline(i, color="#f0f0f0", lw=0.5, zorder=0)
    ax.spines[:].set_visible(False)
    ax.tick_params(which="both", length=0, top=False, labeltop=True, bottom=False, labelbottom=False)
    ax.set_yticks(range(len(genes)), genes, fontsize=sizes[0], color=style.INK)
    ax.set_xticks(range(len(tops)), tops, fontsize=sizes[1], color=style.INK, rotation=90)
    style.plain([*ax.get_yticklabels(), *ax.get_xticklabels()])
