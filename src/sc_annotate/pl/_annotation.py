"""Calls and confidence on an embedding."""

from __future__ import annotations

from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._data.matrix import resolve_rep
from sc_annotate._store.slots import DEFAULT_KEY, GIVEN
from sc_annotate._store.stored import read_annotation
from sc_annotate.errors import InputError
from sc_annotate.pl import _style as style
from sc_annotate.pl._figure import finish
from sc_annotate.pl._panel import Panel, grid

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from anndata import AnnData
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

BASES = ("umap", "tsne", "pca")


def annotation(
    adata: AnnData,
    *,
    basis: str | None = None,
    key: str = DEFAULT_KEY,
    color: str | Sequence[str] = ("label", "confidence"),
    size: float | None = None,
    ax: Axes | Sequence[Axes] | None = None,
    show: bool | None = None,
    return_fig: bool = False,
) -> Axes | dict[str, Axes] | Figure:
    """Draw calls and confidence on an embedding.

    Colours of the types are those in ``adata.uns[f"{key}_colors"]`` where they exist; otherwise the defaults of scanpy,
    which are not written. Cells are drawn in random order (the same in each panel and each call), so that no type hides
    another; cells without a value, such as the confidence of a given label, lie below in grey.

    Parameters
    ----------
    adata
        An annotated object with an embedding. Not changed.
    basis
        Name in ``adata.obsm``, with or without ``X_``; its first two columns are drawn. By default the first there is of
        ``umap``, ``tsne`` and ``pca``.
    key
        Name of the result (``key_added``).
    color
        One or more of ``"label"``, ``"confidence"``, and, where they were stored, ``"status"``, ``"set_size"``,
        ``"unfamiliarity"``, ``"model"``.
    size
        Area of a point in square points; by default smaller the more cells there are.
    ax
        Axes to draw on, as many as colours; a new figure otherwise.
    show
        Whether to show the figure; by default only where matplotlib is interactive.
    return_fig
        Return the figure instead of the Axes.

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
    frame = read_annotation(adata, key)
    colors = _colors(color, frame, key)
    rep = _basis(adata, basis)
    places = _places(adata, rep)
    if size is not None and (isinstance(size, bool) or not isinstance(size, Real) or not size > 0):
        raise InputError(f"size must be an area in square points above 0, not {size!r}.")
    order = np.random.default_rng(0).permutation(len(places))
    panels = [_panel(adata, key, frame, one) for one in colors]
    drawn = dict(zip(colors, _axes(ax, panels), strict=True))
    for (name, axes), panel in zip(drawn.items(), panels, strict=True):
        panel.draw(axes, places, order, size)
        _label(
            axes, rep, _headline(adata, key) if name == "label" else f"{key}: {name.replace('_', ' ')}", panel, places
        )
    return finish(drawn if len(drawn) > 1 else drawn[colors[0]], show=show, return_fig=return_fig)


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


def _basis(adata: AnnData, basis: str | None) -> str:
    if basis is not None:
        return resolve_rep(adata, basis)
    for name in BASES:
        if name in adata.obsm or f"X_{name}" in adata.obsm:
            return resolve_rep(adata, name)
    have = ", ".join(map(repr, adata.obsm)) or "none"
    raise InputError(
        f"adata.obsm has no {', '.join(BASES[:-1])} or {BASES[-1]} to draw on (there are: {have}). Name one with basis=, or "
        "compute one: sc.pp.pca(adata), sc.pp.neighbors(adata), sc.tl.umap(adata)."
    )


def _places(adata: AnnData, rep: str) -> NDArray[np.float64]:
    X: Any = adata.obsm[rep]
    X = np.asarray(X.to_numpy() if hasattr(X, "to_numpy") else X)
    if X.ndim != 2 or X.shape[1] < 2 or X.dtype.kind not in "fiu":
        raise InputError(
            f"adata.obsm[{rep!r}] is no array of two or more columns of numbers. Name another with basis=."
        )
    return X[:, :2].astype(np.float64)


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
        why = "given labels" if given[missing].all() else "cells without a value"
        panel.notes.append(f"grey: {int(missing.sum()):,} {why}")
    return panel


def _axes(ax: Any, panels: list[Panel]) -> list[Axes]:
    from matplotlib.axes import Axes

    if ax is None:
        return grid(panels)
    given = [ax] if isinstance(ax, Axes) else list(np.ravel(np.asarray(ax, dtype=object)))
    if len(given) != len(panels) or not all(isinstance(one, Axes) for one in given):
        raise InputError(f"ax must be {len(panels)} matplotlib Axes, one for each color, not {ax!r}.")
    for panel, one in zip(panels, given, strict=True):
        panel.fit(one)
    return given


def _label(ax: Axes, rep: str, title: str, panel: Panel, places: NDArray[np.float64]) -> None:
    nowhere = int((~np.isfinite(places).all(axis=1)).sum())
    notes = [*panel.notes, *([f"not drawn: {nowhere:,} cells without coordinates"] if nowhere else [])]
    stem = rep.removeprefix("X_")
    stem = {"umap": "UMAP", "tsne": "tSNE", "pca": "PC"}.get(stem, stem)
    style.title(ax, [title, *notes])
    style.axis_names(ax, f"{stem}1", f"{stem}2")
    ax.set_xticks([])
    ax.set_yticks([])
    ax.grid(visible=False)
    ax.spines[:].set_color("#b0b0b0")
