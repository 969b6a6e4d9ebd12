"""Which types are finer than others, by their names."""

from __future__ import annotations

import pytest

from sc_annotate._vocabulary.marker_lists.finer import FinerTypes


@pytest.mark.parametrize(
    ("coarse", "name", "finer"),
    [
        ("T cell", "CD4-positive, alpha-beta T cell", True),
        ("CD4-positive, alpha-beta T cell", "naive thymus-derived CD4-positive, alpha-beta T cell", True),
        ("CD4-positive, alpha-beta T cell", "activated CD4-positive, alpha-beta T cell, human", True),
        ("CD4-positive, alpha-beta T cell", "CD4-positive, alpha-beta memory T cell", True),
        ("CD4-positive, alpha-beta T cell", "CD8-positive, alpha-beta memory T cell", False),
        ("monocyte", "CD14-low, CD16-positive monocyte", True),
        ("classical monocyte", "non-classical monocyte", False),
        ("classical monocyte", "non classical monocyte", False),
        ("B cell", "type B pancreatic cell", False),
        ("B cell", "Memory B Cell", True),
        ("B cell", "pro B cell", False),
        ("dendritic cell", "dendritic cell, human", False),
        ("B cell", "B cell", False),
        ("memory B cell", "B cell", False),
        ("human", "mouse", False),
    ],
)
def test_finer_types_have_all_words_of_a_name_and_its_end(coarse: str, name: str, finer: bool) -> None:
    assert FinerTypes([coarse, name]).of(0) == ([1] if finer else [])
