"""Alignment of a linear model to a query, from the reference's batches to what is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from scipy import sparse
from scipy.special import softmax

import sc_annotate as sca
from sc_annotate.errors import InputError, MethodError
from sc_annotate.trust import Options, estimate_shift

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

TYPES, GENES = 4, 120


def cells(n: int, batches: dict[str, float], *, shares: Any = None, seed: int = 0, swapped: bool = False) -> AnnData:
    """Log values of some types whose markers are weak, each batch shifted by its own amount of its own direction.

    With `swapped`, a new batch moves each type on its own: no shift is shared by all cells.
    """
    from anndata import AnnData

    rng, fixed = np.random.default_rng(seed), np.random.default_rng(7)
    means = fixed.uniform(0.4, 1.2, GENES) + np.zeros((TYPES, GENES))
    for t in range(TYPES):
        means[t, 6 * t : 6 * t + 6] += 1.0
    parts, types, names = [], [], []
    for name, amount in batches.items():
        y = rng.choice(TYPES, n, p=shares)
        towards = means[1] - means[0] + np.random.default_rng(len(name)).normal(0, 0.5, GENES)
        moved = means[y] + (2 * amount * (means[(y + 1) % TYPES] - means[y]) if swapped else amount * towards)
        parts.append(moved + rng.normal(0, 0.4, (n, GENES)))
        types.append(y)
        names += [name] * n
    X = np.maximum(np.concatenate(parts), 0).astype(np.float32)
    X[X < 0.25] = 0
    out = AnnData(sparse.csr_matrix(X))
    out.var_names = [f"g{i}" for i in range(GENES)]
    out.obs["cell_type"] = [f"t{i}" for i in np.concatenate(types)]
    out.obs["batch"] = names
    return out


BATCHES = {"a": 0.0, "bb": 0.6, "ccc": -0.6}
SKEWED = [0.85, 0.05, 0.05, 0.05]


@pytest.fixture(scope="module", name="model")
def _model() -> Any:
    return sca.tl.fit_annotator(cells(150, BATCHES), "cell_type", batch_key="batch", cv=0, trust=Options())


def annotated(query: AnnData, model: Any, align: Any = "auto", **kwargs: Any) -> tuple[AnnData, dict[str, Any]]:
    query = query.copy()
    sca.tl.annotate(query, model, trust=Options(align=align, **kwargs))
    return query, query.uns["annotation"]["alignment"]


def right(query: AnnData) -> float:
    return float((query.obs["annotation"].astype(str) == query.obs["cell_type"]).mean())


@pytest.mark.parametrize("shares", [None, SKEWED])
@pytest.mark.parametrize("dense", [False, True])
def test_a_shifted_query_is_labelled_better(model: Any, shares: Any, dense: bool) -> None:
    query = cells(300, {"newer": 0.4}, shares=shares, seed=3)
    if dense:
        query.X = query.X.toarray()
    plain, off = annotated(query, model, None)
    aligned, used = annotated(query, model)
    assert model.alignment.use
    assert used["used"]
    assert not off["used"]
    assert right(aligned) > right(plain) + 0.015
    share = query.obs["cell_type"].value_counts(normalize=True).sort_index()
    np.testing.assert_allclose(used["composition"], share, atol=0.06)


def test_as_in_plain_numpy(model: Any) -> None:
    query = cells(200, {"newer": 0.4}, shares=SKEWED, seed=4)
    found, record = annotated(query, model)
    reference = cells(150, BATCHES)
    X = query.X.toarray().astype(np.float64)
    dense = reference.X.toarray().astype(np.float64)
    M = np.array([dense[(reference.obs["cell_type"] == t).to_numpy()].mean(axis=0) for t in model.classes])
    W, b = model.annotator.coefficients()
    shift = estimate_shift(X @ W.T + b, X.mean(axis=0), M, W, lambda z: softmax(z, axis=1))
    np.testing.assert_allclose(record["genes"], shift.genes, atol=1e-4)
    P = softmax(shift.apply(X @ W.T + b), axis=1)
    P = model.trust.calibration.transform(P.astype(np.float32))
    np.testing.assert_allclose(found.obsm["annotation_proba"], P, atol=1e-4)
    assert record["genes"].dtype == np.float32
    assert record["n_cells"] == 200
    assert set(record["held_out"]["batch"]) == set(BATCHES)
    assert found.uns["annotation"]["params"]["align"] == "auto"


def test_composition_alone_changes_little(model: Any) -> None:
    query = cells(300, {"a": 0.0}, shares=SKEWED, seed=5)
    plain, _ = annotated(query, model, None)
    aligned, record = annotated(query, model)
    assert record["used"]
    assert right(aligned) >= right(plain) - 0.01


def test_evidence_is_that_of_the_aligned_scores(model: Any) -> None:
    query, record = annotated(cells(100, {"newer": 0.4}, seed=6), model)
    kept = query.uns["annotation"]["coefficients"]
    coef, intercept = model.annotator.coefficients()
    np.testing.assert_allclose(kept["intercept"], intercept - coef @ record["genes"], atol=1e-3)


REASONS: dict[str, tuple[Any, str]] = {
    "few cells": (lambda: cells(49, {"newer": 0.4}), "49 cells, fewer than 50"),
    "far away": (lambda: cells(200, {"newer": 0.4}), "the query is shifted by"),
}


@pytest.mark.parametrize("case", REASONS)
def test_off_where_it_was_not_tried(model: Any, case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    make, why = REASONS[case]
    if case == "far away":
        monkeypatch.setattr("sc_annotate.annotation.align_query.FARTHER", 0.1)
    query, record = annotated(make(), model)
    assert not record["used"]
    assert why in record["why"]
    assert any(why in text for text in query.uns["annotation"]["input"]["problems"])
    forced, used = annotated(make(), model, "shift")
    assert used["used"]
    assert any("aligned" in text for text in forced.uns["annotation"]["input"]["problems"])


@pytest.mark.parametrize("share", [0.4, 0.6])
def test_a_shallow_query_is_no_shifted_one(model: Any, monkeypatch: pytest.MonkeyPatch, share: float) -> None:
    monkeypatch.setattr(
        "sc_annotate.annotation.applied.Applied.shallow", lambda self, seen: np.arange(len(seen)) < share * len(seen)
    )
    _, record = annotated(cells(100, {"newer": 0.4}, seed=16), model)
    assert record["used"] == (share < 0.5)
    assert record["used"] or "shallower" in record["why"]


OFF: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "one batch": ({"batches": {"a": 0.0}}, {"batch_key": "batch"}, "no batch of the reference"),
    "one large batch": ({"batches": {"a": 0.0}, "n": 500}, {"batch_key": "batch"}, "no batch of the reference"),
    "batches unknown": ({"batches": BATCHES}, {}, "no batch of the reference"),
    "no shared shift": ({"batches": {"a": 0.0, "bb": 0.4}, "swapped": True}, {"batch_key": "batch"}, "log loss of"),
    "not calibrated": ({"batches": BATCHES}, {"batch_key": "batch", "trust": None}, "no batch of the reference"),
    "switched off": ({"batches": BATCHES}, {"batch_key": "batch", "trust": Options(align=None)}, "switched off"),
}


@pytest.mark.parametrize("case", OFF)
def test_off_where_the_reference_does_not_speak_for_it(case: str, tmp_path: Path) -> None:
    made, how, why = OFF[case]
    model = sca.tl.fit_annotator(cells(**{"n": 120} | made), "cell_type", cv=0, **how)
    assert not model.alignment.use
    assert why in model.alignment.why
    model = sca.load(model.save(tmp_path / "m.safetensors"))
    assert why in model.alignment.why
    _, record = annotated(cells(100, {"newer": 0.4}, seed=8), model)
    assert not record["used"]
    assert annotated(cells(100, {"newer": 0.4}, seed=8), model, "shift")[1]["used"]


def test_backed_cells_are_aligned_on_request_only(model: Any, tmp_path: Path) -> None:
    import anndata as ad

    query = cells(200, {"newer": 0.4}, seed=9)
    query.write_h5ad(tmp_path / "q.h5ad")
    backed = ad.read_h5ad(tmp_path / "q.h5ad", backed="r")
    sca.tl.annotate(backed, model)
    assert "on disk" in backed.uns["annotation"]["alignment"]["why"]
    sca.tl.annotate(backed, model, trust=Options(align="shift"), key_added="aligned")
    memory, _ = annotated(query, model)
    np.testing.assert_array_equal(backed.obs["aligned"].astype(str), memory.obs["annotation"].astype(str))
    backed.file.close()


def test_of_many_cells_some_are_enough(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    query = cells(400, {"newer": 0.4}, seed=10)
    every, _ = annotated(query, model)
    monkeypatch.setattr("sc_annotate.annotation.align_query.MOST", 150)
    some, record = annotated(query, model)
    assert record["n_cells"] == 150
    assert (every.obs["annotation"].astype(str) == some.obs["annotation"].astype(str)).mean() > 0.97


def test_cells_with_a_label_are_no_part_of_the_query() -> None:
    adata = cells(120, {**BATCHES, "newer": 0.4}, seed=11)
    adata.obs["some"] = adata.obs["cell_type"].astype(object).where(adata.obs["batch"] != "newer")
    sca.tl.annotate(adata, labels_key="some", batch_key="batch", cv=0)
    record = adata.uns["annotation"]["alignment"]
    assert record["used"]
    assert record["n_cells"] == 120


def test_a_saved_model_aligns_alike(model: Any, tmp_path: Path) -> None:
    again = sca.load(model.save(tmp_path / "m.safetensors"))
    query = cells(150, {"newer": 0.4}, seed=12)
    one, other = annotated(query, model), annotated(query, again)
    np.testing.assert_array_equal(one[0].obsm["annotation_proba"], other[0].obsm["annotation_proba"])
    assert again.id == model.id
    one[0].write_h5ad(tmp_path / "q.h5ad")
    import anndata as ad

    back = ad.read_h5ad(tmp_path / "q.h5ad").uns["annotation"]["alignment"]
    np.testing.assert_array_equal(back["genes"], one[1]["genes"])


def test_an_embedding_is_aligned_too() -> None:
    reference, query = cells(150, BATCHES), cells(200, {"newer": 0.4}, shares=SKEWED, seed=15)
    for adata in (reference, query):
        adata.obsm["X_some"] = adata.X[:, :40].toarray() - 1
    found = {}
    for align in (None, "shift"):
        how = {"use_rep": "X_some", "batch_key": "batch", "cv": 0, "trust": Options(align=align)}
        sca.tl.annotate(query, reference, "cell_type", **how)
        found[align] = right(query)
    assert found["shift"] > found[None]


def test_a_model_without_means_says_what_to_do(model: Any) -> None:
    from dataclasses import replace

    old = replace(model, alignment=None)
    query = cells(100, {"newer": 0.4}, seed=13)
    assert not annotated(query, old)[1]["used"]
    with pytest.raises(InputError, match="fit_annotator"):
        annotated(query, old, "shift")


@pytest.mark.parametrize("method", ["nearest_centroid", "celltypist", ["logreg", "naive_bayes"]])
def test_other_methods_are_refused_by_name(method: Any) -> None:
    reference, query = cells(60, BATCHES), cells(60, {"newer": 0.4})
    with pytest.raises(MethodError, match="cannot be aligned"):
        sca.tl.annotate(query, reference, "cell_type", method=method, trust=Options(align="shift"))
    fitted = sca.tl.fit_annotator(reference, "cell_type", method="nearest_centroid", cv=0)
    with pytest.raises(MethodError, match="nearest_centroid cannot be aligned"):
        sca.tl.annotate(query, fitted, trust=Options(align="shift"))
    sca.tl.annotate(query, fitted)
    assert "alignment" not in query.uns["annotation"]


@pytest.mark.parametrize("method", ["linear_svm", "lda"])
def test_other_linear_methods(method: str) -> None:
    model = sca.tl.fit_annotator(cells(150, BATCHES), "cell_type", batch_key="batch", method=method, cv=0)
    query = cells(200, {"newer": 0.4}, shares=SKEWED, seed=14)
    plain, aligned = annotated(query, model, None)[0], annotated(query, model, "shift")[0]
    assert right(aligned) > right(plain)


def test_confidence_is_learned_as_the_model_is_used() -> None:
    reference = cells(150, BATCHES)
    models = [
        sca.tl.fit_annotator(reference, "cell_type", batch_key="batch", cv=0, trust=Options(align=align))
        for align in (None, "shift")
    ]
    scores = [m.trust.report["scores"].set_index("probabilities")["log_loss"]["uncalibrated"] for m in models]
    assert scores[1] < scores[0]
