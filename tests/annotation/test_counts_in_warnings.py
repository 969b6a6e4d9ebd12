"""A number of cells in a warning is the number that `obs` has."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import sc_annotate as sca

if TYPE_CHECKING:
    from anndata import AnnData

QUICK: dict[str, Any] = {"method": "nearest_centroid", "cv": 0}


def number(messages: list[str], words: str) -> int:
    """The number before `words`, in the one message that has them."""
    (found,) = [match for text in messages if (match := re.search(rf"([\d,]+) {words}", text))]
    return int(found[1].replace(",", ""))


@pytest.mark.parametrize("groupby", [None, "cluster"])
def test_annotate_markers(pbmc: AnnData, groupby: str | None, caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("decoupler", minversion="2")
    pbmc.obs["cluster"] = (np.arange(pbmc.n_obs) % 9).astype(str)
    lists = {"B": ["CD79A", "MS4A1"], "Mono": ["LYZ", "CST3"], "None such": ["x"]}
    X = pbmc.X.tolil()
    X[:25, [pbmc.var_names.get_loc(gene) for genes in list(lists.values())[:2] for gene in genes]] = 0
    pbmc.X = X.tocsr()
    sca.tl.annotate_markers(pbmc, lists, groupby)
    status = pbmc.obs["annotation_status"]
    assert number(caplog.messages, r"cells? ha(?:s|ve) no value in any marker gene") == (status == "low_quality").sum()
    unfamiliar = int((status == "unfamiliar").sum())
    assert unfamiliar > 0
    assert number(caplog.messages, r"cells?(?: of [\d,]+ groups?)? fits? none of the lists") == unfamiliar
    if groupby:
        (groups,) = [m[1] for text in caplog.messages if (m := re.search(r"of (\d+) groups? fit", text))]
        assert int(groups) == pbmc.obs.loc[status == "unfamiliar", "cluster"].nunique()
    assert number(caplog.messages, "list was left out") == 1


@pytest.mark.parametrize("own_reference", [False, True])
def test_annotate(pair: tuple[AnnData, AnnData], own_reference: bool, caplog: pytest.LogCaptureFixture) -> None:
    reference, query = pair
    types = reference.obs["cell_type"].astype(str).to_numpy(dtype=object)
    types[0], types[1:8], types[8:10] = "alone", "Unknown", ""
    reference.obs["cell_type"] = types
    what = "adata" if own_reference else "reference"
    if own_reference:
        adata, args = reference, (None, "cell_type")
        types = types.copy()
        types[300:350] = None
        adata.obs["cell_type"] = types
        empty = [295, 296, *range(300, 306)]  # two labelled ones and six without a label
    else:
        adata, args = query, (reference, "cell_type")
        empty = list(range(6))
    X = adata.X.tolil()
    X[empty] = 0
    adata.X = X.tocsr()
    sca.tl.annotate(adata, *args, **QUICK)
    messages = list(dict.fromkeys(caplog.messages))
    source = (adata if own_reference else reference).obs["cell_type"]
    status = adata.obs["annotation_status"].astype(str).to_numpy()
    zero = np.asarray(adata.X.sum(axis=1)).ravel() == 0
    assert (
        number(messages, "cells have no value in any of the model's genes") == (zero & (status != "given")).sum() == 6
    )
    assert set(status[zero & (status != "given")]) == {"low_quality"}
    assert number(messages, "cells have an empty label") == (source == "").sum()
    (said,) = [text for text in messages if "stand for no type" in text]
    assert f"{what}.obs['cell_type']" in said
    assert int(re.search(r"'Unknown' \((\d+)\)", said)[1]) == (source == "Unknown").sum()
    (said,) = [text for text in messages if "min_cells=2 cells was left out" in text]
    assert int(re.search(r"left out \((\d+) cell\): 'alone'", said)[1]) == (source == "alone").sum()
    (few,) = [text for text in messages if "fewer than 10 reference cells" in text]
    for name, n in re.findall(r"([^:,;]+) \((\d+)\)", few.partition(": ")[2]):
        assert int(n) == (source == name.strip()).sum()


def test_cells_that_are_also_in_the_reference(pair: tuple[AnnData, AnnData], caplog: pytest.LogCaptureFixture) -> None:
    reference, _ = pair
    query = reference[:20].copy()
    sca.tl.annotate(query, reference, "cell_type", **QUICK)
    assert number(caplog.messages, "cells of adata are also in the reference") == query.n_obs


def test_vote_and_rollup_count_what_obs_has(pair: tuple[AnnData, AnnData]) -> None:
    reference, query = pair
    sca.tl.annotate(query, reference, "cell_type", **QUICK)
    sca.tl.vote(query, "louvain")
    label, voted = query.obs["annotation"].astype(str), query.obs["annotation_voted"].astype(str)
    assert query.uns["annotation"]["vote"]["n_changed"] == (label != voted).sum()
    table = query.uns["annotation"]["vote"]["table"].set_index("group")
    assert table["n"].to_dict() == query.obs["louvain"].astype(str).value_counts().to_dict()
    sca.tl.rollup(query, ontology=dict.fromkeys(query.uns["annotation"]["classes"], "blood cell"))
    table = query.uns["annotation"]["rollup"]["table"].set_index("name")
    counts = query.obs["annotation_rollup"].astype(str).value_counts()
    assert {name: n for name, n in table["n_cells"].items() if n} == counts.to_dict()


def test_one_cell_of_one_group() -> None:
    from sc_annotate.annotation.cell_groups import Groups
    from sc_annotate.annotation.markers.markers_result import MarkerLabels, _problems

    groups = Groups(np.array(["alone", "others"]), np.array([0, 1, 1], np.int32))
    labels = MarkerLabels(
        np.full((2, 2), 0.5, np.float32), np.array([True, False]), np.array([False, False, True]), groups
    )
    assert _problems(labels, np.array([True, False, False])) == [
        "1 cell has no value in any marker gene (status low_quality); its label means nothing",
        "1 cell of 1 group fits none of the lists (status unfamiliar)",
    ]


def test_a_warning_of_many_types_names_a_few() -> None:
    from sc_annotate._data.obs import usable

    labels = np.repeat([f"type {i:02d}" for i in range(40)], [*range(2, 42)])
    _, (note,) = usable(labels, np.ones(len(labels), dtype=bool), min_cells=2, key="x", what="reference")
    assert note.startswith("8 types with fewer than 10 reference cells: type 00 (2), type 01 (3), type 02 (4), ")
    assert "type 04 (6), ...; do not rely" in note
    assert "type 05" not in note
