"""No argument is ignored: each changes the result, is validated, or is refused by name, in every mode.

The parameters are those of the signatures, so that a new parameter without an entry here fails.
"""

from __future__ import annotations

import hashlib
import inspect
import pickle
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

import sc_annotate as sca
from argument_modes import Changes, Checked, Entry, Mode, Refused, cases, check_argument
from sc_annotate.errors import ScAnnotateError

if TYPE_CHECKING:
    from anndata import AnnData

KEY = "annotation"
LISTS = {"B": ["CD79A", "CD79B", "MS4A1"], "NK": ["GNLY", "NKG7"], "T": ["IL7R", "CD3D"], "Mono": ["LYZ"]}
TREE = {
    **dict.fromkeys(("CD19+ B", "CD56+ NK", "CD8+ Cytotoxic T", "CD4+ T Helper2", "CD4+/CD25 T Reg"), "lymphocyte"),
    **dict.fromkeys(("CD4+/CD45RA+/CD25- Naive T", "CD4+/CD45RO+ Memory"), "lymphocyte"),
    **{"CD8+/CD45RA+ Naive Cytotoxic": "lymphocyte", "CD34+": "cell", "lymphocyte": "cell"},
    **{"CD14+ Monocyte": "myeloid", "Dendritic": "myeloid", "myeloid": "cell"},
}


NO_OBJECT = Checked(3, "must be an AnnData")
NO_KEY = Checked("other", "'other'")
MATRIX: dict[str, Entry] = {
    "layer": Changes("shuffled"),
    "use_raw": Changes(True),
    "gene_symbols": Changes("other_names"),
    "total_counts_key": Changes("depth"),
    "values": Checked("counts", "values"),
}
SCORED: dict[str, Entry] = {"by": Changes("ulm"), "min_genes": Changes(2), **MATRIX}
COLUMNS = ("type_column", "gene_column", "weight_column", "sign_column")
OF_LISTS: dict[str, Entry] = {
    "min_support": Checked(2, "min_support=2"),
    **{name: Refused("x") for name in COLUMNS},
}
OF_TABLE: dict[str, Entry] = {
    "min_support": Changes(2),
    **{name: Changes(name.replace("_column", "2")) for name in COLUMNS},
}
LABELLED: dict[str, Entry] = {"adata": NO_OBJECT, "key": NO_KEY}


def table() -> pd.DataFrame:
    """Markers with a second column for each role."""
    rows = [(name, gene) for name, genes in LISTS.items() for gene in genes]
    rows += rows[::2]
    found = pd.DataFrame(rows, columns=["type", "gene"])
    found["source_number"] = np.arange(len(found))
    found["type2"] = "list of " + found["type"]
    found["gene2"] = np.roll(found["gene"].to_numpy(), 3)
    found["weight"], found["weight2"] = 1.0, np.arange(1.0, len(found) + 1)
    found["sign"], found["sign2"] = "positive", np.where(found["gene"] == "CD79B", "negative", "positive")
    found["CL_ID"], found["id2"] = "CL:0000000", "CL:0000001"
    return found


def without_levels(adata: AnnData) -> None:
    del adata.uns[KEY]["levels"]


def counts_in_a_layer(adata: AnnData) -> None:
    adata.layers["counts"] = np.round(np.expm1(adata.X.toarray()))
    adata.obs["depth"] = adata.layers["counts"].sum(axis=1) + np.arange(adata.n_obs)


def halves_and_scores(adata: AnnData) -> None:
    adata.obs["swapped"] = adata.obs["halves"].map({"a": "b", "b": "a"})
    adata.obs["sure"] = np.linspace(0, 1, adata.n_obs)


GUESSES = pd.DataFrame({"guess": ["B", "T"], "other": ["NK", "T"], "sure": [0.5, 0.6]}, index=["a", "b"])

MARKERS: dict[str, Entry] = {
    "id_column": Refused("x"),
    "adata": NO_OBJECT,
    "markers": Changes("pbmc"),
    "groupby": Changes("louvain"),
    "store_proba": Changes(False),
    "key_added": Changes("other"),
    **dict.fromkeys(("n_genes", "saliency", "rng"), Refused(1)),
    "saliency": Refused("attention"),
    **SCORED,
}
RANKED: dict[str, Entry] = {
    **MARKERS,
    "groupby": Changes("cell_type"),
    "by": Changes("zscore"),
    "n_genes": Changes(5),
    "rng": Changes(7),
}
AGREE: dict[str, Entry] = {
    **LABELLED,
    "markers": Changes({"B": ["CD79A"], "T": ["CD3D"], "NK": ["GNLY"]}),
    "types": Changes({"CD19+ B": "NK"}),
    "groupby": Changes("louvain"),
    **SCORED,
}
TYPES = {"CD19+ B": "B", "CD56+ NK": "NK"}
COMPARED: dict[str, Entry] = {
    "n_genes": Changes(3),
    "max_cells": Changes(2),
    "rng": Changes(1),
}
LISTS_OF_TABLE = {"CD19+ B": "B", "CD56+ NK": "T"}
ROLLUP: dict[str, Entry] = {
    **LABELLED,
    "ontology": Changes({**TREE, "CD19+ B": "cell"}),
    "coverage": Changes(0.99),
    "by": Changes("set"),
    "overrides": Checked({"CD19+ B": "no such term"}, "no such term"),
}
MODES: dict[str, Mode] = {
    "annotate_markers, lists": Mode(sca.tl.annotate_markers, {"markers": LISTS}, {**MARKERS, **OF_LISTS}),
    "annotate_markers, packaged": Mode(
        sca.tl.annotate_markers,
        {"markers": "pbmc"},
        {**MARKERS, **OF_LISTS, "markers": Changes(LISTS), "min_support": Checked(2, "min_support=2")},
    ),
    "annotate_markers, table": Mode(
        sca.tl.annotate_markers, {"markers": table()}, {**MARKERS, **OF_TABLE, "id_column": Changes("id2")}
    ),
    "annotate_markers, groups": Mode(
        sca.tl.annotate_markers,
        {"markers": LISTS, "groupby": "louvain"},
        {**MARKERS, **OF_LISTS, "groupby": Changes("cell_type")},
    ),
    "annotate_markers, counts": Mode(
        sca.tl.annotate_markers,
        {"markers": LISTS, "layer": "counts"},
        {**MARKERS, **OF_LISTS, "use_raw": Checked(True, "use_raw"), "values": Checked("log1p", "values")},
        counts_in_a_layer,
    ),
    "annotate_markers, ranked genes": Mode(
        sca.tl.annotate_markers, {"markers": LISTS, "groupby": "louvain", "by": "wilcoxon"}, {**RANKED, **OF_LISTS}
    ),
    "markers_agree, lists": Mode(sca.tl.markers_agree, {"markers": LISTS, "types": TYPES}, {**AGREE, **OF_LISTS}),
    "markers_agree, table": Mode(
        sca.tl.markers_agree,
        {"markers": table(), "types": TYPES},
        {**AGREE, **OF_TABLE, "type_column": Checked("type2", "does not exist")},
    ),
    "vote, guarded": Mode(
        sca.tl.vote,
        {"groupby": "louvain", "guard": 0.0, "min_confidence": 0.0},
        {
            **LABELLED,
            "groupby": Changes("halves"),
            "min_share": Changes(1.0),
            "guard": Changes(1.0),
            "min_confidence": Changes(1.0),
        },
    ),
    "vote, without a guard": Mode(
        sca.tl.vote,
        {"groupby": "louvain", "guard": None},
        {
            **LABELLED,
            "groupby": Changes("halves"),
            "min_share": Changes(1.0),
            "guard": Changes(0.0),
            "min_confidence": Refused(0.5),
        },
    ),
    "consensus": Mode(
        sca.tl.consensus,
        {"keys": [KEY, "few"]},
        {
            "adata": NO_OBJECT,
            "keys": Changes([KEY, "unlike"]),
            "weights": Changes([1, 2]),
            "absent": Changes("zero"),
            "key_added": Changes("other"),
        },
    ),
    "evidence, coefficients": Mode(
        sca.tl.evidence,
        {"max_cells": 3},
        {
            **LABELLED,
            "model": Checked(3, "model must be"),
            "groupby": Changes("louvain"),
            "n_genes": Changes(3),
            "max_cells": Changes(5),
            "saliency": Refused("attention"),
            "rng": Changes(1),
        },
    ),
    "evidence, all cells": Mode(
        sca.tl.evidence,
        {},
        {
            **LABELLED,
            "model": Checked("none.safetensors", "no model file"),
            "groupby": Changes("louvain"),
            "n_genes": Changes(3),
            "max_cells": Changes(5),
            "saliency": Checked(3, "saliency must be"),
            "rng": Checked(-1, "rng"),
        },
    ),
    "rollup, probability": Mode(sca.tl.rollup, {"ontology": TREE}, ROLLUP, without_levels),
    "rollup, sets": Mode(
        sca.tl.rollup,
        {"ontology": TREE, "by": "set"},
        {**ROLLUP, "by": Changes("probability"), "coverage": Refused(0.9)},
        without_levels,
    ),
    "rollup, levels": Mode(sca.tl.rollup, {}, {**ROLLUP, "ontology": Changes(TREE), "overrides": Refused({"a": "b"})}),
    "map_labels": Mode(
        sca.tl.map_labels,
        {"key": "cell_type", "ontology": {"B cell": "cell", "CD14-positive monocyte": "cell"}},
        {
            "adata": NO_OBJECT,
            "key": Changes("louvain"),
            "ontology": Changes({"dendritic cell": "cell"}),
            "overrides": Changes({"CD19+ B": "B cell"}),
        },
    ),
    "import_labels, column": Mode(
        sca.tl.import_labels,
        {"key": "lineage"},
        {
            "adata": NO_OBJECT,
            "key": Changes("halves"),
            "score": Changes("sure"),
            "groupby": Refused("louvain"),
            "column": Refused("lineage"),
            "method": Changes("someone"),
            "key_added": Changes("mine"),
        },
        halves_and_scores,
    ),
    "import_labels, table": Mode(
        sca.tl.import_labels,
        {"key": GUESSES, "column": "guess", "groupby": "halves"},
        {
            "adata": NO_OBJECT,
            "key": Changes(GUESSES[::-1].set_axis(GUESSES.index)),
            "score": Changes("sure"),
            "groupby": Changes("swapped"),
            "column": Changes("other"),
            "method": Changes("someone"),
            "key_added": Changes("mine"),
        },
        halves_and_scores,
    ),
    "compare_labels": Mode(
        sca.tl.compare_labels,
        {"truth": "cell_type"},
        {
            "adata": NO_OBJECT,
            "truth": Changes("lineage"),
            "keys": Changes(["few"]),
            "against": Changes("few"),
            "mapping": Changes({"CD34+": ""}),
            "batch_key": Changes("louvain"),
            "rng": Changes(3),
        },
    ),
    **{
        f"get.{name}": Mode(getattr(sca.get, name), {}, LABELLED)
        for name in ("annotation", "probabilities", "sets", "report")
    },
    "get.annotations": Mode(sca.get.annotations, {}, {"adata": NO_OBJECT, "keys": Changes(["few"])}),
    "get.clusters": Mode(
        sca.get.clusters, {"groupby": "louvain"}, {**LABELLED, "groupby": Changes("halves"), "top": Changes(1)}
    ),
    "get.evidence": Mode(
        sca.get.evidence, {}, {**LABELLED, "group": Changes("CD19+ B")}, lambda adata: sca.tl.evidence(adata, n_genes=2)
    ),
    "get.faithfulness": Mode(sca.get.faithfulness, {}, LABELLED, lambda adata: sca.tl.evidence(adata, n_genes=2)),
    "get.evidence_overlap": Mode(
        sca.get.evidence_overlap,
        {"max_cells": 10},
        {
            **LABELLED,
            "markers": Changes(LISTS | {"CD19+ B": ["CD79A"]}),
            "types": Refused({"CD19+ B": "B"}),
            **COMPARED,
        },
        sca.tl.evidence,
    ),
    "get.evidence_overlap, lists": Mode(
        sca.get.evidence_overlap,
        {"max_cells": 10, "markers": LISTS, "types": TYPES},
        {
            **LABELLED,
            "markers": Changes(LISTS | {"B": ["CD79A"]}),
            "types": Changes({"CD19+ B": "B"}),
            **COMPARED,
        },
        sca.tl.evidence,
    ),
    "get.groups": Mode(sca.get.groups, {}, LABELLED),
    "get.gene_mapping": Mode(
        sca.get.gene_mapping,
        {},
        LABELLED,
        lambda adata: adata.uns.update(sca.pp.map_genes(adata, {"FYB": "FYB1"}).uns),
    ),
}
"""Every way to call the public functions around an annotation."""

ELSEWHERE = {
    "annotate", "fit_annotator", "AnnotationModel", "methods", "evaluate_perturbation", "genetic_interactions",
    "predict_perturbation", "perturbation", "leaderboard", "history", "Report", "load", "convert_celltypist",
    "pretrain", "embed", "EncoderModel",
}  # fmt: skip
"""Functions whose arguments other tests hold; models from files are below."""


@pytest.fixture(scope="module", name="labelled")
def _labelled(_pbmc: AnnData) -> AnnData:
    """Cells with three results, in a matrix that can be read in several ways."""
    order = np.random.default_rng(0).permutation(_pbmc.n_obs)
    markers = _pbmc.var_names.isin([gene for genes in LISTS.values() for gene in genes])
    few_genes = _pbmc[:, markers | (np.arange(_pbmc.n_vars) % 4 == 0) | (_pbmc.var_names == "FYB")]
    reference, query = few_genes[order[:300]].copy(), few_genes[order[300:450]].copy()
    for adata in (reference, query):
        myeloid = adata.obs["cell_type"].astype(str).isin(["CD14+ Monocyte", "Dendritic"])
        adata.obs["lineage"] = np.where(myeloid, "myeloid", "other")
    fast: dict[str, Any] = {"method": "nearest_centroid", "cv": 0}
    sca.tl.annotate(query, reference, ["lineage", "cell_type"], **fast)
    few = reference[reference.obs["cell_type"] != "CD19+ B"].copy()
    sca.tl.annotate(query, few, "cell_type", key_added="few", **fast)
    sca.tl.annotate(query, reference, "cell_type", method="majority", cv=0, key_added="unlike")
    query.layers["shuffled"] = query.X[:, np.random.default_rng(1).permutation(query.n_vars)]
    query.raw = query.copy()
    query.raw.X.data[::3] *= 0.5
    names = query.var_names.to_numpy().copy()
    symbols = names.copy()
    # One marker has its name in the other column alone.
    names[names == "CD3D"] = "CD3D.2"
    query.var["other_names"] = symbols
    query.var_names = names
    query.obs["depth"] = np.arange(1.0, query.n_obs + 1) * 1e5
    query.obs["halves"] = np.where(np.arange(query.n_obs) % 2, "a", "b")
    return query


@pytest.fixture(scope="module")
def plain() -> dict[str, Any]:
    """Results of the modes as they are."""
    return {}


CASES = cases(MODES)


@pytest.mark.parametrize(("mode", "argument"), CASES, ids=[f"{mode}: {name}" for mode, name in CASES])
def test_no_argument_is_ignored(labelled: AnnData, plain: dict[str, Any], mode: str, argument: str) -> None:
    if "markers" in mode:
        pytest.importorskip("decoupler", minversion="2", reason="markers are scored by decoupler 2")
    check_argument(MODES, mode, argument, labelled, plain)


def test_every_public_function_is_here() -> None:
    for name, mode in MODES.items():
        assert set(mode.entries) == set(inspect.signature(mode.call).parameters), name
    here = {mode.call.__name__ for mode in MODES.values()}
    assert set(sca.tl.__all__) | set(sca.get.__all__) == here | ELSEWHERE


def test_the_result_comes_second_in_every_getter() -> None:
    for name in sca.get.__all__:
        if name in ("Report", "annotations"):
            continue
        parameter = list(inspect.signature(getattr(sca.get, name)).parameters.values())[1]
        assert parameter.name == "key"
        assert parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD


def test_arguments_of_models_from_files(pbmc: AnnData, tmp_path: Any) -> None:
    model = sca.tl.fit_annotator(pbmc[:100].copy(), "cell_type", method="majority", cv=0, min_cells=2)
    path = model.save(tmp_path / "m.safetensors")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    (tmp_path / "models.txt").write_text(f"mine {digest} m.safetensors\n")
    calls: list[tuple[str, Any, dict[str, Any]]] = [
        ("source", 3, {}),
        ("sha256", path, {"sha256": "0" * 64}),
        ("registry", path, {"registry": tmp_path / "models.txt"}),
        ("refresh", path, {"refresh": True}),
        ("refresh", "mine", {"registry": tmp_path / "models.txt", "refresh": True}),
    ]
    assert {name for name, *_ in calls} == set(inspect.signature(sca.tl.load).parameters)
    assert sca.tl.load("mine", registry=tmp_path / "models.txt", sha256=digest, refresh=False).id == model.id
    for name, source, more in calls:
        with pytest.raises(ScAnnotateError, match="no model" if name == "registry" else name):
            sca.tl.load(source, **more)
    (tmp_path / "m.pkl").write_bytes(pickle.dumps({}))
    wrong: list[tuple[str, Any, dict[str, Any]]] = [
        ("source", 3, {}),
        ("trust_pickle", tmp_path / "m.pkl", {"trust_pickle": False}),
        ("trust_pickle", _Shaped(), {"trust_pickle": True}),
    ]
    assert {name for name, *_ in wrong} == set(inspect.signature(sca.tl.convert_celltypist).parameters)
    for name, source, more in wrong:
        with pytest.raises(ScAnnotateError, match=name):
            sca.tl.convert_celltypist(source, **more)


class _Shaped:
    """As a model of CellTypist in memory."""

    classifier = scaler = description = None
