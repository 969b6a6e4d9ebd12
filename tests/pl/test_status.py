"""What the picture of the statuses shows."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb

import sc_annotate as sca
from sc_annotate._store.slots import STATUSES
from sc_annotate.errors import InputError, StorageError
from sc_annotate.pl._style import STATUS_COLORS as COLORS

if TYPE_CHECKING:
    from anndata import AnnData

# Machado, Oliveira & Fernandes 2009, severity 1: what people without one kind of cones see, linear RGB.
SIGHT = {
    "full": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}


def lab(color: str, sight: Any) -> np.ndarray:
    rgb = np.array(to_rgb(color))
    linear = np.clip(sight @ np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4), 0, 1)
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ linear
    f = xyz / [0.9505, 1, 1.089]
    f = np.where(f > 216 / 24389, np.cbrt(f), (24389 / 27 * f + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("sight", SIGHT)
def test_colours_are_told_apart_by_everybody(sight: str) -> None:
    assert tuple(COLORS) == STATUSES
    matrix = np.asarray(SIGHT[sight])
    for a, b in combinations([*COLORS.values(), "#ffffff"], 2):
        assert np.linalg.norm(lab(a, matrix) - lab(b, matrix)) > 20


def points(ax: Axes) -> dict[tuple[float, float], str]:
    """Colour of each place."""
    return {
        (x, y): to_hex(color)
        for group in ax.collections
        for (x, y), color in zip(
            group.get_offsets(),
            np.broadcast_to(group.get_facecolors(), (len(group.get_offsets()), 4)),
            strict=True,
        )
    }


def test_cells_have_the_colours_of_their_status(trusted: Any, frozen: Any, legible: Any) -> None:
    adata = trusted(10)
    with frozen(adata):
        ax = sca.pl.status(adata)
    assert isinstance(ax, Axes)
    places = adata.obsm["X_umap"]
    drawn = points(ax)
    assert [drawn[tuple(place)] for place in places] == [COLORS[s] for s in adata.obs["annotation_status"]]
    legible(ax.figure)


def test_legend_counts_in_the_order_of_the_statuses(trusted: Any) -> None:
    adata = trusted(10)
    column = adata.obs["annotation_status"]
    adata.obs["annotation_status"] = column.cat.reorder_categories(sorted(column.cat.categories, reverse=True))
    legend = sca.pl.status(adata).get_legend()
    n = column.value_counts()
    assert [t.get_text() for t in legend.get_texts()] == [
        f"{s.replace('_', ' ')}: {n[s]:,} ({100 * n[s] / 1_500:.1f} %)" for s in STATUSES
    ]
    assert [line.get_color() for line in legend.get_lines()] == list(COLORS.values())


def test_a_status_keeps_its_colour_where_others_are_missing(trusted: Any) -> None:
    adata = trusted(10)
    adata = adata[adata.obs["annotation_status"].isin(["ambiguous", "given"])].copy()
    ax = sca.pl.status(adata)
    assert [line.get_color() for line in ax.get_legend().get_lines()] == [COLORS["ambiguous"], COLORS["given"]]
    assert set(points(ax).values()) == {COLORS["ambiguous"], COLORS["given"]}


def test_cells_without_a_status_are_counted(trusted: Any) -> None:
    adata = trusted(10)
    adata.obs.loc[adata.obs_names[100:107], "annotation_status"] = np.nan
    ax = sca.pl.status(adata)
    assert ax.get_title() == "annotation: status\nlight grey: 7 cells without a status"
    assert list(points(ax).values()).count("#d3d3d3") == 7


def test_what_annotate_stores_is_drawn_on_given_axes(annotated: AnnData, frozen: Any) -> None:
    _, own = plt.subplots()
    with frozen(annotated):
        assert sca.pl.status(annotated, basis="pca", ax=own, size=3) is own
    assert own.get_xlabel() == "PC1"
    plt.close("all")


def test_refusals(annotated: AnnData) -> None:
    with pytest.raises(StorageError, match="no annotation 'other'"):
        sca.pl.status(annotated, key="other")
    with pytest.raises(InputError, match="nowhere"):
        sca.pl.status(annotated, basis="nowhere")
    with pytest.raises(InputError, match="size must be"):
        sca.pl.status(annotated, size=0)
    with pytest.raises(InputError, match="ax must be 1 matplotlib Axes"):
        sca.pl.status(annotated, ax=3)  # type: ignore[arg-type]
    column = annotated.obs.pop("annotation_status")
    with pytest.raises(StorageError, match="no cell has a status.*trust='temperature'"):
        sca.pl.status(annotated)
    annotated.obs["annotation_status"] = column.astype(object).where(column != "confident", "sure")
    with pytest.raises(StorageError, match="'sure', which is none of confident"):
        sca.pl.status(annotated)
