"""No argument of `annotate`, `fit_annotator` and `benchmark.annotators` is ignored, in any mode."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import sc_annotate as sca
from argument_modes import Changes, Checked, Entry, Mode, Refused, cases, check_argument
from sc_annotate.errors import InputError
from sc_annotate.trust import Options

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

FAST: dict[str, Any] = {"method": "nearest_centroid", "cv": 0}


def relabelled(reference: AnnData) -> AnnData:
    """The same cells with two types swapped."""
    other = reference.copy()
    swap = {"Dendritic": "CD14+ Monocyte", "CD14+ Monocyte": "Dendritic"}
    other.obs["cell_type"] = [swap.get(t, t) for t in other.obs["cell_type"].astype(str)]
    return other


MATRIX: dict[str, Entry] = {
    "layer": Changes("shuffled"),
    "use_raw": Changes(True),
    "use_rep": Checked("none", "no representation 'none'"),
    "gene_symbols": Checked("none", "gene_symbols"),
    "total_counts_key": Checked("none", "total_counts_key"),
    "values": Checked("counts", "values='counts'"),
}
FIT: dict[str, Entry] = {
    "method": Changes("naive_bayes"),
    "method_kwargs": Changes({"shrink": 3.0}),
    "batch_key": Changes("batch"),
    "n_top_genes": Changes(20),
    "min_cells": Changes(12),
    "max_cells": Changes(100),
    "cv": Changes(1),
    "trust": Changes("isotonic"),
    "coverage": Changes(0.6),
    "rng": Changes(3),
}
ANNOTATE: dict[str, Entry] = {
    "adata": Checked(3, "must be an AnnData"),
    "labels_key": Changes("louvain"),
    **FIT,
    **MATRIX,
    "reference_layer": Changes("shuffled"),
    "vote": Changes("louvain"),
    "store_proba": Changes(False),
    "key_added": Changes("mine"),
}
FITTED: dict[str, Entry] = {
    name: Checked(value, f"{name} says how a model is fitted")
    for name, value in {
        "labels_key": "cell_type",
        "method": "logreg",
        "method_kwargs": {},
        "batch_key": "batch",
        "n_top_genes": 2000,
        "min_cells": 2,
        "max_cells": 30_000,
        "cv": 1,
    }.items()
}


@pytest.fixture(scope="module", name="objects")
def _objects(_pair: tuple[AnnData, AnnData], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A reference, a query, a fitted model and its file."""
    reference, query = _pair[0][:260, ::3].copy(), _pair[1][:120, ::3].copy()
    rng = np.random.default_rng(0)
    for adata in (reference, query):
        adata.layers["shuffled"] = adata.X[:, rng.permutation(adata.n_vars)]
        adata.raw = adata.copy()
        adata.raw.X.data[::3] *= 0.5
        adata.obs["batch"] = np.array(["a", "b"])[np.arange(adata.n_obs) % 2]
        labels = adata.obs["cell_type"].astype(object)
        adata.obs["some"] = labels.where(np.arange(adata.n_obs) % 3 > 0)
        adata.obs["other"] = adata.obs["louvain"].astype(object).where(np.arange(adata.n_obs) % 3 > 0)
    model = sca.tl.fit_annotator(reference, "cell_type", min_cells=2, **FAST)
    bare = sca.tl.fit_annotator(reference, "cell_type", min_cells=2, trust=None, **FAST)
    path: Path = model.save(tmp_path_factory.mktemp("models") / "m.safetensors")
    return {"reference": reference, "query": query, "model": model, "bare": bare, "path": path}


def modes(objects: dict[str, Any]) -> dict[str, Mode]:
    """Every way to call the three functions."""
    reference = objects["reference"]
    across = {"reference": reference, "labels_key": "cell_type", "min_cells": 2, **FAST}
    model_entries: dict[str, Entry] = {
        **ANNOTATE,
        **FITTED,
        "reference": Checked("none.safetensors", "there is no model file"),
        "reference_layer": Checked("shuffled", "reference_layer"),
        # Words and None set how a model is calibrated; what is looked for in the cells may still be chosen.
        "trust": Changes(Options(false_positive_rate=0.5)),
        "rng": Checked(-1, "rng"),
    }
    two = {**across, "method": ["nearest_centroid", "naive_bayes"]}
    return {
        "annotate, reference": Mode(sca.tl.annotate, across, {**ANNOTATE, "reference": Changes(relabelled(reference))}),
        "annotate, several methods": Mode(
            sca.tl.annotate,
            two,
            {
                **ANNOTATE,
                "reference": Changes(relabelled(reference)),
                "method": Changes(["nearest_centroid", "majority"]),
                # Parameters are those of every method.
                "method_kwargs": Checked({"shrink": 3.0}, "refuses method_kwargs"),
            },
        ),
        "annotate, within one object": Mode(
            sca.tl.annotate,
            {"labels_key": "some", "min_cells": 2, **FAST},
            {
                **ANNOTATE,
                "reference": Changes(reference),
                "labels_key": Changes("other"),
                # There are fewer labelled cells here than the least that can be asked for.
                "max_cells": Checked(3, "max_cells"),
                "reference_layer": Checked("shuffled", "reference_layer"),
            },
        ),
        "annotate, without trust": Mode(
            sca.tl.annotate,
            {**across, "trust": None},
            {
                **ANNOTATE,
                "reference": Changes(relabelled(reference)),
                "batch_key": Checked("none", "batch_key"),
                "coverage": Checked(0.9, "coverage: "),
                "rng": Checked(-1, "rng"),
            },
        ),
        "annotate, representation": Mode(
            sca.tl.annotate,
            {**across, "use_rep": "pca"},
            {
                **ANNOTATE,
                "reference": Changes(relabelled(reference)),
                "layer": Checked("shuffled", "layer"),
                "use_raw": Checked(True, "use_raw"),
                "reference_layer": Checked("shuffled", "layer"),
                "use_rep": Changes("umap"),
                "method": Changes("knn"),
                "n_top_genes": Refused(2000),
                "gene_symbols": Refused("none"),
                "total_counts_key": Refused("none"),
                "values": Refused("log1p"),
            },
        ),
        "annotate, fitted model": Mode(sca.tl.annotate, {"reference": objects["model"]}, model_entries),
        "annotate, path of a model": Mode(sca.tl.annotate, {"reference": objects["path"]}, model_entries),
        "annotate, model without trust": Mode(
            sca.tl.annotate,
            {"reference": objects["bare"]},
            {
                **model_entries,
                "trust": Checked(Options(false_positive_rate=0.1), "trust.false_positive_rate cannot be honoured"),
                "coverage": Checked(0.9, "coverage cannot be honoured"),
            },
        ),
        "fit_annotator": Mode(
            fitted,
            {"adata": reference, "labels_key": "cell_type", "min_cells": 2, **FAST},
            {"adata": Checked(3, "must be an AnnData"), "labels_key": Changes("louvain"), **FIT, **MATRIX},
        ),
        "benchmark.annotators": Mode(
            sca.benchmark.annotators,
            {"adata": reference, "labels_key": "cell_type", "methods": ["nearest_centroid"], "cv": 2, "min_cells": 2},
            {
                "adata": Checked(3, "must be an AnnData"),
                "labels_key": Changes("louvain"),
                **{name: FIT[name] for name in ("batch_key", "n_top_genes", "min_cells", "rng")},
                **MATRIX,
                "methods": Changes(["naive_bayes"]),
                "method_kwargs": Changes({"nearest_centroid": {"shrink": 3.0}}),
                "cv": Changes(3),
            },
        ),
    }


def fitted(adata: AnnData, **arguments: Any) -> str:
    """What a fitted model says of itself: its id, scores and calibration change with what it learned."""
    model = sca.tl.fit_annotator(adata, **arguments)
    return f"{model.id} {model} {model.trust.report if model.trust else None}"


fitted.__signature__ = inspect.signature(sca.tl.fit_annotator).replace(  # type: ignore[attr-defined]
    parameters=[
        p.replace(name="adata") if p.name == "reference" else p
        for p in inspect.signature(sca.tl.fit_annotator).parameters.values()
    ]
)

NAMES = (
    "annotate, reference", "annotate, several methods", "annotate, within one object", "annotate, without trust",
    "annotate, representation", "annotate, fitted model", "annotate, path of a model", "annotate, model without trust",
    "fit_annotator", "benchmark.annotators",
)  # fmt: skip
FUNCTIONS = {
    name: sca.tl.annotate
    if name.startswith("annotate")
    else {"fit_annotator": fitted, "benchmark.annotators": sca.benchmark.annotators}[name]
    for name in NAMES
}
CASES = cases({name: Mode(function, {}, {}) for name, function in FUNCTIONS.items()})


@pytest.fixture(scope="module", name="all_modes")
def _all_modes(objects: dict[str, Any]) -> dict[str, Mode]:
    return modes(objects)


@pytest.fixture(scope="module")
def plain() -> dict[str, Any]:
    """Results of the modes as they are."""
    return {}


@pytest.mark.parametrize(("mode", "argument"), CASES, ids=[f"{mode}: {name}" for mode, name in CASES])
def test_no_argument_is_ignored(
    objects: dict[str, Any], all_modes: dict[str, Mode], plain: dict[str, Any], mode: str, argument: str
) -> None:
    check_argument(all_modes, mode, argument, objects["query"], plain)


def test_every_mode_is_listed(all_modes: dict[str, Mode]) -> None:
    assert set(all_modes) == set(NAMES)


HOW_TO_FIT = {
    "isotonic": "isotonic",
    "none": None,
    "scheme": Options(scheme="folds"),
    "sets_by": Options(sets_by="label"),
}


@pytest.mark.parametrize("trust", HOW_TO_FIT.values(), ids=HOW_TO_FIT)
def test_a_fitted_model_keeps_its_trust(objects: dict[str, Any], trust: Any) -> None:
    with pytest.raises(InputError, match=r"trust\.\w+ says how a model is fitted"):
        sca.tl.annotate(objects["query"].copy(), objects["model"], trust=trust)


@pytest.mark.parametrize("name", ["false_positive_rate", "check_quality", "min_overlap", "min_confidence"])
def test_what_is_looked_for_in_cells_is_refused_when_a_model_is_fitted(objects: dict[str, Any], name: str) -> None:
    value = {"false_positive_rate": 0.05, "check_quality": False, "min_overlap": 0.1, "min_confidence": 0.5}[name]
    trust = Options(**{name: value})
    with pytest.raises(InputError, match=f"{name}: said when cells are annotated"):
        sca.tl.fit_annotator(objects["reference"], "cell_type", trust=trust, **FAST)


def test_overlap_within_one_object_is_refused(objects: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="min_overlap: "):
        sca.tl.annotate(objects["query"].copy(), labels_key="some", trust=Options(min_overlap=0.5), **FAST)


def test_the_method_of_a_fitted_model_may_be_named(objects: dict[str, Any]) -> None:
    sca.tl.annotate(objects["query"].copy(), objects["model"], method="nearest_centroid")
