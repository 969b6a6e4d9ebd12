"""Whether scores of lists agree with labels, on scores written by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtri

from sc_annotate._vocabulary.terms.ontology import Ontology
from sc_annotate.annotation.markers.agreement import AGREEMENTS, cell_agreement, compare
from sc_annotate.annotation.markers.lists_of_labels import lists_of_labels
from sc_annotate.errors import LabelError


def test_a_cell_agrees_contradicts_or_is_silent() -> None:
    scores = np.array([[3, 0, 0], [1, 0, 0], [0, 3, 0], [2, 3, 0], [3, 3, 0], [3, 0, 0]], dtype=float)
    own = np.array([0, 0, 0, 0, 0, -1])
    words = [AGREEMENTS[i] if i >= 0 else None for i in cell_agreement(scores, own)]
    assert words == ["agree", "silent", "contradict", "silent", "agree", None]


@pytest.mark.parametrize(("shift", "together"), [(2.0, "agree"), (-2.0, "contradict"), (0.0, "silent")])
def test_labels_are_compared_by_the_mean_difference(shift: float, together: str) -> None:
    scores = np.random.default_rng(0).normal(size=(200, 4))
    scores[:, 1] += 1
    scores[:, 0] += 1 + shift
    found = compare(scores, cell_agreement(scores, np.zeros(200, dtype=np.intp)), 0)
    assert (found.agreement, found.rival, found.n) == (together, 1, 200)
    gap = scores[:, 0] - scores[:, 1]
    half = -ndtri(0.025 / 3) * gap.std(ddof=1) / np.sqrt(200)
    np.testing.assert_allclose(found.difference, (gap.mean(), gap.mean() - half, gap.mean() + half))
    assert found.shares.sum() == pytest.approx(1)


def _own(
    labels: list[str], usable: list[str], types: dict[str, str] | None = None, terms: list[str] | None = None
) -> dict:
    names, every = np.array(usable, dtype=str), np.array([*usable, "left out"])
    ids = np.array(terms or [""] * len(usable), dtype=str)
    found = lists_of_labels(labels, names, ids, every, types or {})
    return {label: (usable[own.place], own.how) for label, own in found.items()}


def test_lists_are_matched_by_names() -> None:
    usable = ["B cell", "NK cells", "nk"]
    # Two lists have one spelling, so that neither is chosen.
    assert _own(["B cells", "NK"], usable) == {"B cells": ("B cell", "spelling")}
    assert _own(["B cells", "NK"], usable, {"NK": "nk"}) == {"B cells": ("B cell", "spelling"), "NK": ("nk", "types")}
    with pytest.raises(LabelError, match="too few genes"):
        _own(["B"], ["B cell"], {"B": "left out"})
    with pytest.raises(LabelError, match="does not exist"):
        _own(["B"], ["B cell"], {"B": "nk"})


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("CD4+ T cells", "CD4 T cell"),
        ("NK cells", "natural killer cell"),
        ("natural_killer_cells", "NK"),
        ("B CELLS", "B cell"),
        ("B", "b-cells"),
        ("Tregs", "regulatory T cell"),
        ("pDC", "Plasmacytoid dendritic cells"),
        ("Monocytes, CD14+", "CD14+ monocyte"),
        ("Нейроны", "нейроны"),
    ],
)
def test_one_meaning_under_two_names(label: str, name: str) -> None:
    assert _own([label, "other"], [name, "another"]) == {label: (name, "spelling")}


@pytest.mark.parametrize(
    ("label", "name"),
    [("CD4- T cell", "CD4+ T cell"), ("CD16low monocyte", "CD16 monocyte"), ("memory B cell", "B cell")],
)
def test_what_changes_the_meaning_is_not_dropped(label: str, name: str) -> None:
    assert _own([label, "same"], [name, "same"]) == {"same": ("same", "name")}


def test_synonyms_of_the_ontology(monkeypatch: pytest.MonkeyPatch) -> None:
    small = Ontology(
        ids=np.array(["CL:1", "CL:2", "CL:3"]),
        names=np.array(["cell", "erythrocyte", "platelet"]),
        parents=[np.array([], dtype=np.intp), np.array([0]), np.array([0])],
        synonyms={"CL:2": [("red blood cell", "exact")], "CL:3": [("thrombocyte", "exact")]},
    )
    monkeypatch.setattr(Ontology, "from_guide", classmethod(lambda _: small))
    found = _own(["Erythrocytes", "thrombocyte", "x"], ["red blood cell", "list 7", "y"], terms=["", "CL:3", ""])
    assert found == {"Erythrocytes": ("red blood cell", "ontology"), "thrombocyte": ("list 7", "ontology")}
