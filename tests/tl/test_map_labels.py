"""Free labels to ids, in a column beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import sc_annotate as sca
from sc_annotate.errors import InputError, StorageError

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

TREE = {"CD14-positive monocyte": "cell", "dendritic cell": "cell", "B cell": "cell", "natural killer cell": "cell"}


def _table(adata: AnnData, key: str = "cell_type") -> pd.DataFrame:
    return adata.uns[f"{key}_ontology"]["table"].set_index("label")


def test_ids_beside_the_labels(pbmc: AnnData) -> None:
    before = pbmc.copy()
    sca.tl.map_labels(pbmc, "cell_type", ontology=TREE, overrides={"CD19+ B": "B cell", "no such label": "B cell"})
    table = _table(pbmc)
    assert table.loc["CD14+ Monocyte", ["term_id", "how"]].tolist() == ["CD14-positive monocyte", "normalised"]
    assert table.loc["CD19+ B", ["term_name", "how"]].tolist() == ["B cell", "override"]
    assert table.loc["CD56+ NK", ["term_id", "how"]].tolist() == ["", "unmapped"]
    assert table["n_cells"].sum() == pbmc.n_obs
    ids = pbmc.obs["cell_type_ontology_term_id"]
    assert isinstance(ids.dtype, pd.CategoricalDtype)
    for label, row in table.iterrows():
        assert set(ids[pbmc.obs["cell_type"] == label]) == {row["term_id"] or "unknown"}
    assert pbmc.uns["cell_type_ontology"]["n_cells_unmapped"] == (ids == "unknown").sum() > 0
    pd.testing.assert_frame_equal(pbmc.obs[before.obs.columns], before.obs)
    np.testing.assert_array_equal(pbmc.X.toarray(), before.X.toarray())


def test_near_names_help(pbmc: AnnData) -> None:
    pbmc.obs["cell_type"] = np.where(pbmc.obs["cell_type"] == "Dendritic", "dendridic cells", "B")
    sca.tl.map_labels(pbmc, "cell_type", ontology=TREE)
    assert _table(pbmc).loc["dendridic cells", ["how", "near"]].tolist() == ["unmapped", "dendritic cell"]


def test_round_trip_and_again(pbmc: AnnData, tmp_path: Path) -> None:
    sca.tl.map_labels(pbmc, "cell_type", ontology=TREE)
    pbmc.write_h5ad(tmp_path / "x.h5ad")
    back = ad.read_h5ad(tmp_path / "x.h5ad")
    assert back.obs["cell_type_ontology_term_id"].tolist() == pbmc.obs["cell_type_ontology_term_id"].tolist()
    assert _table(back).astype(str).to_dict() == _table(pbmc).astype(str).to_dict()
    sca.tl.map_labels(back, "cell_type", ontology=TREE, overrides={"CD34+": "cell"})
    assert _table(back).loc["CD34+", "how"] == "override"


@pytest.mark.parametrize("kind", ["view", "backed", "missing", "string"])
def test_odd_objects(pbmc: AnnData, tmp_path: Path, kind: str) -> None:
    n = 100
    if kind == "view":
        adata = pbmc[:n]
    elif kind == "backed":
        pbmc[:n].copy().write_h5ad(tmp_path / "b.h5ad")
        adata = ad.read_h5ad(tmp_path / "b.h5ad", backed="r")
    else:
        adata = pbmc[:n].copy()
        text = adata.obs["cell_type"].astype(object)
        if kind == "missing":
            text.iloc[:5] = None
        adata.obs["cell_type"] = text if kind == "missing" else text.astype("string")
    sca.tl.map_labels(adata, "cell_type", ontology=TREE)
    ids = adata.obs["cell_type_ontology_term_id"]
    assert len(ids) == n
    assert ((ids == "dendritic cell") == (adata.obs["cell_type"] == "Dendritic").fillna(False).astype(bool)).all()
    if kind == "missing":
        assert (ids.iloc[:5] == "unknown").all()
    if kind == "backed":
        adata.file.close()


def test_bad_input(pbmc: AnnData) -> None:
    before = pbmc.copy()
    with pytest.raises(InputError, match="Did you mean 'cell_type'"):
        sca.tl.map_labels(pbmc, "cel_type", ontology=TREE)
    with pytest.raises(InputError, match="no term 'monocyt'"):
        sca.tl.map_labels(pbmc, "cell_type", ontology=TREE, overrides={"CD34+": "monocyt"})
    with pytest.raises(InputError, match="dict from label"):
        sca.tl.map_labels(pbmc, "cell_type", ontology=TREE, overrides={"CD34+": 3})
    with pytest.raises(InputError, match="must be a dict"):
        sca.tl.map_labels(pbmc, "cell_type", ontology=TREE, overrides=["CD34+"])
    assert list(pbmc.obs) == list(before.obs)
    assert list(pbmc.uns) == list(before.uns)
    pbmc.obs["cell_type_ontology_term_id"] = "mine"
    with pytest.raises(StorageError, match="not written by sc_annotate"):
        sca.tl.map_labels(pbmc, "cell_type", ontology=TREE)
    assert (pbmc.obs["cell_type_ontology_term_id"] == "mine").all()


@pytest.mark.parametrize(
    ("file", "overrides", "accepted"),
    [
        (
            "kang2018_pbmc_ifnb",
            {"FCGR3A+ Monocytes": "CL:0002396"},
            {
                "B cells": "CL:0000236",
                "CD14+ Monocytes": "CL:0001054",
                "CD4 T cells": "CL:0000624",
                "CD8 T cells": "CL:0000625",
                "FCGR3A+ Monocytes": "CL:0002396",
            },
        ),
        (
            "pbmc3k",
            None,
            {
                "B": "CL:0000236",
                "CD14+ Mono": "CL:0001054",
                "CD8 T": "CL:0000625",
                "DC": "CL:0000451",
                "FCGR3A+ Mono": "",
                "Memory CD4 T": "CL:0000897",
                "NK": "CL:0000623",
                "Naive CD4 T": "CL:0000895",
                "Platelet": "CL:0000233",
            },
        ),
    ],
)
def test_real_labels(shared_data: Path, file: str, overrides: dict | None, accepted: dict[str, str]) -> None:
    pytest.importorskip("cellxgene_ontology_guide")
    adata = ad.read_h5ad(shared_data / f"{file}.h5ad")
    sca.tl.map_labels(adata, "cell_type", overrides=overrides)
    assert _table(adata)["term_id"].to_dict() == accepted


@pytest.mark.slow
def test_ids_of_an_earlier_result_go_with_it(pair: tuple[AnnData, AnnData]) -> None:
    """Otherwise ids of other labels would stand beside the new ones."""
    reference, query = pair
    tree = {"B cell": "cell", "dendritic cell": "cell"}
    sca.tl.annotate(query, reference, "cell_type", method="nearest_centroid", cv=0)
    sca.tl.map_labels(query, "annotation", ontology=tree, overrides={"CD19+ B": "B cell"})
    sca.tl.map_labels(query, "cell_type", ontology=tree)
    sca.tl.annotate(query, reference, "cell_type", method="naive_bayes", cv=0)
    assert "annotation_ontology_term_id" not in query.obs
    assert "annotation_ontology" not in query.uns
    assert "cell_type_ontology_term_id" in query.obs, "labels of the user stay as they were, and so do their ids"
