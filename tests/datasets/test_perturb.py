"""A simulated screen is what its stored truth says."""

from __future__ import annotations

import inspect
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scanpy as sc
from scipy import stats
from scipy.sparse import csr_matrix

from sc_annotate import datasets
from sc_annotate.datasets import _perturb_download, simulate_perturb_seq
from sc_annotate.datasets._perturb_noise import burst, burst_size
from sc_annotate.datasets._perturb_scale import DEPTH_SD, Scale, mean_log
from sc_annotate.errors import DownloadError, InputError
from sc_annotate.metrics import average_precision, interaction_class

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from anndata import AnnData


def deviations(truth: dict[str, Any], suffix: str = "") -> tuple[np.ndarray, np.ndarray]:
    """Of the true doubles from the sum of the true singles, and which were planted."""
    delta = dict(zip(truth["conditions"], truth[f"delta{suffix}"], strict=True))
    doubles = [name for name in delta if "+" in name]
    off = np.array([delta[name] - sum(delta[part] for part in name.split("+")) for name in doubles])
    return off, truth["interactions"][-len(doubles) :]


def z_scores(adata: AnnData, suffix: str = "") -> np.ndarray:
    """How many standard errors observed changes are off the true ones, conditions x genes; the control's level first."""
    adata = adata.copy()
    sc.pp.normalize_total(adata, target_sum=1e4)
    sc.pp.log1p(adata)
    X, names, truth = adata.X.toarray().astype(float), adata.obs["perturbation"].to_numpy(), adata.uns["truth"]
    control = X[names == "control"]
    error = control.var(axis=0) / len(control)
    out = [(control.mean(axis=0) - truth[f"control{suffix}"]) / np.sqrt(error)]
    for name, delta in zip(truth["conditions"], truth[f"delta{suffix}"], strict=True):
        mine = X[names == name]
        change = mine.mean(axis=0) - control.mean(axis=0)
        out.append((change - delta) / np.sqrt(mine.var(axis=0) / len(mine) + error))
    return np.array(out)


@pytest.mark.parametrize("fano", [1.0, 3.0])
def test_mean_of_the_log_equals_a_sum_over_counts(fano: float) -> None:
    share, depth = np.array([1e-5, 1e-3, 0.02]), 1500.0
    x, w = np.polynomial.hermite_e.hermegauss(40)
    w = w / w.sum()
    n = np.arange(4000)
    expected = np.zeros(3)
    for node, weight in zip(x, w, strict=True):
        d = depth * np.exp(DEPTH_SD * node - DEPTH_SD**2 / 2)
        for i, mean in enumerate(d * share):
            p = stats.poisson.pmf(n, mean) if fano == 1 else stats.nbinom.pmf(n, mean / (fano - 1), 1 / fano)
            expected[i] += weight * (p @ np.log1p(1e4 * n / d))
    np.testing.assert_allclose(mean_log(share, fano, depth), expected, rtol=1e-5)


def test_scale_goes_there_and_back() -> None:
    rng = np.random.default_rng(0)
    scale = Scale(np.array([1.0, 2.5]), np.arange(50) % 2, 2000.0)
    # The last one is what the others leave.
    share = np.append(0.8 * rng.dirichlet(np.full(49, 0.5), 3), np.full((3, 1), 0.2), axis=1)
    np.testing.assert_allclose(scale.share(scale.mean(share)), share, rtol=1e-4)
    step = 1e-4
    numeric = (scale.mean(share * np.exp(step)) - scale.mean(share * np.exp(-step))) / (2 * step)
    np.testing.assert_allclose(scale.slope(share), numeric, rtol=1e-4)


def test_bursts_keep_the_mean_and_make_the_variance() -> None:
    rng = np.random.default_rng(1)
    fano = np.array([1.0, 2.0, 5.0])
    events = rng.poisson(6 / burst_size(fano), (20_000, 3))
    X = csr_matrix(events.astype(np.float32))
    burst(X, fano, rng)
    counts = X.toarray()
    np.testing.assert_allclose(counts.mean(axis=0), 6, rtol=0.03)
    np.testing.assert_allclose(counts.var(axis=0) / 6, fano, rtol=0.08)


def test_shape_and_kinds() -> None:
    adata = simulate_perturb_seq(900, 120, 10, 8, n_batches=3, rng=2)
    assert adata.shape == (900, 120)
    assert isinstance(adata.X, csr_matrix)
    assert adata.X.dtype == np.float32
    assert (adata.X.data == np.rint(adata.X.data)).all()
    adata.X.check_format(full_check=True)
    truth = adata.uns["truth"]
    assert set(adata.obs["perturbation"]) == {"control", *truth["conditions"]}
    assert truth["delta"].shape == truth["interactions"].shape == (18, 120)
    singles = truth["conditions"][:10]
    assert adata.var_names[adata.var["is_target"]].tolist() == singles.tolist()
    for name in truth["conditions"][10:]:
        a, b = name.split("+")
        assert a < b
        assert {a, b} <= set(singles)
    # Each condition is dealt out evenly, so batches tell nothing about conditions.
    table = pd.crosstab(adata.obs["perturbation"], adata.obs["batch"])
    assert (table.max(axis=1) - table.min(axis=1)).max() <= 1
    assert adata.obs["perturbation"].iloc[:60].nunique() > 8
    n = adata.obs["perturbation"].value_counts()
    assert n["control"] == pytest.approx(90, abs=2)
    assert n.drop("control").max() / n.drop("control").min() == pytest.approx(2, rel=0.15)
    assert not adata.obs["worked"][adata.obs["perturbation"] == "control"].any()


@pytest.mark.slow
@pytest.mark.parametrize(
    "kwargs",
    [
        {},
        {"gene_noise": 0.3},
        {"n_batches": 3, "shift": 0.3, "interactions": 0.1, "efficacy": 0.7},
    ],
    ids=["plain", "noise", "all"],
)
def test_observed_changes_are_the_true_ones(kwargs: dict[str, Any]) -> None:
    adata = simulate_perturb_seq(9000, 150, 6, 4, rng=3, **kwargs)
    z = z_scores(adata)
    # Of the genes with very few counts means are far from normal.
    z = z[:, adata.uns["truth"]["control"] > 0.05]
    assert np.abs(z).max() < 5.5
    assert z[1:].std() == pytest.approx(1, abs=0.1)
    # The check tells truths apart.
    adata.uns["truth"]["delta"] = adata.uns["truth"]["delta"][::-1]
    assert np.abs(z_scores(adata)).max() > 8


def test_second_line_has_effects_of_its_own_that_follow_from_the_first() -> None:
    adata = simulate_perturb_seq(9000, 150, 20, 4, second_line=True, rank=3, rng=3)
    assert adata.obs["cell_line"].value_counts().tolist() == [4500, 4500]
    second = adata[adata.obs["cell_line"] == "line_2"].copy()
    z = z_scores(second, "_line_2")[:, adata.uns["truth"]["control_line_2"] > 0.05]
    assert np.abs(z).max() < 5.5
    truth = adata.uns["truth"]
    others = ~adata.var["is_target"].to_numpy()
    one, two = truth["delta"][:20, others], truth["delta_line_2"][:20, others]
    # Nearly all of the second is in the span of the first few directions of the first, as conditions see it.
    u = np.linalg.svd(one, full_matrices=False)[0][:, :4]
    assert np.linalg.norm(two - u @ (u.T @ two)) < 0.35 * np.linalg.norm(two)
    rng = np.random.default_rng(0)
    shuffled = two[rng.permutation(20)]
    assert np.linalg.norm(shuffled - u @ (u.T @ shuffled)) > 0.7 * np.linalg.norm(two)


@pytest.mark.parametrize("kwargs", [{}, {"gene_noise": 0.4, "n_batches": 2, "efficacy": 0.5}])
def test_doubles_are_sums_but_for_planted_deviations(kwargs: dict[str, Any]) -> None:
    none, planted = deviations(simulate_perturb_seq(50, 200, 12, 20, **kwargs).uns["truth"])
    # The gene that stands for the rest of the cell takes up what is left over.
    assert planted[:, -1].all()
    assert not planted[:, :-1].any()
    assert np.abs(none[:, :-1]).max() < 1e-4
    off, planted = deviations(
        simulate_perturb_seq(50, 200, 12, 20, interactions=0.1, interaction_size=0.5, **kwargs).uns["truth"]
    )
    assert planted[:, :-1].mean() == pytest.approx(0.1, abs=0.015)
    size = 0.5 * kwargs.get("efficacy", 1)
    np.testing.assert_allclose(np.abs(off[:, :-1][planted[:, :-1]]), size, atol=1e-4)
    assert np.abs(off[:, :-1][~planted[:, :-1]]).max() < 1e-4
    assert 0.05 < (off[:, :-1][planted[:, :-1]] < 0).mean() < 0.6


def _sums(truth: dict[str, Any], suffix: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each double the changes by its two singles, and by both; without REST."""
    delta = dict(zip(truth["conditions"], truth[f"delta{suffix}"][:, :-1], strict=True))
    doubles = [name for name in delta if "+" in name]
    first, second = (np.array([delta[name.split("+")[i]] for name in doubles]) for i in (0, 1))
    return first, second, np.array([delta[name] for name in doubles])


@pytest.mark.parametrize("kwargs", [{}, {"efficacy": 0.5}, {"second_line": True}], ids=["plain", "half", "two lines"])
@pytest.mark.parametrize("kind", ["buffering", "synergistic"])
def test_planted_deviations_are_of_the_kind_that_was_asked_for(kind: Any, kwargs: dict[str, Any]) -> None:
    adata = simulate_perturb_seq(
        100, 200, 15, 20, interactions=0.05, interaction_size=0.5, interaction_kind=kind, **kwargs
    )
    truth, most = adata.uns["truth"], 0.5 * kwargs.get("efficacy", 1)
    planted = truth["interactions"][15:, :-1]
    assert planted.sum() == round(0.05 * planted.size)
    for suffix in ("", "_line_2") if kwargs.get("second_line") else ("",):
        first, second, both = _sums(truth, suffix)
        classes = interaction_class(first, second, both)
        assert (classes[planted] == kind).all()
        size = np.abs(both - first - second)
        assert size[~planted].max() < 1e-4
        want = most if kind == "synergistic" else np.minimum(most, 0.75 * np.abs(first + second))
        np.testing.assert_allclose(size[planted], np.broadcast_to(want, size.shape)[planted], atol=1e-4)


def test_no_change_is_hard_to_beat_where_large_sums_are_buffered() -> None:
    found = {}
    for kind in ("random", "buffering"):
        truth = simulate_perturb_seq(100, 200, 15, 20, interactions=0.05, interaction_kind=kind).uns["truth"]
        first, second, _ = _sums(truth, "")
        found[kind] = average_precision(np.abs(first + second), truth["interactions"][15:, :-1])
    # A share of 0.05 is what chance gives.
    assert found["random"] < 0.1
    assert found["buffering"] > 0.2


def test_more_than_can_be_planted_is_refused() -> None:
    with pytest.raises(InputError, match="of the pairs of a gene and a double can be buffering"):
        simulate_perturb_seq(100, 200, 15, 20, interactions=0.6, interaction_kind="buffering")
    none = simulate_perturb_seq(100, 200, 15, 0, interactions=0.6, interaction_kind="buffering")
    assert not none.uns["truth"]["interactions"].any()


def test_kinds_leave_all_else_as_it_was() -> None:
    one, two = (
        simulate_perturb_seq(100, 80, 8, 6, interactions=0.05, interaction_kind=kind)
        for kind in ("random", "buffering")
    )
    pd.testing.assert_frame_equal(one.obs, two.obs)
    np.testing.assert_array_equal(one.uns["truth"]["delta"][:8], two.uns["truth"]["delta"][:8])
    assert not np.array_equal(one.uns["truth"]["delta"][8:], two.uns["truth"]["delta"][8:])


def test_the_shift_is_in_every_perturbed_condition_once() -> None:
    with_, without = (simulate_perturb_seq(50, 200, 8, 8, shift=s).uns["truth"] for s in (0.3, 0.0))
    extra = (with_["delta"] - without["delta"])[:, :-1]
    assert np.abs(extra - extra[0]).max() < 1e-4
    assert extra[0].std() > 0.05
    off, _ = deviations(with_)
    np.testing.assert_allclose(off[:, :-1], np.broadcast_to(-extra[0], off[:, :-1].shape), atol=1e-4)


def test_like_targets_have_like_effects_as_far_as_asked() -> None:
    likeness = {}
    for similarity in (0.0, 1.0):
        adata = simulate_perturb_seq(200, 400, 60, 0, similarity=similarity, rng=1)
        loadings = adata.varm["programmes"][adata.var["is_target"].to_numpy()]
        # Rank 4, and one more for what is taken from all genes of programmes alike.
        delta = adata.uns["truth"]["delta"][:, ~adata.var["is_target"].to_numpy()]
        assert np.linalg.svd(delta)[1][5:].max() < 0.35 * np.linalg.svd(delta)[1][0]
        pairs = np.triu_indices(60, 1)
        likeness[similarity] = np.corrcoef(np.corrcoef(loadings)[pairs], np.corrcoef(delta)[pairs])[0, 1]
    assert abs(likeness[0.0]) < 0.15
    assert likeness[1.0] > 0.8


def test_cells_in_which_it_did_not_work_are_like_control() -> None:
    adata = simulate_perturb_seq(6000, 100, 3, 0, efficacy=0.5, rng=1)
    perturbed = adata.obs["perturbation"] != "control"
    assert adata.obs["worked"][perturbed].mean() == pytest.approx(0.5, abs=0.03)
    target = adata.uns["truth"]["conditions"][0]
    level = np.asarray(adata[:, target].X.toarray() > 0).ravel()
    mine = (adata.obs["perturbation"] == target).to_numpy()
    worked = adata.obs["worked"].to_numpy()
    control = level[~perturbed.to_numpy()].mean()
    assert level[mine & ~worked].mean() == pytest.approx(control, abs=0.06)
    assert level[mine & worked].mean() < control - 0.1


def test_equal_seeds_give_equal_cells_and_the_truth_does_not_hang_on_their_number() -> None:
    kwargs: dict[str, Any] = {"n_batches": 2, "gene_noise": 0.2, "interactions": 0.05, "shift": 0.2}
    a, b, c = (simulate_perturb_seq(300, 80, 6, 4, rng=seed, **kwargs) for seed in (5, 5, 6))
    assert (a.X != b.X).nnz == 0
    pd.testing.assert_frame_equal(a.obs, b.obs)
    assert (a.X != c.X).nnz > 0
    more = simulate_perturb_seq(777, 80, 6, 4, rng=5, **kwargs)
    for name, value in a.uns["truth"].items():
        np.testing.assert_array_equal(value, more.uns["truth"][name])


def test_it_can_be_written(tmp_path: Path) -> None:
    adata = simulate_perturb_seq(60, 40, 4, 3, second_line=True)
    adata.write_h5ad(tmp_path / "a.h5ad")
    back = ad.read_h5ad(tmp_path / "a.h5ad")
    assert (back.X != adata.X).nnz == 0
    for part in ("truth", "simulation"):
        assert back.uns[part].keys() == adata.uns[part].keys()
        for name, value in adata.uns[part].items():
            assert np.array_equal(back.uns[part][name], value), name


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n_cells": 50}, "n_cells is 50, but must be 51 or more"),
        ({"n_cells": 1e3}, "whole number"),
        ({"n_singles": 200}, "at most half"),
        ({"n_singles": 0}, "n_singles is 0"),
        ({"n_singles": 3, "n_doubles": 4}, "make 3 pairs only"),
        ({"rank": 0}, "rank"),
        ({"depth": 0}, "depth"),
        ({"shift": -1}, "shift"),
        ({"effect_size": float("nan")}, "effect_size"),
        ({"interactions": 1.1}, "interactions is 1.1, but is a share"),
        ({"interaction_kind": "buffered"}, "must be one of 'random', 'buffering', 'synergistic'"),
        ({"efficacy": -0.1}, "efficacy"),
        ({"control_share": 0}, "there must be control cells"),
    ],
)
def test_arguments_out_of_range_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        simulate_perturb_seq(**wrong)


# ---- screens to download


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that is served in the place of the public host."""
    folder = tmp_path / "web"
    folder.mkdir()
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    monkeypatch.setattr(SimpleHTTPRequestHandler, "log_message", lambda *_: None)
    monkeypatch.setenv("SC_ANNOTATE_CACHE", str(tmp_path / "cache"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        monkeypatch.setattr(_perturb_download, "ADDRESS", f"http://127.0.0.1:{server.server_address[1]}")
        thread = threading.Thread(target=lambda: server.serve_forever(0.02), daemon=True)
        thread.start()
        yield folder
        server.shutdown()
        thread.join()


def test_screens_are_downloaded_once(host: Path) -> None:
    for number, name in enumerate(("norman_2019", "adamson_2016_pilot", "replogle_2022_rpe1"), start=1):
        ad.AnnData(np.ones((number, 2), dtype=np.float32)).write_h5ad(host / f"{name}.h5ad")
    for _ in range(2):
        assert datasets.norman_2019().n_obs == 1
        assert datasets.adamson_2016("pilot").n_obs == 2
        assert datasets.replogle_2022("rpe1").n_obs == 3
        for path in host.iterdir():
            path.unlink()
    with pytest.raises(DownloadError, match=r"replogle_2022_k562_gwps.h5ad' cannot be downloaded .*anndata.read_h5ad"):
        datasets.replogle_2022("k562_gwps")
    (host / "adamson_2016_upr_perturb_seq.h5ad").write_text("<html>")
    with pytest.raises(InputError, match="was downloaded and not kept: it is no h5ad file"):
        datasets.adamson_2016()
    with pytest.raises(InputError, match="'k562_gwps'"):
        datasets.replogle_2022("k563")
    with pytest.raises(InputError, match="'pilot'"):
        datasets.adamson_2016("all")


CHANGED = {
    "n_cells": 130, "n_genes": 50, "n_singles": 5, "n_doubles": 3, "rank": 2, "similarity": 0.1, "effect_size": 0.8,
    "interactions": 0.3, "interaction_size": 0.2, "interaction_kind": "buffering", "shift": 0.5, "gene_noise": 0.5,
    "efficacy": 0.4, "n_batches": 3, "batch_strength": 0.9, "second_line": True, "depth": 500, "control_share": 0.4,
    "imbalance": 6, "rng": 9,
}  # fmt: skip
SETTINGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "all": {"interactions": 0.1, "n_batches": 2, "second_line": True, "efficacy": 0.8},
}
WITHOUT = {"plain": ("interaction_size", "interaction_kind", "batch_strength"), "all": ("second_line",)}


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("name", inspect.signature(simulate_perturb_seq).parameters)
def test_no_argument_is_ignored(name: str, setting: str) -> None:
    base: dict[str, Any] = {"n_cells": 120, "n_genes": 40, "n_singles": 6, "n_doubles": 4} | SETTINGS[setting]
    changed = base | {name: CHANGED[name]}
    if setting == "plain" and name in WITHOUT["plain"]:
        with pytest.raises(InputError, match=name):
            simulate_perturb_seq(**changed)
        return
    if name in WITHOUT[setting]:
        changed = base | {name: False}
    one, two = simulate_perturb_seq(**base), simulate_perturb_seq(**changed)
    assert one.shape != two.shape or abs(one.X - two.X).max() > 0


def test_no_checksum_is_advised_that_cannot_be_passed(host: Path, caplog: pytest.LogCaptureFixture) -> None:
    ad.AnnData(np.ones((1, 2), dtype=np.float32)).write_h5ad(host / "norman_2019.h5ad")
    datasets.norman_2019()
    assert "sha256" not in caplog.text
