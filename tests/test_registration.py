"""The decorators of the top package, as a notebook uses them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

import sc_annotate as sca
from sc_annotate._core import registry
from sc_annotate.errors import MethodError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anndata import AnnData

TASKS = {
    "annotation": sca.register_annotator,
    "perturbation": sca.register_predictor,
    "encoding": sca.register_encoder,
}


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    registered = dict(registry._registered)
    yield
    registry._registered.clear()
    registry._registered.update(registered)


class Uniform:
    """Every type equally likely."""

    def fit(self, X, y, *, genes, batch=None, rng=0):
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        return np.full((X.shape[0], len(self.classes_)), 1 / len(self.classes_), np.float32)


@pytest.mark.parametrize("task", TASKS)
def test_each_decorator_fills_its_own_task(task: str):
    assert TASKS[task]("mine", reference="10.1/x")(Uniform) is Uniform
    method = registry.get(task, "mine")
    assert (method.task, method.summary, method.reference) == (task, "Every type equally likely.", "10.1/x")
    assert isinstance(registry.make(task, "mine"), Uniform)
    for other in set(TASKS) - {task}:
        assert "mine" not in registry.table(other)


@pytest.mark.parametrize("decorator", TASKS.values())
def test_unknown_fields_are_refused(decorator):
    with pytest.raises(MethodError, match="no field sumary"):
        decorator("mine", sumary="x")


@pytest.mark.parametrize("decorator", TASKS.values())
def test_the_name_is_needed(decorator):
    with pytest.raises(MethodError, match="registered under a name"):
        decorator(Uniform)


def test_a_registered_annotator_names_cells(pair: tuple[AnnData, AnnData]):
    sca.register_annotator("uniform", saves=False)(Uniform)
    assert not sca.tl.methods().loc["uniform", "saves"]
    reference, query = pair
    sca.tl.annotate(query, reference, "cell_type", method="uniform", cv=0, trust=None)
    proba = sca.get.probabilities(query)
    np.testing.assert_allclose(proba.to_numpy(), 1 / proba.shape[1], rtol=1e-6)
    assert query.uns["annotation"]["method"] == "uniform"
