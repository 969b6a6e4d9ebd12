"""The packaged lists of markers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import sc_annotate as sca
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path


def test_pbmc_is_consistent() -> None:
    table = sca.datasets.marker_lists("pbmc")
    assert not table.duplicated(["type", "gene"]).any(), "no gene speaks for and against the same type"
    assert table.groupby("type")["term_id"].nunique().eq(1).all()
    assert table["term_id"].str.fullmatch(r"CL:\d{7}").all()
    assert table.drop_duplicates("type")["term_id"].is_unique
    assert set(table["weight"]) == {1.0, -1.0}
    assert (table[table["weight"] > 0].groupby("type").size() >= 6).all()


def test_ids_are_those_of_the_ontology(shared_data: Path) -> None:
    """Each id has the name of the type among those that another resource gives."""
    import pandas as pd

    known = pd.read_csv(shared_data / "resources" / "marker_genes_accordion.csv.gz", usecols=["CL_celltype", "CL_ID"])
    names = known.drop_duplicates().set_index("CL_ID")["CL_celltype"]
    table = sca.datasets.marker_lists("pbmc").drop_duplicates("type").set_index("type")["term_id"]
    assert names[table["B cell"]] == "B cell"
    assert names[table["classical monocyte"]] == "classical monocyte"
    assert names[table["non-classical monocyte"]] == "non-classical monocyte"
    assert names[table["naive CD4 T cell"]] == "naive thymus-derived CD4-positive, alpha-beta T cell"
    assert names[table["naive CD8 T cell"]] == "naive thymus-derived CD8-positive, alpha-beta T cell"
    assert names[table["memory CD4 T cell"]] == "CD4-positive, alpha-beta memory T cell"
    assert names[table["memory CD8 T cell"]] == "CD8-positive, alpha-beta memory T cell"
    same = [t for t in table.index if t.split()[-1] == "cell" and "CD" not in t] + ["platelet", "erythrocyte"]
    assert [names[table[t]] for t in same] == same


@pytest.mark.parametrize("name", ["liver", None, ["pbmc"]])
def test_unknown_name(name: Any) -> None:
    with pytest.raises(InputError, match="'pbmc'"):
        sca.datasets.marker_lists(name)
