"""A deep method is never without its baselines: on the same cells, with an interval, and in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import anndata as ad
import numpy as np
import pytest

import sc_annotate as sca
from sc_annotate._core import registry
from sc_annotate.annotation.held_out import DEEP_BASELINES
from sc_annotate.annotation.verdict import to_print, verdict
from sc_annotate.annotators.nearest_centroid import NearestCentroid

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from anndata import AnnData

SIMPLE = [name for name in DEEP_BASELINES if name != "majority"]


@pytest.fixture
def deep() -> Iterator[str]:
    """A method that says that it is deep, and learns in no time."""

    @sca.register_annotator("stand_in")
    @dataclass
    class StandIn(NearestCentroid):
        deep: ClassVar[bool] = True

    yield "stand_in"
    registry.unregister("annotation", "stand_in")


@pytest.fixture
def data() -> AnnData:
    return sca.datasets.simulate_reference(240, 120, 3, n_batches=4, rng=0)


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (-0.03, 0.01, "no better than"),
        (0.0, 0.02, "no better than"),
        (-0.02, 0.0, "no better than"),
        (0.001, 0.02, "better than"),
        (-0.02, -0.001, "worse than"),
    ],
)
def test_the_interval_decides(low: float, high: float, words: str) -> None:
    for baseline, name in {"logreg": "logistic regression", "mine": "mine"}.items():
        said = verdict(baseline, (low + high) / 2, low, high)
        assert said.startswith(f"{words} {name} (macro-F1 difference ")
        assert said.endswith(f"95 % interval {low:.3f} to {high:.3f})")


def test_numbers_show_on_which_side_of_0_they_lie() -> None:
    assert verdict("logreg", 0.01, 0.0002, 0.02).endswith("0.0002 to 0.0200)")
    assert "-0.000" not in verdict("logreg", 0.0, -1e-9, 0.02)


@pytest.mark.slow
@pytest.mark.parametrize("batch_key", [None, "batch"])
def test_differences_are_those_of_the_same_cells(deep: str, data: AnnData, batch_key: str | None) -> None:
    fitted = {
        name: sca.tl.fit_annotator(data, "cell_type", method=name, batch_key=batch_key, cv=4)
        for name in (deep, "logreg")
    }
    found = fitted[deep].evaluation
    assert found is not None
    assert found.differences["baseline"].tolist() == list(DEEP_BASELINES)
    scores = found.table().set_index("method")
    assert scores.index.tolist() == [deep, *DEEP_BASELINES]
    for row in found.differences.itertuples():
        if batch_key is None:
            # Of several batches the scores are means over these, and the differences those over all cells.
            assert row.difference == pytest.approx(scores.loc[deep, "macro_f1"] - scores.loc[row.baseline, "macro_f1"])
        assert row.difference_low <= row.difference <= row.difference_high
        assert row.verdict == verdict(row.baseline, row.difference, row.difference_low, row.difference_high)
    if batch_key is None:
        # The column of the scores keeps its meaning.
        columns = ["difference", "difference_low", "difference_high"]
        against = found.differences.set_index("baseline").loc["logreg", columns].astype(float)
        np.testing.assert_allclose(against, scores.loc[deep, columns].astype(float))
    other = fitted["logreg"].evaluation
    assert other is not None
    assert len(other.differences) == 0
    assert other.n_cells == found.n_cells
    assert other.table()["method"].tolist() == ["logreg", "majority"]


def test_it_is_printed_and_kept(deep: str, data: AnnData, tmp_path: Path) -> None:
    model = sca.tl.fit_annotator(data, "cell_type", method=deep)
    assert model.evaluation is not None
    said = to_print(model.evaluation.differences)
    assert len(said) == len(SIMPLE)
    query = data[:40].copy()
    sca.tl.annotate(query, model)
    query.write_h5ad(tmp_path / "query.h5ad")
    query.write_zarr(tmp_path / "query.zarr")
    again = sca.load(model.save(tmp_path / "model.safetensors"))
    objects = [ad.read_h5ad(tmp_path / "query.h5ad"), ad.read_zarr(tmp_path / "query.zarr")]
    for shown in (model, again, *map(sca.get.report, objects)):
        for text in said:
            assert f"\n  compared    {text}\n" in f"{shown}\n"
            assert "logistic regression" in text
            assert text in shown._repr_html_()
    stored = objects[0].uns["annotation"]["baseline"]["differences"]
    assert stored["verdict"].tolist() == model.evaluation.differences["verdict"].tolist()
    assert again.evaluation is not None
    assert again.evaluation.differences.equals(model.evaluation.differences)


def test_the_commonest_type_is_named_where_it_is_not_beaten(deep: str, data: AnnData) -> None:
    model = sca.tl.fit_annotator(data, "cell_type", method=deep)
    assert model.evaluation is not None
    assert "the most common type" not in str(model)
    table = model.evaluation.differences
    table.loc[table["baseline"] == "majority", "difference_low"] = -0.1
    assert len(to_print(table)) == len(DEEP_BASELINES)


def test_other_methods_are_printed_as_before(data: AnnData) -> None:
    model = sca.tl.fit_annotator(data, "cell_type", method="nearest_centroid")
    sca.tl.annotate(query := data[:40].copy(), model)
    assert "compared" not in f"{model}{sca.get.report(query)}{model._repr_html_()}"


def test_without_scores_that_is_said(deep: str, data: AnnData) -> None:
    model = sca.tl.fit_annotator(data, "cell_type", method=deep, cv=0)
    assert "whether stand_in is better than logistic regression is not known" in str(model)
    assert "is not known" not in str(sca.tl.fit_annotator(data, "cell_type", method="nearest_centroid", cv=0))


@pytest.mark.slow
def test_a_consensus_with_a_deep_method_is_compared_too(deep: str, data: AnnData) -> None:
    query = data[:40].copy()
    for method, expected in {(deep, "lda"): DEEP_BASELINES, ("lda", "naive_bayes"): ()}.items():
        sca.tl.annotate(query, data, "cell_type", method=list(method))
        stored = query.uns["annotation"]["baseline"]
        assert stored["differences"]["baseline"].tolist() == list(expected)
        assert ("compared" in str(sca.get.report(query))) == bool(expected)


@pytest.mark.slow
def test_a_comparison_has_the_baselines_of_its_deep_methods(deep: str, data: AnnData) -> None:
    table = sca.benchmark.annotators(data, "cell_type", methods=[deep], cv=1)
    assert table["method"].tolist() == [deep, *DEEP_BASELINES]


def test_methods_say_whether_they_are_deep(deep: str) -> None:
    table = sca.tl.methods()["deep"]
    networks = {"mlp_torch", "actinn", "nact", "scanvi", "scvi", "totalanvi", "resolvi"}
    assert set(table.index[table]) == {*networks, deep}
    assert not sca.tl.methods("perturbation")["deep"].any()
