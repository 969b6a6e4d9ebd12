"""Values of a wrong type in every argument of every public function: accepted, or one of our own errors."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

import sc_annotate as sca
from comparing import same, snapshot
from sc_annotate.errors import ScAnnotateError

if TYPE_CHECKING:
    from collections.abc import Callable

# What is neither comparable nor hashable is what simple checks stumble over.
WRONG = [np.array([1, 2]), pd.Series([1, 2]), {"a": {}}, [[]], object()]
MARKERS = {"CD19+ B": ["CD79A", "MS4A1"], "CD14+ Monocyte": ["LYZ", "CST3"]}
QUICK = {"method": "nearest_centroid", "cv": 0}


@pytest.fixture(scope="module")
def cells() -> dict[str, Any]:
    adata = sca.datasets.pbmc68k()
    reference, query = adata[:300].copy(), adata[300:400].copy()
    query.obs["cluster"] = np.array(list("abcd"))[np.arange(100) % 4]
    model = sca.tl.fit_annotator(reference, "cell_type", **QUICK)
    done = query.copy()
    for key in ("annotation", "other"):
        sca.tl.annotate(done, model, key_added=key)
    encoder = sca.tl.pretrain(reference.copy(), "pca")
    screen = sca.datasets.simulate_perturb_seq(600, 60, 8, 3, rng=0)
    profiles = sca.pp.perturbation_profiles(screen, min_cells=2)
    predicted = profiles.copy()
    sca.tl.predict_perturbation(predicted, method="mean", n_top=20)
    return {
        "reference": reference, "query": query, "model": model, "done": done, "screen": screen, "profiles": profiles,
        "predicted": predicted, "guess": profiles.to_df().drop(index="control"), "encoder": encoder,
    }  # fmt: skip


CALLS: dict[str, Callable[[dict[str, Any]], tuple[Callable[..., Any], list[Any], dict[str, Any]]]] = {
    "annotate": lambda c: (sca.tl.annotate, [c["query"], c["reference"], "cell_type"], QUICK),
    "annotate by a model": lambda c: (sca.tl.annotate, [c["query"], c["model"]], {}),
    "fit_annotator": lambda c: (sca.tl.fit_annotator, [c["reference"], "cell_type"], QUICK),
    "pretrain": lambda c: (sca.tl.pretrain, [c["query"], "pca"], {}),
    "pretrain by views": lambda c: (
        sca.tl.pretrain, [c["query"], "simclr"], {"objective_kwargs": {"epochs": 1, "n_latent": 2, "hidden": (4,), "projector": (4,)}},
    ),
    "embed": lambda c: (sca.tl.embed, [c["query"], c["encoder"]], {}),
    "annotate_markers": lambda c: (sca.tl.annotate_markers, [c["query"], MARKERS], {}),
    "markers_agree": lambda c: (sca.tl.markers_agree, [c["done"]], {"markers": MARKERS}),
    "vote": lambda c: (sca.tl.vote, [c["done"], "cluster"], {}),
    "evidence": lambda c: (sca.tl.evidence, [c["done"]], {}),
    "rollup": lambda c: (sca.tl.rollup, [c["done"]], {"ontology": {"CD19+ B": "lymphoid"}}),
    "map_labels": lambda c: (sca.tl.map_labels, [c["done"], "cell_type"], {"ontology": {"CD19+ B": "lymphoid"}}),
    "import_labels": lambda c: (sca.tl.import_labels, [c["query"], "cell_type"], {}),
    "import_labels of groups": lambda c: (
        sca.tl.import_labels, [c["query"], dict.fromkeys("abcd", "B")], {"groupby": "cluster", "score": dict.fromkeys("abcd", 0.5)},
    ),
    "compare_labels": lambda c: (sca.tl.compare_labels, [c["done"], "cell_type"], {}),
    "consensus": lambda c: (sca.tl.consensus, [c["done"], ["annotation", "other"]], {}),
    "methods": lambda _: (sca.tl.methods, ["annotation"], {}),
    "options": lambda _: (sca.trust.Options, [], {}),
    "inspect": lambda c: (sca.pp.inspect, [c["query"]], {}),
    "map_genes": lambda c: (sca.pp.map_genes, [c["query"]], {"table": {"CD3D": "CD3"}}),
    "parse_conditions": lambda _: (sca.pp.parse_conditions, [["a", "a+b"]], {"control": "control"}),
    "perturbation_profiles": lambda c: (sca.pp.perturbation_profiles, [c["screen"]], {"min_cells": 2}),
    "perturbation_embedding": lambda c: (sca.pp.perturbation_embedding, [c["profiles"]], {}),
    "profiles_from_lfc": lambda c: (sca.pp.profiles_from_lfc, [c["profiles"]], {}),
    "predictable": lambda c: (sca.pp.predictable, [c["profiles"]], {"method": "mean"}),
    "predict_perturbation": lambda c: (sca.tl.predict_perturbation, [c["profiles"]], {"method": "mean", "n_top": 20}),
    "predict from cells": lambda c: (
        sca.tl.predict_perturbation, [c["screen"]], {"method": "mean", "evaluate": False, "min_cells": 2},
    ),
    "evaluate_perturbation": lambda c: (
        sca.tl.evaluate_perturbation, [c["profiles"], {"guess": c["guess"]}], {"n_boot": 20, "n_top": 20},
    ),
    "genetic_interactions": lambda c: (sca.tl.genetic_interactions, [c["profiles"]], {"n_top": 20}),
    "simulate_perturb_seq": lambda _: (sca.datasets.simulate_perturb_seq, [100, 30, 4, 0], {}),
    "simulate_reference": lambda _: (sca.datasets.simulate_reference, [60, 30, 3], {}),
    "models.available": lambda _: (sca.models.available, [], {}),
    "benchmark": lambda c: (sca.benchmark.annotators, [c["reference"], "cell_type"], {"methods": ["majority"], "cv": 1}),
    **{
        f"get.{get.__name__}": lambda c, get=get: (get, [c["done"]], {})
        for get in (sca.get.annotation, sca.get.probabilities, sca.get.sets, sca.get.evidence, sca.get.evidence_overlap, sca.get.faithfulness, sca.get.history, sca.get.report)
    },
    "get.annotations": lambda c: (sca.get.annotations, [c["done"], ["annotation", "other"]], {}),
    "get.clusters": lambda c: (sca.get.clusters, [c["done"]], {"groupby": "cluster"}),
    **{
        f"get.{get.__name__}": lambda c, get=get: (get, [c["predicted"]], {})
        for get in (sca.get.perturbation, sca.get.leaderboard)
    },
}  # fmt: skip


@pytest.mark.parametrize("name", list(CALLS))
@pytest.mark.filterwarnings("ignore")
def test_values_of_a_wrong_type(name: str, cells: dict[str, Any]) -> None:
    function, positional, written = CALLS[name](cells)
    parameters = inspect.signature(function).parameters
    wrong = []
    for i, parameter in enumerate(parameters):
        for value in WRONG:
            args, kwargs = list(positional), dict(written)
            if i < len(args):
                args[i] = value
            else:
                kwargs[parameter] = value
            adata = args[0].copy() if args and hasattr(args[0], "obs") else None
            before = None if adata is None else snapshot(adata)
            try:
                function(*(args if adata is None else [adata, *args[1:]]), **kwargs)
            except ScAnnotateError:
                if adata is not None and not same(before, snapshot(adata)):
                    wrong.append(f"{parameter}={value!r}: adata is not as it was")
            except Exception as error:  # noqa: BLE001
                wrong.append(f"{parameter}={value!r}: {type(error).__name__}: {error}")
    assert not wrong, "\n".join(wrong)
