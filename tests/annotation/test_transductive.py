"""Methods that see the cells to be annotated when they are fitted: what they are given, and how they are scored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
import pytest
import scanpy as sc
from scipy import sparse

import sc_annotate as sca
from sc_annotate._core import registry
from sc_annotate.annotators import Annotator, check_fit, check_predict
from sc_annotate.annotators.checks import need_fitted
from sc_annotate.annotators.nearest_centroid import NearestCentroid
from sc_annotate.errors import InputError, MatrixError, MethodError, StorageError
from sc_annotate.evaluation import cross_validate, stratified
from sc_annotate.testing import check_annotator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anndata import AnnData

SEEN: list[dict[str, Any]] = []


@dataclass
class Joint(Annotator):
    """Centroids of depth-normalised counts, remembering what it was given."""

    inputs: ClassVar[Any] = "counts"
    transductive: ClassVar[bool] = True
    saves: ClassVar[bool] = False
    obsm_params: ClassVar[tuple[str, ...]] = ("protein_key",)

    protein_key: str | None = None

    def fit(
        self, X: Any, y: Any, *, genes: Any, batch: Any = None, rng: int = 0, query: Any = None, **more: Any
    ) -> Joint:
        matrix, codes, self.classes_ = check_fit(X, y, genes, batch)
        query = check_predict(query, matrix.shape[1])
        SEEN.append({"X": X, "query": query, "genes": genes, "batch": batch, "n": len(codes), **more})
        self._of = NearestCentroid().fit(_logged(matrix), y, genes=genes)
        self.query_ = self._of.predict_proba(_logged(query))
        return self

    def predict_query(self) -> Any:
        need_fitted(self, "query_")
        return self.query_

    def predict_proba(self, X: Any) -> Any:
        raise MethodError("of its query only")


def _logged(X: Any) -> Any:
    dense = np.asarray(X.toarray() if sparse.issparse(X) else X, dtype=np.float32)
    return np.log1p(1e4 * dense / np.maximum(dense.sum(axis=1, keepdims=True), 1)).astype(np.float32)


@pytest.fixture
def joint() -> Iterator[str]:
    SEEN.clear()
    sca.register_annotator("joint")(Joint)
    yield "joint"
    registry.unregister("annotation", "joint")


@pytest.fixture(scope="module")
def cells() -> AnnData:
    """600 cells of four types and three batches, counts."""
    adata = sca.datasets.simulate_reference(600, 150, 4, n_batches=3, rng=0)
    adata.obsm["protein"] = pd.DataFrame(
        np.arange(1800.0).reshape(600, 3), index=adata.obs_names, columns=["CD3", "CD19", "CD14"]
    )
    return adata


@pytest.fixture
def sides(cells: AnnData) -> tuple[AnnData, AnnData]:
    return cells[:400].copy(), cells[400:].copy()


def _right(adata: AnnData, key: str = "annotation") -> float:
    return float((adata.obs[key].astype(str) == adata.obs["cell_type"].astype(str)).mean())


def test_the_contract_is_kept(joint: str) -> None:
    check_annotator(Joint)


def test_faults_are_found() -> None:
    class Bad(Joint):
        def predict_query(self) -> Any:
            return self.query_[:, :1]

    with pytest.raises(AssertionError, match="predict_query returned the shape"):
        check_annotator(Bad)


def test_it_is_given_counts_of_both_and_labels_the_query(joint: str, sides: tuple[AnnData, AnnData]) -> None:
    reference, query = sides
    sca.tl.annotate(query, reference, "cell_type", method=joint)
    last = SEEN[-1]
    assert last["n"] == 400
    for given, adata in ((last["X"], reference), (last["query"], query)):
        assert np.array_equal(given.toarray(), np.asarray(adata.X.todense()))
    assert _right(query) > 0.9
    stored = query.uns["annotation"]
    assert any("took part in the fit of joint: their counts" in note for note in stored["reference"]["notes"])
    assert {"joint", "majority", "logreg"} == set(stored["baseline"]["scores"]["method"])
    proba = sca.get.probabilities(query)
    assert np.allclose(proba.sum(axis=1), 1, atol=1e-4)
    assert (proba.to_numpy().argmax(axis=1) == query.obs["annotation"].cat.codes).all()


def test_one_part_is_held_out_for_trust_unless_more_are_asked_for(joint: str, sides: tuple[AnnData, AnnData]) -> None:
    reference, query = sides
    sca.tl.annotate(query, reference, "cell_type", method=joint)
    assert len(SEEN) == 2
    assert SEEN[0]["n"] + SEEN[0]["query"].shape[0] == 400
    assert any("fitted anew" in note for note in query.uns["annotation"]["reference"]["notes"])
    SEEN.clear()
    sca.tl.annotate(query, reference, "cell_type", method=joint, cv=3)
    assert [each["n"] for each in SEEN[:-1]] == pytest.approx([267] * 3, abs=1)
    assert sum(each["query"].shape[0] for each in SEEN[:-1]) == 400


def test_the_genes_are_those_of_the_baselines(joint: str, sides: tuple[AnnData, AnnData]) -> None:
    from sc_annotate.annotators.chosen_genes import choose_genes

    reference, query = sides
    sca.tl.annotate(query, reference, "cell_type", method=joint, n_top_genes=40, cv=0, trust=None)
    labels = reference.obs["cell_type"].to_numpy(str)
    expected = reference.var_names[choose_genes(_logged(reference.X), labels, 40)]
    assert SEEN[-1]["genes"].tolist() == expected.tolist()
    assert np.array_equal(SEEN[-1]["query"].toarray(), query[:, expected].X.toarray())


def test_held_out_batches_are_the_query_of_their_fold(joint: str, sides: tuple[AnnData, AnnData]) -> None:
    reference, query = sides
    sca.tl.annotate(query, reference, "cell_type", method=joint, batch_key="batch", cv="batches")
    for each in SEEN[:-1]:
        assert len(set(each["query_batch"])) == 1
        assert not set(each["query_batch"]) & set(each["batch"])
    # Names that both objects use are of different batches.
    assert set(SEEN[-1]["query_batch"]) == {f"adata {name}" for name in set(reference.obs["batch"])}
    SEEN.clear()
    del query.obs["batch"]
    sca.tl.annotate(query, reference, "cell_type", method=joint, batch_key="batch", cv=0, trust=None)
    assert set(SEEN[-1]["query_batch"]) == {"adata"}
    assert any("taken for one batch" in note for note in query.uns["annotation"]["reference"]["notes"])


def test_within_one_object_batches_keep_their_names(joint: str, cells: AnnData) -> None:
    adata = cells.copy()
    known = np.arange(600) % 3 != 0
    adata.obs["partly"] = pd.Categorical(adata.obs["cell_type"].astype(object).where(known, np.nan))
    sca.tl.annotate(adata, labels_key="partly", method=joint, batch_key="batch", cv=0, trust=None)
    assert np.array_equal(SEEN[-1]["query"].toarray(), adata.X[~known].toarray())
    assert np.array_equal(SEEN[-1]["query_batch"], adata.obs["batch"].astype(str).to_numpy()[~known])
    assert adata.obs["annotation_confidence"].isna().sum() == known.sum()
    assert _right(adata) > 0.9


def test_entries_of_obsm_are_matched_by_their_columns(joint: str, sides: tuple[AnnData, AnnData]) -> None:
    reference, query = sides
    query.obsm["protein"] = query.obsm["protein"][["CD14", "CD3"]]
    asked = {"method": joint, "method_kwargs": {"protein_key": "protein"}}
    sca.tl.annotate(query, reference, "cell_type", cv=3, **asked)
    last = SEEN[-1]
    assert np.array_equal(last["obsm"]["protein_key"], reference.obsm["protein"][["CD3", "CD14"]])
    assert np.array_equal(last["query_obsm"]["protein_key"], query.obsm["protein"][["CD3", "CD14"]])
    first = SEEN[0]
    assert len(first["obsm"]["protein_key"]) == first["n"]
    assert len(first["query_obsm"]["protein_key"]) == first["query"].shape[0]
    assert any("2 columns of obsm['protein']" in note for note in query.uns["annotation"]["reference"]["notes"])
    broken = query.copy()
    broken.obsm["protein"] = broken.obsm["protein"].set_axis(["A", "B"], axis=1)
    with pytest.raises(InputError, match="share no column"):
        sca.tl.annotate(broken, reference, "cell_type", **asked)
    broken.obsm["protein"] = np.full((200, 3), np.nan)
    with pytest.raises(MatrixError, match=r"obsm\['protein'\] \(protein_key\) must hold finite"):
        sca.tl.annotate(broken, reference, "cell_type", **asked)
    del broken.obsm["protein"]
    with pytest.raises(InputError, match=r"adata.obsm has no 'protein' \(protein_key\)"):
        sca.tl.annotate(broken, reference, "cell_type", **asked)


def test_counts_are_found_in_a_layer_or_asked_for(joint: str, sides: tuple[AnnData, AnnData]) -> None:
    reference, query = sides
    counts = query.X.copy()
    sc.pp.normalize_total(query, target_sum=1e4)
    sc.pp.log1p(query)
    before = query.copy()
    with pytest.raises(MatrixError, match="joint needs counts, and adata.X holds log1p"):
        sca.tl.annotate(query, reference, "cell_type", method=joint)
    assert list(query.obs) == list(before.obs)
    query.layers["counts"] = counts
    sca.tl.annotate(query, reference, "cell_type", method=joint, cv=0, trust=None)
    assert np.array_equal(SEEN[-1]["query"].toarray(), counts.toarray())


def test_a_representation_is_refused(joint: str, sides: tuple[AnnData, AnnData]) -> None:
    reference, query = sides
    for adata in sides:
        adata.obsm["X_pca"] = np.asarray(adata.X[:, :5].toarray(), dtype=np.float32)
    with pytest.raises(MethodError, match="joint learns from genes, not from a representation"):
        sca.tl.annotate(query, reference, "cell_type", method=joint, use_rep="X_pca")


def test_nothing_is_fitted_in_advance(joint: str, sides: tuple[AnnData, AnnData]) -> None:
    with pytest.raises(MethodError, match="'joint' is transductive"):
        sca.tl.fit_annotator(sides[0], "cell_type", method=joint)
    assert bool(sca.tl.methods().loc["joint", "transductive"])


def test_evidence_says_why_there_is_none(joint: str, sides: tuple[AnnData, AnnData]) -> None:
    reference, query = sides
    sca.tl.annotate(query, reference, "cell_type", method=joint, cv=0, trust=None)
    with pytest.raises(StorageError, match="'joint', which labelled the cells of 'annotation', is fitted anew"):
        sca.tl.evidence(query)


def test_in_a_consensus(joint: str, sides: tuple[AnnData, AnnData]) -> None:
    reference, query = sides
    sca.tl.annotate(query, reference, "cell_type", method=["nearest_centroid", joint], cv=3)
    assert _right(query) > 0.9
    assert _right(query, "annotation_joint") > 0.9
    assert query.obs["annotation_joint_model"].nunique() == 1


def test_one_that_takes_logarithms(sides: tuple[AnnData, AnnData]) -> None:
    class OfLogs(Joint):
        inputs = "log"

    sca.register_annotator("of_logs")(OfLogs)
    try:
        reference, query = sides
        SEEN.clear()
        sca.tl.annotate(query, reference, "cell_type", method="of_logs", cv=0, trust=None)
        for given, adata in ((SEEN[-1]["X"], reference), (SEEN[-1]["query"], query)):
            assert np.allclose(given.toarray(), _logged(adata.X), rtol=1e-5)
    finally:
        registry.unregister("annotation", "of_logs")


def test_cross_validation_hands_each_part_to_its_fold() -> None:
    generator = np.random.default_rng(0)
    X, y = generator.poisson(2.0, (40, 6)).astype(np.float32), np.repeat(["B", "T"], 20)
    protein = np.arange(40.0)[:, None]
    SEEN.clear()
    splits = stratified(y, 4)
    found = cross_validate(Joint, X, y, splits, genes=list("abcdef"), batch=y, obsm={"protein_key": protein})
    assert found.proba.shape == (40, 2)
    for seen, split in zip(SEEN, splits, strict=True):
        assert np.array_equal(seen["query"], X[split.test])
        assert np.array_equal(seen["query_obsm"]["protein_key"], protein[split.test])
        assert np.array_equal(seen["obsm"]["protein_key"], protein[split.train])
        assert np.array_equal(seen["query_batch"], y[split.test])
