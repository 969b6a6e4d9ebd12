"""Several columns of labels at once: calls, confidence and storage that agree with each other, and plain errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anndata as ad
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import sc_annotate as sca
from sc_annotate.errors import InputError, LabelError, MethodError, ModelFileError, StorageError

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

FAST: dict[str, Any] = {"method": "nearest_centroid", "cv": 0}
THREE = ["compartment", "lineage", "cell_type"]


def lineage(name: str) -> str:
    return "T" if name.startswith(("CD4+", "CD8+")) else "Myeloid" if name[:4] in ("CD14", "Dend") else name.split()[-1]


def compartment(name: str) -> str:
    return "Myeloid" if lineage(name) == "Myeloid" else "CD34+" if name == "CD34+" else "Lymphoid"


@pytest.fixture
def two(pair: tuple[AnnData, AnnData]) -> tuple[AnnData, AnnData]:
    """500 and 200 PBMCs whose types lie under lineages, and those under compartments."""
    return with_levels(pair[0]), with_levels(pair[1])


def with_levels(adata: AnnData) -> AnnData:
    types = adata.obs["cell_type"].astype(str)
    adata.obs["lineage"] = pd.Categorical(types.map(lineage))
    adata.obs["compartment"] = types.map(compartment).to_numpy(dtype=object)
    return adata


def agree(adata: AnnData, key: str = "annotation", names: list[str] = THREE) -> None:
    """Every coarser call is the one that the type lies under, and is never less sure than a finer one."""
    table = adata.uns[key]["levels"].astype(str)
    assert list(table) == names
    row = {t: i for i, t in enumerate(table[names[-1]])}
    adata = adata[adata.obs[key].astype(str).isin(table[names[-1]]).to_numpy()]  # a given label may be no class
    place = [row[c] for c in adata.obs[key].astype(str)]
    sure = np.column_stack(
        [*(adata.obs[f"{key}_{name}_confidence"] for name in names[:-1]), adata.obs[f"{key}_confidence"]]
    )
    for name in names[:-1]:
        assert (adata.obs[f"{key}_{name}"].astype(str).to_numpy() == table[name].to_numpy()[place]).all()
    known = np.isfinite(sure).all(axis=1)
    assert known.any()
    assert (np.diff(sure[known], axis=1) <= 0).all()


@pytest.mark.slow
@pytest.mark.parametrize("method", ["logreg", "nearest_centroid", "knn", "random_forest"])
def test_levels_never_contradict(two: tuple[AnnData, AnnData], method: str) -> None:
    reference, query = two
    few = {"n_trees": 20} if method == "random_forest" else None
    how: dict[str, Any] = {"method": method, "method_kwargs": few, "cv": 0}
    # Held-out cells calibrate each level by itself; without them a coarser label has the sum of its types.
    sca.tl.annotate(query, reference, THREE, **how, trust=None)
    agree(query)
    proba = sca.get.probabilities(query)
    table = query.uns["annotation"]["levels"]
    for name in THREE[:-1]:
        sums = proba.T.groupby(table[name].to_numpy()).sum().T
        own = sums.to_numpy()[
            np.arange(len(sums)), sums.columns.get_indexer(query.obs[f"annotation_{name}"].astype(str))
        ]
        np.testing.assert_allclose(query.obs[f"annotation_{name}_confidence"], own, atol=2e-6)
    sca.tl.annotate(query, reference, THREE, **how)
    agree(query)
    proba = sca.get.probabilities(query)
    calls = proba.columns.get_indexer(query.obs["annotation"].astype(str))
    np.testing.assert_array_equal(query.obs["annotation_confidence"], proba.to_numpy()[np.arange(len(calls)), calls])
    inside = sca.get.sets(query).to_numpy()
    assert inside[np.arange(len(calls)), calls].all(), "the call is in its set"
    np.testing.assert_array_equal(inside.sum(axis=1), query.obs["annotation_set_size"])


@pytest.mark.slow
def test_probabilities_are_those_of_the_finest_alone(two: tuple[AnnData, AnnData]) -> None:
    reference, query = two
    sca.tl.annotate(query, reference, THREE, cv=0)
    sca.tl.annotate(query, reference, "cell_type", cv=0, key_added="plain")
    sca.tl.annotate(query, reference, ["cell_type"], cv=0, key_added="listed")
    np.testing.assert_allclose(query.obsm["annotation_proba"], query.obsm["plain_proba"], atol=1e-6)
    assert query.uns["plain"]["model"] == query.uns["listed"]["model"] != query.uns["annotation"]["model"]
    assert "levels" not in query.uns["plain"]
    assert query.uns["plain"]["params"]["labels_key"] == "cell_type"
    assert list(query.uns["annotation"]["params"]["labels_key"]) == THREE


@pytest.mark.slow
def test_storage_round_trip_and_replacement(two: tuple[AnnData, AnnData], tmp_path: Path) -> None:
    reference, query = two
    before = set(query.obs)
    sca.tl.annotate(query, reference, THREE, method="nearest_centroid")
    more = {f"annotation_{n}{end}" for n in THREE[:-1] for end in ("", "_confidence")}
    assert more <= set(query.obs)
    scores = query.uns["annotation"]["level_scores"]
    assert list(scores["level"]) == THREE
    assert ((scores["low"] <= scores["accuracy"]) & (scores["accuracy"] <= scores["high"])).all()
    query.write_h5ad(tmp_path / "x.h5ad")
    back = ad.read_h5ad(tmp_path / "x.h5ad")
    agree(back)
    for slot in ("levels", "level_scores"):
        got, had = back.uns["annotation"][slot], query.uns["annotation"][slot]
        pd.testing.assert_frame_equal(got, had, check_dtype=False, check_index_type=False, check_column_type=False)
    for name in sorted(more):
        assert (back.obs[name].astype(object) == query.obs[name].astype(object)).all()
    sca.tl.annotate(back, reference, ["lineage", "cell_type"], **FAST)
    assert not {name for name in back.obs if "compartment" in name} - before
    sca.tl.annotate(back, reference, "cell_type", **FAST)
    assert not more & set(back.obs)
    assert before <= set(back.obs)


def test_foreign_column_is_kept(two: tuple[AnnData, AnnData]) -> None:
    reference, query = two
    query.obs["annotation_lineage"] = "mine"
    with pytest.raises(StorageError, match="annotation_lineage"):
        sca.tl.annotate(query, reference, THREE, **FAST)
    model = sca.tl.fit_annotator(reference, THREE, **FAST)
    with pytest.raises(StorageError, match="annotation_lineage"):
        sca.tl.annotate(query, model)
    assert (query.obs["annotation_lineage"] == "mine").all()
    assert "annotation" not in query.uns
    sca.tl.annotate(query, model, key_added="other")
    agree(query, "other")


@pytest.mark.slow
def test_a_model_keeps_its_levels(two: tuple[AnnData, AnnData], tmp_path: Path) -> None:
    reference, query = two
    model = sca.tl.fit_annotator(reference, THREE, method="logreg", method_kwargs={"tree": "levels"})
    assert "tree of" in str(model)
    assert "compartment" in str(model)
    loaded = sca.load(model.save(tmp_path / "m.safetensors"))
    assert loaded.id == model.id
    assert loaded.levels is not None
    np.testing.assert_array_equal(loaded.levels.labels, model.levels.labels)
    pd.testing.assert_frame_equal(loaded.level_scores, model.level_scores)
    sca.tl.annotate(query, model)
    sca.tl.annotate(query, loaded, key_added="again")
    agree(query, "again")
    for end in ("", "_lineage", "_lineage_confidence"):
        assert (query.obs[f"annotation{end}"].astype(object) == query.obs[f"again{end}"].astype(object)).all()
    query.write_h5ad(tmp_path / "x.h5ad")
    plain = sca.tl.fit_annotator(reference, "cell_type", **FAST)
    assert sca.load(plain.save(tmp_path / "p.safetensors")).levels is None


def test_a_file_whose_levels_do_not_fit_is_refused(two: tuple[AnnData, AnnData], tmp_path: Path) -> None:
    from sc_annotate._store import modelfile

    path = sca.tl.fit_annotator(two[0], THREE, **FAST).save(tmp_path / "m.safetensors")
    arrays, meta = modelfile.load(path)
    meta["levels"]["labels"] = meta["levels"]["labels"][::-1]
    modelfile.save(path, arrays, meta, overwrite=True)
    with pytest.raises(ModelFileError, match="levels"):
        sca.load(path)


def test_given_labels_name_all_levels(two: tuple[AnnData, AnnData]) -> None:
    adata = two[0]
    truth = adata.obs["lineage"].astype(str).to_numpy()
    adata.obs["cell_type"] = adata.obs["cell_type"].astype(object)
    asked = np.zeros(adata.n_obs, dtype=bool)
    asked[::4] = True
    adata.obs.loc[asked, "cell_type"] = None
    sca.tl.annotate(adata, labels_key=THREE, min_cells=6, **FAST)
    agree(adata)
    given = (adata.obs["annotation_status"] == "given").to_numpy()
    assert (given == ~asked).all()
    assert (adata.obs["annotation_lineage"].astype(str).to_numpy()[given] == truth[given]).all()
    assert adata.obs["annotation_lineage_confidence"].isna().to_numpy().tolist() == given.tolist()


@pytest.mark.slow
def test_a_missing_coarser_label_is_that_of_the_type(two: tuple[AnnData, AnnData]) -> None:
    reference, query = two
    full = sca.tl.fit_annotator(reference, THREE, **FAST)
    reference.obs["lineage"] = reference.obs["lineage"].astype(object)
    reference.obs.loc[reference.obs_names[::5], "lineage"] = None
    holed = sca.tl.fit_annotator(reference, THREE, **FAST)
    np.testing.assert_array_equal(full.levels.labels, holed.levels.labels)
    assert any("without a label in obs['lineage']" in note for note in holed.provenance.notes)
    reference.obs.loc[reference.obs["cell_type"] == "CD19+ B", "lineage"] = None
    with pytest.raises(LabelError, match=r"CD19\+ B"):
        sca.tl.fit_annotator(reference, THREE, **FAST)


def test_a_type_under_two_labels_is_named(two: tuple[AnnData, AnnData]) -> None:
    reference, query = two
    reference.obs["lineage"] = reference.obs["lineage"].astype(object)
    some = reference.obs_names[(reference.obs["cell_type"] == "CD19+ B").to_numpy()][:3]
    reference.obs.loc[some, "lineage"] = "T"
    columns = list(query.obs)
    with pytest.raises(LabelError, match=r"'CD19\+ B' under 'B' .* and 'T' \(3 cells\)"):
        sca.tl.annotate(query, reference, THREE, **FAST)
    with pytest.raises(LabelError, match="coarse to fine"):
        sca.tl.annotate(query, reference, ["cell_type", "lineage"], **FAST)
    assert list(query.obs) == columns


def test_a_middle_label_under_two_is_named(two: tuple[AnnData, AnnData]) -> None:
    reference = two[0]
    reference.obs["middle"] = np.where(reference.obs["cell_type"].isin(["CD19+ B", "Dendritic"]), "cycling", "resting")
    with pytest.raises(LabelError, match="no tree"):
        sca.tl.fit_annotator(reference, ["lineage", "middle", "cell_type"], **FAST)


@pytest.mark.parametrize(
    ("names", "says"),
    [
        ([], "list of names"),
        (["lineage", 3], "list of names"),
        (["lineage", "lineage"], "twice"),
        (["confidence", "cell_type"], "another part"),
        (["lineage", "lineage_confidence", "cell_type"], "another part"),
        (["a/b", "cell_type"], "'/'"),
        (["linage", "cell_type"], "lineage"),
    ],
)
def test_bad_names(two: tuple[AnnData, AnnData], names: list[Any], says: str) -> None:
    reference, query = two
    for column in ("confidence", "lineage_confidence"):
        reference.obs[column] = reference.obs["lineage"].astype(str)
    with pytest.raises(InputError, match=says):
        sca.tl.annotate(query, reference, names, **FAST)
    assert "annotation" not in query.uns


def test_a_word_for_a_tree_needs_levels(two: tuple[AnnData, AnnData]) -> None:
    for tree in ("levels", "some"):
        with pytest.raises(MethodError, match="no tree"):
            sca.tl.fit_annotator(two[0], "cell_type", method_kwargs={"tree": tree}, cv=0)


@pytest.mark.slow
def test_several_methods_and_votes(two: tuple[AnnData, AnnData], tmp_path: Path) -> None:
    reference, query = two
    sca.tl.annotate(query, reference, THREE, method=["nearest_centroid", "naive_bayes"], cv=0)
    for key in ("annotation", "annotation_nearest_centroid", "annotation_naive_bayes"):
        agree(query, key)
    sca.tl.vote(query, "louvain")
    sca.tl.annotate(query, reference, THREE, method="nearest_centroid", key_added="one")
    assert "lineage" in str(sca.get.report(query, "one"))
    query.write_h5ad(tmp_path / "x.h5ad")
    agree(ad.read_h5ad(tmp_path / "x.h5ad"))


@pytest.mark.slow
@pytest.mark.parametrize("keep", ["topk", False])
def test_without_all_probabilities(two: tuple[AnnData, AnnData], keep: Any) -> None:
    reference, query = two
    sca.tl.annotate(query, reference, THREE, store_proba=keep, **FAST)
    sca.tl.annotate(query, reference, THREE, key_added="whole", **FAST)
    agree(query)
    assert query.obs["annotation_lineage_confidence"].equals(query.obs["whole_lineage_confidence"])


def test_scores_without_calibration(two: tuple[AnnData, AnnData]) -> None:
    model = sca.tl.fit_annotator(two[0], THREE, method="nearest_centroid", trust=None)
    scores = model.level_scores
    assert scores is not None
    assert scores["accuracy"].iloc[0] >= scores["accuracy"].iloc[-1]
    assert sca.tl.fit_annotator(two[0], THREE, trust=None, **FAST).level_scores is None


@pytest.mark.slow
def test_concatenated_results_are_replaced(two: tuple[AnnData, AnnData]) -> None:
    reference, query = two
    sca.tl.annotate(query, reference, THREE, **FAST)
    joined = ad.concat([query[:100], query[100:]])
    joined.var = query.var
    assert "annotation" not in joined.uns
    sca.tl.annotate(joined, reference, THREE, values="log1p", **FAST)
    agree(joined)


@pytest.mark.once
@pytest.mark.slow
@pytest.mark.parametrize("file", ["kang2018_pbmc_ifnb.h5ad", "pbmc_3tech.h5ad"])
def test_confidence_of_the_broad_level_means_what_it_says(shared_data: Path, file: str) -> None:
    """Each batch named after the others: the mean confidence of the broad calls is near the share that is right."""
    adata = ad.read_h5ad(shared_data / file)
    types = adata.obs["cell_type"].astype(str)
    parent = {"CD4 T cells": "T", "CD8 T cells": "T", "CD14+ Monocytes": "Mono", "FCGR3A+ Monocytes": "Mono"}
    adata.obs["broad"] = types.map(parent).fillna(types) if "kang" in file else adata.obs["cell_type_broad"].astype(str)
    right, sure = [], []
    for batch in adata.obs["batch"].unique():
        held = (adata.obs["batch"] == batch).to_numpy()
        query = adata[held].copy()
        sca.tl.annotate(
            query,
            adata[~held].copy(),
            ["broad", "cell_type"],
            batch_key="batch",
            min_cells=2,
            cv=0,
            trust=sca.trust.Options(false_positive_rate=None),
        )
        agree(query, names=["broad", "cell_type"])
        right.append((query.obs["annotation_broad"].astype(str) == query.obs["broad"].astype(str)).to_numpy())
        sure.append(query.obs["annotation_broad_confidence"].to_numpy())
    hit, confidence = np.concatenate(right), np.concatenate(sure)
    two = np.column_stack([confidence, 1 - confidence])
    truth = np.where(hit, "right", "wrong")
    error = sca.metrics.expected_calibration_error(truth, two, np.array(["right", "wrong"]))
    assert hit.mean() > 0.97
    assert error < 0.02


# ---- results that are read back, combined or in each other's way


def ask_further(adata: AnnData) -> None:
    sca.tl.rollup(adata)
    sca.tl.evidence(adata)
    sca.tl.vote(adata, "louvain")
    sca.pl.confusion(adata, show=False)
    sca.pl.levels(adata, show=False)
    sca.pl.ontology(adata, show=False)
    plt.close("all")


@pytest.fixture(scope="module")
def asked(_pair: tuple[AnnData, AnnData]) -> tuple[AnnData, AnnData]:
    """A query annotated at three levels, and the same with all that can be asked of it."""
    reference, query = (with_levels(adata.copy()) for adata in _pair)
    sca.tl.annotate(query, reference, THREE, method="nearest_centroid")
    further = query.copy()
    ask_further(further)
    return query, further


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["h5ad", "zarr", "backed", "lazy", "view"])
def test_what_is_read_back_can_be_asked_further(asked: tuple[AnnData, AnnData], kind: str, tmp_path: Path) -> None:
    stored, further = asked
    if kind == "view":
        query = stored[:]
    elif kind == "zarr":
        stored.write_zarr(tmp_path / "cells.zarr")
        query = ad.read_zarr(tmp_path / "cells.zarr")
    else:
        stored.write_h5ad(tmp_path / "cells.h5ad")
        if kind == "lazy":
            pytest.importorskip("xarray")
            query = ad.experimental.read_lazy(tmp_path / "cells.h5ad")
        else:
            query = ad.read_h5ad(tmp_path / "cells.h5ad", backed="r" if kind == "backed" else None)
    pd.testing.assert_frame_equal(sca.get.sets(query), sca.get.sets(stored))
    ask_further(query)
    for give in (sca.get.annotation, sca.get.evidence, sca.get.probabilities):
        pd.testing.assert_frame_equal(
            give(query), give(further), check_dtype=False, check_categorical=False, check_column_type=False
        )


def test_names_of_levels_in_any_order_are_refused_and_columns_of_pandas_are_names(
    two: tuple[AnnData, AnnData],
) -> None:
    reference, query = two
    sca.tl.annotate(query, reference, pd.Index(THREE), **FAST)
    agree(query)
    for wrong in (set(THREE), dict.fromkeys(THREE, 1)):
        with pytest.raises(InputError, match="list of names, coarse to fine"):
            sca.tl.annotate(query, reference, wrong, **FAST)  # type: ignore[arg-type]


def test_a_level_may_not_be_called_like_a_method(two: tuple[AnnData, AnnData]) -> None:
    reference, query = two
    reference.obs["knn"] = reference.obs["lineage"]
    before = list(query.obs)
    with pytest.raises(InputError, match="parts of two results"):
        sca.tl.annotate(query, reference, ["knn", "cell_type"], method=["nearest_centroid", "knn"], cv=0)
    assert list(query.obs) == before
    assert not [name for name in query.uns if str(name).startswith("annotation")]


@pytest.mark.slow
def test_a_consensus_has_the_levels_that_its_members_share(two: tuple[AnnData, AnnData], tmp_path: Path) -> None:
    reference, query = two
    for method in ("nearest_centroid", "naive_bayes"):
        sca.tl.annotate(query, reference, THREE, method=method, cv=0, key_added=method)
    query.write_h5ad(tmp_path / "cells.h5ad")
    query = ad.read_h5ad(tmp_path / "cells.h5ad")
    sca.tl.consensus(query, ["nearest_centroid", "naive_bayes"])
    agree(query, "consensus")
    sca.tl.rollup(query, "consensus")
    sca.tl.annotate(query, reference, THREE[1:], method="naive_bayes", cv=0, key_added="naive_bayes")
    sca.tl.consensus(query, ["nearest_centroid", "naive_bayes"])
    assert "levels" not in query.uns["consensus"]
    assert "consensus_lineage" not in query.obs
