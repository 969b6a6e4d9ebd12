"""Odd but legitimate input works, and gives the answer of the plain form of the same data."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import sc_annotate as sca
from comparing import assert_same_results, same, snapshot

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from anndata import AnnData

FAST: dict[str, Any] = {"method": "nearest_centroid", "cv": 0, "trust": None}


def _explicit_zeros(X: Any) -> sparse.csr_matrix:
    n, m = X.shape
    return sparse.csr_matrix((X.toarray().ravel(), np.tile(np.arange(m), n), np.arange(0, n * m + 1, m)), shape=(n, m))


def _unsorted(X: Any) -> sparse.csr_matrix:
    order = np.concatenate(
        [np.arange(stop - 1, start - 1, -1) for start, stop in zip(X.indptr[:-1], X.indptr[1:], strict=True)]
    )
    return sparse.csr_matrix((X.data[order], X.indices[order], X.indptr), shape=X.shape)


def _read_only(X: Any) -> sparse.csr_matrix:
    X = X.copy()
    for part in (X.data, X.indices, X.indptr):
        part.flags.writeable = False
    return X


FORMATS: dict[str, Callable[[Any], Any]] = {
    "csr_array": sparse.csr_array,
    "csc_array": sparse.csc_array,
    "64-bit indices": lambda X: sparse.csr_matrix((X.data, X.indices.astype("i8"), X.indptr.astype("i8")), X.shape),
    "explicit zeros": _explicit_zeros,
    "unsorted indices": _unsorted,
    "negative zeros": lambda X: np.where(X.toarray() == 0, np.float32(-0.0), X.toarray()),
    "read-only": _read_only,
}


@pytest.mark.parametrize("kind", FORMATS)
def test_format_of_either_side_does_not_matter(pair: tuple[AnnData, AnnData], kind: str) -> None:
    reference, query = pair
    plain = query.copy()
    sca.tl.annotate(plain, reference, "cell_type", **FAST)
    query.X, reference.X = FORMATS[kind](query.X.tocsr()), FORMATS[kind](reference.X.tocsr())
    sca.tl.annotate(query, reference, "cell_type", **FAST)
    np.testing.assert_allclose(query.obsm["annotation_proba"], plain.obsm["annotation_proba"], atol=1e-5)


@pytest.mark.parametrize("dtype", ["uint8", "bool"])
def test_type_of_counts_does_not_matter(pair: tuple[AnnData, AnnData], dtype: str) -> None:
    for one in pair:
        molecules = np.clip(np.rint(np.expm1(one.X.toarray())), 0, 1 if dtype == "bool" else 200)
        one.X = sparse.csr_matrix(molecules.astype(np.float32))
    reference, query = pair
    plain = query.copy()
    sca.tl.annotate(plain, reference, "cell_type", **FAST)
    query.X, reference.X = query.X.astype(dtype), reference.X.astype(dtype)
    sca.tl.annotate(query, reference, "cell_type", **FAST)
    np.testing.assert_allclose(query.obsm["annotation_proba"], plain.obsm["annotation_proba"], atol=1e-6)


def test_backed_csc_file_is_read_and_left_alone(pair: tuple[AnnData, AnnData], tmp_path: Path) -> None:
    reference, query = pair
    plain = query.copy()
    sca.tl.annotate(plain, reference, "cell_type", **FAST)
    query.X = query.X.tocsc()
    query.write_h5ad(tmp_path / "x.h5ad")
    before = (tmp_path / "x.h5ad").read_bytes()
    backed = ad.read_h5ad(tmp_path / "x.h5ad", backed="r")
    sca.tl.annotate(backed, reference, "cell_type", **FAST)
    backed.file.close()
    np.testing.assert_allclose(backed.obsm["annotation_proba"], plain.obsm["annotation_proba"], atol=1e-6)
    assert (tmp_path / "x.h5ad").read_bytes() == before


def test_dask_of_sparse_chunks(pair: tuple[AnnData, AnnData]) -> None:
    da = pytest.importorskip("dask.array")
    reference, query = pair
    plain = query.copy()
    sca.tl.annotate(plain, reference, "cell_type", **FAST)
    for one in (query, reference):
        one.X = da.from_array(one.X.toarray(), chunks=(70, -1)).map_blocks(sparse.csr_matrix)
    sca.tl.annotate(query, reference, "cell_type", **FAST)
    np.testing.assert_allclose(query.obsm["annotation_proba"], plain.obsm["annotation_proba"], atol=1e-6)


def test_one_cell_is_named_as_among_others(pair: tuple[AnnData, AnnData]) -> None:
    reference, query = pair
    sca.tl.annotate(query, reference, "cell_type", **FAST)
    alone = query[17].copy()
    sca.tl.annotate(alone, reference, "cell_type", **FAST)
    np.testing.assert_allclose(alone.obsm["annotation_proba"][0], query.obsm["annotation_proba"][17], atol=1e-6)


def test_view_of_a_view_leaves_its_parent_alone(pbmc: AnnData) -> None:
    before = snapshot(pbmc)
    view = pbmc[500:][::-1]
    sca.tl.annotate(view, pbmc[:500], "cell_type", **FAST)
    assert same(before, snapshot(pbmc))
    assert "annotation" not in pbmc.obs
    plain = pbmc[500:][::-1].copy()
    sca.tl.annotate(plain, pbmc[:500].copy(), "cell_type", **FAST)
    assert_same_results(view, plain)


@pytest.mark.filterwarnings("ignore:Observation names are not unique:UserWarning")
def test_cell_names_may_repeat(pair: tuple[AnnData, AnnData]) -> None:
    reference, query = pair
    sca.tl.annotate(query, reference, "cell_type", **FAST)
    want = query.obsm["annotation_proba"].copy()
    query.obs_names, reference.obs_names = ["cell"] * query.n_obs, ["cell"] * reference.n_obs
    sca.tl.annotate(query, reference, "cell_type", **FAST)
    np.testing.assert_allclose(query.obsm["annotation_proba"], want, atol=1e-6)


def test_columns_of_obs_need_not_be_strings(pair: tuple[AnnData, AnnData]) -> None:
    reference, query = pair
    query.obs[0], query.obs[("a", 1)] = 1.0, 2.0
    before = query.obs.copy()
    sca.tl.annotate(query, reference, "cell_type", **FAST)
    pd.testing.assert_frame_equal(query.obs[list(before)], before)


LABELS: dict[str, Callable[[pd.Series], Any]] = {
    "nullable strings": lambda s: s.astype(str).astype("string"),
    "nullable booleans": lambda s: pd.array([True, False, None, True] * 125, dtype="boolean"),
    "nullable integers": lambda s: pd.array([1, 2, None, 3] * 125, dtype="Int64"),
    "ordered": lambda s: s.cat.reorder_categories(list(s.cat.categories)[::-1], ordered=True),
    "new lines": lambda s: s.astype(str) + "\nx",
    "200 types": lambda s: [f"t{i % 200}" for i in range(500)],
}


@pytest.mark.parametrize("kind", LABELS)
def test_labels_survive(pair: tuple[AnnData, AnnData], kind: str, tmp_path: Path) -> None:
    reference, query = pair
    reference.obs["labels"] = LABELS[kind](reference.obs["cell_type"])
    known = {str(one) for one in reference.obs["labels"].dropna().astype(object)}
    sca.tl.annotate(query, reference, "labels", **FAST)
    table = sca.get.probabilities(query)
    assert list(table) == sorted(table)
    assert set(table) == known
    np.testing.assert_array_equal(
        table.columns[table.to_numpy().argmax(axis=1)].astype(str), query.obs["annotation"].astype(str)
    )
    query.write_h5ad(tmp_path / "x.h5ad")
    assert_same_results(query, ad.read_h5ad(tmp_path / "x.h5ad"))


@pytest.mark.parametrize("key", ["a b.é细胞", "log1p"])
def test_odd_keys_survive(pair: tuple[AnnData, AnnData], key: str, tmp_path: Path) -> None:
    reference, query = pair
    sca.tl.annotate(query, reference, "cell_type", key_added=key, **FAST)
    query.write_h5ad(tmp_path / "x.h5ad")
    back = ad.read_h5ad(tmp_path / "x.h5ad")
    assert_same_results(query, back, key)
    sca.tl.annotate(back, reference, "cell_type", key_added=key, **FAST)


@pytest.mark.parametrize("recorded", [{"base": None}, "ln", {"base": 2}, {"base": "e"}])
def test_what_uns_says_of_logarithms_does_not_overrule_the_values(
    pair: tuple[AnnData, AnnData], recorded: object
) -> None:
    reference, query = pair
    plain = query.copy()
    sca.tl.annotate(plain, reference, "cell_type", **FAST)
    query.uns["log1p"] = recorded
    sca.tl.annotate(query, reference, "cell_type", **FAST)
    np.testing.assert_allclose(query.obsm["annotation_proba"], plain.obsm["annotation_proba"], atol=1e-6)


def test_genes_without_a_symbol_or_with_anothers_are_left_out(pair: tuple[AnnData, AnnData]) -> None:
    reference, query = pair
    symbols = np.array(query.var_names, dtype=object)
    symbols[:100] = np.nan
    symbols[100] = symbols[101]
    query.var["symbol of mine"] = symbols
    query.var_names = [f"ENSG{i:011d}" for i in range(query.n_vars)]
    sca.tl.annotate(query, reference, "cell_type", gene_symbols="symbol of mine", **FAST)
    assert query.uns["annotation"]["input"]["n_genes_shared"] <= query.n_vars - 102


def test_model_file_may_be_renamed_or_linked(pair: tuple[AnnData, AnnData], tmp_path: Path) -> None:
    reference, query = pair
    model = sca.tl.fit_annotator(reference, "cell_type", **FAST)
    path = model.save(tmp_path / "m.safetensors")
    try:
        (tmp_path / "link").symlink_to(path)
    except OSError:
        pytest.skip("no symbolic links here")
    assert sca.load(tmp_path / "link").id == model.id
    assert sca.load(path.rename(tmp_path / "other.name")).id == model.id


def test_concurrent_saves_leave_one_whole_file(pair: tuple[AnnData, AnnData], tmp_path: Path) -> None:
    model = sca.tl.fit_annotator(pair[0], "cell_type", **FAST)
    failed: list[BaseException] = []

    def save() -> None:
        try:
            for _ in range(5):
                model.save(tmp_path / "m.safetensors", overwrite=True)
        except BaseException as error:  # noqa: BLE001 - whatever a thread raises is the failure
            failed.append(error)

    threads = [threading.Thread(target=save) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert failed == []
    assert [p.name for p in tmp_path.iterdir()] == ["m.safetensors"]
    assert sca.load(tmp_path / "m.safetensors").id == model.id


@pytest.mark.parametrize("step", ["each_block", "learn"])
def test_interrupt_leaves_the_object_alone(
    pair: tuple[AnnData, AnnData], step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    reference, query = pair
    before, columns, uns = snapshot(query), list(query.obs), list(query.uns)

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    place = {
        "each_block": "sc_annotate.annotation.block.each_block",
        "learn": "sc_annotate.annotation.fitting.learn",
    }[step]
    monkeypatch.setattr(place, interrupted)
    with pytest.raises(KeyboardInterrupt):
        sca.tl.annotate(query, reference, "cell_type", **FAST)
    assert same(before, snapshot(query))
    assert (list(query.obs), list(query.uns)) == (columns, uns)
