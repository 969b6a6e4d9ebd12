"""Cells of a reference without a label take part in the fit of methods that declare it, and of no others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
import pytest

import sc_annotate as sca
from sc_annotate.annotators.nearest_centroid import NearestCentroid

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anndata import AnnData

SEEN: list[dict[str, Any]] = []


@dataclass
class Remembers(NearestCentroid):
    """What it was given beside the labelled cells."""

    unlabelled: ClassVar[bool] = True

    def fit(self, X: Any, y: Any, *, unlabelled: Any = None, unlabelled_batch: Any = None, **more: Any) -> Remembers:
        batch = more.get("batch")
        SEEN.append(
            {
                "unlabelled": unlabelled,
                "batch": unlabelled_batch,
                "labelled": X.shape[0],
                "genes": list(more["genes"]),
                "of": None if batch is None else set(batch),
            }
        )
        super().fit(X, y, **more)
        return self


@pytest.fixture
def remembers() -> Iterator[str]:
    SEEN.clear()
    sca.register_annotator("remembers")(Remembers)
    yield "remembers"
    sca._core.registry.unregister("annotation", "remembers")  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def half() -> AnnData:
    """600 cells of three types and three batches; every third label is missing."""
    adata = sca.datasets.simulate_reference(600, 150, 3, rng=0)
    labels = adata.obs["cell_type"].astype(object)
    labels[np.arange(600) % 3 == 0] = np.nan
    adata.obs["partly"] = pd.Categorical(labels)
    adata.obs["sample"] = pd.Categorical(np.array(["one", "two", "three"])[np.arange(600) % 7 % 3])
    return adata


def test_all_cells_without_a_label_reach_the_fit_and_the_notes(half: AnnData, remembers: str) -> None:
    model = sca.tl.fit_annotator(half, "partly", method=remembers, cv=0, trust=None)
    (seen,) = SEEN
    assert (seen["labelled"], seen["unlabelled"].shape[0], seen["batch"]) == (400, 200, None)
    note = "200 cells of reference without a label took part in the fit of remembers: their values, no labels"
    assert note in model.provenance.notes
    # The same values as if they were read to be annotated.
    rest = half[half.obs["partly"].isna()].copy()
    expected = sca.tl.fit_annotator(rest, "cell_type", method="nearest_centroid", cv=0, trust=None, n_top_genes=None)
    assert expected.means == pytest.approx(np.asarray(seen["unlabelled"].mean(axis=0)).ravel(), abs=1e-5)


def test_held_out_batches_leave_out_their_own(half: AnnData, remembers: str) -> None:
    sca.tl.fit_annotator(half, "partly", method=remembers, batch_key="sample", cv=3)
    *folds, final = SEEN
    assert len(folds) >= 3
    for seen in folds:
        assert len(seen["of"]) == 2
        assert set(seen["batch"]) == seen["of"]
        assert 0 < seen["unlabelled"].shape[0] < 200
    assert final["unlabelled"].shape[0] == 200
    assert set(final["batch"]) == {"one", "two", "three"}


def test_no_more_of_them_than_max_cells(half: AnnData, remembers: str) -> None:
    models = [
        sca.tl.fit_annotator(half, "partly", method=remembers, cv=0, trust=None, max_cells=150, rng=seed)
        for seed in (0, 0, 1)
    ]
    assert "150 of the 200 cells of reference without a label" in " ".join(models[0].provenance.notes)
    first, again, other = (seen["unlabelled"] for seen in SEEN)
    assert first.shape[0] == 150
    assert (first != again).sum() == 0
    assert (first != other).sum() > 0


def test_within_one_object_they_are_the_cells_to_be_annotated(half: AnnData, remembers: str) -> None:
    adata = half.copy()
    sca.tl.annotate(adata, labels_key="partly", method=remembers)
    assert all(seen["unlabelled"].shape[0] == 200 for seen in SEEN)
    said = "200 cells of adata without a label, which are to be annotated, took part in the fit of remembers"
    assert said in str(adata.uns["annotation"])
    right = adata.obs["annotation"].astype(str) == adata.obs["cell_type"].astype(str)
    assert right[adata.obs["partly"].isna()].mean() > 0.9


def test_a_separate_reference_brings_its_own(half: AnnData, remembers: str) -> None:
    query = sca.datasets.simulate_reference(90, 150, 3, rng=1)[:, 20:].copy()
    sca.tl.annotate(query, half, "partly", method=remembers, cv=0, trust=None)
    (seen,) = SEEN
    assert seen["unlabelled"].shape == (200, 130)


def test_compared_methods_see_the_same_genes(half: AnnData, remembers: str) -> None:
    def fit(self: NearestCentroid, X: Any, y: Any, *, genes: Any, **more: Any) -> NearestCentroid:
        plain.append(list(genes))
        return NearestCentroid.fit(self, X, y, genes=genes, **more)

    plain: list[list[str]] = []
    sca.register_annotator("plain")(type("Plain", (NearestCentroid,), {"fit": fit}))
    try:
        sca.benchmark.annotators(half, "partly", methods=["plain", remembers], cv=3, n_top_genes=40)
        together = plain.copy()
        sca.benchmark.annotators(half, "partly", methods=["plain"], cv=3, n_top_genes=40)
    finally:
        sca._core.registry.unregister("annotation", "plain")  # type: ignore[attr-defined]
    assert together == [seen["genes"] for seen in SEEN]
    assert [seen["unlabelled"].shape[0] for seen in SEEN] == [200] * 3
    # Of the labelled cells alone other ones are chosen.
    assert plain[3:] != together


@pytest.mark.parametrize("method", ["logreg", "nearest_centroid"])
def test_other_methods_are_as_without_them(half: AnnData, method: str) -> None:
    labelled = half[half.obs["partly"].notna()].copy()
    partly, whole = (sca.tl.fit_annotator(data, "partly", method=method) for data in (half, labelled))
    assert partly.id == whole.id
    assert not any("without a label" in note for note in partly.provenance.notes)


def test_logreg_pca_from_a_few_labels(half: AnnData) -> None:
    adata = half.copy()
    labels = adata.obs["cell_type"].astype(object)
    few = labels.groupby(labels, observed=True).head(4).index
    adata.obs["few"] = pd.Categorical(labels.where(labels.index.isin(few)))
    sca.tl.annotate(adata, labels_key="few", method="logreg_pca", cv=0, trust=None, n_top_genes=100)
    rest = adata.obs["few"].isna()
    right = adata.obs["annotation"].astype(str) == adata.obs["cell_type"].astype(str)
    assert right[rest].mean() > 0.9
    sca.tl.evidence(adata)
    model = sca.tl.fit_annotator(adata, "few", method="logreg_pca", cv=0, trust=None)
    assert model.annotator.limits().shape == (150,)


@pytest.mark.once
@pytest.mark.slow
@pytest.mark.parametrize("within", [False, True])
def test_the_baseline_of_a_deep_method_has_its_full_strength(half: AnnData, within: bool) -> None:
    """`logreg_pca` beside a deep method is the same as alone; the deep method is as without the cells that it cannot use."""
    sca.register_annotator("deep_one")(type("DeepOne", (NearestCentroid,), {"deep": True}))
    labelled, how = half[half.obs["partly"].notna()].copy(), {"cv": 3, "n_top_genes": 60}
    try:
        if within:
            objects = {name: half.copy() for name in ("deep_one", "logreg_pca")}
            for name, adata in objects.items():
                sca.tl.annotate(adata, labels_key="partly", method=name, **how)
            uns = {name: adata.uns["annotation"] for name, adata in objects.items()}
            tables = {name: each["baseline"]["scores"].set_index("method") for name, each in uns.items()}
            notes = str(uns["deep_one"])
        else:
            models = {
                name: sca.tl.fit_annotator(half, "partly", method=name, **how) for name in ("deep_one", "logreg_pca")
            }
            tables = {name: model.evaluation.table().set_index("method") for name, model in models.items()}
            notes = str(models["deep_one"])
            alone = sca.tl.fit_annotator(labelled, "partly", method="deep_one", **how)
            np.testing.assert_array_equal(alone.names["var_names"], models["deep_one"].names["var_names"])
            own = alone.evaluation.table().set_index("method").loc[["deep_one", "logreg"]]
            pd.testing.assert_frame_equal(
                own.filter(regex="macro|acc|loss"),
                tables["deep_one"].loc[["deep_one", "logreg"]].filter(regex="macro|acc|loss"),
            )
    finally:
        sca._core.registry.unregister("annotation", "deep_one")  # type: ignore[attr-defined]
    for column in ("accuracy", "macro_f1", "log_loss"):
        assert tables["deep_one"].loc["logreg_pca", column] == tables["logreg_pca"].loc["logreg_pca", column]
    assert "took part in the fit of the baseline logreg_pca: their values, no labels" in notes
