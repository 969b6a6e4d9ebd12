"""What the pictures of evidence show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import to_hex

import sc_annotate as sca
from sc_annotate.errors import InputError, StorageError

if TYPE_CHECKING:
    from anndata import AnnData
    from matplotlib.axes import Axes


@pytest.fixture(scope="session")
def _forty_evidence() -> AnnData:
    """1,500 made-up cells of 40 types with long and odd names, and their evidence."""
    adata = sca.datasets.simulate_reference(3_000, 300, 40, rng=0)
    kinds = ["naive thymus-derived CD4-positive T", "B/plasma", "$_{odd}", "_hidden", "retinal bipolar neuron, OFF"]
    names = adata.obs["cell_type"].astype("category").cat.categories
    renamed = {name: f"{kinds[i % 5]} {i}" for i, name in enumerate(names)}
    adata.obs["cell_type"] = adata.obs["cell_type"].astype("category").cat.rename_categories(renamed)
    query = adata[1_500:].copy()
    sca.tl.annotate(query, adata[:1_500].copy(), "cell_type", method="nearest_centroid", cv=0, trust=None, min_cells=2)
    sca.tl.evidence(query)
    return query


@pytest.fixture
def forty_evidence(_forty_evidence: AnnData) -> AnnData:
    return _forty_evidence.copy()


@pytest.fixture
def named(annotated: AnnData) -> AnnData:
    sca.tl.evidence(annotated)
    return annotated


def genes(ax: Axes) -> list[str]:
    return [t.get_text() for t in ax.get_yticklabels()]


def tops(ax: Axes) -> list[str]:
    return [t.get_text() for t in ax.get_xticklabels()]


def test_dots_are_the_stored_contributions(named: AnnData, frozen: Any, legible: Any) -> None:
    with frozen(named):
        ax = sca.pl.evidence(named, n_genes=4)
    kept = named.uns["annotation"]["evidence"]["dots"]
    assert sorted(tops(ax)) == sorted(kept["type"])
    assert len(set(genes(ax))) == len(genes(ax))
    dots = ax.collections[0]
    rows = [list(kept["type"]).index(name) for name in tops(ax)]
    columns = [list(kept["genes"]).index(name) for name in genes(ax)]
    np.testing.assert_allclose(dots.get_array(), kept["contribution"][np.ix_(rows, columns)].T.ravel())
    share = kept["expressed"][np.ix_(rows, columns)].T.ravel()
    sizes = dots.get_sizes()
    np.testing.assert_allclose(sizes, share * sizes.max() / share.max(), rtol=1e-5)
    table = sca.get.evidence(named)
    first = table[(table["direction"] == "towards") & (table["rank"] <= 4)]
    assert set(genes(ax)) == set(first["gene"])
    legible(ax.figure)


@pytest.mark.slow
def test_colours_are_those_of_the_types(named: AnnData) -> None:
    kinds = named.obs["annotation"].cat.categories
    named.uns["annotation_colors"] = [to_hex(plt.get_cmap("turbo")(i / len(kinds))) for i in range(len(kinds))]
    own = dict(zip(kinds, named.uns["annotation_colors"], strict=True))
    ax = sca.pl.evidence(named)
    above = ax.collections[1]
    assert [to_hex(c) for c in above.get_facecolors()] == [own[name] for name in tops(ax)]
    axes = sca.pl.evidence(named, style="bars")
    for name, panel in axes.items():
        assert to_hex(panel.patches[0].get_facecolor()) == own[name]


@pytest.mark.slow
def test_bars_are_signed_and_share_a_scale(named: AnnData, frozen: Any, legible: Any) -> None:
    with frozen(named):
        axes = sca.pl.evidence(named, style="bars", n_genes=3, mito_ribo=True)
    table = sca.get.evidence(named)
    assert sorted(axes) == sorted(table["type"].unique())
    assert len({ax.get_xlim() for ax in axes.values()}) == 1
    for name, ax in axes.items():
        rows = table[(table["type"] == name) & (table["rank"] <= 3)]
        want = rows.sort_values("contribution", ascending=False)
        assert genes(ax) == want["gene"].tolist()
        np.testing.assert_allclose([bar.get_width() for bar in ax.patches], want["contribution"])
        low, high = ax.get_xlim()
        assert low < want["contribution"].min()
        assert high > want["contribution"].max()
    legible(next(iter(axes.values())).figure)


@pytest.mark.once
@pytest.mark.slow
@pytest.mark.parametrize("style", ["dots", "bars"])
def test_forty_types_are_legible(forty_evidence: AnnData, frozen: Any, legible: Any, style: Any) -> None:
    with frozen(forty_evidence):
        figure = sca.pl.evidence(forty_evidence, style=style, return_fig=True)
    legible(figure)


def test_groups_in_the_requested_order(named: AnnData) -> None:
    requested = ["Dendritic", "CD19+ B"]
    assert tops(sca.pl.evidence(named, groups=requested)) == requested
    assert list(sca.pl.evidence(named, style="bars", groups=requested)) == requested
    assert list(sca.pl.evidence(named, style="bars", groups="CD19+ B")) == ["CD19+ B"]
    named.obs["donor"] = np.where(np.arange(named.n_obs) % 2, "a", "b")
    sca.tl.evidence(named, groupby="donor", n_genes=3)
    assert list(sca.pl.evidence(named, style="bars", groups="CD19+ B")) == ["a: CD19+ B", "b: CD19+ B"]
    assert all(name.startswith("a: ") for name in tops(sca.pl.evidence(named, groups="a")))


def test_other_names_of_genes(named: AnnData) -> None:
    named.var["other"] = [f"<{name}>" for name in named.var_names]
    named.var.loc[named.var_names[0], "other"] = None
    ax = sca.pl.evidence(named, gene_symbols="other", groups="CD19+ B")
    assert "<CD79A>" in genes(ax)
    with pytest.raises(InputError, match="no column 'nothing'"):
        sca.pl.evidence(named, gene_symbols="nothing")


def test_given_axes(named: AnnData) -> None:
    _, own = plt.subplots()
    assert sca.pl.evidence(named, ax=own) is own
    _, two = plt.subplots(1, 2)
    drawn = sca.pl.evidence(named, style="bars", groups=["CD19+ B", "Dendritic"], ax=two)
    assert list(drawn.values()) == list(two)
    with pytest.raises(InputError, match="2 matplotlib Axes, one for each group"):
        sca.pl.evidence(named, style="bars", groups=["CD19+ B", "Dendritic"], ax=own)
    plt.close("all")


def test_refusals(annotated: AnnData) -> None:
    with pytest.raises(StorageError, match="Run `sca.tl.evidence"):
        sca.pl.evidence(annotated)
    sca.tl.evidence(annotated)
    for arguments, message in (
        ({"style": "pie"}, "style must be"),
        ({"n_genes": 0}, "n_genes must be"),
        ({"groups": "B"}, "no group or type 'B'"),
        ({"groups": []}, "groups is empty"),
    ):
        with pytest.raises(InputError, match=message):
            sca.pl.evidence(annotated, **arguments)
    annotated.uns["annotation"]["evidence"]["dots"] = {}
    with pytest.raises(StorageError, match="keeps no dots"):
        sca.pl.evidence(annotated)
    sca.pl.evidence(annotated, style="bars")
    table = annotated.uns["annotation"]["evidence"]["table"]
    annotated.uns["annotation"]["evidence"]["table"] = table.iloc[:0]
    with pytest.raises(InputError, match="nothing can be drawn"):
        sca.pl.evidence(annotated, style="bars")
