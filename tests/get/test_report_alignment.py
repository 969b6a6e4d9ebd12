"""Columns of a printed report and card stand below each other, whatever types are called."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pytest

import sc_annotate as sca
from sc_annotate.annotation.card import aligned

if TYPE_CHECKING:
    from anndata import AnnData

LONG = (
    "CD8-positive, alpha-beta cytotoxic T cell of the memory compartment, CX3CR1-positive, subset {}",
    "naive thymus-derived CD4-positive, alpha-beta T cell",
)


@pytest.fixture
def labelled(pair: tuple[AnnData, AnnData]) -> tuple[AnnData, AnnData]:
    reference, query = pair
    names = {t: LONG[0].format(i) for i, t in enumerate(sorted(set(reference.obs["cell_type"].astype(str)))[:3])}
    names["CD14+ Monocyte"] = LONG[1]
    for each in (reference, query):
        each.obs["cell_type"] = each.obs["cell_type"].astype(str).replace(names)
    return reference, query


def test_labels_of_any_length(labelled: tuple[AnnData, AnnData]) -> None:
    reference, query = labelled
    sca.tl.annotate(query, reference, "cell_type", method="nearest_centroid", cv=0)
    lines = [line for line in repr(sca.get.report(query)).splitlines() if "mean confidence" in line]
    assert len({line.index("   mean confidence") for line in lines}) == 1
    assert max(map(len, lines)) < 100
    # Both ends of a long name are there, so that no two look the same.
    shown = [re.split(r" {2,}", line.strip())[0] for line in lines]
    assert len(set(shown)) == len(shown)
    assert sum("..." in name for name in shown) >= 2
    assert any(name.startswith(LONG[1]) for name in shown)


def test_names_of_levels(labelled: tuple[AnnData, AnnData]) -> None:
    reference, query = labelled
    level = "lineage of the cell as in the atlas"
    reference.obs[level] = np.where(reference.obs["cell_type"].str.contains("T cell"), "T", "other")
    sca.tl.annotate(query, reference, [level, "cell_type"], method="nearest_centroid")
    lines = repr(sca.get.report(query)).splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("  levels"))
    assert len({line.index("accuracy") for line in lines[start + 1 : start + 3]}) == 1


@pytest.mark.parametrize("name", ["label", "confidence", "status"])
def test_an_index_called_as_a_column(
    pair_model: sca.tl.AnnotationModel, pair: tuple[AnnData, AnnData], name: str
) -> None:
    query = pair[1]
    sca.tl.annotate(query, pair_model)
    before = repr(sca.get.report(query))
    query.obs.index.name = name
    assert repr(sca.get.report(query)) == before
    assert sca.get.report(query)._repr_html_()


def test_widths() -> None:
    assert aligned([], 3) == []
    assert aligned(["a", "bcde"], 3) == ["a   ", "bcde"]
    (short,) = aligned(["a" * 30 + "b" * 70], 1)
    assert (len(short), short[0], short[-1]) == (60, "a", "b")
