"""Confidence and status follow the depth and the genes of the query; models keep held-out cells for it, or none."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from scipy import sparse

import sc_annotate as sca
from sc_annotate._store import modelfile
from sc_annotate.trust import thin

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

FAST: dict[str, Any] = {"method": "nearest_centroid", "cv": 0}


@pytest.fixture(scope="module")
def cells() -> AnnData:
    return sca.datasets.simulate_reference(900, 300, 4, n_batches=3, rng=0)


@pytest.fixture(scope="module")
def model(cells: AnnData) -> Any:
    return sca.tl.fit_annotator(cells[:500].copy(), "cell_type", **FAST)


def shallow(query: AnnData, depth: int, seed: int = 0) -> AnnData:
    out = query.copy()
    counts = sparse.csr_matrix(query.X)
    out.X = thin(counts, np.asarray(counts.sum(axis=1)).ravel(), depth, rng=seed)[0]
    return out[np.asarray(out.X.sum(axis=1)).ravel() > 0].copy()


@pytest.mark.parametrize("depth", [100, 40])
def test_shallow_cells_are_as_sure_as_they_are_right(cells: AnnData, model: Any, depth: int) -> None:
    query = shallow(cells[500:], depth)
    sca.tl.annotate(query, model)
    right = (query.obs["annotation"].astype(str) == query.obs["cell_type"].astype(str)).to_numpy()
    assert abs(query.obs["annotation_confidence"].mean() - right.mean()) < 0.1
    whole = cells[500:].copy()
    sca.tl.annotate(whole, model)
    assert query.obs["annotation_confidence"].mean() < whole.obs["annotation_confidence"].mean()
    assert query.obs["annotation_set_size"].mean() >= whole.obs["annotation_set_size"].mean()
    assert any("cells are shallow" in text for text in query.uns["annotation"]["input"]["problems"])
    np.testing.assert_array_equal(sca.get.sets(query).sum(axis=1), query.obs["annotation_set_size"])


def test_cells_below_every_step_are_never_confident(cells: AnnData, model: Any) -> None:
    query = cells[500:].copy()
    counts = sparse.lil_matrix(query.X)
    counts[:50] = 0
    counts[:50, 0] = 1
    query.X = sparse.csr_matrix(counts)
    sca.tl.annotate(query, model)
    assert not (query.obs["annotation_status"][:50] == "confident").any()
    assert any("too few of the model's genes" in text for text in query.uns["annotation"]["input"]["problems"])


def test_logarithms_of_counts_teach_the_same_as_counts(cells: AnnData, model: Any) -> None:
    import scanpy as sc

    logged = cells[:500].copy()
    sc.pp.normalize_total(logged, target_sum=1e4)
    sc.pp.log1p(logged)
    other = sca.tl.fit_annotator(logged, "cell_type", **FAST)
    found, by_counts = other.trust.report["depth"], model.trust.report["depth"]
    assert found["molecules"].tolist() == by_counts["molecules"].tolist()
    np.testing.assert_allclose(found["accuracy"], by_counts["accuracy"], atol=0.1)


def test_a_query_without_some_genes(cells: AnnData, tmp_path: Path) -> None:
    totals = {"total_counts_key": "total_counts"}
    model = sca.tl.fit_annotator(cells[:500].copy(), "cell_type", **totals, **FAST)
    query = cells[500:, :120].copy()
    sca.tl.annotate(query, model, **totals)
    right = (query.obs["annotation"].astype(str) == query.obs["cell_type"].astype(str)).to_numpy()
    assert abs(query.obs["annotation_confidence"].mean() - right.mean()) < 0.12
    back = sca.load(model.save(tmp_path / "m.safetensors"))
    assert back.id == model.id
    again = cells[500:, :120].copy()
    sca.tl.annotate(again, back, **totals)
    np.testing.assert_array_equal(again.obs["annotation_confidence"], query.obs["annotation_confidence"])
    np.testing.assert_array_equal(sca.get.sets(again).sum(axis=1), again.obs["annotation_set_size"])


def test_a_least_confidence(cells: AnnData, model: Any) -> None:
    query = cells[500:].copy()
    sca.tl.annotate(query, model, trust=sca.trust.Options(min_confidence=0.95))
    table = sca.get.annotation(query)
    assert table["confidence"][table["status"] == "confident"].min() >= 0.95
    assert ((table["confidence"] < 0.95) & (table["set_size"] == 1)).any()
    assert query.uns["annotation"]["params"]["min_confidence"] == 0.95


def test_batches_are_listed_worst_first_and_the_headline_is_their_mean(cells: AnnData) -> None:
    model = sca.tl.fit_annotator(cells.copy(), "cell_type", method="nearest_centroid", batch_key="batch")
    found, batches = model.evaluation, model.evaluation.batches
    assert len(batches) == 3
    assert batches["accuracy"].is_monotonic_increasing
    assert found.scores["accuracy"].iloc[0] == pytest.approx(batches["accuracy"].mean())
    low = found.scores["accuracy_low"].iloc[0]
    by_hand = batches["accuracy"].mean() - 4.302653 * batches["accuracy"].std(ddof=1) / np.sqrt(3)
    assert low == pytest.approx(by_hand, abs=1e-5)
    report = model.trust.report
    assert report["n_batches"] == 3
    assert "no distribution-free guarantee with fewer than 9 batches" in report["valid_for"]
    assert report["batches"]["accuracy"].is_monotonic_increasing
    assert report["scores"]["log_loss"].iloc[1] <= report["scores"]["log_loss"].iloc[0] + 1e-6
    assert str(model).splitlines()[1].startswith("  valid for")


def test_two_batches_have_no_interval_and_one_was_never_left(cells: AnnData) -> None:
    names = np.unique(cells.obs["batch"].astype(str))
    two = cells[cells.obs["batch"].astype(str).isin(names[:2])].copy()
    model = sca.tl.fit_annotator(two, "cell_type", method="nearest_centroid", batch_key="batch")
    assert model.evaluation.scores["accuracy_low"].isna().all()
    assert "too few for an interval" in model.evaluation.split
    assert "nan" not in str(model)
    alone = sca.tl.fit_annotator(two, "cell_type", method="nearest_centroid")
    assert "no new batch was ever seen" in str(alone).splitlines()[1]
    split = sca.trust.Options(scheme="split")
    one = sca.tl.fit_annotator(two, "cell_type", method="nearest_centroid", batch_key="batch", trust=split)
    assert "learned from one held-out batch" in str(one).splitlines()[1]


def test_every_level_is_calibrated() -> None:
    random = np.random.default_rng(0)
    n, k = 4000, 20
    tree = sca.trust.Levels(("broad", "fine"), np.array([[f"b{i // 5}", f"f{i:02}"] for i in range(k)]))
    codes = random.integers(0, k, n)
    logits = random.normal(0, 1, (n, k))
    logits[np.arange(n), codes] += 1.5
    # The evidence of a lineage is counted as if it were weaker than it is.
    logits += 1.2 * (np.arange(k)[None] // 5 == codes[:, None] // 5)
    proba = np.exp(0.6 * logits)
    proba /= proba.sum(axis=1, keepdims=True)
    half = np.arange(n) < n // 2
    powers = tree.calibrate(proba[half], codes[half], np.arange(half.sum()) % 5, np.full(half.sum(), 1.0))
    label = tree.decide(proba[~half])
    right = tree.path(label, 0) == tree.path(codes[~half], 0)
    plain = tree.confidence(proba[~half], label)[:, 0].mean()
    found = tree.confidence(proba[~half], label, powers)
    assert abs(found[:, 0].mean() - right.mean()) < 0.03 < abs(plain - right.mean())
    assert (found[:, 0] >= found[:, 1]).all()


def test_files_of_the_first_format_are_read(model: Any, cells: AnnData, tmp_path: Path, monkeypatch: Any) -> None:
    from dataclasses import replace

    report = {k: v for k, v in model.trust.report.items() if k not in ("depth", "genes", "n_batches", "valid_for")}
    trust = replace(model.trust, depth=None, genes=None, rates=None, groups=None, report=report)
    old = replace(model, trust=trust)
    monkeypatch.setattr(modelfile, "FORMAT_NUMBER", 1)
    path = old.save(tmp_path / "old.safetensors")
    monkeypatch.undo()
    header = path.read_bytes()
    assert json.dumps("format_number").strip('"').encode() in header
    query = cells[500:].copy()
    sca.tl.annotate(query, sca.load(path))
    assert "annotation_status" in query.obs
