"""Tables of genes from files, DataFrames and dicts, and the columns that are meant."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from sc_annotate._vocabulary.gene_ids.gene_tables import check_columns, pair_of_columns, read_table
from sc_annotate.errors import GeneError, InputError

if TYPE_CHECKING:
    from pathlib import Path

NAMES = np.array(["ENSG00000000001", "ENSG00000000002.3", "ENSG00000000003"])
IDS = ["ENSG00000000001", "ENSG00000000002", "ENSG00000000009"]
SYMBOLS = ["A", "", "C"]


@pytest.mark.parametrize("separator", [",", "\t", ";"])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("start", ["", "\ufeff"])
def test_files(tmp_path: Path, separator: str, packed: bool, start: str):
    text = start + "\n".join(separator.join(row) for row in [("id", " symbol "), *zip(IDS, SYMBOLS, strict=True)])
    path = tmp_path / ("genes.csv.gz" if packed else "genes.txt")
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    for given in (path, str(path)):
        frame = read_table(given, NAMES)
        assert list(frame) == ["id", "symbol"]
        assert frame["id"].tolist() == IDS
        assert frame["symbol"].tolist() == SYMBOLS


def test_a_file_without_a_header(tmp_path: Path):
    path = tmp_path / "pairs.tsv"
    path.write_text("ENSG00000000001\tA\nENSG00000000003\tNA\n", encoding="utf-8")
    frame = read_table(path, NAMES)
    assert list(frame) == ["0", "1"]
    # A gene may be called NA.
    assert frame["1"].tolist() == ["A", "NA"]


def test_several_names_in_quotes(tmp_path: Path):
    path = tmp_path / "hgnc_complete_set.txt"
    path.write_text('hgnc_id\tsymbol\tprev_symbol\n1\tSEPTIN2\t"DIFF6|NEDD5"\n', encoding="utf-8")
    assert read_table(path, NAMES)["prev_symbol"].tolist() == ["DIFF6|NEDD5"]


@pytest.mark.parametrize(
    "table",
    [
        dict(zip(IDS, SYMBOLS, strict=True)),
        pd.DataFrame({"from": IDS, "to": ["A", None, "C"]}),
        pd.DataFrame({"from": pd.Categorical(IDS), "to": pd.array(["A", pd.NA, "C"], dtype="string")}),
        pd.DataFrame({"to": ["A", np.nan, "C"]}, index=pd.Index(IDS, name="from")),
    ],
    ids=["dict", "frame", "categories", "index"],
)
def test_tables_in_memory(table: Any):
    frame = read_table(table, NAMES)
    assert list(frame) == ["from", "to"]
    assert frame["from"].tolist() == IDS
    assert frame["to"].tolist() == SYMBOLS


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (3, "not int"),
        ({"a": 1}, "both strings"),
        ({}, "has 0 rows and 2 columns"),
        (pd.DataFrame({"a": ["x"]}), "at least two columns"),
        ("no/such/file.csv", "there is no file 'no/such/file.csv'; the path of a table of genes"),
    ],
)
def test_tables_that_are_none(table: Any, message: str):
    with pytest.raises(InputError, match=message):
        read_table(table, NAMES)


def test_broken_files(tmp_path: Path):
    broken = bytearray(gzip.compress(b"id,symbol\n" * 50))
    broken[12:20] = b"12345678"
    for name, content in (
        ("a.csv.gz", b"no gzip"),
        ("e.csv.zip", b"no archive"),
        ("f.csv.xz", b"no archive"),
        ("g.csv", b"id,symbol\nENSG1,A,1\nENSG2,B,2\n"),
        ("d.csv.gz", broken),
        ("b.csv", b"\xff\xfe\x00\x01"),
        ("c.csv", b""),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=f"{name}' cannot be read as a table of genes"):
            read_table(tmp_path / name, NAMES)


BIOMART = pd.DataFrame(
    {
        "Gene stable ID": ["ENSMUSG00000000001"],
        "Gene stable ID version": ["ENSMUSG00000000001.5"],
        "Gene name": ["Gnai3"],
        "Human gene stable ID": ["ENSG00000065135"],
        "Human gene name": ["GNAI3"],
        "Human homology type": ["ortholog_one2one"],
    }
)


def test_the_columns_that_are_meant():
    ids = pd.DataFrame({"Gene stable ID": IDS, "Gene name": SYMBOLS, "Chromosome": ["1", "2", "3"]})
    assert pair_of_columns(ids, NAMES, "ids", None, None) == ("Gene stable ID", "Gene name")
    back = np.array(["A", "C"])
    assert pair_of_columns(ids, back, "ids", None, None) == ("Gene name", "Gene stable ID")
    assert pair_of_columns(BIOMART, np.array(["Gnai3"]), "orthologs", None, None) == ("Gene name", "Human gene name")
    # Two columns in either order.
    pair = pd.DataFrame({"human": ["CD4"], "mouse": ["Cd4"]})
    assert pair_of_columns(pair, np.array(["Cd4"]), "orthologs", None, None) == ("mouse", "human")
    assert pair_of_columns(pair, np.array(["CD4"]), "orthologs", None, None) == ("human", "mouse")
    ids = pair_of_columns(BIOMART, np.array(["ENSMUSG00000000001.2"]), "orthologs", None, None)
    assert ids == ("Gene stable ID", "Human gene stable ID")
    chosen = pair_of_columns(BIOMART, np.array(["ENSMUSG00000000001"]), "orthologs", None, "Human gene name")
    assert chosen == ("Gene stable ID", "Human gene name")


def test_a_table_is_never_turned_round_by_a_guess():
    """An object with more new names than old ones."""
    names = np.array(["NEW1", "NEW2", "OLD3"])
    table = pd.DataFrame({"alt": ["OLD1", "OLD2", "OLD3"], "neu": ["NEW1", "NEW2", "NEW3"]})
    with pytest.raises(InputError, match="'neu' has 2, 'alt' 1. Say with from_column="):
        pair_of_columns(table, names, "ids", None, None)
    assert pair_of_columns(table, names, "ids", "alt", None) == ("alt", "neu")
    assert pair_of_columns(table, names, "ids", None, "neu") == ("alt", "neu")
    said = table.set_axis(["from", "to"], axis=1)
    assert pair_of_columns(said, names, "ids", None, None) == ("from", "to")
    # Ten names that two species share do not stand in the way.
    mouse = np.array([*(f"Gene{i}" for i in range(200)), "C3"])
    both = pd.DataFrame({"human": [n.upper() for n in mouse], "mouse": mouse})
    assert pair_of_columns(both, mouse, "orthologs", None, None) == ("mouse", "human")


@pytest.mark.parametrize(
    ("kwargs", "error", "message"),
    [
        ({"from_column": "no"}, InputError, "no column 'no' .from_column.; there are: 'Gene stable ID'"),
        ({"to_column": "no"}, InputError, "no column 'no' .to_column"),
        ({"from_column": "Gene name", "to_column": "Gene name"}, InputError, "both 'Gene name'"),
        ({"names": ["Xkr4"]}, GeneError, "no column of the table .* holds any gene of adata .Xkr4.*another species"),
        ({"from_column": "Human homology type"}, InputError, "say with to_column= which one"),
    ],
)
def test_columns_that_could_be_any(kwargs: dict[str, Any], error: type[Exception], message: str):
    asked = {"names": ["Gnai3"], "from_column": None, "to_column": None} | kwargs
    with pytest.raises(error, match=message):
        pair_of_columns(BIOMART, np.array(asked["names"]), "orthologs", asked["from_column"], asked["to_column"])


def test_columns_of_one_name():
    with pytest.raises(InputError, match="same name: a, a"):
        check_columns(pd.DataFrame([["x", "y"]], columns=["a", "a"]))
