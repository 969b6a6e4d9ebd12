"""What the panels on an embedding show."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scanpy as sc
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

import sc_annotate as sca
from sc_annotate.errors import InputError, StorageError
from sc_annotate.pl._style import GREY, STATUS_COLORS, shorten

if TYPE_CHECKING:
    from anndata import AnnData


def points(ax: Axes) -> dict[tuple[float, float], str]:
    """Colour by place, of all collections; a place that two cells share keeps the upper."""
    ax.figure.canvas.draw()
    found = {}
    for collection in ax.collections:
        colors = collection.get_facecolors()
        places = np.asarray(collection.get_offsets())
        for i, place in enumerate(places):
            found[tuple(place)] = to_hex(colors[i % len(colors)])
    return found


def legend(ax: Axes) -> dict[str, str]:
    box = ax.get_legend()
    marks = [to_hex(h.get_color()) for h in box.legend_handles]
    return dict(zip([t.get_text() for t in box.get_texts()], marks, strict=True))


def test_two_panels(annotated: AnnData, frozen: Any, legible: Any) -> None:
    with frozen(annotated):
        axes = sca.pl.annotation(annotated)
    assert list(axes) == ["label", "confidence"]
    assert all(isinstance(ax, Axes) for ax in axes.values())
    assert axes["label"].get_xlabel() == "UMAP1"
    legible(axes["label"].figure)


def test_colours_are_those_of_the_object(annotated: AnnData) -> None:
    names = list(annotated.obs["annotation"].cat.categories)
    own = [to_hex((i / 20, 0.3, 0.5)) for i in range(len(names))]
    annotated.uns["annotation_colors"] = np.array(own, dtype=object)
    ax = sca.pl.annotation(annotated, color="label")
    color = dict(zip(names, own, strict=True))
    assert legend(ax) == color
    places = annotated.obsm["X_umap"].astype(float)
    found = points(ax)
    assert len(found) == len(np.unique(places, axis=0)) == 300
    for place, call in zip(places, annotated.obs["annotation"], strict=True):
        assert found[tuple(place)] == color[call]


def test_annotate_hands_on_the_colours_of_the_reference(annotated: AnnData) -> None:
    of_reference = dict(zip(annotated.obs["cell_type"].cat.categories, annotated.uns["cell_type_colors"], strict=True))
    for name, color in legend(sca.pl.annotation(annotated, color="label")).items():
        assert color == to_hex(of_reference[name])


@pytest.mark.parametrize("n", [3, 15, 25])
def test_default_colours_are_those_of_scanpy(n: int) -> None:
    obs = pd.DataFrame({"annotation": pd.Categorical([f"t{i:02}" for i in range(n)]), "annotation_model": "m"})
    obs.index = obs.index.astype(str)
    adata = ad.AnnData(
        np.zeros((n, 1), dtype=np.float32), obs=obs, obsm={"X_umap": np.random.default_rng(0).random((n, 2))}
    )
    found = legend(sca.pl.annotation(adata, color="label"))
    assert "annotation_colors" not in adata.uns
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what matplotlib says of scanpy
        sc.pl.umap(adata, color="annotation", show=False)
    assert list(found.values()) == [to_hex(c) for c in adata.uns["annotation_colors"]]


@pytest.mark.parametrize("stored", [["red"], ["no colour"] * 10, "red", {"a": "red"}])
def test_colours_that_cannot_be_used_are_passed_over(annotated: AnnData, stored: Any) -> None:
    annotated.uns["annotation_colors"] = stored
    found = legend(sca.pl.annotation(annotated, color="label"))
    assert len(set(found.values())) == len(found) > 5


def test_confidence(annotated: AnnData) -> None:
    ax = sca.pl.annotation(annotated, color="confidence")
    (collection,) = ax.collections
    assert collection.get_clim() == (0, 1)
    by_place = dict(zip(map(tuple, np.asarray(collection.get_offsets())), collection.get_array(), strict=True))
    places = annotated.obsm["X_umap"].astype(float)
    expected = annotated.obs["annotation_confidence"]
    assert [by_place[tuple(p)] for p in places] == pytest.approx(list(expected))
    light = [sum(collection.cmap(v)[:3]) for v in (0.0, 0.5, 1.0)]
    assert light == sorted(light, reverse=True)


def test_given_cells_are_grey_and_below(partly_given: AnnData, frozen: Any, legible: Any) -> None:
    with frozen(partly_given):
        axes = sca.pl.annotation(partly_given)
    ax = axes["confidence"]
    below, above = ax.collections
    assert below.get_zorder() < above.get_zorder()
    assert to_hex(below.get_facecolor()[0]) == GREY
    given = partly_given.obsm["X_umap"][:500].astype(float)
    np.testing.assert_array_equal(np.unique(below.get_offsets(), axis=0), np.unique(given, axis=0))
    assert len(above.get_offsets()) == 200
    assert ax.get_title() == "annotation: confidence\ngrey: 500 pre-labelled cells"
    # Their label is drawn like any other.
    assert sum(len(c.get_offsets()) for c in axes["label"].collections) == 700
    assert axes["label"].get_title() == "annotation"
    legible(ax.figure)


def test_all_cells_given_in_this_part(partly_given: AnnData) -> None:
    ax = sca.pl.annotation(partly_given[:50].copy(), color="confidence")
    assert [len(c.get_offsets()) for c in ax.collections] == [50]
    assert len(ax.figure.axes) == 1


def test_other_columns(partly_given: AnnData, legible: Any) -> None:
    axes = sca.pl.annotation(partly_given, color=["label", "status", "model"])
    assert list(axes) == ["label", "status", "model"]
    statuses = list(partly_given.obs["annotation_status"].cat.categories)
    assert len(statuses) >= 3
    assert legend(axes["status"]) == {name: STATUS_COLORS[name] for name in statuses}
    assert "without a value" not in axes["status"].get_title()
    assert "500 pre-labelled cells" in axes["model"].get_title()
    figure = axes["label"].figure
    assert len(figure.axes) == 3
    legible(figure)


def test_forty_types(forty: AnnData, frozen: Any, legible: Any) -> None:
    with frozen(forty):
        figure = sca.pl.annotation(forty, return_fig=True)
    assert isinstance(figure, Figure)
    ax, confidence = figure.axes[:2]
    found = legend(ax)
    assert list(found) == shorten(forty.obs["annotation"].cat.categories)
    assert len(set(found.values())) == len(found)
    legible(figure)
    assert len({round(t.get_window_extent().x0) for t in ax.get_legend().get_texts()}) >= 2
    assert all(c.get_rasterized() for c in ax.collections)
    box, beside = ax.get_legend().get_window_extent(), confidence.get_window_extent()
    assert ax.get_window_extent().x1 <= box.x0
    assert box.x1 < beside.x0


def test_points_shrink_with_their_number(annotated: AnnData, forty: AnnData) -> None:
    few, many = (sca.pl.annotation(a, color="label").collections[0] for a in (annotated, forty))
    assert few.get_sizes()[0] > many.get_sizes()[0]
    assert not few.get_rasterized()
    assert sca.pl.annotation(forty, color="label", size=7).collections[0].get_sizes()[0] == 7


def test_order_of_cells_is_random_and_the_same(annotated: AnnData) -> None:
    axes = sca.pl.annotation(annotated)
    label, confidence = (np.asarray(ax.collections[0].get_offsets()) for ax in axes.values())
    np.testing.assert_array_equal(label, confidence)
    assert not np.array_equal(label, annotated.obsm["X_umap"])


@pytest.mark.parametrize(("basis", "name"), [("pca", "PC1"), ("X_pca", "PC1"), ("umap", "UMAP1"), ("mine", "mine1")])
def test_basis(annotated: AnnData, basis: str, name: str) -> None:
    annotated.obsm["mine"] = pd.DataFrame(
        annotated.obsm["X_pca"][:, :3], index=annotated.obs_names, columns=list("abc")
    )
    key = basis if basis in annotated.obsm else f"X_{basis}"
    ax = sca.pl.annotation(annotated, basis=basis, color="label")
    assert ax.get_xlabel() == name
    assert set(points(ax)) == set(map(tuple, np.asarray(annotated.obsm[key])[:, :2].astype(float)))


def test_default_basis(annotated: AnnData) -> None:
    annotated.obsm["tsne"] = annotated.obsm.pop("X_umap")
    assert sca.pl.annotation(annotated, color="label").get_xlabel() == "tSNE1"
    del annotated.obsm["tsne"]
    assert sca.pl.annotation(annotated, color="label").get_xlabel() == "PC1"
    del annotated.obsm["X_pca"]
    with pytest.raises(InputError, match=r"no umap, tsne or pca.*'annotation_proba'.*sc\.tl\.umap"):
        sca.pl.annotation(annotated)


def test_cells_without_a_place_are_counted(annotated: AnnData) -> None:
    annotated.obsm["X_umap"][:7] = np.nan
    ax = sca.pl.annotation(annotated, color="label")
    scores = annotated.uns["annotation"]["baseline"]["scores"].iloc[0]
    f1 = f"{scores['macro_f1']:.2f} [{scores['macro_f1_low']:.2f}, {scores['macro_f1_high']:.2f}]"
    headline = f"annotation: {scores['method']}, held-out macro-F1 {f1}"
    # A long headline is wrapped.
    assert " ".join(ax.get_title().split()) == f"{headline} not drawn: 7 cells without coordinates"


def test_concatenated_objects(annotated: AnnData) -> None:
    """Without the entry of ``uns``, labels and confidence can still be drawn."""
    both = ad.concat([annotated[:100].copy(), annotated[100:].copy()])
    assert "annotation" not in both.uns
    assert len(legend(sca.pl.annotation(both)["label"])) > 5


def test_own_axes(annotated: AnnData, legible: Any) -> None:
    figure, axes = plt.subplots(1, 2, figsize=(11, 4))
    found = sca.pl.annotation(annotated, ax=axes)
    assert list(found.values()) == list(axes)
    figure.canvas.draw()
    assert axes[0].get_legend().get_window_extent().x1 < axes[1].get_window_extent().x0
    legible(figure)
    one = plt.figure().add_subplot()
    assert sca.pl.annotation(annotated, color=["confidence"], ax=one) is one


def test_axes_in_a_subfigure(annotated: AnnData) -> None:
    figure = plt.figure(layout="constrained")
    part = figure.subfigures(1, 2)[1]
    assert sca.pl.annotation(annotated, color="label", ax=part.subplots(), return_fig=True) is figure


@pytest.mark.parametrize(
    ("kwargs", "error", "message"),
    [
        ({"key": "other"}, StorageError, "no annotation 'other'"),
        ({"basis": "phate"}, InputError, "no representation 'phate'.*'X_umap'"),
        ({"basis": "flat"}, InputError, "two or more columns"),
        ({"color": "cell_type"}, InputError, "'label', 'confidence', .*'model'.*'cell_type'"),
        ({"color": []}, InputError, "one or more of"),
        ({"size": 0}, InputError, "size must be"),
        ({"size": True}, InputError, "size must be"),
        ({"ax": []}, InputError, "ax must be 2 matplotlib Axes"),
    ],
)
def test_refusals(annotated: AnnData, kwargs: dict[str, Any], error: type[Exception], message: str) -> None:
    annotated.obsm["flat"] = np.zeros((300, 1))
    with pytest.raises(error, match=message):
        sca.pl.annotation(annotated, **kwargs)
    assert not plt.get_fignums()
