"""Simulated cells are what the stored truth says."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from sc_annotate.datasets import simulate_reference
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData


def z_scores(adata: AnnData, cells: Any, expected: np.ndarray) -> np.ndarray:
    """How many standard deviations the molecules of some cells are off a profile, gene by gene."""
    observed = np.asarray(adata.X[np.asarray(cells)].sum(axis=0, dtype=np.float64)).ravel()
    mean = expected / expected.sum() * observed.sum()
    return (observed - mean) / np.sqrt(mean * (1 - expected / expected.sum()))


def assert_standard_normal(z: np.ndarray) -> None:
    assert np.abs(z).max() < 5
    # The variance of n standard normals has the standard error sqrt(2 / n).
    assert z.var() == pytest.approx(1, abs=4 * np.sqrt(2 / z.size))


def types_of(adata: AnnData) -> list[str]:
    return adata.uns["simulation"]["types"].tolist()


def test_shape_and_kinds() -> None:
    adata = simulate_reference(300, 120, 5, n_batches=3, rng=2)
    assert adata.shape == (300, 120)
    assert isinstance(adata.X, csr_matrix)
    assert adata.X.dtype == np.float32
    assert (adata.X.data == np.rint(adata.X.data)).all()
    assert adata.var_names[0] == "G00001"
    assert adata.obs_names.is_unique
    assert adata.obs["batch"].value_counts().tolist() == [100, 100, 100]
    assert adata.obs["cell_type"].cat.categories.tolist() == types_of(adata)
    np.testing.assert_array_equal(adata.obs["total_counts"], np.asarray(adata.X.sum(axis=1)).ravel())
    assert adata.obs["total_counts"].mean() == pytest.approx(2000, rel=0.1)
    assert not adata.obs["is_doublet"].any()
    assert not adata.obs["unseen"].any()
    # Order tells nothing.
    assert adata.obs["cell_type"].iloc[:50].nunique() == 5


def test_type_means_match_the_profiles() -> None:
    adata = simulate_reference(3000, 300, 6, rng=1)
    for i, name in enumerate(types_of(adata)):
        mine = adata.obs["cell_type"] == name
        assert_standard_normal(z_scores(adata, mine, adata.varm["profiles"][:, i]))
        # The check can tell types apart.
        assert np.abs(z_scores(adata, mine, adata.varm["profiles"][:, i - 1])).max() > 20


def test_batches_shift_as_told() -> None:
    adata = simulate_reference(2000, 300, 3, n_batches=2, batch_strength=0.4, rng=1)
    assert adata.varm["batch_shift"].std() == pytest.approx(0.4, rel=0.1)
    for (i, name), b in itertools.product(enumerate(types_of(adata)), range(2)):
        mine = (adata.obs["cell_type"] == name) & (adata.obs["batch"] == f"batch_{b + 1}")
        profile = adata.varm["profiles"][:, i]
        assert_standard_normal(z_scores(adata, mine, profile * np.exp(adata.varm["batch_shift"][:, b])))
        assert np.abs(z_scores(adata, mine, profile)).max() > 20
    assert not simulate_reference(100, 50, 2, n_batches=1).varm["batch_shift"].any()


def test_ambient_molecules_come_from_the_mean_of_the_batch() -> None:
    adata = simulate_reference(3000, 200, 3, ambient=0.3, rng=1)
    profiles = adata.varm["profiles"]
    soup = profiles @ np.bincount(adata.obs["cell_type"].cat.codes) / adata.n_obs
    for i, name in enumerate(types_of(adata)):
        mine = adata.obs["cell_type"] == name
        assert_standard_normal(z_scores(adata, mine, 0.7 * profiles[:, i] + 0.3 * soup))
        assert np.abs(z_scores(adata, mine, profiles[:, i])).max() > 10


def test_doublets_hold_two_cells() -> None:
    adata = simulate_reference(3000, 100, 2, doublets=0.2, imbalance=1, type_strength=2, rng=1)
    double = adata.obs["is_doublet"].to_numpy()
    assert double.sum() == 600
    total = adata.obs["total_counts"].to_numpy()
    assert total[double].mean() == pytest.approx(2 * total[~double].mean(), rel=0.05)
    first = (adata.obs["cell_type"] == types_of(adata)[0]).to_numpy()
    assert_standard_normal(z_scores(adata, first & ~double, adata.varm["profiles"][:, 0]))
    # Half of the partners are of the other type: a quarter of the molecules.
    share = np.asarray(adata.X[first & double].sum(axis=0)).ravel()
    share = share / share.sum()
    p, q = adata.varm["profiles"].T
    other = ((share - p) @ (q - p)) / ((q - p) @ (q - p))
    assert other == pytest.approx(0.25, abs=0.04)


@pytest.mark.parametrize("n_types", [2, 3, 8, 25])
def test_the_tree_is_binary_and_the_broad_types_are_its_branches(n_types: int) -> None:
    adata = simulate_reference(400, 60, n_types, rng=n_types)
    parent = dict(zip(adata.uns["tree"]["child"].tolist(), adata.uns["tree"]["parent"].tolist(), strict=True))
    assert len(parent) == 2 * n_types - 2
    assert set(pd.Series(list(parent.values())).value_counts()) == {2}
    leaves = set(parent) - set(parent.values())
    assert leaves == set(types_of(adata))
    pairs = adata.obs[["cell_type", "cell_type_broad"]].drop_duplicates()
    assert len(pairs) == n_types
    assert pairs["cell_type_broad"].nunique() == max(2, round(n_types**0.5))
    for cell_type, broad in pairs.to_numpy():
        node = cell_type
        while node != broad:
            node = parent[node]
    assert set(parent.values()) - set(parent) == {"root"}


def test_siblings_are_more_alike_than_cousins() -> None:
    gap = []
    for rng in range(5):
        adata = simulate_reference(20, 500, 8, rng=rng)
        parent = dict(zip(adata.uns["tree"]["child"].tolist(), adata.uns["tree"]["parent"].tolist(), strict=True))
        alike = np.corrcoef(np.log(adata.varm["profiles"]).T)
        types = types_of(adata)
        together: dict[bool, list[float]] = {True: [], False: []}
        for i, j in itertools.combinations(range(8), 2):
            together[parent[types[i]] == parent[types[j]]].append(alike[i, j])
        gap.append(np.mean(together[True]) - np.mean(together[False]))
    assert min(gap) > 0.01


def test_markers_are_what_their_definition_says() -> None:
    adata = simulate_reference(50, 400, 4, type_strength=1.5, rng=3)
    profiles = adata.varm["profiles"]
    for gene in range(adata.n_vars):
        order = np.argsort(profiles[gene])[::-1]
        fold = profiles[gene, order[0]] / profiles[gene, order[1]]
        marker = adata.var["marker_of"].iloc[gene]
        assert adata.var["marker_fold"].iloc[gene] == pytest.approx(fold, rel=1e-5)
        assert (marker == types_of(adata)[order[0]]) if fold >= 2 else pd.isna(marker)
    assert 10 < adata.var["marker_of"].notna().sum() < 300


def test_imbalance_and_unseen_types() -> None:
    adata = simulate_reference(4000, 20, 6, imbalance=10, unseen_types=2, rng=1)
    n = adata.obs["cell_type"].value_counts()
    assert n.max() / n.min() == pytest.approx(10, rel=0.05)
    unseen = adata.uns["simulation"]["unseen"].tolist()
    assert len(unseen) == 2
    assert (adata.obs["unseen"] == adata.obs["cell_type"].isin(unseen)).all()
    even = simulate_reference(600, 20, 6, imbalance=1).obs["cell_type"].value_counts()
    assert even.tolist() == [100] * 6
    # Even the rarest type has a cell.
    assert simulate_reference(9, 20, 8, imbalance=1000).obs["cell_type"].nunique() == 8


def test_equal_seeds_give_equal_cells_and_types_do_not_hang_on_their_number() -> None:
    kwargs: dict[str, Any] = {"n_batches": 2, "doublets": 0.1, "dropout": 0.1, "ambient": 0.1}
    a, b, c = (simulate_reference(200, 80, 4, rng=seed, **kwargs) for seed in (5, 5, 6))
    assert (a.X != b.X).nnz == 0
    pd.testing.assert_frame_equal(a.obs, b.obs)
    assert (a.X != c.X).nnz > 0
    more = simulate_reference(333, 80, 4, rng=5, depth=100)
    np.testing.assert_array_equal(a.varm["profiles"], more.varm["profiles"])
    assert a.uns["tree"]["child"].tolist() == more.uns["tree"]["child"].tolist()


@pytest.mark.parametrize("unseen", [0, 1])
def test_it_can_be_written(tmp_path: Path, unseen: int) -> None:
    adata = simulate_reference(60, 40, 4, n_batches=2, doublets=0.1, unseen_types=unseen)
    adata.write_h5ad(tmp_path / "a.h5ad")
    back = ad.read_h5ad(tmp_path / "a.h5ad")
    assert (back.X != adata.X).nnz == 0
    for frame in ("obs", "var"):
        pd.testing.assert_frame_equal(getattr(back, frame), getattr(adata, frame), check_categorical=False)
    for key in ("profiles", "batch_shift"):
        np.testing.assert_array_equal(back.varm[key], adata.varm[key])
    assert back.uns["tree"].keys() == adata.uns["tree"].keys()
    assert back.uns["simulation"].keys() == adata.uns["simulation"].keys()
    for name, value in adata.uns["simulation"].items():
        assert np.array_equal(back.uns["simulation"][name], value), name
    for name, value in adata.uns["tree"].items():
        assert back.uns["tree"][name].tolist() == value.tolist()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n_types": 1}, "n_types must be a whole number, 2 or more, not 1"),
        ({"n_cells": 5}, "n_cells must be a whole number, 8 or more, not 5"),
        ({"n_cells": 1e3}, "whole number"),
        ({"n_batches": 0}, "n_batches"),
        ({"depth": 0}, "depth"),
        ({"imbalance": 0.5}, "imbalance"),
        ({"type_strength": -1}, "type_strength"),
        ({"batch_strength": float("nan")}, "batch_strength"),
        ({"dropout": 1.1}, "dropout must be a number between 0 and 1, not 1.1"),
        ({"ambient": -0.1}, "ambient"),
        ({"doublets": 2}, "doublets"),
        ({"unseen_types": 8}, "leaves no type"),
    ],
)
def test_arguments_out_of_range_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        simulate_reference(**wrong)
