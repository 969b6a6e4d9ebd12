"""Renamed genes: nothing of the cells changes, no count is made or lost, and annotate then finds what it should."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import sc_annotate as sca
from comparing import assert_same_results, assert_same_tree, same, snapshot
from sc_annotate.errors import GeneError, InputError, MatrixError, StorageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NAMES = ["IL8", "CD4", "SEPT2", "SEPTIN2", "RP11-1.2", "NICK"]
HGNC = pd.DataFrame(
    [
        ("CXCL8", "IL8", "LUCT"),
        ("CD4", "", ""),
        ("SEPTIN2", "SEPT2", ""),
        ("AAA1", "", "NICK"),
        ("BBB1", "", "NICK"),
    ],
    columns=["symbol", "prev_symbol", "alias_symbol"],
)
TABLE = {"IL8": "CXCL8", "SEPT2": "SEPTIN2"}


@pytest.fixture
def adata() -> ad.AnnData:
    """Forty cells of six genes, with something in every place."""
    rng = np.random.default_rng(0)
    X = sparse.csr_matrix(rng.poisson(2, (40, 6)).astype(np.float32))
    out = ad.AnnData(X, var=pd.DataFrame({"length": range(6), "symbol": [*NAMES[:5], None]}, index=NAMES))
    out.obs["group"] = pd.Categorical(["a/b", "c"] * 20)
    out.layers["log"] = sparse.csr_matrix(np.log1p(X.toarray()))
    out.obsm["X_pca"] = rng.normal(size=(40, 3))
    out.obsm["table"] = pd.DataFrame(rng.normal(size=(40, 2)), index=out.obs_names, columns=["x", "y"])
    out.obsp["near"] = sparse.eye(40, format="csr")
    out.varm["PCs"] = rng.normal(size=(6, 3))
    out.varp["also"] = np.arange(36.0).reshape(6, 6)
    out.uns["log1p"] = {"base": None}
    out.uns["deep"] = {"list": np.arange(3)}
    return out


def test_everything_in_its_place(adata: ad.AnnData):
    adata.raw = adata
    before = snapshot(adata)
    out = sca.pp.map_genes(adata, HGNC, kind="aliases")
    assert same(snapshot(adata), before)
    assert out.var_names.tolist() == ["CXCL8", "CD4", "SEPTIN2", "RP11-1.2"]
    X, D = adata.X.toarray(), out.X.toarray()
    np.testing.assert_array_equal(D[:, [0, 1, 3]], X[:, [0, 1, 4]])
    np.testing.assert_array_equal(D[:, 2], X[:, 2] + X[:, 3])
    np.testing.assert_allclose(out.layers["log"].toarray(), np.log1p(D), rtol=1e-6)
    np.testing.assert_array_equal(out.layers["log"].toarray()[:, 1], adata.layers["log"].toarray()[:, 1])
    assert out.raw.var_names.tolist() == out.var_names.tolist()
    np.testing.assert_array_equal(out.raw.X.toarray(), D)
    assert out.var["length"].tolist() == [0, 1, 3, 4]
    pd.testing.assert_frame_equal(out.obs, adata.obs)
    for key in ("X_pca", "table"):
        np.testing.assert_array_equal(np.asarray(out.obsm[key]), np.asarray(adata.obsm[key]))
    np.testing.assert_array_equal(out.obsp["near"].toarray(), np.eye(40))
    assert not out.varm
    assert not out.varp
    assert {k: v for k, v in out.uns.items() if k != "gene_mapping"}.keys() == {"log1p", "deep"}
    told = out.uns["gene_mapping"]
    assert {name: told[f"n_{name}"] for name in ("kept", "renamed", "merged", "unknown", "lost")} == {
        "kept": 1,
        "renamed": 1,
        "merged": 2,
        "unknown": 1,
        "lost": 1,
    }
    assert (told["n_genes_before"], told["n_genes"], told["kind"]) == (6, 4, "aliases")
    assert "varm and varp left out (PCs, also): they are not those of the merged genes" in told["notes"].tolist()
    assert "X: counts, added up for merged genes" in told["notes"].tolist()
    share = np.median(X[:, 5] / X.sum(axis=1))
    assert f"lost genes hold {share:.1%} of the counts of a cell (median of 40 cells)" in told["notes"].tolist()


def test_the_new_object_shares_nothing(adata: ad.AnnData):
    before = snapshot(adata)
    out = sca.pp.map_genes(adata, {"IL8": "CXCL8"})
    out.X.data[:] = 7
    out.layers["log"].data[:] = 7
    out.obs["group"] = "x"
    out.obsm["X_pca"][:] = 7
    out.uns["deep"]["list"][:] = 7
    out.var["length"] = 7
    out.varm["PCs"][:] = 7
    assert same(snapshot(adata), before)


def test_varm_goes_along_where_nothing_is_merged(adata: ad.AnnData):
    adata.varm["frame"] = pd.DataFrame({"a": range(6)}, index=adata.var_names)
    out = sca.pp.map_genes(adata, HGNC, kind="aliases", merge="first")
    assert out.var_names.tolist() == ["CXCL8", "CD4", "SEPTIN2", "RP11-1.2"]
    kept = [0, 1, 3, 4]
    np.testing.assert_array_equal(out.X.toarray(), adata.X.toarray()[:, kept])
    np.testing.assert_array_equal(out.varm["PCs"], adata.varm["PCs"][kept])
    np.testing.assert_array_equal(out.varp["also"], adata.varp["also"][np.ix_(kept, kept)])
    assert out.varm["frame"]["a"].tolist() == kept
    table = sca.get.gene_mapping(out)
    assert table["status"].tolist() == ["renamed", "kept", "lost", "kept", "unknown", "lost"]


def test_by_a_column(adata: ad.AnnData):
    adata.var["new"] = ["A", "B", "B", "", None, "F"]
    out = sca.pp.map_genes(adata, column="new")
    assert out.var_names.tolist() == ["A", "B", "SEPTIN2", "RP11-1.2", "F"]
    np.testing.assert_array_equal(out.X.toarray()[:, 1], adata.X.toarray()[:, 1:3].sum(axis=1))
    assert sca.pp.map_genes(adata, column="new", drop_unknown=True).var_names.tolist() == ["A", "B", "F"]
    assert out.uns["gene_mapping"]["how"] == "var['new']"


def test_raw_without_the_column_goes_by_the_same_names(adata: ad.AnnData):
    wide = ad.AnnData(np.ones((40, 7), np.float32), var=pd.DataFrame(index=["EXTRA", *NAMES]), obs=adata.obs)
    adata.raw = wide
    adata.var["new"] = ["A", "B", "C", "D", "E", "F"]
    out = sca.pp.map_genes(adata, column="new")
    assert out.raw.var_names.tolist() == ["EXTRA", "A", "B", "C", "D", "E", "F"]
    assert "raw has 7 genes of 7" in out.uns["gene_mapping"]["notes"].tolist()


def test_genes_that_occur_twice_become_one(adata: ad.AnnData):
    with pytest.warns(UserWarning, match="not unique"):
        twice = ad.AnnData(
            adata.X, var=pd.DataFrame({"new": ["A", "A", "B", "C", "D", "E"]}, index=["x", "x", *NAMES[2:]])
        )
    out = sca.pp.map_genes(twice, column="new")
    assert out.var_names.tolist() == ["A", "B", "C", "D", "E"]
    np.testing.assert_array_equal(out.X.toarray()[:, 0], adata.X.toarray()[:, :2].sum(axis=1))


def test_ids_stay_in_a_column(adata: ad.AnnData):
    ids = [f"ENSG{i:011d}" for i in range(6)]
    adata.var_names = ids
    out = sca.pp.map_genes(adata, pd.DataFrame({"id": ids, "name": NAMES}))
    assert out.var_names.tolist() == NAMES
    assert out.var["gene_ids"].tolist() == ids
    back = sca.pp.map_genes(out, column="gene_ids")
    assert back.var_names.tolist() == ids
    np.testing.assert_array_equal(back.X.toarray(), adata.X.toarray())
    # A customary column of symbols is found, and both steps are told.
    adata.var["feature_name"] = NAMES
    named = sca.pp.map_genes(adata)
    assert named.var_names.tolist() == NAMES
    again = sca.pp.map_genes(named, TABLE)
    assert again.uns["gene_mapping"]["before"]["how"] == "var['feature_name']"
    assert again.uns["gene_mapping"]["before"]["before"] == {}


@pytest.mark.parametrize("where", ["X", "layer", "raw"])
def test_what_cannot_be_added_is_refused_with_the_cure(adata: ad.AnnData, where: str):
    D = adata.X.toarray()
    scaled = ((D - D.mean(axis=0)) / D.std(axis=0)).astype(np.float32)
    if where == "X":
        adata.X = scaled
    elif where == "layer":
        adata.layers["scaled"] = scaled
    else:
        adata.raw = ad.AnnData(scaled, obs=adata.obs, var=adata.var)
    place = {"X": "X", "layer": r"layers\['scaled'\]", "raw": r"raw\.X"}[where]
    before = snapshot(adata)
    with pytest.raises(
        MatrixError, match=rf"2 genes are to be merged \(SEPT2, SEPTIN2\), and adata\.{place} holds scaled"
    ):
        sca.pp.map_genes(adata, TABLE)
    assert same(snapshot(adata), before)
    assert sca.pp.map_genes(adata, TABLE, merge="first").n_vars == 5
    assert sca.pp.map_genes(adata, {"IL8": "CXCL8"}).n_vars == 6


def test_nan_is_not_added(adata: ad.AnnData):
    adata.layers["nan"] = np.where(adata.X.toarray() > 3, np.nan, 1)
    with pytest.raises(MatrixError, match=r"layers\['nan'\] holds NaN or infinite"):
        sca.pp.map_genes(adata, TABLE)


@pytest.mark.parametrize("form", ["csr", "csc", "dense", "dask"])
def test_forms_of_the_matrix(adata: ad.AnnData, form: str):
    expected = sca.pp.map_genes(adata, TABLE).X.toarray()
    X = adata.X
    if form == "dask":
        da = pytest.importorskip("dask.array")
        X = da.from_array(X.toarray(), chunks=(15, 6)).map_blocks(sparse.csr_matrix)
    adata.X = {"csc": X.tocsc(), "dense": X.toarray()}.get(form, X) if form != "dask" else X
    out = sca.pp.map_genes(adata, TABLE)
    assert type(out.X) is type(adata.X)
    computed = out.X.compute(scheduler="synchronous") if form == "dask" else out.X
    np.testing.assert_array_equal(computed.toarray() if sparse.issparse(computed) else computed, expected)


def test_views_and_an_object_without_x(adata: ad.AnnData):
    view = adata[::2, 1:]
    out = sca.pp.map_genes(view, TABLE)
    assert view.is_view
    np.testing.assert_array_equal(out.X.toarray(), sca.pp.map_genes(view.copy(), TABLE).X.toarray())
    adata.X = None
    assert sca.pp.map_genes(adata, TABLE).X is None
    assert sca.pp.map_genes(adata, TABLE).layers["log"].shape == (40, 5)
    del adata.layers["log"]
    assert sca.pp.map_genes(adata, TABLE).shape == (40, 5)


def test_cells_of_one_name(adata: ad.AnnData):
    """As concatenation leaves them; anndata has warned the user of it then."""
    names = adata.obs_names.to_numpy(dtype=object).copy()
    names[1] = names[0]
    del adata.obsm["table"]
    adata.obs_names = names
    assert sca.pp.map_genes(adata, TABLE).obs_names.tolist() == names.tolist()


@pytest.mark.slow
@pytest.mark.parametrize("writing", ["h5ad", "zarr"])
def test_written_and_read(adata: ad.AnnData, tmp_path: Path, writing: str):
    adata.raw = adata
    out = sca.pp.map_genes(sca.pp.map_genes(adata, {"IL8": "CXCL8"}), HGNC, kind="aliases")
    path = tmp_path / f"a.{writing}"
    getattr(out, f"write_{writing}")(path)
    back = getattr(ad, f"read_{writing}")(path)
    pd.testing.assert_frame_equal(sca.get.gene_mapping(back), sca.get.gene_mapping(out))
    assert_same_tree(
        {k: v for k, v in back.uns["gene_mapping"].items() if k != "table"},
        {k: v for k, v in out.uns["gene_mapping"].items() if k != "table"},
    )
    np.testing.assert_array_equal(back.X.toarray(), out.X.toarray())
    assert back.var_names.tolist() == out.var_names.tolist()


def test_backed_is_refused_and_lazy_works(adata: ad.AnnData, tmp_path: Path):
    expected = sca.pp.map_genes(adata, TABLE)
    del adata.obsp["near"], adata.varp["also"]
    adata.write_h5ad(tmp_path / "a.h5ad")
    backed = ad.read_h5ad(tmp_path / "a.h5ad", backed="r")
    with pytest.raises(InputError, match=r"adata is backed.*to_memory.*read_lazy"):
        sca.pp.map_genes(backed, TABLE)
    np.testing.assert_array_equal(sca.pp.map_genes(backed.to_memory(), TABLE).X.toarray(), expected.X.toarray())
    backed.file.close()
    pytest.importorskip("xarray")
    pytest.importorskip("dask")
    h5py = pytest.importorskip("h5py")
    from anndata.experimental import read_lazy

    with h5py.File(tmp_path / "a.h5ad", "r") as file:
        out = sca.pp.map_genes(read_lazy(file), TABLE)
        assert hasattr(out.X, "dask")
        np.testing.assert_array_equal(out.X.compute(scheduler="synchronous").toarray(), expected.X.toarray())


def test_it_says_what_it_did(adata: ad.AnnData, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.INFO, logger="sc_annotate"):
        sca.pp.map_genes(adata, HGNC, kind="aliases")
    assert (
        "6 genes became 4 by previous symbols and aliases: 1 kept, 1 renamed, 2 merged, 1 unknown, 1 lost"
        in caplog.text
    )
    caplog.clear()
    wide = pd.DataFrame({"from": [*(f"x{i}" for i in range(9)), "IL8"], "to": [f"y{i}" for i in range(10)]})
    sca.pp.map_genes(adata, wide)
    assert "'from' to 'to' knows 1 of the 6 genes of adata only" in caplog.text


# ---- refused

REFUSED: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "nothing_given": ({}, InputError, "needs new names: pass a table .*There are: 'length', 'symbol'"),
    "no_column": ({"column": "no"}, InputError, "adata.var has no column 'no'"),
    "column_as_table": (
        {"table": "symbol"},
        InputError,
        "is a column of adata.var, not a table: write column='symbol'",
    ),
    "column_and_table": ({"table": TABLE, "column": "symbol"}, InputError, "choose one"),
    "column_of_aliases": (
        {"column": "symbol", "kind": "aliases"},
        InputError,
        "column: .* for kind='ids', not 'aliases'",
    ),
    "column_none_and_table": ({"table": TABLE, "column": None}, InputError, "column: .* choose one"),
    "kind": (
        {"table": TABLE, "kind": "species"},
        InputError,
        "kind must be 'ids', 'aliases' or 'orthologs', not 'species'",
    ),
    "merge": ({"table": TABLE, "merge": "mean"}, InputError, "merge must be 'sum' or 'first', not 'mean'"),
    "flag": ({"table": TABLE, "drop_unknown": "yes"}, InputError, "True or False, not 'yes'"),
    "column_no_string": ({"table": TABLE, "to_column": 3}, InputError, "to_column must be the name"),
    "aliases_without": ({"kind": "aliases"}, InputError, "needs a table: HGNC"),
    "orthologs_without": ({"kind": "orthologs"}, InputError, "such as BioMart exports"),
    "to_column_of_aliases": ({"table": HGNC, "kind": "aliases", "to_column": "symbol"}, InputError, "leave them out"),
    "one_to_one_of_ids": ({"table": TABLE, "one_to_one": False}, InputError, "is for kind='orthologs'"),
    "one_to_one_of_ids_as_it_is": (
        {"table": TABLE, "one_to_one": True},
        InputError,
        "one_to_one: it is for kind='orth",
    ),
    "columns_without_a_table": (
        {"column": "symbol", "from_column": "a", "to_column": "b"},
        InputError,
        "from_column and to_column: columns of a table, and there is none",
    ),
    "orthologs_kept": (
        {"table": TABLE, "kind": "orthologs", "drop_unknown": False},
        InputError,
        "drop_unknown: genes without an ortholog are always left out",
    ),
    "other_genes": (
        {"table": pd.DataFrame({"a": ["Xkr4"], "b": ["XKR4"]})},
        GeneError,
        "holds any gene of adata .IL8, CD4, SEPT2, ....",
    ),
    "other_names": ({"table": {"Xkr4": "XKR4"}}, GeneError, "'from' to 'to' knows none of the 6 genes"),
    "other_aliases": (
        {"table": HGNC.assign(symbol=list("vwxyz"), prev_symbol=list("hijkl"), alias_symbol=""), "kind": "aliases"},
        GeneError,
        "knows none of the 6 genes of adata",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(adata: ad.AnnData, name: str):
    kwargs, error, message = REFUSED[name]
    before = snapshot(adata)
    with pytest.raises(error, match=message):
        sca.pp.map_genes(adata, **kwargs)
    assert same(snapshot(adata), before)


def test_refused_objects(adata: ad.AnnData):
    with pytest.raises(InputError, match="must be an AnnData"):
        sca.pp.map_genes(adata.X, TABLE)
    with pytest.raises(InputError, match="is empty"):
        sca.pp.map_genes(adata[:, :0], TABLE)
    adata.uns["gene_mapping"] = {"mine": 1}
    with pytest.raises(StorageError, match="was not written by sc_annotate"):
        sca.pp.map_genes(adata, TABLE)


def test_few_orthologs_are_an_error():
    names = [f"Gene{i}" for i in range(100)]
    mouse = ad.AnnData(np.ones((3, 100), np.float32), var=pd.DataFrame(index=names))
    pairs = pd.DataFrame({"mouse": names[:9], "human": [n.upper() for n in names[:9]]})
    with pytest.raises(GeneError, match="only 9 of the 100 genes of adata have an ortholog"):
        sca.pp.map_genes(mouse, pairs, kind="orthologs")
    pairs = pd.DataFrame({"mouse": names[:10], "human": [n.upper() for n in names[:10]]})
    assert sca.pp.map_genes(mouse, pairs, kind="orthologs").n_vars == 10


# ---- prefixes and suffixes


def _named(names: list[str]) -> ad.AnnData:
    X = np.arange(3 * len(names), dtype=np.float32).reshape(3, -1)
    return ad.AnnData(X, var=pd.DataFrame(index=names))


SOME = [f"{a}{b}{c}" for a in "ABCDE" for b in "KLMNO" for c in "QRS"]


def test_affixes_are_removed_and_the_report_says_so():
    adata = _named([f"hg19_{name}" if i % 3 else name for i, name in enumerate(SOME)])
    adata.raw = adata
    mapped = sca.pp.map_genes(adata)
    assert mapped.var_names.tolist() == SOME
    assert mapped.raw.var_names.tolist() == SOME
    np.testing.assert_array_equal(mapped.X, adata.X)
    entry = mapped.uns["gene_mapping"]
    assert (entry["how"], entry["n_renamed"], entry["n_kept"]) == ("removing prefix 'hg19_'", 50, 25)
    table = sca.get.gene_mapping(mapped)
    assert table["from"].tolist() == adata.var_names.tolist()
    assert table["to"].tolist() == SOME
    assert set(table["reason"]) == {"", "without prefix 'hg19_'"}


def test_affixes_and_ids_joined_with_symbols():
    adata = _named([f"rna_{name}_ENSG{i:011d}" for i, name in enumerate(SOME)])
    assert sca.pp.map_genes(adata).var_names.tolist() == SOME


def test_two_genes_never_get_one_name_by_that():
    names = [*(f"{name}-1" for name in SOME), *SOME[:5], "NKX2-1", "AC000001.1", "RP11-34P13.7", "HLA-DRB1"]
    mapped = sca.pp.map_genes(_named(names))
    assert mapped.n_vars == len(names)
    assert mapped.var_names.tolist() == [*(f"{name}-1" for name in SOME[:5]), *SOME[5:], *SOME[:5], *names[-4:]]
    assert mapped.uns["gene_mapping"]["n_merged"] == 0


def test_a_table_is_asked_for_what_is_inside():
    """A gene that the table does not know keeps its name without the affix; an ortholog has to be known."""
    adata = _named([f"hg19_{name}" for name in SOME])
    mapped = sca.pp.map_genes(adata, {SOME[0]: "NEW"})
    assert mapped.var_names.tolist() == ["NEW", *SOME[1:]]
    table = sca.get.gene_mapping(mapped)
    assert table["reason"][:2].tolist() == ["without prefix 'hg19_'", "without prefix 'hg19_'; not in the table"]
    hgnc = pd.DataFrame({"symbol": ["NEW", SOME[1]], "prev_symbol": [SOME[0], ""], "alias_symbol": ""})
    assert sca.pp.map_genes(adata, hgnc, kind="aliases").var_names.tolist() == ["NEW", *SOME[1:]]
    assert sca.pp.map_genes(adata, {SOME[0]: "NEW"}, drop_unknown=True).var_names.tolist() == ["NEW"]
    pairs = pd.DataFrame({"mouse": SOME[:20], "human": [f"{name}2" for name in SOME[:20]]})
    orthologs = sca.pp.map_genes(adata, pairs, kind="orthologs")
    assert orthologs.var_names.tolist() == [f"{name}2" for name in SOME[:20]]
    with pytest.raises(GeneError, match="knows none of the 75 genes"):
        sca.pp.map_genes(adata, {"XX": "YY"})


def test_a_column_with_affixes():
    adata = _named([f"ENSG{i:011d}" for i in range(len(SOME))])
    adata.var["features"] = [f"GRCh38_{name} " for name in SOME]
    assert sca.pp.map_genes(adata, column="features").var_names.tolist() == SOME


# ---- with annotate


@pytest.mark.slow
def test_mouse_spelling(pair: tuple[ad.AnnData, ad.AnnData]):
    """Genes as mouse writes them are refused with the cure; with it the calls are those of the human names."""
    reference, query = pair
    expected = query.copy()
    sca.tl.annotate(expected, reference, "cell_type", method="nearest_centroid", cv=0)
    human = query.var_names.tolist()
    query.var_names = query.var_names.str.capitalize()
    assert query.var_names.is_unique
    with pytest.raises(GeneError, match=r"adata = sca\.pp\.map_genes\(adata, orthologs, kind='orthologs'\)"):
        sca.tl.annotate(query, reference, "cell_type", method="nearest_centroid", cv=0)
    table = pd.DataFrame(
        {"Gene name": query.var_names, "Human gene name": human, "Human homology type": "ortholog_one2one"}
    )
    mapped = sca.pp.map_genes(query, table, kind="orthologs")
    sca.tl.annotate(mapped, reference, "cell_type", method="nearest_centroid", cv=0)
    assert_same_results(mapped, expected)
    assert mapped.uns["annotation"]["input"]["matched_by"] == "var_names on both sides"


@pytest.mark.slow
def test_ensembl_ids_of_real_cells(shared_data: Path):
    """Five cell lines by Ensembl id: refused against symbols, and with a table the same calls as by id."""
    adata = ad.read_h5ad(shared_data / "scmixology_celseq2_dropseq.h5ad")[::2, ::3].copy()
    half = np.arange(adata.n_obs) % 2 == 0
    reference, query = adata[half].copy(), adata[~half].copy()
    expected = query.copy()
    sca.tl.annotate(expected, reference, "cell_type", method="nearest_centroid", cv=0, trust=None)
    ids = adata.var_names.to_numpy(dtype=str)
    table = pd.DataFrame({"gene_id": np.char.add(ids, ".7"), "gene_name": [f"GENE{i}" for i in range(len(ids))]})
    by_symbol = sca.pp.map_genes(reference, table)
    assert by_symbol.uns["gene_mapping"]["n_renamed"] == adata.n_vars
    del by_symbol.var["gene_ids"]
    with pytest.raises(
        GeneError, match=r"uses ensembl names.*gene_symbols=.*adata = sca\.pp\.map_genes\(adata, table\)"
    ):
        sca.tl.annotate(query, by_symbol, "cell_type", method="nearest_centroid", cv=0, trust=None)
    mapped = sca.pp.map_genes(query, table)
    np.testing.assert_array_equal(mapped.X.toarray(), query.X.toarray())
    sca.tl.annotate(mapped, by_symbol, "cell_type", method="nearest_centroid", cv=0, trust=None)
    pd.testing.assert_series_equal(mapped.obs["annotation"], expected.obs["annotation"])
    # Half of the ids lead to the name of another: their counts are added, and the five lines are still told apart.
    table["gene_name"] = [f"GENE{i // 2}" for i in range(len(ids))]
    merged = sca.pp.map_genes(query, table)
    np.testing.assert_array_equal(np.asarray(merged.X.sum(axis=1)), np.asarray(query.X.sum(axis=1)))
    sca.tl.annotate(
        merged, sca.pp.map_genes(reference, table), "cell_type", method="nearest_centroid", cv=0, trust=None
    )
    assert (merged.obs["annotation"].astype(str) == merged.obs["cell_type"].astype(str)).mean() > 0.95


@pytest.mark.slow
def test_joined_and_old_names_of_real_cells(shared_data: Path):
    """Kang's symbols are of 2016, and 91 carry their ids: CD79A and HLA-DRA are among these."""
    kang = ad.read_h5ad(shared_data / "kang2018_pbmc_ifnb.h5ad")
    malt = ad.read_h5ad(shared_data / "malt10k_citeseq.h5ad")
    shared = len(kang.var_names.intersection(malt.var_names))
    apart = sca.pp.map_genes(kang)
    assert {"CD79A", "HLA-DRA", "LTB", "CCL5"} <= set(apart.var_names) - set(kang.var_names)
    assert apart.uns["gene_mapping"]["n_renamed"] == 91
    np.testing.assert_array_equal(apart.X.toarray(), kang.X.toarray())
    better = len(apart.var_names.intersection(malt.var_names))
    assert better >= shared + 85
    reference = ad.read_h5ad(shared_data / "pbmc_3tech.h5ad")
    found = []
    for query in (kang.copy(), apart.copy()):
        sca.tl.annotate(query, reference, "cell_type_broad", n_top_genes=None, cv=0, trust=None)
        called = (query.obs["annotation"] == "B").to_numpy(dtype=bool)
        found.append(int(called[(query.obs["cell_type"] == "B cells").to_numpy(dtype=bool)].sum()))
    assert found[1] > found[0]
    renamed = {
        "IL8": "CXCL8",
        "ATP5A1": "ATP5F1A",
        "GNB2L1": "RACK1",
        "FYB": "FYB1",
        "SELT": "SELENOT",
        "TCEB2": "ELOB",
    }
    current = malt.var_names.difference(list(renamed))
    table = pd.DataFrame(
        {"symbol": current, "prev_symbol": [{v: k for k, v in renamed.items()}.get(g, "") for g in current]}
    )
    today = sca.pp.map_genes(kang, table, kind="aliases")
    assert set(renamed.values()) <= set(today.var_names)
    assert len(today.var_names.intersection(malt.var_names)) == better + len(renamed)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda names: [f"{n}_ENSG{i:011d}" for i, n in enumerate(names)],
            r"join a symbol with an Ensembl id.*map_genes\(adata\)`",
        ),
        (lambda names: [f"ENSMUSG{i:011d}" for i, n in enumerate(names)], "uses ensembl names"),
        (lambda names: [f"HIST1H{i}X" for i, n in enumerate(names)], "of an older release .HIST1H0X.*kind='aliases'"),
        (lambda names: [f"X{i}" for i, n in enumerate(names)], "Where symbols are old.*hgnc_table, kind='aliases'"),
    ],
)
def test_few_shared_genes_name_the_cure(
    pair: tuple[ad.AnnData, ad.AnnData], change: Callable[[list[str]], list[str]], message: str
):
    reference, query = pair
    query.var_names = change(query.var_names.tolist())
    with pytest.raises(GeneError, match=message):
        sca.tl.annotate(query, reference, "cell_type", method="nearest_centroid", cv=0)
