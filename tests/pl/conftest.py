"""Annotated objects to draw: a real one, one with given labels, and one of forty types with long names."""

from __future__ import annotations

import copy
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import anndata as ad
import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

import sc_annotate as sca
from comparing import same
from sc_annotate._core.storage import Annotation, write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from anndata import AnnData
    from matplotlib.figure import Figure


@pytest.fixture(autouse=True)
def _pictures() -> Iterator[None]:
    """No window opens, no picture stays, and no call leaves the settings of matplotlib changed."""
    mpl.use("Agg")
    before = dict(mpl.rcParams)
    yield
    assert dict(mpl.rcParams) == before
    plt.close("all")


@pytest.fixture(scope="session")
def _annotated(_pbmc: AnnData) -> AnnData:
    order = np.random.default_rng(0).permutation(_pbmc.n_obs)
    query = _pbmc[order[400:]].copy()
    sca.tl.annotate(query, _pbmc[order[:400]].copy(), "cell_type", method="nearest_centroid")
    query.obs["truth"] = query.obs["cell_type"].astype(object)
    query.obs.loc[query.obs_names[:12], "truth"] = None
    return query


@pytest.fixture
def annotated(_annotated: AnnData) -> AnnData:
    """300 real PBMCs, named and scored; 12 of them have no ``truth``."""
    return _annotated.copy()


@pytest.fixture
def partly_given(_pbmc: AnnData) -> AnnData:
    """700 real PBMCs, of which 500 had a label before."""
    adata = _pbmc.copy()
    adata.obs["known"] = adata.obs["cell_type"].astype(object)
    adata.obs.loc[adata.obs_names[500:], "known"] = None
    sca.tl.annotate(adata, labels_key="known", method="nearest_centroid", cv=0)
    return adata


@pytest.fixture(scope="session")
def _forty() -> AnnData:
    rng = np.random.default_rng(0)
    k, n = 40, 3_000
    kinds = ["naive thymus-derived CD4-positive T", "B/plasma", "$_{odd}", "_hidden", "retinal bipolar neuron, OFF"]
    classes = np.array(sorted(f"{kinds[i % 5]} {i}" for i in range(k)))
    centres, z = rng.normal(size=(k, 2)) * 6, rng.integers(0, k, n)
    places = centres[z] + rng.normal(size=(n, 2)) * 0.6
    proba = np.exp(-0.5 * ((places[:, None] - centres[None]) ** 2).sum(axis=2))
    proba = (proba / proba.sum(axis=1, keepdims=True)).astype(np.float32)
    obs = pd.DataFrame({"truth": classes[z]}, index=[f"cell{i}" for i in range(n)])
    adata = ad.AnnData(np.zeros((n, 2), dtype=np.float32), obs=obs, obsm={"X_umap": places})
    calls = classes[proba.argmax(axis=1)]
    columns = {
        "annotation": pd.Categorical(calls, categories=sorted(set(calls))),
        "annotation_confidence": proba.max(axis=1),
        "annotation_model": pd.Categorical(["m"] * n),
    }
    about: dict[str, Any] = {"method": "by hand", "model": "m", "classes": list(classes), "baseline": {}}
    write(adata, "annotation", Annotation(columns, proba, about))
    return adata


@pytest.fixture
def forty(_forty: AnnData) -> AnnData:
    """3,000 cells of 40 types with long and odd names."""
    return _forty.copy()


@pytest.fixture
def frozen() -> Callable[[AnnData], Any]:
    """``with frozen(adata):`` nothing of the object may change inside."""

    def everything(adata: AnnData) -> dict[str, Any]:
        return {
            "X": np.array(adata.X.toarray() if hasattr(adata.X, "toarray") else adata.X),
            "obs": adata.obs.copy(),
            "var": adata.var.copy(),
            "obsm": {k: np.array(v) for k, v in adata.obsm.items()},
            "uns": copy.deepcopy(dict(adata.uns)),
            "layers": sorted(str(k) for k in adata.layers),
        }

    @contextmanager
    def watch(adata: AnnData) -> Iterator[None]:
        before = everything(adata)
        yield
        assert same(before, everything(adata))

    return watch


@pytest.fixture
def legible() -> Callable[[Figure], None]:
    """Fail where texts of a figure leave it, or overlap each other."""

    def look(figure: Figure) -> None:
        figure.canvas.draw()
        page = figure.bbox
        texts: list[Any] = []
        for ax in figure.axes:
            if not ax.axison:
                continue
            legend = ax.get_legend()
            texts += [*ax.get_xticklabels(), *ax.get_yticklabels(), ax.title, ax.xaxis.label, ax.yaxis.label]
            texts += [] if legend is None else legend.get_texts()
            texts += ax.texts
        boxes = [(t, t.get_window_extent()) for t in texts if t.get_text() and t.get_visible()]
        for text, box in boxes:
            assert text.get_fontsize() >= 7
            inside = page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 and box.y1 <= page.y1
            assert inside, f"{text.get_text()!r} leaves the page"
        corners = np.array([[b.x0, b.y0, b.x1, b.y1] for _, b in boxes])
        for i, (text, _) in enumerate(boxes):
            # A pixel is the width of the blank around letters.
            width = np.minimum(corners[i, 2], corners[i + 1 :, 2]) - np.maximum(corners[i, 0], corners[i + 1 :, 0])
            height = np.minimum(corners[i, 3], corners[i + 1 :, 3]) - np.maximum(corners[i, 1], corners[i + 1 :, 1])
            hit = np.flatnonzero((width > 1) & (height > 1))
            assert not len(hit), f"{text.get_text()!r} overlaps {boxes[i + 1 + hit[0]][0].get_text()!r}"

    return look
