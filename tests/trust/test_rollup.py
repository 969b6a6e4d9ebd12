"""The most specific term that holds enough, and the term above a set."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sc_annotate.errors import InputError
from sc_annotate.trust import common_term, roll_up

# a, b, c, {a b}, all
TERMS = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [1, 1, 1]], dtype=bool)


def test_goes_up_as_far_as_it_must() -> None:
    p = [[0.9, 0.1, 0], [0.89, 0.11, 0], [0.5, 0.39, 0.11], [0, 0.05, 0.95]]
    term, mass = roll_up(p, TERMS, coverage=0.9)
    assert term.tolist() == [0, 3, 4, 2]
    np.testing.assert_allclose(mass, [0.9, 1.0, 1.0, 0.95])


def test_of_terms_with_the_same_types_the_deepest() -> None:
    terms = np.vstack([TERMS, TERMS[3]])
    p = [[0.5, 0.45, 0.05]]
    assert roll_up(p, terms, depth=[3, 3, 3, 1, 0, 2])[0].tolist() == [5]
    assert roll_up(p, terms, depth=[3, 3, 3, 2, 0, 1])[0].tolist() == [3]
    assert common_term([[1, 1, 0]], terms, depth=[3, 3, 3, 1, 0, 2]).tolist() == [5]


def test_of_terms_of_one_size_the_one_with_more() -> None:
    terms = np.array([[1, 1, 0], [1, 0, 1], [1, 1, 1]], dtype=bool)
    assert roll_up([[0.8, 0.1, 0.1], [0.85, 0.05, 0.1]], terms, depth=[2, 1, 0])[0].tolist() == [0, 1]


def test_cells_without_a_call_and_probabilities_that_were_not_kept() -> None:
    p = np.array([[np.nan] * 3, [0.3, 0.3, 0.2]])
    term, mass = roll_up(p, TERMS, coverage=0.95)
    assert term.tolist() == [-1, 4], "the top, although it lacks what was not kept"
    assert np.isnan(mass[0])
    assert mass[1] == pytest.approx(0.8)
    assert common_term(np.zeros((2, 3), dtype=bool), TERMS).tolist() == [-1, -1]


@given(st.integers(0, 2**32 - 1), st.floats(0.5, 1, exclude_min=True))
def test_against_a_plain_transcription(seed: int, coverage: float) -> None:
    rng = np.random.default_rng(seed)
    k = int(rng.integers(1, 6))
    terms = np.vstack([np.eye(k, dtype=bool), rng.random((4, k)) < 0.5, np.ones((1, k), dtype=bool)])
    terms = terms[terms.any(axis=1)]
    depth = rng.permutation(len(terms))
    p = rng.dirichlet(np.ones(k), size=20)
    term, mass = roll_up(p, terms, coverage=coverage, depth=depth)
    sets = rng.random((20, k)) < 0.5
    above = common_term(sets, terms, depth=depth)
    for i in range(20):
        masses = p[i] @ terms.T
        np.testing.assert_allclose(mass[i], masses[term[i]])
        if not terms[term[i]].all():
            assert mass[i] >= coverage
        smaller = terms.sum(axis=1) < terms[term[i]].sum()
        assert (masses[smaller] < coverage + 1e-12).all()
        if sets[i].any():
            holds = [t for t in range(len(terms)) if terms[t][sets[i]].all()]
            assert above[i] == min(holds, key=lambda t: (terms[t].sum(), -depth[t]))


def test_higher_coverage_never_names_fewer_types() -> None:
    p = np.random.default_rng(0).dirichlet(np.full(3, 0.3), size=200)
    sizes = [TERMS[roll_up(p, TERMS, coverage=c)[0]].sum(axis=1) for c in (0.6, 0.8, 0.95)]
    assert (sizes[0] <= sizes[1]).all()
    assert (sizes[1] <= sizes[2]).all()
    assert (sizes[0] < sizes[2]).any()


@pytest.mark.parametrize(
    ("p", "terms", "options", "message"),
    [
        ([[1, 0, 0]], TERMS, {"coverage": 0}, "coverage"),
        ([[1, 0, 0]], TERMS, {"coverage": True}, "coverage"),
        ([[1, 0]], TERMS, {}, "3 types"),
        ([1, 0, 0], TERMS, {}, "3 types"),
        ([[1, 0, 0]], TERMS[:4], {}, "no term of membership holds all"),
        ([[1, 0, 0]], np.vstack([TERMS, [0, 0, 0]]), {}, "position 5 of membership holds no type"),
        ([[1, 0, 0]], TERMS * 0.5, {}, "yes or no"),
        ([[1, 0, 0]], TERMS, {"depth": [1]}, "depth"),
    ],
)
def test_bad_input(p, terms, options, message: str) -> None:
    with pytest.raises(InputError, match=message):
        roll_up(p, terms, **options)


def test_bad_sets() -> None:
    with pytest.raises(InputError, match="sets"):
        common_term([[0.5, 0, 0]], TERMS)


def test_infinite_probabilities_and_depths_that_are_no_numbers() -> None:
    with pytest.raises(InputError, match="infinite"):
        roll_up([[np.inf, 0, 0]], TERMS)
    with pytest.raises(InputError, match="depth must be 5 numbers"):
        roll_up([[1, 0, 0]], TERMS, depth=list("abcde"))
