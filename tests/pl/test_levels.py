"""How the picture of the levels divides the cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import to_hex
from matplotlib.patches import PathPatch, Rectangle

import sc_annotate as sca
from sc_annotate._store.storage import Annotation, write
from sc_annotate.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from anndata import AnnData

KINDS = ("naive thymus-derived CD4-positive, alpha-beta T cell", "B/plasma cell", "retinal bipolar neuron, type $3_b")


def made(k: int) -> AnnData:
    """2,000 cells of k types with long and odd names, under groups of four and lineages of twelve."""
    rng = np.random.default_rng(k)
    n = 2_000
    types = np.array(sorted(f"{KINDS[i % 3]} {i}" for i in range(k)))
    above = {
        "lineage": np.array([f"lineage/{i // 12}" for i in range(k)]),
        "group": np.array([f"group {i // 4}" for i in range(k)]),
    }
    z = np.concatenate([np.arange(k), np.minimum(rng.geometric(4 / k, n - k) - 1, k - 1)])
    columns: dict[str, Any] = {
        "annotation": pd.Categorical(types[z]),
        "annotation_confidence": rng.random(n).astype(np.float32),
        "annotation_model": pd.Categorical(["m"] * n),
    }
    for name, labels in above.items():
        columns |= {
            f"annotation_{name}": pd.Categorical(labels[z]),
            f"annotation_{name}_confidence": rng.random(n).astype(np.float32),
        }
    levels = pd.DataFrame(above | {"type": types}, index=[str(i) for i in range(k)])
    about = {"method": "by hand", "model": "m", "classes": list(types), "baseline": {}, "levels": levels}
    adata = ad.AnnData(np.zeros((n, 2), dtype=np.float32), obs=pd.DataFrame(index=[f"c{i}" for i in range(n)]))
    write(adata, "annotation", Annotation(columns, None, about))
    return adata


@pytest.mark.parametrize("k", [10, 40])
def test_everything_is_legible_and_nothing_changes(
    k: int, legible: Callable[[Any], None], frozen: Callable[[AnnData], Any]
) -> None:
    adata = made(k)
    with frozen(adata):
        figure = sca.pl.levels(adata, show=False, return_fig=True)
    legible(figure)


@pytest.mark.slow
def test_bars_are_as_high_as_they_have_cells() -> None:
    adata = made(10)
    ax = sca.pl.levels(adata, show=False)
    bars = [p for p in ax.patches if isinstance(p, Rectangle)]
    counts = [adata.obs[c].value_counts() for c in ("annotation_lineage", "annotation_group", "annotation")]
    for x, own in zip(sorted({bar.get_x() for bar in bars}), counts, strict=True):
        high = np.array(sorted(bar.get_height() for bar in bars if bar.get_x() == x))
        np.testing.assert_allclose(high / high.sum(), np.sort(own.to_numpy()) / adata.n_obs, atol=0.005)
    assert len([p for p in ax.patches if isinstance(p, PathPatch)]) == len(counts[1]) + len(counts[2])
    texts = [t.get_text() for t in ax.texts]
    name = counts[1].index[0]
    sure = adata.obs.loc[adata.obs["annotation_group"] == name, "annotation_group_confidence"].mean()
    assert f"{name}  (n={counts[1].iloc[0]:,}) · {sure:.2f}" in texts


def test_no_two_bars_of_a_level_overlap() -> None:
    ax = sca.pl.levels(made(40), show=False)
    bars = [p for p in ax.patches if isinstance(p, Rectangle)]
    for x in {bar.get_x() for bar in bars}:
        spans = sorted((bar.get_y(), bar.get_y() + bar.get_height()) for bar in bars if bar.get_x() == x)
        assert all(a[1] <= b[0] + 1e-9 for a, b in zip(spans, spans[1:], strict=False))


def test_colours_are_the_objects_own() -> None:
    adata = made(10)
    names = list(adata.obs["annotation"].cat.categories)
    adata.uns["annotation_colors"] = [to_hex((i / 20, 0.5, 0.2)) for i in range(len(names))]
    adata.uns["annotation_lineage_colors"] = ["#123456"] * adata.obs["annotation_lineage"].cat.categories.size
    ax = sca.pl.levels(adata, show=False)
    drawn = {to_hex(p.get_facecolor()) for p in ax.patches if isinstance(p, Rectangle)}
    assert {*adata.uns["annotation_colors"], "#123456"} <= drawn


def test_own_axes_and_real_cells(pair: tuple[AnnData, AnnData]) -> None:
    reference, query = pair
    reference.obs["lineage"] = ["T" if str(t)[:3] in ("CD4", "CD8") else "other" for t in reference.obs["cell_type"]]
    sca.tl.annotate(query, reference, ["lineage", "cell_type"], method="nearest_centroid", cv=0)
    _, ax = plt.subplots()
    assert sca.pl.levels(query, ax=ax, show=False) is ax
    assert sum(t.get_text().startswith("T ") for t in ax.texts) == 1


def test_errors(annotated: AnnData) -> None:
    with pytest.raises(StorageError, match="one level"):
        sca.pl.levels(annotated)
    adata = made(10)
    del adata.obs["annotation_group"]
    with pytest.raises(StorageError, match="annotation_group"):
        sca.pl.levels(adata)
