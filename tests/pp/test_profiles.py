"""Profiles of conditions against scanpy and plain loops."""

from __future__ import annotations

from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scanpy as sc
from anndata import AnnData
from scipy import sparse

import sc_annotate as sca
from sc_annotate.errors import InputError, MatrixError


def screen(n: int = 400, p: int = 30, seed: int = 0) -> AnnData:
    rng = np.random.default_rng(seed)
    X = sparse.csr_matrix(rng.poisson(rng.gamma(1, 2, size=p), size=(n, p)).astype(np.float32))
    obs = pd.DataFrame(
        {
            "perturbation": rng.choice(["control", "A", "B", "A+B", "B+A", "C+control"], n),
            "batch": rng.choice(["r1", "r2", "r3"], n, p=[0.5, 0.3, 0.2]),
            "line": rng.choice(["K562", "RPE1"], n),
        },
        index=[f"c{i}" for i in range(n)],
    )
    return AnnData(X, obs=obs, var=pd.DataFrame(index=[f"g{j}" for j in range(p)]))


def logged(adata: AnnData) -> np.ndarray:
    X = adata.X.toarray().astype(np.float64)
    return np.log1p(X / X.sum(axis=1, keepdims=True) * 1e4)


def form(adata: AnnData, how: str, tmp_path: Any) -> AnnData:
    if how == "dense":
        adata.X = adata.X.toarray()
    elif how == "csc":
        adata.X = adata.X.tocsc()
    elif how == "backed":
        adata.write_h5ad(tmp_path / "a.h5ad")
        return ad.read_h5ad(tmp_path / "a.h5ad", backed="r")
    elif how == "dask":
        da = pytest.importorskip("dask.array")
        adata.X = da.from_array(adata.X.toarray(), chunks=(90, -1))
    return adata


@pytest.mark.parametrize("how", ["csr", "dense", "csc", "backed", "dask"])
def test_means_errors_and_numbers(how: str, tmp_path: Any) -> None:
    adata = screen()
    X, names = logged(adata), adata.obs["perturbation"].replace({"B+A": "A+B", "C+control": "C"}).to_numpy()
    profiles = sca.pp.perturbation_profiles(form(adata, how, tmp_path))
    assert profiles.obs_names.tolist() == ["control", "A", "A+B", "B", "C"]
    assert profiles.obs["targets"].tolist() == ["", "A", "A+B", "B", "C"]
    assert profiles.obs["n_targets"].tolist() == [0, 1, 2, 1, 1]
    assert profiles.obs["is_control"].tolist() == [True, False, False, False, False]
    for i, name in enumerate(profiles.obs_names):
        cells = X[names == name]
        assert profiles.obs["n_cells"].iloc[i] == len(cells)
        np.testing.assert_allclose(profiles.X[i], cells.mean(axis=0), rtol=1e-5)
        np.testing.assert_allclose(profiles.layers["se"][i], cells.std(axis=0, ddof=1) / np.sqrt(len(cells)), rtol=1e-4)
        np.testing.assert_allclose(profiles.layers["control"][i], X[names == "control"].mean(axis=0), rtol=1e-5)


def test_as_scanpy_aggregates() -> None:
    adata = screen()
    profiles = sca.pp.perturbation_profiles(adata[~adata.obs["perturbation"].isin(["B+A", "C+control"])].copy())
    sc.pp.normalize_total(adata, target_sum=1e4)
    sc.pp.log1p(adata)
    want = sc.get.aggregate(adata, by="perturbation", func="mean")
    np.testing.assert_allclose(profiles.X, want[profiles.obs_names].layers["mean"], rtol=1e-5)


def test_controls_are_matched_by_replicate() -> None:
    adata = screen()
    X = logged(adata)
    profiles = sca.pp.perturbation_profiles(adata, replicate_key="batch")
    name, batch = adata.obs["perturbation"].to_numpy(), adata.obs["batch"].to_numpy()
    own = name == "A"
    want = np.mean([X[(name == "control") & (batch == b)].mean(axis=0) for b in batch[own]], axis=0)
    np.testing.assert_allclose(profiles["A"].layers["control"][0], want, rtol=1e-5)
    plain = sca.pp.perturbation_profiles(adata)
    assert abs(plain["A"].layers["control"][0] - want).max() > 1e-3


def test_cells_of_a_replicate_without_control_are_left_out(caplog: pytest.LogCaptureFixture) -> None:
    adata = screen()
    adata = adata[~((adata.obs["perturbation"] == "control") & (adata.obs["batch"] == "r3"))].copy()
    profiles = sca.pp.perturbation_profiles(adata, replicate_key="batch")
    n = int(((adata.obs["perturbation"] == "A") & (adata.obs["batch"] != "r3")).sum())
    assert profiles.obs.loc["A", "n_cells"] == n
    assert "without a cell of the control" in caplog.text


def test_halves_share_no_cell_and_make_up_the_whole() -> None:
    adata = screen()
    profiles = sca.pp.perturbation_profiles(adata, replicate_key="batch", rng=3)
    n = profiles.obs["n_cells"].to_numpy()[:, None]
    # Of each replicate as many cells in one half as in the other, or one more.
    for part, whole in (("half", profiles.X), ("control_half", profiles.layers["control"])):
        one, two = profiles.layers[f"{part}_1"], profiles.layers[f"{part}_2"]
        assert (abs(one - two) > 1e-9).any(axis=1).all()
        np.testing.assert_allclose((one + two) / 2, whole, atol=6 * abs(one - two).max() / n.min())
    again = sca.pp.perturbation_profiles(adata, replicate_key="batch", rng=3)
    other = sca.pp.perturbation_profiles(adata, replicate_key="batch", rng=4)
    assert (again.layers["half_1"] == profiles.layers["half_1"]).all()
    assert (other.layers["half_1"] != profiles.layers["half_1"]).any()
    # The control row is itself a condition: its halves are those that others are held against.
    flat = sca.pp.perturbation_profiles(adata, rng=3)
    np.testing.assert_allclose(flat.layers["half_1"][0], flat.layers["control_half_1"][1])


def test_covariates_have_their_own_controls() -> None:
    adata = screen()
    X = logged(adata)
    profiles = sca.pp.perturbation_profiles(adata, covariate_keys="line")
    assert profiles.obs_names[:3].tolist() == ["control|K562", "control|RPE1", "A|K562"]
    assert profiles.obs["line"].tolist()[:3] == ["K562", "RPE1", "K562"]
    here = (adata.obs["perturbation"] == "control") & (adata.obs["line"] == "RPE1")
    np.testing.assert_allclose(profiles["A|RPE1"].layers["control"][0], X[here.to_numpy()].mean(axis=0), rtol=1e-5)


def test_nothing_is_changed_and_all_can_be_written(tmp_path: Any) -> None:
    adata = screen()
    before = adata.copy()
    profiles = sca.pp.perturbation_profiles(adata, replicate_key="batch", covariate_keys=["line"])
    assert abs(adata.X - before.X).max() == 0
    pd.testing.assert_frame_equal(adata.obs, before.obs)
    profiles.write_h5ad(tmp_path / "p.h5ad")
    back = ad.read_h5ad(tmp_path / "p.h5ad")
    np.testing.assert_array_equal(back.X, profiles.X)
    assert back.uns["perturbation_profiles"]["control"] == "control"


def test_what_is_left_out_is_told(caplog: pytest.LogCaptureFixture) -> None:
    adata = screen()
    names = np.array(adata.obs["perturbation"], dtype=object)
    names[:3], names[3:5], names[5:9] = "D", None, "A+"
    adata.obs["perturbation"] = names
    profiles = sca.pp.perturbation_profiles(adata)
    assert "D" not in profiles.obs_names
    about = profiles.uns["perturbation_profiles"]
    assert sorted(about["left_out"]) == ["", "A+", "D"]
    assert "3 cells, fewer than min_cells=10" in caplog.text
    assert "2 cells is missing" in caplog.text


@pytest.mark.parametrize(
    ("how", "text"),
    [
        ({"control": "Control"}, "Did you mean 'control'"),
        ({"perturbation_key": "perturbatoin"}, "Did you mean 'perturbation'"),
        ({"min_cells": 10_000}, "Lower min_cells"),
        ({"min_cells": 0}, "min_cells must be"),
        ({"covariate_keys": ["nope"]}, "covariate_keys"),
        ({"covariate_keys": ["line", "line"]}, "named twice"),
        ({"covariate_keys": ["n_cells"]}, "columns of the profiles"),
        ({"rng": -1}, "rng"),
        ({"replicate_key": "nope"}, "replicate_key"),
        ({"layer": "nope"}, "layers has no"),
        ({"values": "log1p"}, "whole numbers"),
    ],
)
def test_bad_input(how: dict[str, Any], text: str) -> None:
    adata = screen()
    adata.obs["n_cells"] = 1
    before = adata.copy()
    with pytest.raises(InputError, match=text):
        sca.pp.perturbation_profiles(adata, **how)
    assert abs(adata.X - before.X).max() == 0
    assert list(adata.uns) == list(before.uns)


def test_only_control_and_scaled_values() -> None:
    adata = screen()
    with pytest.raises(InputError, match="no condition beside the control"):
        sca.pp.perturbation_profiles(adata[adata.obs["perturbation"] == "control"].copy())
    adata.X = adata.X.toarray() - 3
    with pytest.raises(MatrixError):
        sca.pp.perturbation_profiles(adata)


def test_from_log_fold_changes() -> None:
    lfc = AnnData(np.array([[1.0, -1.0], [0.5, 0.0]]), obs=pd.DataFrame({"gene": ["B+A", "C"]}, index=["x", "y"]))
    profiles = sca.pp.profiles_from_lfc(lfc, "gene")
    assert profiles.obs_names.tolist() == ["control", "A+B", "C"]
    np.testing.assert_array_equal(profiles.X, [[0, 0], [1, -1], [0.5, 0]])
    assert profiles.uns["perturbation_profiles"]["values"] == "lfc"
    lfc.X[0, 0] = np.nan
    with pytest.raises(InputError, match="NaN"):
        sca.pp.profiles_from_lfc(lfc, "gene")
    lfc.obs["gene"] = ["C", "C"]
    with pytest.raises(InputError, match="twice"):
        sca.pp.profiles_from_lfc(lfc, "gene")
    lfc.obs["gene"] = ["C", "control"]
    with pytest.raises(InputError, match="cannot be read"):
        sca.pp.profiles_from_lfc(lfc, "gene")


def test_profiles_are_no_cells_and_conditions_no_context() -> None:
    adata = screen()
    profiles = sca.pp.perturbation_profiles(adata)
    with pytest.raises(InputError, match="holds perturbation profiles already"):
        sca.pp.perturbation_profiles(profiles)
    with pytest.raises(InputError, match="the column of the conditions"):
        sca.pp.perturbation_profiles(adata, covariate_keys="perturbation")
    for stored in ({"schema": 99}, "mine"):
        profiles.uns["perturbation_profiles"] = stored
        with pytest.raises(InputError, match="another version"):
            sca.pp.predictable(profiles)
