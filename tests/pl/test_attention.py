"""What the picture of attention shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import sc_annotate as sca
from sc_annotate.errors import StorageError

if TYPE_CHECKING:
    from anndata import AnnData
    from matplotlib.axes import Axes


def names(ticks: Any) -> list[str]:
    return [tick.get_text() for tick in ticks]


def kinds(ax: Axes) -> list[str]:
    return [name.rpartition("  (")[0] for name in names(ax.get_xticklabels())]


def test_colours_are_multiples_of_an_even_share(drawable: AnnData, frozen: Any, legible: Any) -> None:
    with frozen(drawable):
        ax = sca.pl.attention(drawable, n_genes=2, mito_ribo=True)
    kept = drawable.uns["annotation"]["evidence"]["attention"]
    genes = names(ax.get_yticklabels())
    rows = [list(kept["type"]).index(name) for name in kinds(ax)]
    columns = [list(kept["genes"]).index(name) for name in genes]
    assert sorted(rows) == list(range(len(kept["type"])))
    np.testing.assert_allclose(ax.images[0].get_array(), 700 * kept["attention"][np.ix_(rows, columns)].T, rtol=1e-6)
    first = np.argsort(-kept["attention"], axis=1)[:, :2]
    assert set(genes) == set(kept["genes"][first.ravel()])
    shared = [f"({kept['n_effective'][i]:,.0f})" for i in rows]
    assert [name.rpartition("  ")[2] for name in names(ax.get_xticklabels())] == shared
    mean = np.average(kept["n_effective"], weights=kept["n_cells"])
    assert f"effectively {mean:,.0f} of 700 genes share it" in ax.get_title()
    legible(ax.figure)


def test_groups_in_the_requested_order(drawable: AnnData) -> None:
    assert kinds(sca.pl.attention(drawable, groups=["Dendritic", "CD19+ B"])) == ["Dendritic", "CD19+ B"]


def test_a_method_without_attention_is_refused(annotated: AnnData) -> None:
    sca.tl.evidence(annotated)
    with pytest.raises(StorageError, match="'nearest_centroid' has none"):
        sca.pl.attention(annotated)


@pytest.mark.slow
def test_forty_types_are_legible(drawable: AnnData, legible: Any) -> None:
    kept = drawable.uns["annotation"]["evidence"]["attention"]
    types = [f"naive thymus-derived CD4-positive, alpha-beta T {i}" if i % 3 else f"B {i}" for i in range(40)]
    rng = np.random.default_rng(1)
    kept |= {
        "group": np.array(types, dtype=object),
        "type": np.array(types, dtype=object),
        "n_cells": np.arange(1, 41),
        "attention": rng.gamma(0.5, 2.0, (40, len(kept["genes"]))) / 700,
        "n_effective": rng.uniform(300, 600, 40),
        "expressed": rng.uniform(0.2, 0.5, 40),
    }
    ax = sca.pl.attention(drawable)
    assert len(kinds(ax)) == 40
    legible(ax.figure)
