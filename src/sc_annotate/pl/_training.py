"""Losses of a training, epoch by epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sc_annotate._core import registry
from sc_annotate._core.arguments import default, value_of
from sc_annotate._core.docs import documented
from sc_annotate._store.slots import DEFAULT_KEY
from sc_annotate._store.stored import read_history
from sc_annotate.pl import _style as style
from sc_annotate.pl._figure import check_save, finish, one_axes
from sc_annotate.pl._frame import frame, legend

if TYPE_CHECKING:
    from os import PathLike
    from typing import Any

    import pandas as pd
    from anndata import AnnData
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE = "#1f5fa8", "#c8641b"


@documented()
def training(
    adata: AnnData | Any,
    key: str = default(DEFAULT_KEY),
    *,
    ax: Axes | None = None,
    show: bool | None = None,
    save: str | PathLike[str] | None = None,
    return_fig: bool = False,
) -> Axes | Figure:
    """Draw the losses of the training of a deep method, epoch by epoch.

    Blue is the loss of the cells that are learned from, with dropout, so that it may lie above the other; orange that of the
    cells that end the training, where ``patience`` is set, with a dot at its smallest, whose weights are kept. One line for
    each network of an ensemble. A loss that still falls at the last epoch asks for more of them; a held-out loss that rises
    for fewer, or for ``patience``. The models of scvi-tools are trained in stages, drawn behind each other: first the latent space
    (minus the evidence lower bound, a cell), then the classifier beside it.

    Parameters
    ----------
    adata
        An object annotated by a deep method, or a fitted model. Not changed.
    %(key)s
        Not for a model.
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
        No such result, or a method without a training history.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> adata = sca.datasets.pbmc68k()
    >>> kwargs = {"epochs": 3, "hidden": 8}
    >>> model = sca.tl.fit_annotator(adata, "cell_type", method="mlp_torch", method_kwargs=kwargs, cv=0, trust=None)
    >>> ax = sca.pl.training(model, show=False)
    >>> ax.get_xlabel()
    'epoch'
    """
    from matplotlib.ticker import MaxNLocator

    check_save(save)
    history = read_history(adata, key)
    networks = [part for _, part in history.groupby("network")]
    ax = one_axes(ax, 4.6, 3.4)
    stages = _has_stages(adata, key)
    if stages:
        last = _one_after_the_other(ax, networks)
    else:
        for i, part in enumerate(networks):
            _lines(ax, part, first=i == 0, many=len(networks) > 1)
        top = float(np.nanmax(history[["loss", "held_out_loss"]].to_numpy(dtype=float)))
        last = int(history["epoch"].max())
        ax.set_ylim(0, 1.05 * top or 1.0)
    ax.set_xlim(1 - 0.02 * last, last * 1.02)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    frame(ax)
    legend(ax, loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2)
    style.axis_names(ax, "epoch", "loss of scvi-tools" if stages else "loss (cross-entropy)")
    style.title(ax, _title(adata, key, networks, "stages" if stages else "networks"))
    return finish(ax, show=show, save=save, return_fig=return_fig)


def _lines(ax: Axes, part: pd.DataFrame, *, first: bool, many: bool) -> None:
    """The losses of one network; only the first has a legend entry."""
    epochs, held = part["epoch"].to_numpy(), part["held_out_loss"].to_numpy(dtype=float)
    look: dict[str, Any] = {"lw": 1.1 if many else 1.8, "alpha": 0.6 if many else 1.0}
    # A single epoch is no line.
    look |= {"marker": "o", "ms": 3, "mew": 0} if len(part) < 3 else {}
    ax.plot(epochs, part["loss"], color=BLUE, label="cells learned from" if first else None, **look)
    if np.isfinite(held).any():
        ax.plot(
            epochs, held, color=ORANGE, label="cells that end the training (dot: smallest)" if first else None, **look
        )
        best = int(np.nanargmin(held))
        ax.plot([epochs[best]], [held[best]], ls="", marker="o", ms=6, mew=0, color=ORANGE, zorder=3)


def _has_stages(adata: Any, key: Any) -> bool:
    """Whether the losses are those of stages that follow one another, as scvi-tools trains, not of an ensemble."""
    record = registry.table("annotation").get(_method(adata, key))
    return record is not None and record.kind == "adapter"


def _one_after_the_other(ax: Axes, stages: list[pd.DataFrame]) -> int:
    """Draw the losses of stages behind each other, with a line between them; returns the number of epochs."""
    before = 0
    for i, part in enumerate(stages):
        moved = part.assign(epoch=part["epoch"] + before)
        _lines(ax, moved, first=i == 0, many=False)
        before += len(part)
        if i + 1 < len(stages):
            ax.axvline(before + 0.5, color="0.7", lw=0.8, ls=":", zorder=0)
    return before


def _method(adata: Any, key: Any) -> str:
    uns = getattr(adata, "uns", None)
    return str(adata.method if uns is None else uns[value_of(key)]["method"])


def _title(adata: Any, key: Any, networks: list[pd.DataFrame], what: str) -> list[str]:
    """Whose training, how many networks, or stages of one, and how long."""
    whose, name = f"training of {_method(adata, key)}", str(value_of(key))
    if getattr(adata, "uns", None) is not None and name != _method(adata, key):
        whose = f"{name}: {whose}"
    epochs = sorted({len(part) for part in networks})
    many = f"{len(networks)} {what}, " if len(networks) > 1 else ""
    return [whose, many + (f"{epochs[0]} to {epochs[-1]} epochs" if len(epochs) > 1 else f"{epochs[0]} epochs")]
