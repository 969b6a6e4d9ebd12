"""Several contexts at once: within each, together, and each from the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import sc_annotate as sca
from sc_annotate.errors import InputError, StorageError

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

KEYS = {"covariate_keys": "line"}


@pytest.fixture(scope="module")
def _screen() -> AnnData:
    """Two lines with the same effects; in the second half of the genes is read out half as deep."""
    adata = sca.datasets.simulate_perturb_seq(8000, 80, 16, 6, rng=0)
    rng = np.random.default_rng(0)
    line = rng.choice(["K562", "RPE1"], adata.n_obs)
    X = np.asarray(adata.X.toarray() if sparse.issparse(adata.X) else adata.X).astype(np.int64)
    X[:, ::2] = np.where((line == "RPE1")[:, None], rng.binomial(X[:, ::2], 0.5), X[:, ::2])
    out = ad.AnnData(sparse.csr_matrix(X.astype(np.float32)), obs=adata.obs[["perturbation"]].copy(), var=adata.var[[]])
    out.obs["line"] = line
    out.obs["hours"] = np.where(rng.random(adata.n_obs) < 0.5, 24, 48)
    return out


@pytest.fixture
def screen(_screen: AnnData) -> AnnData:
    return _screen.copy()


@pytest.fixture(scope="module")
def _done(_screen: AnnData) -> AnnData:
    adata = _screen.copy()
    sca.tl.predict_perturbation(adata, n_folds=4, **KEYS)
    return adata


@pytest.fixture
def done(_done: AnnData) -> AnnData:
    return _done.copy()


def test_each_context_is_as_if_it_were_alone(done: AnnData, screen: AnnData) -> None:
    found = sca.get.perturbation(done)
    assert found.n_obs == 44
    assert found.obs["line"].tolist() == ["K562"] * 22 + ["RPE1"] * 22
    for line in ("K562", "RPE1"):
        alone = screen[screen.obs["line"] == line].copy()
        sca.tl.predict_perturbation(alone, n_folds=4)
        want, here = sca.get.perturbation(alone), found[found.obs["line"] == line]
        assert here.obs_names.tolist() == [f"{name}|{line}" for name in want.obs_names]
        np.testing.assert_allclose(here.X, want.X, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(here.layers["observed"], want.layers["observed"], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(here.layers["delta"], want.layers["delta"], rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(here.layers["lower"], want.layers["lower"], rtol=1e-3, atol=1e-4)
        ours, theirs = sca.get.leaderboard(done, kind="single", context=line), sca.get.leaderboard(alone, kind="single")
        np.testing.assert_allclose(ours["mean"], theirs["mean"], rtol=1e-3, atol=1e-4)
        assert ours["method"].tolist() == theirs["method"].tolist()


def test_all_contexts_together(done: AnnData) -> None:
    both = sca.get.leaderboard(done, kind="single").set_index(["method", "metric"])
    parts = [
        sca.get.leaderboard(done, kind="single", context=line).set_index(["method", "metric"])
        for line in ("K562", "RPE1")
    ]
    for method in ("linear", "mean", "no_change"):
        at = (method, "l2")
        assert both.loc[at, "n_scored"] == sum(part.loc[at, "n_scored"] for part in parts) == 32
        assert both.loc[at, "mean"] == pytest.approx(np.mean([part.loc[at, "mean"] for part in parts]))
        assert both.loc[at, "low"] <= both.loc[at, "mean"] <= both.loc[at, "high"]
    assert "in 2 contexts" in done.uns["perturbation"]["verdict"]
    # Ranks are within a context, so the mean of each cannot win by telling contexts apart.
    assert "mean is uninformative" in done.uns["perturbation"]["verdict"]


@pytest.mark.slow
def test_written_and_read(done: AnnData, tmp_path: Path) -> None:
    done.write_h5ad(tmp_path / "a.h5ad")
    back = ad.read_h5ad(tmp_path / "a.h5ad")
    one, other = sca.get.perturbation(done), sca.get.perturbation(back)
    np.testing.assert_array_equal(one.X, other.X)
    for layer in one.layers:
        np.testing.assert_array_equal(one.layers[layer], other.layers[layer])
    assert one.obs["line"].tolist() == other.obs["line"].tolist()
    for context in (None, "RPE1"):
        a, b = (sca.get.leaderboard(x, context=context) for x in (done, back))
        pd.testing.assert_frame_equal(a, b, check_dtype=False)
    other.write_h5ad(tmp_path / "b.h5ad")
    # Predicted again with one context, nothing of the several is left.
    sca.tl.predict_perturbation(back, evaluate=False)
    assert "perturbation_controls" not in back.varm
    assert "line" not in sca.get.perturbation(back).obs


def test_labels_with_a_slash(screen: AnnData, tmp_path: Path) -> None:
    screen.obs["line"] = screen.obs["line"].replace({"RPE1": "CD4+/CD25 T Reg"})
    sca.tl.predict_perturbation(screen, evaluate=False, conditions=["G50"], **KEYS)
    screen.write_h5ad(tmp_path / "a.h5ad")
    found = sca.get.perturbation(ad.read_h5ad(tmp_path / "a.h5ad"))
    assert set(found.obs_names) == {"G50|K562", "G50|CD4+/CD25 T Reg"}


def test_conditions_of_one_and_of_all_contexts(screen: AnnData) -> None:
    name = sorted(set(screen.obs["perturbation"]) - {"control"})[0].split("+")[0]
    sca.tl.predict_perturbation(screen, conditions=["G79", f"{name}|RPE1"], n_folds=4, **KEYS)
    found = sca.get.perturbation(screen)
    assert sorted(found.obs_names) == sorted(["G79|K562", "G79|RPE1", f"{name}|RPE1"])
    assert found.obs.loc[f"{name}|RPE1", "held_out"]
    assert not found.obs.loc["G79|K562", "held_out"]
    assert not np.allclose(found["G79|K562"].X, found["G79|RPE1"].X)


def test_two_covariates_and_profiles(screen: AnnData) -> None:
    profiles = sca.pp.perturbation_profiles(screen, covariate_keys=["line", "hours"])
    sca.tl.predict_perturbation(profiles, covariate_keys=["line", "hours"], evaluate=False)
    found = sca.get.perturbation(profiles)
    assert sorted(set(found.obs["line"] + "|" + found.obs["hours"])) == ["K562|24", "K562|48", "RPE1|24", "RPE1|48"]
    np.testing.assert_allclose(found.layers["observed"], profiles[found.obs_names].X, rtol=1e-5)


@pytest.mark.slow
def test_transfer_is_scored_without_the_context(screen: AnnData) -> None:
    sca.tl.predict_perturbation(screen, method="transfer", **KEYS)
    found = sca.get.perturbation(screen)
    profiles = sca.pp.perturbation_profiles(screen, covariate_keys="line")
    change = profiles.X - profiles.layers["control"]
    place = {name: i for i, name in enumerate(profiles.obs_names)}
    for name in found.obs_names[:5]:
        other = name.replace("|K562", "|RPE1")
        np.testing.assert_allclose(found[name].layers["delta"][0], change[place[other]], atol=1e-4)
    verdict = screen.uns["perturbation"]["verdict"]
    assert "each predicted from the others" in verdict
    table = sca.get.leaderboard(screen, kind="single").set_index(["method", "metric"])
    assert table.loc[("transfer", "l2"), "minus mean, high"] < 0
    inside = (found.layers["lower"] <= found.layers["observed"]) & (found.layers["observed"] <= found.layers["upper"])
    assert 0.75 < inside.mean() <= 1
    # What was measured in the context itself plays no part in it.
    changed = profiles.copy()
    rows = (profiles.obs["line"] == "K562").to_numpy() & ~profiles.obs["is_control"].to_numpy()
    changed.X[rows] += np.random.default_rng(0).normal(size=(int(rows.sum()), 80))
    for each in (profiles, changed):
        sca.tl.predict_perturbation(each, method="transfer", **KEYS)
    one, two = sca.get.perturbation(profiles), sca.get.perturbation(changed)
    mine = (one.obs["line"] == "K562").to_numpy()
    np.testing.assert_allclose(two.X[mine], one.X[mine], rtol=1e-6)
    assert not np.allclose(one.X[~mine], two.X[~mine])


def test_lines_that_share_nothing_are_not_transferred(screen: AnnData) -> None:
    rng = np.random.default_rng(1)
    name = screen.obs["perturbation"].astype(str).to_numpy()
    second = (screen.obs["line"] == "RPE1").to_numpy()
    known = np.array(sorted(set(name) - {"control"}))
    shuffled = dict(zip(known, np.roll(known[rng.permutation(known.size)], 1), strict=True)) | {"control": "control"}
    name[second] = [shuffled[each] for each in name[second]]
    screen.obs["perturbation"] = name
    sca.tl.predict_perturbation(screen, method="transfer", **KEYS)
    assert "transfer is better" not in screen.uns["perturbation"]["verdict"]


def test_pictures_stand_on_the_control_of_the_context(done: AnnData) -> None:
    from sc_annotate.pl._perturbation_stored import read_predicted

    np.testing.assert_allclose(
        read_predicted(done, "perturbation").change, sca.get.perturbation(done).layers["delta"], atol=1e-6
    )


@pytest.mark.slow
def test_transfer_intervals_do_not_depend_on_what_was_asked(screen: AnnData) -> None:
    sca.tl.predict_perturbation(screen, method="transfer", **KEYS)
    everything = sca.get.perturbation(screen)
    name = everything.obs_names[2]
    for asked in ([name.split("|")[0]], [name]):
        sca.tl.predict_perturbation(screen, method="transfer", conditions=asked, **KEYS)
        some = sca.get.perturbation(screen)
        assert name in some.obs_names
        for layer in ("lower", "upper"):
            np.testing.assert_allclose(some[name].layers[layer], everything[name].layers[layer], rtol=1e-6)
        assert np.isfinite(some[name].layers["upper"]).all()
    assert "in 1 contexts" not in screen.uns["perturbation"]["verdict"]


@pytest.mark.slow
def test_nothing_of_another_context_or_of_the_condition_itself_is_seen(screen: AnnData) -> None:
    profiles = sca.pp.perturbation_profiles(screen, **{**KEYS})
    rows = (profiles.obs["line"] == "RPE1").to_numpy() & ~profiles.obs["is_control"].to_numpy()
    changed, one = profiles.copy(), profiles.copy()
    changed.X[rows] += 5 * np.random.default_rng(0).random((int(rows.sum()), 80))
    for method in ("linear", "latent_additive", "matching_mean"):
        for each in (profiles, changed):
            sca.tl.predict_perturbation(each, method=method, n_folds=4, **KEYS)
        was, now = sca.get.perturbation(profiles), sca.get.perturbation(changed)
        mine = (was.obs["line"] == "K562").to_numpy()
        np.testing.assert_allclose(now.X[mine], was.X[mine], rtol=1e-6)
        np.testing.assert_allclose(now.layers["upper"][mine], was.layers["upper"][mine], rtol=1e-6)
        before, after = (sca.get.leaderboard(each, context="K562") for each in (profiles, changed))
        pd.testing.assert_frame_equal(before, after, rtol=1e-6)
    name = profiles.obs_names[5]
    one.X[5] += 5 * np.random.default_rng(1).random(80)
    for each in (profiles, one):
        sca.tl.predict_perturbation(each, method="transfer", **KEYS)
    was, now = sca.get.perturbation(profiles)[name], sca.get.perturbation(one)[name]
    np.testing.assert_allclose(now.X, was.X, rtol=1e-6)
    np.testing.assert_allclose(now.layers["upper"], was.layers["upper"], rtol=1e-6)


def test_names_with_bars(screen: AnnData) -> None:
    screen.obs["line"] = screen.obs["line"].replace({"RPE1": "RPE|1"})
    sca.tl.predict_perturbation(screen, evaluate=False, conditions=["G50|RPE|1"], **KEYS)
    assert sca.get.perturbation(screen).obs_names.tolist() == ["G50|RPE|1"]
    half = np.arange(screen.n_obs) % 2 == 0
    screen.obs["x"], screen.obs["y"] = np.where(half, "a|b", "a"), np.where(half, "c", "b|c")
    with pytest.raises(InputError, match="both written 'a|b|c'".replace("|", r"\|")):
        sca.pp.perturbation_profiles(screen, covariate_keys=["x", "y"])


def test_columns_that_can_be_read_once_and_arrays(screen: AnnData) -> None:
    for keys in ((key for key in ["line", "hours"]), np.array(["line", "hours"])):
        sca.tl.predict_perturbation(screen, covariate_keys=keys, conditions=["G50"], evaluate=False)
        assert sca.get.perturbation(screen).n_obs == 4
    for wrong in (None, 3, {"line"}, [3]):
        with pytest.raises(InputError, match="covariate_keys must be a list"):
            sca.pp.perturbation_profiles(screen, covariate_keys=wrong)


@pytest.mark.slow
def test_views_and_lazy_objects(screen: AnnData, done: AnnData, tmp_path: Path) -> None:
    want = sca.get.perturbation(done).X
    view = screen[:]
    sca.tl.predict_perturbation(view, n_folds=4, **KEYS)
    np.testing.assert_array_equal(sca.get.perturbation(view).X, want)
    assert not screen.uns
    if not hasattr(ad.experimental, "read_lazy"):
        pytest.skip("this anndata reads nothing lazily")
    pytest.importorskip("xarray")
    screen.write_h5ad(tmp_path / "s.h5ad")
    lazy = ad.experimental.read_lazy(tmp_path / "s.h5ad")
    sca.tl.predict_perturbation(lazy, n_folds=4, **KEYS)
    np.testing.assert_allclose(sca.get.perturbation(lazy).X, want, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("part", ["covariates", "context", "covariate_keys", "context_scores", "short", "high"])
def test_damaged_contexts_are_told(part: str, done: AnnData) -> None:
    stored = done.uns["perturbation"]
    if part == "context_scores":
        stored[part] = 3
        with pytest.raises(StorageError, match="context_scores"):
            sca.get.leaderboard(done, context="RPE1")
        return
    if part in stored:
        del stored[part]
    else:
        stored["context"] = stored["context"][:2] if part == "short" else stored["context"] + 5
    with pytest.raises(StorageError, match=part if part in ("covariates", "covariate_keys") else "context"):
        sca.get.perturbation(done)


def test_pictures_know_the_targets_of_a_context(screen: AnnData) -> None:
    from sc_annotate.pl._perturbation_stored import read_predicted

    screen.obs["line"] = screen.obs["line"].replace({"RPE1": "CD4+|T"})
    sca.tl.predict_perturbation(screen, conditions=["G50", "G50+G60"], evaluate=False, **KEYS)
    found = read_predicted(screen, "perturbation")
    assert [found.targets(i) for i in range(4)] == [["G50"], ["G50", "G60"]] * 2
    assert found.row("G50|CD4+|T") == found.conditions.index("G50|CD4+|T")
    assert found.row("G60+G50|CD4+|T") == found.conditions.index("G50+G60|CD4+|T")
    with pytest.raises(InputError, match="was not predicted"):
        found.row("G50")


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "column": ({"covariate_keys": "lines"}, "Did you mean 'line'"),
    "type": ({"covariate_keys": 3}, "list of columns"),
    "taken": ({"covariate_keys": "reason"}, "column of the result"),
    "context": ({"covariate_keys": "line", "conditions": ["G1|HeLa"]}, "names no context"),
    "condition": ({"covariate_keys": "line", "conditions": ["control"]}, "is the control"),
    "string": ({"covariate_keys": "line", "conditions": "G1"}, "must be a list"),
    "empty": ({"covariate_keys": "line", "conditions": []}, "empty"),
    "one": ({"covariate_keys": "same"}, "give 1 contexts"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_arguments(name: str, screen: AnnData) -> None:
    arguments, match = BAD[name]
    screen.obs["same"] = "x"
    with pytest.raises(InputError, match=match):
        sca.tl.predict_perturbation(screen, **arguments)
    assert not screen.uns
    assert not screen.varm


def test_profiles_of_other_covariates_and_lost_parts(screen: AnnData, done: AnnData) -> None:
    profiles = sca.pp.perturbation_profiles(screen, covariate_keys="line")
    with pytest.raises(InputError, match="made with covariate_keys"):
        sca.tl.predict_perturbation(profiles, covariate_keys="hours")
    with pytest.raises(InputError, match="2 control rows"):
        sca.tl.predict_perturbation(profiles)
    with pytest.raises(InputError, match="no context 'HeLa'"):
        sca.get.leaderboard(done, context="HeLa")
    del done.varm["perturbation_controls"]
    with pytest.raises(StorageError, match="perturbation_controls"):
        sca.get.perturbation(done)
