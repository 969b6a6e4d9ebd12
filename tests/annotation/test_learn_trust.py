"""Calibration, prediction sets and familiarity as users meet them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import sc_annotate as sca
from comparing import assert_same_results, same, snapshot
from sc_annotate.evaluation import leave_one_group_out
from sc_annotate.trust import Conformal, make_calibrator

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

QUICK = {"method": "nearest_centroid", "cv": 0}


def covered(query: AnnData, truth: str = "cell_type") -> float:
    sets = sca.get.sets(query)
    return float(np.mean([sets.loc[cell, str(t)] for cell, t in query.obs[truth].items()]))


def test_status_follows_from_sets_and_familiarity(named_query: AnnData) -> None:
    query = named_query
    table, sets = sca.get.annotation(query), sca.get.sets(query)
    np.testing.assert_array_equal(sets.sum(axis=1), table["set_size"])
    assert (table["set_size"] >= 1).all(), "no set is empty"
    assert all(sets.loc[cell, str(call)] for cell, call in table["label"].items()), "the call is in the set"
    far = table["status"] == "unfamiliar"
    sure = (table["set_size"] == 1) & (table["confidence"] >= 0.5)
    assert not (table["status"] == "confident")[~sure].any()
    assert ((table["status"] == "ambiguous") == ((table["status"] != "confident") & ~far)).all()
    line = query.uns["annotation"]["familiarity"]["threshold"]
    assert (table["unfamiliarity"][far] >= line - 1e-4).all()
    assert (table["unfamiliarity"][~far] <= line + 1e-4).all()


@pytest.mark.once
@pytest.mark.slow
def test_sets_cover_what_was_asked(pbmc: AnnData) -> None:
    rates, sizes = [], []
    for seed in range(6):
        order = np.random.default_rng(seed).permutation(pbmc.n_obs)
        reference, query = pbmc[order[:450]].copy(), pbmc[order[450:]].copy()
        sca.tl.annotate(
            query, reference, "cell_type", method="logreg", cv=0, trust=sca.trust.Options(scheme="split"), rng=seed
        )
        rates.append(covered(query))
        sizes.append(query.obs["annotation_set_size"].mean())
    # 1,500 test cells, calibration sets of 90: a standard error of 0.015.
    assert 0.86 <= np.mean(rates) <= 0.95
    assert np.mean(sizes) <= 1.6


def test_more_coverage_larger_sets(pair: tuple[AnnData, AnnData], pair_model: sca.tl.AnnotationModel) -> None:
    query, sizes, rates = pair[1], [], []
    for coverage in (0.7, 0.9, 0.97):
        sca.tl.annotate(query, pair_model, coverage=coverage)
        sizes.append(query.obs["annotation_set_size"].mean())
        rates.append(covered(query))
    assert sizes == sorted(sizes)
    assert rates == sorted(rates)
    assert sizes[0] < sizes[2]


@pytest.mark.slow
@pytest.mark.parametrize("calibration", ["temperature", "isotonic", "venn_abers"])
@pytest.mark.parametrize("scheme", ["folds", "split"])
def test_calibrated_models_survive_the_file(
    pair: tuple[AnnData, AnnData], tmp_path: Path, calibration: str, scheme: str
) -> None:
    reference, query = pair
    model = sca.tl.fit_annotator(
        reference, "cell_type", trust=sca.trust.Options(calibration=calibration, scheme=scheme, set_score="aps", sets_by="label"),    **QUICK
    )  # fmt: skip
    back = sca.load(model.save(tmp_path / "m.safetensors"))
    assert back.id == model.id
    other = query.copy()
    sca.tl.annotate(query, model)
    sca.tl.annotate(other, back)
    assert_same_results(query, other)
    np.testing.assert_allclose(query.obsm["annotation_proba"].sum(axis=1), 1, atol=1e-5)
    query.write_h5ad(tmp_path / "x.h5ad")
    assert_same_results(query, ad.read_h5ad(tmp_path / "x.h5ad"))


def test_calibration_is_that_of_the_array_functions(pair: tuple[AnnData, AnnData]) -> None:
    """The pieces put together by hand give the same numbers."""
    from sc_annotate._data.matrix import MatrixRequest
    from sc_annotate._data.read import open_input
    from sc_annotate.annotation.held_out import Candidate, held_out
    from sc_annotate.annotation.held_out_cells import folds
    from sc_annotate.annotation.requests import FitRequest
    from sc_annotate.annotation.training import labelled_cells, read_training

    reference, query = pair
    model = sca.tl.fit_annotator(reference, "cell_type", rng=2, **QUICK)
    cells = labelled_cells(reference, FitRequest(labels_key="cell_type"), what="reference")
    training = read_training(reference, open_input(reference), cells, MatrixRequest(), wanted="log")
    own = held_out(training, Candidate("nearest_centroid", {}, 2000), folds(training, 5, 2)[0], 2)
    codes = np.searchsorted(own.classes, own.y)
    by_hand = make_calibrator(model.trust.report["method"]).fit(own.proba, codes)
    raw = model.annotator.predict_proba(query.X)
    sca.tl.annotate(query, model)
    depth = model.trust.depth
    seen = np.log1p(np.asarray((query.X != 0).sum(axis=1)).ravel())
    after = depth.adjust(by_hand.transform(raw), seen)
    np.testing.assert_allclose(after, query.obsm["annotation_proba"], atol=1e-5)
    usual = seen >= depth.knots_[-1]
    assert usual.mean() > 0.7
    np.testing.assert_allclose(by_hand.transform(raw)[usual], query.obsm["annotation_proba"][usual], atol=1e-5)
    report = query.uns["annotation"]["calibration"]
    assert report["n_cells"] == 500
    assert report["scores"]["log_loss"].iloc[0] == pytest.approx(sca.metrics.log_loss(own.y, own.proba, own.classes))


def test_an_overconfident_method_is_humbled(pair: tuple[AnnData, AnnData]) -> None:
    reference, query = pair
    sca.tl.annotate(query, reference, "cell_type", method="naive_bayes", cv=0)
    scores = query.uns["annotation"]["calibration"]["scores"].set_index("probabilities")
    assert scores.loc["calibrated", "log_loss"] < scores.loc["uncalibrated", "log_loss"]
    assert (
        scores.loc["calibrated", "expected_calibration_error"]
        < scores.loc["uncalibrated", "expected_calibration_error"]
    )
    truth, proba = query.obs["cell_type"].astype(str), sca.get.probabilities(query)
    raw = query.copy()
    sca.tl.annotate(raw, reference, "cell_type", method="naive_bayes", cv=0, trust=None)
    before = sca.get.probabilities(raw)
    assert sca.metrics.log_loss(truth, proba.to_numpy(), proba.columns) < sca.metrics.log_loss(
        truth, before.to_numpy(), before.columns
    )


def test_an_unseen_type_is_unfamiliar(pbmc: AnnData) -> None:
    seen = pbmc.obs["cell_type"] != "CD19+ B"
    reference = pbmc[seen & (np.arange(700) % 2 == 0)].copy()
    query = pbmc[~seen | (np.arange(700) % 2 == 1)].copy()
    sca.tl.annotate(query, reference, "cell_type", method="logreg", cv=0)
    unseen = np.asarray(query.obs["cell_type"] == "CD19+ B")
    flagged = np.asarray(query.obs["annotation_status"] == "unfamiliar")
    assert sca.metrics.auroc(unseen, query.obs["annotation_unfamiliarity"].to_numpy()) > 0.85
    assert flagged[unseen].mean() > 0.5
    assert flagged[~unseen].mean() < 0.15


def test_switched_off(pair: tuple[AnnData, AnnData]) -> None:
    reference, query = pair
    sca.tl.annotate(query, reference, "cell_type", trust=None, **QUICK)
    assert not {"annotation_status", "annotation_set_size", "annotation_unfamiliarity"} & set(query.obs)
    assert query.uns["annotation"]["calibration"] == {"method": "none"}
    with pytest.raises(sca.errors.StorageError, match="trust=None"):
        sca.get.sets(query)


def test_given_cells_have_no_sets(pbmc: AnnData) -> None:
    pbmc.obs.loc[pbmc.obs_names[::3], "cell_type"] = np.nan
    sca.tl.annotate(pbmc, labels_key="cell_type", **QUICK)
    given = pbmc.obs["annotation_status"] == "given"
    assert (pbmc.obs["annotation_set_size"][given] == 0).all()
    assert pbmc.obs["annotation_unfamiliarity"][given].isna().all()
    assert not sca.get.sets(pbmc)[given].any(axis=None)
    assert (pbmc.obs["annotation_set_size"][~given] > 0).all()


def test_cells_without_values_are_of_low_quality(
    pair: tuple[AnnData, AnnData], pair_model: sca.tl.AnnotationModel
) -> None:
    query = pair[1]
    X = query.X.toarray()
    X[:3] = 0
    query.X = X
    sca.tl.annotate(query, pair_model)
    assert (query.obs["annotation_status"][:3] == "low_quality").all()
    assert (query.obs["annotation_status"][3:] != "low_quality").all()


def test_coverage_is_reported_by_type_and_batch() -> None:
    data = sca.datasets.simulate_reference(600, 200, 4, n_batches=3, type_strength=0.25, rng=0)
    model = sca.tl.fit_annotator(data, "cell_type", batch_key="batch", coverage=0.85, **QUICK)
    assert model.trust is not None
    report = model.trust.report["sets"]
    overall = pd.DataFrame(report["overall"]).set_index("requested")
    assert overall.index.tolist() == [0.8, 0.85, 0.9, 0.95]
    by_type, by_batch = pd.DataFrame(report["by_type"]), pd.DataFrame(report["by_batch"])
    assert set(by_batch["batch"]) == set(data.obs["batch"])
    for level, rows in by_type.groupby("requested"):
        weighted = np.average(rows["coverage"], weights=rows["n"])
        assert weighted == pytest.approx(overall.loc[level, "coverage"])
        assert rows["coverage"].min() == pytest.approx(overall.loc[level, "worst_coverage"])


def test_a_type_in_one_batch_only_does_not_spoil_calibration() -> None:
    data = sca.datasets.simulate_reference(600, 200, 4, n_batches=3, rng=0)
    keep = (data.obs["cell_type"] != data.obs["cell_type"].iloc[0]) | (data.obs["batch"] == data.obs["batch"].iloc[0])
    part = data[keep].copy()
    lonely = int((part.obs["cell_type"] == data.obs["cell_type"].iloc[0]).sum())
    model = sca.tl.fit_annotator(part, "cell_type", batch_key="batch", **QUICK)
    assert model.trust is not None
    assert model.trust.report["n_left_out"] == lonely
    assert model.trust.report["n_cells"] == part.n_obs - lonely


@pytest.mark.once
@pytest.mark.slow
def test_calibration_does_not_hurt_on_held_out_batches(shared_data: Path) -> None:
    """On average over every batch of two data sets left out in turn; single ones may lose a little."""
    gain = []
    for name in ("pbmc_3tech", "kang2018_pbmc_ifnb"):
        adata = ad.read_h5ad(shared_data / f"{name}.h5ad")
        for split in leave_one_group_out(np.asarray(adata.obs["batch"].astype(str), dtype=str)):
            reference, query = adata[split.train].copy(), adata[split.test].copy()
            known = query.obs["cell_type"].isin(reference.obs["cell_type"].unique()).to_numpy()
            truth, losses = query.obs["cell_type"].astype(str)[known], []
            for calibration in ("temperature", None):
                trust = sca.trust.Options(calibration=calibration, false_positive_rate=None)
                sca.tl.annotate(query, reference, "cell_type", batch_key="batch", cv=0, trust=trust, min_cells=2)
                proba = sca.get.probabilities(query)[known]
                losses.append(sca.metrics.log_loss(truth, proba.to_numpy(), proba.columns))
            gain.append(losses[1] - losses[0])
    assert np.mean(gain) >= 0


@pytest.mark.slow
def test_pooled_calibration_error_of_pbmc68k(pbmc: AnnData) -> None:
    model = sca.tl.fit_annotator(pbmc, "cell_type", cv=0)
    assert model.trust is not None
    scores = model.trust.report["scores"]
    assert scores["expected_calibration_error"].iloc[1] <= 0.05


def test_conformal_of_the_model_knows_its_scores(pair: tuple[AnnData, AnnData]) -> None:
    model = sca.tl.fit_annotator(pair[0], "cell_type", trust=sca.trust.Options(sets_by="label"), **QUICK)
    assert model.trust is not None
    assert isinstance(model.trust.sets, Conformal)
    few: list[Any] = model.trust.report["sets"]["types_with_the_common_threshold"]
    assert "CD4+/CD45RA+/CD25- Naive T" in few
    assert "Dendritic" not in few


@pytest.mark.slow
def test_given_cells_are_no_company(pbmc: AnnData) -> None:
    """Cells to be named are judged among themselves, whether the reference is in the same object or in another."""
    named = np.arange(700) < 450
    reference, query = pbmc[named].copy(), pbmc[~named].copy()
    sca.tl.annotate(query, reference, "cell_type", **QUICK)
    pbmc.obs["some"] = pbmc.obs["cell_type"].astype(object).where(named)
    sca.tl.annotate(pbmc, labels_key="some", **QUICK)
    np.testing.assert_allclose(
        pbmc.obs["annotation_unfamiliarity"][~named], query.obs["annotation_unfamiliarity"], atol=1e-4
    )
    for adata in (pbmc, query):
        found = adata.uns["annotation"]["familiarity"]
        assert found["n_unfamiliar"] == (adata.obs["annotation_unfamiliarity"] > found["threshold"]).sum()


def test_too_few_reference_cells_for_a_line(pair: tuple[AnnData, AnnData]) -> None:
    reference, query = pair
    sca.tl.annotate(query, reference, "cell_type", trust=sca.trust.Options(false_positive_rate=1e-5), **QUICK)
    assert any("too few" in text for text in query.uns["annotation"]["input"]["problems"])
    assert (query.obs["annotation_status"] != "unfamiliar").all()
    ax = sca.pl.unfamiliarity(query, show=False)
    assert "too few" in ax.get_title(loc="left") + ax.get_title()


@pytest.mark.slow
def test_sets_of_a_consensus_say_where_they_are(pair: tuple[AnnData, AnnData]) -> None:
    reference, query = pair
    sca.tl.annotate(query, reference, "cell_type", method=["nearest_centroid", "naive_bayes"], cv=0)
    with pytest.raises(sca.errors.StorageError, match="consensus"):
        sca.get.sets(query)


def test_interrupted_writing_leaves_nothing(
    pair: tuple[AnnData, AnnData], named_query: AnnData, monkeypatch: pytest.MonkeyPatch
) -> None:
    from anndata._core.aligned_mapping import AxisArrays

    reference, query = pair[0], named_query
    before = snapshot(query)
    real = AxisArrays.__setitem__
    calls = []

    def interrupted(self: Any, key: str, value: Any) -> None:
        calls.append(key)
        if len(calls) == 1:
            raise KeyboardInterrupt
        real(self, key, value)

    monkeypatch.setattr(AxisArrays, "__setitem__", interrupted)
    with pytest.raises(KeyboardInterrupt):
        sca.tl.annotate(query, reference, "cell_type", method="naive_bayes", cv=0)
    assert same(snapshot(query), before)


def test_unfamiliar_cells_need_not_be_looked_for(
    pair: tuple[AnnData, AnnData], pair_model: sca.tl.AnnotationModel, named_query: AnnData
) -> None:
    query, other = pair[1], named_query
    sca.tl.annotate(query, pair_model, trust=sca.trust.Options(false_positive_rate=None))
    assert "annotation_unfamiliarity" not in query.obs
    assert set(query.obs["annotation_status"]) <= {"confident", "ambiguous"}
    np.testing.assert_array_equal(query.obs["annotation_set_size"], other.obs["annotation_set_size"])
    assert query.uns["annotation"]["familiarity"] == {}
    with pytest.raises(sca.errors.StorageError, match="unfamiliar"):
        sca.pl.unfamiliarity(query)
