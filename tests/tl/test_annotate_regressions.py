"""Silent mistakes that an attack on the package once found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import sc_annotate as sca
from sc_annotate.errors import MatrixError, ModelFileError, StorageError

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

FAST = {"method": "nearest_centroid", "cv": 0, "trust": None}


def test_named_columns_of_a_representation_are_matched_by_name(pair: tuple[AnnData, AnnData]) -> None:
    reference, query = pair
    for adata in pair:
        adata.obsm["r"] = pd.DataFrame(adata.obsm["X_pca"][:, :5], index=adata.obs_names, columns=list("abcde"))
    sca.tl.annotate(query, reference, "cell_type", use_rep="r", **FAST)
    want = query.obsm["annotation_proba"].copy()
    query.obsm["r"] = query.obsm["r"][list("edcba")]
    sca.tl.annotate(query, reference, "cell_type", use_rep="r", **FAST)
    np.testing.assert_allclose(query.obsm["annotation_proba"], want, atol=1e-5)
    query.obsm["r"] = query.obsm["r"].rename(columns={"a": "z"})
    with pytest.raises(MatrixError, match="Compute both in one space"):
        sca.tl.annotate(query, reference, "cell_type", use_rep="r", **FAST)


def test_values_stored_in_several_entries_are_summed_first(pair: tuple[AnnData, AnnData]) -> None:
    reference, query = pair
    for adata in pair:
        adata.X = sparse.csr_matrix(np.rint(np.expm1(adata.X.toarray()) * 3).astype(np.float32))
    split = query.copy()
    X = query.X
    data = np.column_stack([np.ones_like(X.data), X.data - 1]).ravel()
    split.X = sparse.csr_matrix((data, np.repeat(X.indices, 2), X.indptr * 2), shape=X.shape)
    for adata in (query, split):
        sca.tl.annotate(adata, reference, "cell_type", **FAST)
    np.testing.assert_allclose(split.obsm["annotation_proba"], query.obsm["annotation_proba"], atol=1e-5)


def test_an_interrupted_network_is_no_result(pair: tuple[AnnData, AnnData], monkeypatch: pytest.MonkeyPatch) -> None:
    from sklearn.neural_network import MLPClassifier

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(MLPClassifier, "_backprop", interrupted)
    with pytest.raises(KeyboardInterrupt):
        sca.tl.annotate(pair[1], pair[0], "cell_type", method="mlp", cv=0, trust=None)
    assert "annotation" not in pair[1].obs


def test_one_flipped_bit_in_the_numbers_is_noticed(pair: tuple[AnnData, AnnData], tmp_path: Path) -> None:
    path = sca.tl.fit_annotator(pair[0], "cell_type", **FAST).save(tmp_path / "m.safetensors")
    good = path.read_bytes()
    for offset in (5, 397, 1597, 4001):
        bad = bytearray(good)
        bad[-offset] ^= 0x40
        path.write_bytes(bad)
        with pytest.raises(ModelFileError):
            sca.load(path)


def test_what_others_added_since_is_kept(pair: tuple[AnnData, AnnData]) -> None:
    reference, query = pair
    sca.tl.annotate(query, reference, "cell_type", **FAST)
    query.obs["annotation_set_size"] = "my own notes"
    with pytest.raises(StorageError, match="added to adata since by other code"):
        sca.tl.annotate(query, reference, "cell_type", **FAST)
    assert (query.obs["annotation_set_size"] == "my own notes").all()


def test_own_colours_are_kept(pair: tuple[AnnData, AnnData]) -> None:
    reference, query = pair
    query.uns["annotation_colors"] = ["#123456"] * 10
    for _ in range(2):
        sca.tl.annotate(query, reference, "cell_type", **FAST)
        assert list(query.uns["annotation_colors"]) == ["#123456"] * 10


def test_genes_without_a_name_match_nothing(pair: tuple[AnnData, AnnData]) -> None:
    for adata, i in zip(pair, (9, 3), strict=True):
        names = adata.var_names.to_numpy(dtype=object).copy()
        names[i] = np.nan
        adata.var.index = pd.Index(names)
    sca.tl.annotate(pair[1], pair[0], "cell_type", **FAST)
    assert pair[1].uns["annotation"]["input"]["n_genes_shared"] == 763


def test_types_that_coincide_with_batches_are_reported(pair: tuple[AnnData, AnnData]) -> None:
    reference, query = pair
    reference.obs["b"] = np.where(reference.obs["cell_type"].isin(["Dendritic", "CD19+ B"]), "d1", "d2")
    sca.tl.annotate(query, reference, "cell_type", batch_key="b", method="nearest_centroid")
    notes = " ".join(query.uns["annotation"]["reference"]["notes"])
    assert "types and batches coincide" in notes or "nothing could be learned" in notes


def test_words_for_want_of_a_label_are_reported(pair: tuple[AnnData, AnnData]) -> None:
    reference, query = pair
    labels = reference.obs["cell_type"].astype(str).to_numpy(dtype=object)
    labels[::3] = "Unknown"
    labels[1::9] = [f"{x} " for x in labels[1::9]]
    reference.obs["mine"] = labels
    sca.tl.annotate(query, reference, "mine", min_cells=2, **FAST)
    notes = " ".join(query.uns["annotation"]["reference"]["notes"])
    assert "'Unknown'" in notes
    assert "differ in blanks or case only" in notes


def test_annotating_again_after_concatenation(pair: tuple[AnnData, AnnData]) -> None:
    reference, query = pair
    sca.tl.annotate(query, reference, "cell_type", **FAST)
    whole = ad.concat([query[:50], query[50:]])
    assert "annotation" not in whole.uns
    sca.tl.annotate(whole, reference, "cell_type", **FAST)
    np.testing.assert_allclose(whole.obsm["annotation_proba"], query.obsm["annotation_proba"], atol=1e-6)


@pytest.mark.parametrize("key", ["_index", ".", "..", "a\0b"])
def test_keys_that_files_cannot_hold(pair: tuple[AnnData, AnnData], key: str) -> None:
    with pytest.raises(StorageError, match="that files can hold"):
        sca.tl.annotate(pair[1], pair[0], "cell_type", key_added=key, **FAST)
