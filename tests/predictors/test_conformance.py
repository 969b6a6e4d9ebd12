"""Every predictor of the registry keeps the contract."""

from __future__ import annotations

import numpy as np
import pytest

import sc_annotate as sca
from sc_annotate._core import registry
from sc_annotate._core.methods import PREDICTORS
from sc_annotate.errors import MethodError
from sc_annotate.predictors import Embedding, Predictor
from sc_annotate.testing import check_predictor, easy_screen

TASK = easy_screen()
NAMES = [m.name for m in PREDICTORS]
GENES = TASK.train.genes.tolist()
PARAMS = {
    "ridge": {"gene_sets": {f"s{i}": GENES[i::5] for i in range(5)}, "penalty": 1.0},
    "transfer": {"source": TASK.train},
}
RNG = np.random.default_rng(0)
VARIANTS = [
    *((name, PARAMS.get(name, {})) for name in NAMES),
    ("mean", {"include_control": True}),
    ("linear", {"n_components": 2, "penalty": 10.0}),
    ("linear", {"gene_embedding": Embedding(GENES, RNG.normal(size=(40, 3)))}),
    ("linear", {"perturbation_embedding": Embedding(GENES, RNG.normal(size=(40, 3)))}),
    ("knn", {"perturbation_embedding": Embedding(GENES, RNG.normal(size=(40, 3)))}),
    ("transfer", {"source": TASK.train, "per_gene": True}),
]


@pytest.mark.parametrize(("name", "params"), VARIANTS, ids=lambda v: v if isinstance(v, str) else "-".join(v))
def test_conforms(name, params):
    check_predictor(registry.load(registry.get("perturbation", name)), **params)


@pytest.mark.parametrize("name", NAMES)
def test_params_rebuild_the_method(name):
    model = registry.make("perturbation", name, PARAMS.get(name))
    again = registry.make("perturbation", name, model.params())
    assert isinstance(model, Predictor)
    np.testing.assert_array_equal(
        model.fit(TASK.train).predict(TASK.asked), again.fit(TASK.train).predict(TASK.asked), strict=True
    )


def test_the_table_lists_them():
    table = sca.tl.methods("perturbation")
    assert table.index.tolist()[: len(NAMES)] == NAMES
    assert (table.loc[NAMES, "inputs"] == "profiles").all()
    assert not table.loc[NAMES, "saves"].any()
    assert table.loc["linear", "parameters"].startswith("n_components=10, penalty=0.1, tune=False")
    assert "no_change" not in sca.tl.methods().index
    assert len({(m.task, m.name) for m in PREDICTORS}) == len(PREDICTORS)


def test_unknown_names_and_parameters():
    with pytest.raises(MethodError, match="no perturbation method 'lineer'. Did you mean 'linear'"):
        registry.get("perturbation", "lineer")
    with pytest.raises(MethodError, match="It takes: n_components, penalty, tune"):
        registry.make("perturbation", "linear", {"K": 3})
    with pytest.raises(MethodError, match="'linear' .perturbation. exists already"):
        sca.register_predictor("linear")(type("Mine", (), {}))


def test_a_registered_class_gets_profiles_unless_it_says_cells():
    for name, record, expected in (("mine", {}, "profiles"), ("mine too", {"inputs": "cells"}, "cells")):
        sca.register_predictor(name, **record)(type("Mine", (), {}))
        assert registry.get("perturbation", name).inputs == expected
        registry.unregister("perturbation", name)
