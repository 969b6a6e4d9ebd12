"""An embedding computed elsewhere is scored beside the genes of the same cells, and its dimensions keep their proportions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import sc_annotate as sca
from sc_annotate.annotation.held_out import GENES
from sc_annotate.errors import InputError, MatrixError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from anndata import AnnData

HEADS = ("logreg", "logreg_pca", "knn", "linear_svm", "mlp", "gradient_boosting", "lda", "nearest_centroid")


@pytest.fixture
def data() -> AnnData:
    """Counts, and an embedding that separates the types about as well."""
    adata = sca.datasets.simulate_reference(240, 120, 3, n_batches=4, rng=0)
    adata.obsm["X_other"] = _embedding(adata)
    return adata


def _embedding(adata: AnnData, n: int = 8, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    _, codes = np.unique(adata.obs["cell_type"].astype(str), return_inverse=True)
    places = rng.normal(size=(codes.max() + 1, n))[codes] + rng.normal(size=(len(codes), n))
    return np.asarray(places, dtype=np.float32)


def _scores(adata: AnnData, **how: object) -> pd.DataFrame:
    model = sca.tl.fit_annotator(adata, "cell_type", use_rep="other", trust=None, **how)  # type: ignore[arg-type]
    assert model.evaluation is not None
    return model.evaluation.table().set_index("method")


@pytest.mark.slow
@pytest.mark.parametrize("batch_key", [None, "batch"])
def test_genes_are_scored_as_without_the_embedding(data: AnnData, batch_key: str | None) -> None:
    how: dict[str, object] = {"batch_key": batch_key, "cv": 4, "trust": None}
    model = sca.tl.fit_annotator(data, "cell_type", method="knn", use_rep="other", **how)  # type: ignore[arg-type]
    alone = sca.tl.fit_annotator(data, "cell_type", method="logreg", **how)  # type: ignore[arg-type]
    found, genes = model.evaluation, alone.evaluation
    assert found is not None
    assert genes is not None
    assert found.n_cells == genes.n_cells
    assert found.split == genes.split
    scores, same = found.table().set_index("method"), genes.table().set_index("method")
    assert scores.index.tolist() == ["knn", "majority", "logreg", GENES]
    for column in ("accuracy", "accuracy_low", "macro_f1", "macro_f1_high", "log_loss"):
        assert scores.loc[GENES, column] == same.loc["logreg", column]
    row = found.differences.iloc[0]
    assert found.differences["baseline"].tolist() == [GENES]
    if batch_key is None:
        # Of several batches the table has means over these, and the difference is that over all cells.
        assert row["difference"] == pytest.approx(scores.loc["knn", "macro_f1"] - scores.loc[GENES, "macro_f1"])
    assert row["difference_low"] <= row["difference"] <= row["difference_high"]


@pytest.mark.slow
def test_it_says_whether_the_embedding_is_better(data: AnnData, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    data.obsm["X_other"] = rng.normal(size=(data.n_obs, 5)).astype(np.float32)
    model = sca.tl.fit_annotator(data, "cell_type", method="logreg", use_rep="other", cv=3)
    query = data[:40].copy()
    sca.tl.annotate(query, data, "cell_type", method="logreg", use_rep="other", cv=3)
    again = sca.load(model.save(tmp_path / "model.safetensors"))
    for shown in (model, again, sca.get.report(query)):
        assert "  compared    worse than logistic regression on genes (macro-F1 difference -" in str(shown)
        assert "worse than logistic regression on genes" in shown._repr_html_()
    assert any("obsm['X_other'], logistic regression on genes" in note for note in model.provenance.notes)
    data.obsm["X_other"] = np.eye(3, dtype=np.float32)[np.unique(data.obs["cell_type"], return_inverse=True)[1]]
    data.X = sparse.csr_matrix(rng.poisson(1, data.shape).astype(np.float32))
    model = sca.tl.fit_annotator(data, "cell_type", method="logreg", use_rep="other", cv=3)
    assert "  compared    better than logistic regression on genes (macro-F1 difference 0." in str(model)


def test_within_one_object_and_of_a_consensus(data: AnnData) -> None:
    data.obs["some"] = data.obs["cell_type"].astype(object).where(np.arange(data.n_obs) % 3 > 0)
    sca.tl.annotate(data, labels_key="some", method=["logreg", "knn"], use_rep="other")
    for key in ("annotation", "annotation_logreg", "annotation_knn"):
        baseline = data.uns[key]["baseline"]
        assert GENES in baseline["scores"]["method"].tolist()
        assert baseline["differences"]["baseline"].tolist() == [GENES]
        assert "logistic regression on genes" in str(sca.get.report(data, key))


def test_the_benchmark_has_it_too(data: AnnData) -> None:
    how: dict[str, object] = {"batch_key": "batch", "cv": "batches"}
    table = sca.benchmark.annotators(data, "cell_type", methods=["knn"], use_rep="other", **how)  # type: ignore[arg-type]
    alone = sca.benchmark.annotators(data, "cell_type", methods=["knn"], **how)  # type: ignore[arg-type]
    assert table["method"].tolist() == ["knn", "majority", "logreg", GENES]
    assert GENES not in alone["method"].tolist()
    ours, same = table.set_index("method").loc[GENES], alone.set_index("method").loc["logreg"]
    assert (ours["accuracy"], ours["macro_f1"]) == (same["accuracy"], same["macro_f1"])


def _nothing(adata: AnnData) -> None:
    adata.X = None


def _scaled(adata: AnnData) -> None:
    X = np.asarray(adata.X.toarray() if sparse.issparse(adata.X) else adata.X, dtype=np.float32)
    adata.X = (X - X.mean(axis=0)) / (X.std(axis=0) + 1e-3)


def _zeros(adata: AnnData) -> None:
    adata.X = sparse.csr_matrix(adata.shape, dtype=np.float32)


@pytest.mark.parametrize("spoil", [_nothing, _scaled, _zeros])
def test_without_usable_genes_a_note_says_so(data: AnnData, spoil: Callable[[AnnData], None]) -> None:
    spoil(data)
    model = sca.tl.fit_annotator(data, "cell_type", method="logreg", use_rep="other", trust=None)
    assert model.evaluation is not None
    assert GENES not in model.evaluation.table()["method"].tolist()
    assert len(model.evaluation.differences) == 0
    said = [note for note in model.provenance.notes if "is better than genes is not known" in note]
    assert len(said) == 1
    assert "obsm['X_other']" in said[0]
    assert said[0] in str(model)


def test_scaled_genes_are_taken_from_raw(data: AnnData) -> None:
    want = _scores(data, method="knn").loc[GENES, "macro_f1"]
    data.raw = data
    _scaled(data)
    assert _scores(data, method="knn").loc[GENES, "macro_f1"] == want


def test_without_scores_it_is_not_known(data: AnnData, monkeypatch: pytest.MonkeyPatch) -> None:
    from sc_annotate.annotation import embedding

    monkeypatch.setattr(embedding, "read_genes", None)
    model = sca.tl.fit_annotator(data, "cell_type", method="logreg", use_rep="other", cv=0)
    assert any("cv=0: whether obsm['X_other'] is better than genes is not known" in n for n in model.provenance.notes)


@pytest.mark.slow
@pytest.mark.parametrize("method", HEADS)
def test_no_unit_and_no_offset_of_an_embedding_matters(data: AnnData, method: str) -> None:
    """Not 0.01 in place of 1, and not a mean of 100 standard deviations."""
    places = data.obsm["X_other"]
    want = _scores(data, method=method).loc[method]
    for scale, offset in ((0.01, 0.0), (1000.0, 0.0), (0.01, 1.0)):
        data.obsm["X_other"] = (scale * places + offset).astype(np.float32)
        found = _scores(data, method=method).loc[method]
        assert found["macro_f1"] == pytest.approx(want["macro_f1"], abs=0.02)
        assert found["log_loss"] == pytest.approx(want["log_loss"], rel=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["logreg", "knn", "linear_svm", "mlp"])
def test_dimensions_keep_their_proportions(data: AnnData, method: str) -> None:
    """Many small dimensions without information leave the large ones as they are."""
    noise = np.random.default_rng(1).normal(size=(data.n_obs, 200)) * 0.02
    plain = _scores(data, method=method).loc[method, "macro_f1"]
    data.obsm["X_other"] = np.hstack([data.obsm["X_other"], noise]).astype(np.float32)
    kept = _scores(data, method=method).loc[method, "macro_f1"]
    lost = _scores(data, method=method, method_kwargs={"scaling": "each"}).loc[method, "macro_f1"]
    assert kept > plain - 0.03
    assert kept > lost


def test_scaling_is_recorded_and_that_of_genes_is_as_before(data: AnnData) -> None:
    how: dict[str, object] = {"cv": 0, "trust": None}
    for use_rep, scaling in (("other", "common"), (None, "each")):
        model = sca.tl.fit_annotator(data, "cell_type", use_rep=use_rep, **how)  # type: ignore[arg-type]
        assert model.provenance.method_kwargs["scaling"] == scaling
        # A least standard deviation is meant for log values; dimensions may be of any size.
        assert model.provenance.method_kwargs["sd_floor"] == (0.0 if use_rep else 0.2)
    with pytest.raises(InputError, match=r"scaling must be one of 'each', 'common', not 'none'"):
        sca.tl.fit_annotator(data, "cell_type", method_kwargs={"scaling": "none"}, **how)  # type: ignore[arg-type]


def _as_table(X: np.ndarray, adata: AnnData) -> object:
    return pd.DataFrame(X, index=adata.obs_names, columns=[f"z{i}" for i in range(X.shape[1])])


FORMS: dict[str, Callable[[np.ndarray, AnnData], object]] = {
    "table": _as_table,
    "CSR": lambda X, _: sparse.csr_matrix(X),
    "CSC": lambda X, _: sparse.csc_matrix(X),
    "float64": lambda X, _: X.astype(np.float64),
    "Fortran": lambda X, _: np.asfortranarray(X),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("method", ["logreg", "knn"])
def test_every_form_of_an_embedding_is_the_same(data: AnnData, form: str, method: str) -> None:
    places = np.round(data.obsm["X_other"])
    data.obsm["X_other"] = places
    want = _scores(data, method=method).loc[method, "macro_f1"]
    data.obsm["X_other"] = FORMS[form](places, data)
    assert _scores(data, method=method).loc[method, "macro_f1"] == pytest.approx(want)
    data.obsm["X_other"] = places.astype(np.int16)
    assert _scores(data, method=method).loc[method, "macro_f1"] == pytest.approx(want)


@pytest.mark.parametrize("method", ["logreg", "logreg_pca", "knn", "linear_svm", "lda", "nearest_centroid"])
def test_a_constant_dimension_counts_for_nothing(data: AnnData, method: str) -> None:
    want = _scores(data, method=method).loc[method, "macro_f1"]
    data.obsm["X_other"] = np.hstack([data.obsm["X_other"], np.full((data.n_obs, 1), 5, np.float32)])
    assert _scores(data, method=method).loc[method, "macro_f1"] == pytest.approx(want, abs=0.02)


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_what_is_no_number_is_refused(data: AnnData, wrong: float) -> None:
    data.obsm["X_other"][3, 1] = wrong
    with pytest.raises(MatrixError, match=r"reference.obsm\['X_other'\] holds NaN or infinite values"):
        sca.tl.fit_annotator(data, "cell_type", use_rep="other")


def test_a_table_of_words_is_refused(data: AnnData) -> None:
    table = pd.DataFrame(data.obsm["X_other"], index=data.obs_names).astype(str)
    table.columns = [f"z{i}" for i in range(table.shape[1])]
    data.obsm["X_other"] = table
    with pytest.raises(InputError, match="obsm"):
        sca.tl.fit_annotator(data, "cell_type", use_rep="other")


@pytest.mark.slow
def test_a_network_learns_from_an_embedding_of_any_unit(data: AnnData) -> None:
    """The least standard deviation of genes would make 0.01 of it nothing, and the limit cut 1000 times it off."""
    pytest.importorskip("lightning")
    places = data.obsm["X_other"]
    found = {}
    for unit in (1.0, 0.01, 1000.0):
        data.obsm["X_other"] = (unit * places).astype(np.float32)
        how = {"epochs": 60, "hidden": 32, "input_dropout": 0.0}
        found[unit] = _scores(data, method="mlp_torch", method_kwargs=how, cv=1).loc["mlp_torch"]
    assert found[1.0]["macro_f1"] > 0.7
    for unit in (0.01, 1000.0):
        assert found[unit]["macro_f1"] == pytest.approx(found[1.0]["macro_f1"], abs=0.03)
        assert found[unit]["log_loss"] == pytest.approx(found[1.0]["log_loss"], rel=0.05)
    table = sca.tl.fit_annotator(
        data, "cell_type", method="mlp_torch", method_kwargs={"epochs": 2, "hidden": 8}, use_rep="other", trust=None
    ).evaluation
    assert table is not None
    assert table.differences["baseline"].tolist() == ["majority", "logreg", "logreg_pca", GENES]
