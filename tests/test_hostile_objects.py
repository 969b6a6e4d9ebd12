"""Objects that nobody should have, in all public calls: our error and nothing changed, or the right result.

``SC_ANNOTATE_HOSTILE=2000 pytest tests/test_hostile_objects.py`` tries that many; ``SC_ANNOTATE_HOSTILE_SEED`` other ones.
"""

from __future__ import annotations

import copy
import os
import warnings
from typing import TYPE_CHECKING, Any

import anndata as ad
import hypothesis
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

import sc_annotate as sca
from sc_annotate.errors import ScAnnotateError

if TYPE_CHECKING:
    from collections.abc import Callable

N = int(os.environ.get("SC_ANNOTATE_HOSTILE", "200"))
SEED = os.environ.get("SC_ANNOTATE_HOSTILE_SEED")
KEY, LABELS, CONDITION = "annotation", "cell_type", "condition"

Damage = "Callable[[ad.AnnData, np.random.Generator], ad.AnnData | None]"


@pytest.fixture(scope="module")
def clean() -> tuple[ad.AnnData, Any]:
    """A query of 60 cells, and a model."""
    cells = sca.datasets.simulate_reference(180, 90, 3)
    # A sparse matrix of counts, and what screens need.
    cells.X = sparse.csr_matrix(cells.X)
    names = list(cells.var_names[:2])
    cells.obs[CONDITION] = pd.Categorical(np.resize(["control", "control", *names], cells.n_obs))
    cells.obs["group"] = pd.Categorical(np.resize(["a", "b", "c"], cells.n_obs))
    model = sca.tl.fit_annotator(cells[:120].copy(), LABELS, method="nearest_centroid", cv=0)
    query = cells[120:].copy()
    query.obs.loc[query.obs_names[:10], LABELS] = None
    return query, model


# Harmless: the result is that of the clean object.


def _set_X(change: Callable[[Any], Any]) -> Any:
    def damage(x: ad.AnnData, rng: np.random.Generator) -> None:
        x.X = change(x.X)

    return damage


def _wide_indices(X: Any) -> Any:
    X = X.copy()
    X.indices, X.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    return X


def _unsorted(X: Any) -> Any:
    X = sparse.csr_matrix(X, copy=True)
    for low, high in zip(X.indptr[:-1], X.indptr[1:], strict=True):
        X.indices[low:high], X.data[low:high] = X.indices[low:high][::-1].copy(), X.data[low:high][::-1].copy()
    return sparse.csr_matrix((X.data, X.indices, X.indptr), shape=X.shape)


def _stored_twice(X: Any) -> Any:
    X = sparse.csr_matrix(X)
    parts = np.repeat(X.data / 2, 2), np.repeat(X.indices, 2), 2 * X.indptr
    return sparse.csr_matrix(parts, shape=X.shape)


def _stored_zeros(X: Any) -> Any:
    X = sparse.coo_matrix(X)
    n, m = X.shape
    at = np.arange(0, n, 3), np.full(len(range(0, n, 3)), m - 1)
    return sparse.csr_matrix(
        (np.append(X.data, np.zeros(len(at[0]), X.dtype)), (np.append(X.row, at[0]), np.append(X.col, at[1]))), X.shape
    )


def _read_only(X: Any) -> Any:
    X = X.copy()
    for part in (X.data, X.indices, X.indptr):
        part.flags.writeable = False
    return X


def _values_behind_the_end(X: Any) -> Any:
    X = X.copy()
    X.data, X.indices = np.append(X.data, [9, 9]).astype(X.dtype), np.append(X.indices, [10**6, -1]).astype(np.int32)
    return X


def _view(x: ad.AnnData, rng: np.random.Generator) -> ad.AnnData:
    twice = ad.concat([x, x], index_unique="-")
    twice = twice[: x.n_obs]
    return twice


def _odd_uns(x: ad.AnnData, rng: np.random.Generator) -> None:
    x.uns["odd"] = {"tuple": (1, 2), "set": {3}, 4: "int", "f": len, "none": None, "nested": {"a": {"b": object}}}
    x.uns["log1p"] = [1, 2]


def _odd_obs(x: ad.AnnData, rng: np.random.Generator) -> None:
    x.obs["mixed"] = np.resize(np.array([1, "a", None, 2.5, ("t",)], dtype=object), x.n_obs)
    x.obs["time"] = pd.date_range("2020", periods=x.n_obs)
    x.obs["all_nan"] = np.nan
    x.obs["unused"] = pd.Categorical(["z"] * x.n_obs, categories=["z", "never", "neither"])
    x.obs["nullable"] = pd.array(np.resize([1, None, 3], x.n_obs), dtype="Int64")
    x.obs["ätzend 😀" * 50] = 1


def _odd_obsm(x: ad.AnnData, rng: np.random.Generator) -> None:
    x.obsm["table"] = pd.DataFrame({"a": range(x.n_obs), "b": "text"}, index=x.obs_names)
    x.obsm["sparse"] = sparse.csr_matrix((x.n_obs, 5))
    x.obsm["one"] = np.full((x.n_obs, 1), np.nan)
    x.obsp["graph"] = sparse.csr_matrix((x.n_obs, x.n_obs))
    x.varm["v"] = np.zeros((x.n_vars, 2))


def _odd_layer(x: ad.AnnData, rng: np.random.Generator) -> None:
    x.layers["text"] = np.full(x.shape, "a", dtype=object)
    x.layers["nan"] = np.full(x.shape, np.nan)
    broken = sparse.csr_matrix(x.X).copy()
    broken.indices[0] = 10**6
    x.layers["broken"] = broken


def _long_names(x: ad.AnnData, rng: np.random.Generator) -> None:
    x.obs_names = [f"cell-{i}-" + "long" * 2000 for i in range(x.n_obs)]


def _names_of_cells(x: ad.AnnData, rng: np.random.Generator) -> None:
    x.obs_names = [f"Zelle {i} 細胞 🧬" for i in range(x.n_obs)]


HARMLESS: dict[str, Any] = {
    "csc": _set_X(sparse.csc_matrix),
    "csr_array": _set_X(sparse.csr_array),
    "csc_array": _set_X(sparse.csc_array),
    "dense": _set_X(lambda X: X.toarray()),
    "fortran": _set_X(lambda X: np.asfortranarray(X.toarray())),
    "float64": _set_X(lambda X: X.astype(np.float64)),
    "int64": _set_X(lambda X: X.astype(np.int64)),
    "uint16": _set_X(lambda X: X.astype(np.uint16)),
    "float16": _set_X(lambda X: X.toarray().astype(np.float16)),
    "big-endian": _set_X(lambda X: X.toarray().astype(">f4")),
    "strided": _set_X(lambda X: np.repeat(X.toarray(), 2, axis=1)[:, ::2]),
    "int64 indices": _set_X(_wide_indices),
    "unsorted": _set_X(_unsorted),
    "stored twice": _set_X(_stored_twice),
    "stored zeros": _set_X(_stored_zeros),
    "read-only": _set_X(_read_only),
    "values behind the end": _set_X(_values_behind_the_end),
    "view": _view,
    "odd uns": _odd_uns,
    "odd obs": _odd_obs,
    "odd obsm": _odd_obsm,
    "odd layer": _odd_layer,
    "long names": _long_names,
    "unicode names": _names_of_cells,
}

# Harmful, or of doubtful meaning: our error, or a result.


def _values(value: Any, *, dtype: Any = None, dense: bool = False) -> Any:
    def damage(x: ad.AnnData, rng: np.random.Generator) -> None:
        X = x.X.toarray() if sparse.issparse(x.X) else np.array(x.X)
        X = X.astype(dtype or X.dtype)
        X[rng.integers(x.n_obs, size=3), rng.integers(x.n_vars, size=3)] = value
        x.X = X if dense else sparse.csr_matrix(X)

    return damage


def _of_type(dtype: Any) -> Any:
    return _set_X(lambda X: (X.toarray() if sparse.issparse(X) else X).astype(dtype))


def _broken(part: str, at: int, value: int, form: str) -> Any:
    def damage(x: ad.AnnData, rng: np.random.Generator) -> None:
        X = getattr(sparse, f"{form}_matrix")(x.X, copy=True)
        getattr(X, part)[at] = value
        x.X = X

    return damage


def _shorter(part: str) -> Any:
    def damage(x: ad.AnnData, rng: np.random.Generator) -> None:
        X = sparse.csr_matrix(x.X, copy=True)
        setattr(X, part, getattr(X, part)[:-1].copy())
        x.X = X

    return damage


def _labels(make: Callable[[int], Any]) -> Any:
    def damage(x: ad.AnnData, rng: np.random.Generator) -> None:
        for column in (LABELS, CONDITION, "group"):
            x.obs[column] = make(x.n_obs)

    return damage


def _column(name: str, value: Any = 1) -> Any:
    def damage(x: ad.AnnData, rng: np.random.Generator) -> None:
        x.obs[name] = value

    return damage


def _twice(x: ad.AnnData, rng: np.random.Generator) -> None:
    x.obs = pd.concat([x.obs, x.obs[[LABELS]]], axis=1)


def _named(what: str, make: Callable[[int], Any]) -> Any:
    def damage(x: ad.AnnData, rng: np.random.Generator) -> None:
        index = make(getattr(x, f"n_{what}"))
        setattr(x, f"{what}_names", index)

    return damage


def _raw(x: ad.AnnData, rng: np.random.Generator) -> None:
    D = x.X.toarray() if sparse.issparse(x.X) else np.array(x.X)
    x.raw = ad.AnnData(sparse.csr_matrix(D), var=x.var.copy(), obs=x.obs.copy())
    x.raw.X.indices[0] = 10**6
    x.X = (D - D.mean(axis=0)) / (D.std(axis=0) + 0.1)


def _counts(x: ad.AnnData, rng: np.random.Generator) -> None:
    x.layers["counts"] = -sparse.csr_matrix(x.X)


def _broken_counts(x: ad.AnnData, rng: np.random.Generator) -> None:
    X = sparse.csr_matrix(x.X, copy=True)
    X.indices[-1] = -7
    x.layers["counts"] = X


def _some_rows(n: int) -> Any:
    return lambda x, rng: x[:n].copy()


def _some_columns(n: int) -> Any:
    return lambda x, rng: x[:, :n].copy()


def _foreign_result(x: ad.AnnData, rng: np.random.Generator) -> None:
    x.uns[KEY] = {"schema": "x", "classes": 3}
    x.obsm[f"{KEY}_proba"] = np.zeros((x.n_obs, 2))


def _index_name(x: ad.AnnData, rng: np.random.Generator) -> None:
    x.obs.index.name = KEY


HARMFUL: dict[str, Any] = {
    "nan": _values(np.nan),
    "inf": _values(np.inf),
    "-inf": _values(-np.inf, dense=True),
    "negative": _values(-3),
    "huge": _values(1e30),
    "huge float64": _values(1e300, dtype=np.float64),
    "tiny": _values(1e-38),
    "half": _values(0.5),
    "largest integer": _values(2**62, dtype=np.int64),
    "all zero": _set_X(lambda X: sparse.csr_matrix(X.shape, dtype=np.float32)),
    "all one": _set_X(lambda X: np.ones(X.shape, np.float32)),
    "bool": _of_type(bool),
    "int8": _of_type(np.int8),
    "object": _of_type(object),
    "text": _of_type(str),
    "complex": _of_type(np.complex64),
    "masked": _set_X(lambda X: np.ma.masked_less(X.toarray() if sparse.issparse(X) else X, 1)),
    "none": _set_X(lambda X: None),
    "coo": _set_X(sparse.coo_array),
    "index outside": _broken("indices", 5, 10**6, "csr"),
    "index of n": _broken("indices", 5, 90, "csr"),
    "index below 0": _broken("indices", 5, -1, "csr"),
    "indptr down": _broken("indptr", 7, 0, "csr"),
    "indptr far": _broken("indptr", 7, 2**30, "csr"),
    "indptr late": _broken("indptr", 0, 3, "csr"),
    "indptr ends far": _broken("indptr", -1, 2**30, "csr"),
    "csc index outside": _broken("indices", 5, 10**6, "csc"),
    "csc indptr far": _broken("indptr", 7, 2**30, "csc"),
    "fewer data": _shorter("data"),
    "fewer indices": _shorter("indices"),
    "fewer indptr": _shorter("indptr"),
    "broken raw": _raw,
    "negative counts": _counts,
    "broken counts": _broken_counts,
    "no cells": _some_rows(0),
    "one cell": _some_rows(1),
    "two cells": _some_rows(2),
    "no genes": _some_columns(0),
    "one gene": _some_columns(1),
    "few genes": _some_columns(12),
    "no labels": _labels(lambda n: [None] * n),
    "nan labels": _labels(lambda n: np.full(n, np.nan)),
    "one label": _labels(lambda n: "all"),
    "a label a cell": _labels(lambda n: [f"l{i}" for i in range(n)]),
    "numbers as labels": _labels(lambda n: np.arange(n) % 3),
    "fractions as labels": _labels(lambda n: np.arange(n) % 3 + 0.5),
    "truth as labels": _labels(lambda n: np.arange(n) % 2 == 0),
    "dates as labels": _labels(lambda n: pd.to_datetime(np.resize(["2020-01-01", "2021-01-01"], n))),
    "tuples as labels": _labels(lambda n: pd.Series([("a", i % 2) for i in range(n)], dtype=object).to_numpy()),
    "mixed labels": _labels(lambda n: np.resize(np.array(["control", 1, "1", 1.0, None], dtype=object), n)),
    "unused categories": _labels(lambda n: pd.Categorical(np.resize(["control", "b"], n), ["x", "control", "b"])),
    "missing categories": _labels(lambda n: pd.Categorical(np.resize(["control", "b", None], n), ["control", "b"])),
    "long labels": _labels(lambda n: np.resize(["control", "x" * 20_000], n)),
    "odd labels": _labels(lambda n: np.resize(["control", "α/β", "🧬", "a\nb", "  ", "$x_1$", "<b>", "%s {0}"], n)),
    "a surrogate": _labels(lambda n: np.resize(np.array(["control", "b\ud800"], dtype=object), n)),
    "a zero byte": _labels(lambda n: np.resize(np.array(["control", "control\0", "b"], dtype=object), n)),
    "nullable labels": _labels(
        lambda n: pd.array(np.resize(np.array(["control", "b", None], dtype=object), n), "string")
    ),
    "integer labels": _labels(lambda n: pd.array(np.resize([1, 2, None], n), dtype="Int64")),
    "intervals": _labels(lambda n: pd.cut(np.arange(n), 3)),
    "a column of our name": _column(KEY),
    "a column like ours": _column(f"{KEY}_confidence", 0.5),
    "a column twice": _twice,
    "a foreign result": _foreign_result,
    "an index of our name": _index_name,
    "cells of one name": _named("obs", lambda n: ["c"] * n),
    "cells without a name": _named("obs", lambda n: ["", *(f"c{i}" for i in range(n - 1))]),
    "cells by numbers": _named("obs", lambda n: pd.Index(np.arange(n))),
    "cells by dates": _named("obs", lambda n: pd.date_range("2020", periods=n)),
    "cells by two": _named("obs", lambda n: pd.MultiIndex.from_arrays([range(n), range(n)])),
    "genes of one name": _named("var", lambda n: ["g"] * n),
    "genes without a name": _named("var", lambda n: [None, *(f"Gene{i}" for i in range(n - 1))]),
    "genes by numbers": _named("var", lambda n: pd.Index(np.arange(n))),
    "genes by two": _named("var", lambda n: pd.MultiIndex.from_arrays([range(n), range(n)])),
    "genes with a surrogate": _named("var", lambda n: pd.Index([f"g{i}\udfff" for i in range(n)], dtype=object)),
}

LAST = [
    *("index outside", "index of n", "index below 0", "indptr down", "indptr far", "indptr late", "indptr ends far"),
    *("csc index outside", "csc indptr far", "fewer data", "fewer indices", "fewer indptr"),
    *("broken raw", "broken counts", "odd layer", "values behind the end"),
]
"""Nothing else is done to a matrix after it was broken: scipy would end the interpreter. So one of these at most."""

MARKERS = {"A": [f"GENE{i}" for i in range(5)], "B": [f"GENE{i}" for i in range(5, 12)]}


def markers_of(x: ad.AnnData) -> dict[str, list[str]]:
    names = [str(name) for name in x.var_names]
    return {"A": names[:6], "B": names[6:14]} if len(names) > 14 else MARKERS


CALLS: dict[str, Callable[[ad.AnnData, Any], Any]] = {
    "annotate": lambda x, model: sca.tl.annotate(x, model),
    "annotate by itself": lambda x, model: sca.tl.annotate(
        x, labels_key=LABELS, method="nearest_centroid", cv=0, trust=None
    ),
    "fit": lambda x, model: sca.tl.fit_annotator(x, LABELS, method="nearest_centroid", cv=0, trust=None),
    "import": lambda x, model: sca.tl.import_labels(x, LABELS, key_added=KEY),
    "inspect": lambda x, model: sca.pp.inspect(x),
    "markers": lambda x, model: sca.tl.annotate_markers(x, markers_of(x)),
    "markers by group": lambda x, model: sca.tl.annotate_markers(x, markers_of(x), "group"),
    "profiles": lambda x, model: sca.pp.perturbation_profiles(x, CONDITION, min_cells=2),
    "lfc": lambda x, model: sca.pp.profiles_from_lfc(x),
    "predict": lambda x, model: sca.tl.predict_perturbation(x, CONDITION, min_cells=2),
}


# What an object holds, compared with what it held.


def held(value: Any) -> Any:
    """A copy that shares nothing with `value`."""
    # Of a view anndata hands out classes of its own, and plain ones once it is an object of its own.
    if sparse.issparse(value) and value.format in ("csr", "csc"):
        return [value.format, value.shape, *(np.array(p) for p in (value.data, value.indices, value.indptr))]
    if isinstance(value, pd.DataFrame):
        return pd.DataFrame(value).copy(deep=True)
    if isinstance(value, np.ndarray):
        return np.array(value)
    try:
        return copy.deepcopy(value)
    except TypeError:
        return value


def same(a: Any, b: Any) -> bool:
    if type(a) is not type(b):
        return False
    if isinstance(a, tuple | list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, pd.DataFrame):
        # anndata makes text of an index of numbers where it takes a table.
        index = a.index.equals(b.index) or list(map(str, a.index)) == list(map(str, b.index))
        return (
            bool(a.columns.equals(b.columns))
            and index
            and all(same(a.iloc[:, i].array, b.iloc[:, i].array) for i in range(a.shape[1]))
        )
    if sparse.issparse(a):
        return a.shape == b.shape and (a != b).nnz == 0
    if isinstance(a, np.ndarray):
        if a.dtype != b.dtype or a.shape != b.shape:
            return False
        return bool(np.array_equal(a, b, equal_nan=a.dtype.kind in "fc")) if a.dtype.kind != "O" else repr(a) == repr(b)
    if hasattr(a, "equals"):
        return bool(a.equals(b))
    if hasattr(a, "dtype"):
        return repr(a) == repr(b) and a.dtype == b.dtype
    return a is b or repr(a) == repr(b)


def contents(x: ad.AnnData) -> dict[str, Any]:
    return {
        "X": held(x.X),
        "raw": None if x.raw is None else held(x.raw.X),
        "obs": held(x.obs),
        "var": held(x.var),
        "uns": {k: held(v) for k, v in x.uns.items()},
        **{
            f"{name}[{key!r}]": held(value)
            for name in ("obsm", "varm", "layers", "obsp")
            for key, value in getattr(x, name).items()
        },
    }


@st.composite
def hostile(draw: st.DrawFn) -> tuple[str, list[str], int]:
    call = draw(st.sampled_from(sorted(CALLS)))
    names = draw(st.lists(st.sampled_from([*sorted(HARMLESS), *sorted(HARMFUL)]), min_size=1, max_size=3, unique=True))
    return call, names, draw(st.integers(0, 2**16))


def made(clean: ad.AnnData, names: list[str], number: int) -> ad.AnnData | None:
    """The object with these damages; None where anndata, or the values, allow no such object."""
    x, rng = clean.copy(), np.random.default_rng(number)
    breaking = [name for name in names if name in LAST]
    for name in [*(name for name in names if name not in LAST), *breaking[:1]]:
        try:
            changed = (HARMLESS | HARMFUL)[name](x, rng)
            x = x if changed is None else changed
        except Exception:  # noqa: BLE001 - whatever anndata and scipy refuse
            return None
    return x


@pytest.fixture(scope="module")
def expected(clean: tuple[ad.AnnData, Any]) -> dict[str, Any]:
    """Results of the clean object."""
    found = {}
    for name in CALLS:
        x = clean[0].copy()
        result = None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                result = CALLS[name](x, clean[1])
            except ScAnnotateError as error:
                result = type(error)
        found[name] = summary(x, result)
    # A call that refused the clean object would compare nothing.
    assert {name for name, values in found.items() if values is None} == {"fit", "inspect"}
    return found


def summary(x: ad.AnnData, result: Any) -> Any:
    if KEY in x.obs:
        # pandas 3 leaves missing labels missing, and none of these equals another.
        return np.where(x.obs[KEY].isna(), "missing", x.obs[KEY].astype(str))
    if "perturbation" in x.varm:
        return np.nan_to_num(x.varm["perturbation"])
    return np.asarray(result.X) if isinstance(result, ad.AnnData) else None


@pytest.mark.slow
def test_objects_that_nobody_should_have(clean: tuple[ad.AnnData, Any], expected: dict[str, Any]) -> None:
    counts = {"refused": 0, "done": 0, "compared": 0, "impossible": 0}

    @hypothesis.seed(int(SEED or 0))
    @settings(
        max_examples=N, database=None, derandomize=SEED is None, deadline=None, phases=[hypothesis.Phase.generate]
    )
    @given(hostile())
    def tried(case: tuple[str, list[str], int]) -> None:
        call, names, number = case
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            x = made(clean[0], names, number)
            if x is None:
                counts["impossible"] += 1
                hypothesis.reject()
            before = contents(x)
            try:
                result = CALLS[call](x, clean[1])
            except ScAnnotateError as error:
                result = error
            after = contents(x)
            if isinstance(result, ScAnnotateError):
                counts["refused"] += 1
                unlike = {k for k in before.keys() & after.keys() if not same(before[k], after[k])}
                assert before.keys() == after.keys(), (case, result)
                assert not unlike, (case, unlike, result)
                assert not set(names) <= set(HARMLESS) or expected[call] is None, (case, result)
                return
            counts["done"] += 1
            for name in before:
                if name in ("obs", "var"):
                    kept = after[name].loc[:, [c in set(before[name].columns) for c in after[name].columns]]
                    assert same(before[name], kept), (case, name)
                elif name == "uns":
                    assert all(same(value, after["uns"][k]) for k, value in before["uns"].items()), (case, name)
                else:
                    assert same(before[name], after[name]), (case, name)
            if set(names) <= set(HARMLESS) and expected[call] is not None:
                counts["compared"] += 1
                found = summary(x, result)
                if found.dtype.kind == "f":
                    np.testing.assert_allclose(found, expected[call], atol=2e-3, err_msg=str(case))
                else:
                    np.testing.assert_array_equal(found, expected[call], err_msg=str(case))

    tried()
    print(counts)
    assert counts["refused"] > N / 5
    assert counts["compared"] > N / 50
