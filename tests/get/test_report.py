"""The report of a stored annotation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import sc_annotate as sca
from sc_annotate.errors import StorageError

if TYPE_CHECKING:
    from anndata import AnnData


def test_report_says_what_is_stored(pair: tuple[AnnData, AnnData]) -> None:
    reference, query = pair
    sca.tl.annotate(query, reference, "cell_type", method="nearest_centroid")
    text = repr(sca.get.report(query))
    stored = query.uns["annotation"]
    counts = query.obs["annotation"].value_counts()
    assert stored["model"] in text
    for label, n in counts.items():
        assert any(line.strip().startswith(str(label)) and f" {n} " in f"{line} " for line in text.splitlines()), label
    for status, n in query.obs["annotation_status"].value_counts().items():
        assert f"{status} {n}" in text
    for method, f1 in stored["baseline"]["scores"][["method", "macro_f1"]].to_numpy():
        assert any(method in line and f"macro-F1 {f1:.3f}" in line for line in text.splitlines())
    assert "do not rely on these labels" in text
    shared = stored["input"]["n_genes_shared"]
    assert f"{shared:,} of the model's {stored['input']['n_genes_of_model']:,} are in adata" in text
    # Notes on both objects name the object.
    notes = [line for line in text.splitlines() if line.startswith("  note")]
    assert len(notes) == len(set(notes))
    assert {line.split()[1] for line in notes} == {"cells:", "reference:"}


def test_numbers_stand_under_each_other(pair: tuple[AnnData, AnnData]) -> None:
    reference, query = pair
    names = {
        name: f"{name}, {'of the naive, memory kind' * (i % 2)}"
        for i, name in enumerate(reference.obs["cell_type"].cat.categories)
    }
    reference.obs["cell_type"] = reference.obs["cell_type"].cat.rename_categories(names)
    sca.tl.annotate(query, reference, "cell_type", method="nearest_centroid", cv=0, trust=None)
    rows = [line for line in repr(sca.get.report(query)).splitlines() if "mean confidence" in line]
    assert max(map(len, rows)) > 60
    assert len({line.index("   mean confidence") for line in rows}) == 1


def test_report_of_little(pair: tuple[AnnData, AnnData]) -> None:
    reference, query = pair
    sca.tl.annotate(query, reference, "cell_type", method="nearest_centroid", cv=0, trust=None)
    text = repr(sca.get.report(query))
    assert "  scores  " not in text
    assert "  sets  " not in text
    with pytest.raises(StorageError, match="there are: 'annotation'"):
        sca.get.report(query, "other")


@pytest.mark.slow
def test_report_of_a_consensus_and_of_many_types() -> None:
    data = sca.datasets.simulate_reference(600, 150, 25, imbalance=1, rng=0)
    reference, query = data[:400].copy(), data[400:].copy()
    sca.tl.annotate(query, reference, "cell_type", method=["nearest_centroid", "naive_bayes"], cv=0, min_cells=2)
    assert "more types" in repr(sca.get.report(query))
