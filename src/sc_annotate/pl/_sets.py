"""How often prediction sets hold the truth, and how large they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.docs import documented
from sc_annotate._core.order import natural
from sc_annotate._store.slots import DEFAULT_KEY, GIVEN
from sc_annotate._store.stored import read_annotation, read_calibration, read_sets
from sc_annotate.errors import StorageError
from sc_annotate.pl import _style as style
from sc_annotate.pl._figure import check_save, finish, pair
from sc_annotate.pl._frame import RED, beside, legend, narrow, percent, rows
from sc_annotate.pl._heatmap import font_for, pitch
from sc_annotate.pl._order import natural_ranks

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

    import pandas as pd
    from anndata import AnnData
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

BLUE = "#1f5fa8"
SIZES = {"1 type": "#c9d9ea", "2": "#6b9bc9", "3 or more": "#173f6e"}
WIDE, TEXT = 2.9, 0.55
"""Inches of a panel, and of the numbers beside it."""


@dataclass(frozen=True)
class Checked:
    """Coverage of each type at one level; NaN for types without held-out cells."""

    types: NDArray[np.str_]
    values: NDArray[np.float64]
    """Types x coverage, low, high, n."""
    level: float
    overall: float
    n: int


@documented()
def sets(
    adata: AnnData,
    key: str = DEFAULT_KEY,
    *,
    ax: Sequence[Axes] | None = None,
    show: bool | None = None,
    save: str | PathLike[str] | None = None,
    return_fig: bool = False,
) -> dict[str, Axes] | Figure:
    """Draw the coverage and the size of prediction sets.

    Left, held-out reference cells by their true type, the worst type above: the share of sets that contain the true type, with
    a 95 % interval (Wilson), against the requested coverage (dashed). Red: the whole interval lies below it. Coverage that
    holds over all cells may fail for a rare type.

    Right, the cells of `adata` by label: the share of sets of one type, two, and more. Pre-labelled cells are left out.

    Parameters
    ----------
    %(annotated)s
    %(key)s
    ax
        Two Axes to draw on; a new figure otherwise.
    %(show)s
    %(save)s
    %(return_fig)s

    Returns
    -------
    A dict of the Axes ``"coverage"`` and ``"size"``, or the figure. Both have the same rows: the types with held-out
    cells or predictions. A star marks types with too few cells for a threshold of their own, which have the common one; ``n``
    is the number of cells.

    Raises
    ------
    InputError
        Not two Axes.
    StorageError
        No such result, or one without prediction sets; a consensus has none of its own.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> adata = sca.datasets.pbmc68k()
    >>> query = adata[500:].copy()
    >>> sca.tl.annotate(query, adata[:500].copy(), "cell_type", method="nearest_centroid", cv=0)
    >>> sorted(sca.pl.sets(query, show=False))
    ['coverage', 'size']
    """
    check_save(save)
    how, frame = read_sets(adata, key), read_annotation(adata, key)
    if "set_size" not in frame:
        raise StorageError(
            f"adata.obs has no {key + '_set_size'!r}: the column was deleted. Annotate again, or choose another key."
        )
    level = float(how["coverage"])
    checked = _checked(read_calibration(adata, key, "sets")["sets"], level)
    counts = _sizes(frame)
    types = _order(checked, list(counts.index))
    common = {str(t) for t in np.ravel(how.get("types_with_the_common_threshold", []))}
    names = [f"{n} *" if t in common else n for t, n in zip(types, style.shorten(types), strict=True)]
    notes = ["* too few cells: the common threshold"] if common.intersection(types) else []
    if len(np.ravel(how.get("types_in_every_set", []))):
        notes.append("too few cells for this coverage: every type is in every set")
    size = font_for(len(types))
    width = style.width_of(names, size)
    axes = pair(
        ax,
        width + 2 * (WIDE + TEXT) + 0.5,
        max(pitch(len(types)) * len(types), 1.2) + 1.7,
        (width + WIDE + TEXT, WIDE + TEXT),
        ("the coverage", "the sizes"),
    )
    rows(axes[0], names, size)
    _coverage(axes[0], checked, types)
    rows(axes[1], [""] * len(types), size)
    _bars(axes[1], counts, types)
    if abs(checked.level - level) > 1e-9:
        notes.append(f"requested {level:.4g}; nearest checked {checked.level:.4g}")
    head = [f"{checked.n:,} held-out reference cells", f"{percent(checked.overall)} of the sets contain the true type"]
    style.title(axes[0], narrow([*head, *notes], 46), pad=4)
    n_cells = int(counts.to_numpy().sum())
    head = [f"{key}: {n_cells:,} cells"]
    if n_cells:
        head.append(f"{percent(counts.to_numpy()[:, 0].sum() / n_cells)} with a set of one type")
    style.title(axes[1], narrow(head, 46), pad=19)
    return finish(dict(zip(("coverage", "size"), axes, strict=True)), show=show, save=save, return_fig=return_fig)


def _checked(found: dict[str, Any], level: float) -> Checked:
    """The tables at the level nearest to the requested one."""
    overall, table = found["overall"], found["by_type"]
    levels = overall["requested"].to_numpy(dtype=float)
    row = overall.iloc[int(np.abs(levels - level).argmin())]
    table = table[np.isclose(table["requested"].to_numpy(dtype=float), float(row["requested"]), rtol=0, atol=1e-9)]
    values = table[["coverage", "low", "high", "n"]].to_numpy(dtype=float)
    types = np.asarray(table["type"].astype(str), dtype=str)
    return Checked(types, values, float(row["requested"]), float(row["coverage"]), int(row["n"]))


def _sizes(frame: pd.DataFrame) -> pd.DataFrame:
    """Predicted types x one, two, more: numbers of cells."""
    import pandas as pd

    predicted = frame["label"].notna() & frame["set_size"].notna()
    if "status" in frame:
        predicted &= frame["status"].astype(object) != GIVEN
    kept = frame[predicted.to_numpy(dtype=bool)]
    group = np.clip(kept["set_size"].to_numpy(dtype=int), 1, len(SIZES)) - 1
    table = pd.crosstab(kept["label"].astype(str).to_numpy(), group)
    return table.reindex(columns=range(len(SIZES)), fill_value=0)


def _order(checked: Checked, predicted: list[str]) -> list[str]:
    """Types from the worst covered to the best, of equal ones the more numerous first; unchecked ones last."""
    worst = np.lexsort((natural_ranks(checked.types), -checked.values[:, 3], checked.values[:, 0]))
    return [*checked.types[worst].tolist(), *natural(set(predicted) - set(checked.types.tolist()))]


def _coverage(ax: Axes, checked: Checked, types: list[str]) -> None:
    row = dict(zip(checked.types.tolist(), checked.values, strict=True))
    ax.axvline(checked.level, color="#555555", lw=0.9, ls=(0, (4, 3)), zorder=1)
    for i, name in enumerate(types):
        ax.axhline(i, color="#ececec", lw=0.6, zorder=0)
        if name not in row or not np.isfinite(row[name]).all():
            beside(ax, i, "n=0")
            continue
        share, low, high, n = row[name]
        color = RED if high < checked.level else BLUE
        ax.plot([low, high], [i, i], color=color, lw=1.6, solid_capstyle="butt", zorder=2)
        ax.plot([share], [i], ls="", marker="o", ms=5, mew=0, color=color, zorder=3)
        beside(ax, i, f"n={int(n):,}")
    ax.set_xlim(-0.02, 1.02)
    style.axis_names(ax, f"share of sets with the true type ({checked.level:.4g} requested)")


def _bars(ax: Axes, counts: pd.DataFrame, types: list[str]) -> None:
    table = counts.reindex(types, fill_value=0).to_numpy(dtype=float)
    total = table.sum(axis=1)
    shares = np.divide(table, total[:, None], out=np.zeros_like(table), where=total[:, None] > 0)
    starts = np.cumsum(shares, axis=1) - shares
    for j, (name, color) in enumerate(SIZES.items()):
        ax.barh(range(len(types)), shares[:, j], left=starts[:, j], height=0.74, color=color, lw=0, label=name)
    for i, n in enumerate(total):
        beside(ax, i, f"n={int(n):,}")
    ax.set_xlim(0, 1)
    legend(ax, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=len(SIZES), handlelength=1.0, columnspacing=1.2)
    style.axis_names(ax, "share of sets by size, cells by label")
