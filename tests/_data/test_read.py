"""From an AnnData to blocks on the common scale: what is opened, and every block against plain numpy."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scanpy as sc
from scipy import sparse

from comparing import same, snapshot
from matrices import is_sparse
from sc_annotate._core.settings import settings
from sc_annotate._data import read
from sc_annotate._data.matrix import MatrixRequest, find
from sc_annotate._data.stream import each_block
from sc_annotate._data.transform import Transform
from sc_annotate.errors import InputError, MatrixError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def walk(source: Any, transform: Transform, columns: np.ndarray, fill: np.ndarray) -> list[tuple[slice, Any]]:
    """All rows as a model expects them, block by block."""

    def prepared(where: slice, block: Any) -> Any:
        return read.prepare(block, where, transform, columns, fill)

    return list(each_block(prepared, [source.X], progress="reading"))


def _array(block: Any) -> np.ndarray:
    return block.toarray() if sparse.issparse(block) else block


# ---- opening


@pytest.fixture
def notebook(make_counts: Callable[..., np.ndarray]) -> ad.AnnData:
    """As most notebooks leave it: counts in a layer, log values of all genes in raw, X scaled, of some genes."""
    adata = ad.AnnData(sparse.csr_matrix(make_counts(100, 120)))
    adata.var["gene_symbols"] = [f"S{i}" for i in range(120)]
    sc.pp.normalize_total(adata, target_sum=1e4)
    sc.pp.log1p(adata)
    adata.raw = adata
    adata = adata[:, :60].copy()
    adata.layers["log"] = adata.X.copy()
    adata.X = adata.X.toarray()
    sc.pp.scale(adata)
    adata.obsm["X_pca"] = np.random.default_rng(0).normal(size=(100, 4))
    return adata


def test_raw_is_taken_where_x_is_scaled(notebook: ad.AnnData, caplog: pytest.LogCaptureFixture):
    before = snapshot(notebook)
    with caplog.at_level(logging.INFO, logger="sc_annotate"):
        found = read.open_input(notebook, what="the query")
    assert found.source.where == found.values.where == "raw.X"
    assert (found.values.kind, found.values.n_genes) == ("log1p", 120)
    assert found.notes == ["the query.X is scaled; the query.raw (log1p) was taken instead"]
    assert caplog.messages == found.notes
    assert list(found.names) == ["var_names", "var['gene_symbols']"]
    assert all(len(names) == 120 for names in found.names.values())
    assert found.genes is not None
    assert found.genes.n_genes == 120
    assert same(snapshot(notebook), before)


@pytest.mark.parametrize(
    ("kwargs", "where", "kind"),
    [
        ({"use_raw": False}, "X", "scaled"),
        ({"use_raw": True}, "raw.X", "log1p"),
        ({"layer": "log"}, "layers['log']", "log1p"),
        ({"use_rep": "pca"}, "obsm['X_pca']", "embedding"),
    ],
)
def test_what_is_named_is_taken(notebook: ad.AnnData, kwargs: dict[str, Any], where: str, kind: str):
    found = read.open_input(notebook, MatrixRequest(**kwargs))
    assert (found.source.where, found.values.kind, found.notes) == (where, kind, [])


def test_an_embedding_has_no_genes(notebook: ad.AnnData):
    found = read.open_input(notebook, MatrixRequest(use_rep="pca"))
    assert found.genes is None
    assert list(found.names) == ["var_names"]
    assert found.names["var_names"].tolist() == ["pca_0", "pca_1", "pca_2", "pca_3"]


def test_x_is_kept_where_raw_is_no_better(notebook: ad.AnnData):
    notebook.raw = notebook
    assert read.open_input(notebook).source.where == "X"
    notebook.raw = None
    assert read.open_input(notebook).values.kind == "scaled"


def test_x_is_kept_where_it_is_good(notebook: ad.AnnData):
    notebook.X = notebook.layers["log"]
    found = read.open_input(notebook)
    assert (found.source.where, found.notes) == ("X", [])


def test_a_view_and_a_file_are_opened_alike(notebook: ad.AnnData, tmp_path: Path):
    notebook.write_h5ad(tmp_path / "a.h5ad")
    backed = ad.read_h5ad(tmp_path / "a.h5ad", backed="r")
    for adata in (notebook[:50], backed):
        assert read.open_input(adata).notes == ["adata.X is scaled; adata.raw (log1p) was taken instead"]
    backed.file.close()


def test_gene_symbols(notebook: ad.AnnData):
    notebook.var["mine"] = "x"
    assert list(read.open_input(notebook, MatrixRequest(use_raw=False, gene_symbols="mine")).names) == [
        "var_names",
        "var['mine']",
    ]
    with pytest.raises(InputError, match=r"q\.var has no column 'yours'"):
        read.open_input(notebook, MatrixRequest(gene_symbols="yours"), what="q")


@pytest.mark.parametrize("base", [None, 2, 10, np.e])
@pytest.mark.parametrize("form", ["memory", "view", "h5ad", "zarr"])
def test_recorded_base(base: float | None, form: str, tmp_path: Path):
    adata = ad.AnnData(np.random.default_rng(0).uniform(0, 5, (60, 8)).astype(np.float32))
    adata.uns["log1p"] = {"base": base}
    if form == "view":
        adata = adata[:50]
    elif form != "memory":
        getattr(adata, f"write_{form}")(tmp_path / "a")
        adata = getattr(ad, f"read_{form}")(tmp_path / "a")
    report = read.open_input(adata).values
    assert (report.kind, report.base) == ("log1p", {2: "2", 10: "10"}.get(base, "e"))
    assert report.evidence.startswith("assumed" if base is None else "as recorded")


@pytest.mark.parametrize(
    "recorded", ["x", {}, {"base": "e"}, {"base": [2]}, {"base": np.array([2.0])}, None, {"base": {}}]
)
def test_other_things_under_that_name(recorded: Any):
    adata = ad.AnnData(np.random.default_rng(0).uniform(0, 5, (60, 8)), uns={"log1p": recorded})
    assert read.open_input(adata).values.evidence.startswith("assumed")


# ---- totals


@pytest.mark.parametrize(
    "column",
    [[1, 2, 3], [1.0, 2.5, 0.0], pd.array([1, 2, 3], dtype="Int64"), pd.Categorical([3, 1, 3]), [True, False, True]],
)
def test_total_counts(column: Any):
    adata = ad.AnnData(np.ones((3, 2), np.float32))
    adata.obs["n"] = column
    totals = read.total_counts(adata, "n", what="q")
    assert totals is not None
    assert totals.dtype == np.float64
    assert totals.tolist() == [float(v) for v in column]
    assert read.total_counts(adata, None, what="q") is None


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (["a", "b", "c"], "holds no numbers"),
        (pd.Categorical(["a", "b", "c"]), "holds no numbers"),
        ([1, np.nan, 2], "negative, NaN or infinite"),
        (pd.array([1, None, 2], dtype="Int64"), "holds (no numbers|negative)"),
        ([1, np.inf, 2], "negative, NaN or infinite"),
        ([1, -1, 2], "negative, NaN or infinite"),
    ],
)
def test_totals_that_are_none(column: Any, message: str):
    adata = ad.AnnData(np.ones((3, 2), np.float32))
    adata.obs["n"] = column
    with pytest.raises(InputError, match=rf"q\.obs\['n'\] \(total_counts_key\).*{message}"):
        read.total_counts(adata, "n", what="q")
    with pytest.raises(InputError, match=r"no column 'm' \(total_counts_key\)\. There are: 'n'"):
        read.total_counts(adata, "m", what="q")
    with pytest.raises(InputError, match="There are: none"):
        read.total_counts(ad.AnnData(np.ones((3, 2), np.float32)), "m", what="q")


# ---- reading


def _expected(D: np.ndarray) -> np.ndarray:
    totals = D.sum(axis=1, keepdims=True)
    return np.log1p(np.divide(D * 1e4, totals, out=np.zeros_like(D), where=totals > 0))


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_rows_and_columns(
    kind: Any, size: int, make_counts: Callable[..., np.ndarray], build: Callable[..., ad.AnnData]
):
    D = make_counts(31, 12)
    source = find(build(kind, D))
    chosen, columns = np.array([0, 3, 4, 5, 29, 30]), np.array([7, 2, 11])
    with settings.override(block_size=size):
        out = read.read_rows(source, Transform(), columns, chosen, progress="reading")
    assert out.dtype == np.float32
    assert sparse.issparse(out) == is_sparse(kind)
    np.testing.assert_allclose(_array(out), _expected(D)[np.ix_(chosen, columns)], rtol=2e-6)


@pytest.mark.parametrize("columns", [[3, 0, 5], [3, -1, 0, -1, -1, 5], [-1, 4], [4, -1]])
def test_blocks_with_genes_that_are_absent(
    kind: Any, columns: list[int], make_counts: Callable[..., np.ndarray], build: Callable[..., ad.AnnData]
):
    D = make_counts(31, 6)
    wanted, fill = np.array(columns), np.linspace(0, 1, len(columns)).astype(np.float32)
    with settings.override(block_size=8):
        walked = walk(find(build(kind, D)), Transform(), wanted, fill)
    assert np.concatenate([np.arange(w.start, w.stop) for w, _ in walked]).tolist() == list(range(31))
    assert max(w.stop - w.start for w, _ in walked) == 8
    assert all(sparse.issparse(b) == is_sparse(kind) and b.dtype == np.float32 for _, b in walked)
    expected = np.where(wanted >= 0, _expected(D)[:, wanted], fill)
    np.testing.assert_allclose(np.concatenate([_array(b) for _, b in walked]), expected, rtol=2e-6)


def test_where_counts_are_found(make_counts: Callable[..., np.ndarray]):
    D = make_counts(31, 6)
    adata = ad.AnnData(D, obsm={"X_pca": D[:, :2]})
    own = read.open_input(adata)
    assert read.open_counts(adata, own) is own
    assert read.open_counts(adata, read.open_input(adata, MatrixRequest(use_rep="X_pca"))) is None
    adata.X = np.log1p(D)
    log = read.open_input(adata)
    assert read.open_counts(adata, log) is None
    adata.layers["counts"] = np.log1p(D)
    assert read.open_counts(adata, log) is None
    adata.layers["counts"] = D
    found = read.open_counts(adata, log)
    assert found is not None
    assert found.source.where == "layers['counts']"
    other = read.open_input(ad.AnnData(np.log1p(D), var={"x": range(6)}))
    other.source.names[0] = "of another matrix"
    assert read.open_counts(adata, other) is None


def test_totals_go_with_their_rows(make_counts: Callable[..., np.ndarray]):
    D = make_counts(31, 6)
    totals = D.sum(axis=1) + np.arange(31.0) + 1
    expected = np.log1p(D * 1e4 / totals[:, None])
    source, every = find(ad.AnnData(D)), np.arange(6)
    with settings.override(block_size=8):
        some = read.read_rows(source, Transform(totals=totals), every, np.array([2, 9, 30]), progress="x")
        blocks = walk(source, Transform(totals=totals), every, np.zeros(6, np.float32))
    np.testing.assert_allclose(some, expected[[2, 9, 30]], rtol=2e-6)
    np.testing.assert_allclose(np.concatenate([b for _, b in blocks]), expected, rtol=2e-6)


def test_only_the_chosen_rows_have_to_be_sound(make_counts: Callable[..., np.ndarray]):
    D = make_counts(31, 6)
    D[3] = np.nan
    source, every = find(ad.AnnData(D)), np.arange(6)
    assert read.read_rows(source, Transform(), every, np.array([0, 4]), progress="x").shape == (2, 6)
    with pytest.raises(MatrixError, match="6 NaN"):
        read.read_rows(source, Transform(), every, np.array([0, 3]), progress="x")


def test_nothing_is_changed(notebook: ad.AnnData):
    before = snapshot(notebook)
    for kwargs in ({"use_raw": True}, {"layer": "log"}):
        source = find(notebook, **kwargs)
        transform = Transform(unlog=np.e, keep_totals=True, rescale=0.5)
        read.read_rows(source, transform, np.arange(60), np.arange(100), progress="x")
        walk(source, Transform(), np.array([0, -1]), np.ones(2, np.float32))
    assert same(snapshot(notebook), before)


def test_representations_must_be_the_same(notebook: ad.AnnData):
    source = find(notebook, use_rep="pca")
    read.check_representations(source, np.array([f"pca_{i}" for i in range(4)]), what="q")
    for names in (["pca_0", "pca_1"], [f"scVI_{i}" for i in range(4)]):
        with pytest.raises(
            MatrixError, match=rf"q\.obsm\['X_pca'\] has 4 dimensions named pca_0.*{len(names)} named {names[0]}"
        ):
            read.check_representations(source, np.array(names), what="q")
