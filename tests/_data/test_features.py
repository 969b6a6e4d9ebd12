"""Antibodies, peaks, guides and hashtags that stand beside genes: what is left out, by which words, from any matrix."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from matrices import format_of
from sc_annotate._core.arrays import SomeColumns
from sc_annotate._data import read
from sc_annotate._data.features import features
from sc_annotate._data.matrix import FEATURE_COLUMNS, MatrixRequest, find
from sc_annotate._data.stream import each_block
from sc_annotate.errors import MatrixError

if TYPE_CHECKING:
    from collections.abc import Callable

GENE, OTHER = "Gene Expression", "Antibody Capture"


def _of(values: list[Any], column: str = "feature_types") -> Any:
    var = pd.DataFrame({column: values}, index=[f"g{i}" for i in range(len(values))])
    return features(var, FEATURE_COLUMNS, what="adata")


@pytest.mark.parametrize(
    ("values", "kept"),
    [
        ([GENE, OTHER, GENE], [0, 2]),
        ([OTHER, GENE, GENE], [1, 2]),
        (["GEX", "ADT", "HTO"], [0]),
        (["rna", "rna", "prot"], [0, 1]),
        (["Gene Expression", "Peaks", "CRISPR Guide Capture", "Multiplexing Capture", "Custom"], [0]),
        (["gene_expression", "Something new", "gene-expression"], [0, 2]),
        ([GENE, np.nan, OTHER], [0, 1]),
        ([np.nan, None, OTHER], [0, 1]),
        (["what we measured", OTHER, "what we measured"], [0, 2]),
        (pd.Categorical([GENE, OTHER, GENE], categories=[OTHER, "Peaks", GENE]), [0, 2]),
    ],
)
def test_what_is_kept(values: Any, kept: list[int]):
    found = _of(values)
    assert np.arange(len(values))[found.columns].tolist() == kept
    assert found.n_used == len(kept)
    assert sum(found.left_out.values()) == len(values) - len(kept)
    assert isinstance(found.columns, slice) == (np.ptp(kept) == len(kept) - 1)


@pytest.mark.parametrize(
    "values", [[GENE] * 3, ["protein_coding", "lncRNA", "IG_V_gene"], [np.nan] * 3, [GENE, np.nan, GENE], [1, 2, 3]]
)
def test_columns_that_leave_nothing_out(values: Any):
    """Biotypes of genes among them, which CELLxGENE keeps in a column of the same name."""
    assert _of(values, "feature_type") is None


def test_several_columns():
    var = pd.DataFrame({"feature_type": ["lncRNA", "protein_coding"], "modality": [GENE, "Peaks"]}, index=["a", "b"])
    assert features(var, FEATURE_COLUMNS, what="adata").column == "modality"
    assert features(var, ["feature_type"], what="adata") is None


def test_words():
    found = _of([GENE, OTHER, OTHER, "Peaks", GENE])
    assert str(found) == (
        "adata.var['feature_types'] distinguishes features: 2 of gene expression are used, and left out are "
        "Antibody Capture (2), Peaks (1)"
    )
    assert found.to_uns() == {
        "column": "feature_types",
        "used": [GENE],
        "n_used": 2,
        "left_out": [OTHER, "Peaks"],
        "n_left_out": [2, 1],
    }


def test_no_gene_expression():
    with pytest.raises(MatrixError, match=r"q\.var\['feature_types'\] names no gene .*Antibody Capture \(2\), Peaks"):
        features(pd.DataFrame({"feature_types": [OTHER, OTHER, "Peaks"]}), FEATURE_COLUMNS, what="q")


@pytest.mark.parametrize("types", [[GENE] * 8 + [OTHER] * 4, [OTHER] * 4 + [GENE] * 8, [GENE, GENE, OTHER] * 4])
def test_every_kind_of_matrix(
    kind: Any, types: list[str], make_counts: Callable[..., np.ndarray], build: Callable[..., ad.AnnData]
):
    D = make_counts(40, 12)
    D[:, np.array(types) == OTHER] = 5000
    adata = build(kind, D)
    # Adding to a view makes it an object of its own.
    source = adata._adata_ref if adata.is_view else adata
    source.var["feature_types"] = types
    adata = source[::2] if adata.is_view else adata
    genes = np.array(types) == GENE
    found, scale = read.open_on_common_scale(adata, MatrixRequest())
    assert found.source.X.shape == (40, 8)
    assert (found.source.n_cells, found.source.n_columns, found.values.n_genes) == (40, 8, 8)
    assert found.values.maximum == D[:, genes].max()
    assert found.values.format == format_of(kind)
    assert found.source.names.tolist() == adata.var_names[genes].tolist()
    assert found.source.var.index.tolist() == adata.var_names[genes].tolist()
    totals = D[:, genes].sum(axis=1, keepdims=True)
    expected = np.log1p(np.divide(D[:, genes] * 1e4, totals, out=np.zeros((40, 8)), where=totals > 0))
    out = read.read_rows(found.source, scale, np.arange(8), np.arange(3, 40), progress="reading")
    np.testing.assert_allclose(out.toarray() if sparse.issparse(out) else out, expected[3:], rtol=2e-6)
    parts = [p for _, p in each_block(lambda where, X: X.sum(axis=1), [found.source.X], progress="x", size=7)]
    np.testing.assert_allclose(np.concatenate([np.ravel(p) for p in parts]), totals.ravel(), rtol=1e-6)


def test_raw_and_layers():
    D = np.random.default_rng(0).poisson(3, (30, 6)).astype(np.float32)
    adata = ad.AnnData(D, layers={"a": D + 1})
    adata.var["feature_types"] = [GENE] * 4 + [OTHER] * 2
    adata.raw = adata
    del adata.var["feature_types"]
    assert find(adata).n_columns == 6
    raw = find(adata, use_raw=True)
    assert (raw.n_columns, str(raw.features)[:30]) == (4, "adata.raw.var['feature_types']")
    adata.var["feature_types"] = [GENE] * 4 + [OTHER] * 2
    assert find(adata, layer="a").n_columns == 4


def test_one_line_in_the_log(caplog: pytest.LogCaptureFixture):
    D = np.random.default_rng(0).poisson(3, (30, 6)).astype(np.float32)
    adata = ad.AnnData(np.log1p(D), layers={"counts": D})
    adata.var["feature_types"] = [GENE] * 4 + [OTHER] * 2
    with caplog.at_level(logging.INFO, logger="sc_annotate"):
        found = read.open_input(adata)
        counts = read.open_counts(adata, found)
    assert caplog.messages == found.notes == [str(found.source.features)]
    assert counts is not None
    assert counts.source.n_columns == 4


def test_nothing_is_copied_where_the_column_is_absent():
    D = np.random.default_rng(0).poisson(3, (30, 6)).astype(np.float32)
    adata = ad.AnnData(D)
    assert find(adata).X is adata.X
    adata.var["feature_types"] = GENE
    assert find(adata).X is adata.X
    adata.var["feature_types"] = [GENE] * 4 + [OTHER] * 2
    X = find(adata).X
    assert isinstance(X, SomeColumns)
    assert X.X is adata.X
    assert X[2:4].base is adata.X
