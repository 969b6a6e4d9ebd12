"""Levels of labels as arrays: calls that never contradict each other, and the decision they come from."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sc_annotate.errors import InputError
from sc_annotate.trust import Levels


@st.composite
def some_levels(draw: st.DrawFn) -> tuple[Levels, np.ndarray]:
    """A random tree of two to four levels, and probabilities of its types, some of them 0 or equal."""
    k, depth = draw(st.integers(2, 8)), draw(st.integers(2, 4))
    column = np.array([f"t{i}" for i in range(k)])
    columns = [column]
    for _ in range(depth - 1):
        names = np.unique(columns[0])
        above = dict(
            zip(names, draw(st.lists(st.integers(0, 3), min_size=len(names), max_size=len(names))), strict=True)
        )
        columns.insert(0, np.array([f"a{above[name]}" for name in columns[0]]))
    rows = draw(st.lists(st.lists(st.integers(0, 4), min_size=k, max_size=k), min_size=1, max_size=12))
    p = np.array(rows, dtype=np.float32) + 1e-6
    names = tuple(f"level{i}" for i in range(depth))
    return Levels(names, np.column_stack(columns)), p / p.sum(axis=1, keepdims=True)


@settings(max_examples=100, deadline=None)
@given(some_levels())
def test_calls_are_best_in_expectation_and_agree(made: tuple[Levels, np.ndarray]) -> None:
    levels, proba = made
    codes, n = levels.decide(proba), len(levels.names)
    gain = np.zeros(proba.shape)
    for cell, t, other in np.ndindex(*proba.shape, proba.shape[1]):
        gain[cell, t] += proba[cell, other] * sum(levels.labels[t, i] == levels.labels[other, i] for i in range(n))
    each = np.arange(len(proba))
    np.testing.assert_allclose(gain[each, codes], gain.max(axis=1), rtol=1e-6)
    confidence = levels.confidence(proba, codes)
    np.testing.assert_allclose(confidence.sum(axis=1), gain.max(axis=1), rtol=1e-6)
    assert (np.diff(confidence, axis=1) <= 0).all()
    assert (np.diff(confidence.astype(np.float32), axis=1) <= 0).all()
    for level in range(n):
        sums = levels.sums(proba, level)
        np.testing.assert_allclose(sums.sum(axis=1), 1, rtol=1e-5)
        np.testing.assert_array_equal(levels.of(level)[levels.path(codes, level)], levels.labels[codes, level])
    for cell in each:
        alone = levels.decide(proba[cell : cell + 1])
        assert alone[0] == codes[cell], "a call does not depend on the other cells"


def test_one_level_is_argmax() -> None:
    proba = np.random.default_rng(0).dirichlet(np.ones(5), 50).astype(np.float32)
    levels = Levels(("type",), np.array([[c] for c in "abcde"]))
    np.testing.assert_array_equal(levels.decide(proba), proba.argmax(axis=1))


def test_at_puts_types_in_order() -> None:
    levels = Levels(("broad", "fine"), np.array([["B", "B"], ["T", "CD4"], ["T", "CD8"]]))
    assert levels.at(["CD8", "B"]).labels.tolist() == [["T", "CD8"], ["B", "B"]]
    with pytest.raises(InputError, match="'NK'"):
        levels.at(["NK"])


@pytest.mark.parametrize(
    ("names", "labels", "says"),
    [
        (("a",), [["x", "y"]], "do not fit"),
        (("a", "a"), [["x", "y"]], "do not fit"),
        (("a", "b"), [["x", "y"], ["z", "y"]], "twice"),
        (("a", "b", "c"), [["x", "m", "1"], ["y", "m", "2"]], "'m' .* lies under 'x' and 'y'"),
    ],
)
def test_what_is_no_tree_is_refused(names: tuple[str, ...], labels: list[list[str]], says: str) -> None:
    with pytest.raises(InputError, match=says):
        Levels(names, np.array(labels))


def test_lists_are_levels_too_and_other_things_are_refused() -> None:
    levels = Levels(["broad", "fine"], [["B", "B"], ["T", "CD4"], ["T", "CD8"]])
    assert levels.names == ("broad", "fine")
    assert levels.decide([[0.40, 0.35, 0.25]]).tolist() == [1]
    with pytest.raises(InputError, match="a label for each type"):
        Levels(("broad", "fine"), np.array([["B", None]], dtype=object))
    with pytest.raises(InputError, match="at least one name"):
        Levels((), np.empty((0, 0), dtype=str))
    for wrong in ([[0.5, 0.5]], [0.4, 0.3, 0.3], [["a", "b", "c"]]):
        with pytest.raises(InputError, match="proba must be numbers"):
            levels.decide(wrong)
    for codes in ([3], [-1], [0, 0]):
        with pytest.raises(InputError, match="codes must be 1 numbers"):
            levels.confidence([[0.4, 0.3, 0.3]], np.array(codes))
