"""What annotate writes, what it leaves alone, and what it accepts."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scanpy as sc
from scipy import sparse

import sc_annotate as sca
from comparing import assert_same_results, same, snapshot
from sc_annotate.errors import StorageError

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

FAST = {"method": "nearest_centroid", "cv": 0, "trust": None}


def test_schema(pair: tuple[AnnData, AnnData]) -> None:
    reference, query = pair
    assert sca.tl.annotate(query, reference, "cell_type", method="nearest_centroid") is None
    classes = query.uns["annotation"]["classes"].astype(str)
    proba = query.obsm["annotation_proba"]
    assert isinstance(query.obs["annotation"].dtype, pd.CategoricalDtype)
    assert query.obs["annotation_confidence"].dtype == np.float32
    assert proba.dtype == np.float32
    assert proba.shape == (200, 10)
    np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(query.obs["annotation"].astype(str), classes[proba.argmax(axis=1)])
    np.testing.assert_array_equal(query.obs["annotation_confidence"], proba.max(axis=1))
    assert set(query.uns["annotation"]) == {
        "schema", "method", "model", "params", "classes", "input", "reference", "calibration", "sets", "familiarity",
        "quality", "proba",
        "baseline", "coefficients", "written", "wrote_colors", "groups",
    }  # fmt: skip
    assert query.obs["annotation_set_size"].dtype == np.int32
    assert query.obs["annotation_unfamiliarity"].dtype == np.float32
    assert set(query.obs["annotation_status"].cat.categories) <= {"confident", "ambiguous", "unfamiliar"}
    assert "given" not in set(query.obs["annotation_status"])
    assert query.uns["annotation"]["baseline"]["scores"]["method"].tolist() == [
        "nearest_centroid",
        "majority",
        "logreg",
    ]
    assert query.uns["annotation_colors"] == [
        dict(zip(reference.obs["cell_type"].cat.categories, reference.uns["cell_type_colors"], strict=True))[c]
        for c in query.obs["annotation"].cat.categories
    ]


def test_calls_are_right_more_often_than_chance(pair: tuple[AnnData, AnnData]) -> None:
    reference, query = pair
    sca.tl.annotate(query, reference, "cell_type", cv=0)
    right = (query.obs["annotation"].astype(str) == query.obs["cell_type"].astype(str)).mean()
    assert right > 0.8
    # Calls must follow the cells, not their order.
    shuffled = query[::-1].copy()
    sca.tl.annotate(shuffled, reference, "cell_type", cv=0)
    np.testing.assert_array_equal(shuffled.obs["annotation"].astype(str), query.obs["annotation"].astype(str)[::-1])


@pytest.mark.parametrize("kind", ["csr", "csc", "dense", "view", "counts layer", "raw"])
def test_leaves_everything_else_alone(pair: tuple[AnnData, AnnData], kind: str) -> None:
    reference, query = pair
    kwargs: dict[str, Any] = {}
    if kind == "csc":
        query.X = query.X.tocsc()
    elif kind == "dense":
        query.X = query.X.toarray()
    elif kind == "counts layer":
        query.layers["counts"] = sparse.csr_matrix(np.rint(np.expm1(query.X.toarray())).astype(np.float32))
        kwargs["layer"] = "counts"
    elif kind == "raw":
        query.raw = query.copy()
        query.X = query.X.toarray()
        sc.pp.scale(query)
    if kind == "view":
        # Writing to a view makes it actual; the parent stays as it was.
        parent = query.copy()
        before, parent_before = snapshot(query), snapshot(parent)
        query = parent[:]
        sca.tl.annotate(query, reference, "cell_type", **FAST)
        assert not query.is_view
        assert same(parent_before, snapshot(parent))
        assert "annotation" not in parent.obs
        assert same(before["X"], snapshot(query)["X"])
        return
    before, reference_before = snapshot(query), snapshot(reference)
    sca.tl.annotate(query, reference, "cell_type", **FAST, **kwargs)
    assert same(before, snapshot(query))
    assert same(reference_before, snapshot(reference))
    assert "annotation" in query.obs


def test_all_matrix_kinds_give_one_answer(pair: tuple[AnnData, AnnData]) -> None:
    reference, query = pair
    sca.tl.annotate(query, reference, "cell_type", **FAST)
    want = query.obsm["annotation_proba"]
    variants: dict[str, tuple[AnnData, dict[str, Any]]] = {}
    for name, convert in (
        ("csc", lambda X: X.tocsc()),
        ("dense", lambda X: X.toarray()),
        ("float64", lambda X: X.astype(float)),
    ):
        other = query.copy()
        other.X = convert(query.X)
        variants[name] = other, {}
    permuted = query[:, np.random.default_rng(1).permutation(query.n_vars)].copy()
    variants["genes in another order"] = permuted, {}
    base2 = query.copy()
    base2.X = (query.X / np.float32(np.log(2))).tocsr()
    variants["log2"] = base2, {}
    layered = query.copy()
    layered.layers["log"] = query.X.copy()
    layered.X = np.zeros(query.shape, dtype=np.float32)
    variants["layer"] = layered, {"layer": "log"}
    raw = query.copy()
    raw.raw = query.copy()
    raw = raw[:, :100].copy()
    raw.X = raw.X.toarray()
    sc.pp.scale(raw)
    variants["scaled, raw kept"] = raw, {}
    for name, (other, kwargs) in variants.items():
        sca.tl.annotate(other, reference, "cell_type", **FAST, **kwargs)
        np.testing.assert_allclose(other.obsm["annotation_proba"], want, atol=2e-4, err_msg=name)


def test_counts_equal_scanpys_normalisation() -> None:
    data = sca.datasets.simulate_reference(400, 300, 4, rng=1)
    reference, query = data[:250].copy(), data[250:].copy()
    logged = []
    for part in (reference, query):
        part = part.copy()
        sc.pp.normalize_total(part, target_sum=1e4)
        sc.pp.log1p(part)
        logged.append(part)
    sca.tl.annotate(query, reference, "cell_type", **FAST)
    sca.tl.annotate(logged[1], logged[0], "cell_type", **FAST)
    np.testing.assert_allclose(query.obsm["annotation_proba"], logged[1].obsm["annotation_proba"], atol=1e-4)
    assert query.uns["annotation"]["input"]["values"]["kind"] == "counts"


def test_true_totals_of_a_panel() -> None:
    """With the true totals at hand, a panel of genes is normalised as the whole was."""
    data = sca.datasets.simulate_reference(400, 400, 4, rng=2)
    data.obs["total"] = np.asarray(data.X.sum(axis=1)).ravel()
    panel = data[:, :150].copy()
    reference, query = panel[:250].copy(), panel[250:].copy()
    sca.tl.annotate(query, reference, "cell_type", total_counts_key="total", **FAST)
    whole = data.copy()
    sc.pp.normalize_total(whole, target_sum=1e4)
    sc.pp.log1p(whole)
    log_reference, log_query = whole[:250, :150].copy(), whole[250:, :150].copy()
    sca.tl.annotate(log_query, log_reference, "cell_type", **FAST)
    np.testing.assert_allclose(query.obsm["annotation_proba"], log_query.obsm["annotation_proba"], atol=1e-4)


def test_panel_of_counts_against_a_whole_reference() -> None:
    """A panel's totals are no library sizes, so both sides are normalised over the shared genes."""
    data = sca.datasets.simulate_reference(600, 6000, 4, rng=3, depth=6000)
    reference, query = data[:400].copy(), data[400:, :300].copy()
    sca.tl.annotate(query, reference, "cell_type", **FAST)
    right = (query.obs["annotation"].astype(str) == query.obs["cell_type"].astype(str)).mean()
    want = query.obsm["annotation_proba"].copy()
    assert right > 0.6
    both = data[400:, :300].copy()
    sca.tl.annotate(both, data[:400, :300].copy(), "cell_type", **FAST)
    np.testing.assert_allclose(want, both.obsm["annotation_proba"], atol=1e-4)


@pytest.mark.slow
def test_same_call_twice_is_bit_identical(pair: tuple[AnnData, AnnData]) -> None:
    reference, query = pair
    again = query.copy()
    sca.tl.annotate(query, reference, "cell_type", method="logreg", rng=3)
    sca.tl.annotate(again, reference, "cell_type", method="logreg", rng=3)
    assert_same_results(query, again)
    sca.tl.annotate(again, reference, "cell_type", method="logreg", rng=3)
    assert_same_results(query, again)


def test_no_global_state_is_touched(pair: tuple[AnnData, AnnData]) -> None:
    import warnings

    import matplotlib as mpl

    reference, query = pair
    np.random.seed(7)  # noqa: NPY002
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    filters, handlers = list(warnings.filters), list(logging.getLogger().handlers)
    params = dict(mpl.rcParams)
    sca.tl.annotate(query, reference, "cell_type")
    np.testing.assert_array_equal(state, np.random.get_state()[1])  # noqa: NPY002
    assert filters == list(warnings.filters)
    assert handlers == list(logging.getLogger().handlers)
    assert logging.getLogger("sc_annotate").handlers == []
    assert params == dict(mpl.rcParams)


@pytest.mark.parametrize("format_", ["h5ad", pytest.param("zarr", marks=pytest.mark.slow)])
def test_round_trip(pair: tuple[AnnData, AnnData], tmp_path: Path, format_: str) -> None:
    reference, query = pair
    sca.tl.annotate(query, reference, "cell_type", method="logreg", method_kwargs={"C": 0.5})
    path = tmp_path / f"x.{format_}"
    if format_ == "h5ad":
        query.write_h5ad(path)
        back = ad.read_h5ad(path)
    else:
        query.write_zarr(path)
        back = ad.read_zarr(path)
    assert_same_results(query, back)
    pd.testing.assert_frame_equal(sca.get.probabilities(query), sca.get.probabilities(back))
    # What was read back is still known to be ours, and may be replaced.
    sca.tl.annotate(back, reference, "cell_type", **FAST)
    assert back.uns["annotation"]["method"] == "nearest_centroid"


def test_backed_query(pair: tuple[AnnData, AnnData], tmp_path: Path) -> None:
    reference, query = pair
    want = query.copy()
    sca.tl.annotate(want, reference, "cell_type", **FAST)
    query.write_h5ad(tmp_path / "q.h5ad")
    stamp = (tmp_path / "q.h5ad").stat().st_mtime_ns
    backed = ad.read_h5ad(tmp_path / "q.h5ad", backed="r")
    sca.tl.annotate(backed, reference, "cell_type", **FAST)
    np.testing.assert_allclose(backed.obsm["annotation_proba"], want.obsm["annotation_proba"], atol=1e-6)
    backed.file.close()
    assert (tmp_path / "q.h5ad").stat().st_mtime_ns == stamp
    assert "annotation" not in ad.read_h5ad(tmp_path / "q.h5ad").obs


def test_dask_query(pair: tuple[AnnData, AnnData]) -> None:
    da = pytest.importorskip("dask.array")
    reference, query = pair
    want = query.copy()
    sca.tl.annotate(want, reference, "cell_type", **FAST)
    query.X = da.from_array(query.X.toarray(), chunks=(37, -1))
    sca.tl.annotate(query, reference, "cell_type", **FAST)
    np.testing.assert_allclose(query.obsm["annotation_proba"], want.obsm["annotation_proba"], atol=1e-6)
    assert type(query.X).__module__.startswith("dask")


def test_blocks_do_not_matter(pair: tuple[AnnData, AnnData]) -> None:
    reference, query = pair
    other = query.copy()
    sca.tl.annotate(query, reference, "cell_type", **FAST)
    with sca.settings.override(block_size=7, progress=False):
        sca.tl.annotate(other, reference, "cell_type", **FAST)
    np.testing.assert_allclose(other.obsm["annotation_proba"], query.obsm["annotation_proba"], atol=1e-6)


def test_mudata_modality(pair: tuple[AnnData, AnnData], tmp_path: Path) -> None:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mudata
    reference, query = pair
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mdata = mudata.MuData({"rna": query})
    sca.tl.annotate(mdata["rna"], reference, "cell_type", **FAST)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mdata.write(tmp_path / "x.h5mu")
        back = mudata.read(tmp_path / "x.h5mu")
    assert_same_results(mdata["rna"], back["rna"])


LABELS = {
    "slashes and spaces": ["CD4+/CD25 T Reg", "a b", "x/y/z"],
    "not ASCII": ["Zelle Ä", "細胞", "клетка"],
    "numbers": [1, 2, 3],
    "floats of a column with gaps": [1.0, 2.0, 3.0],
    "booleans and text": [True, "yes", "True story"],
}


@pytest.mark.parametrize("kind", LABELS)
@pytest.mark.parametrize("categorical", [True, False])
def test_labels_of_all_kinds(pair: tuple[AnnData, AnnData], kind: str, categorical: bool, tmp_path: Path) -> None:
    reference, query = pair
    names = LABELS[kind]
    codes = np.where(
        reference.obs["cell_type"] == "Dendritic", 0, np.where(reference.obs["cell_type"] == "CD19+ B", 1, 2)
    )
    labels = pd.Series([names[c] for c in codes], index=reference.obs_names)
    if categorical:
        labels = labels.astype(pd.CategoricalDtype([*names, "unused"] if isinstance(names[0], str) else [*names, 99]))
    labels.iloc[:5] = np.nan
    reference.obs["labels"] = (
        labels.to_numpy(dtype=object) if kind == "booleans and text" and not categorical else labels
    )
    sca.tl.annotate(query, reference, "labels", **FAST)
    want = (
        {"1", "2", "3"}
        if isinstance(names[0], int | float) and not isinstance(names[0], bool)
        else {str(n) for n in names}
    )
    assert set(query.uns["annotation"]["classes"]) == want
    assert query.uns["annotation"]["reference"]["n_cells"] == 495
    query.write_h5ad(tmp_path / "x.h5ad")
    assert_same_results(query, ad.read_h5ad(tmp_path / "x.h5ad"))


def test_labelled_cells_name_the_others(pbmc: AnnData) -> None:
    truth = pbmc.obs["cell_type"].astype(str).to_numpy()
    hidden = np.zeros(700, dtype=bool)
    hidden[np.random.default_rng(0).choice(700, 200, replace=False)] = True
    pbmc.obs.loc[hidden, "cell_type"] = np.nan
    given_before = pbmc.obs["cell_type"].copy()
    sca.tl.annotate(pbmc, labels_key="cell_type", **FAST)
    table = sca.get.annotation(pbmc)
    assert (table["status"][~hidden] == "given").all()
    assert table["status"][hidden].isna().all()
    assert (table["label"].astype(str)[~hidden] == truth[~hidden]).all()
    assert (table["label"].astype(str)[hidden] == truth[hidden]).mean() > 0.75
    assert table["confidence"][~hidden].isna().all()
    assert table["confidence"][hidden].notna().all()
    assert table["model"][~hidden].isna().all()
    assert sca.get.probabilities(pbmc)[~hidden].isna().all(axis=None)
    pd.testing.assert_series_equal(pbmc.obs["cell_type"], given_before)


def test_types_too_small_to_learn_keep_their_given_label(pbmc: AnnData) -> None:
    pbmc.obs["cell_type"] = pbmc.obs["cell_type"].astype(object)
    pbmc.obs.iloc[0, pbmc.obs.columns.get_loc("cell_type")] = "unique"
    pbmc.obs.iloc[1:50, pbmc.obs.columns.get_loc("cell_type")] = np.nan
    sca.tl.annotate(pbmc, labels_key="cell_type", min_cells=2, **FAST)
    assert pbmc.obs["annotation"].iloc[0] == "unique"
    assert "unique" not in pbmc.uns["annotation"]["classes"]


def test_reannotating_drops_stale_columns(pbmc: AnnData, pair: tuple[AnnData, AnnData]) -> None:
    reference, _ = pair
    pbmc.obs.loc[pbmc.obs_names[:100], "cell_type"] = np.nan
    sca.tl.annotate(pbmc, labels_key="cell_type", **FAST)
    assert "annotation_status" in pbmc.obs
    sca.tl.annotate(pbmc, reference, "cell_type", store_proba=False, **FAST)
    assert "annotation_status" not in pbmc.obs
    assert "annotation_proba" not in pbmc.obsm
    with pytest.raises(StorageError, match="store_proba"):
        sca.get.probabilities(pbmc)


def test_two_keys_live_side_by_side(pair: tuple[AnnData, AnnData]) -> None:
    reference, query = pair
    sca.tl.annotate(query, reference, "cell_type", **FAST)
    first = sca.get.annotation(query)
    sca.tl.annotate(query, reference, "louvain", key_added="cluster", **FAST)
    pd.testing.assert_frame_equal(first, sca.get.annotation(query))
    assert set(query.uns["cluster"]["classes"]) == set(reference.obs["louvain"].astype(str))


def test_representation_by_name(pair: tuple[AnnData, AnnData]) -> None:
    reference, query = pair
    query.obsm["pca"] = query.obsm.pop("X_pca")
    sca.tl.annotate(query, reference, "cell_type", use_rep="X_pca", **FAST)
    by_prefix = query.obsm["annotation_proba"].copy()
    sca.tl.annotate(query, reference, "cell_type", use_rep="pca", **FAST)
    np.testing.assert_allclose(by_prefix, query.obsm["annotation_proba"], atol=1e-6)
    assert query.uns["annotation"]["input"]["values"]["kind"] == "embedding"
    assert (query.obs["annotation"].astype(str) == query.obs["cell_type"].astype(str)).mean() > 0.6


def test_genes_by_another_column(pair: tuple[AnnData, AnnData]) -> None:
    reference, query = pair
    want = query.copy()
    sca.tl.annotate(want, reference, "cell_type", **FAST)
    query.var["feature_name"] = query.var_names.to_numpy()
    query.var["odd_column"] = query.var_names.to_numpy()
    query.var_names = [f"ENSG{i:011d}.{i % 7}" for i in range(query.n_vars)]
    sca.tl.annotate(query, reference, "cell_type", **FAST)
    np.testing.assert_allclose(query.obsm["annotation_proba"], want.obsm["annotation_proba"], atol=1e-6)
    assert "feature_name" in query.uns["annotation"]["input"]["matched_by"]
    del query.var["feature_name"]
    sca.tl.annotate(query, reference, "cell_type", gene_symbols="odd_column", **FAST)
    np.testing.assert_allclose(query.obsm["annotation_proba"], want.obsm["annotation_proba"], atol=1e-6)


@pytest.mark.filterwarnings("ignore:Observation names are not unique:UserWarning")
def test_hygiene_is_reported(pair: tuple[AnnData, AnnData], caplog: pytest.LogCaptureFixture) -> None:
    reference, query = pair
    both = ad.concat([query, reference[:20]])
    sca.tl.annotate(both, reference, "cell_type", **FAST)
    problems = " ".join(both.uns["annotation"]["input"]["problems"])
    assert "20 cells of adata are also in the reference" in problems
    assert "20 cells" in caplog.text
    # Names that repeat, as concatenation leaves them, are no obstacle.
    twice = ad.concat([query[:30], query[:30], reference[:20]])
    sca.tl.annotate(twice, ad.concat([reference, reference[:9]]), "cell_type", **FAST)
    assert "20 cells of adata are also in the reference" in twice.uns["annotation"]["input"]["problems"][0]
    # The same barcodes with other values are other cells.
    query.obs_names = reference.obs_names[:200]
    sca.tl.annotate(query, reference, "cell_type", **FAST)
    assert len(query.uns["annotation"]["input"]["problems"]) == 0
    assert any("fewer than 10" in note for note in query.uns["annotation"]["reference"]["notes"])


def test_cells_without_values_are_reported(pair: tuple[AnnData, AnnData]) -> None:
    reference, query = pair
    X = query.X.tolil()
    X[:3] = 0
    query.X = X.tocsr()
    sca.tl.annotate(query, reference, "cell_type", **FAST)
    assert query.uns["annotation"]["input"]["n_cells_without_values"] == 3
    assert "3 cells have no value" in query.uns["annotation"]["input"]["problems"][0]
    assert np.isfinite(query.obsm["annotation_proba"]).all()


@pytest.mark.slow
def test_missing_genes_speak_for_no_type(pair: tuple[AnnData, AnnData], tmp_path: Path) -> None:
    reference, query = pair
    # Calibration for a query that lacks genes is another one.
    model = sca.tl.fit_annotator(reference, "cell_type", method="logreg", cv=0, trust=None)
    less = query[:, 300:].copy()
    sca.tl.annotate(less, model)
    filled = query.copy()
    X = filled.X.toarray()
    X[:, :300] = np.asarray(reference.X[:, :300].mean(axis=0))
    filled.X = X
    sca.tl.annotate(filled, model, values="log1p")
    np.testing.assert_allclose(less.obsm["annotation_proba"], filled.obsm["annotation_proba"], atol=1e-4)
    assert less.uns["annotation"]["input"]["n_genes_shared"] == 465


def test_fitted_model_and_path_and_anndata_agree(pair: tuple[AnnData, AnnData], tmp_path: Path) -> None:
    reference, query = pair
    sca.tl.annotate(query, reference, "cell_type", **FAST)
    model = sca.tl.fit_annotator(reference, "cell_type", **FAST)
    path = model.save(tmp_path / "m.safetensors")
    for source in (model, path, str(path)):
        other = query.copy()
        sca.tl.annotate(other, source, key_added="other")
        np.testing.assert_allclose(other.obsm["other_proba"], query.obsm["annotation_proba"], atol=1e-6)
        assert other.uns["other"]["model"] == query.uns["annotation"]["model"] == model.id
