"""Which labels the user's marker lists agree with, and which they contradict."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.docs import documented
from sc_annotate._store.slots import DEFAULT_KEY
from sc_annotate._store.storage import read_uns
from sc_annotate._store.stored import read_annotation
from sc_annotate.errors import StorageError
from sc_annotate.pl import _heatmap as heatmap
from sc_annotate.pl import _style as style
from sc_annotate.pl._figure import check_save, color_bar, finish, one_axes
from sc_annotate.pl._frame import RED, narrow
from sc_annotate.pl._order import natural_ranks

if TYPE_CHECKING:
    from os import PathLike

    import pandas as pd
    from anndata import AnnData
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

SCALE = "PuOr_r"
"""Orange: the list scores above the cell's other genes. No red, which marks contradictions."""
MOST_NAMED = 3
"""Labels without a list up to which the title names them."""
MOST = 6.0
"""Score from which the colour stays the same, beside one list that fits far better than all others."""


@documented()
def markers_agree(
    adata: AnnData,
    key: str = DEFAULT_KEY,
    *,
    ax: Axes | None = None,
    show: bool | None = None,
    save: str | PathLike[str] | None = None,
    return_fig: bool = False,
) -> Axes | Figure:
    """Draw how well each marker list agrees with each label.

    Rows are the labels that have a list; columns are the lists, in the order of the rows. Colour is the mean score of the
    list over the cells of the label: 0 where its genes are no higher than the cells' other genes. A frame marks the
    label's own list: black where it agrees, grey where no list decides, red and dashed where another list scores clearly
    higher. That list and the name of the label are then marked with a red cross. Colours beside the names are those of
    the labels.

    Parameters
    ----------
    adata
        An object after :func:`sc_annotate.tl.markers_agree`. Not changed.
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
        No such result, or one that was not compared with markers.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> adata = sca.datasets.pbmc68k()
    >>> query = adata[500:].copy()
    >>> sca.tl.annotate(query, adata[:500].copy(), "cell_type", method="nearest_centroid", cv=0)
    >>> sca.tl.markers_agree(query, markers="pbmc", types={"CD19+ B": "B cell", "CD56+ NK": "natural killer cell"})
    >>> ax = sca.pl.markers_agree(query, show=False)
    >>> [text.get_text() for text in ax.get_yticklabels()]
    ['CD19+ B  (n=34)', 'CD56+ NK  (n=8)']
    """
    check_save(save)
    found = read_uns(adata, key).get("markers_agree")
    if not isinstance(found, dict) or "scores" not in found:
        raise StorageError(
            f"adata.uns[{key!r}] has not been compared with markers. Run sca.tl.markers_agree(adata, {key!r}, markers=...)."
        )
    table: pd.DataFrame = found["table"]
    table = table[(table["group"] == "").to_numpy(dtype=bool)].set_index("type")
    labels, lists = _texts(found["labels"]), _texts(found["lists"])
    scores = np.atleast_2d(np.asarray(found["scores"], dtype=float))
    own = np.array([lists.index(name) for name in _texts(found["list_of_label"])], dtype=np.intp)
    # Labels of one list next to each other, so that agreement runs along the diagonal.
    rows = np.lexsort((natural_ranks(labels), natural_ranks(lists)[own]))
    columns = [*dict.fromkeys(own[rows].tolist())]
    columns += [j for j in np.argsort(-scores.max(axis=0), kind="stable").tolist() if j not in columns]
    place = {j: x for x, j in enumerate(columns)}
    shown, ordered = scores[np.ix_(rows, columns)], [labels[i] for i in rows]
    against = [str(table.loc[label, "agreement"]) == "contradict" for label in ordered]
    short = style.shorten(ordered)
    y = [
        f"{'× ' if bad else ''}{name}  (n={int(table.loc[label, 'n_cells']):,})"
        for name, label, bad in zip(short, ordered, against, strict=True)
    ]
    x = style.shorten([lists[j] for j in columns])
    ax = _draw(ax, shown, y, x)
    _swatches(ax, adata, key, ordered)
    for i, (label, bad) in enumerate(zip(ordered, against, strict=True)):
        agreement = str(table.loc[label, "agreement"])
        _frame(ax, place[int(own[rows[i]])], i, agreement)
        if bad:
            _cross(ax, place[lists.index(str(table.loc[label, "rival"]))], i)
    for i, bad in enumerate(against):
        if bad:
            ax.get_yticklabels()[i].set_color(RED)
    style.axis_names(ax, "marker lists", f"label of {key}")
    head = [f"markers against {key}", f"{sum(against)} of {len(labels)} labels contradicted (red)"]
    left = _texts(found.get("unmatched", []))
    few = len(left) <= MOST_NAMED
    without = f"without a list: {'; '.join(style.shorten(left))}" if few else f"{len(left)} more labels without a list"
    style.title(ax, narrow([*head, *([without] if left else [])], 46))
    return finish(ax, show=show, save=save, return_fig=return_fig)


def _texts(values: Any) -> list[str]:
    return [str(v) for v in np.ravel(np.asarray(values, dtype=object))]


def _draw(ax: Axes | None, shown: NDArray[np.float64], y: list[str], x: list[str]) -> Axes:
    """The heatmap with names, its scale even on both sides of 0."""
    font_y, font_x = heatmap.font_for(len(y)), heatmap.font_for(len(x))
    field = max(heatmap.pitch(max(len(y), len(x))), 0.17)
    ax = one_axes(
        ax,
        max(field * len(x), 2.4) + style.width_of(y, font_y) + 2.1,
        max(field * len(y), 1.0) + style.width_of(x, font_x) + 1.0,
    )
    top = float(np.clip(np.abs(shown).max(), 1, MOST))
    image = ax.imshow(shown, cmap=SCALE, vmin=-top, vmax=top, aspect="auto", interpolation="nearest")
    ax.grid(visible=False)
    ax.tick_params(which="both", length=0)
    ax.tick_params(axis="y", pad=9)
    ax.spines[:].set_visible(False)
    ax.set_yticks(range(len(y)), y, fontsize=font_y, color=style.INK)
    ax.set_xticks(range(len(x)), x, fontsize=font_x, color=style.INK, rotation=90)
    style.plain([*ax.get_yticklabels(), *ax.get_xticklabels()])
    color_bar(ax, image, "mean score of the list")
    return ax


def _swatches(ax: Axes, adata: AnnData, key: str, labels: list[str]) -> None:
    """The colour of each label, beside its name."""
    column = read_annotation(adata, key)["label"]
    if not hasattr(column, "cat"):
        return
    colors = style.type_colors(adata, key, column)
    ax.scatter(
        np.zeros(len(labels)), range(len(labels)), s=22, marker="s", lw=0, clip_on=False, zorder=3,
        color=[colors.get(label, style.GREY) for label in labels], transform=_left(ax),
    )  # fmt: skip


def _left(ax: Axes) -> Any:
    """Places just left of the Axes, at the heights of the rows."""
    from matplotlib.transforms import ScaledTranslation

    figure = ax.figure.figure
    return ax.get_yaxis_transform() + ScaledTranslation(-5 / 72, 0, figure.dpi_scale_trans)


def _frame(ax: Axes, x: int, y: int, agreement: str) -> None:
    """A frame around the label's own list."""
    from matplotlib.patches import Rectangle

    color, line = {"agree": (style.INK, "-"), "contradict": (RED, (0, (2, 1)))}.get(agreement, ("#8a8a8a", "-"))
    ax.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, fill=False, ec=color, lw=1.5, ls=line, clip_on=False, zorder=4))


def _cross(ax: Axes, x: int, y: int) -> None:
    """A red cross, with a white rim that is seen on dark fields."""
    from matplotlib.patheffects import withStroke

    rim = [withStroke(linewidth=4.0, foreground="white")]
    ax.plot([x], [y], marker="x", color=RED, ms=6, mew=1.8, path_effects=rim, zorder=5)
