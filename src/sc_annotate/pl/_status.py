"""Which labels to trust, on an embedding."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sc_annotate._core.docs import documented
from sc_annotate._store.slots import DEFAULT_KEY, STATUSES
from sc_annotate._store.stored import read_annotation, refuse_uncalibrated
from sc_annotate.errors import InputError, StorageError
from sc_annotate.pl._embedding import Panel, axes_for, basis_of, coordinates, write_names
from sc_annotate.pl._figure import check_save, finish
from sc_annotate.pl._frame import percent
from sc_annotate.pl._style import STATUS_COLORS

if TYPE_CHECKING:
    from os import PathLike

    from anndata import AnnData
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@documented()
def status(
    adata: AnnData,
    key: str = DEFAULT_KEY,
    *,
    basis: str | None = None,
    size: float | None = None,
    ax: Axes | None = None,
    show: bool | None = None,
    save: str | PathLike[str] | None = None,
    return_fig: bool = False,
) -> Axes | Figure:
    """Draw the status of each cell on an embedding: which labels to trust.

    Colours are the same in every picture. Cells are drawn in random order (the same every time), so that no status hides
    another. Cells without a status lie below in light grey.

    Parameters
    ----------
    %(annotated)s
    %(key)s
    %(basis)s
    %(size)s
    %(ax)s
    %(show)s
    %(save)s
    %(return_fig)s

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
    check_save(save)
    frame = read_annotation(adata, key)
    if "status" not in frame or frame["status"].isna().all():
        refuse_uncalibrated(adata, key)
        raise StorageError(
            f"no cell has a status in {key!r}: the model was fitted with trust=None, or the column was deleted. "
            "Annotate again with trust='temperature'."
        )
    if size is not None and (isinstance(size, bool) or not isinstance(size, int | float) or not size > 0):
        raise InputError(f"size must be an area in square points above 0, not {size!r}.")
    rep = basis_of(adata, basis)
    places = coordinates(adata, rep)
    column = frame["status"].astype(object)
    counts = {str(s): int(n) for s, n in column.value_counts().items()}
    shown = [s for s in STATUSES if s in counts]
    if unknown := sorted(set(counts) - set(shown)):
        raise StorageError(
            f"adata.obs[{key + '_status'!r}] holds {', '.join(map(repr, unknown))}, which is none of "
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
    (drawn,) = axes_for(ax, [panel])
    panel.draw(drawn, places, np.random.default_rng(0).permutation(len(places)), size)
    write_names(drawn, rep, f"{key}: status", panel, places)
    return finish(drawn, show=show, save=save, return_fig=return_fig)
