"""How what was seen becomes the common scale: the choice, its notes, and what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pytest
import scanpy as sc
from scipy import sparse

import sc_annotate as sca
from sc_annotate._data import values
from sc_annotate._data.matrix import find
from sc_annotate._data.transform import PANEL_GENES, TARGET_SUM, plan
from sc_annotate.errors import InputError, MatrixError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sc_annotate._data.transform import Transform
    from sc_annotate._data.values import ValueReport


def _report(**kwargs: Any) -> ValueReport:
    plain: dict[str, Any] = {
        "where": "X",
        "format": "csr",
        "dtype": "float32",
        "n_cells": 1000,
        "n_genes": PANEL_GENES,
        "n_sampled": 512,
        "kind": "counts",
        "base": None,
        "evidence": "whole numbers only",
        "target_sum": None,
        "minimum": 0.0,
        "maximum": 9.0,
        "n_nan": 0,
        "n_inf": 0,
        "n_zero_cells": 0,
        "density": 0.1,
    }
    return values.ValueReport(**(plain | kwargs))


LOG = {"kind": "log1p", "base": "e", "evidence": "before the logarithm every cell adds up to 10,000", "target_sum": 1e4}
ASSUMED = {"kind": "log1p", "base": "e", "evidence": "assumed: no sign of another base"}
UNCENTRED = {"kind": "scaled", "evidence": "the genes have standard deviation 1"}


def _plan(report: ValueReport, **kwargs: Any) -> Transform:
    return plan(report, what="adata", **kwargs)


# ---- what is chosen


def test_counts_of_all_genes():
    chosen = _plan(_report())
    assert (chosen.identity, chosen.unlog, chosen.totals, chosen.columns) == (False, None, None, None)
    assert chosen.notes == ["counts normalised to 10,000 a cell and logged"]


def test_counts_of_few_genes_say_so():
    notes = _plan(_report(n_genes=PANEL_GENES - 1)).notes
    assert "total_counts_key=" in notes[0]
    assert len(notes) == 2


def test_logarithm_is_kept():
    chosen = _plan(_report(**LOG))
    assert (chosen.unlog, chosen.keep_totals, chosen.rescale) == (np.e, True, 1.0)
    assert chosen.notes == []


def test_another_base_and_another_total():
    chosen = _plan(_report(**LOG | {"base": "2", "target_sum": 1e6}))
    assert (chosen.unlog, chosen.keep_totals) == (2.0, True)
    assert chosen.rescale == pytest.approx(0.01)
    assert any("base 2" in n for n in chosen.notes)
    assert any("rescaled from 1,000,000" in n for n in chosen.notes)


def test_a_target_sum_is_not_guessed():
    chosen = _plan(_report(**ASSUMED))
    assert chosen.rescale == 1.0
    assert "unknown" in chosen.notes[-1]


def test_totals():
    totals = np.ones(1000)
    assert _plan(_report(), totals=totals).totals is totals
    logged = _plan(_report(**LOG), totals=totals)
    assert logged.totals is None
    assert "not used" in logged.notes[0]
    # Divided by the totals of the counts they came from, normalised values would be nonsense.
    linear = _plan(_report(kind="linear", target_sum=1e6), totals=totals)
    assert linear.totals is None
    assert "not used" in linear.notes[0]
    assert _plan(_report(kind="linear"), totals=totals).totals is totals


@pytest.mark.parametrize("kwargs", [{}, LOG, LOG | {"base": "2"}, {"kind": "linear"}])
def test_panel(kwargs: dict[str, Any]):
    panel = np.arange(70)
    chosen = _plan(_report(**kwargs), panel=panel)
    assert chosen.columns is panel
    assert not chosen.keep_totals
    assert chosen.unlog == {None: None, "e": np.e, "2": 2.0}[kwargs.get("base")]
    assert "70 shared genes" in chosen.notes[-1]


def test_counts_wanted():
    assert _plan(_report(), wanted="counts").identity
    for kwargs in (LOG, {"kind": "linear"}):
        with pytest.raises(MatrixError, match="needs counts.*Name the layer"):
            _plan(_report(**kwargs), wanted="counts")


def test_embedding():
    assert _plan(_report(kind="embedding")).identity
    assert _plan(_report(), wanted="embedding").identity


# ---- what the user says


@pytest.mark.parametrize(
    ("stated", "base", "unlog"),
    [("log1p", "e", np.e), ("log2", "2", 2.0), ("log10", "10", 10.0), ("linear", None, None)],
)
def test_what_is_stated_wins_over_an_assumption(stated: Any, base: str | None, unlog: float | None):
    for evidence in ("assumed: no sign", "maximum 15, too large", "as recorded in uns['log1p']"):
        chosen = _plan(_report(**ASSUMED | {"evidence": evidence}), stated=stated)
        assert (chosen.unlog, chosen.keep_totals) == (unlog, base is not None)
        assert chosen.notes[0] == f"taken as {stated}, as stated"


@pytest.mark.parametrize(("stated", "seen"), [("counts", {}), ("log1p", LOG), ("log2", LOG | {"base": "2"})])
def test_what_is_stated_and_seen(stated: Any, seen: dict[str, Any]):
    assert _plan(_report(**seen), stated=stated).notes[0] == f"taken as {stated}, as stated"


@pytest.mark.parametrize(
    ("stated", "seen", "fix"),
    [
        ("log1p", {}, "holds counts .*Leave values= out"),
        ("linear", {}, "holds counts"),
        ("counts", LOG, "holds logarithms of base e.*values='linear'"),
        ("counts", ASSUMED, "values='linear'"),
        ("log2", LOG, "logarithms of base e"),
        ("linear", LOG, "logarithms of base e"),
        ("counts", UNCENTRED, "holds scaled"),
    ],
)
def test_what_is_stated_must_not_contradict_what_was_measured(stated: Any, seen: dict[str, Any], fix: str):
    with pytest.raises(MatrixError, match=rf"values='{stated}' was passed, but adata\.X.*{fix}"):
        _plan(_report(**seen), stated=stated)


def test_logarithms_that_look_scaled():
    """Without negative values the sign is weak: refused by default, with a way out."""
    with pytest.raises(MatrixError, match=r"is scaled.*values='log1p'"):
        _plan(_report(**UNCENTRED))
    assert _plan(_report(**UNCENTRED), stated="log2").unlog == 2.0
    with pytest.raises(MatrixError, match="is scaled"):
        _plan(_report(**UNCENTRED | {"minimum": -3.0}), stated="log1p")


def test_unknown_statement():
    with pytest.raises(InputError, match="values='log' is unknown; choose one of counts, log1p"):
        _plan(_report(), stated="log")


# ---- what is refused


@pytest.mark.parametrize(
    ("seen", "fix"),
    [
        ({"n_nan": 3}, "3 NaN, 0 infinite.*nan_to_num"),
        ({"n_inf": 2}, "0 NaN, 2 infinite"),
        ({"kind": "scaled", "minimum": -2.0}, "cannot be undone. Name the layer"),
        ({"kind": "negative", "minimum": -2.0}, "negative values .minimum -2.*Name the layer"),
        ({"kind": "zero"}, "no value other than zero.*Name the layer"),
    ],
)
@pytest.mark.parametrize("wanted", ["log", "counts"])
def test_refused(seen: dict[str, Any], fix: str, wanted: Any):
    with pytest.raises(MatrixError, match=fix):
        _plan(_report(where="layers['a']", **seen), wanted=wanted)


# ---- look, plan and transform together, against scanpy


@pytest.mark.parametrize("base", [None, 2, 10])
@pytest.mark.parametrize("target", [1e4, 1e6])
def test_all_the_way(make_counts: Callable[..., np.ndarray], base: float | None, target: float):
    counts = ad.AnnData(make_counts(100, 200))
    expected = counts.copy()
    sc.pp.normalize_total(expected, target_sum=TARGET_SUM)
    sc.pp.log1p(expected)
    logged = counts.copy()
    sc.pp.normalize_total(logged, target_sum=target)
    linear = logged.copy()
    sc.pp.log1p(logged, base=base)
    for adata in (counts, linear, logged):
        source = find(adata)
        out = _plan(values.look(source))(source.X, slice(0, 100))
        np.testing.assert_allclose(out, expected.X, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["unsorted", "zeros"])
def test_sparse_counts_of_the_user_stay_as_they_are(kind: str) -> None:
    """Blocks share the places of values with the matrix that they come from: nothing may sort or drop these in place."""
    reference = sca.datasets.simulate_reference(120, 90, 3, depth=500, rng=0)
    query = reference.copy()
    X = sparse.csr_matrix(query.X, dtype=np.float64)
    if kind == "zeros":
        X.data[::7] = 0
    else:
        for start, stop in zip(X.indptr[:-1], X.indptr[1:], strict=True):
            X.indices[start:stop], X.data[start:stop] = (
                X.indices[start:stop][::-1].copy(),
                X.data[start:stop][::-1].copy(),
            )
        X.has_sorted_indices = X.has_canonical_format = False
    query.X = X
    before = [each.copy() for each in (X.data, X.indices, X.indptr)]
    sca.tl.annotate(query, reference, "cell_type", method="nearest_centroid", cv=0)
    sca.tl.evidence(query)
    for now, was in zip((query.X.data, query.X.indices, query.X.indptr), before, strict=True):
        np.testing.assert_array_equal(now, was)
