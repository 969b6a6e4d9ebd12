"""Annotated objects to draw: a real one, one with given labels, and one of forty types with long names."""

from __future__ import annotations

import copy
import functools
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import anndata as ad
import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

import made_predictions
import sc_annotate as sca
from comparing import same
from sc_annotate._core.order import natural
from sc_annotate._store.storage import Annotation, write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from anndata import AnnData
    from matplotlib.figure import Figure


@pytest.fixture(autouse=True)
def _pictures() -> Iterator[None]:
    """No window opens, no picture stays, and no function leaves the settings of matplotlib changed."""
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


@pytest.fixture(scope="session")
def _agreed(_annotated: AnnData, _pbmc: AnnData) -> AnnData:
    adata = _annotated.copy()
    order = np.random.default_rng(0).permutation(_pbmc.n_obs)
    reference = _pbmc[order[:400]].copy()
    sca.tl.annotate(adata, reference, "cell_type", method="naive_bayes", key_added="bayes", cv=0)
    sca.tl.consensus(adata, ["annotation", "bayes"], key_added="agreed")
    return adata


@pytest.fixture
def agreed(_agreed: AnnData) -> AnnData:
    """The 300 PBMCs, with another method's result and a consensus."""
    return _agreed.copy()


@pytest.fixture(scope="session")
def _partly_given(_pbmc: AnnData) -> AnnData:
    adata = _pbmc.copy()
    adata.obs["known"] = adata.obs["cell_type"].astype(object)
    adata.obs.loc[adata.obs_names[500:], "known"] = None
    sca.tl.annotate(adata, labels_key="known", method="nearest_centroid", cv=0)
    return adata


@pytest.fixture
def partly_given(_partly_given: AnnData) -> AnnData:
    """700 real PBMCs, of which 500 had a label before."""
    return _partly_given.copy()


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
    labels = classes[proba.argmax(axis=1)]
    columns = {
        "annotation": pd.Categorical(labels, categories=sorted(set(labels))),
        "annotation_confidence": proba.max(axis=1),
        "annotation_model": pd.Categorical(["m"] * n),
    }
    uns: dict[str, Any] = {"method": "by hand", "model": "m", "classes": list(classes), "baseline": {}}
    write(adata, "annotation", Annotation(columns, proba, uns))
    return adata


@pytest.fixture
def forty(_forty: AnnData) -> AnnData:
    """3,000 cells of 40 types with long and odd names."""
    return _forty.copy()


KINDS = (
    "naive thymus-derived CD4-positive, alpha-beta T cell",
    "B cell",
    "central memory CD8-positive, alpha-beta T cell",
    "plasmacytoid dendritic cell",
    "retinal bipolar neuron, OFF, type $3_b",
)


def _held_out(rng: np.random.Generator, classes: np.ndarray) -> dict[str, Any]:
    """What is stored of calibration, from made-up held-out cells; the last type has none."""
    k, n = len(classes), 2_400
    size = np.linspace(1, 0.02, k) ** 2
    size[-1] = 0
    logit = rng.normal(size=(n, k)) * 3 + np.log(np.maximum(size, 1e-12))
    # Drawn from the probabilities after calibration, so that these are right and those before it are not.
    y = (logit + rng.gumbel(size=(n, k))).argmax(axis=1)

    def soft(z: np.ndarray) -> np.ndarray:
        e = np.exp(z - z.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)

    before, after = soft(2 * logit), soft(logit)
    truth = classes[y]
    curve = sca.metrics.risk_coverage(truth, classes[after.argmax(axis=1)], after.max(axis=1))
    shown = np.linspace(0, len(curve["coverage"]) - 1, 200).astype(int)
    overall, by_type = [], []
    for level in (0.8, 0.9, 0.95):
        own = 1 - after[np.arange(n), y]
        found = sca.metrics.set_coverage(truth, 1 - after <= np.quantile(own, level), classes)
        overall.append({"requested": level} | {c: found[c] for c in ("coverage", "low", "high", "n", "mean_size")})
        by_type.append(pd.DataFrame({"requested": level, **found["by_type"]}))
    error = sca.metrics.expected_calibration_error
    chance = sca.metrics.expected_calibration_error_if_calibrated
    return {
        "method": "temperature",
        "scheme": "folds",
        "n_cells": n,
        "scores": pd.DataFrame(
            {
                "probabilities": ["uncalibrated", "calibrated"],
                "expected_calibration_error": [error(truth, p, classes) for p in (before, after)],
                "if_calibrated": [chance(p.max(axis=1), rng=0) for p in (before, after)],
            }
        ),
        "reliability": {
            "uncalibrated": pd.DataFrame(sca.metrics.reliability(truth, before, classes)),
            "calibrated": pd.DataFrame(sca.metrics.reliability(truth, after, classes)),
        },
        "risk_coverage": {
            "area": curve["area"],
            "excess_area": curve["excess_area"],
            "curve": pd.DataFrame({c: curve[c][shown] for c in ("coverage", "risk", "threshold")}),
        },
        "sets": {"overall": pd.DataFrame(overall), "by_type": pd.concat(by_type, ignore_index=True)},
    }


@pytest.fixture(scope="session")
def _trusted() -> Callable[[int], AnnData]:
    from sc_annotate._store.slots import STATUSES

    @functools.cache
    def make(k: int) -> AnnData:
        rng = np.random.default_rng(k)
        classes = np.array(sorted(f"{KINDS[i % 5]} {i}" for i in range(k)))
        n = 1_500
        centres, z = rng.normal(size=(k, 2)) * 5, rng.integers(0, k, n)
        places = centres[z] + rng.normal(size=(n, 2)) * 0.7
        proba = np.exp(-0.5 * ((places[:, None] - centres[None]) ** 2).sum(axis=2)) + 1e-9
        proba = (proba / proba.sum(axis=1, keepdims=True)).astype(np.float32)
        labels = classes[proba.argmax(axis=1)]
        unseen = z % 7 == 3
        score = rng.gamma(9, 1.0, n) + np.where(unseen, 9, 0)
        reference = rng.gamma(9, 1.0, 2_400)
        line = float(np.quantile(reference, 0.95))
        sizes = (proba > 0.05).sum(axis=1).clip(1)
        status = np.where(score > line, "unfamiliar", np.where(sizes == 1, "confident", "ambiguous")).astype(object)
        status[:6], status[6:56] = "low_quality", "given"
        for array in (score, proba):
            array[6:56] = np.nan
        disagrees = rng.random((n, 4)) < np.array([0.02, 0.05, 0.15, 0.3]) * (z % 5 == 1)[:, None]
        disagrees[6:56] = False
        columns = {
            "annotation": pd.Categorical(labels),
            "annotation_confidence": proba.max(axis=1),
            "annotation_status": pd.Categorical(status, categories=[s for s in STATUSES if s in set(status)]),
            "annotation_set_size": np.where(status == "given", 0, sizes).astype(np.int32),
            "annotation_unfamiliarity": score.astype(np.float32),
            "annotation_model": pd.Categorical(["m"] * n),
        }
        uns: dict[str, Any] = {
            "method": "by hand",
            "model": "m",
            "classes": list(classes),
            "baseline": {},
            "methods": ["logreg", "lda", "nearest_centroid", "random_forest_of_the_atlas"],
            "calibration": _held_out(rng, classes),
            "sets": {"coverage": 0.9, "types_with_the_common_threshold": list(classes[-4:-1])},
            "familiarity": {
                "false_positive_rate": 0.05,
                "n_unfamiliar": int((score > line).sum()),
                "threshold": line,
                "reference": np.quantile(reference, np.linspace(0, 1, 101)),
            },
        }
        obs = pd.DataFrame(
            {"truth": pd.Categorical(classes[z]), "seen": pd.Categorical(np.where(unseen, "unseen", "known"))},
            index=[f"cell{i}" for i in range(n)],
        )
        adata = ad.AnnData(np.zeros((n, 2), dtype=np.float32), obs=obs, obsm={"X_umap": places})
        write(adata, "annotation", Annotation(columns, proba, uns, obsm={"annotation_disagrees": disagrees}))
        return adata

    return make


@pytest.fixture
def trusted(_trusted: Callable[[int], AnnData]) -> Callable[[int], AnnData]:
    """Cells of so many types with long names, and all that is stored about trust; 50 had a label before.

    The rarest type has no held-out cells, and three others took the common threshold.
    """
    return lambda k: _trusted(k).copy()


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
            for axis in (ax.xaxis, ax.yaxis):
                # Ticks outside the limits exist, but are not drawn.
                low, high = sorted(axis.get_view_interval())
                texts += [axis.label, *(t.label1 for t in axis.get_major_ticks() if low <= t.get_loc() <= high)]
            texts.append(ax.title)
            texts += [] if legend is None else [legend.get_title(), *legend.get_texts()]
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


@pytest.fixture
def predicted() -> Callable[..., AnnData]:
    """Predictions of so many conditions, with scores of one kind."""
    return made_predictions.predicted


@pytest.fixture
def interacting() -> Callable[..., AnnData]:
    """Genetic interactions as they are stored."""
    return made_predictions.interacting


@pytest.fixture
def everything() -> Callable[[int], AnnData]:
    """One object that all pictures of perturbations can be drawn of."""
    return made_predictions.everything


def add_attention(adata: AnnData, genes: list[str]) -> dict[str, Any]:
    """Made-up attention of these genes beside the evidence, in the form that networks have it."""
    types = natural(adata.obs["annotation"].astype(str).unique())
    rng = np.random.default_rng(0)
    entry = {
        "group": np.array(types, dtype=object),
        "type": np.array(types, dtype=object),
        "n_cells": np.array([int((adata.obs["annotation"] == name).sum()) for name in types]),
        "genes": np.array(genes, dtype=object),
        "attention": (rng.gamma(0.5, 2.0, (len(types), len(genes))) / 700).astype(np.float32),
        "n_effective": rng.uniform(300, 600, len(types)).astype(np.float32),
        "expressed": rng.uniform(0.2, 0.5, len(types)).astype(np.float32),
        "n_genes": 700,
    }
    adata.uns["annotation"]["evidence"]["attention"] = entry
    return entry


LYMPHOID = ("CD19+ B", "CD56+ NK", "CD4+/", "CD8+")


@pytest.fixture(scope="session")
def _drawable(_agreed: AnnData, _pbmc: AnnData) -> AnnData:
    adata = _agreed.copy()
    reference = _pbmc[~_pbmc.obs_names.isin(adata.obs_names)].copy()
    reference.obs["branch"] = [
        "lymphoid" if label.startswith(LYMPHOID) else "other" for label in reference.obs["cell_type"]
    ]
    sca.tl.annotate(adata, reference, ["branch", "cell_type"], key_added="layered", cv=0)
    sca.tl.rollup(adata, "layered")
    sca.tl.vote(adata, "louvain")
    sca.tl.evidence(adata)
    add_attention(adata, [gene for gene in adata.var_names if gene.startswith(("RPL", "CD", "HLA"))])
    sca.tl.markers_agree(adata, markers={"CD19+ B": ["CD79A", "CD79B", "MS4A1"], "CD56+ NK": ["NKG7", "GNLY", "GZMB"]})
    epochs = np.arange(8)
    adata.uns["annotation"]["history"] = pd.DataFrame(
        {
            "network": np.repeat([1, 2], 4),
            "epoch": epochs % 4 + 1,
            "loss": 2 / (epochs % 4 + 1),
            "held_out_loss": [2, 1, 0.8, 0.9, 2.1, 1.1, 0.9, 0.7],
        },
        index=epochs.astype(str),
    )
    return adata


@pytest.fixture
def drawable(_drawable: AnnData) -> AnnData:
    """The 300 PBMCs with all that some pictures need: a consensus, levels, evidence, marker lists, a training."""
    return _drawable.copy()
