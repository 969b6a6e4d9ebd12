"""How often the methods of a consensus disagree with it, and on which types."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sc_annotate._core.docs import documented
from sc_annotate._store.slots import DEFAULT_KEY
from sc_annotate._store.storage import read_uns
from sc_annotate._store.stored import read_annotation, read_disagreements
from sc_annotate.errors import StorageError
from sc_annotate.pl import _heatmap as heatmap
from sc_annotate.pl import _style as style
from sc_annotate.pl._figure import check_save, finish, one_axes
from sc_annotate.pl._order import natural_ranks

if TYPE_CHECKING:
    from os import PathLike

    from anndata import AnnData
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ALL, ANY = "all cells", "any method"
LEAST_TOP = 0.2
"""Least share that the darkest colour stands for: where the methods agree, no field should look dark."""


@documented()
def consensus(
    adata: AnnData,
    key: str = DEFAULT_KEY,
    *,
    ax: Axes | None = None,
    show: bool | None = None,
    save: str | PathLike[str] | None = None,
    return_fig: bool = False,
) -> Axes | Figure:
    """Draw how often each method disagrees with a consensus, type by type.

    Rows are the labels of the consensus, those with the most disagreement above, after a row of all cells. Columns are
    the methods, with their weights where these differ; in the last column at least one method disagrees. The field is the
    share of the row's cells, in percent; empty fields are 0. Cells that some method did not label, such as pre-labelled
    ones, are left out and counted in the title.

    Parameters
    ----------
    adata
        An object with a consensus: of :func:`sc_annotate.tl.consensus`, or of several methods. Not changed.
    key
        Name of the consensus (``key_added``).
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
        No such result, or one that is no consensus.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> adata = sca.datasets.pbmc68k()
    >>> reference, query = adata[:500].copy(), adata[500:].copy()
    >>> for method in ("nearest_centroid", "naive_bayes"):
    ...     sca.tl.annotate(query, reference, "cell_type", method=method, cv=0, key_added=method)
    >>> sca.tl.consensus(query, ["nearest_centroid", "naive_bayes"])
    >>> ax = sca.pl.consensus(query, "consensus", show=False)
    >>> [text.get_text() for text in ax.get_xticklabels()]
    ['nearest_centroid', 'naive_bayes', 'any method']
    """
    from matplotlib.ticker import PercentFormatter

    check_save(save)
    differs, frame = read_disagreements(adata, key), read_annotation(adata, key)
    labelled = np.isfinite(frame["confidence"].to_numpy(dtype=float))
    if not labelled.any():
        raise StorageError(f"no cell was labelled by all methods of {key!r}: nothing can be drawn.")
    values = differs.to_numpy()[labelled]
    values = np.column_stack([values, values.any(axis=1)]).astype(float)
    types, codes = np.unique(np.asarray(frame["label"].astype(str), dtype=str)[labelled], return_inverse=True)
    sizes = np.bincount(codes)
    shares = np.stack([np.bincount(codes, weights=column) for column in values.T], axis=1) / sizes[:, None]
    order = np.lexsort((natural_ranks(types), -sizes, -shares[:, -1]))
    shares = np.vstack([values.mean(axis=0), shares[order]])
    counts = [len(values), *sizes[order]]
    y = [f"{n}  (n={c:,})" for n, c in zip([ALL, *style.shorten(types[order])], counts, strict=True)]
    x = [*_with_weights(adata, key, style.shorten(differs.columns)), ANY]
    font = heatmap.font_for(len(y))
    field = max(heatmap.pitch(len(y)), 0.17)
    ax = one_axes(
        ax,
        max(0.5 * len(x), 1.5) + style.width_of(y, font) + 1.9,
        max(field * len(y), 1.5) + style.width_of(x, font) + 0.9,
    )
    image = heatmap.draw(
        ax,
        shares,
        y,
        x=x,
        top=max(float(shares.max()), LEAST_TOP),
        name="share of cells that disagree",
        aspect="auto",
    )
    image.colorbar.ax.yaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    percent = 100 * shares
    fields = [(int(i), int(j)) for i, j in np.argwhere(shares > 0)]
    heatmap.numbers(ax, image, fields, lambda i, j: f"{percent[i, j]:.0f}" if percent[i, j] >= 0.5 else "<1")
    ax.axhline(0.5, color="white", lw=3)
    ax.axvline(len(x) - 1.5, color="white", lw=3)
    style.axis_names(ax, "methods", f"label of {key}")
    left = f"left out: {int((~labelled).sum()):,} cells not labelled by all methods"
    head = f"disagreement with {key}, % of cells"
    style.title(ax, [head, *([left] if not labelled.all() else [])])
    return finish(ax, show=show, save=save, return_fig=return_fig)


def _with_weights(adata: AnnData, key: str, names: list[str]) -> list[str]:
    """Names of the methods, with their weights where these differ."""
    weights = np.atleast_1d(np.asarray(read_uns(adata, key).get("weights", []), dtype=float))
    if len(weights) != len(names) or np.ptp(weights) < 1e-9:
        return names
    return [f"{name}  (weight {w:.2f})" for name, w in zip(names, weights / weights.sum(), strict=True)]
