"""Genetic interactions on screens whose interactions are known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import sc_annotate as sca
from sc_annotate.errors import GeneError, InputError, StorageError
from sc_annotate.tl import genetic_interactions

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData


def screen(seed: int = 0, **kwargs: Any) -> tuple[AnnData, AnnData]:
    """Cells and their profiles."""
    given = {"interactions": 0.05, "rng": seed, **kwargs}
    adata = sca.datasets.simulate_perturb_seq(given.pop("n_cells", 6000), 200, 20, given.pop("n_doubles", 25), **given)
    return adata, sca.pp.perturbation_profiles(adata)


@pytest.fixture(scope="module")
def made() -> tuple[AnnData, AnnData]:
    return screen()


@pytest.fixture
def profiles(made: tuple[AnnData, AnnData]) -> AnnData:
    return made[1].copy()


def truth_of(adata: AnnData, result: dict[str, Any]) -> np.ndarray:
    """Planted deviations, in the rows and columns of the result."""
    truth = adata.uns["truth"]
    rows = pd.Index(truth["conditions"]).get_indexer(result["doubles"])
    return truth["interactions"][rows][:, adata.var_names.get_indexer(result["genes"])]


def predicted(adata: AnnData, profiles: AnnData, noise: float, seed: int = 0) -> pd.DataFrame:
    """True profiles of the doubles plus noise."""
    truth = adata.uns["truth"]
    values = truth["control"] + truth["delta"]
    values = np.maximum(values + np.random.default_rng(seed).normal(0, noise, values.shape), 0)
    table = pd.DataFrame(values, index=truth["conditions"], columns=adata.var_names)
    return table[["+" in name for name in table.index]]


# ---- what must hold


@pytest.mark.once
@pytest.mark.slow
@pytest.mark.parametrize("gene_noise", [0.0, 0.3])
def test_as_many_false_calls_as_asked_for(gene_noise: float) -> None:
    wrong, found, raw = [], [], []
    for seed in range(20):
        adata, profiles = screen(seed, gene_noise=gene_noise)
        genetic_interactions(profiles)
        result = profiles.uns["interactions"]
        called, truth = result["interaction"], truth_of(adata, result)
        wrong.append((called & ~truth).sum() / called.sum())
        found.append(called[truth].mean())
        genetic_interactions(profiles, standardise=False)
        called = profiles.uns["interactions"]["interaction"]
        raw.append((called & ~truth).sum() / max(1, called.sum()))
    assert 0.02 <= np.mean(wrong) <= 0.07
    # Not by calling nothing.
    assert np.mean(found) > 0.5
    # Why deviations are standardised.
    assert np.mean(raw) > 0.15


@pytest.mark.slow
def test_hardly_anything_is_called_where_there_is_nothing() -> None:
    n = 0
    for seed in range(5):
        adata, profiles = screen(seed, interactions=0.0)
        genetic_interactions(profiles)
        result = profiles.uns["interactions"]
        n += int((result["interaction"] & ~truth_of(adata, result)).sum())
    assert n <= 10


# ---- what is stored


def test_numbers_are_what_they_are_called(profiles: AnnData) -> None:
    genetic_interactions(profiles, n_top=150)
    result = profiles.uns["interactions"]
    assert result["z"].shape == (25, 150)
    # The genes highest in control, in the order of the profiles.
    control = profiles.X[0]
    assert sorted(result["genes"]) == sorted(profiles.var_names[np.argsort(-control, kind="stable")[:150]])
    X, se = profiles.to_df(), profiles.to_df(layer="se")
    for i in (0, 7):
        a, b = (name.split("+")[k] for k, name in enumerate([result["doubles"][i]] * 2))
        gene = result["genes"][11]
        off = X.loc[f"{a}+{b}", gene] - X.loc[a, gene] - X.loc[b, gene] + X.loc["control", gene]
        error = np.sqrt(sum(se.loc[row, gene] ** 2 for row in (f"{a}+{b}", a, b, "control")))
        assert result["deviation"][i, 11] == pytest.approx(off)
        assert result["z"][i, 11] == pytest.approx(off / error)
    assert result["null"]["sigma0"] == pytest.approx(1, abs=0.1)
    assert result["null"]["p0"] == pytest.approx(0.95, abs=0.05)
    table = result["table"]
    assert len(table) == result["interaction"].sum() == sum(result["classes"].values())
    assert table["q"].is_monotonic_increasing
    assert table["q"].max() <= 0.05
    assert table["class"].value_counts().to_dict() == {k: n for k, n in result["classes"].items() if n}
    first = table.iloc[0]
    at = result["doubles"].tolist().index(first["condition"]), result["genes"].tolist().index(first["gene"])
    assert result["z"][at] == first["z"]
    assert result["interaction"][at]


def test_local_fdr_calls_fewer(profiles: AnnData) -> None:
    genetic_interactions(profiles)
    genetic_interactions(profiles, select_by="local_fdr", key_added="local")
    tail, local = profiles.uns["interactions"], profiles.uns["local"]
    assert 0 < local["interaction"].sum() < tail["interaction"].sum()
    np.testing.assert_array_equal(local["interaction"], tail["local_fdr"] <= 0.05)
    genetic_interactions(profiles, fdr=0.2, key_added="more")
    assert profiles.uns["more"]["interaction"].sum() > tail["interaction"].sum()


def test_it_survives_a_file_and_leaves_the_rest_alone(profiles: AnnData, made: Any, tmp_path: Path) -> None:
    before = profiles.copy()
    guess = {"near": predicted(*made, 0.05), "a/b": predicted(*made, 0.5)}
    genetic_interactions(profiles, predictions=guess)
    np.testing.assert_array_equal(profiles.X, before.X)
    pd.testing.assert_frame_equal(profiles.obs, before.obs)
    assert set(profiles.uns) == {*before.uns, "interactions"}
    profiles.write_h5ad(tmp_path / "p.h5ad")
    back = ad.read_h5ad(tmp_path / "p.h5ad").uns["interactions"]
    result = profiles.uns["interactions"]
    for name in ("doubles", "genes", "deviation", "z", "q", "local_fdr", "interaction"):
        np.testing.assert_array_equal(back[name], result[name])
    assert back["curves"]["methods"].tolist() == ["no_change", "near", "a/b"]
    assert back["table"]["gene"].tolist() == result["table"]["gene"].tolist()
    # What was read can be written over.
    genetic_interactions(ad.read_h5ad(tmp_path / "p.h5ad"))


def test_a_view_becomes_an_object_of_its_own(profiles: AnnData) -> None:
    view = profiles[:, :180]
    genetic_interactions(view)
    assert "interactions" in view.uns
    assert "interactions" not in profiles.uns


# ---- predictions


def test_better_predictions_have_better_curves_beside_no_change(made: Any, profiles: AnnData) -> None:
    near, far = predicted(*made, 0.05), predicted(*made, 0.6)
    genetic_interactions(profiles, predictions={"near": near, "far": far})
    curves = profiles.uns["interactions"]["curves"]
    assert curves["methods"].tolist() == ["no_change", "near", "far"]
    assert curves["tpr"].shape == (3, 101)
    assert curves["average_precision"][1] > 0.9
    assert curves["auroc"][1] > 0.95
    assert curves["average_precision"][2] < 0.6
    assert curves["n_scored"] == profiles.uns["interactions"]["n_pairs"]
    # Order of rows, columns and targets says nothing; nor does the kind of table, or whether they are changes.
    shuffled = near.sample(frac=1, random_state=0).sample(frac=1, axis=1, random_state=0)
    shuffled.index = ["+".join(reversed(name.split("+"))) for name in shuffled.index]
    table = ad.AnnData(shuffled)
    delta = near - profiles.X[0]
    genetic_interactions(profiles, predictions={"near": table}, key_added="again")
    genetic_interactions(profiles, predictions={"near": delta}, predictions_are="delta", key_added="delta")
    for key in ("again", "delta"):
        other = profiles.uns[key]["curves"]
        assert other["average_precision"][1] == pytest.approx(curves["average_precision"][1], rel=1e-3)


def test_no_change_ranks_by_the_sum_of_the_singles(profiles: AnnData) -> None:
    flat = pd.DataFrame(
        np.repeat(profiles.X[:1], 25, axis=0), columns=profiles.var_names, index=profiles.obs_names[-25:]
    )
    flat.index = profiles.obs_names[profiles.obs["n_targets"] == 2]
    genetic_interactions(profiles, predictions={"flat": flat, "no_change": flat + 1})
    curves = profiles.uns["interactions"]["curves"]
    assert curves["methods"].tolist() == ["no_change", "flat"]
    np.testing.assert_allclose(curves["tpr"][0], curves["tpr"][1], atol=1e-9)


def test_methods_are_scored_on_what_all_predict(made: Any, profiles: AnnData) -> None:
    near = predicted(*made, 0.05)
    none = near.copy() * np.nan
    genetic_interactions(profiles, predictions={"all": near, "half": near.iloc[:13], "none": none})
    result = profiles.uns["interactions"]
    curves = result["curves"]
    assert curves["status"].tolist() == ["scored", "scored", "scored", "missing"]
    assert curves["n_doubles"].tolist() == [25, 25, 13, 0]
    assert curves["n_scored"] == np.isfinite(result["z"][np.isin(result["doubles"], near.index[:13])]).sum()
    assert curves["n_scored"] + curves["n_dropped"] == result["n_pairs"]
    assert curves["auroc"][1] == curves["auroc"][2]
    assert np.isnan(curves["auroc"][3])
    assert np.isnan(curves["tpr"][3]).all()


# ---- incomplete screens


def test_doubles_without_both_singles_are_listed(profiles: AnnData) -> None:
    double = profiles.obs_names[profiles.obs["n_targets"] == 2][0]
    gone = double.split("+")[0]
    cut = profiles[profiles.obs_names != gone].copy()
    genetic_interactions(cut)
    result = cut.uns["interactions"]
    omitted = result["omitted"]
    assert double in omitted["condition"].tolist()
    assert set(omitted["reason"]) == {f"no condition perturbs {gone} alone"}
    assert len(omitted) + len(result["doubles"]) == 25
    assert double not in result["doubles"]


def test_an_error_of_zero_is_no_evidence(profiles: AnnData) -> None:
    row = int(np.flatnonzero(profiles.obs["n_targets"] == 2)[0])
    profiles.layers["se"][row, 3] = 0
    profiles.X[row, 3] = 5
    genetic_interactions(profiles)
    result = profiles.uns["interactions"]
    at = result["doubles"].tolist().index(profiles.obs["targets"].iloc[row]), 3
    assert np.isnan(result["z"][at])
    assert not result["interaction"][at]
    assert result["n_pairs"] == np.isfinite(result["z"]).sum() < result["z"].size


def test_log_fold_changes_without_errors(profiles: AnnData) -> None:
    change = ad.AnnData(
        X=profiles.X[1:] - profiles.X[0], obs=profiles.obs.iloc[1:][[]].copy(), var=profiles.var[[]].copy()
    )
    lfc = sca.pp.profiles_from_lfc(change)
    with pytest.raises(InputError, match="standardise=False"):
        genetic_interactions(lfc)
    genetic_interactions(lfc, standardise=False)
    genetic_interactions(profiles, standardise=False)
    np.testing.assert_allclose(lfc.uns["interactions"]["z"], profiles.uns["interactions"]["z"], atol=1e-12)
    assert lfc.uns["interactions"]["genes"].size == 200


# ---- bad input


def test_bad_profiles_are_refused(made: Any, profiles: AnnData) -> None:
    with pytest.raises(InputError, match="perturbation_profiles"):
        genetic_interactions(made[0])
    with pytest.raises(InputError, match="no condition has two targets"):
        genetic_interactions(profiles[profiles.obs["n_targets"] < 2].copy())
    with pytest.raises(InputError, match="alone"):
        genetic_interactions(profiles[profiles.obs["n_targets"] != 1].copy())
    profiles.uns["mine"] = {"a": 1}
    with pytest.raises(StorageError, match="mine"):
        genetic_interactions(profiles, key_added="mine")
    with pytest.raises(StorageError):
        genetic_interactions(profiles, key_added="a/b")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"fdr": 0}, "fdr"),
        ({"fdr": True}, "fdr"),
        ({"select_by": "q"}, "select_by"),
        ({"predictions_are": "x"}, "delta"),
    ],
    ids=["zero", "bool", "select_by", "predictions_are"],
)
def test_bad_arguments_are_refused(profiles: AnnData, wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        genetic_interactions(profiles, **wrong)


def test_bad_predictions_are_refused(made: Any, profiles: AnnData) -> None:
    near = predicted(*made, 0.05)

    def refused(table: Any, message: str, error: type[Exception] = InputError) -> None:
        with pytest.raises(error, match=message):
            genetic_interactions(profiles, predictions={"m": table})
        assert "interactions" not in profiles.uns

    refused(near.iloc[:, 3:], "lacks 3 of 200 genes", GeneError)
    refused(pd.concat([near, near.iloc[:, :1]], axis=1), "genes that occur twice", GeneError)
    refused(pd.concat([near, near.iloc[:1]]), "conditions that occur twice")
    refused(near * 100, "another scale")
    refused(near - profiles.X[0], "predictions_are='delta'")
    refused(near.replace(near.iloc[0, 0], np.inf), "infinite")
    refused(near.to_numpy(), "DataFrame or AnnData")
    with pytest.raises(InputError, match="dict of tables"):
        genetic_interactions(profiles, predictions=near.to_numpy())


@pytest.mark.slow
def test_a_shift_that_all_doubles_share_is_told(caplog: pytest.LogCaptureFixture) -> None:
    notes = []
    for shift in (0.0, 0.4):
        screen = sca.datasets.simulate_perturb_seq(8000, 200, 15, 15, shift=shift, rng=0)
        profiles = sca.pp.perturbation_profiles(screen)
        sca.tl.genetic_interactions(profiles)
        notes.append([str(note) for note in profiles.uns["interactions"]["notes"]])
    assert not notes[0]
    assert "the false discovery rate does not hold" in notes[1][0]
    assert "the false discovery rate does not hold" in caplog.text
