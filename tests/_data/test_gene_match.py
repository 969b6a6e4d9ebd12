"""Genes in common, against set operations."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sc_annotate._data.gene_match import MIN_SHARED_GENES, match
from sc_annotate.errors import GeneError

if TYPE_CHECKING:
    from random import Random


def _names(n: int, prefix: str = "GENE", start: int = 0) -> np.ndarray:
    return np.array([f"{prefix}{i}" for i in range(start, start + n)])


def _ensembl(n: int, version: int | None = None) -> np.ndarray:
    return np.array([f"ENSG{i:011d}" + ("" if version is None else f".{version}") for i in range(n)])


def _lists(names: np.ndarray, **columns: np.ndarray) -> dict[str, np.ndarray]:
    return {"var_names": names} | {f"var[{k!r}]": v for k, v in columns.items()}


# ---- which lists are compared


def test_by_index():
    q, r = _names(100), _names(100, start=40)[::-1]
    found = match(_lists(q), _lists(r))
    assert found.how == "var_names on both sides"
    np.testing.assert_array_equal(q[found.query], r[found.reference])
    assert r[found.reference].tolist() == [g for g in r.tolist() if g in set(q.tolist())]


def test_by_the_column_of_either_side():
    symbols, ids = _names(80), _ensembl(80)
    order = np.random.default_rng(0).permutation(80)
    found = match(_lists(ids[order], symbol=symbols[order]), _lists(symbols))
    assert found.how == "var['symbol'] of adata, var_names of reference"
    np.testing.assert_array_equal(found.reference, np.arange(80))
    np.testing.assert_array_equal(order[found.query], np.arange(80))
    found = match(_lists(ids[order]), _lists(symbols, gene_ids=ids))
    assert found.how == "var_names of adata, var['gene_ids'] of reference"
    np.testing.assert_array_equal(order[found.query], np.arange(80))


def test_without_versions():
    found = match(_lists(_ensembl(80, 3)), _lists(_ensembl(80)[::-1]))
    assert found.how == "var_names on both sides, without Ensembl versions"
    np.testing.assert_array_equal(found.query, np.arange(80)[::-1])


def test_the_floor_reached_by_chance_is_not_all_there_is():
    """Two releases of Ensembl: 60 of 100 ids have the same version, all are the same genes."""
    r = _ensembl(100, 1)
    q = np.concatenate([r[:60], _ensembl(100, 2)[60:]])
    found = match(_lists(q), _lists(r))
    assert len(found.query) == 100
    assert "without Ensembl versions" in found.how


def test_the_most_literal_lists_are_kept_where_others_find_little_more():
    symbols = _names(100)
    q = np.concatenate([symbols[:85], _names(15, "OTHER")])
    found = match(_lists(q, symbol=np.concatenate([symbols[:90], _names(10, "OTHER")])), _lists(symbols))
    assert found.how == "var_names on both sides"


def test_genes_without_a_symbol_do_not_match_each_other():
    symbols = np.where(np.arange(100) < 90, _names(100), "")
    found = match(_lists(_ensembl(100), symbol=symbols), _lists(_names(100, "OTHER"), symbol=symbols))
    np.testing.assert_array_equal(found.query, np.arange(90))
    np.testing.assert_array_equal(found.reference, np.arange(90))
    assert "ambiguous" not in found.how


# ---- duplicates


@pytest.mark.parametrize("side", ["adata", "reference"])
def test_duplicates_of_shared_names_are_an_error(side: str):
    names, twice = _names(60), np.append(_names(60), ["GENE3", "GENE5", "GENE3"])
    q, r = (twice, names) if side == "adata" else (names, twice)
    with pytest.raises(
        GeneError, match=rf"2 of the shared genes .* once in {side} .*GENE3, GENE5.*{side}\.var_names_make"
    ):
        match(_lists(q), _lists(r))


def test_duplicates_that_are_not_shared_do_no_harm():
    found = match(_lists(np.append(_names(60), ["X", "X"])), _lists(np.append(_names(60), ["Y", "Y"])))
    np.testing.assert_array_equal(found.query, np.arange(60))


def test_ambiguous_symbols_of_a_column_are_left_out_and_counted():
    """A column of symbols has a few twice, which nobody can repair by making var_names unique."""
    symbols = _names(60)
    symbols[7] = symbols[3]
    found = match(_lists(_ensembl(60), symbol=symbols), _lists(_names(60)))
    assert found.how == "var['symbol'] of adata, var_names of reference, 1 ambiguous left out"
    assert found.reference.tolist() == [i for i in range(60) if i not in (3, 7)]
    np.testing.assert_array_equal(found.query, found.reference)


def test_ambiguous_ids_without_versions_are_left_out():
    q = np.append(_ensembl(60, 1), "ENSG00000000004.2")
    found = match(_lists(q), _lists(_ensembl(60, 7)))
    assert found.reference.tolist() == [i for i in range(60) if i != 4]


def test_too_few_are_left_where_most_are_ambiguous():
    symbols = np.repeat(_names(50), 2)
    with pytest.raises(GeneError, match="have 0 genes in common"):
        match(_lists(_ensembl(100), symbol=symbols), _lists(_names(50)))


# ---- too few


@pytest.mark.parametrize(
    ("n_query", "n_reference", "n_shared", "min_fraction", "enough"),
    [
        (1000, 1000, 100, 0.1, True),
        (1000, 1000, 99, 0.1, False),
        (300, 5000, 50, 0.1, True),
        (300, 5000, 49, 0.1, False),
        (20, 1000, 18, 0.1, True),
        (20, 1000, 17, 0.1, False),
        (1000, 1000, 500, 0.5, True),
        (1000, 1000, 499, 0.5, False),
        (1000, 1000, MIN_SHARED_GENES, 0.0, True),
        (1, 1, 1, 0.1, True),
        (1, 1, 0, 0.1, False),
    ],
)
def test_floor(n_query: int, n_reference: int, n_shared: int, min_fraction: float, enough: bool):
    q, r = _names(n_query), _names(n_reference, start=n_query - n_shared)
    if enough:
        assert len(match(_lists(q), _lists(r), min_fraction=min_fraction).query) == n_shared
    else:
        with pytest.raises(GeneError, match=f"have {n_shared} genes in common; at least "):
            match(_lists(q), _lists(r), min_fraction=min_fraction)


@pytest.mark.parametrize(
    ("q", "r", "cure"),
    [
        (np.char.capitalize(_names(80)), _names(80), "80 differ in case only.*reference's species.*kind='orthologs'"),
        (_ensembl(80), _names(80), r"uses ensembl names, the other symbol.*gene_symbols=.*map_genes\(adata, table\)"),
        (_ensembl(80, 3), _names(80), "ensembl versioned"),
        (
            np.char.replace(_ensembl(80), "ENS", "ENSMUS"),
            _ensembl(80),
            "has genes of mouse, the atlas of human.*orthologs",
        ),
        (
            np.char.add(np.char.add(_names(80), "_"), _ensembl(80)),
            _names(80),
            r"80 names of the query join .*genes\(adata\)",
        ),
        (
            np.array([f"SEPT{i}" for i in range(80)]),
            _names(80),
            r"older release \(SEPT0, SEPT1, SEPT2\).*kind='aliases'",
        ),
        (_names(80), _names(80, "OTHER"), "Keep all genes.*Where symbols are old.*kind='aliases'"),
    ],
)
def test_too_few_says_why(q: np.ndarray, r: np.ndarray, cure: str):
    with pytest.raises(GeneError, match=cure) as caught:
        match(_lists(q), _lists(r), what=("the query", "the atlas"))
    # Both sides' names are shown.
    assert f"the query has 80 such as {q[0]}, {q[1]}, {q[2]}" in str(caught.value)
    assert f"the atlas has 80 such as {r[0]}, {r[1]}, {r[2]}" in str(caught.value)


def test_the_cure_names_the_object():
    with pytest.raises(GeneError, match=r"`query = sca\.pp\.map_genes\(query, table\)`"):
        match(_lists(_ensembl(80)), _lists(_names(80)), what=("query", "the model"))


# ---- any lists at all

names = st.integers(5, 400).flatmap(lambda top: st.lists(st.integers(0, top), min_size=1, max_size=120))
names |= st.permutations(range(90))


def _check(q: np.ndarray, r: np.ndarray, query: np.ndarray, reference: np.ndarray) -> None:
    """Pairs are equal, each shared name is there once, in the order of the reference."""
    np.testing.assert_array_equal(q[query], r[reference])
    assert set(r[reference].tolist()) == set(q.tolist()) & set(r.tolist())
    assert len(set(reference.tolist())) == len(reference)
    np.testing.assert_array_equal(reference, np.sort(reference))


@settings(max_examples=100, deadline=None)
@given(st.permutations(range(120)), st.integers(60, 120), st.integers(0, 60), st.randoms(use_true_random=False))
def test_unique_lists(order: list[int], n: int, start: int, random: Random):
    q = np.array([f"G{i}" for i in order[:n]])
    r = np.array([f"G{i}" for i in range(start, start + 100)])
    random.shuffle(r)
    shared = set(q.tolist()) & set(r.tolist())
    if len(shared) < MIN_SHARED_GENES:
        with pytest.raises(GeneError, match=f"{len(shared)} genes in common"):
            match(_lists(q), _lists(r))
        return
    found = match(_lists(q), _lists(r))
    _check(q, r, found.query, found.reference)


@settings(max_examples=100, deadline=None)
@given(names, names)
def test_lists_with_duplicates(q_numbers: list[int], r_numbers: list[int]):
    q, r = (np.array([f"G{i}" for i in numbers]) for numbers in (q_numbers, r_numbers))
    shared = set(q_numbers) & set(r_numbers)
    twice = [i for numbers in (q_numbers, r_numbers) for i, n in Counter(numbers).items() if n > 1 and i in shared]
    small = len(shared) < min(MIN_SHARED_GENES, int(np.ceil(0.9 * min(len(q), len(r)))))
    if small or twice:
        with pytest.raises(GeneError, match="genes in common; at least" if small else "occur more than once"):
            match(_lists(q), _lists(r), min_fraction=0.0)
        return
    found = match(_lists(q), _lists(r), min_fraction=0.0)
    _check(q, r, found.query, found.reference)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 149), st.integers(0, 3)), min_size=60, max_size=120, unique=True),
    st.permutations(range(150)),
)
def test_lists_with_versions(query: list[tuple[int, int]], order: list[int]):
    """Whatever versions the ids have: a pair is the same gene, and no gene is found twice."""
    q = np.array([f"ENSG{i:011d}" + (f".{v}" if v else "") for i, v in query])
    r = np.array([f"ENSG{i:011d}.1" for i in order])
    counts = Counter(i for i, _ in query)
    literal = {i for i, v in query if v == 1}
    clear = {i for i, n in counts.items() if n == 1}
    try:
        found = match(_lists(q), _lists(r))
    except GeneError:
        assert max(len(clear), len(literal)) < MIN_SHARED_GENES
        return
    pairs = [(query[i][0], order[j]) for i, j in zip(found.query, found.reference, strict=True)]
    assert all(a == b for a, b in pairs)
    assert len(set(found.reference.tolist())) == len(found.reference)
    np.testing.assert_array_equal(found.reference, np.sort(found.reference))
    assert {a for a, _ in pairs} == (clear if "without" in found.how else literal)


@settings(max_examples=50, deadline=None)
@given(st.permutations(range(80)), st.permutations(range(80)), st.sets(st.integers(0, 79), max_size=30))
def test_columns_with_gaps(q_order: list[int], r_order: list[int], gaps: set[int]):
    """Ids on one side, symbols on the other, some genes without a symbol."""
    symbols = np.array(["" if i in gaps else f"S{i}" for i in q_order])
    ids = np.array([f"ENSG{i:011d}" for i in q_order])
    r = np.array([f"S{i}" for i in r_order])
    found = match(_lists(ids, symbol=symbols), _lists(r))
    np.testing.assert_array_equal(symbols[found.query], r[found.reference])
    assert set(r[found.reference].tolist()) == set(symbols.tolist()) - {""}
    np.testing.assert_array_equal(found.reference, np.sort(found.reference))
