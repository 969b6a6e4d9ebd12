"""What is refused before a model is fitted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import sc_annotate as sca
from sc_annotate._core import registry
from sc_annotate.errors import MethodError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anndata import AnnData


@pytest.fixture
def sees_the_query() -> Iterator[str]:
    @sca.register_annotator("sees_the_query", summary="Has to see the query", saves=False)
    class _SeesTheQuery:
        transductive = True

        def fit(self, X: Any, y: Any, *, genes: Any, batch: Any = None, rng: int = 0) -> Any:
            self.classes_ = np.unique(y)
            return self

        def predict_proba(self, X: Any) -> Any:
            return np.full((X.shape[0], len(self.classes_)), 1 / len(self.classes_), np.float32)

    yield "sees_the_query"
    registry.unregister("annotation", "sees_the_query")


def test_a_transductive_method_is_refused_by_name(pbmc: AnnData, sees_the_query: str) -> None:
    with pytest.raises(MethodError, match="'sees_the_query' is transductive"):
        sca.tl.fit_annotator(pbmc, "cell_type", method=sees_the_query, cv=0, trust=None)
