"""Cells of low quality through annotate: where counts are, what is stored, what is left alone."""

from __future__ import annotations

from typing import Any

import anndata as ad
import numpy as np
import pytest
import scanpy as sc
from scipy import sparse

import sc_annotate as sca
from sc_annotate.errors import InputError, MatrixError

QUICK = {"method": "nearest_centroid", "cv": 0}
KEY = "annotation_low_quality"


@pytest.fixture(scope="module")
def cells() -> ad.AnnData:
    """A reference of single cells, and a query with 20 doublets, 10 cells of few molecules, and soup."""
    adata = sca.datasets.simulate_reference(1500, 400, 5, doublets=0.15, rng=0)
    double = adata.obs["is_doublet"].to_numpy()
    adata.obs["kind"] = np.where(double, "doublet", "single")
    reference = adata[~double][:600].copy()
    singles, doubles = adata[~double][600:1000].copy(), adata[double][:20].copy()
    few = singles[:10].copy()
    few.X = sparse.csr_matrix(np.random.default_rng(0).binomial(few.X.toarray().astype(int), 0.02).astype(np.float32))
    few.obs["kind"] = "empty"
    query = ad.concat([singles, doubles, few], index_unique="-")
    query.uns["reference"] = reference
    return query


@pytest.fixture
def pair(cells: ad.AnnData) -> tuple[ad.AnnData, ad.AnnData]:
    query = cells.copy()
    return query.uns.pop("reference"), query


def logged(adata: ad.AnnData, *, keep: bool) -> ad.AnnData:
    out = adata.copy()
    if keep:
        out.layers["counts"] = out.X.copy()
    sc.pp.normalize_total(out, target_sum=1e4)
    sc.pp.log1p(out)
    return out


def test_empty_cells_and_doublets_are_of_low_quality(pair: tuple[ad.AnnData, ad.AnnData]) -> None:
    reference, query = pair
    sca.tl.annotate(query, reference, "cell_type", **QUICK)
    reason, kind = query.obs[KEY].astype(object), query.obs["kind"].to_numpy()
    assert (reason[kind == "empty"] == "empty").all()
    assert (reason[kind == "doublet"] == "doublet").mean() > 0.4
    assert reason[kind == "single"].notna().mean() < 0.05
    low = (query.obs["annotation_status"] == "low_quality").to_numpy()
    np.testing.assert_array_equal(low, reason.notna())
    told = query.uns["annotation"]["quality"]
    assert told["counts"] == "X"
    for name in ("empty", "doublet", "ambient"):
        assert told[f"n_{name}"] >= (reason == name).sum()
    assert 0 < told["doublets_found"] <= 1


@pytest.mark.slow
def test_counts_may_lie_in_a_layer(pair: tuple[ad.AnnData, ad.AnnData]) -> None:
    reference, query = pair
    sca.tl.annotate(query, reference, "cell_type", **QUICK)
    with_layers = logged(query, keep=True)
    del with_layers.uns["annotation"]
    with_layers.obs = with_layers.obs[["kind"]]
    del with_layers.obsm["annotation_proba"]
    sca.tl.annotate(with_layers, logged(reference, keep=True), "cell_type", **QUICK)
    assert with_layers.uns["annotation"]["quality"]["counts"] == "layers['counts']"
    assert (with_layers.obs[KEY].astype(object).fillna("") == query.obs[KEY].astype(object).fillna("")).all()


def test_a_reference_without_counts_knows_no_doublets(pair: tuple[ad.AnnData, ad.AnnData]) -> None:
    reference, query = pair
    sca.tl.annotate(query, logged(reference, keep=False), "cell_type", **QUICK)
    assert list(query.obs[KEY].cat.categories) == ["empty"]
    assert "n_doublet" not in query.uns["annotation"]["quality"]


@pytest.mark.slow
def test_off_where_counts_are_missing(pair: tuple[ad.AnnData, ad.AnnData]) -> None:
    reference, query = pair
    bare = logged(query, keep=False)
    sca.tl.annotate(bare, reference, "cell_type", **QUICK)
    assert KEY not in bare.obs
    assert bare.uns["annotation"]["quality"] == {}
    other = logged(query, keep=False)
    with pytest.raises(MatrixError, match=r"layers\['counts'\]"):
        sca.tl.annotate(other, reference, "cell_type", trust=sca.trust.Options(check_quality=True), **QUICK)
    assert "annotation" not in other.obs


def test_switched_off_and_misused(pair: tuple[ad.AnnData, ad.AnnData]) -> None:
    reference, query = pair
    sca.tl.annotate(query, reference, "cell_type", trust=sca.trust.Options(check_quality=False), **QUICK)
    assert KEY not in query.obs
    assert (query.obs["annotation_status"] != "low_quality").all()
    with pytest.raises(InputError, match="check_quality"):
        sca.tl.annotate(query, reference, "cell_type", trust=sca.trust.Options(check_quality="yes"), **QUICK)
    with pytest.raises(InputError, match="calibration"):
        sca.tl.annotate(
            query, reference, "cell_type", trust=sca.trust.Options(check_quality=True, calibration=None), **QUICK
        )


@pytest.mark.slow
def test_an_earlier_reason_goes_with_its_result(pair: tuple[ad.AnnData, ad.AnnData]) -> None:
    reference, query = pair
    sca.tl.annotate(query, reference, "cell_type", **QUICK)
    assert KEY in query.obs
    sca.tl.annotate(query, reference, "cell_type", trust=sca.trust.Options(check_quality=False), **QUICK)
    assert KEY not in query.obs


@pytest.mark.slow
def test_profiles_are_kept_with_the_model(pair: tuple[ad.AnnData, ad.AnnData], tmp_path: Any) -> None:
    reference, query = pair
    model = sca.tl.fit_annotator(reference, "cell_type", **QUICK)
    again = sca.load(model.save(tmp_path / "model.safetensors"))
    assert again.id == model.id
    other = query.copy()
    sca.tl.annotate(query, model)
    sca.tl.annotate(other, again)
    assert query.obs[KEY].astype(object).fillna("").tolist() == other.obs[KEY].astype(object).fillna("").tolist()
    query.write_h5ad(tmp_path / "query.h5ad")
    back = ad.read_h5ad(tmp_path / "query.h5ad")
    assert back.obs[KEY].astype(object).fillna("").tolist() == query.obs[KEY].astype(object).fillna("").tolist()
    assert back.uns["annotation"]["quality"]["n_doublet"] == query.uns["annotation"]["quality"]["n_doublet"]


def test_given_cells_have_no_reason(pair: tuple[ad.AnnData, ad.AnnData]) -> None:
    query = pair[1]
    query.obs["cell_type"] = query.obs["cell_type"].astype(object)
    query.obs.loc[query.obs_names[-60:], "cell_type"] = np.nan
    query.X = query.X.toarray()
    query.X[:5] = 0
    sca.tl.annotate(query, labels_key="cell_type", **QUICK)
    given = (query.obs["annotation_status"] == "given").to_numpy()
    assert query.obs[KEY][given].isna().all()
    assert (query.obs[KEY][~given] == "empty").any()


def test_other_data_than_the_reference_has_no_doublets(pair: tuple[ad.AnnData, ad.AnnData], caplog: Any) -> None:
    """Where a third of the cells lie between types, as after a treatment, nothing is called a doublet."""
    reference, query = pair
    other = np.random.default_rng(0).permutation(400)
    mixed = query[:400].copy()
    mixed.X = mixed.X + mixed.X[other]
    sca.tl.annotate(mixed, reference, "cell_type", **QUICK)
    assert (mixed.obs[KEY].astype(object) != "doublet").all()
    assert any("two types at once" in text for text in mixed.uns["annotation"]["input"]["problems"])


def test_blocks_and_all_at_once_agree(pair: tuple[ad.AnnData, ad.AnnData]) -> None:
    reference, query = pair
    model = sca.tl.fit_annotator(reference, "cell_type", **QUICK)
    other = query.copy()
    sca.tl.annotate(query, model)
    with sca.settings.override(block_size=37):
        sca.tl.annotate(other, model)
    assert query.obs[KEY].astype(object).fillna("").tolist() == other.obs[KEY].astype(object).fillna("").tolist()


@pytest.mark.parametrize("layer", ["nan in one cell", "negative late", "objects", "text", "logarithms"])
def test_a_layer_that_is_no_counts_stops_nobody(pair: tuple[ad.AnnData, ad.AnnData], layer: str) -> None:
    reference, query = pair
    query = logged(query, keep=True)
    counts = query.layers["counts"].toarray()
    if layer == "nan in one cell":
        counts[417, 3] = np.nan
    elif layer == "negative late":
        counts[417, 3] = -1
    elif layer == "objects":
        counts = counts.astype(object)
    elif layer == "text":
        counts = counts.astype(str)
    else:
        counts = np.log1p(counts)
    query.layers["counts"] = counts
    model = sca.tl.fit_annotator(reference, "cell_type", **QUICK)
    sca.tl.annotate(query, model)
    assert KEY not in query.obs
    del query.uns["annotation"]
    query.obs = query.obs[["kind"]]
    del query.obsm["annotation_proba"]
    with pytest.raises(MatrixError, match="counts"):
        sca.tl.annotate(query, model, trust=sca.trust.Options(check_quality=True))
    assert "annotation" not in query.obs


@pytest.mark.parametrize("value", [np.False_, np.True_])
def test_numpy_says_yes_and_no_too(pair: tuple[ad.AnnData, ad.AnnData], value: Any) -> None:
    reference, query = pair
    sca.tl.annotate(query, reference, "cell_type", trust=sca.trust.Options(check_quality=value), **QUICK)
    assert (KEY in query.obs) == bool(value)
    for odd in (0, np.array([True, False])):
        with pytest.raises(InputError, match="check_quality"):
            sca.tl.annotate(query, reference, "cell_type", trust=sca.trust.Options(check_quality=odd), **QUICK)
