"""Which calls to believe, on an embedding."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sc_annotate._store.slots import DEFAULT_KEY, STATUSES
from sc_annotate._store.stored import read_annotation, refuse_uncalibrated
from sc_annotate.errors import InputError, StorageError
from sc_annotate.pl._annotation import _axes, _basis, _label, _places
from sc_annotate.pl._figure import finish
from sc_annotate.pl._frame import percent
from sc_annotate.pl._panel import Panel
from sc_annotate.pl._style import STATUS_COLORS

if TYPE_CHECKING:
    from anndata import AnnData
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def status(
    adata: AnnData,
    *,
    basis: str | None = None,
    key: str = DEFAULT_KEY,
    size: float | None = None,
    ax: Axes | None = None,
    show: bool | None = None,
    return_fig: bool = False,
) -> Axes | Figure:
    """Draw on an embedding which calls to believe.

    Colours are the same in every picture. Cells are drawn in random order (the same in each call), so that no status hides
    another; cells without a status lie below in light grey.

    Parameters
    ----------
    adata
        An annotated object with an embedding. Not changed.
    basis
        Name in ``adata.obsm``, with or without ``X_``; its first two columns are drawn. By default the first there is of
        ``umap``, ``tsne`` and ``pca``.
    key
        Name of the result (``key_added``).
    size
        Area of a point in square points; by default smaller the more cells there are.
    ax
        Axes to draw on; a new figure otherwise.
    show
        Whether to show the figure; by default only where matplotlib is interactive.
    return_fig
        Return the figure instead of the Axes.

    Returns
    -------
    The Axes, or the figure. The legend counts the cells of each status that occurs.

    Raises
    ------
    InputError
        No such embedding.
    StorageError
        No such result, or one without status.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> adata = sca.datasets.pbmc68k()
    >>> query = adata[500:].copy()
    >>> sca.tl.annotate(query, adata[:500].copy(), "cell_type", method="nearest_centroid", cv=0)
    >>> ax = sca.pl.status(query, basis="umap", show=False)
    >>> ax.get_title()
    'annotation: status'
    """
    frame = read_annotation(adata, key)
    if "status" not in frame or frame["status"].isna().all():
        refuse_uncalibrated(adata, key)
        raise StorageError(
            f"no cell has a status in {key!r}: the model was fitted with calibration=None, or the column was deleted. "
            "Annotate again with calibration='temperature'."
        )
    if size is not None and (isinstance(size, bool) or not isinstance(size, int | float) or not size > 0):
        raise InputError(f"size must be an area in square points above 0, not {size!r}.")
    rep = _basis(adata, basis)
    places = _places(adata, rep)
    column = frame["status"].astype(object)
    counts = {str(s): int(n) for s, n in column.value_counts().items()}
    shown = [s for s in STATUSES if s in counts]
    if foreign := sorted(set(counts) - set(shown)):
        raise StorageError(
            f"adata.obs[{key + '_status'!r}] holds {', '.join(map(repr, foreign))}, which is none of "
            f"{', '.join(STATUSES)}: the column was changed. Annotate again."
        )
    position = {s: float(i) for i, s in enumerate(shown)}
    codes = np.array([position.get(s, np.nan) for s in column], dtype=np.float64)
    colors = {
        f"{s.replace('_', ' ')}: {counts[s]:,} ({percent(counts[s] / len(column))})": STATUS_COLORS[s] for s in shown
    }
    panel = Panel(codes, colors)
    if none := int((~panel.known).sum()):
        panel.notes.append(f"light grey: {none:,} cells without a status")
    (drawn,) = _axes(ax, [panel])
    panel.draw(drawn, places, np.random.default_rng(0).permutation(len(places)), size)
    _label(drawn, rep, f"{key}: status", panel, places)
    return finish(drawn, show=show, return_fig=return_fig)
