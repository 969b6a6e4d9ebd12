"""Names that arrays and files cannot hold are refused by name, wherever a user can write one, and never merge with others."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

import sc_annotate as sca
from sc_annotate.errors import ScAnnotateError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from anndata import AnnData

QUICK: dict[str, Any] = {"method": "nearest_centroid", "cv": 0}
MARKERS = {"type_01": ["G001", "G002"], "type_02": ["G003"]}
TREE = {"type_01": "x"}
BAD = {"a zero byte": "type_01\0", "half of a character": "type_01\ud800"}


@contextmanager
def made() -> Iterator[None]:
    """Strings of pandas 3 refuse some texts themselves: then no such object can be."""
    try:
        yield
    except UnicodeEncodeError as error:
        pytest.skip(f"pandas {pd.__version__} refuses it: {error}")


class Objects:
    """Copies of annotated cells and of profiles, with one name or label replaced."""

    def __init__(self) -> None:
        cells = sca.datasets.simulate_reference(400, 200, 4)
        cells.var_names = [f"G{i:03d}" for i in range(cells.n_vars)]
        cells.obs["cluster"] = pd.Categorical(np.array(list("abcd"))[np.arange(400) % 4])
        self.reference, self._query = cells[:300].copy(), cells[300:].copy()
        self.model = sca.tl.fit_annotator(self.reference, "cell_type", **QUICK)
        for key in ("annotation", "other"):
            sca.tl.annotate(self._query, self.model, key_added=key)
        screen = sca.datasets.simulate_perturb_seq(400, 60, 6, 2, rng=0)
        self._profiles = sca.pp.perturbation_profiles(screen, min_cells=2)
        self.guess = self._profiles.to_df().drop(index="control")

    @property
    def query(self) -> AnnData:
        return self._query.copy()

    @property
    def profiles(self) -> AnnData:
        return self._profiles.copy()

    @made()
    def relabelled(self, bad: str) -> AnnData:
        adata = self.query
        adata.obs["annotation"] = adata.obs["annotation"].cat.rename_categories({"type_01": bad})
        return adata

    @made()
    def with_column(self, bad: str) -> AnnData:
        reference = self.reference.copy()
        reference.obs[bad] = reference.obs["cell_type"]
        return reference

    @made()
    def with_symbols(self, bad: str) -> AnnData:
        adata = self.query
        adata.var["symbols"] = np.array([bad, *adata.var_names[1:]], dtype=object)
        adata.var_names = [f"x{i}" for i in range(adata.n_vars)]
        return adata


@made()
def table_with(bad: str) -> pd.DataFrame:
    return pd.DataFrame({"type": ["type_01", bad, "z"], "gene": ["G001", "G002", "G003"]})


def first(index: pd.Index, bad: str) -> pd.Index:
    return pd.Index([bad, *index[1:]], dtype=object)


def named(adata: AnnData, axis: str, bad: str) -> AnnData:
    table = getattr(adata, axis)
    table.index = first(table.index, bad)
    return adata


WRITTEN: dict[str, Callable[[Objects, str], Any]] = {
    "key_added": lambda o, b: sca.tl.annotate(o.query, o.model, key_added=b),
    "labels_key": lambda o, b: sca.tl.annotate(o.query, o.with_column(b), b, **QUICK),
    "a level": lambda o, b: sca.tl.annotate(o.query, o.with_column(b), [b, "cell_type"], **QUICK),
    "method": lambda o, b: sca.tl.annotate(o.query, o.reference, "cell_type", method=b),
    "method_kwargs": lambda o, b: sca.tl.annotate(o.query, o.reference, "cell_type", method_kwargs={b: 1}, **QUICK),
    "layer": lambda o, b: sca.tl.annotate(o.query, o.model, layer=b),
    "use_rep": lambda o, b: sca.tl.annotate(o.query, o.model, use_rep=b),
    "gene_symbols": lambda o, b: sca.tl.annotate(o.with_symbols(b), o.model, gene_symbols="symbols"),
    "genes of the reference": lambda o, b: sca.tl.fit_annotator(named(o.reference.copy(), "var", b), "cell_type", **QUICK),
    "cells of the reference": lambda o, b: sca.tl.fit_annotator(named(o.reference.copy(), "obs", b), "cell_type", **QUICK),
    "labels that were changed, vote": lambda o, b: sca.tl.vote(o.relabelled(b), "cluster"),
    "labels that were changed, rollup": lambda o, b: sca.tl.rollup(o.relabelled(b), ontology=TREE),
    "labels that were changed, markers": lambda o, b: sca.tl.markers_agree(o.relabelled(b), markers=MARKERS),
    "labels that were changed, evidence": lambda o, b: sca.tl.evidence(o.relabelled(b), model=o.model),
    "labels that were changed, consensus": lambda o, b: sca.tl.consensus(o.relabelled(b), ["annotation", "other"], key_added="c"),
    "labels that were changed, map": lambda o, b: sca.tl.map_labels(o.relabelled(b), "annotation", ontology=TREE),
    "labels that were changed, get": lambda o, b: sca.get.annotation(o.relabelled(b)),
    "groupby": lambda o, b: sca.tl.vote(o.query, b),
    "imported column": lambda o, b: sca.tl.import_labels(o.with_column(b), b),
    "imported labels": lambda o, b: sca.tl.import_labels(o.query, dict.fromkeys("abcd", b), groupby="cluster"),
    "imported name": lambda o, b: sca.tl.import_labels(o.query, dict.fromkeys(["a", "b", "c", "d", b], "x"), groupby="cluster"),
    "name of a tool": lambda o, b: sca.tl.import_labels(o.query, "cell_type", method=b),
    "labels that were changed, compare": lambda o, b: sca.tl.compare_labels(o.relabelled(b), "cell_type"),
    "truth": lambda o, b: sca.tl.compare_labels(o.query, b),
    "mapping": lambda o, b: sca.tl.compare_labels(o.query, "cell_type", mapping={b: "type_01"}),
    "key": lambda o, b: sca.tl.vote(o.query, "cluster", key=b),
    "a type of markers": lambda o, b: sca.tl.annotate_markers(o.query, {**MARKERS, b: ["G005"]}),
    "a gene of markers": lambda o, b: sca.tl.annotate_markers(o.query, {**MARKERS, "z": ["G005", b]}),
    "a table of markers": lambda o, b: sca.tl.annotate_markers(o.query, table_with(b)),
    "a list that is compared": lambda o, b: sca.tl.markers_agree(o.query, markers={**MARKERS, b: ["G005"]}),
    "a tree of labels": lambda o, b: sca.tl.map_labels(o.query, "cell_type", ontology={"type_02": b}),
    "a new name of a gene": lambda o, b: sca.pp.map_genes(o.query, {"G001": b}),
    "an old name of a gene": lambda o, b: sca.pp.map_genes(o.query, {b: "x", "G001": "y"}),
    "a column of new names": lambda o, b: sca.pp.map_genes(o.with_symbols(b), column="symbols"),
    "conditions": lambda _, b: sca.pp.parse_conditions(["type_01", b, "control"], control="control"),
    "conditions that are predicted": lambda o, b: sca.pp.predictable(o.profiles, conditions=[b], method="mean"),
    "a profile": lambda o, b: sca.tl.predict_perturbation(named(o.profiles, "obs", b), method="mean", n_top=20),
    "a condition of predictions": lambda o, b: sca.tl.evaluate_perturbation(
        o.profiles, {"g": o.guess.set_axis(first(o.guess.index, b))}, n_boot=20, n_top=20
    ),
    "a gene of predictions": lambda o, b: sca.tl.evaluate_perturbation(
        o.profiles, {"g": o.guess.set_axis(first(o.guess.columns, b), axis=1)}, n_boot=20, n_top=20
    ),
    "y of a metric": lambda _, b: sca.metrics.accuracy(["type_01", b], ["type_01", "type_01"]),
    "labels of a metric": lambda _, b: sca.metrics.macro_f1(["type_01", "type_01"], ["type_01", b]),
    "labels of a vote": lambda _, b: sca.trust.vote(["type_01", b], [0, 0]),
    "labels of levels": lambda _, b: sca.trust.Levels(("a", "b"), np.array([["x", b], ["x", "y"]], dtype=object)),
    "y of a method": lambda _, b: sca.annotators.as_labels(["type_01", b]),
    "a term": lambda _, b: sca.pp.Ontology.from_tree({"type_01": "x", b: "x"}),
}  # fmt: skip


@pytest.fixture(scope="module")
def objects() -> Objects:
    return Objects()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", list(BAD))
@pytest.mark.parametrize("where", list(WRITTEN))
def test_a_name_that_no_file_holds(where: str, kind: str, objects: Objects) -> None:
    if "markers" in where or "list that is" in where:
        pytest.importorskip("decoupler", minversion="2")
    with pytest.raises(ScAnnotateError) as caught:
        WRITTEN[where](objects, BAD[kind])
    str(caught.value).encode()
    assert repr(BAD[kind])[1:-1] in str(caught.value).replace("\\\\", "\\")
