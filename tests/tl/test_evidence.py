"""The genes behind the labels, on real data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

import sc_annotate as sca
from sc_annotate._data.read import prepare
from sc_annotate.annotation.evidence.coefficients import evidence_model
from sc_annotate.annotation.evidence.reread import open_again
from sc_annotate.errors import InputError, MethodError, StorageError
from sc_annotate.evaluation._leaderboard_tables import draws, of_means

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from anndata import AnnData

    from sc_annotate.tl import AnnotationModel

QUICK: dict[str, Any] = {"method": "nearest_centroid", "cv": 0, "trust": None}


@pytest.fixture
def query(pair: tuple[AnnData, AnnData]) -> AnnData:
    sca.tl.annotate(pair[1], pair[0], "cell_type", **QUICK)
    return pair[1]


@pytest.fixture(scope="module")
def knn(_pbmc: AnnData) -> AnnotationModel:
    return sca.tl.fit_annotator(_pbmc[:500].copy(), "cell_type", method="knn", cv=0, trust=None)


def as_seen(adata: AnnData, model: AnnotationModel) -> Any:
    """The cells as the model saw them."""
    stored = adata.uns["annotation"]
    known = evidence_model(adata, "annotation", stored, model)
    found = open_again(adata, stored["params"], known)
    return prepare(found.X[:], slice(0, adata.n_obs), found.transform, found.columns, known.means)


# ---- what must hold


def held_out(name: str, folder: Path) -> Iterator[tuple[AnnData, AnnData, str | None]]:
    """Reference and query: each batch annotated with the others; for one batch, each third by the rest."""
    if name == "pbmc68k":
        adata, column = sca.datasets.pbmc68k(), None
        part = np.random.default_rng(0).integers(0, 3, adata.n_obs)
    else:
        adata, column = ad.read_h5ad(folder / f"{name}.h5ad"), "batch"
        part = adata.obs["batch"].astype(str).to_numpy()
    for one in np.unique(part):
        yield adata[part != one].copy(), adata[part == one].copy(), column


@pytest.mark.once
@pytest.mark.slow
@pytest.mark.parametrize("name", ["pbmc_3tech", "kang2018_pbmc_ifnb", "pbmc68k"])
def test_deleting_the_evidence_costs_more_confidence_than_deleting_random_expressed_genes(
    name: str, shared_data: Path
) -> None:
    differences, largest = [], []
    for reference, query, batch in held_out(name, shared_data):
        # Calibration by depth may move a label of a shallow cell; evidence is that of the method.
        model = sca.tl.fit_annotator(reference, "cell_type", batch_key=batch, min_cells=2, cv=0, trust=None)
        sca.tl.annotate(query, model)
        # From the coefficients that annotate kept, as a user would ask.
        sca.tl.evidence(query, n_genes=20)
        assert query.uns["annotation"]["evidence"]["agreement"] == 1
        table = sca.get.evidence(query)
        position = {gene: i for i, gene in enumerate(model.names["var_names"].tolist())}
        ranked = np.full((len(model.classes), 20), -1)
        for kind, rows in table[table["direction"] == "towards"].groupby("type"):
            ranked[model.classes.tolist().index(str(kind)), : len(rows)] = [position[g] for g in rows["gene"]]
        codes = np.searchsorted(model.classes, query.obs["annotation"].astype(str).to_numpy())

        def confidence(X: Any, model: Any = model) -> Any:
            return model.annotator.predict_proba(X)

        curve = sca.metrics.deletion_curve(confidence, as_seen(query, model), ranked[codes], codes, steps=[20])
        np.testing.assert_allclose(curve.before, query.obs["annotation_confidence"], atol=1e-4)
        differences.append(curve.drop[:, 0] - curve.random_drop[:, 0])
        largest.append(curve.before)
    paired = np.concatenate(differences)
    mean, low, _ = of_means(paired[None], draws(len(paired), 1000, 0))
    assert low[0] > 0
    # Far above: the interval alone would also pass for a drop of a tenth of a per cent.
    assert mean[0] > 0.3 * np.concatenate(largest).mean()


@pytest.mark.slow
def test_b_cells_and_monocytes_are_named_for_reasons_that_a_biologist_knows(pair: tuple[AnnData, AnnData]) -> None:
    reference, query = pair
    sca.tl.annotate(query, reference, "cell_type", cv=0)
    sca.tl.evidence(query)
    table = sca.get.evidence(query, group="CD19+ B")
    towards = table[table["direction"] == "towards"]
    assert {"CD79A", "CD79B", "MS4A1"} <= set(towards["gene"])
    assert (towards["mean"] > towards["mean_others"]).all()


# ---- what the table holds


def test_table_by_hand(query: AnnData) -> None:
    sca.tl.evidence(query, n_genes=7)
    entry = query.uns["annotation"]["evidence"]
    kept = query.uns["annotation"]["coefficients"]
    genes = kept["genes"].tolist()
    X = np.asarray(query[:, genes].X.todense(), dtype=np.float64)
    score = X @ kept["values"] + kept["intercept"]
    classes = query.uns["annotation"]["classes"].tolist()
    labels = query.obs["annotation"].astype(str).to_numpy()
    for kind in np.unique(labels):
        cells, c = labels == kind, classes.index(kind)
        others = np.exp(np.delete(score[cells], c, axis=1))
        others /= others.sum(axis=1, keepdims=True)
        slope = kept["values"][:, c] - others @ np.delete(kept["values"], c, axis=1).T
        pushed = slope * X[cells]
        table = entry["table"][entry["table"]["type"] == kind]
        for direction, sign in (("towards", 1), ("against", -1)):
            rows = table[table["direction"] == direction]
            order = np.argsort(-sign * pushed.mean(axis=0))[:7]
            np.testing.assert_allclose(rows["contribution"], pushed.mean(axis=0)[order], rtol=1e-3, atol=1e-5)
            at = [genes.index(g) for g in rows["gene"]]
            np.testing.assert_allclose(rows["share"], (sign * pushed[:, at] > 0).mean(axis=0), atol=1e-6)
            np.testing.assert_allclose(rows["mean"], X[cells][:, at].mean(axis=0), rtol=1e-4)
            np.testing.assert_allclose(rows["mean_others"], X[~cells][:, at].mean(axis=0), rtol=1e-4, atol=1e-6)
            assert rows["rank"].tolist() == list(range(1, len(rows) + 1))
            assert (rows["n_cells"] == cells.sum()).all()


@pytest.mark.parametrize("method", ["logreg", "linear_svm", "lda", "nearest_centroid", "naive_bayes"])
def test_kept_coefficients_and_the_model_say_the_same(
    pair: tuple[AnnData, AnnData], method: str, tmp_path: Path
) -> None:
    reference, query = pair
    model = sca.tl.fit_annotator(reference, "cell_type", method=method, cv=0, trust=None)
    sca.tl.annotate(query, model)
    sca.tl.evidence(query)
    kept = sca.get.evidence(query)
    for one in (model, model.save(tmp_path / "x.safetensors"), str(tmp_path / "x.safetensors")):
        sca.tl.evidence(query, model=one)
        pd.testing.assert_frame_equal(sca.get.evidence(query), kept, rtol=1e-3, atol=1e-5)


def test_groups_are_looked_at_on_their_own(query: AnnData) -> None:
    query.obs["donor"] = np.where(np.arange(query.n_obs) % 2, "a/1", "b")
    sca.tl.evidence(query, groupby="donor", n_genes=3)
    table = sca.get.evidence(query)
    n = table.drop_duplicates(["group", "type"]).set_index(["group", "type"])["n_cells"]
    expected = query.obs.groupby(["donor", "annotation"], observed=True).size()
    assert n.to_dict() == expected.to_dict()
    own = query[query.obs["donor"] == "b"].copy()
    sca.tl.evidence(own, n_genes=3)
    alone, within = sca.get.evidence(own), sca.get.evidence(query, group="b")
    assert within["gene"].tolist() == alone["gene"].tolist()
    np.testing.assert_allclose(within["contribution"], alone["contribution"], rtol=1e-4)
    assert set(sca.get.evidence(query, group="CD19+ B")["group"]) == {"a/1", "b"}


def test_few_cells_are_drawn(query: AnnData) -> None:
    sca.tl.evidence(query, max_cells=3)
    first = sca.get.evidence(query)
    assert first["n_cells"].max() == 3
    sca.tl.evidence(query, max_cells=3)
    pd.testing.assert_frame_equal(sca.get.evidence(query), first)
    sca.tl.evidence(query, max_cells=3, rng=1)
    assert not sca.get.evidence(query)["contribution"].equals(first["contribution"])


def test_other_methods_delete_genes(knn: AnnotationModel, pair: tuple[AnnData, AnnData]) -> None:
    query = pair[1]
    sca.tl.annotate(query, knn)
    assert "coefficients" not in query.uns["annotation"]
    with pytest.raises(StorageError, match="'knn' is not linear.*pass model=model"):
        sca.tl.evidence(query)
    sca.tl.evidence(query, model=knn, max_cells=2)
    entry = query.uns["annotation"]["evidence"]
    assert entry["how"] == "one gene deleted at a time"
    assert entry["table"]["n_cells"].max() <= 2
    assert (entry["table"]["contribution"].abs() > 0).all()


def test_missing_genes_are_no_evidence_and_order_does_not_matter(pair: tuple[AnnData, AnnData]) -> None:
    reference, query = pair
    model = sca.tl.fit_annotator(reference, "cell_type", **QUICK)
    fewer = query[:, query.var_names[::-1][: int(0.6 * query.n_vars)]].copy()
    sca.tl.annotate(fewer, model)
    sca.tl.evidence(fewer, n_genes=10_000)
    table, n = sca.get.evidence(fewer), fewer.uns["annotation"]["evidence"]["n_genes_used"]
    assert n == fewer.uns["annotation"]["input"]["n_genes_shared"] < len(model.means)
    assert set(table["gene"]) <= set(fewer.var_names)
    assert table.groupby("type")["gene"].nunique().max() <= n


def test_given_labels_are_left_out(pbmc: AnnData) -> None:
    pbmc.obs.loc[pbmc.obs_names[::3], "cell_type"] = np.nan
    sca.tl.annotate(pbmc, labels_key="cell_type", **QUICK)
    sca.tl.evidence(pbmc)
    assert pbmc.uns["annotation"]["evidence"]["n_cells"] == len(pbmc.obs_names[::3])


# ---- storing and reading


def test_h5ad_round_trip_backed_and_in_blocks(query: AnnData, tmp_path: Path) -> None:
    before = query.copy()
    sca.tl.evidence(query)
    assert (query.X != before.X).nnz == 0
    assert list(query.obs) == list(before.obs)
    query.write_h5ad(tmp_path / "x.h5ad")
    back = ad.read_h5ad(tmp_path / "x.h5ad")
    pd.testing.assert_frame_equal(sca.get.evidence(back), sca.get.evidence(query), check_dtype=False)
    for name, value in query.uns["annotation"]["evidence"]["dots"].items():
        np.testing.assert_array_equal(back.uns["annotation"]["evidence"]["dots"][name], value)
    want = sca.get.evidence(query)
    del back.uns["annotation"]["evidence"]
    sca.tl.evidence(back)
    pd.testing.assert_frame_equal(sca.get.evidence(back), want, rtol=1e-4, check_dtype=False)
    backed = ad.read_h5ad(tmp_path / "x.h5ad", backed="r")
    size = sca.settings.block_size
    sca.settings.block_size = 64
    try:
        sca.tl.evidence(backed)
    finally:
        sca.settings.block_size = size
    pd.testing.assert_frame_equal(sca.get.evidence(backed), want, rtol=1e-3, check_dtype=False)
    backed.file.close()


def test_layers_and_counts_are_read_as_they_were(shared_data: Path) -> None:
    adata = ad.read_h5ad(shared_data / "kang2018_pbmc_ifnb.h5ad")[::3].copy()
    adata.layers["umi"] = csr_matrix(adata.X)
    adata.X = np.zeros(adata.shape, dtype=np.float32)
    adata.obs["total"] = np.asarray(adata.layers["umi"].sum(axis=1)).ravel() * 2.0
    reference, query = adata[:300].copy(), adata[300:].copy()
    sca.tl.annotate(
        query, reference, "cell_type", layer="umi", reference_layer="umi", total_counts_key="total", **QUICK
    )
    sca.tl.evidence(query)
    assert query.uns["annotation"]["evidence"]["agreement"] == 1
    found = sca.get.evidence(query)
    row = found.iloc[0]
    counts = np.asarray(query[:, row["gene"]].layers["umi"].todense()).ravel()
    cells = (query.obs["annotation"] == row["type"]).to_numpy()
    scaled = np.log1p(1e4 * counts / query.obs["total"].to_numpy())
    np.testing.assert_allclose(row["mean"], scaled[cells].mean(), rtol=1e-4)


def test_raw_is_taken_where_annotate_took_it(pair: tuple[AnnData, AnnData]) -> None:
    reference, query = pair
    plain = query.copy()
    sca.tl.annotate(plain, reference, "cell_type", **QUICK)
    sca.tl.evidence(plain)
    query.raw = query.copy()
    query.X = np.asarray(query.X.todense() - query.X.mean(axis=0))
    sca.tl.annotate(query, reference, "cell_type", **QUICK)
    sca.tl.evidence(query)
    pd.testing.assert_frame_equal(sca.get.evidence(query), sca.get.evidence(plain))


def test_dask_arrays(query: AnnData) -> None:
    da = pytest.importorskip("dask.array")
    sca.tl.evidence(query)
    lazy = query.copy()
    lazy.X = da.from_array(query.X, chunks=(50, -1), asarray=False)
    sca.tl.evidence(lazy)
    pd.testing.assert_frame_equal(sca.get.evidence(lazy), sca.get.evidence(query), rtol=1e-4)


def test_annotating_again_drops_the_evidence(query: AnnData, pair: tuple[AnnData, AnnData]) -> None:
    sca.tl.evidence(query)
    sca.tl.annotate(query, pair[0], "cell_type", **QUICK)
    with pytest.raises(StorageError, match="Run `sca.tl.evidence"):
        sca.get.evidence(query)


# ---- refusals


def test_bad_arguments(query: AnnData) -> None:
    for name in ("n_genes", "max_cells"):
        for value in (0, 1.5, True):
            with pytest.raises(InputError, match=f"{name} must be a whole number"):
                sca.tl.evidence(query, **{name: value})
    with pytest.raises(InputError, match="rng"):
        sca.tl.evidence(query, rng=None)
    with pytest.raises(InputError, match="groupby"):
        sca.tl.evidence(query, groupby="nothing")
    with pytest.raises(InputError, match="fitted model, the path"):
        sca.tl.evidence(query, model=3)
    query.obs["gaps"] = [None, *["a"] * (query.n_obs - 1)]
    with pytest.raises(InputError, match="missing for 1 cell"):
        sca.tl.evidence(query, groupby="gaps")
    with pytest.raises(StorageError, match="no annotation 'other'"):
        sca.tl.evidence(query, "other")
    assert "evidence" not in query.uns["annotation"]
    sca.tl.evidence(query)
    with pytest.raises(InputError, match="no group or type 'B'.*'CD19\\+ B'"):
        sca.get.evidence(query, group="B")


def test_other_models_are_refused(query: AnnData, pair: tuple[AnnData, AnnData], knn: AnnotationModel) -> None:
    with pytest.raises(InputError, match="were labelled by"):
        sca.tl.evidence(query, model=knn)
    other = pair[0][:100].copy()
    sca.tl.annotate(other, knn)
    both = ad.concat({"a": query, "b": other}, index_unique="-", uns_merge="first")
    with pytest.raises(StorageError, match="different models were concatenated"):
        sca.tl.evidence(both)


def test_consensus_is_refused(pair: tuple[AnnData, AnnData]) -> None:
    reference, query = pair
    sca.tl.annotate(query, reference, "cell_type", **(QUICK | {"method": ["nearest_centroid", "naive_bayes"]}))
    with pytest.raises(StorageError, match="is a consensus.*annotation_nearest_centroid"):
        sca.tl.evidence(query)
    sca.tl.evidence(query, "annotation_naive_bayes")


def test_labels_that_were_changed(query: AnnData, caplog: pytest.LogCaptureFixture) -> None:
    names = query.obs["annotation"].cat.categories
    mixed = query.copy()
    mixed.obs["annotation"] = pd.Categorical([names[0]] * query.n_obs, categories=names)
    sca.tl.evidence(mixed)
    assert "have changed since" in caplog.text
    assert mixed.uns["annotation"]["evidence"]["agreement"] < 0.9
    query.obs["annotation"] = query.obs["annotation"].cat.rename_categories({names[0]: "my own name"})
    with pytest.raises(StorageError, match="'my own name', which the model does not know"):
        sca.tl.evidence(query)


def test_a_hook_that_returns_nonsense(knn: AnnotationModel, pair: tuple[AnnData, AnnData]) -> None:
    query = pair[1]
    sca.tl.annotate(query, knn)
    try:
        for value, message in ((np.zeros((1, 1)), "gave the shape"), (None, "gave the shape")):
            knn.annotator.gene_evidence = lambda X, codes, value=value: value
            with pytest.raises(MethodError, match=message):
                sca.tl.evidence(query, model=knn)
        knn.annotator.gene_evidence = lambda X, codes: np.full(X.shape, np.nan, np.float32)
        with pytest.raises(MethodError, match="NaN"):
            sca.tl.evidence(query, model=knn)
    finally:
        del knn.annotator.gene_evidence


def test_large_models_keep_no_coefficients(monkeypatch: pytest.MonkeyPatch, pair: tuple[AnnData, AnnData]) -> None:
    monkeypatch.setattr("sc_annotate.annotation.fitted.MOST_NUMBERS", 100)
    model = sca.tl.fit_annotator(pair[0], "cell_type", **QUICK)
    sca.tl.annotate(pair[1], model)
    assert "coefficients" not in pair[1].uns["annotation"]
    sca.tl.evidence(pair[1], model=model)


def test_representations_have_no_genes(pair: tuple[AnnData, AnnData]) -> None:
    reference, query = pair
    sca.tl.annotate(query, reference, "cell_type", use_rep="X_pca", **QUICK)
    with pytest.raises(StorageError, match="used no genes"):
        sca.tl.evidence(query)


def test_a_view_does_not_write_into_its_parent(query: AnnData) -> None:
    part = query[:100]
    sca.tl.evidence(part)
    assert "evidence" in part.uns["annotation"]
    assert "evidence" not in query.uns["annotation"]


def test_groups_without_end(query: AnnData, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sc_annotate.annotation.evidence.gather.MOST_SUMS", 1000)
    query.obs["cell"] = query.obs_names
    with pytest.raises(InputError, match="fewer values"):
        sca.tl.evidence(query, groupby="cell")
    assert "evidence" not in query.uns["annotation"]


def test_a_group_is_a_name(query: AnnData) -> None:
    sca.tl.evidence(query)
    for group in (5, []):
        with pytest.raises(InputError, match="must be the name of a group"):
            sca.get.evidence(query, group=group)  # type: ignore[arg-type]
