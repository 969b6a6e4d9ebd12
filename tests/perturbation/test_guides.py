"""Guides of one condition held against each other, and cells that escape."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import sc_annotate as sca
from sc_annotate.errors import InputError, MissingExtraError

if TYPE_CHECKING:
    from anndata import AnnData

DATA = Path(os.environ.get("SC_ANNOTATE_DATA", "../shared/data"))


@pytest.fixture(scope="module")
def _screen() -> AnnData:
    """Three guides a target; of G with the first name the third guide does nothing, and each control cell has a guide."""
    adata = sca.datasets.simulate_perturb_seq(6000, 100, 12, 0, rng=0)
    rng = np.random.default_rng(1)
    name = adata.obs["perturbation"].astype(str).to_numpy()
    guide = np.array([f"{n}_g{i}" for n, i in zip(name, rng.integers(1, 4, adata.n_obs), strict=True)], dtype=object)
    first = sorted(set(name) - {"control"})[0]
    control = np.flatnonzero(name == "control")
    dead = control[: (guide == f"{first}_g3").sum()]
    # Control cells under the name of a guide: it cuts nothing.
    guide[dead], name[dead] = f"{first}_dead", first
    adata.obs["guide"], adata.obs["perturbation"] = guide, name
    adata.uns["first"] = first
    return adata


@pytest.fixture
def screen(_screen: AnnData) -> AnnData:
    return _screen.copy()


def test_guides_are_counted_and_compared(screen: AnnData) -> None:
    profiles = sca.pp.perturbation_profiles(screen, guide_key="guide")
    table, first = profiles.uns["perturbation_profiles"]["guides"], screen.uns["first"]
    assert profiles.obs["n_guides"].tolist() == [4 if name == first else 3 for name in profiles.obs_names]
    assert table["n_cells"].sum() == screen.n_obs
    status = table.set_index("guide")["status"]
    assert status[f"{first}_dead"] == "disagrees"
    assert (status[[f"{first}_g{i}" for i in (1, 2, 3)]] == "agrees").all()
    assert (table.loc[table["condition"] == "control", "status"] == "control").all()
    assert table.loc[table["condition"] == "control", "correlation"].isna().all()
    # Nothing was dropped.
    plain = sca.pp.perturbation_profiles(screen)
    np.testing.assert_array_equal(profiles.X, plain.X)
    assert np.isnan(profiles.obs.loc["control", "guide_agreement"])
    assert (profiles.obs["guide_agreement"].drop("control") > 0.3).all()


def test_correlation_and_knock_down_by_hand(screen: AnnData) -> None:
    profiles = sca.pp.perturbation_profiles(screen, guide_key="guide")
    table = profiles.uns["perturbation_profiles"]["guides"].set_index("guide")
    X = screen.X.toarray() if hasattr(screen.X, "toarray") else np.asarray(screen.X)
    X = np.log1p(X / X.sum(axis=1, keepdims=True) * 1e4)
    name = sorted(set(screen.obs["perturbation"]) - {"control"})[3]
    guide, mine = screen.obs["guide"].to_numpy(), (screen.obs["perturbation"] == name).to_numpy()
    one = X[guide == f"{name}_g1"].mean(axis=0) - profiles[name].layers["control_half_1"][0]
    rest = X[mine & (guide != f"{name}_g1")].mean(axis=0) - profiles[name].layers["control_half_2"][0]
    other = np.asarray(profiles.var_names != name)
    assert table.loc[f"{name}_g1", "correlation"] == pytest.approx(np.corrcoef(one[other], rest[other])[0, 1], abs=1e-4)
    assert table.loc[f"{name}_g1", "knock_down"] == pytest.approx(one[~other][0], abs=1e-4)


def test_guides_that_do_nothing_share_nothing() -> None:
    rng = np.random.default_rng(0)
    obs = pd.DataFrame({"perturbation": rng.choice(["control", *(f"G{i}" for i in range(12))], 4000)})
    obs["guide"] = [f"{n}-{i}" for n, i in zip(obs["perturbation"], rng.integers(0, 3, 4000), strict=True)]
    obs.index = obs.index.astype(str)
    X = rng.poisson(rng.gamma(1, 2, size=60), size=(4000, 60)).astype(np.float32)
    profiles = sca.pp.perturbation_profiles(
        ad.AnnData(X, obs=obs, var=pd.DataFrame(index=[f"H{i}" for i in range(60)])), guide_key="guide"
    )
    table = profiles.uns["perturbation_profiles"]["guides"]
    table = table[table["condition"] != "control"]
    assert abs(table["correlation"].mean()) < 0.1
    assert (table["status"] == "disagrees").sum() == 0
    assert (table["status"] == "no shared change").mean() > 0.8


@pytest.mark.slow
def test_weak_effects_do_not_make_guides_disagree() -> None:
    """The fall of the target itself, and noise of a small control, were once taken for a change that guides must share."""
    found = 0
    for seed in range(3):
        adata = sca.datasets.simulate_perturb_seq(6000, 200, 30, 0, effect_size=0.1, rng=seed)
        rng = np.random.default_rng(seed)
        adata.obs["guide"] = [
            f"{n}_g{i}" for n, i in zip(adata.obs["perturbation"], rng.choice(3, 6000, p=[0.6, 0.3, 0.1]), strict=True)
        ]
        table = sca.pp.perturbation_profiles(adata, guide_key="guide").uns["perturbation_profiles"]["guides"]
        found += int((table["status"] == "disagrees").sum())
        assert (table["status"] == "agrees").sum() > 45
    # Of 270 guides that all do what the others do.
    assert found <= 2


def test_one_guide_missing_guides_and_covariates(screen: AnnData) -> None:
    screen.obs["line"] = np.where(np.arange(screen.n_obs) % 2, "a", "b")
    guide = screen.obs["guide"].astype(object).to_numpy(copy=True)
    name = sorted(set(screen.obs["perturbation"]) - {"control"})[5]
    mine = (screen.obs["perturbation"] == name).to_numpy()
    guide[mine] = "alone"
    guide[np.flatnonzero(mine)[:4]] = None
    screen.obs["guide"] = guide
    profiles = sca.pp.perturbation_profiles(screen, guide_key="guide", covariate_keys="line", replicate_key="line")
    table = profiles.uns["perturbation_profiles"]["guides"]
    rows = table[table["guide"] == "alone"]
    assert rows["condition"].tolist() == [f"{name}|a", f"{name}|b"]
    assert rows["status"].tolist() == ["only guide"] * 2
    assert rows["n_cells"].sum() == mine.sum() - 4
    assert np.isnan(profiles.obs.loc[f"{name}|a", "guide_agreement"])


def test_guides_survive_files(screen: AnnData, tmp_path: Path) -> None:
    profiles = sca.pp.perturbation_profiles(screen, guide_key="guide")
    profiles.write_h5ad(tmp_path / "p.h5ad")
    back = ad.read_h5ad(tmp_path / "p.h5ad")
    pd.testing.assert_frame_equal(
        back.uns["perturbation_profiles"]["guides"], profiles.uns["perturbation_profiles"]["guides"],
        check_dtype=False, check_column_type=False, check_index_type=False,
    )  # fmt: skip
    sca.tl.predict_perturbation(back, n_folds=3)
    assert sca.get.perturbation(back).n_obs == 12


def test_bad_arguments(screen: AnnData) -> None:
    for wrong, match in (
        ({"guide_key": "guides"}, "Did you mean 'guide'"),
        ({"efficacy": "mixscale"}, "efficacy must be"),
        ({"drop_nonresponding": True}, "efficacy='mixscape'"),
        ({"efficacy": "mixscape", "drop_nonresponding": "no"}, "True or False"),
        ({"covariate_keys": "efficacy"}, "efficacy"),
    ):
        with pytest.raises(InputError, match=match):
            sca.pp.perturbation_profiles(screen, **wrong)
    screen.obs["guide"] = np.nan
    with pytest.raises(InputError, match="names no guide"):
        sca.pp.perturbation_profiles(screen, guide_key="guide")


@pytest.mark.skipif(not (DATA / "papalexi2021_thp1.h5ad").exists(), reason="the data are not here")
def test_guides_of_papalexi() -> None:
    adata = ad.read_h5ad(DATA / "papalexi2021_thp1.h5ad")
    profiles = sca.pp.perturbation_profiles(
        adata, replicate_key="batch", total_counts_key="response_n_umis", guide_key="guide"
    )
    table = profiles.uns["perturbation_profiles"]["guides"]
    assert profiles.obs.loc["control", "n_guides"] == 9
    strong = table[table["condition"].isin(["IFNGR1", "IFNGR2", "JAK2", "STAT1", "SMAD4", "CUL3"])]
    assert (strong["status"] == "agrees").all()
    weak = table[table["condition"].isin(["CAV1", "CD86", "ATF2", "PDCD1LG2"])]
    assert (weak["status"] == "no shared change").all()
    assert (table.loc[table["condition"] == "STAT1", "knock_down"] < -0.3).all()
    assert (table["status"] == "disagrees").sum() == 0


# ---- non-responding cells


def test_pertpy_is_named_where_it_is_missing(screen: AnnData, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pertpy.tools", None)
    with pytest.raises(MissingExtraError, match=r"which is not installed\. Run: pip install .*pertpy"):
        sca.pp.perturbation_profiles(screen, efficacy="mixscape")


def _half_escape() -> tuple[AnnData, np.ndarray]:
    """Of each target half of the cells are control cells by another name."""
    adata = sca.datasets.simulate_perturb_seq(6000, 100, 4, 0, rng=0)
    adata = adata[adata.obs["perturbation"].isin(sorted(set(adata.obs["perturbation"]))[:5])].copy()
    name = adata.obs["perturbation"].astype(str).to_numpy()
    control = np.flatnonzero(name == "control")
    taken = control[: control.size // 2]
    others = sorted(set(name) - {"control"})
    name[taken] = np.array(others, dtype=object)[np.arange(taken.size) % len(others)]
    adata.obs["perturbation"] = name
    escaped = np.zeros(adata.n_obs, dtype=bool)
    escaped[taken] = True
    return adata, escaped


def test_nonresponding_cells_are_found_and_dropped_only_on_request() -> None:
    pytest.importorskip("pertpy", reason="Mixscape is pertpy's")
    adata, escaped = _half_escape()
    before = adata.copy()
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    profiles = sca.pp.perturbation_profiles(adata, efficacy="mixscape")
    # Neither the import nor the use of pertpy moves what others draw from.
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002
    assert adata.obs.equals(before.obs)
    assert not adata.layers
    assert not adata.uns.keys() - before.uns.keys()
    plain = sca.pp.perturbation_profiles(adata)
    np.testing.assert_array_equal(profiles.X, plain.X)
    found = np.isin(adata.obs_names, profiles.uns["perturbation_profiles"]["nonresponding"])
    assert found.sum() == profiles.obs["n_nonresponding"].sum()
    assert np.isnan(profiles.obs.loc["control", "efficacy"])
    told = profiles.obs["efficacy"].notna().to_numpy()
    assert told.any()
    perturbed = adata.obs["perturbation"].isin(profiles.obs_names[told]).to_numpy()
    # Far more of the cells that truly do not respond are found so than of the others.
    assert found[perturbed & escaped].mean() > found[perturbed & ~escaped].mean() + 0.3
    kept = sca.pp.perturbation_profiles(adata, efficacy="mixscape", drop_nonresponding=True)
    np.testing.assert_allclose(kept.layers["all_cells"], profiles[kept.obs_names].X)
    assert kept.obs["n_all_cells"].tolist() == profiles[kept.obs_names].obs["n_cells"].tolist()
    np.testing.assert_array_equal(
        kept.obs["n_cells"], kept.obs["n_all_cells"].to_numpy() - kept.obs["n_nonresponding"].to_numpy()
    )
    np.testing.assert_array_equal(kept["control"].X, profiles["control"].X)


def test_dropping_nonresponding_cells_inflates_and_is_noted(caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("pertpy", reason="Mixscape is pertpy's")
    adata = sca.datasets.simulate_perturb_seq(3000, 100, 6, 0, rng=0)
    kept = sca.pp.perturbation_profiles(adata, efficacy="mixscape", drop_nonresponding=True)
    rows = (kept.obs["n_nonresponding"] > 0).to_numpy()
    assert rows.any()
    # Every cell was perturbed, so the means over all cells are right and those of the survivors too large.
    change, honest = kept.X - kept.layers["control"], kept.layers["all_cells"] - kept.layers["control"]
    ratio = np.linalg.norm(change[rows], axis=1) / np.linalg.norm(honest[rows], axis=1)
    assert (ratio > 1).all()
    board = sca.tl.evaluate_perturbation(kept, {}, n_boot=20)
    assert any("chosen by their response" in note for note in board.notes)
    sca.tl.predict_perturbation(kept)
    assert any("chosen by their response" in str(note) for note in kept.uns["perturbation"]["notes"])


@pytest.mark.skipif(not (DATA / "papalexi2021_thp1.h5ad").exists(), reason="the data are not here")
def test_mixscape_on_papalexi(tmp_path: Path) -> None:
    pytest.importorskip("pertpy", reason="Mixscape is pertpy's")
    adata = ad.read_h5ad(DATA / "papalexi2021_thp1.h5ad")
    adata = adata[adata.obs["perturbation"].isin(["control", "IFNGR1", "IFNGR2", "JAK2", "STAT1", "CAV1"])].copy()
    profiles = sca.pp.perturbation_profiles(
        adata, replicate_key="batch", total_counts_key="response_n_umis", efficacy="mixscape", guide_key="guide"
    )
    efficacy = profiles.obs["efficacy"]
    assert efficacy[["IFNGR1", "IFNGR2", "JAK2", "STAT1"]].between(0.4, 0.9).all()
    assert np.isnan(efficacy["CAV1"])
    profiles.write_h5ad(tmp_path / "p.h5ad")
    back = ad.read_h5ad(tmp_path / "p.h5ad")
    np.testing.assert_array_equal(back.obs["efficacy"], efficacy)
    assert back.uns["perturbation_profiles"]["nonresponding"].tolist() == list(
        profiles.uns["perturbation_profiles"]["nonresponding"]
    )
