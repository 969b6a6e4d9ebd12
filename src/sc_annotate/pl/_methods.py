"""Scores of compared methods, with intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from sc_annotate._core.arguments import Unset, default, value_of
from sc_annotate._core.docs import documented
from sc_annotate._store.slots import DEFAULT_KEY
from sc_annotate._store.storage import read_uns
from sc_annotate._store.stored import read_baseline
from sc_annotate.errors import InputError
from sc_annotate.pl import _style as style
from sc_annotate.pl._figure import check_save, finish, one_axes

if TYPE_CHECKING:
    from os import PathLike

    import pandas as pd
    from anndata import AnnData
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

METRICS = {"macro_f1": "macro-F1", "accuracy": "accuracy"}
REFERENCE, BASELINE = "logreg", "majority"
BLUE = "#1f5fa8"


@documented()
def methods(
    adata: AnnData | pd.DataFrame,
    key: str = default(DEFAULT_KEY),
    *,
    metric: Literal["macro_f1", "accuracy"] = "macro_f1",
    ax: Axes | None = None,
    show: bool | None = None,
    save: str | PathLike[str] | None = None,
    return_fig: bool = False,
) -> Axes | Figure:
    """Draw the scores of compared methods on held-out cells, the best above, with their intervals.

    A dashed line and a band mark ``logreg`` and its interval; ``majority`` predicts the most common type for every cell. Overlapping intervals do not mean that two methods are equal: they were scored on the same cells, so look at
    the paired ``difference`` in the table.

    Parameters
    ----------
    adata
        An annotated object, or a table as :func:`sc_annotate.benchmark.annotators` or
        :func:`sc_annotate.tl.compare_labels` returns it: one row a method, with the columns ``method`` (or ``key``), the
        metric, and (where there are intervals) the metric with ``_low`` and ``_high``. Not changed.
    key
        Name of the result (``key_added``) in an AnnData; not for a table.
    metric
        ``"macro_f1"`` or ``"accuracy"``.
    %(ax)s
    %(show)s
    %(save)s
    %(return_fig)s

    Returns
    -------
    The Axes, or the figure. Row 0 is the best method; methods without a score stand last and say so.

    Raises
    ------
    InputError
        No such metric, or a table without the columns.
    StorageError
        No such result, or one without held-out scores (``cv=0``).

    Examples
    --------
    >>> import sc_annotate as sca
    >>> adata = sca.datasets.pbmc68k()
    >>> table = sca.benchmark.annotators(adata, "cell_type", methods=["nearest_centroid"], cv=1)
    >>> ax = sca.pl.methods(table, show=False)
    >>> len(ax.get_yticks())
    3
    """
    import pandas as pd

    check_save(save)
    if metric not in METRICS:
        raise InputError(f"metric must be one of {', '.join(map(repr, METRICS))}, not {metric!r}.")
    table, title, own = _table(adata, key)
    table = _sorted(table, metric)
    names = [str(name) for name in table["method"]]
    role = {REFERENCE: "  (baseline)", BASELINE: "  (most common type)"}
    shown = [one + role.get(name, "") for one, name in zip(style.shorten(names), names, strict=True)]
    ax = one_axes(
        ax, 3.6 + style.width_of(shown, style.FONT) + 1.5, 0.28 * len(names) + 0.18 * len(style.broken(title)) + 0.7
    )
    _baseline(ax, table, metric)
    _dots(ax, table, metric)
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.grid(visible=False)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.tick_params(axis="y", length=0)
    ax.tick_params(axis="x", labelsize=style.FONT)
    ax.set_yticks(range(len(shown)), shown, fontsize=style.FONT, color=style.INK)
    style.plain(ax.get_yticklabels())
    for text, name in zip(ax.get_yticklabels(), names, strict=True):
        text.set_fontweight("bold" if name == own else "normal")
    interval = ", 95 % interval" if f"{metric}_low" in table and table[f"{metric}_low"].notna().any() else ""
    cells = "labelled" if isinstance(adata, pd.DataFrame) and "key" in adata else "held-out"
    style.axis_names(ax, f"{METRICS[metric]} on {cells} cells{interval}")
    style.title(ax, title)
    return finish(ax, show=show, save=save, return_fig=return_fig)


def _table(adata: Any, key: str) -> tuple[pd.DataFrame, list[str], str | None]:
    """Scores, the title, and the requested method."""
    import pandas as pd

    if isinstance(adata, pd.DataFrame):
        if not isinstance(key, Unset):
            raise InputError(f"key={key!r} names a result in an AnnData; a table has no name. Leave key out.")
        title = [str(adata.attrs.get("split", adata.attrs.get("cells", "")))]
        # Several results may be of one method.
        return adata.assign(method=adata["key"]) if "key" in adata else adata, title, None
    key = value_of(key)
    baseline = read_baseline(adata, key)
    title = [f"{key}: scores on {int(baseline['n_cells']):,} held-out reference cells", str(baseline["split"])]
    return baseline["scores"], title, str(read_uns(adata, key)["method"])


def _sorted(table: pd.DataFrame, metric: str) -> pd.DataFrame:
    wanted = ["method", metric]
    if absent := [name for name in wanted if name not in table]:
        raise InputError(
            f"the table has no column {', '.join(map(repr, absent))}; there are: {', '.join(map(repr, table))}. Pass what "
            "sca.benchmark.annotators returns, or name another metric."
        )
    if not len(table):
        raise InputError("the table has no rows: no method was compared.")
    bounds = [f"{metric}_low", f"{metric}_high"]
    columns = [*wanted, *(bounds if set(bounds) <= set(table) else [])]
    return table[columns].sort_values(metric, ascending=False, na_position="last", kind="stable").reset_index(drop=True)


def _baseline(ax: Axes, table: pd.DataFrame, metric: str) -> None:
    row = table[(table["method"] == REFERENCE) & table[metric].notna()]
    if not len(row):
        return
    ax.axvline(float(row[metric].iloc[0]), color="#555555", lw=0.9, ls=(0, (4, 3)), zorder=1)
    if f"{metric}_low" in table:
        ax.axvspan(
            float(row[f"{metric}_low"].iloc[0]), float(row[f"{metric}_high"].iloc[0]), color="#eeeeee", lw=0, zorder=0
        )


def _dots(ax: Axes, table: pd.DataFrame, metric: str) -> None:
    """Dots, intervals, and both in numbers at the right edge."""
    look: dict[str, Any] = {
        "ha": "left",
        "va": "center",
        "fontsize": style.SMALL,
        "color": style.INK,
        "transform": ax.get_yaxis_transform(),
    }
    for i, row in enumerate(table.to_dict("records")):
        value, low, high = (float(row.get(name, np.nan)) for name in (metric, f"{metric}_low", f"{metric}_high"))
        color = {REFERENCE: style.INK, BASELINE: "#8c8c8c"}.get(row["method"], BLUE)
        if not np.isfinite(value):
            ax.text(1.02, i, "no score", **look)
            continue
        interval = np.isfinite([low, high]).all()
        if interval:
            ax.plot([low, high], [i, i], color=color, lw=1.8, solid_capstyle="butt", zorder=2)
        ax.plot([value], [i], ls="", marker="o", ms=6, mew=0, color=color, zorder=3)
        ax.text(1.02, i, f"{value:.3f}" + (f"  [{low:.3f}, {high:.3f}]" if interval else ""), **look)
