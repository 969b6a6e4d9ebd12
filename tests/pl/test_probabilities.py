"""What the heatmaps of probabilities show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

import sc_annotate as sca
from sc_annotate._core.order import natural
from sc_annotate.errors import InputError, StorageError

if TYPE_CHECKING:
    from anndata import AnnData


def rows(ax: Axes) -> list[str]:
    return [t.get_text() for t in ax.get_yticklabels()]


def test_cells_stand_by_call_then_confidence(annotated: AnnData, frozen: Any, legible: Any) -> None:
    with frozen(annotated):
        ax = sca.pl.probabilities(annotated)
    assert isinstance(ax, Axes)
    shown = np.asarray(ax.images[0].get_array())
    assert shown.shape == (10, 300)
    frame = sca.get.probabilities(annotated)[rows(ax)]
    labels = annotated.obs["annotation"].astype(str).to_numpy()
    expected = []
    for name in rows(ax):
        mine = frame[labels == name]
        expected.append(mine.loc[mine[name].sort_values(ascending=False, kind="stable").index])
    np.testing.assert_array_equal(shown, pd.concat(expected).to_numpy().T)
    assert ax.get_title() == "annotation: 300 cells"
    legible(ax.figure)


def test_strip_has_the_colours_of_the_calls(annotated: AnnData) -> None:
    ax = sca.pl.probabilities(annotated)
    above, beside = (child.images[0].get_array() for child in ax.child_axes)
    color = dict(
        zip(annotated.obs["annotation"].cat.categories, map(to_hex, annotated.uns["annotation_colors"]), strict=True)
    )
    ordered = [rows(ax)[i] for i in np.asarray(ax.images[0].get_array()).argmax(axis=0)]
    assert [to_hex(c) for c in above[0]] == [color[name] for name in ordered]
    assert [to_hex(c[0]) for c in beside] == [color.get(name, "#d3d3d3") for name in rows(ax)]


def test_many_cells_are_sampled_evenly_and_that_is_said(annotated: AnnData) -> None:
    everything = np.asarray(sca.pl.probabilities(annotated).images[0].get_array())
    ax = sca.pl.probabilities(annotated, max_cells=50)
    shown = np.asarray(ax.images[0].get_array())
    np.testing.assert_array_equal(shown, everything[:, np.linspace(0, 299, 50).round().astype(int)])
    assert ax.get_title() == "annotation: 50 of 300 cells, evenly spaced"


def test_given_cells_are_left_out_and_counted(partly_given: AnnData, frozen: Any) -> None:
    with frozen(partly_given):
        ax = sca.pl.probabilities(partly_given)
    assert ax.images[0].get_array().shape == (10, 200)
    assert ax.get_title() == "annotation: 200 cells\nleft out: 500 cells without probabilities"
    with pytest.raises(StorageError, match="all cells were pre-labelled"):
        sca.pl.probabilities(partly_given[:500].copy())


def test_groups(annotated: AnnData, frozen: Any, legible: Any) -> None:
    annotated.obs["cluster"] = annotated.obs["louvain"].astype(object)
    annotated.obs.loc[annotated.obs_names[:5], "cluster"] = None
    with frozen(annotated):
        ax = sca.pl.probabilities(annotated, groupby="cluster")
    expected = sca.get.probabilities(annotated).groupby(annotated.obs["cluster"]).mean()
    names = [t.get_text().split("  (n=") for t in ax.get_xticklabels()]
    expected = expected.loc[natural(expected.index)]
    assert [name for name, _ in names] == list(expected.index)
    sizes = annotated.obs["cluster"].value_counts()
    assert [n for _, n in names] == [f"{sizes[name]})" for name, _ in names]
    shown = np.asarray(ax.images[0].get_array())
    np.testing.assert_allclose(shown, expected[rows(ax)].to_numpy().T, rtol=1e-5)
    written = {(t.get_position()[1], t.get_position()[0]): t.get_text() for t in ax.texts}
    assert written == {(i, j): f"{shown[i, j]:.2f}" for i, j in np.argwhere(shown >= 0.005)}
    assert ax.get_title() == "annotation: mean probabilities\nleft out: 5 cells without a cluster"
    legible(ax.figure)


def test_groups_of_given_cells_only_have_no_column(partly_given: AnnData) -> None:
    partly_given.obs["half"] = np.where(np.arange(700) < 500, "given", "named")
    ax = sca.pl.probabilities(partly_given, groupby="half")
    assert [t.get_text() for t in ax.get_xticklabels()] == ["named  (n=200)"]


@pytest.mark.slow
def test_forty_types(forty: AnnData, frozen: Any, legible: Any) -> None:
    forty.obs["donor"] = pd.Categorical([f"donor {i % 30}" for i in range(forty.n_obs)])
    with frozen(forty):
        figures = [sca.pl.probabilities(forty, groupby=by, return_fig=True) for by in (None, "donor")]
    assert all(isinstance(figure, Figure) for figure in figures)
    assert figures[0].axes[0].images[0].get_array().shape == (40, 2_000)
    assert figures[1].axes[0].images[0].get_array().shape == (40, 30)
    for figure in figures:
        legible(figure)


def test_means_are_those_of_the_cells_with_probabilities(partly_given: AnnData) -> None:
    ax = sca.pl.probabilities(partly_given, groupby="louvain")
    named = partly_given[500:]
    expected = sca.get.probabilities(named).groupby(named.obs["louvain"], observed=True).mean()
    expected = expected.loc[natural(expected.index)]
    np.testing.assert_allclose(np.asarray(ax.images[0].get_array()), expected[rows(ax)].to_numpy().T, rtol=1e-5)
    assert [t.get_text().split("  ")[0] for t in ax.get_xticklabels()] == list(expected.index)


@pytest.mark.parametrize(
    ("kwargs", "error", "message"),
    [
        ({"key": "other"}, StorageError, "no annotation 'other'"),
        ({"groupby": "clusters"}, InputError, r"'clusters' \(groupby\).*'louvain'"),
        ({"groupby": "name"}, InputError, "300 different values"),
        ({"groupby": "nothing"}, InputError, "no cell with probabilities has a value"),
        ({"max_cells": 0}, InputError, "max_cells must be"),
        ({"max_cells": 10.5}, InputError, "max_cells must be"),
    ],
)
def test_refusals(annotated: AnnData, kwargs: dict[str, Any], error: type[Exception], message: str) -> None:
    annotated.obs["name"] = annotated.obs_names
    annotated.obs["nothing"] = None
    with pytest.raises(error, match=message):
        sca.pl.probabilities(annotated, **kwargs)


def test_refuses_results_without_probabilities(annotated: AnnData) -> None:
    del annotated.obsm["annotation_proba"]
    with pytest.raises(StorageError, match="store_proba='all'"):
        sca.pl.probabilities(annotated)
