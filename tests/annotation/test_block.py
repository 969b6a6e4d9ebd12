"""The largest probabilities only: sparse, and refused where all are needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anndata as ad
import numpy as np
import pytest
from scipy import sparse

import sc_annotate as sca
from sc_annotate.annotation.block import largest
from sc_annotate.errors import InputError, StorageError

if TYPE_CHECKING:
    from pathlib import Path

QUICK = {"method": "naive_bayes", "cv": 0}


@pytest.fixture(scope="module")
def many() -> tuple[ad.AnnData, ad.AnnData, ad.AnnData]:
    """A reference of 16 types, a query, and the query annotated with all probabilities."""
    adata = sca.datasets.simulate_reference(900, 200, 16, rng=0)
    reference, query = adata[:700].copy(), adata[700:].copy()
    whole = query.copy()
    sca.tl.annotate(whole, reference, "cell_type", **QUICK)
    return reference, query, whole


def test_largest_by_sorting() -> None:
    proba = np.random.default_rng(0).dirichlet(np.ones(7), 30).astype(np.float32)
    found = largest(proba, 3)
    want = np.where(proba >= np.sort(proba, axis=1)[:, [-3]], proba, 0)
    np.testing.assert_array_equal(found.toarray(), want)
    np.testing.assert_array_equal(largest(proba, 9).toarray(), proba)


@pytest.mark.slow
def test_the_same_calls_and_ten_probabilities(many: tuple[ad.AnnData, ...], tmp_path: Path) -> None:
    reference, query, whole = many
    query = query.copy()
    sca.tl.annotate(query, reference, "cell_type", store_proba="topk", **QUICK)
    for column in ("", "_confidence", "_status", "_set_size", "_unfamiliarity"):
        assert query.obs[f"annotation{column}"].equals(whole.obs[f"annotation{column}"])
    kept = query.obsm["annotation_proba"]
    assert sparse.issparse(kept)
    assert (np.diff(kept.indptr) == 10).all()
    query.write_h5ad(tmp_path / "query.h5ad")
    for adata in (query, ad.read_h5ad(tmp_path / "query.h5ad")):
        assert adata.uns["annotation"]["proba"] == "topk"
        found, all_of_them = sca.get.probabilities(adata), sca.get.probabilities(whole)
        stored = found.to_numpy() > 0
        np.testing.assert_array_equal(found.to_numpy()[stored], all_of_them.to_numpy()[stored])
        np.testing.assert_array_equal(sca.get.sets(adata), sca.get.sets(whole))


@pytest.mark.slow
def test_refused_where_all_are_needed(many: tuple[ad.AnnData, ...]) -> None:
    reference, query, _ = many
    query = query.copy()
    sca.tl.annotate(query, reference, "cell_type", store_proba="topk", coverage=0.9999, **QUICK)
    query.obs["annotation_set_size"] = np.full(200, 11, np.int32)
    with pytest.raises(StorageError, match="topk"):
        sca.get.sets(query)
    sca.tl.annotate(query, reference, "cell_type", key_added="other", **QUICK)
    with pytest.raises(StorageError, match="topk"):
        sca.tl.consensus(query, ["annotation", "other"])
    for odd in ("top", 0, None, 10):
        with pytest.raises(InputError, match="store_proba"):
            sca.tl.annotate(query, reference, "cell_type", store_proba=odd, **QUICK)


@pytest.mark.slow
def test_given_cells_have_none_and_several_methods_keep_ten(many: tuple[ad.AnnData, ...]) -> None:
    reference, query, _ = many
    both = ad.concat([reference, query], index_unique="-")
    both.obs["some"] = both.obs["cell_type"].astype(object).where(np.arange(900) < 700)
    sca.tl.annotate(both, labels_key="some", store_proba="topk", **QUICK)
    found = sca.get.probabilities(both)
    assert found[:700].isna().all(axis=None)
    assert found[700:].notna().all(axis=None)
    query = query.copy()
    sca.tl.annotate(query, reference, "cell_type", method=["naive_bayes", "nearest_centroid"], store_proba="topk", cv=0)
    for key in ("annotation", "annotation_naive_bayes"):
        assert (np.diff(query.obsm[f"{key}_proba"].indptr) == 10).all()
        assert query.uns[key]["proba"] == "topk"
    sca.tl.annotate(query, reference, "cell_type", store_proba=False, **QUICK)
    assert "annotation_proba" not in query.obsm
    assert query.uns["annotation"]["proba"] == "none"
