"""Labels of other tools as results of this package."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

import sc_annotate as sca
from comparing import same, snapshot
from sc_annotate.errors import InputError, LabelError, StorageError

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData


@pytest.fixture
def cells(pbmc: AnnData) -> AnnData:
    """Cells with the columns that CellTypist, Azimuth and popV write; one of seven labels of CellTypist is wrong."""
    adata = pbmc[:200].copy()
    truth = adata.obs["cell_type"].astype(str).to_numpy()
    wrong = np.arange(200) % 7 == 0
    score = np.random.default_rng(0).random(200)
    adata.obs["predicted_labels"] = pd.Categorical(np.where(wrong, "CD34+", truth))
    adata.obs["over_clustering"] = pd.Categorical(adata.obs["louvain"].astype(str))
    adata.obs["majority_voting"] = pd.Categorical(np.where(np.arange(200) < 5, "Heterogeneous", truth))
    adata.obs["conf_score"] = score
    adata.obs["predicted.celltype.l2"] = truth.astype(object)
    adata.obs["predicted.celltype.l2.score"] = score
    adata.obs["popv_prediction"] = pd.Categorical(truth)
    adata.obs["popv_prediction_score"] = pd.Categorical(np.arange(200) % 8 + 1)
    return adata


def logged(caplog: pytest.LogCaptureFixture) -> str:
    return "\n".join(record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING)


def test_a_column(cells: AnnData) -> None:
    before = cells.copy()
    sca.tl.import_labels(cells, "predicted_labels")
    assert list(sca.get.annotation(cells, "imported")) == ["label", "confidence", "model"]
    assert cells.obs["imported"].astype(str).tolist() == before.obs["predicted_labels"].astype(str).tolist()
    np.testing.assert_array_equal(cells.obs["imported_confidence"], before.obs["conf_score"].astype(np.float32))
    stored = cells.uns["imported"]
    assert (stored["method"], stored["proba"], stored["calibration"]["method"]) == ("celltypist", "none", "none")
    assert stored["params"] == dict.fromkeys(("score", "groupby", "column", "method")) | {"key": "predicted_labels"}
    assert (stored["imported"]["source"], stored["imported"]["score"]) == ("obs['predicted_labels']", "conf_score")
    own = ["imported", "imported_confidence", "imported_model"]
    assert same(snapshot(before)["obs"], snapshot(cells)["obs"].drop(columns=own))
    assert "calibrated" in str(sca.get.report(cells, "imported"))


def test_words_that_stand_for_no_type(cells: AnnData, caplog: pytest.LogCaptureFixture) -> None:
    labels = cells.obs["majority_voting"].astype(object)
    labels.iloc[5:8], labels.iloc[8], labels.iloc[9], labels.iloc[10] = "Unassigned", " ", None, "NA"
    caplog.set_level(logging.INFO)
    sca.tl.import_labels(cells, labels, score="conf_score")
    assert cells.obs["imported"].isna().to_numpy().nonzero()[0].tolist() == list(range(11))
    assert sca.get.annotation(cells, "imported")["model"].isna().sum() == 11
    found = cells.uns["imported"]["imported"]
    assert found["n_without_label"] == 11
    assert found["unassigned"].values.tolist() == [["Heterogeneous", 5], ["NA", 1], ["Unassigned", 3]]
    assert "11 cells without a label" in caplog.text
    assert "without a label" in str(sca.get.report(cells, "imported"))


def test_the_score_is_found_named_or_none(cells: AnnData, caplog: pytest.LogCaptureFixture) -> None:
    sca.tl.import_labels(cells, "majority_voting")
    assert "insert_conf_by" in logged(caplog)
    sca.tl.import_labels(cells, "predicted.celltype.l2", key_added="azimuth")
    assert cells.uns["azimuth"]["method"] == "azimuth"
    assert cells.uns["azimuth"]["imported"]["score"] == "predicted.celltype.l2.score"
    sca.tl.import_labels(cells, "predicted_labels", score=False)
    assert "imported_confidence" not in cells.obs
    assert cells.uns["imported"]["imported"]["score"] == "none"
    by_name = cells.obs["conf_score"].sample(frac=1, random_state=0)
    for score in (by_name, by_name.to_dict(), "conf_score"):
        sca.tl.import_labels(cells, "popv_prediction", score=score)
        np.testing.assert_allclose(cells.obs["imported_confidence"], cells.obs["conf_score"], rtol=1e-6)


def test_votes_become_shares_where_their_number_is_known(cells: AnnData, caplog: pytest.LogCaptureFixture) -> None:
    sca.tl.import_labels(cells, "popv_prediction")
    assert "imported_confidence" not in cells.obs
    assert "go from 1 to 8; it was not stored" in logged(caplog)
    cells.uns["prediction_keys"] = [f"popv_{i}" for i in range(8)]
    sca.tl.import_labels(cells, "popv_prediction")
    np.testing.assert_allclose(cells.obs["imported_confidence"], (np.arange(200) % 8 + 1) / 8)
    assert cells.uns["imported"]["method"] == "popv"


def test_scores_that_are_no_confidence(cells: AnnData) -> None:
    cells.obs["words"] = np.where(np.arange(200) % 2, "high", "low")
    cells.obs["percent"] = 90.0
    cells.obs["empty"] = np.nan
    for name, words in (("words", "it holds 'low'"), ("percent", "from 90 to 90"), ("empty", "no value in any cell")):
        with pytest.raises(InputError, match=words):
            sca.tl.import_labels(cells, "predicted_labels", score=name)
    assert "imported" not in cells.uns


@pytest.mark.parametrize("kind", ["series", "dict", "frame", "csv", "tsv", "headless"])
def test_labels_by_name(cells: AnnData, tmp_path: Path, kind: str) -> None:
    shuffled = cells.obs.sample(frac=1, random_state=1)
    source: Any = shuffled["predicted_labels"]
    if kind == "dict":
        source = source.to_dict()
    elif kind != "series":
        table = shuffled[["predicted_labels", "conf_score"]]
        source = {"frame": table}.get(kind, tmp_path / f"labels.{'tsv' if kind == 'tsv' else 'csv'}")
        if kind != "frame":
            table.to_csv(source, sep="\t" if kind == "tsv" else ",", header=kind != "headless")
            source = str(source) if kind == "tsv" else source
    sca.tl.import_labels(cells, source, **({"column": "1"} if kind == "headless" else {}))
    assert cells.obs["imported"].astype(str).tolist() == cells.obs["predicted_labels"].astype(str).tolist()
    assert ("imported_confidence" in cells.obs) == (kind in ("frame", "csv", "tsv"))
    if kind in ("frame", "csv", "tsv"):
        np.testing.assert_allclose(cells.obs["imported_confidence"], cells.obs["conf_score"], rtol=1e-6)
        assert cells.uns["imported"]["method"] == "celltypist"


def test_scores_that_a_file_lacks(cells: AnnData, tmp_path: Path) -> None:
    table = cells.obs[["predicted_labels", "conf_score"]].copy()
    table.iloc[:3, 1] = np.nan
    table.to_csv(tmp_path / "a.csv")
    sca.tl.import_labels(cells, tmp_path / "a.csv")
    assert cells.obs["imported_confidence"].isna().to_numpy().nonzero()[0].tolist() == [0, 1, 2]


def test_several_columns_of_a_table(cells: AnnData, tmp_path: Path) -> None:
    cells.obs[["predicted_labels", "over_clustering", "majority_voting"]].to_csv(tmp_path / "a.csv")
    with pytest.raises(
        InputError, match="has 2 columns that may be the labels. Name one with column=: 'predicted_labels'"
    ):
        sca.tl.import_labels(cells, tmp_path / "a.csv")
    sca.tl.import_labels(cells, tmp_path / "a.csv", column="majority_voting", score=False)
    assert cells.uns["imported"]["params"]["column"] == "majority_voting"
    with pytest.raises(InputError, match="no column 'louvain'"):
        sca.tl.import_labels(cells, tmp_path / "a.csv", column="louvain")
    with pytest.raises(InputError, match="score must be a column of a.csv"):
        sca.tl.import_labels(cells, tmp_path / "a.csv", column="majority_voting", score="conf_score")


def test_labels_of_groups(cells: AnnData, tmp_path: Path) -> None:
    groups = cells.obs["louvain"].astype(str)
    names = {group: f"type {group}" for group in sorted(set(groups))}
    sca.tl.import_labels(cells, {int(group): name for group, name in names.items()}, groupby="louvain", method="gpt-4")
    assert cells.obs["imported"].astype(str).tolist() == [names[group] for group in groups]
    assert cells.uns["imported"]["method"] == "gpt-4"
    table = pd.DataFrame({"cluster": list(names), "answer": list(names.values()), "answer_confidence": 0.5})
    table.to_csv(tmp_path / "gpt.csv", index=False)
    sca.tl.import_labels(cells, tmp_path / "gpt.csv", groupby="louvain", key_added="gpt")
    assert cells.obs["gpt"].astype(str).tolist() == cells.obs["imported"].astype(str).tolist()
    assert (cells.obs["gpt_confidence"] == 0.5).all()
    del names["0"]
    with pytest.raises(InputError, match=r"lacks 1 of the \d+ groups of adata.obs\['louvain'\]: '0'. Add them"):
        sca.tl.import_labels(cells, names, groupby="louvain")


def test_names_that_do_not_fit(cells: AnnData, caplog: pytest.LogCaptureFixture) -> None:
    labels = cells.obs["predicted_labels"]
    cases = [
        (labels[5:], "lacks 5 of the 200 cells of adata: .*reindex"),
        (pd.concat([labels, labels[:2]]), "more than once, so it is not clear which label is meant"),
        (labels.reset_index(drop=True), "none of the names of key is one of the cells of adata: there '0'"),
    ]
    before = snapshot(cells)
    for wrong, words in cases:
        with pytest.raises(InputError, match=words):
            sca.tl.import_labels(cells, wrong)
    assert same(before, snapshot(cells))
    some = cells[:150].copy()
    sca.tl.import_labels(some, labels)
    assert "50 of the 200 names of key are no cells of adata" in logged(caplog)
    assert "50 of the 200" in some.uns["imported"]["input"]["problems"][0]
    sca.tl.import_labels(cells, labels[5:].reindex(cells.obs_names))
    assert cells.obs["imported"].isna().sum() == 5


@pytest.mark.filterwarnings("ignore:Observation names are not unique")
def test_cells_of_one_name(cells: AnnData) -> None:
    labels = cells.obs["predicted_labels"].copy()
    cells.obs_names = ["x", "x", *cells.obs_names[2:]]
    with pytest.raises(InputError, match="the cells of adata have 'x' more than once"):
        sca.tl.import_labels(cells, labels)
    sca.tl.import_labels(cells, "predicted_labels")
    assert cells.obs["imported"].tolist() == labels.tolist()


def test_what_holds_no_types(cells: AnnData) -> None:
    cells.obs["nothing"] = "unknown"
    with pytest.raises(LabelError, match="no label at all"):
        sca.tl.import_labels(cells, "nothing")
    with pytest.raises(LabelError, match="200 different labels for 200 cells"):
        sca.tl.import_labels(cells, "conf_score")
    with pytest.raises(LabelError, match="labels must be texts, and one is a list"):
        sca.tl.import_labels(cells, dict.fromkeys(cells.obs_names, ["B"]))
    with pytest.raises(InputError, match="Did you mean 'predicted_labels'"):
        sca.tl.import_labels(cells, "predicted_label")
    with pytest.raises(InputError, match="has no column"):
        sca.tl.import_labels(cells, "x" * 5000)
    with pytest.raises(InputError, match="there is no file"):
        sca.tl.import_labels(cells, "no_such_file.csv")


def test_arguments_that_do_not_fit(cells: AnnData) -> None:
    labels = cells.obs["predicted_labels"]
    with pytest.raises(InputError, match="groupby: is for labels of groups"):
        sca.tl.import_labels(cells, "predicted_labels", groupby="louvain")
    for key in ("predicted_labels", labels):
        with pytest.raises(InputError, match="column: is for tables"):
            sca.tl.import_labels(cells, key, column="predicted_labels")
    sca.tl.import_labels(cells, "predicted_labels")
    with pytest.raises(InputError, match="part of the result 'imported' itself"):
        sca.tl.import_labels(cells, "imported")
    with pytest.raises(StorageError, match="Choose another key_added than 'louvain'"):
        sca.tl.import_labels(cells, "predicted_labels", key_added="louvain")


def test_files_again_and_subsets(cells: AnnData, tmp_path: Path) -> None:
    labels = cells.obs["majority_voting"].astype(object)
    sca.tl.import_labels(cells, labels, score="conf_score")
    first = sca.get.annotation(cells, "imported")
    cells.write_h5ad(tmp_path / "a.h5ad")
    back = ad.read_h5ad(tmp_path / "a.h5ad")
    assert_frame_equal(sca.get.annotation(back, "imported"), first, check_categorical=False)
    assert repr(sca.get.report(back, "imported")) == repr(sca.get.report(cells, "imported"))
    sca.tl.import_labels(back, "predicted_labels", score=False)
    assert [name for name in back.obs if name.startswith("imported")] == ["imported", "imported_model"]
    view = cells[10:50]
    assert sca.get.annotation(view, "imported")["label"].tolist() == first["label"].tolist()[10:50]
    sca.tl.import_labels(view, "predicted_labels")
    assert not view.is_view
    assert cells.uns["imported"]["params"]["key"] == "labels by name"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*[Zz]arr (v[23]|format 3)")
def test_zarr(cells: AnnData, tmp_path: Path) -> None:
    sca.tl.import_labels(cells, "majority_voting")
    cells.write_zarr(tmp_path / "a.zarr")
    back = ad.read_zarr(tmp_path / "a.zarr")
    assert_frame_equal(
        sca.get.annotation(back, "imported"), sca.get.annotation(cells, "imported"), check_categorical=False
    )
    assert repr(sca.get.report(back, "imported")) == repr(sca.get.report(cells, "imported"))


def test_colours_of_the_column(cells: AnnData) -> None:
    names = cells.obs["predicted_labels"].cat.categories.tolist()
    cells.uns["predicted_labels_colors"] = [f"#0000{i:02d}" for i in range(len(names))]
    sca.tl.import_labels(cells, "predicted_labels")
    assert list(cells.uns["imported_colors"]) == list(cells.uns["predicted_labels_colors"])


@pytest.mark.slow
@pytest.mark.parametrize("score", [None, False])
def test_what_works_with_any_result(cells: AnnData, score: Any) -> None:
    sca.tl.import_labels(cells, "majority_voting", score=score)
    table = sca.get.clusters(cells, "imported", groupby="louvain", top=1)
    assert len(table) == cells.obs["louvain"].nunique()
    assert list(sca.get.annotations(cells))[0] == "imported"
    assert sca.get.annotations(cells)["n_labels"].iloc[0] == 0
    assert "without a label" in str(sca.get.report(cells, "imported"))
    sca.tl.map_labels(cells, "imported", ontology={"B cell": "cell"})
    drawn = sca.pl.annotation(cells, "imported", basis="umap", show=False)
    assert set(drawn) == {"label", "confidence"} if score is None else drawn is not None
    ax = sca.pl.confusion(cells, "imported", truth="cell_type", show=False)
    assert "5 without a prediction" in ax.get_title(loc="left") + ax.get_title()


def test_votes_of_labels_that_are_missing(cells: AnnData) -> None:
    sca.tl.import_labels(cells, "majority_voting", score=False)
    with pytest.raises(InputError, match="min_confidence: the result has no confidence"):
        sca.tl.vote(cells, "louvain", key="imported", min_confidence=0.3)
    sca.tl.vote(cells, "louvain", key="imported", guard=None)
    voted, labels = cells.obs["imported_voted"], cells.obs["imported"]
    assert labels[:5].isna().all()
    assert voted.notna().all()
    for group in cells.obs["louvain"].unique():
        inside = (cells.obs["louvain"] == group).to_numpy()
        assert voted[inside].nunique() == 1
        assert voted[inside].iloc[0] == sorted(labels[inside].mode())[0]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda a: sca.tl.evidence(a, key="imported"), "no model, and so no evidence"),
        (lambda a: sca.get.evidence(a, "imported"), "no model, and so no evidence"),
        (lambda a: sca.get.probabilities(a, "imported"), "no probabilities of all types"),
        (lambda a: sca.get.sets(a, "imported"), "no prediction sets, roll-up or consensus"),
        (lambda a: sca.tl.rollup(a, key="imported", ontology={"CD34+": "x"}), "no prediction sets, roll-up or consensus"),
        (lambda a: sca.tl.consensus(a, ["imported", "other"]), "no prediction sets, roll-up or consensus"),
        (lambda a: sca.pl.reliability(a, "imported"), "nothing from held-out cells: the confidence is that of celltypist"),
        (lambda a: sca.pl.methods(a, "imported"), "nothing from held-out cells"),
        (lambda a: sca.pl.annotation(a, "other", shade="confidence"), "imported without it"),
    ],
    ids=["evidence", "get.evidence", "probabilities", "sets", "rollup", "consensus", "reliability", "methods", "shade"],
)  # fmt: skip
def test_what_labels_alone_cannot_do(cells: AnnData, call: Any, words: str) -> None:
    sca.tl.import_labels(cells, "predicted_labels")
    sca.tl.import_labels(cells, "predicted_labels", score=False, key_added="other")
    with pytest.raises(StorageError, match=words):
        call(cells)
