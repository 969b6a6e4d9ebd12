"""Held-out scores that come with every model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score

import sc_annotate as sca

if TYPE_CHECKING:
    from anndata import AnnData

    from sc_annotate.tl import AnnotationModel


def fit(adata: AnnData, **kwargs: object) -> AnnotationModel:
    return sca.tl.fit_annotator(adata, "cell_type", **{"method": "nearest_centroid", **kwargs})  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.parametrize("cv", [1, 3])
def test_scores_follow_from_the_confusion(pbmc: AnnData, cv: int) -> None:
    evaluation = fit(pbmc, cv=cv).evaluation
    assert evaluation is not None
    assert 135 <= evaluation.n_cells <= 145 if cv == 1 else evaluation.n_cells == 700
    table = evaluation.confusion
    assert table["n"].sum() == evaluation.n_cells
    # Cells rebuilt from the table give scikit-learn the same scores.
    true, called = (np.repeat(table[name].to_numpy(str), table["n"]) for name in ("true", "predicted"))
    counts = confusion_matrix(true, called, labels=evaluation.classes)
    occur = np.argwhere(counts)
    assert [
        (evaluation.classes.index(a), evaluation.classes.index(b)) for a, b in table[["true", "predicted"]].to_numpy()
    ] == [(i, j) for i, j in occur]
    np.testing.assert_array_equal(counts[tuple(occur.T)], table["n"])
    scores = evaluation.table().set_index("method").loc["nearest_centroid"]
    assert scores["accuracy"] == pytest.approx(accuracy_score(true, called))
    assert scores["macro_f1"] == pytest.approx(f1_score(true, called, labels=np.unique(true), average="macro"))
    assert scores["accuracy_low"] < scores["accuracy"] < scores["accuracy_high"]


@pytest.mark.slow
def test_baselines_are_scored_on_the_same_cells(pbmc: AnnData) -> None:
    table = sca.benchmark.annotators(pbmc, "cell_type", methods=["nearest_centroid"], cv=1, rng=4).set_index("method")
    evaluation = fit(pbmc, rng=4).evaluation
    assert evaluation is not None
    stored = evaluation.table().set_index("method")
    for method in ("nearest_centroid", "majority", "logreg"):
        assert stored.loc[method, "macro_f1"] == table.loc[method, "macro_f1"]
    gap = stored.loc["nearest_centroid", "macro_f1"] - stored.loc["logreg", "macro_f1"]
    assert stored.loc["nearest_centroid", "difference"] == pytest.approx(gap)
    assert stored.loc["logreg", ["difference", "difference_low", "difference_high"]].tolist() == [0, 0, 0]
    assert stored.loc["majority", "difference_high"] < 0


@pytest.mark.slow
def test_whole_batches_are_held_out() -> None:
    data = sca.datasets.simulate_reference(600, 200, 3, n_batches=4, rng=0)
    evaluation = fit(data, batch_key="batch").evaluation
    assert evaluation is not None
    # Those that confidence was learned on: no single batch that was drawn by chance.
    assert evaluation.n_cells == 600
    assert evaluation.split == "4-fold cross-validation, whole batches held out; mean over 4 held-out batches"
    assert evaluation.table()["accuracy"].iloc[0] == pytest.approx(evaluation.batches["accuracy"].mean())
    folds = fit(data, batch_key="batch", cv=9).evaluation
    assert folds is not None
    assert folds.split == evaluation.split
    assert folds.n_cells == 600


@pytest.mark.slow
def test_genes_are_chosen_in_the_training_cells_of_each_fold(monkeypatch: pytest.MonkeyPatch) -> None:
    from sc_annotate.annotators import chosen_genes as _selected

    data = sca.datasets.simulate_reference(300, 300, 3, rng=0)
    seen: list[int] = []
    choose = _selected.choose_genes
    monkeypatch.setattr(
        _selected, "choose_genes", lambda X, *how, **more: (seen.append(X.shape[0]), choose(X, *how, **more))[1]
    )
    model = fit(data, n_top_genes=50, cv=3)
    assert len(model.means) == 50
    assert sorted(seen)[-1] == 300
    assert all(n == 200 for n in sorted(seen)[:-1])
    assert len(seen) == 3 * 3 + 1


@pytest.mark.slow
def test_swapped_labels_are_reported() -> None:
    data = sca.datasets.simulate_reference(900, 400, 4, n_batches=3, batch_strength=0.05, rng=0)
    labels = data.obs["cell_type"].astype(str).to_numpy(dtype=object)
    one, two = np.unique(labels)[[0, 3]]
    batch = data.obs["batch"].astype(str).to_numpy()
    swap = batch == np.unique(batch)[0]
    data.obs["cell_type"] = np.where(swap & (labels == one), two, np.where(swap & (labels == two), one, labels))
    model = sca.tl.fit_annotator(data, "cell_type", method="logreg", batch_key="batch", cv=3)
    assert any("look swapped" in note and one in note and two in note for note in model.provenance.notes)
    assert model.evaluation is not None
    suspects = model.evaluation.suspects
    swapped = set(data.obs_names[swap & np.isin(labels, [one, two])])
    found = set(suspects["cell"])
    assert len(found & swapped) > 0.5 * len(swapped)
    # The same data with right labels raises no such note.
    data.obs["cell_type"] = labels
    clean = sca.tl.fit_annotator(data, "cell_type", method="logreg", batch_key="batch", cv=3)
    assert not any("look swapped" in note for note in clean.provenance.notes)


@pytest.mark.slow
def test_a_type_renamed_in_one_batch_is_reported() -> None:
    data = sca.datasets.simulate_reference(900, 400, 4, n_batches=3, batch_strength=0.05, rng=1)
    labels = data.obs["cell_type"].astype(str).to_numpy(dtype=object)
    one, two = np.unique(labels)[[0, 3]]
    batch = data.obs["batch"].astype(str).to_numpy()
    renamed = (batch == np.unique(batch)[0]) & (labels == one)
    data.obs["cell_type"] = np.where(renamed, two, labels)
    model = sca.tl.fit_annotator(data, "cell_type", method="logreg", batch_key="batch", cv=3)
    assert model.evaluation is not None
    suspects = model.evaluation.suspects
    found = {c for c, call in zip(suspects["cell"], suspects["predicted"], strict=True) if call == one}
    right = set(data.obs_names[renamed])
    assert len(found & right) > 0.5 * len(right)
    assert len(found & right) > 0.9 * len(found)


@pytest.mark.slow
def test_evaluation_can_be_switched_off(pair: tuple[AnnData, AnnData]) -> None:
    reference, query = pair
    assert fit(reference, cv=0).evaluation is None
    sca.tl.annotate(query, reference, "cell_type", method="nearest_centroid", cv=0)
    assert query.uns["annotation"]["baseline"] == {}
