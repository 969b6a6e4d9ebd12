"""Held-out scores of a consensus: honest, and beside those of its methods."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pytest

import sc_annotate as sca
from comparing import assert_same_results
from sc_annotate.annotation.held_out_consensus import _averaged
from sc_annotate.errors import StorageError
from sc_annotate.evaluation import Predictions

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

METHODS = ["nearest_centroid", "naive_bayes", "majority"]
CLASSES = np.array(["B", "NK", "T"])


def made(sharp: float, n_folds: int = 4, seed: int = 0, n: int = 200) -> Predictions:
    """Held-out predictions that are the better the sharper; the same cells for every sharpness."""
    truth = np.random.default_rng(9).integers(0, 3, n)
    logits = np.random.default_rng(seed).normal(size=(n, 3)) + sharp * np.eye(3)[truth]
    proba = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    fold = np.arange(n) % n_folds
    names = [f"fold {i}" for i in range(n_folds)]
    return Predictions(CLASSES[truth], proba.astype(np.float32), CLASSES, np.arange(n), fold, names, 1.0, 1.0)


def accuracy(found: Predictions) -> float:
    return float((found.labels == found.y).mean())


@pytest.mark.parametrize("calibration", ["temperature", "isotonic", "venn_abers"])
def test_no_cell_has_a_say_in_its_own_prediction(calibration: str) -> None:
    own = [made(1.0), made(2.0, seed=1)]
    found = _averaged(own, [calibration] * 2, 0)
    here = own[0].fold == 2
    lied = np.where(here, np.roll(own[0].y, 1), own[0].y)
    again = _averaged([replace(p, y=lied) for p in own], [calibration] * 2, 0)
    np.testing.assert_array_equal(again.proba[here], found.proba[here])
    assert not np.array_equal(again.proba[~here], found.proba[~here])


def test_methods_without_skill_do_not_harm() -> None:
    own = [made(2.0), made(0.0, seed=1), made(0.0, seed=2)]
    found = _averaged(own, ["temperature"] * 3, 0)
    assert accuracy(found) >= accuracy(own[0]) - 0.01
    assert accuracy(found) > accuracy(_averaged(own, [], 0))


def test_labels_at_random_are_not_predicted() -> None:
    """Weights and calibration that had seen the cells would do better than chance."""
    own = [made(0.0, seed=i, n=3_000) for i in range(5)]
    for calibration in ("temperature", "isotonic"):
        assert accuracy(_averaged(own, [calibration] * 5, 0)) == pytest.approx(1 / 3, abs=0.03)


@pytest.mark.once
@pytest.mark.slow
@pytest.mark.parametrize("calibration", ["temperature", "isotonic"])
@pytest.mark.parametrize("cv", [1, 4])
def test_labels_at_random_score_as_chance(pbmc: AnnData, cv: int, calibration: str) -> None:
    """Whatever is learned from real cells, genes, calibration and weights included, is learned without the held-out ones."""
    rng = np.random.default_rng(cv)
    order = rng.permutation(pbmc.n_obs)
    reference, query = pbmc[order[:400]].copy(), pbmc[order[400:450]].copy()
    reference.obs["random"] = rng.permutation(np.repeat(["a", "b", "c", "d"], 100))
    methods = ["nearest_centroid", "naive_bayes", "knn"]
    trust = sca.trust.Options(calibration=calibration)
    sca.tl.annotate(query, reference, "random", method=methods, cv=cv, n_top_genes=200, trust=trust)
    baseline = query.uns["annotation"]["baseline"]
    scores = baseline["scores"].set_index("method")
    # Four standard deviations of a share of one in four.
    highest = 1 / 4 + 4 * np.sqrt(3 / 16 / baseline["n_cells"])
    assert baseline["n_cells"] >= 75
    for name in ["consensus", *methods]:
        assert scores.loc[name, "accuracy"] < highest
        assert scores.loc[name, "macro_f1"] < highest
    # Nor is it sure of them: cells of no type have no confidence.
    assert query.obs["annotation_confidence"].mean() < 0.5


def test_one_hold_out_is_divided() -> None:
    own = [made(1.0, n_folds=1), made(2.0, n_folds=1, seed=1)]
    found = _averaged(own, ["temperature"] * 2, 0)
    assert found.proba.shape == own[0].proba.shape
    np.testing.assert_allclose(found.proba.sum(axis=1), 1, rtol=1e-5)
    assert accuracy(found) > max(map(accuracy, own)) - 0.05


@pytest.mark.parametrize("n", [5, 200])
def test_equal_weights_where_the_result_has_them(n: int) -> None:
    """Without calibration, and with too few cells for it."""
    own = [made(1.0, n=n), made(2.0, seed=1, n=n)]
    found = _averaged(own, [] if n == 200 else ["temperature"] * 2, 0)
    np.testing.assert_allclose(found.proba, (own[0].proba + own[1].proba) / 2, rtol=1e-5)


def test_a_type_that_a_fold_lacked() -> None:
    own = [made(1.0), made(2.0, seed=1)]
    for each in own:
        each.proba[each.fold == 1, 2] = 0
        each.proba[:] /= each.proba.sum(axis=1, keepdims=True)
    found = _averaged(own, ["temperature"] * 2, 0)
    assert np.isfinite(found.proba).all()


@pytest.fixture(scope="module")
def scored(_pbmc: AnnData) -> AnnData:
    order = np.random.default_rng(0).permutation(_pbmc.n_obs)
    query = _pbmc[order[400:]].copy()
    sca.tl.annotate(query, _pbmc[order[:400]].copy(), "cell_type", method=METHODS)
    return query


@pytest.mark.slow
def test_stored_as_for_one_method(scored: AnnData, tmp_path: Path) -> None:
    baseline = scored.uns["annotation"]["baseline"]
    scores = baseline["scores"].set_index("method")
    assert list(scores.index) == ["consensus", *METHODS, "logreg"]
    for method in METHODS:
        own = scored.uns[f"annotation_{method}"]["baseline"]
        assert own["split"] == baseline["split"]
        assert own["n_cells"] == baseline["n_cells"]
        for name, row in own["scores"].set_index("method").iterrows():
            np.testing.assert_allclose(row.to_numpy(float), scores.loc[name].to_numpy(float), err_msg=str(name))
    assert scores["macro_f1"].between(scores["macro_f1_low"], scores["macro_f1_high"]).all()
    assert scores.loc["consensus", "macro_f1"] > scores.loc["majority", "macro_f1"]
    assert baseline["confusion"]["n"].sum() == baseline["n_cells"]
    assert set(baseline) == set(own)
    path = tmp_path / "a.h5ad"
    scored.write_h5ad(path)
    assert_same_results(scored, ad.read_h5ad(path))


@pytest.mark.slow
def test_shown_by_report_and_pictures(scored: AnnData) -> None:
    assert "    consensus          accuracy" in str(sca.get.report(scored))
    rows = sca.pl.methods(scored).get_yticklabels()
    assert {row.get_text().split("  ")[0] for row in rows} == {"consensus", *METHODS, "logreg"}
    assert [row.get_text() for row in rows if row.get_fontweight() == "bold"] == ["consensus"]
    assert "consensus on" in sca.pl.confusion(scored).get_title()
    assert "consensus, held-out macro-F1" in sca.pl.annotation(scored, color="label", basis="umap").get_title()


@pytest.mark.slow
@pytest.mark.parametrize("kwargs", [{"cv": 3}, {"trust": None}, {"labels_key": True}])
def test_in_other_modes(pair: tuple[AnnData, AnnData], kwargs: dict[str, Any]) -> None:
    reference, query = pair
    if "labels_key" in kwargs:
        adata = ad.concat([reference, query])
        adata.obs.loc[query.obs_names, "cell_type"] = np.nan
        sca.tl.annotate(adata, labels_key="cell_type", method=METHODS[:2])
    else:
        adata = query
        sca.tl.annotate(adata, reference, "cell_type", method=METHODS[:2], **kwargs)
    scores = adata.uns["annotation"]["baseline"]["scores"]
    assert scores["method"].tolist() == ["consensus", *METHODS, "logreg"]
    assert scores["macro_f1"].notna().all()


@pytest.mark.slow
def test_without_held_out_cells(pair: tuple[AnnData, AnnData]) -> None:
    reference, query = pair
    sca.tl.annotate(query, reference, "cell_type", method=METHODS[:2], cv=0)
    assert query.uns["annotation"]["baseline"] == {}
    sca.tl.consensus(query, [f"annotation_{m}" for m in METHODS[:2]], key_added="later")
    for key in ("annotation", "later"):
        with pytest.raises(
            StorageError, match=r"consensus without held-out scores.*method=\[\.\.\.\].*'annotation_near"
        ):
            sca.pl.methods(query, key)


def test_a_model_that_is_handed_out_holds_no_predictions():
    cells = sca.datasets.simulate_reference(300, 80, 3)
    model = sca.tl.fit_annotator(cells, "cell_type", method="nearest_centroid")
    assert model.evaluation is not None
    assert not model.evaluation.found
