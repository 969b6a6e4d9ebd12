"""Predictions, their intervals, their scores: from cells and from profiles."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import sc_annotate as sca
from sc_annotate.errors import InputError, MethodError, StorageError

if TYPE_CHECKING:
    from anndata import AnnData

DATA = Path(os.environ.get("SC_ANNOTATE_DATA", "../shared/data"))


@pytest.fixture(scope="module")
def _screen() -> AnnData:
    return sca.datasets.simulate_perturb_seq(9000, 200, 60, 12, rng=0)


@pytest.fixture
def screen(_screen: AnnData) -> AnnData:
    return _screen.copy()


@pytest.fixture(scope="module")
def done(_screen: AnnData) -> AnnData:
    adata = _screen.copy()
    sca.tl.predict_perturbation(adata)
    return adata


def new_gene(adata: AnnData) -> str:
    """A read-out gene that was not perturbed."""
    tried = {t for name in adata.obs["perturbation"].unique() for t in name.split("+")}
    return next(g for g in adata.var_names if g not in tried)


def test_what_is_stored(done: AnnData, screen: AnnData) -> None:
    found = sca.get.perturbation(done)
    assert found.shape == (72, 200)
    assert found.obs["held_out"].all()
    assert (found.obs["reason"] == "").all()
    np.testing.assert_allclose(found.layers["delta"], found.X - found.var["control"].to_numpy(), atol=1e-6)
    profiles = sca.pp.perturbation_profiles(screen)
    np.testing.assert_allclose(found.layers["observed"], profiles[found.obs_names].X, rtol=1e-5)
    np.testing.assert_allclose(found.var["control"], profiles["control"].X[0], rtol=1e-5)
    assert (found.layers["lower"] <= found.X).all()
    assert (found.X <= found.layers["upper"]).all()
    inside = (found.layers["lower"] <= found.layers["observed"]) & (found.layers["observed"] <= found.layers["upper"])
    assert inside.mean() == pytest.approx(0.9, abs=0.04)
    assert done.uns["perturbation"]["coverage"]["single"] == pytest.approx(0.9, abs=0.04)
    # Nothing else was touched.
    assert abs(done.X - screen.X).max() == 0
    pd.testing.assert_frame_equal(done.obs, screen.obs)
    assert set(done.var.columns) - set(screen.var.columns) == {"perturbation_control"}


def test_held_out_predictions_have_not_seen_the_condition(done: AnnData, screen: AnnData) -> None:
    profiles = sca.pp.perturbation_profiles(screen)
    targets = [tuple(name.split("+")) for name in profiles.obs["targets"][1:]]
    fold = sca.evaluation.condition_folds(targets, 10, rng=0, kind="singles")[0]
    name = targets[fold.test[0]][0]
    gone = {targets[i][0] for i in fold.test}
    kept = [n for n in profiles.obs_names if gone.isdisjoint(n.split("+"))]
    without = profiles[kept].copy()
    sca.tl.predict_perturbation(without, conditions=[name], evaluate=False)
    want = sca.get.perturbation(without).X[0]
    np.testing.assert_allclose(sca.get.perturbation(done)[name].X[0], want, atol=1e-5)
    sca.tl.predict_perturbation(profiles, conditions=[name], evaluate=False)
    # With nothing held out the model has seen it, and says something else.
    assert abs(sca.get.perturbation(profiles).X[0] - want).max() > 1e-3


def test_every_result_has_its_baselines(done: AnnData) -> None:
    single, double = sca.get.leaderboard(done, kind="single"), sca.get.leaderboard(done)
    assert set(single["method"]) == {"linear", "no_change", "mean"}
    assert set(double["method"]) == {"linear", "no_change", "mean", "additive"}
    scores = single[single["metric"] == "l2"].set_index("method")["mean"]
    assert scores["linear"] < scores["mean"] < scores["no_change"]
    assert "linear is better than no_change and mean" in done.uns["perturbation"]["verdict"]
    assert {"ceiling", "low", "high", "n_scored", "n_missing", "status"} <= set(single.columns)


def test_additive_wins_where_nothing_interacts(done: AnnData) -> None:
    table = sca.get.leaderboard(done, kind="double")
    scores = table[table["metric"] == "l2"].set_index("method")
    assert scores["mean"].idxmin() == "additive"
    others = scores.drop(index="additive")
    assert (others["low"] > scores.loc["additive", "high"]).all()


def test_unseen_conditions_and_those_that_cannot_be(screen: AnnData, caplog: pytest.LogCaptureFixture) -> None:
    gene = new_gene(screen)
    sca.tl.predict_perturbation(screen, conditions=[gene, "XIST", f"XIST+{gene}"], n_folds=4)
    found = sca.get.perturbation(screen)
    assert found.obs_names.tolist() == [gene, "XIST", "+".join(sorted(["XIST", gene]))]
    assert np.isfinite(found.X[0]).all()
    assert np.isnan(found.X[1:]).all()
    assert np.isnan(found.layers["lower"][1:]).all()
    assert np.isfinite(found.layers["lower"][0]).all()
    assert found.obs["reason"].str.contains("XIST").tolist() == [False, True, True]
    assert not found.obs["held_out"].any()
    assert "2 of 3 conditions cannot be predicted" in caplog.text
    profiles = sca.pp.perturbation_profiles(screen)
    table = sca.pp.predictable(profiles, [gene, "XIST", profiles.obs_names[1]])
    assert table["predictable"].tolist() == [True, False, True]
    assert table["measured"].tolist() == [False, False, True]


def test_a_method_beside_its_baseline(screen: AnnData) -> None:
    sca.tl.predict_perturbation(screen, method="knn", baseline="linear", n_folds=5)
    assert {"knn", "linear", "mean", "no_change"} <= set(sca.get.leaderboard(screen, kind="single")["method"])
    assert screen.uns["perturbation"]["method"] == "knn"


def test_profiles_and_cells_give_the_same(screen: AnnData, done: AnnData) -> None:
    profiles = sca.pp.perturbation_profiles(screen)
    sca.tl.predict_perturbation(profiles)
    np.testing.assert_array_equal(profiles.varm["perturbation"], done.varm["perturbation"])
    np.testing.assert_array_equal(profiles.varm["perturbation_upper"], done.varm["perturbation_upper"])


def test_files_hold_it(done: AnnData, tmp_path: Path) -> None:
    done.write_h5ad(tmp_path / "a.h5ad")
    back = ad.read_h5ad(tmp_path / "a.h5ad")
    np.testing.assert_array_equal(sca.get.perturbation(back).X, sca.get.perturbation(done).X)
    pd.testing.assert_frame_equal(sca.get.leaderboard(back), sca.get.leaderboard(done))
    done.write_zarr(tmp_path / "a.zarr")
    pd.testing.assert_frame_equal(sca.get.leaderboard(ad.read_zarr(tmp_path / "a.zarr")), sca.get.leaderboard(done))


def test_results_are_replaced_and_foreign_ones_are_not(screen: AnnData) -> None:
    sca.tl.predict_perturbation(screen, evaluate=False)
    sca.tl.predict_perturbation(screen, conditions=[new_gene(screen)], evaluate=False)
    assert screen.varm["perturbation"].shape == (200, 1)
    with pytest.raises(InputError, match="no scores"):
        sca.get.leaderboard(screen)
    screen.uns["mine"] = {"a": 1}
    with pytest.raises(StorageError, match="mine"):
        sca.tl.predict_perturbation(screen, key_added="mine")
    screen.varm["other"] = np.zeros((200, 2))
    with pytest.raises(StorageError, match="other"):
        sca.tl.predict_perturbation(screen, key_added="other")
    with pytest.raises(StorageError, match="there are: 'perturbation'"):
        sca.get.perturbation(screen, "nothing")
    del screen.varm["perturbation_lower"]
    with pytest.raises(StorageError, match="lost 'perturbation_lower'"):
        sca.get.perturbation(screen)


def test_embedding_of_another_line_is_the_best() -> None:
    """As in the paper: what targets do in another cell line beats what their expression says."""
    adata = sca.datasets.simulate_perturb_seq(16_000, 200, 60, 0, second_line=True, similarity=0.3, rng=1)
    profiles = sca.pp.perturbation_profiles(adata, covariate_keys="cell_line")
    here, there = (profiles[profiles.obs["cell_line"] == line].copy() for line in adata.obs["cell_line"].unique())
    table = sca.pp.perturbation_embedding(there)
    sca.tl.predict_perturbation(here, perturbation_embedding=table)
    board = sca.get.leaderboard(here)
    rows = board[board["metric"] == "l2"].set_index("method")
    assert rows.loc["linear (own embedding)", "minus mean, high"] < 0
    assert rows.loc["linear (own embedding)", "minus linear, high"] < 0


def test_bit_for_bit(screen: AnnData, done: AnnData) -> None:
    sca.tl.predict_perturbation(screen)
    for name in done.varm:
        np.testing.assert_array_equal(screen.varm[name], done.varm[name])
    pd.testing.assert_frame_equal(sca.get.leaderboard(screen), sca.get.leaderboard(done))


def test_third_parties_may_train_on_cells(screen: AnnData) -> None:
    from sc_annotate._core import registry

    @sca.register_predictor("of_cells", input="cells", summary="Means of the cells it is given")
    class OfCells:
        def fit(self, screen: Any, *, rng: int = 0) -> OfCells:
            cells = screen.cells
            assert cells is not None
            assert cells.condition.min() == -1
            assert cells.condition.max() < len(screen.targets)
            self.shape = screen.mean.shape
            self.means = {
                t: np.asarray(cells.X[cells.condition == i].mean(axis=0)).ravel() for i, t in enumerate(screen.targets)
            }
            for t, mean in zip(screen.targets, screen.mean, strict=True):
                np.testing.assert_allclose(self.means[t], mean, atol=1e-4)
            self.overall = screen.mean.mean(axis=0)
            return self

        def predict(self, targets: Any) -> Any:
            return np.stack([self.overall for _ in targets])

        def why_not(self, targets: Any) -> Any:
            return np.array(["" for _ in targets])

    try:
        sca.tl.predict_perturbation(screen, method="of_cells", n_folds=3)
        assert "of_cells" in set(sca.get.leaderboard(screen)["method"])
        assert "of_cells" in screen.uns["perturbation"]["verdict"]
        profiles = sca.pp.perturbation_profiles(screen)
        with pytest.raises(InputError, match="trains on cells"):
            sca.tl.predict_perturbation(profiles, method="of_cells")
    finally:
        registry.unregister("perturbation", "of_cells")


@pytest.mark.parametrize(
    ("how", "error", "text"),
    [
        ({"control": "contrl"}, InputError, "Did you mean 'control'"),
        ({"perturbation_key": "nope"}, InputError, "has no column 'nope'"),
        ({"conditions": "G1"}, InputError, "must be a list"),
        ({"conditions": []}, InputError, "is empty"),
        ({"conditions": ["A+"]}, InputError, "a part of it is empty"),
        ({"method": "linaer"}, MethodError, "Did you mean 'linear'"),
        ({"method": "logreg"}, MethodError, "no perturbation method"),
        ({"method_kwargs": {"nope": 1}}, MethodError, "nope"),
        ({"baseline": "nope"}, MethodError, "no perturbation method"),
        ({"coverage": 1.5}, InputError, "coverage"),
        ({"n_folds": 1}, InputError, "n_folds"),
        ({"n_top": 0}, InputError, "n_top"),
        ({"gene_embedding": 3}, InputError, "gene_embedding"),
        ({"gene_embedding": pd.DataFrame({"a": ["x"]}, index=["G1"])}, InputError, "no numbers"),
        ({"gene_embedding": pd.DataFrame({"a": [1.0, 2]}, index=["G1", "G1"])}, InputError, "twice"),
        ({"method": "mean", "gene_embedding": pd.DataFrame({"a": [1.0]}, index=["G1"])}, MethodError, "takes no"),
        ({"key_added": "a/b"}, StorageError, "without '/'"),
        ({"rng": -1}, InputError, "rng"),
        ({"values": "log1p"}, InputError, "whole numbers"),
    ],
)
def test_bad_input_changes_nothing(screen: AnnData, how: dict[str, Any], error: type[Exception], text: str) -> None:
    before = screen.copy()
    with pytest.raises(error, match=text):
        sca.tl.predict_perturbation(screen, **how)
    assert abs(screen.X - before.X).max() == 0
    assert (list(screen.uns), list(screen.varm), list(screen.var)) == (
        list(before.uns),
        list(before.varm),
        list(before.var),
    )


def test_several_controls_are_refused() -> None:
    adata = sca.datasets.simulate_perturb_seq(2000, 60, 6, 0, second_line=True, rng=0)
    profiles = sca.pp.perturbation_profiles(adata, covariate_keys="cell_line")
    with pytest.raises(InputError, match="2 control rows"):
        sca.tl.predict_perturbation(profiles)


def test_too_few_conditions_have_no_scores() -> None:
    adata = sca.datasets.simulate_perturb_seq(600, 60, 2, 0, rng=0)
    sca.tl.predict_perturbation(adata, baseline="mean")
    assert adata.uns["perturbation"]["verdict"] == ""
    assert np.isinf(sca.get.perturbation(adata).layers["upper"]).all()


@pytest.mark.skipif(not (DATA / "papalexi2021_thp1.h5ad").exists(), reason="the measured data are not here")
def test_papalexi() -> None:
    """The setting of the paper, with 9 of 25 targets among 303 genes, is worse than no change; and it says so."""
    adata = ad.read_h5ad(DATA / "papalexi2021_thp1.h5ad")
    sca.tl.predict_perturbation(adata, replicate_key="batch", total_counts_key="response_n_umis")
    found = sca.get.perturbation(adata)
    assert int((found.obs["reason"] != "").sum()) == 16
    table = sca.get.leaderboard(adata)
    l2 = table[table["metric"] == "l2"].set_index("method")
    assert l2.loc["linear", "mean"] == pytest.approx(1.48, abs=0.02)
    assert l2.loc["no_change", "mean"] == pytest.approx(0.99, abs=0.02)
    assert (l2["n_scored"] == 9).all()
    assert "linear is uninformative" in adata.uns["perturbation"]["verdict"]


@pytest.mark.skipif(
    not (DATA / "wang2025_macrophage_crispri_lfc.h5ad").exists(), reason="the measured data are not here"
)
def test_no_signal_between_activation_and_interference() -> None:
    """A negative control: what activation does says nothing of what interference does, and the verdict must say so."""
    paths = [DATA / f"wang2025_macrophage_{kind}_lfc.h5ad" for kind in ("crispri", "crispra")]
    down, up = (sca.pp.profiles_from_lfc(ad.read_h5ad(p), "perturbation") for p in paths)
    genes = down.var_names.intersection(up.var_names)
    down, up = down[:, genes].copy(), up[:, genes].copy()
    down.X, up.X = np.clip(down.X, -3, 3), np.clip(up.X, -3, 3)
    sca.tl.predict_perturbation(down, perturbation_embedding=sca.pp.perturbation_embedding(up))
    board = sca.evaluation.Leaderboard.from_dict(down.uns["perturbation"]["single"])
    assert board.calls[board.methods.index("linear (own embedding)")] == "uninformative"
    assert not any(board.differences[b]["better"][0] for b in board.differences)
