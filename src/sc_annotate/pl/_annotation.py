"""Labels and confidence on an embedding."""

from __future__ import annotations

from numbers import Real
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from sc_annotate._core.arguments import columns, default, one_of, value_of
from sc_annotate._core.docs import documented
from sc_annotate._store.reading import in_memory
from sc_annotate._store.slots import DEFAULT_KEY
from sc_annotate._store.stored import read_annotation
from sc_annotate.errors import InputError
from sc_annotate.pl._embedding import axes_for, basis_of, coordinates, write_names
from sc_annotate.pl._figure import check_save, finish
from sc_annotate.pl._panels import how_sure, panel_of
from sc_annotate.pl._parts import Part, find_part
from sc_annotate.pl._same_colors import share_colors

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

    import pandas as pd
    from anndata import AnnData
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from sc_annotate.pl._embedding import Panel


@documented()
def annotation(
    adata: AnnData,
    key: str = DEFAULT_KEY,
    *,
    basis: str | None = None,
    color: str | Sequence[str] = default(("label", "confidence")),
    size: float | None = None,
    legend_loc: Literal["right margin", "on data"] | None = "right margin",
    shade: Literal["confidence", "status"] | None = None,
    ax: Axes | Sequence[Axes] | None = None,
    show: bool | None = None,
    save: str | PathLike[str] | None = None,
    return_fig: bool = False,
) -> Axes | dict[str, Axes] | Figure:
    """Draw labels and confidence on an embedding.

    Colours of the types are those in ``adata.uns[f"{key}_colors"]`` where they exist; otherwise those of the matplotlib
    style, and for more types than it has our own, of which 60 can be told apart. With more types colours repeat with
    another marker. They are not written. A type has the same colour in all panels that show it: that of the object, if it
    has one, else one that no other type has. Numbers are bright where a label can be trusted. Cells are drawn in random order
    (the same in each panel, and every time), so that no type hides another. Cells without a value, such as the confidence
    of a pre-labelled cell, lie below in grey.

    Parameters
    ----------
    %(annotated)s
    %(key)s
    %(basis)s
    color
        One or more parts of the result: ``"label"``, ``"confidence"``, and, where they were stored, ``"status"``,
        ``"set_size"``, ``"unfamiliarity"``, ``"voted"``, ``"rollup"``, levels by their name, and the others that
        :func:`sc_annotate.get.annotation` returns. Or columns of ``adata.obs``: those of any result
        (``"annotation_voted"``), and others, such as clusters.
    %(size)s
    legend_loc
        ``"right margin"``, ``"on data"`` (the names are drawn on the cells, without overlap) or None, as in scanpy.
    shade
        Make uncertain labels pale: by the ``"confidence"`` of each cell, or by its ``"status"``. By default all are drawn
        in full colour.
    ax
        Axes to draw on, one for each entry of `color`; a new figure otherwise.
    %(show)s
    %(save)s
    %(return_fig)s

    Returns
    -------
    The Axes for one colour, a dict of Axes by colour for several, or the figure. Columns of other results have their own
    name in the dict, parts of this one theirs.

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
    parts = [find_part(adata, key, frame, name) for name in _names(_shown(color, frame), frame, key)]
    rep = basis_of(adata, basis)
    places = coordinates(adata, rep)
    if size is not None and (isinstance(size, bool) or not isinstance(size, Real) or not size > 0):
        raise InputError(f"size must be an area in square points above 0, not {size!r}.")
    panels = [panel_of(adata, part) for part in parts]
    share_colors(adata, panels, parts)
    _legends(panels, legend_loc)
    _shades(panels, parts, Part(key, "label", frame["label"], frame), shade)
    order = np.random.default_rng(0).permutation(len(places))
    words = [part.name if part.key == key else part.column for part in parts]
    drawn = dict(zip(words, axes_for(ax, panels), strict=True))
    for axes, panel, part in zip(drawn.values(), panels, parts, strict=True):
        panel.draw(axes, places, order, size)
        write_names(axes, rep, _title(adata, part), panel, places)
    return finish(drawn if len(drawn) > 1 else drawn[words[0]], show=show, save=save, return_fig=return_fig)


def _shown(color: Any, frame: pd.DataFrame) -> Any:
    """What the user names; else label and confidence, of which labels of other tools may lack the second."""
    asked = value_of(color)
    return asked if asked is color else [name for name in asked if name in frame]


def _names(color: Any, frame: pd.DataFrame, key: str) -> list[str]:
    names = list(dict.fromkeys(columns(color, "color", of="names of parts of a result or of columns of obs")))
    if not names:
        raise InputError(f"color is empty; name one or more of {', '.join(map(repr, frame))} of the result {key!r}.")
    return names


def _title(adata: AnnData, part: Part) -> str:
    if part.key is None:
        return part.name
    return _headline(adata, part.key) if part.name == "label" else f"{part.key}: {part.name.replace('_', ' ')}"


def _headline(adata: AnnData, key: str) -> str:
    """The result's name, and how its method did on held-out cells, where that is known."""
    stored = in_memory(adata.uns.get(key))
    scores = stored["baseline"].get("scores") if isinstance(stored, dict) and "baseline" in stored else None
    if scores is None:
        return key
    row = scores.iloc[0]
    low, high = row["macro_f1_low"], row["macro_f1_high"]
    # Two held-out batches are too few for an interval.
    interval = f" [{low:.2f}, {high:.2f}]" if low == low and high == high else ""
    return f"{key}: {row['method']}, held-out macro-F1 {row['macro_f1']:.2f}{interval}"


def _legends(panels: list[Panel], legend_loc: str | None) -> None:
    """Where the names of types are drawn; refused where no panel has any."""
    one_of(legend_loc, "legend_loc", ("right margin", "on data", None))
    if legend_loc != "right margin" and all(panel.colors is None for panel in panels):
        raise InputError(
            f"legend_loc={legend_loc!r} says where the names of types are drawn, and color names numbers only. Leave it out, or "
            "draw 'label' too."
        )
    for panel in panels:
        panel.legend_loc = legend_loc


def _shades(panels: list[Panel], parts: list[Part], own: Part, shade: str | None) -> None:
    """Make cells whose labels are uncertain pale, in the panels of labels."""
    one_of(shade, "shade", ("confidence", "status", None))
    if shade is None:
        return
    shaded = [
        panel for panel, part in zip(panels, parts, strict=True) if panel.colors is not None and part.name != shade
    ]
    if not shaded:
        raise InputError(f"shade={shade!r} makes uncertain labels pale, and color names no labels. Leave it out.")
    for panel, part in zip(panels, parts, strict=True):
        if any(panel is one for one in shaded):
            panel.sure = how_sure(part if part.frame is not None else own, shade)
            panel.notes.append("pale: low confidence" if shade == "confidence" else "pale: not confident")
