"""Names of any kind for cells, genes and columns: a result, or one of our own errors with the object as it was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

import sc_annotate as sca
from sc_annotate.errors import GeneError, InputError, LabelError, ScAnnotateError

if TYPE_CHECKING:
    from collections.abc import Callable

    from anndata import AnnData

QUICK: dict[str, Any] = {"method": "nearest_centroid", "cv": 0}
ONTOLOGY = {"type_01": "lymphoid", "type_02": "lymphoid"}


def tables(adata: AnnData) -> tuple[Any, ...]:
    """What must be as it was: the tables with their indexes, and which results there are."""
    return adata.obs.copy(), adata.var.copy(), sorted(adata.uns), sorted(adata.obsm), sorted(adata.varm)


def as_it_was(before: tuple[Any, ...], adata: AnnData) -> bool:
    after = tables(adata)
    frames = [a.equals(b) and a.index.equals(b.index) for a, b in zip(before[:2], after[:2], strict=True)]
    return all(frames) and before[2:] == after[2:]


def levels(index: pd.Index) -> pd.MultiIndex:
    return pd.MultiIndex.from_arrays([["a"] * len(index), list(index)])


def one(index: pd.Index, name: Any) -> pd.Index:
    """The same names but for the second."""
    names = index.tolist()
    return pd.Index([names[0], name, *names[2:]], dtype=object)


INDEXES: dict[str, Callable[[pd.Index], pd.Index]] = {
    "several levels": levels,
    "dates": lambda index: pd.date_range("2020", periods=len(index)),
    "dates with a zone": lambda index: pd.date_range("2020", periods=len(index), tz="UTC"),
    "times": lambda index: pd.timedelta_range("1h", periods=len(index)),
    "periods": lambda index: pd.period_range("2020", periods=len(index), freq="D"),
    "intervals": lambda index: pd.interval_range(0, len(index)),
    "integers": lambda index: pd.RangeIndex(len(index)),
    "floats": lambda index: pd.Index(np.arange(len(index)) + 0.5),
    "categories": lambda index: pd.CategoricalIndex(list(index)),
    "text": lambda index: index.astype("string"),
    "bytes": lambda index: pd.Index([str(name).encode() for name in index], dtype=object),
    "one integer": lambda index: one(index, 3),
    "one missing": lambda index: one(index, np.nan),
    "one None": lambda index: one(index, None),
    "one twice": lambda index: one(index, index[0]),
    "one empty": lambda index: one(index, ""),
    "one half character": lambda index: one(index, "x\ud800"),
    "one zero byte": lambda index: one(index, f"{index[0]}\0"),
}


@pytest.fixture(scope="module")
def objects() -> dict[str, Any]:
    cells = sca.datasets.simulate_reference(400, 200, 4)
    cells.var_names = [f"G{i:03d}" for i in range(cells.n_vars)]
    cells.obs["cluster"] = pd.Categorical(np.array(list("abcd"))[np.arange(400) % 4])
    reference, query = cells[:300].copy(), cells[300:].copy()
    model = sca.tl.fit_annotator(reference, "cell_type", **QUICK)
    for key in ("annotation", "other"):
        sca.tl.annotate(query, model, key_added=key)
    sca.tl.evidence(query, model=model)
    sca.tl.map_labels(query, "cell_type", ontology=ONTOLOGY)
    screen = sca.datasets.simulate_perturb_seq(400, 60, 6, 2, rng=0)
    profiles = sca.pp.perturbation_profiles(screen, min_cells=2)
    sca.tl.predict_perturbation(profiles, method="mean", n_top=20)
    return {"reference": reference, "query": query, "model": model, "screen": screen, "profiles": profiles}


MARKERS = {"type_01": ["G001", "G002"], "type_02": ["G003", "G004"]}
CALLS: dict[str, tuple[str, Callable[[AnnData, dict[str, Any]], Any]]] = {
    "annotate": ("query", lambda a, o: sca.tl.annotate(a, o["reference"], "cell_type", **QUICK)),
    "annotate using it": ("reference", lambda a, o: sca.tl.annotate(o["query"].copy(), a, "cell_type", **QUICK)),
    "annotate with levels": (
        "reference",
        lambda a, o: sca.tl.annotate(
            o["query"].copy(), a, ["cell_type_broad", "cell_type"], batch_key="batch", **QUICK
        ),
    ),
    "annotate by a model": ("query", lambda a, o: sca.tl.annotate(a, o["model"])),
    "fit_annotator": ("reference", lambda a, o: sca.tl.fit_annotator(a, "cell_type", **QUICK)),
    "annotate_markers": ("query", lambda a, o: sca.tl.annotate_markers(a, MARKERS, "cluster")),
    "markers_agree": ("query", lambda a, o: sca.tl.markers_agree(a, markers=MARKERS)),
    "vote": ("query", lambda a, o: sca.tl.vote(a, "cluster")),
    "map_labels": ("query", lambda a, o: sca.tl.map_labels(a, "cell_type", ontology=ONTOLOGY)),
    "import_labels": ("query", lambda a, o: sca.tl.import_labels(a, "cell_type")),
    "import_labels by name": ("query", lambda a, o: sca.tl.import_labels(a, a.obs.iloc[:, 0].copy())),
    "compare_labels": ("query", lambda a, o: sca.tl.compare_labels(a, "cell_type")),
    "rollup": ("query", lambda a, o: sca.tl.rollup(a, ontology=ONTOLOGY)),
    "evidence": ("query", lambda a, o: sca.tl.evidence(a, model=o["model"])),
    "consensus": ("query", lambda a, o: sca.tl.consensus(a, ["annotation", "other"], key_added="both")),
    "get.annotation": ("query", lambda a, o: sca.get.annotation(a)),
    "get.probabilities": ("query", lambda a, o: sca.get.probabilities(a)),
    "get.report": ("query", lambda a, o: str(sca.get.report(a))),
    "inspect": ("query", lambda a, o: str(sca.pp.inspect(a))),
    "map_genes": ("query", lambda a, o: sca.pp.map_genes(a, {"G001": "CD3"})),
    "benchmark": ("reference", lambda a, o: sca.benchmark.annotators(a, "cell_type", methods=["majority"], cv=1)),
    "perturbation_profiles": ("screen", lambda a, o: sca.pp.perturbation_profiles(a, min_cells=2)),
    "predict from cells": (
        "screen",
        lambda a, o: sca.tl.predict_perturbation(a, method="mean", evaluate=False, min_cells=2),
    ),
    "predict_perturbation": ("profiles", lambda a, o: sca.tl.predict_perturbation(a, method="mean", n_top=20)),
    "get.perturbation": ("profiles", lambda a, o: sca.get.perturbation(a)),
    "predictable": ("profiles", lambda a, o: sca.pp.predictable(a, method="mean")),
    "genetic_interactions": ("profiles", lambda a, o: sca.tl.genetic_interactions(a, n_top=20)),
}


def tried(name: str, objects: dict[str, Any], change: Callable[[AnnData], None]) -> str:
    """What is wrong after a call with a changed object; "" for a result or an error of ours."""
    kind, call = CALLS[name]
    adata = objects[kind].copy()
    try:
        change(adata)
    except Exception:  # noqa: BLE001
        return ""  # anndata itself refuses such an object
    before = tables(adata)
    try:
        call(adata, objects)
    except ScAnnotateError as error:
        if not as_it_was(before, adata):
            return f"{name}: the object is not as it was after {error}"
    except Exception as error:  # noqa: BLE001
        return f"{name}: {type(error).__name__}: {error}"
    return ""


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("index", list(INDEXES))
@pytest.mark.parametrize("axis", ["obs", "var", "columns of obs", "columns of var"])
def test_names_of_any_kind(index: str, axis: str, objects: dict[str, Any]) -> None:
    table, part = axis.rpartition(" ")[2], "columns" if " " in axis else "index"

    def change(adata: AnnData) -> None:
        frame = getattr(adata, table)
        setattr(frame, part, INDEXES[index](getattr(frame, part)))

    wrong = [tried(name, objects, change) for name in CALLS]
    assert not any(wrong), "\n".join(filter(None, wrong))


@pytest.mark.parametrize(
    ("axis", "index", "error", "words"),
    [
        ("obs", "several levels", InputError, "the index of adata.obs has 2 levels (a MultiIndex)"),
        ("var", "several levels", InputError, "the index of adata.var has 2 levels (a MultiIndex)"),
        ("obs", "dates", InputError, "adata.obs.index = adata.obs.index.astype(str)"),
        ("var", "one zero byte", GeneError, "the index of adata.var holds 'G000\\x00', with a zero byte"),
        ("var", "one half character", GeneError, "holds 'x\\ud800', with half of a character"),
    ],
)
def test_the_error_names_the_object_and_the_fix(
    axis: str, index: str, error: type[Exception], words: str, objects: dict[str, Any]
) -> None:
    adata = objects["query"].copy()
    frame = getattr(adata, axis)
    frame.index = INDEXES[index](frame.index)
    with pytest.raises(error) as caught:
        sca.tl.annotate(adata, objects["reference"], "cell_type", **QUICK)
    assert words in str(caught.value)


@pytest.mark.parametrize("fix", ["several levels", "dates"])
def test_the_fix_that_an_error_names_works(fix: str, objects: dict[str, Any]) -> None:
    adata = objects["query"].copy()
    adata.obs.index = INDEXES[fix](adata.obs.index)
    with pytest.raises(InputError) as caught:
        sca.pp.inspect(adata)
    exec(str(caught.value).split("`")[1], {"adata": adata})
    sca.tl.annotate(adata, objects["reference"], "cell_type", **QUICK)


LABELS = {"half of a character": "type_01\ud800", "a zero byte": "type_01\0"}


@pytest.mark.parametrize("kind", list(LABELS))
@pytest.mark.parametrize("column", ["cell_type", "batch", "cluster", "perturbation"])
@pytest.mark.parametrize("categorical", [False, True])
def test_texts_that_no_file_holds(kind: str, column: str, categorical: bool, objects: dict[str, Any]) -> None:
    """Labels, batches, groups and conditions that differ at the end only never become one."""
    calls: dict[str, tuple[str, Callable[[AnnData], Any]]] = {
        "cell_type": ("reference", lambda a: sca.tl.annotate(objects["query"].copy(), a, "cell_type", **QUICK)),
        "batch": ("reference", lambda a: sca.tl.fit_annotator(a, "cell_type", batch_key="batch", **QUICK)),
        "cluster": ("query", lambda a: sca.tl.vote(a, "cluster")),
        "perturbation": ("screen", lambda a: sca.pp.perturbation_profiles(a, min_cells=2)),
    }
    which, call = calls[column]
    adata = objects[which].copy()
    values = adata.obs[column].astype(str).to_numpy(dtype=object).copy()
    first = np.flatnonzero(values == values[0])
    values[first], values[first[::2]] = "type_01", LABELS[kind]
    try:
        adata.obs[column] = pd.Categorical(values) if categorical else pd.Series(values, adata.obs_names, dtype=object)
    except UnicodeEncodeError:
        pytest.skip("pandas itself has no such categories")
    error = LabelError if column == "cell_type" else InputError
    with pytest.raises(error) as caught:
        call(adata)
    assert repr(LABELS[kind]) in str(caught.value)
    assert kind in str(caught.value)
    assert f"obs[{column!r}]" in str(caught.value)
