"""What went wrong once with perturbations: each stays refused, or right."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pytest
import scanpy as sc

import sc_annotate as sca
from sc_annotate._vocabulary.conditions import parse
from sc_annotate.errors import InputError, MatrixError, StorageError
from sc_annotate.predictors import Screen, leave_one_out
from sc_annotate.predictors.linear import Linear
from sc_annotate.predictors.ridge import GeneSetRidge

if TYPE_CHECKING:
    from anndata import AnnData

DATA = Path(os.environ.get("SC_ANNOTATE_DATA", "../shared/data"))


@pytest.fixture(scope="module")
def cells() -> AnnData:
    return sca.datasets.simulate_perturb_seq(3000, 80, 20, 8, rng=0)


@pytest.fixture(scope="module")
def _profiles(cells: AnnData) -> AnnData:
    return sca.pp.perturbation_profiles(cells)


@pytest.fixture
def profiles(_profiles: AnnData) -> AnnData:
    return _profiles.copy()


def singles(profiles: AnnData) -> list[str]:
    return profiles.obs_names[profiles.obs["n_targets"] == 1].tolist()


# ---- predictions without one condition


def _methods() -> dict[str, Any]:
    sets = {f"s{k}": [f"G{i:02d}" for i in range(k, 14, 3)] for k in range(3)} | {
        "all": [f"G{i:02d}" for i in range(14)]
    }
    return {"linear": Linear(tune=True), "ridge": GeneSetRidge(sets)}


@pytest.mark.parametrize("name", ["linear", "ridge"])
def test_tuned_methods_do_not_see_the_condition_left_out(name: str) -> None:
    rng = np.random.default_rng(0)
    genes = [f"G{i:02d}" for i in range(40)]
    control, effects = rng.gamma(2.0, size=40), rng.normal(size=(14, 3)) @ rng.normal(size=(3, 40))
    targets = [(gene,) for gene in genes[:14]]
    before = list(leave_one_out(_methods()[name], Screen(genes, control, control + effects, targets), [("G05",)]))
    effects[4] = 30 * rng.normal(size=40)
    after = list(leave_one_out(_methods()[name], Screen(genes, control, control + effects, targets), [("G05",)]))
    np.testing.assert_allclose(after[4][0], before[4][0], rtol=1e-9)
    np.testing.assert_allclose(after[4][1], before[4][1], rtol=1e-9)
    assert not np.allclose(before[3][0], after[3][0])


# ---- evaluate_perturbation


def test_expression_where_truth_holds_changes(profiles: AnnData) -> None:
    X = profiles.to_df()
    change = (X - X.loc["control"]).drop(index="control")
    for kind in ("expression", "delta"):
        with pytest.raises(MatrixError, match="looks like expression.*Subtract the model's own control"):
            sca.tl.evaluate_perturbation(change, {"m": X[1:]}, truth_is="delta", predictions_are=kind)
    board = sca.tl.evaluate_perturbation(change, {"m": X[1:]}, truth_is="delta", check_scale=False, n_boot=10)
    assert board.n_scored == len(change)
    # A model of one sign on some genes, or one that says no change, is bad and not of another scale.
    for fair in (0.5 * change, change.clip(lower=0), 0 * change, 0 * change + change.mean()):
        assert sca.tl.evaluate_perturbation(change, {"m": fair}, truth_is="delta", n_boot=10).n_scored == len(change)


def test_raw_cells_are_told_how_to_become_profiles(cells: AnnData, profiles: AnnData) -> None:
    with pytest.raises(InputError, match=r"sca.pp.perturbation_profiles"):
        sca.tl.evaluate_perturbation(cells, {})
    with pytest.raises(InputError, match=r"sca.pp.perturbation_profiles"):
        sca.tl.evaluate_perturbation(cells, {}, perturbation_key="perturbation")
    with pytest.raises(InputError, match=r"sca.pp.perturbation_profiles"):
        sca.tl.evaluate_perturbation(profiles, {"m": cells})


def test_linear_is_fitted_on_the_training_conditions(profiles: AnnData) -> None:
    names = singles(profiles)
    train, test = names[:14], names[14:]
    board = sca.tl.evaluate_perturbation(profiles, {}, training=[*train, *_doubles(profiles)], n_boot=50)
    assert board.methods == ["linear", "no_change", "mean"]
    assert "linear" in board.baselines
    rows = profiles[[*train, *_doubles(profiles)]]
    targets = [tuple(name.split("+")) for name in rows.obs["targets"]]
    screen = Screen(profiles.var_names.to_numpy(str), profiles["control"].X[0], rows.X, targets)
    own = Linear().fit(screen).predict([(name,) for name in test])
    want = np.linalg.norm(own - profiles[test].X, axis=1)
    np.testing.assert_allclose(board.values["l2"][board.methods.index("linear")], want, rtol=1e-9)
    # One that was handed in is not replaced, and without training conditions there is nothing to fit on.
    given = profiles[test].to_df()
    board = sca.tl.evaluate_perturbation(profiles, {"linear": given}, training=[*train, *_doubles(profiles)], n_boot=50)
    assert board.values["l2"][board.methods.index("linear")].max() < 1e-9
    assert "linear" not in sca.tl.evaluate_perturbation(profiles, {}, n_boot=50).methods


def _doubles(profiles: AnnData) -> list[str]:
    return profiles.obs_names[profiles.obs["n_targets"] == 2].tolist()


def test_linear_does_not_take_conditions_from_other_models(profiles: AnnData) -> None:
    names = singles(profiles)
    lost = names[-1]
    some = profiles[:, profiles.var_names != lost].copy()
    board = sca.tl.evaluate_perturbation(some, {}, training=names[:14], n_boot=50)
    assert "linear" not in board.methods
    assert any("linear is not among the baselines" in note and lost in note for note in board.notes)


# ---- genetic interactions


@pytest.fixture(scope="module")
def larger() -> AnnData:
    return sca.pp.perturbation_profiles(sca.datasets.simulate_perturb_seq(5000, 200, 15, 15, rng=0))


def test_interactions_refuse_other_scales_and_lost_values(larger: AnnData) -> None:
    profiles = larger.copy()
    near = profiles[_doubles(profiles)].to_df()
    sca.tl.genetic_interactions(profiles.copy(), predictions={"m": near})
    change = near - profiles["control"].X[0]
    for table, kind, message in (
        (near / np.log(2), "expression", "logarithms to base 2"),
        (near, "delta", "said to hold changes"),
        (change, "expression", "predictions_are='delta'"),
        (np.expm1(near), "expression", "without the logarithm"),
    ):
        with pytest.raises(MatrixError, match=message) as caught:
            sca.tl.genetic_interactions(profiles, predictions={"m": table}, predictions_are=kind)
        assert "check_scale" not in str(caught.value)
    lfc = sca.pp.profiles_from_lfc(ad.AnnData(profiles.X[1:] - profiles.X[0], obs=profiles.obs[1:], var=profiles.var))
    with pytest.raises(MatrixError, match="looks like expression"):
        sca.tl.genetic_interactions(lfc, predictions={"m": near}, standardise=False)
    profiles.X[3, 5] = np.nan
    with pytest.raises(MatrixError, match="NaN"):
        sca.tl.genetic_interactions(profiles)
    assert "interactions" not in profiles.uns


# ---- types of arguments


def test_whole_numbers_of_numpy_are_whole_numbers(cells: AnnData, profiles: AnnData, larger: AnnData) -> None:
    assert sca.pp.perturbation_profiles(cells, min_cells=np.int64(10), rng=np.int64(0)).shape == profiles.shape
    sca.tl.predict_perturbation(profiles, n_folds=np.int64(3), n_top=np.int64(50))
    assert profiles.uns["perturbation"]["params"]["n_folds"] == 3
    sca.tl.evaluate_perturbation(profiles, {}, n_boot=np.int64(20), n_top=np.int64(50), rng=np.int64(1))
    sca.tl.genetic_interactions(larger.copy(), n_top=np.int64(150))


WRONG: dict[str, Any] = {
    "control of names": lambda a, p: sca.pp.parse_conditions(["A"], control=None),
    "names": lambda a, p: sca.pp.parse_conditions(3, control="control"),
    "one name": lambda a, p: sca.pp.parse_conditions("A", control="control"),
    "control of profiles": lambda a, p: sca.pp.perturbation_profiles(a, control=None),
    "min_cells": lambda a, p: sca.pp.perturbation_profiles(a, min_cells=2.5),
    "negative rng": lambda a, p: sca.pp.perturbation_profiles(a, rng=-1),
    "no rng": lambda a, p: sca.pp.perturbation_profiles(a, rng=None),
    "n_folds": lambda a, p: sca.tl.predict_perturbation(p, n_folds=2.0),
    "n_top": lambda a, p: sca.tl.predict_perturbation(p, n_top="all"),
    "control": lambda a, p: sca.tl.predict_perturbation(a, control=None),
    "n_boot": lambda a, p: sca.tl.evaluate_perturbation(p, {}, n_boot=1.5),
    "n_boot of 0": lambda a, p: sca.tl.evaluate_perturbation(p, {}, n_boot=0),
    "n_boot in words": lambda a, p: sca.tl.evaluate_perturbation(p, {}, n_boot="many"),
    "n_top of scores": lambda a, p: sca.tl.evaluate_perturbation(p, {}, n_top=2.5),
    "rng of scores": lambda a, p: sca.tl.evaluate_perturbation(p, {}, rng=None),
    "control of scores": lambda a, p: sca.tl.evaluate_perturbation(p, {}, control=3),
    "training": lambda a, p: sca.tl.evaluate_perturbation(p, {}, training=3),
    "predictions_are": lambda a, p: sca.tl.evaluate_perturbation(p, {}, predictions_are=None),
    "reference": lambda a, p: sca.tl.evaluate_perturbation(p, {}, reference=3),
    "predictions": lambda a, p: sca.tl.evaluate_perturbation(p, None),
    "n_top of interactions": lambda a, p: sca.tl.genetic_interactions(p, n_top=1.5),
    "no n_top of interactions": lambda a, p: sca.tl.genetic_interactions(p, n_top=None),
}


@pytest.mark.parametrize("call", WRONG.values(), ids=WRONG)
def test_wrong_types_are_our_errors(call: Any, cells: AnnData, profiles: AnnData) -> None:
    with pytest.raises(InputError):
        call(cells, profiles)


# ---- log fold changes where cells were meant


def test_log_fold_changes_are_told_where_to_go(profiles: AnnData) -> None:
    lfc = ad.AnnData(profiles.X[1:] - profiles.X[0], obs=profiles.obs[1:][[]].copy(), var=profiles.var)
    before = lfc.copy()
    for call in (sca.tl.predict_perturbation, sca.pp.perturbation_profiles):
        with pytest.raises(InputError, match="profiles_from_lfc"):
            call(lfc)
    lfc.obs["perturbation"] = lfc.obs_names
    with pytest.raises(InputError, match="profiles_from_lfc"):
        sca.tl.predict_perturbation(lfc)
    np.testing.assert_array_equal(lfc.X, before.X)


def test_scaled_cells_are_not_taken_for_log_fold_changes(cells: AnnData) -> None:
    scaled = cells.copy()
    scaled.X = np.random.default_rng(0).normal(size=cells.shape)
    with pytest.raises(MatrixError) as caught:
        sca.pp.perturbation_profiles(scaled)
    assert "profiles_from_lfc" not in str(caught.value)


@pytest.mark.skipif(not (DATA / "wang2025_macrophage_crispri_lfc.h5ad").exists(), reason="the data are not here")
def test_real_log_fold_changes_are_told_where_to_go() -> None:
    with pytest.raises(InputError, match="profiles_from_lfc"):
        sca.tl.predict_perturbation(ad.read_h5ad(DATA / "wang2025_macrophage_crispri_lfc.h5ad"))


# ---- stored scores that were changed


def test_damaged_scores_are_a_storage_error(profiles: AnnData) -> None:
    sca.tl.predict_perturbation(profiles, n_folds=3)
    whole = profiles.uns["perturbation"]["single"]
    for name in [*whole, None]:
        broken = {key: value for key, value in whole.items() if key != name} if name else "gone"
        if name in ("notes", "dropped", "sentences", "genes"):
            continue
        profiles.uns["perturbation"]["single"] = broken
        with pytest.raises(StorageError, match=r"\['single'\], the stored scores, was changed.*Predict again"):
            sca.get.leaderboard(profiles, kind="single")
    for part, value in (("values", {}), ("summary", {"mean": 1}), ("ceiling", np.zeros(1)), ("predicted", "x")):
        profiles.uns["perturbation"]["single"] = whole | {part: value}
        with pytest.raises(StorageError, match="Predict again"):
            sca.get.leaderboard(profiles, kind="single")
    profiles.uns["perturbation"]["single"] = whole
    assert len(sca.get.leaderboard(profiles, kind="single"))


# ---- genes named as controls are elsewhere


@pytest.mark.parametrize(
    ("name", "control", "targets"),
    [
        ("KLF1+NT", "control", ("KLF1", "NT")),
        ("NEG+KLF1", "ctrl", ("KLF1", "NEG")),
        ("KLF1+NT", "NT", ("KLF1",)),
        ("KLF1+nt", "NT", ("KLF1",)),
        ("KLF1+NT", "NT+NT", ("KLF1",)),
        ("KLF1+neg", "NEG", ("KLF1",)),
        ("KLF1+non-targeting", "control", ("KLF1",)),
        ("KLF1+ctrl", "control", ("KLF1",)),
    ],
)
def test_a_gene_named_as_a_control_elsewhere_is_kept(name: str, control: str, targets: tuple[str, ...]) -> None:
    assert parse([name], control=control)[0].targets == targets


def test_a_short_name_of_a_control_on_its_own_is_no_gene() -> None:
    table = sca.pp.parse_conditions(["NT", "neg", "NT+NT"], control="control")
    assert table["problem"].str.contains("it names no gene").all()


# ---- a screen that is its own source


def test_what_was_measured_here_is_no_source(cells: AnnData, profiles: AnnData) -> None:
    for given in (
        {"method": "transfer", "method_kwargs": {"source": profiles.copy()}},
        {"method_kwargs": {"perturbation_embedding": sca.pp.perturbation_embedding(profiles, 5)}},
    ):
        with pytest.raises(InputError, match="predicted from themselves"):
            sca.tl.predict_perturbation(profiles, **given)
    assert "perturbation" not in profiles.uns
    other = sca.pp.perturbation_profiles(cells[::2].copy())
    features = {"perturbation_embedding": sca.pp.perturbation_embedding(other, 5)}
    sca.tl.predict_perturbation(profiles, method_kwargs=features, n_folds=3)


def test_words_are_no_switches(profiles: AnnData) -> None:
    for method, kwargs in (("linear", {"tune": "no"}), ("transfer", {"per_gene": "maybe"})):
        with pytest.raises(InputError, match="must be True or False"):
            sca.tl.predict_perturbation(profiles, method=method, method_kwargs=kwargs, evaluate=False)


def test_raw_of_other_genes_beside_scaled_values(cells: AnnData) -> None:
    """Nothing could be stored of the genes that the object itself lacks; with the same genes raw is used."""
    scaled = cells.copy()
    scaled.raw = cells
    sc.pp.normalize_total(scaled)
    sc.pp.log1p(scaled)
    scaled.X = scaled.X.toarray()
    sc.pp.scale(scaled)
    some = scaled[:, :60].copy()
    with pytest.raises(InputError, match=r"adata.raw has other genes \(80, not 60\).*adata.raw.to_adata\(\)"):
        sca.tl.predict_perturbation(some, baseline="mean")
    assert list(some.varm) == ["programmes"]
    assert "perturbation" not in some.uns
    sca.tl.predict_perturbation(scaled, baseline="mean")
    plain = cells.copy()
    sca.tl.predict_perturbation(plain, baseline="mean")
    np.testing.assert_array_equal(scaled.varm["perturbation"], plain.varm["perturbation"])
