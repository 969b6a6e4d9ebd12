"""Models of scvi-tools through ``annotate``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

import sc_annotate as sca
from sc_annotate.errors import MethodError

if TYPE_CHECKING:
    from anndata import AnnData

pytest.importorskip("scvi")

SMALL = {"epochs": 30, "n_hidden": 32, "learning_rate": 1e-2}


@pytest.fixture(scope="module")
def cells() -> AnnData:
    return sca.datasets.simulate_reference(180, 60, 3, n_batches=3, rng=0)


def right(adata: AnnData, key: str) -> float:
    return float((adata.obs[key].astype(str) == adata.obs["cell_type"].astype(str)).mean())


@pytest.mark.slow
def test_scanvi_from_reference_to_query(cells: AnnData) -> None:
    reference, query = cells[:120].copy(), cells[120:].copy()
    sca.tl.annotate(
        query,
        reference,
        "cell_type",
        method="scanvi",
        batch_key="batch",
        method_kwargs={**SMALL, "classifier_epochs": 15},
    )
    assert right(query, "annotation") > 0.8
    history = sca.get.history(query)
    assert set(history["network"]) == {1, 2}
    assert {"scanvi", "logreg", "logreg_pca", "majority"} == set(
        query.uns["annotation"]["baseline"]["scores"]["method"]
    )


@pytest.mark.slow
@pytest.mark.parametrize(("method", "name"), [("totalanvi", "protein_key"), ("resolvi", "spatial_key")])
def test_entries_of_obsm(cells: AnnData, method: str, name: str) -> None:
    both = cells.copy()
    codes, draw = both.obs["cell_type"].cat.codes.to_numpy(), np.random.default_rng(0)
    both.obsm["own"] = draw.poisson(20 * np.eye(3)[codes][:, :2] + 1).astype(float)
    reference, query = both[:120].copy(), both[120:].copy()
    params = SMALL | ({"epochs": 60, "classifier_epochs": 20, "n_latent": 5} if method == "totalanvi" else {})
    sca.tl.annotate(
        query, reference, "cell_type", method=method, method_kwargs={**params, name: "own"}, cv=0, trust=None
    )
    assert right(query, "annotation") > 0.6


@pytest.mark.parametrize("method", ["scanvi", "scvi", "totalanvi", "resolvi"])
def test_nothing_is_fitted_in_advance(cells: AnnData, method: str) -> None:
    with pytest.raises(MethodError, match=method):
        sca.tl.fit_annotator(cells, "cell_type", method=method)
