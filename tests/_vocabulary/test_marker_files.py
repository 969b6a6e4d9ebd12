"""Marker lists from files that are no tables, and errors about tables that are none."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING

import pytest

from sc_annotate._vocabulary.marker_lists.lists import read_markers
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

GMT = "B cell\thttps://example.org\tCD79A\tMS4A1,0.7\n\nT cell\t\tCD3D\t-CD79A\n"
KNOWN = {("B cell", "CD79A"): 1.0, ("B cell", "MS4A1"): 1.0, ("T cell", "CD3D"): 1.0, ("T cell", "CD79A"): -1.0}


def _read(path: Path) -> dict[tuple[str, str], float]:
    found = read_markers(path)
    assert found.source == f"the file {path.name!r}"
    return {
        (str(found.types[place]), str(gene)): float(weight)
        for place, gene, weight in zip(found.type_of, found.genes, found.weights, strict=True)
    }


@pytest.mark.parametrize("name", ["lists.gmt", "lists.GMT", "lists.gmt.gz", "lists.json", "lists.json.gz"])
def test_gmt_and_json(tmp_path: Path, name: str) -> None:
    lists = {"B cell": ["CD79A", "MS4A1"], "T cell": {"CD3D": 1, "CD79A": -1.0}}
    text = json.dumps(lists) if "json" in name else GMT
    data = text.encode()
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    assert _read(tmp_path / name) == KNOWN


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.json", "[1, 2]", "must hold the genes of each type"),
        ("a.json", "{'B': 1}", "cannot be read as a JSON file of markers"),
        ("a.json", "[" * 100_000, "a JSON file of markers"),
        ("a.json", '{"B cell": "CD79A"}', "must be a list of genes"),
        ("a.gmt", "B cell\n", "line 1 of .*is not of a GMT file"),
        ("a.gmt", "", "holds no gene sets"),
    ],
)
def test_files_that_hold_no_lists(tmp_path: Path, name: str, text: str, words: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=words):
        read_markers(tmp_path / name)


def test_columns_of_what_is_no_table(tmp_path: Path) -> None:
    (tmp_path / "a.gmt").write_text(GMT)
    with pytest.raises(InputError, match="^type_column: .*is no table"):
        read_markers(tmp_path / "a.gmt", columns={"type": "cell", "gene": None})


def test_names_of_columns_are_cut_in_errors(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("\t".join(f"GENE{i}" for i in range(500)) + "\n")
    with pytest.raises(InputError, match=r"has no column of types .*type_column='\.\.\.'") as raised:
        read_markers(tmp_path / "a.csv")
    assert len(str(raised.value)) < 400
