"""What is said to be predictable is what is predicted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

import sc_annotate as sca
from sc_annotate._core import registry
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anndata import AnnData


def _profiles(conditions: dict[str, int], n_genes: int = 40) -> AnnData:
    """Of a screen with these conditions, whose targets are the first genes or none of them."""
    rng = np.random.default_rng(0)
    names = np.repeat(["control", *conditions], [60, *conditions.values()])
    counts = rng.poisson(3, (names.size, n_genes)).astype(np.float32)
    from anndata import AnnData

    adata = AnnData(
        counts,
        obs=pd.DataFrame({"perturbation": names}, index=[f"cell {i}" for i in range(names.size)]),
        var=pd.DataFrame(index=[f"G{i}" for i in range(n_genes)]),
    )
    return sca.pp.perturbation_profiles(adata)


@pytest.fixture(scope="module")
def combined() -> AnnData:
    """Two targets share combinations; one combination has a part that was never perturbed alone."""
    return _profiles(dict.fromkeys(["G0", "G1", "G2", "G3", "G0+G1", "G1+G2", "G0+G9", "OUT", "G1+OUT"], 30))


ASKED = ["G0", "G1", "OUT", "G0+G1", "G0+G9", "G1+OUT", "G0+G2", "G2+OUT", "G9", "G9+G3", "XIST"]


@pytest.mark.parametrize("n_folds", [None, 2])
@pytest.mark.parametrize("method", ["linear", "additive", "mean", "knn", "matching_mean", "latent_additive"])
def test_it_says_what_the_prediction_does(combined: AnnData, method: str, n_folds: int | None) -> None:
    said = sca.pp.predictable(combined, ASKED, method=method, n_folds=n_folds, rng=3)
    profiles = combined.copy()
    sca.tl.predict_perturbation(profiles, conditions=ASKED, method=method, n_folds=n_folds, rng=3)
    found = sca.get.perturbation(profiles)
    assert said.index.tolist() == found.obs_names.tolist()
    assert said["reason"].tolist() == found.obs["reason"].tolist()
    np.testing.assert_array_equal(said["predictable"], np.isfinite(found.X).all(axis=1))


def test_a_target_is_held_out_with_its_combinations() -> None:
    # G0 and G0+G1 alone have features; without both there is nothing to learn from.
    profiles = _profiles({"G0": 30, "OUT": 30, "OUT2": 30, "G0+G1": 30, "OUT+OUT2": 30})
    features = pd.DataFrame(np.eye(2), index=["G0", "G1"])
    how = {"method": "knn", "method_kwargs": {"perturbation_embedding": features}}
    table = sca.pp.predictable(profiles, ["G0", "G0+G1"], **how)
    assert table["predictable"].tolist() == [False, True]
    sca.tl.predict_perturbation(
        profiles, conditions=["G0", "G0+G1"], method="knn", method_kwargs={"perturbation_embedding": features}
    )
    assert sca.get.perturbation(profiles).obs["reason"].tolist() == table["reason"].tolist()


def test_the_only_condition_of_its_kind_has_been_seen() -> None:
    profiles = _profiles({"G0": 30, "G1": 30, "OUT": 30, "G0+OUT": 30})
    assert sca.pp.predictable(profiles, ["G0+OUT"], method="additive")["predictable"].tolist() == [True]
    sca.tl.predict_perturbation(profiles, conditions=["G0+OUT"], method="additive")
    assert np.isfinite(sca.get.perturbation(profiles).X).all()


def test_another_screen_as_parameter(combined: AnnData) -> None:
    other = _profiles({"G0": 30, "G1": 30, "G7": 30})
    table = sca.pp.predictable(combined, ["G7", "G8"], method="transfer", method_kwargs={"source": other})
    assert table["predictable"].tolist() == [True, False]


@pytest.fixture
def cell_method() -> Iterator[str]:
    @sca.register_predictor("on_cells", inputs="cells")
    class OnCells:
        """Never fitted."""

    yield "on_cells"
    registry.unregister("perturbation", "on_cells")


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"n_folds": 1}, "n_folds must be"),
        ({"rng": -1}, "rng must be"),
        ({"method": "linaer"}, "Did you mean 'linear'"),
    ],
)
def test_bad_input(combined: AnnData, more: dict[str, Any], text: str) -> None:
    with pytest.raises(InputError, match=text):
        sca.pp.predictable(combined, **more)


def test_methods_that_train_on_cells(combined: AnnData, cell_method: str) -> None:
    with pytest.raises(InputError, match="trains on cells"):
        sca.pp.predictable(combined, method=cell_method)
