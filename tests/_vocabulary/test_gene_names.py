"""What genes are called: kind, species, duplicates, other columns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from sc_annotate._core.codec import to_json
from sc_annotate._core.decode import decode
from sc_annotate._vocabulary import gene_names
from sc_annotate.errors import InputError

HUMAN = np.array(["CD4", "MS4A1", "HLA-DRA", "LYZ", "NKG7", "C1orf127", "MT-CO1", "S100A9", "CST3", "PPBP"])
MOUSE = np.array(["Cd4", "Ms4a1", "H2-Aa", "Lyz2", "Nkg7", "Xkr4", "mt-Co1", "S100a9", "Cst3", "Ppbp"])


def _ensembl(n: int, prefix: str = "ENSG", version: bool = False) -> np.ndarray:
    return np.array([f"{prefix}{i:011d}{f'.{i % 9 + 1}' if version else ''}" for i in range(n)])


@pytest.mark.parametrize(
    ("names", "id_type", "species"),
    [
        (HUMAN, "symbol", "human"),
        (MOUSE, "symbol", "mouse"),
        (_ensembl(20), "ensembl", "human"),
        (_ensembl(20, version=True), "ensembl_versioned", "human"),
        (_ensembl(20, "ENSMUSG"), "ensembl", "mouse"),
        (_ensembl(20, "ENSRNOG"), "ensembl", "rat"),
        (_ensembl(20, "ENSDARG"), "ensembl", "zebrafish"),
        (_ensembl(20, "ENSXYZG"), "ensembl", "unknown"),
        (np.concatenate([HUMAN, _ensembl(10)]), "mixed", "human"),
        (np.concatenate([_ensembl(95), HUMAN[:5]]), "ensembl", "human"),
        (np.concatenate([_ensembl(1), np.tile(HUMAN, 3)]), "symbol", "human"),
        (np.array(["1", "2", "3"]), "symbol", "unknown"),
        (np.array(["g", "ab"]), "symbol", "unknown"),
        (np.array(["aaa1", "aBc2", "dEf"]), "symbol", "unknown"),
        (np.array(["CD4", "MS4A1", "Cd8a", "Lyz2"]), "symbol", "unknown"),
        (_ensembl(4000), "ensembl", "human"),
    ],
)
def test_look(names: np.ndarray, id_type: str, species: str):
    report = gene_names.look(names)
    assert (report.id_type, report.species) == (id_type, species)
    assert report.n_genes == len(names)
    assert report.examples == names[:5].tolist()
    assert report.other_column is None


MOUSE_ONLY = np.array(
    [
        "0610007P14Rik",
        "1110004F10Rik",
        "A230050P20Rik",
        "Gm10076",
        "Gm42418",
        "H2-K1",
        "H2-Ab1",
        "Ly6c2",
        "Lyz2",
        "Klra4",
        "Trp53inp1",
    ]
)


@pytest.mark.parametrize(
    ("names", "species"),
    [
        (np.char.upper(MOUSE_ONLY), "mouse"),
        (np.char.upper(np.concatenate([MOUSE_ONLY[:2], np.tile(HUMAN[[0, 1, 3, 4]], 20)])), "mouse"),
        (np.char.upper(MOUSE), "mouse"),
        (np.append(HUMAN, "ZFP161"), "human"),
        (np.append(HUMAN, ["ZFP161", "LYZ2", "HLA-DRB1", "LINC00115"]), "human"),
        (
            np.array(
                ["GM2A", "GMNN", "H2AC6", "H2BC4", "H2AZ1", "LY6E", "LY6D", "ZFP36", "ZFP36L1", "RP11-34P13.7", "LYZ"]
            ),
            "human",
        ),
        (np.array([f"G{i}A" for i in range(60)] + [f"G{i}a" for i in range(60)]), gene_names.BOTH),
        (np.concatenate([_ensembl(50), _ensembl(50, "ENSMUSG")]), gene_names.BOTH),
        (np.concatenate([_ensembl(98), _ensembl(2, "ENSMUSG")]), "human"),
    ],
)
def test_species(names: np.ndarray, species: str):
    assert gene_names.species_of(names) == species
    assert gene_names.look(names).species == species


def test_every_second_name_is_seen():
    """Of a long list some names are looked at: not only those of one of two tables that were joined row by row."""
    names = _ensembl(32_000)
    names[::2] = [f"S{i}A" for i in range(16_000)]
    assert gene_names.look(names).id_type == "mixed"


def test_look_counts_duplicates():
    report = gene_names.look(np.array(["B", "A", "B", "C", "A", "A", "D"]))
    assert (report.n_duplicated, report.duplicated) == (2, ["A", "B"])
    many = gene_names.look(np.repeat(HUMAN, 2))
    assert (many.n_duplicated, len(many.duplicated)) == (10, 5)
    assert gene_names.look(HUMAN).duplicated == []


def test_report_as_plain_values():
    report = gene_names.look(HUMAN)
    assert decode(gene_names.GeneReport, to_json(report)) == report


@pytest.fixture
def var() -> pd.DataFrame:
    return pd.DataFrame(
        {"gene_ids": _ensembl(10), "feature_name": pd.Categorical(HUMAN), "mine": MOUSE, "length": range(10)},
        index=HUMAN,
    )


def test_other_columns(var: pd.DataFrame):
    assert gene_names.look(HUMAN, var).other_column == "feature_name"
    assert gene_names.look(HUMAN, var, "mine").other_column == "mine"
    assert gene_names.look(HUMAN, var[["gene_ids"]]).other_column == "gene_ids"
    assert gene_names.look(HUMAN, var[["mine"]]).other_column is None


def test_named(var: pd.DataFrame):
    lists = gene_names.named(HUMAN, var, None, what="adata")
    assert list(lists) == ["var_names", "var['feature_name']", "var['gene_ids']"]
    assert all(v.dtype.kind == "U" for v in lists.values())
    np.testing.assert_array_equal(lists["var['gene_ids']"], _ensembl(10))
    named = gene_names.named(HUMAN, var, "mine", what="adata")
    assert list(named) == ["var_names", "var['mine']"]
    assert list(gene_names.named(HUMAN, None, None, what="adata")) == ["var_names"]


@pytest.mark.parametrize(("table", "there"), [(None, "none"), (pd.DataFrame({"a": [1]}), "'a'")])
def test_named_refuses_an_absent_column(table: pd.DataFrame | None, there: str):
    with pytest.raises(InputError, match=rf"q\.var has no column 'symbol'.*there are: {there}"):
        gene_names.named(np.array(["x"]), table, "symbol", what="q")


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA])
@pytest.mark.parametrize("dtype", [object, "category", "string"])
def test_genes_without_a_name_are_blank(missing: Any, dtype: Any):
    var = pd.DataFrame({"symbol": pd.Series(["CD4", missing, "LYZ"]).astype(dtype)})
    lists = gene_names.named(HUMAN[:3], var, None, what="adata")
    assert lists["var['symbol']"].tolist() == ["CD4", "", "LYZ"]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("CD79A_ENSG00000105369", ("CD79A", "ENSG00000105369")),
        ("HLA-A|ENSG00000206503.14", ("HLA-A", "ENSG00000206503.14")),
        ("ENSMUSG00000000001_Gnai3", ("Gnai3", "ENSMUSG00000000001")),
        ("A_B_ENSG00000206503", ("A_B", "ENSG00000206503")),
        ("ENSG00000002586.18_PAR_Y", ("", "ENSG00000002586.18")),
        ("ENSG00000002586", ("", "")),
        ("_ENSG00000002586", ("", "")),
        ("CD79A", ("", "")),
        ("CD79A_ENSG1", ("", "")),
        ("", ("", "")),
    ],
)
def test_names_that_join_a_symbol_with_an_id(name: str, found: tuple[str, str]):
    assert gene_names.parts(name) == found
    assert gene_names.n_joined(np.array([name, "CD4", name])) == 2 * bool(found[0])


def test_strip_version():
    names = np.array(
        ["ENSG00000000001.12", "ENSG00000000002", "AC004556.1", "ENSMUSG00000000003.1", "ENSG1.2", "RP11.34"]
    )
    stripped = ["ENSG00000000001", "ENSG00000000002", "AC004556.1", "ENSMUSG00000000003", "ENSG1.2", "RP11.34"]
    assert gene_names.strip_version(names).tolist() == stripped
