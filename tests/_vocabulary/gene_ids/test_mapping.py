"""New names of genes, and the columns that go with them, against plain Python and dense sums."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from sc_annotate._data.gene_merge import Columns, remap
from sc_annotate._vocabulary.gene_ids.mapping import STATUSES, GeneMapping, NewName, assign
from sc_annotate._vocabulary.gene_ids.rules import (
    aliases_rule,
    ids_rule,
    is_one2one,
    orthologs_rule,
    symbol_of_parts,
    with_parts,
)
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def _map(names: list[str], rule: Callable[[str], NewName], **kwargs: Any) -> GeneMapping:
    return assign(np.array(names), [rule(name) for name in names], **kwargs)


def _hgnc(*rows: tuple[str, str, str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["symbol", "prev_symbol", "alias_symbol"])


HGNC = _hgnc(
    ("SEPTIN2", "DIFF6|NEDD5|SEPT2", "hNedd5"),
    ("SEPTIN6", "SEPT6", "KIAA0128|SEP2|SEPT2"),
    ("CXCL8", "IL8", "SCYB8|LUCT"),
    ("CD4", "", "OKT4"),
    ("OKT4", "", ""),
    ("MARCHF1", "MARCH1", "RNF171"),
    ("MTARC1", "MOSC1", "MARC1"),
    ("AAA1", "OLD1", "NICK"),
    ("BBB1", "OLD1", "NICK|ONLYB"),
)


# ---- names


def test_a_previous_symbol_comes_before_an_alias_and_a_current_one_before_both():
    """SEPT2 was SEPTIN2 and is an alias of SEPTIN6; OKT4 is an alias of CD4, and here a gene of its own."""
    found = _map(["SEPT2", "SEPT6", "OKT4", "IL8", "CD4", "RP11-34P13.7"], aliases_rule(HGNC))
    assert found.to.tolist() == ["SEPTIN2", "SEPTIN6", "OKT4", "CXCL8", "CD4", "RP11-34P13.7"]
    assert found.status.tolist() == ["renamed", "renamed", "kept", "renamed", "kept", "unknown"]
    assert found.reason.tolist() == ["previous symbol"] * 2 + ["", "previous symbol", "", "not in the table"]


def test_what_means_two_genes_is_lost_with_the_reason():
    found = _map(["OLD1", "NICK", "ONLYB"], aliases_rule(HGNC))
    assert found.to.tolist() == ["", "", "BBB1"]
    assert found.status.tolist() == ["lost", "lost", "renamed"]
    assert found.reason.tolist() == ["previous symbol of 2 genes: AAA1, BBB1", "alias of 2 genes: AAA1, BBB1", "alias"]
    assert found.genes.tolist() == ["BBB1"]
    assert found.code.tolist() == [-1, -1, 0]


def test_an_alias_is_not_followed_to_a_gene_that_is_there():
    """Two columns of one object were two genes to those who named them."""
    there = _map(["LUCT", "CXCL8"], aliases_rule(HGNC))
    assert there.to.tolist() == ["LUCT", "CXCL8"]
    assert there.status.tolist() == ["unknown", "kept"]
    assert there.reason[0] == "an alias of CXCL8, a name that another gene here has or gets"
    previous = _map(["LUCT", "IL8"], aliases_rule(HGNC))
    assert previous.to.tolist() == ["LUCT", "CXCL8"]
    both = _map(["LUCT", "SCYB8"], aliases_rule(HGNC))
    assert both.status.tolist() == ["unknown", "unknown"]
    alone = _map(["LUCT", "CD4"], aliases_rule(HGNC))
    assert alone.to.tolist() == ["CXCL8", "CD4"]
    assert _map(["LUCT", "CXCL8"], aliases_rule(HGNC), drop_unknown=True).status.tolist() == ["lost", "kept"]


def test_previous_symbols_of_one_gene_are_merged():
    found = _map(["NEDD5", "CD4", "SEPTIN2", "SEPT2"], aliases_rule(HGNC))
    assert found.genes.tolist() == ["SEPTIN2", "CD4"]
    assert found.code.tolist() == [0, 1, 0, 0]
    # The one with the right name lends its row.
    assert found.first.tolist() == [2, 1]
    assert found.counts == {"n_kept": 1, "n_renamed": 0, "n_merged": 3, "n_unknown": 0, "n_lost": 0}
    assert found.reason[0] == "previous symbol; added to SEPTIN2, SEPT2"
    first = _map(["NEDD5", "CD4", "SEPTIN2", "SEPT2"], aliases_rule(HGNC), merge="first")
    assert first.status.tolist() == ["lost", "kept", "kept", "lost"]
    assert first.code.tolist() == [-1, 1, 0, -1]
    assert first.reason[0] == "SEPTIN2 is taken by SEPTIN2, which was kept (merge='first')"


def test_withdrawn_symbols_and_other_layouts():
    ncbi = pd.DataFrame({"Symbol": ["A1", "B1", "X~withdrawn"], "Synonyms": ["-", "OLDB|OLDC", "OLDX"]})
    rule = aliases_rule(ncbi)
    assert [rule(n).to for n in ("A1", "-", "OLDB", "OLDX", "X~withdrawn")] == ["A1", "", "B1", "", ""]
    download = pd.DataFrame(
        {"Approved symbol": ["A1"], "Previous symbols": ["A0, A00"], "Alias symbols": [""], "Status": ["Approved"]}
    )
    assert aliases_rule(download)("A00").to == "A1"


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"name": ["A"], "prev_symbol": ["B"]}, "no column of current symbols .*there are: 'name', 'prev_symbol'"),
        ({"symbol": ["A"], "other": ["B"]}, "no column of previous symbols .*kind='ids'"),
        ({"symbol": ["A"], "prev_symbol": [""]}, "with anything in it"),
    ],
)
def test_tables_of_aliases_that_are_none(columns: dict[str, list[str]], message: str):
    with pytest.raises(InputError, match=message):
        aliases_rule(pd.DataFrame(columns))


def test_ids_with_and_without_versions():
    rule = ids_rule(
        ["ENSG00000000001.4", "ENSG00000000002", "ENSG00000000003", "ENSG00000000003"], ["A", "B", "C", "D"]
    )
    assert rule("ENSG00000000001").to == rule("ENSG00000000001.9").to == "A"
    assert rule("ENSG00000000002.1").to == "B"
    assert rule("ENSG00000000003") == NewName(reason="means 2 genes: C, D")
    # Where ids and symbols are mixed, the symbols stay.
    assert rule("B") == NewName("B")
    assert rule("ENSG00000000009") == NewName()
    assert ids_rule(["A", "B", ""], ["", "X", "Y"])("A") == NewName()


def test_symbols_joined_with_ids():
    rule = with_parts(ids_rule(["ENSG00000105369", "CD79A", "ENSG00000002586"], ["one", "two", "CD99"]))
    assert rule("CD79A_ENSG00000105369") == NewName("two", "by its part CD79A")
    assert rule("UNKNOWN_ENSG00000105369.7").to == "one"
    assert rule("ENSG00000105369_UNKNOWN").to == "one"
    assert rule("ENSG00000002586.18_PAR_Y").to == "CD99"
    assert rule("UNKNOWN_ENSG00000999999") == NewName()
    assert [symbol_of_parts(n).to for n in ("HLA-A_ENSG00000206503", "MT_CO1", "ENSG00000002586.18_PAR_Y")] == [
        "HLA-A",
        "MT_CO1",
        "ENSG00000002586.18_PAR_Y",
    ]
    ambiguous = with_parts(aliases_rule(HGNC))("NICK_ENSG00000105369")
    assert (ambiguous.to, ambiguous.reason) == ("", "alias of 2 genes: AAA1, BBB1")


MOUSE = ["Cd4", "Ccl3", "Ccl3", "Gm1", "Gm2", "Lyz1", "Lyz2", "C3", "Cd4"]
HUMAN = ["CD4", "CCL3", "CCL3L1", "GENE1", "GENE1", "LYZ", "LYZ", "", "CD4"]


def test_one_to_one_orthologs():
    found = _map(
        ["Cd4", "Ccl3", "Gm1", "Lyz2", "C3", "Xkr4"], orthologs_rule(MOUSE, HUMAN, None, only=True), drop_unknown=True
    )
    assert found.to.tolist() == ["CD4", "", "", "", "", ""]
    assert found.reason[1] == "has 2 orthologs: CCL3, CCL3L1"
    # Whichever of the two mouse genes is here: the table decides.
    assert found.reason[3] == "LYZ is the ortholog of 2 genes: Lyz1, Lyz2"
    # Human C3 is another gene than mouse C3 without an ortholog.
    assert "C3" not in found.genes


def test_more_orthologs_where_asked():
    found = _map(
        ["Cd4", "Ccl3", "Gm1", "Lyz2", "Lyz1"], orthologs_rule(MOUSE, HUMAN, None, only=False), drop_unknown=True
    )
    assert found.to.tolist() == ["CD4", "CCL3", "GENE1", "LYZ", "LYZ"]
    assert found.status.tolist() == ["renamed", "renamed", "renamed", "merged", "merged"]
    assert orthologs_rule(["Abc", "Abc"], ["X1", "X2"], None, only=False)("Abc").reason == "has 2 orthologs: X1, X2"


def test_the_table_s_own_word_on_orthologs_counts():
    frame = pd.DataFrame({"a": ["A", "B", "C"], "Human homology type": ["ortholog_one2one", "ortholog_one2many", ""]})
    one = is_one2one(frame)
    assert one is not None
    assert one.tolist() == [True, False, True]
    rule = orthologs_rule(["A", "B", "C"], ["X", "Y", "Z"], one, only=True)
    assert [rule(n).to for n in "ABC"] == ["X", "", "Z"]
    assert rule("B").reason == "not one-to-one by the table (Y)"
    assert is_one2one(frame[["a"]]) is None


names_strategy = st.lists(st.integers(0, 12), min_size=1, max_size=30)
tables = st.dictionaries(st.integers(0, 12), st.integers(0, 20), max_size=13)


@settings(max_examples=150, deadline=None)
@given(names_strategy, tables, st.sampled_from(["sum", "first"]), st.booleans())
def test_any_names_and_table(numbers: list[int], table: dict[int, int], merge: Any, drop: bool):
    """Every old gene goes to its name or nowhere; new names are unique; nothing is counted twice."""
    names = [f"g{i}" for i in numbers]
    rule = ids_rule([f"g{a}" for a in table], [f"g{b}" for b in table.values()])
    found = _map(names, rule, merge=merge, drop_unknown=drop)
    expected = {
        f"g{i}": f"g{table[i]}" if i in table else "" if drop and i not in table.values() else f"g{i}"
        for i in range(13)
    }
    assert len(set(found.genes.tolist())) == len(found.genes)
    wanted = defaultdict(list)
    for i, name in enumerate(names):
        if expected[name]:
            wanted[expected[name]].append(i)
    assert found.genes.tolist() == list(wanted)
    for number, gene in enumerate(found.genes.tolist()):
        members = np.flatnonzero(found.code == number).tolist()
        assert members == wanted[gene] if merge == "sum" else len(members) == 1
        assert found.first[number] in members
        assert set(members) <= set(wanted[gene])
    assert set(found.status.tolist()) <= set(STATUSES)
    assert sum(found.counts.values()) == len(names)
    np.testing.assert_array_equal(found.status == "lost", found.code < 0)
    np.testing.assert_array_equal(found.to == "", found.code < 0)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=20), st.lists(st.tuples(*[st.integers(0, 9)] * 3), max_size=8))
def test_current_symbols_are_never_replaced(numbers: list[int], rows: list[tuple[int, int, int]]):
    table = _hgnc(*((f"g{a}", f"g{b}", f"g{c}") for a, b, c in rows), ("z", "zz", ""))
    found = _map([f"g{i}" for i in numbers], aliases_rule(table))
    for name, to in zip(found.names.tolist(), found.to.tolist(), strict=True):
        if name in set(table["symbol"]):
            assert to == name


# ---- values

FORMS: dict[str, Callable[[np.ndarray], Any]] = {
    "dense": np.array,
    "fortran": np.asfortranarray,
    "csr": sparse.csr_matrix,
    "csr_array": sparse.csr_array,
    "csc": sparse.csc_matrix,
    "csc_array": sparse.csc_array,
}


def _dense(X: Any) -> np.ndarray:
    return X.toarray() if sparse.issparse(X) else np.asarray(X)


@pytest.fixture
def mapping() -> GeneMapping:
    """Eight genes; two, three, one and none of them go to one name."""
    table = {"b": "B", "c": "B", "d": "D", "e": "E", "f": "E", "g": "E"}
    lost = {"h": NewName(reason="two")}
    return assign(np.array(list("abcdefgh")), [lost.get(n) or NewName(table.get(n, "")) for n in "abcdefgh"])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.int32, np.uint8, np.uint16, bool])
def test_counts_are_added(mapping: GeneMapping, form: str, dtype: Any):
    D = np.random.default_rng(0).poisson(60, (11, 8)).astype(dtype)
    X = FORMS[form](D)
    out = remap(X, mapping, unlog=None, where="X")
    wide = D.astype(np.int64)
    expected = np.stack([wide[:, 0], wide[:, 1] + wide[:, 2], wide[:, 3], wide[:, 4:7].sum(axis=1)], axis=1)
    np.testing.assert_array_equal(_dense(out), expected)
    assert mapping.genes.tolist() == ["a", "B", "D", "E"]
    assert type(out) is type(X)
    assert out.dtype.kind == (X.dtype.kind if dtype is not bool else "i")
    if sparse.issparse(X):
        assert out.format == X.format
        assert out.has_sorted_indices
    np.testing.assert_array_equal(_dense(X), D)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("base", [np.e, 2.0, 10.0])
def test_logarithms_are_undone_for_sums_alone(mapping: GeneMapping, form: str, base: float):
    counts = np.random.default_rng(1).poisson(0.8, (9, 8)).astype(np.float64)
    D = (np.log1p(counts) / np.log(base)).astype(np.float32)
    out = _dense(remap(FORMS[form](D), mapping, unlog=base, where="X"))
    np.testing.assert_array_equal(out[:, [0, 2]], D[:, [0, 3]])
    expected = np.log1p(np.stack([counts[:, 1:3].sum(axis=1), counts[:, 4:7].sum(axis=1)], axis=1)) / np.log(base)
    np.testing.assert_allclose(out[:, [1, 3]], expected, rtol=1e-5)


def test_values_stored_in_parts_are_one_value(mapping: GeneMapping):
    """A logarithm must see the sum of the entries of a place."""
    parts = sparse.csr_matrix((np.full(4, 0.5, np.float32), np.array([1, 1, 2, 3]), np.array([0, 4])), shape=(1, 8))
    assert not parts.has_canonical_format
    out = remap(parts, mapping, unlog=np.e, where="X").toarray()[0]
    np.testing.assert_allclose(out, [0, np.log1p(np.expm1(1.0) + np.expm1(0.5)), 0.5, 0], rtol=1e-6)
    assert parts.nnz == 4


def test_without_merges_values_are_only_moved():
    found = _map(["a", "b", "c"], ids_rule(["a", "c"], ["X", "Y"]), drop_unknown=True)
    X = sparse.random(20, 3, 0.5, format="csr", dtype=np.float32, random_state=np.random.default_rng(0))
    out = remap(X, found, unlog=None, where="X")
    np.testing.assert_array_equal(out.toarray(), X.toarray()[:, [0, 2]])
    assert out.dtype == X.dtype


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-1, 6), min_size=1, max_size=14), st.integers(0, 2**32 - 1))
def test_no_count_is_made_or_lost(groups: list[int], seed: int):
    kept = sorted({g for g in groups if g >= 0}, key=groups.index)
    code = np.array([kept.index(g) if g >= 0 else -1 for g in groups], dtype=np.intp)
    first = np.array([groups.index(g) for g in kept], dtype=np.intp)
    X = sparse.csr_matrix(np.random.default_rng(seed).poisson(0.7, (5, len(groups))).astype(np.float32))
    out = Columns(code, first)(X)
    assert out.shape == (5, len(kept))
    np.testing.assert_array_equal(out.sum(axis=1), X[:, np.flatnonzero(code >= 0)].sum(axis=1))


def test_dask_stays_lazy(mapping: GeneMapping):
    da = pytest.importorskip("dask.array")
    D = np.random.default_rng(0).poisson(2, (12, 8)).astype(np.float32)
    for X in (da.from_array(D, chunks=(5, 3)), da.from_array(D, chunks=(4, -1)).map_blocks(sparse.csr_matrix)):
        out = remap(X, mapping, unlog=None, where="X")
        assert hasattr(out, "dask")
        assert out.shape == (12, 4)
        computed = out.compute(scheduler="synchronous")
        np.testing.assert_array_equal(_dense(computed), _dense(remap(D, mapping, unlog=None, where="X")))


def test_dask_with_logarithms(mapping: GeneMapping):
    da = pytest.importorskip("dask.array")
    D = np.log1p(np.random.default_rng(0).poisson(2, (12, 8))).astype(np.float32)
    out = remap(da.from_array(D, chunks=(5, -1)), mapping, unlog=np.e, where="X").compute(scheduler="synchronous")
    np.testing.assert_array_equal(out, remap(D, mapping, unlog=np.e, where="X"))


def test_a_matrix_in_a_file_is_refused_with_the_cure(mapping: GeneMapping, tmp_path: Path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        X = file.create_dataset("X", data=np.ones((3, 8), np.float32))
        with pytest.raises(InputError, match=r"adata\.layers\['a'\] is in a file.*to_memory.*read_lazy"):
            remap(X, mapping, unlog=None, where="adata.layers['a']")
