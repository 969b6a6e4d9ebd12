"""Labels and confidence on an embedding."""

from __future__ import annotations

from numbers import Real
from typing import TYPE_CHECKING

import numpy as np

from sc_annotate._core.docs import documented
from sc_annotate._store.slots import DEFAULT_KEY, GIVEN
from sc_annotate._store.stored import read_annotation
from sc_annotate.errors import InputError
from sc_annotate.pl import _style as style
from sc_annotate.pl._embedding import Panel, axes_for, basis_of, coordinates, write_names
from sc_annotate.pl._figure import check_save, finish

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

    import pandas as pd
    from anndata import AnnData
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@documented()
def annotation(
    adata: AnnData,
    key: str = DEFAULT_KEY,
    *,
    basis: str | None = None,
    color: str | Sequence[str] = ("label", "confidence"),
    size: float | None = None,
    ax: Axes | Sequence[Axes] | None = None,
    show: bool | None = None,
    save: str | PathLike[str] | None = None,
    return_fig: bool = False,
) -> Axes | dict[str, Axes] | Figure:
    """Draw labels and confidence on an embedding.

    Colours of the types are those in ``adata.uns[f"{key}_colors"]`` where they exist; otherwise the defaults of scanpy,
    which are not written. Cells are drawn in random order (the same in each panel, and every time), so that no type hides
    another. Cells without a value, such as the confidence of a pre-labelled cell, lie below in grey.

    Parameters
    ----------
    %(annotated)s
    %(key)s
    %(basis)s
    color
        One or more of ``"label"``, ``"confidence"``, and, where they were stored, ``"status"``, ``"set_size"``,
        ``"unfamiliarity"``, ``"model"``.
    %(size)s
    ax
        Axes to draw on, one for each entry of `color`; a new figure otherwise.
    %(show)s
    %(save)s
    %(return_fig)s

    Returns
    -------
    The Axes for one colour, a dict of Axes by colour for several, or the figure.

    Raises
    ------
    InputError
        No such embedding or colour, or not as many Axes as colours.
    StorageError
        No such result.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> adata = sca.datasets.pbmc68k()
    >>> query = adata[500:].copy()
    >>> sca.tl.annotate(query, adata[:500].copy(), "cell_type", method="nearest_centroid", cv=0)
    >>> sorted(sca.pl.annotation(query, basis="umap", show=False))
    ['confidence', 'label']
    """
    check_save(save)
    frame = read_annotation(adata, key)
    colors = _colors(color, frame, key)
    rep = basis_of(adata, basis)
    places = coordinates(adata, rep)
    if size is not None and (isinstance(size, bool) or not isinstance(size, Real) or not size > 0):
        raise InputError(f"size must be an area in square points above 0, not {size!r}.")
    order = np.random.default_rng(0).permutation(len(places))
    panels = [_panel(adata, key, frame, one) for one in colors]
    drawn = dict(zip(colors, axes_for(ax, panels), strict=True))
    for (name, axes), panel in zip(drawn.items(), panels, strict=True):
        panel.draw(axes, places, order, size)
        write_names(
            axes, rep, _headline(adata, key) if name == "label" else f"{key}: {name.replace('_', ' ')}", panel, places
        )
    return finish(drawn if len(drawn) > 1 else drawn[colors[0]], show=show, save=save, return_fig=return_fig)


def _headline(adata: AnnData, key: str) -> str:
    """The result's name, and how its method did on held-out cells, where that is known."""
    stored = adata.uns.get(key)
    scores = stored["baseline"].get("scores") if isinstance(stored, dict) and "baseline" in stored else None
    if scores is None:
        return key
    row = scores.iloc[0]
    return f"{key}: {row['method']}, held-out macro-F1 {row['macro_f1']:.2f} [{row['macro_f1_low']:.2f}, {row['macro_f1_high']:.2f}]"


def _colors(color: str | Sequence[str], frame: pd.DataFrame, key: str) -> list[str]:
    colors = [color] if isinstance(color, str) else list(dict.fromkeys(color))
    if not colors or any(c not in frame for c in colors):
        raise InputError(
            f"color must be one or more of {', '.join(map(repr, frame))} for the result {key!r}, not {color!r}."
        )
    return colors


def _panel(adata: AnnData, key: str, frame: pd.DataFrame, name: str) -> Panel:
    column = frame[name]
    if name in ("label", "status", "model"):
        column = column.astype("category")
        used = column.cat.remove_unused_categories().cat.categories
        if name == "label":
            found = style.type_colors(adata, key, column)
        elif name == "status" and set(used) <= set(style.STATUS_COLORS):
            found = style.STATUS_COLORS
        else:
            found = dict(zip(map(str, used), style.palette(len(used)), strict=True))
        panel = Panel.of_types(column, found)
    else:
        panel = Panel.of_numbers(column, (0.0, 1.0) if name == "confidence" else None)
    missing = ~panel.known
    if missing.any():
        given = (
            np.asarray(frame["status"] == GIVEN, dtype=bool) if "status" in frame else np.zeros(len(frame), dtype=bool)
        )
        why = "pre-labelled cells" if given[missing].all() else "cells without a value"
        panel.notes.append(f"grey: {int(missing.sum()):,} {why}")
    return panel
