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
from sc_annotate._core.order import natural
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


@pytest.mark.parametrize("n", [3, 10])
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
    # Bright is confident.
    assert light == sorted(light)


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
    assert list(found) == shorten(natural(forty.obs["annotation"].cat.categories))
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
    annotated.obsm["spatial"] = np.zeros((annotated.n_obs, 2))
    assert sca.pl.annotation(annotated, color="label").get_xlabel() == "spatial1"
    annotated.obsm["harmony"] = annotated.obsm.pop("spatial")
    # What a result holds itself is no place to draw on.
    with pytest.raises(InputError, match=r"no umap, tsne, pca or spatial.*there are: 'harmony'\).*sc\.tl\.umap"):
        sca.pl.annotation(annotated)


def test_cells_without_a_place_are_counted(annotated: AnnData) -> None:
    annotated.obsm["X_umap"][:7] = np.nan
    ax = sca.pl.annotation(annotated, color="label")
    scores = annotated.uns["annotation"]["baseline"]["scores"].iloc[0]
    f1 = f"{scores['macro_f1']:.2f} [{scores['macro_f1_low']:.2f}, {scores['macro_f1_high']:.2f}]"
    headline = f"annotation: {scores['method']}, held-out macro-F1 {f1}"
    # A long headline is wrapped.
    assert " ".join(ax.get_title().split()) == f"{headline} not drawn: 7 cells without coordinates"


def test_a_score_without_an_interval_has_none_in_the_title(annotated: AnnData) -> None:
    baseline = annotated.uns["annotation"]["baseline"]
    missing = baseline["scores"].assign(macro_f1_low=np.nan, macro_f1_high=np.nan)
    annotated.uns["annotation"] = annotated.uns["annotation"] | {"baseline": baseline | {"scores": missing}}
    title = " ".join(sca.pl.annotation(annotated, color="label").get_title().split())
    assert title.endswith(f"held-out macro-F1 {missing['macro_f1'].iloc[0]:.2f}")


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
        ({"color": "cel_type"}, InputError, "'label', 'confidence', .*'model'.*'cel_type'.*Did you mean 'cell_type'"),
        ({"color": 3}, InputError, "color must be a list of names.*not 3"),
        ({"color": ["label", ["status"]]}, InputError, "color must be a list of names"),
        ({"color": []}, InputError, "one or more of"),
        ({"color": "confidence", "legend_loc": "on data"}, InputError, "legend_loc='on data'.*numbers only"),
        ({"legend_loc": "lower left"}, InputError, "legend_loc must be"),
        ({"color": "confidence", "shade": "confidence"}, InputError, "shade='confidence'.*no labels"),
        ({"shade": "entropy"}, InputError, "shade must be"),
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


@pytest.fixture
def voted(drawable: AnnData) -> AnnData:
    """Two results, one with a vote, a roll-up and a coarser level."""
    drawable.obs["cluster"] = pd.Categorical([f"{i % 12}" for i in range(drawable.n_obs)])
    sca.tl.vote(drawable, "cluster")
    sca.tl.vote(drawable, "cluster", key="layered")
    return drawable


def test_columns_of_any_result_are_resolved(voted: AnnData, frozen: Any) -> None:
    with frozen(voted):
        names = ["annotation_voted", "layered_voted", "layered_rollup", "layered_branch", "layered_confidence"]
        axes = sca.pl.annotation(voted, color=names)
    # Parts of the named result go by their short names.
    assert list(axes) == ["voted", *names[1:]]
    titles = [ax.get_title().split("\n")[0] for ax in axes.values()]
    assert titles == [
        "annotation: voted", "layered: voted", "layered: rollup", "layered: branch", "layered: confidence",
    ]  # fmt: skip
    for name, ax in zip(names[:4], axes.values(), strict=False):
        assert set(legend(ax)) == set(shorten(voted.obs[name].astype(str).unique()))
    assert axes["layered_confidence"].collections[0].get_clim() == (0, 1)


def test_parts_by_their_short_names(voted: AnnData) -> None:
    axes = sca.pl.annotation(voted, "layered", color=["voted", "rollup", "branch", "branch_confidence", "layered"])
    assert list(axes) == ["voted", "rollup", "branch", "branch_confidence", "label"]
    assert axes["label"].get_title() == "layered"


def test_a_type_has_one_colour(voted: AnnData) -> None:
    axes = sca.pl.annotation(voted, "layered", color=["label", "voted", "rollup"])
    labels, votes, terms = (legend(ax) for ax in axes.values())
    assert all(labels[name] == color for name, color in votes.items())
    assert all(labels.get(name, color) == color for name, color in terms.items())
    assert len(set(terms.values())) == len(terms)


@pytest.mark.parametrize(
    "stated", [(), ("annotation",), ("cell_type",), ("cell_type", "annotation"), ("annotation_voted",)]
)
def test_a_type_has_one_colour_in_columns_of_other_names(annotated: AnnData, stated: tuple[str, ...]) -> None:
    sca.tl.vote(annotated, "louvain")
    # The types of the columns differ, so that the same places in two palettes are different types.
    annotated.obs["annotation_voted"] = annotated.obs["annotation_voted"].cat.remove_unused_categories()
    truth = annotated.obs["cell_type"].astype(str)
    truth[truth == truth.iloc[0]] = "AAA"
    annotated.obs["cell_type"] = truth.astype("category")
    for name in ("cell_type", "annotation", "annotation_voted"):
        annotated.uns.pop(f"{name}_colors", None)
    for i, name in enumerate(stated):
        n = len(annotated.obs[name].cat.categories)
        annotated.uns[f"{name}_colors"] = [to_hex((k / n, 0.1, 0.2 + 0.6 * i)) for k in range(n)]
    names = ["annotation_voted", "cell_type", "label", "louvain"]
    axes = sca.pl.annotation(annotated, color=names)
    voted, true, labels, clusters = (legend(ax) for ax in axes.values())
    assert "AAA" in true
    seen = true | labels | voted
    for one in (voted, true, labels):
        assert all(seen[name] == color for name, color in one.items())
    assert len(set(seen.values())) == len(seen)
    for name in stated[-1:] if len(stated) == 1 else ():
        own = dict(zip(annotated.obs[name].cat.categories, annotated.uns[f"{name}_colors"], strict=True))
        assert all(seen[kind] == color for kind, color in own.items() if kind in seen)
    # Nothing in common with types: as when drawn alone.
    assert clusters == legend(sca.pl.annotation(annotated, color="louvain"))


def test_other_columns_of_obs(voted: AnnData) -> None:
    voted.obs["n_counts"] = np.arange(voted.n_obs)
    axes = sca.pl.annotation(voted, color=["label", "cell_type", "n_counts", "cluster"])
    truth = dict(zip(voted.obs["cell_type"].cat.categories, voted.uns["cell_type_colors"], strict=True))
    assert all(color == to_hex(truth[name]) for name, color in legend(axes["cell_type"]).items())
    assert [axes[name].get_title() for name in ("cell_type", "cluster")] == ["cell_type", "cluster"]
    assert list(legend(axes["cluster"])) == [str(i) for i in range(12)]
    low, high = axes["n_counts"].collections[0].get_clim()
    assert (low, high) == (voted.obs["n_counts"].min(), voted.obs["n_counts"].max())


def test_columns_that_cannot_be_drawn(voted: AnnData) -> None:
    voted.obs["day"] = pd.date_range("2020-01-01", periods=voted.n_obs)
    with pytest.raises(InputError, match=r"'day'.*neither types nor numbers"):
        sca.pl.annotation(voted, color="day")
    many = ad.concat([voted, voted], index_unique="-")
    many.obs["barcode"] = many.obs_names
    with pytest.raises(InputError, match=r"'barcode'.*600 different values"):
        sca.pl.annotation(many, color="barcode")


def test_an_order_that_someone_chose_stays_in_the_legend(voted: AnnData) -> None:
    voted.obs["stage"] = pd.Categorical(["late", "early", "mid"] * 100, categories=["early", "mid", "late"])
    assert list(legend(sca.pl.annotation(voted, color="stage"))) == ["early", "mid", "late"]


def text_boxes(ax: Axes) -> dict[str, Any]:
    ax.figure.canvas.draw()
    return {t.get_text(): t.get_window_extent() for t in ax.texts if t.get_text()}


@pytest.mark.parametrize("k", [10, 40, pytest.param(90, marks=pytest.mark.slow)])
def test_names_on_the_cells(trusted: Any, legible: Any, k: int) -> None:
    adata = trusted(k)
    ax = sca.pl.annotation(adata, color="label", legend_loc="on data")
    assert ax.get_legend() is None
    boxes = text_boxes(ax)
    assert len(boxes) == adata.obs["annotation"].nunique()
    legible(ax.figure)
    frame = ax.get_window_extent()
    assert all(frame.x0 <= b.x0 and b.x1 <= frame.x1 and frame.y0 <= b.y0 and b.y1 <= frame.y1 for b in boxes.values())


def test_names_stand_amid_their_cells_where_there_is_space(annotated: AnnData) -> None:
    corners = np.array([[x, y] for x in (0.0, 10.0, 20.0) for y in (0.0, 10.0, 20.0, 30.0)])
    codes = np.asarray(annotated.obs["annotation"].cat.codes)
    annotated.obsm["X_umap"] = corners[codes] + np.random.default_rng(0).normal(size=(300, 2)) * 0.3
    ax = sca.pl.annotation(annotated, color="label", legend_loc="on data")
    for i, name in enumerate(annotated.obs["annotation"].cat.categories):
        (text,) = [
            t
            for t in ax.texts
            if t.get_text().replace("\n", " ").startswith(name[:8])
            and t.xy[0] is not None
            and np.allclose(t.xy, np.median(annotated.obsm["X_umap"][codes == i], axis=0))
        ]
        assert text.get_path_effects()
        assert not text.get_position()[0] or abs(text.get_position()[0]) < 60


def test_no_legend(annotated: AnnData) -> None:
    ax = sca.pl.annotation(annotated, color="label", legend_loc=None)
    assert ax.get_legend() is None
    assert not ax.texts


def test_uncertain_cells_are_pale(annotated: AnnData) -> None:
    full, pale = (points(sca.pl.annotation(annotated, color="label", shade=s)) for s in (None, "confidence"))
    confidence = annotated.obs["annotation_confidence"].to_numpy()
    places = [tuple(p) for p in annotated.obsm["X_umap"].astype(float)]

    def distance(i: int) -> float:
        return sum(
            abs(a - b) for a, b in zip(*(plt.matplotlib.colors.to_rgb(c[places[i]]) for c in (full, pale)), strict=True)
        )

    assert distance(int(confidence.argmax())) < 0.1
    assert distance(int(confidence.argmin())) > 0.4
    ax = sca.pl.annotation(annotated, color="label", shade="confidence")
    assert "pale: low confidence" in ax.get_title()
    # Their legend stays in full colour.
    assert legend(ax) == legend(sca.pl.annotation(annotated, color="label"))


def test_shade_by_status(partly_given: AnnData) -> None:
    full, pale = (points(sca.pl.annotation(partly_given, color="label", shade=s)) for s in (None, "status"))
    status = partly_given.obs["annotation_status"].astype(str).to_numpy()
    places = [tuple(p) for p in partly_given.obsm["X_umap"].astype(float)]
    same = np.array([full[p] == pale[p] for p in places])
    np.testing.assert_array_equal(same, np.isin(status, ["given", "confident"]))
    del partly_given.obs["annotation_status"]
    with pytest.raises(StorageError, match="no status to shade by"):
        sca.pl.annotation(partly_given, color="label", shade="status")


def test_more_types_than_colours(trusted: Any, legible: Any) -> None:
    adata = trusted(90)
    ax = sca.pl.annotation(adata, color="label")
    marks = [(to_hex(h.get_color()), h.get_marker()) for h in ax.get_legend().legend_handles]
    assert len(set(marks)) == len(marks) > 80
    assert len({color for color, _ in marks}) == 60
    assert "another marker" in ax.get_title()
    legible(ax.figure)
    # Scanpy makes so many types grey.
    adata.uns["annotation_colors"] = ["#808080"] * 90
    assert len(set(legend(sca.pl.annotation(adata, color="label")).values())) == 60


def test_colour_bar_is_beside_its_panel(forty: AnnData, legible: Any) -> None:
    """Not beyond the wide legend of the panel above it."""
    forty.obs["depth"] = np.arange(forty.n_obs, dtype=float)
    figure = sca.pl.annotation(forty, color=["truth", "label", "confidence", "depth"], return_fig=True)
    legible(figure)
    panels = [ax for ax in figure.axes if ax.child_axes]
    assert len(panels) == 2
    for panel in panels:
        (bar,) = [child for child in panel.child_axes if child.get_label() == "<colorbar>"]
        own, box = panel.get_window_extent(), bar.get_window_extent()
        assert own.x1 < box.x0 < own.x1 + 0.1 * own.width
