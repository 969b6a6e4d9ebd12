"""Predictions, their intervals, their scores: from cells and from profiles."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import sc_annotate as sca
from sc_annotate.errors import InputError, MethodError, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator

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


@pytest.mark.slow
def test_files_hold_it(done: AnnData, tmp_path: Path) -> None:
    done.write_h5ad(tmp_path / "a.h5ad")
    back = ad.read_h5ad(tmp_path / "a.h5ad")
    np.testing.assert_array_equal(sca.get.perturbation(back).X, sca.get.perturbation(done).X)
    pd.testing.assert_frame_equal(sca.get.leaderboard(back), sca.get.leaderboard(done))
    done.write_zarr(tmp_path / "a.zarr")
    back = ad.read_zarr(tmp_path / "a.zarr")
    pd.testing.assert_frame_equal(sca.get.leaderboard(back), sca.get.leaderboard(done))
    assert sca.get.perturbation(back).obs["reason"].tolist() == sca.get.perturbation(done).obs["reason"].tolist()


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


@pytest.mark.slow
def test_embedding_of_another_line_is_the_best() -> None:
    """As in the paper: what targets do in another cell line beats what their expression says."""
    adata = sca.datasets.simulate_perturb_seq(16_000, 200, 60, 0, second_line=True, similarity=0.3, rng=1)
    profiles = sca.pp.perturbation_profiles(adata, covariate_keys="cell_line")
    here, there = (profiles[profiles.obs["cell_line"] == line].copy() for line in adata.obs["cell_line"].unique())
    table = sca.pp.perturbation_embedding(there)
    sca.tl.predict_perturbation(here, method_kwargs={"perturbation_embedding": table})
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

    @sca.register_predictor("of_cells", inputs="cells", summary="Means of the cells it is given")
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


@contextmanager
def registered(name: str, predict: Any, fit: Any = None) -> Iterator[None]:
    """A predictor for the length of a test."""
    from sc_annotate._core import registry

    class Made:
        def fit(self, screen: Any, *, rng: int = 0) -> Made:
            self.screen = screen
            if fit is not None:
                fit(screen)
            return self

        def predict(self, targets: Any) -> Any:
            return np.stack([predict(self.screen, t) for t in targets])

        def why_not(self, targets: Any) -> Any:
            return np.array(["" for _ in targets])

    sca.register_predictor(name, summary="made for a test")(Made)
    try:
        yield
    finally:
        registry.unregister("perturbation", name)


def noise(screen: Any, targets: tuple[str, ...]) -> Any:
    seed = sum(map(ord, "".join(targets)))
    return screen.control + 0.03 * np.random.default_rng(seed).normal(size=screen.control.size)


@pytest.mark.once
@pytest.mark.slow
@pytest.mark.parametrize("n", [12, 30, 60])
def test_who_knows_nothing_is_at_chance(n: int) -> None:
    """Nothing of a held-out condition may be read off what it is compared with."""
    called = []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        lfc = ad.AnnData(rng.normal(0, 0.3, size=(n, 200)), obs=pd.DataFrame(index=[f"T{i}" for i in range(n)]))
        profiles = sca.pp.profiles_from_lfc(lfc)
        with registered("noise", noise):
            sca.tl.predict_perturbation(profiles, method="noise", baseline="mean")
        board = sca.evaluation.Leaderboard.from_dict(profiles.uns["perturbation"]["single"])
        called.append(board.decisions[0])
        for method in ("noise", "no_change"):
            for metric in ("direction", "discrimination"):
                found = board.interval(method, metric)
                assert found.low - 0.1 < (n + 1) / (2 * n) < found.high + 0.1
        assert not any(found.better[0] for found in board.differences.values())
        assert np.isnan(board.interval("mean", "pearson_perturbed").estimate)
    assert called.count("informative") <= 1


@pytest.mark.slow
def test_matched_controls_are_no_errors_of_the_methods() -> None:
    """Batches that differ, conditions spread unevenly over them, and no effect at all beyond the screen's own."""
    adata = sca.datasets.simulate_perturb_seq(12_000, 100, 12, 0, n_batches=2, batch_strength=0.5, rng=3)
    keep = np.ones(adata.n_obs, dtype=bool)
    rng = np.random.default_rng(0)
    for i, name in enumerate(sorted(set(adata.obs["perturbation"]) - {"control"})):
        own = np.flatnonzero(
            (adata.obs["perturbation"] == name) & (adata.obs["batch"] == adata.obs["batch"].unique()[i % 2])
        )
        keep[rng.permutation(own)[: int(0.8 * own.size)]] = False
    adata = adata[keep].copy()
    profiles = sca.pp.perturbation_profiles(adata, replicate_key="batch")
    sca.tl.predict_perturbation(adata, replicate_key="batch", baseline="mean")
    found = sca.get.perturbation(adata)
    change = profiles[found.obs_names].X - profiles[found.obs_names].layers["control"]
    np.testing.assert_allclose(found.layers["observed"] - found.var["control"].to_numpy(), change, atol=1e-5)
    board = sca.evaluation.Leaderboard.from_dict(adata.uns["perturbation"]["single"])
    np.testing.assert_allclose(
        board.interval("no_change", "l2").estimate, np.linalg.norm(change, axis=1).mean(), rtol=1e-4
    )
    assert np.isnan(board.interval("no_change", "pearson_delta").estimate)
    by_hand = sca.tl.evaluate_perturbation(profiles, {"held out": found})
    assert by_hand.interval("held out", "l2").estimate == pytest.approx(board.interval("mean", "l2").estimate, rel=1e-4)


def test_a_method_that_works_in_place_harms_no_other(screen: AnnData, done: AnnData) -> None:
    def spoil(train: Any) -> None:
        train.mean[:] += 3

    with registered("spoils", lambda train, t: train.control, fit=spoil):
        sca.tl.predict_perturbation(screen, method="spoils")
    want = sca.get.leaderboard(done, kind="single").set_index(["method", "metric"])["mean"]
    got = sca.get.leaderboard(screen, kind="single").set_index(["method", "metric"])["mean"]
    for name in ("no_change", "mean", "linear"):
        assert got[name, "l2"] == pytest.approx(want[name, "l2"])
    np.testing.assert_array_equal(screen.varm["perturbation_observed"], done.varm["perturbation_observed"])


def test_fold_changes_are_scored_on_all_genes() -> None:
    X = np.zeros((8, 1500))
    X[:, 1200:] = np.random.default_rng(0).normal(size=(8, 300))
    lfc = ad.AnnData(X, obs=pd.DataFrame(index=[f"T{i}" for i in range(8)]))
    profiles = sca.pp.profiles_from_lfc(lfc)
    sca.tl.predict_perturbation(profiles, baseline="mean")
    table = sca.get.leaderboard(profiles).set_index(["method", "metric"])["mean"]
    assert table["no_change", "l2"] == pytest.approx(np.linalg.norm(X, axis=1).mean())


def test_conditions_are_spelt_as_the_screen_spells_them(screen: AnnData) -> None:
    name = next(n for n in screen.obs["perturbation"].unique() if "+" in n)
    screen.obs["perturbation"] = screen.obs["perturbation"].astype(str).str.replace("+", "_", regex=False)
    other = "_".join(reversed(name.split("+")))
    sca.tl.predict_perturbation(screen, separator="_", conditions=[other], evaluate=False)
    found = sca.get.perturbation(screen)
    assert found.obs_names.tolist() == [name]
    assert np.isfinite(found.layers["observed"]).all()
    with pytest.raises(InputError, match="is the control"):
        sca.tl.predict_perturbation(screen, separator="_", conditions=["control"], evaluate=False)


def test_another_screen_as_a_parameter(screen: AnnData) -> None:
    other = sca.pp.perturbation_profiles(screen)
    shuffled = other[:, np.random.default_rng(0).permutation(other.n_vars)].copy()
    found = []
    for source in (other, shuffled):
        how = {"method": "transfer", "method_kwargs": {"source": source}, "evaluate": False}
        sca.tl.predict_perturbation(screen, **how)  # type: ignore[arg-type]
        found.append(sca.get.perturbation(screen).X)
    np.testing.assert_allclose(found[0], found[1], rtol=1e-5)
    assert screen.uns["perturbation"]["params"]["method_kwargs"]["source"] == "<AnnData>"
    with pytest.raises(InputError, match="lacks 1 of the 200 genes"):
        sca.tl.predict_perturbation(screen, method="transfer", method_kwargs={"source": other[:, 1:].copy()})


def test_gene_sets_from_a_file(screen: AnnData, tmp_path: Path) -> None:
    genes = screen.var_names
    lines = [f"set{i}\tsome\t" + "\t".join(genes[i * 8 : (i + 1) * 8]) for i in range(25)]
    (tmp_path / "sets.gmt").write_text("\n".join(lines), encoding="utf-8")
    how = {"gene_sets": str(tmp_path / "sets.gmt")}
    sca.tl.predict_perturbation(screen, method="ridge", method_kwargs=how, evaluate=False)
    assert np.isfinite(sca.get.perturbation(screen).X).all()


def test_an_embedding_on_its_side_is_refused(screen: AnnData) -> None:
    table = pd.DataFrame(np.eye(200, 5), index=screen.var_names)
    for argument in ("gene_embedding", "perturbation_embedding"):
        with pytest.raises(InputError, match="is it transposed"):
            sca.tl.predict_perturbation(screen, method_kwargs={argument: table.T})


def test_what_has_no_score_and_no_interval_is_told(caplog: pytest.LogCaptureFixture) -> None:
    adata = sca.datasets.simulate_perturb_seq(3000, 60, 7, 0, rng=0)
    names = sorted(set(adata.obs["perturbation"]) - {"control"})
    sca.tl.predict_perturbation(adata, method="additive", baseline="mean", conditions=["+".join(names[:2])])
    assert "have no interval" in caplog.text
    assert "too few combinations could be held out" in caplog.text
    caplog.clear()
    adata.var_names = [f"other{i}" for i in range(60)]
    sca.tl.predict_perturbation(adata, conditions=["+".join(names[:2])], evaluate=False)
    assert "method='additive' predicts those" in caplog.text
    caplog.clear()
    sca.tl.predict_perturbation(adata, method="mean", conditions=["FOOBAR"], evaluate=False)
    assert "'FOOBAR' is neither a measured target" in caplog.text.replace(
        "neither measured targets", "neither a measured target"
    )


@pytest.mark.parametrize(
    ("how", "error", "text"),
    [
        ({"control": "contrl"}, InputError, "Did you mean 'control'"),
        ({"perturbation_key": "nope"}, InputError, "has no column 'nope'"),
        ({"conditions": "G1"}, InputError, "must be a list"),
        ({"conditions": []}, InputError, "is empty"),
        ({"conditions": ["A+"]}, InputError, "a part of the name is empty"),
        ({"method": "linaer"}, MethodError, "Did you mean 'linear'"),
        ({"method": "logreg"}, MethodError, "no perturbation method"),
        ({"method_kwargs": {"nope": 1}}, MethodError, "nope"),
        ({"method_kwargs": [1]}, InputError, "must be a dict"),
        ({"baseline": "nope"}, MethodError, "no perturbation method"),
        ({"coverage": 1.5}, InputError, "coverage"),
        ({"n_folds": 1}, InputError, "n_folds"),
        ({"n_top": 0}, InputError, "n_top"),
        ({"method_kwargs": {"gene_embedding": 3}}, InputError, "gene_embedding"),
        ({"method_kwargs": {"gene_embedding": pd.DataFrame({"a": ["x"]}, index=["G1"])}}, InputError, "no numbers"),
        ({"method_kwargs": {"gene_embedding": pd.DataFrame({"a": [1.0, 2]}, index=["G1", "G1"])}}, InputError, "twice"),
        (
            {"method": "mean", "method_kwargs": {"gene_embedding": pd.DataFrame({"a": [1.0]}, index=["G1"])}},
            MethodError,
            "takes no",
        ),
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
    sca.tl.predict_perturbation(adata, total_counts_key="response_n_umis")
    found = sca.get.perturbation(adata)
    assert int((found.obs["reason"] != "").sum()) == 16
    table = sca.get.leaderboard(adata)
    l2 = table[table["metric"] == "l2"].set_index("method")
    assert l2.loc["linear", "mean"] == pytest.approx(1.48, abs=0.005)
    assert l2.loc["no_change", "mean"] == pytest.approx(0.99, abs=0.005)
    assert (l2["n_scored"] == 9).all()
    assert "linear is uninformative" in adata.uns["perturbation"]["verdict"]


@pytest.mark.once
@pytest.mark.slow
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
    sca.tl.predict_perturbation(down, method_kwargs={"perturbation_embedding": sca.pp.perturbation_embedding(up)})
    board = sca.evaluation.Leaderboard.from_dict(down.uns["perturbation"]["single"])
    assert board.decisions[board.methods.index("linear (own embedding)")] == "uninformative"
    assert not any(board.differences[b].better[0] for b in board.differences)
