"""Ontologies: read, walked on, searched by name."""

from __future__ import annotations

import gzip
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import sc_annotate as sca
from sc_annotate._vocabulary.terms.names import spelling
from sc_annotate._vocabulary.terms.ontology import Ontology
from sc_annotate._vocabulary.terms.open_ontology import open_ontology
from sc_annotate._vocabulary.terms.sources import ANY
from sc_annotate._vocabulary.terms.type_tree import type_tree
from sc_annotate.errors import InputError, LabelError

if TYPE_CHECKING:
    from pathlib import Path

OBO = """format-version: 1.2
data-version: releases/test
ontology: cl/subsets/test

[Term]
id: CL:1
name: cell
is_a: UBERON:1 ! anatomical structure

[Term]
id: CL:2
name: T cell
alt_id: CL:22
synonym: "T lymphocyte" EXACT [ref:1, ref:2] {source="x"}
synonym: "say \\"T\\"" EXACT []
synonym: "leukocyte" BROAD []
synonym: "TC" RELATED OMO:1 []
is_a: CL:1 {is_inferred="true"} ! cell

[Term]
id: CL:3
name: CD8-positive, alpha-beta T cell
is_a: CL:2 ! T cell

[Term]
id: CL:4
name: obsolete T cell
is_obsolete: true
replaced_by: CL:22

[Term]
id: CL:5
name: obsolete thing
is_obsolete: true

[Term]
id: UBERON:1
name: anatomical structure

[Typedef]
id: part_of
name: part of
"""


@pytest.fixture
def obo(tmp_path: Path) -> Path:
    path = tmp_path / "test.obo"
    path.write_text(OBO, encoding="utf-8")
    return path


def test_obo(obo: Path) -> None:
    found = Ontology.from_obo(obo)
    assert found.ids.tolist() == ["CL:1", "CL:2", "CL:3"], "other ontologies' terms and obsolete ones are left out"
    assert found.version == "releases/test"
    assert found.ancestors("CL:3") == ["CL:3", "CL:2", "CL:1"]
    assert found.descendants("CL:1") == ["CL:1", "CL:2", "CL:3"]
    assert found.synonyms["CL:2"] == [
        ("T lymphocyte", "exact"),
        ('say "T"', "exact"),
        ("leukocyte", "broad"),
        ("TC", "related"),
    ]
    assert found.resolve("CL:22") == "CL:2"
    assert found.resolve("CL:4") == "CL:2", "through the replacement and its alternative id"
    assert found.find("CL:4") == ("CL:2", "id")
    assert len(Ontology.from_obo(obo, prefix="")) == 4
    with pytest.raises(InputError, match="obsolete"):
        found.resolve("CL:5")
    with pytest.raises(InputError, match="no term 'CL:9'"):
        found.ancestors("CL:9")
    with pytest.raises(InputError, match="begins with 'MP:'"):
        Ontology.from_obo(obo, prefix="MP")


def test_gzipped_is_the_same(obo: Path, tmp_path: Path) -> None:
    packed = tmp_path / "test.obo.gz"
    packed.write_bytes(gzip.compress(obo.read_bytes()))
    a, b = Ontology.from_obo(obo), sca.pp.read_ontology(packed)
    assert a.ids.tolist() == b.ids.tolist()
    assert a.synonyms == b.synonyms


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.replace("id: CL:3", "id: CL:2"), "twice"),
        (lambda t: t.replace("is_a: CL:2 !", "is_a: CL:77 !"), "does not hold: 'CL:77'"),
        (
            lambda t: t.replace("is_a: UBERON:1", "is_a: CL:3"),
            r"has a cycle: CL:\d is under CL:\d is under CL:\d is under CL:\d\.",
        ),
        (lambda t: t.replace("id: CL:3\n", ""), "without id"),
        (lambda _: "<owl/>", "no OBO file"),
    ],
)
def test_damaged_obo(obo: Path, change, message: str) -> None:
    obo.write_text(change(OBO), encoding="utf-8")
    with pytest.raises(InputError, match=message):
        Ontology.from_obo(obo)


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="path of an OBO file"):
        open_ontology(tmp_path / "absent.obo")
    (tmp_path / "x.obo.gz").write_bytes(b"\x1f\x8bnonsense")
    with pytest.raises(InputError, match="cannot be read"):
        open_ontology(tmp_path / "x.obo.gz")
    with pytest.raises(InputError, match="must be an Ontology"):
        open_ontology(3)


def test_tree() -> None:
    tree = Ontology.from_tree(
        {"CD4 T": "T", "CD8 T": ["T", "killer"], "NK": ["killer"], "T": "blood", "killer": "blood"}
    )
    assert [tree.depth(t) for t in ("blood", "T", "CD8 T")] == [0, 1, 2]
    assert tree.lowest_common_ancestor(["CD4 T", "CD8 T"]) == "T"
    assert tree.lowest_common_ancestor(["CD8 T", "NK"]) == "killer"
    assert tree.lowest_common_ancestor(["CD4 T", "NK"]) == "blood"
    assert tree.lowest_common_ancestor(["NK"]) == "NK"
    assert tree.lowest_common_ancestor(["CD8 T", "T"]) == "T"
    assert tree.distance("CD4 T", "NK") == 4
    assert tree.distance("T", "CD8 T") == 1
    assert tree.is_root("blood")
    assert not tree.is_root("T")
    assert "T" in tree
    assert "X" not in tree
    with pytest.raises(InputError, match="at least one"):
        tree.lowest_common_ancestor([])


def test_of_several_lowest_the_one_with_fewest_under_it() -> None:
    tree = Ontology.from_tree({"a": ["p", "q"], "b": ["p", "q"], "c": "p", "p": "top", "q": "top"})
    assert tree.lowest_common_ancestor(["a", "b"]) == "q"
    same = Ontology.from_tree({"a": ["p", "q"], "b": ["p", "q"], "p": "top", "q": "top"})
    assert same.lowest_common_ancestor(["a", "b"]) == "p", "then by id"


def test_tree_of_several_tops_gets_a_root() -> None:
    tree = Ontology.from_tree({"CD4 T": "T", "mono": "myeloid"})
    assert tree.lowest_common_ancestor(["CD4 T", "mono"]) == ANY
    assert len(Ontology.from_tree({"CD4 T": "T"})) == 2, "one top needs none"


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"a": "b", "b": "a"}, "has a cycle: a is under b is under a"),
        ({"a": "a"}, "its own parent"),
        ({}, "is a dict"),
        ({"a": ""}, "is no name"),
        ({"a": [3]}, "is no name"),
    ],
)
def test_bad_trees(tree: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Ontology.from_tree(tree)


def test_levels() -> None:
    broad = np.array(["T", "T", "T", "B", "Mono", "Mono"])
    fine = pd.Categorical(["CD4", "CD8", "T", "B", "CD14", "T2"])
    found = Ontology.from_levels({"broad": broad, "fine": fine})
    assert found.ancestors("CD4") == ["CD4", "T (broad)", ANY]
    assert found.ancestors("T") == ["T", "T (broad)", ANY], "the finer T is a part of the broader one"
    assert found.ancestors("B") == ["B", ANY], "the same cells: one term"
    by_place = Ontology.from_levels([broad, fine])
    assert by_place.ancestors("CD4") == ["CD4", "T (level 1)", ANY]
    frame = Ontology.from_levels(pd.DataFrame({"broad": broad, "fine": fine}))
    assert frame.ids.tolist() == found.ids.tolist()


def test_levels_that_contradict() -> None:
    with pytest.raises(LabelError, match=r"'DC' \(fine\) lies under 'Mono' and under 'B'"):
        Ontology.from_levels({"broad": ["Mono", "B"], "fine": ["DC", "DC"]})
    with pytest.raises(LabelError, match="no label for 1 cells"):
        Ontology.from_levels({"broad": ["Mono", None], "fine": ["DC", "B"]})
    with pytest.raises(LabelError, match="of the same cells"):
        Ontology.from_levels([["a"], ["b", "c"]])


@st.composite
def graphs(draw: st.DrawFn) -> Ontology:
    """A random acyclic graph under one root."""
    n = draw(st.integers(2, 9))
    tree = {f"n{i}": [f"n{j}" for j in sorted(draw(st.sets(st.integers(0, i - 1), min_size=1)))] for i in range(1, n)}
    return Ontology.from_tree(tree)


@given(graphs())
def test_walks_agree_with_their_definitions(graph: Ontology) -> None:
    ids = graph.ids.tolist()
    above = {t: set(graph.ancestors(t)) for t in ids}
    for t in ids:
        assert set(graph.descendants(t)) == {o for o in ids if t in above[o]}
        assert all(graph.depth(t) > graph.depth(p) for p in above[t] - {t})
    for a, b in combinations(ids, 2):
        lowest = graph.lowest_common_ancestor([a, b])
        common = above[a] & above[b]
        assert lowest in common
        assert not any(lowest in above[other] for other in common - {lowest})
        assert graph.distance(a, b) == graph.distance(b, a) > 0


@given(graphs(), st.data())
def test_tree_of_types(graph: Ontology, data: st.DataObject) -> None:
    """Each type is a leaf, one term holds all, no two terms hold the same types, and each lies in its parent."""
    terms = data.draw(st.lists(st.sampled_from(graph.ids.tolist()), min_size=1, max_size=5))
    classes = [f"type {i}" for i in range(len(terms))]
    tree = type_tree(classes, terms, graph)
    rows = [tuple(r) for r in tree.membership.tolist()]
    assert len(set(rows)) == len(rows)
    assert sum(all(r) for r in rows) == 1
    assert sorted(tree.types[tree.types >= 0].tolist()) == list(range(len(terms)))
    assert len(set(tree.names.tolist())) == len(tree.names)
    for i, p in enumerate(tree.parents.tolist()):
        assert (p < 0) == all(rows[i])
        if p >= 0:
            assert (tree.membership[p] >= tree.membership[i]).all()
        if tree.types[i] >= 0:
            assert tree.membership[i].sum() == 1
            assert tree.names[i] == classes[tree.types[i]]
            assert tree.ids[i] == terms[tree.types[i]]


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("CD14+ Monocytes", "CD14-positive monocyte"),
        ("T_CD4+", "CD4+ T"),
        ("B-cells", "b cell"),
        ("CD8\u2212 T cells", "CD8-negative T cell"),
        ("natural-killer cells", "Natural Killer cell"),
        ("CD4+/CD25+ T", "CD25-positive CD4-positive t"),
    ],
)
def test_spellings_that_are_the_same(text: str, same: str) -> None:
    assert spelling(text).replace("/", "").split() == spelling(same).replace("/", "").split()


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("CD14+ monocyte", "CD14- monocyte"),
        ("CD14+ monocyte", "CD14low monocyte"),
        ("CD16 monocyte", "CD16+ monocyte"),
        ("CD56bright NK", "CD56dim NK"),
        ("B cell T zone", "T cell B zone"),
        ("IL-2 cell", "IL 2 cell"),
    ],
)
def test_spellings_that_mean_something_else(text: str, other: str) -> None:
    assert spelling(text) != spelling(other)


# The ids by biology; "" for what has no one meaning, or no term.
GUIDE = {
    "CD4+ T cells": "CL:0000624",
    "CD4 T cells": "CL:0000624",
    "T_CD8": "CL:0000625",
    "Naive CD4 T": "CL:0000895",
    "Memory CD4 T": "CL:0000897",
    "CD14+ Monocytes": "CL:0001054",
    "Mono_CD14": "CL:0001054",
    "NK": "CL:0000623",
    "B cells": "CL:0000236",
    "B": "CL:0000236",
    "DC": "CL:0000451",
    "Dendritic": "CL:0000451",
    "pDC": "CL:0000784",
    "Platelet": "CL:0000233",
    "Megakaryocytes": "CL:0000556",
    "Treg": "CL:0000815",
    "CD19+ B": "CL:0001201",
    "HSC": "",
    "alpha": "",
    "alpha cells": "",
    "Mono_CD16": "",
    "CD16 Mono": "",
    "CD16+ monocytes": "",
    "CD16+ Mono": "",
    "P cells": "",
    "T cells": "CL:0000084",
    "CD14+ CD16+ monocytes": "CL:0002397",
    "CD34+": "",
    "CD4+/CD25 T Reg": "",
    "unknown": "",
    "Cluster 3": "",
    "A": "",
    "T or NK": "",
    "not a T cell": "",
}


@pytest.mark.parametrize("label", GUIDE)
def test_labels_of_real_data_in_the_guide(label: str) -> None:
    pytest.importorskip("cellxgene_ontology_guide")
    assert open_ontology(None).find(label).id == GUIDE[label]


def test_guide_agrees_with_its_own_walks() -> None:
    """The CELLxGENE guide has walks of its own: an oracle for ours."""
    parser = pytest.importorskip("cellxgene_ontology_guide.ontology_parser").OntologyParser()
    ours = open_ontology(None)
    some = ["CL:0000624", "CL:0000625", "CL:0001054", "CL:0002396", "CL:0000236", "CL:0000451", "CL:0000037"]
    for term in some:
        assert set(ours.ancestors(term)) == set(parser.get_term_ancestors(term, include_self=True))
        assert set(ours.descendants(term)) == set(parser.get_term_descendants(term, include_self=True))
        assert ours.name(term) == parser.get_term_label(term)
    for a, b in combinations(some, 2):
        assert ours.distance(a, b) == parser.get_distance_between_terms(a, b)
        # Theirs is the nearest by edges; ours has no other common ancestor under it.
        nearest = parser.get_lowest_common_ancestors(a, b)
        lowest = ours.lowest_common_ancestor([a, b])
        assert set(nearest) <= set(ours.ancestors(a)) & set(ours.ancestors(b))
        assert all(len(ours.descendants(lowest)) <= len(ours.descendants(t)) for t in nearest)


def test_slims(shared_data: Path) -> None:
    found = open_ontology(shared_data / "resources" / "cl_blood_and_immune_upper_slim.obo.gz")
    assert all(term.startswith("CL:") for term in found.ids.tolist())
    assert found.find("B lymphocytes") == ("CL:0000236", "normalised")
    assert found.find("B-lymphocyte") == ("CL:0000236", "synonym")
    assert found.find("veiled cell").id == "", "a related synonym is not used"
    assert "CL:0000000" in found.ancestors("CL:0000236")
    assert found.lowest_common_ancestor(["CL:0000084", "CL:0000236"]) == "CL:0000542"


def test_none_is_a_root_and_what_is_no_name_is_refused() -> None:
    tree = Ontology.from_tree({"a": "b", "b": None})
    assert tree.ancestors("a") == ["a", "b"]
    for parent in (5, float("nan"), {"b": {}}, b"b"):
        with pytest.raises(InputError, match="the parent of 'a' is"):
            Ontology.from_tree({"a": parent})
    with pytest.raises(InputError, match="named by its id"):
        tree.ancestors(["a"])
    with pytest.raises(LabelError, match="not a int"):
        Ontology.from_levels(5)


def test_a_renamed_label_does_not_take_the_name_of_another() -> None:
    found = Ontology.from_levels({"broad": ["T", "T", "B", "B"], "fine": ["T", "NK", "B", "T (broad)"]})
    assert found.lowest_common_ancestor(["B", "T (broad)"]) == "B (broad)"
    assert found.lowest_common_ancestor(["T", "NK"]) == "(T (broad))"
    assert found.lowest_common_ancestor(["T", "T (broad)"]) == ANY
    several = Ontology.from_tree({"x": ANY, "y": f"({ANY})"})
    assert several.lowest_common_ancestor(["x", "y"]) == f"(({ANY}))"


def test_an_ontology_of_lists() -> None:
    assert Ontology(["a", "b"], ["A", "B"], [[], [0]]).ancestors("b") == ["b", "a"]


def test_near_names_are_those_above_and_not_any_that_look_alike() -> None:
    names = ("T cell", "CD4-positive T cell", "connective tissue cell", "neuron", "monocyte", "cell")
    found = open_ontology(dict.fromkeys(names, "any"))
    assert found.near("memory CD4 T cell")[0] == "T cell"
    assert "connective tissue cell" not in found.near("naive CD4 T cell")
    assert found.near("classical monocyte") == ["monocyte"]
    assert found.near("monocyt") == ["monocyte"]
