"""``sc-annotate perturb``."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import sc_annotate as sca
from sc_annotate.cli import main

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture(scope="module")
def screen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("screen") / "screen.h5ad"
    sca.datasets.simulate_perturb_seq(3000, 60, 12, 0, rng=0).write_h5ad(path)
    return path


def test_from_file_to_file(screen: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output, scores = tmp_path / "out.h5ad", tmp_path / "scores.csv"
    args = ["perturb", screen, "--predict", "G50", "--predict", "G50+G14", "--predict", "XIST"]
    assert main([str(a) for a in [*args, "--output", output, "--scores", scores]]) == 0
    said = capsys.readouterr().out
    assert "G50: " in said
    assert "XIST: not predicted; " in said
    assert "better than" in said or "uninformative" in said
    found = ad.read_h5ad(output)
    assert found.obs_names.tolist() == ["G50", "G14+G50", "XIST"]
    assert np.isnan(found.X[2]).all()
    assert set(pd.read_csv(scores)["method"]) == {"linear", "mean", "no_change"}


@pytest.mark.parametrize(
    ("more", "text"),
    [
        (["--control", "contrl"], "Did you mean 'control'"),
        (["--method", "linaer"], "Did you mean 'linear'"),
        (["--output", "out.csv"], "ends in .h5ad, not 'out.csv'"),
        (["--output", "nowhere/out.h5ad"], "does not exist; make it first"),
        (["--scores", "nowhere/scores.csv"], "does not exist; make it first"),
        (["--scores", "scores.csv", "--no-scores"], "leave out one of them"),
        (["--predict", "A+"], "a part of the name is empty"),
        (["--param", "n_components"], "such as --param n_components=5"),
        (["--param", "penalty=1", "--param", "penalty=2"], "--param penalty occurs twice"),
        (["--param", "componets=3"], "It takes: n_components"),
        (["--param", "penalty=strong"], "penalty must be a positive number, not 'strong'"),
    ],
)
def test_bad_input_is_one_line(screen: Path, more: list[str], text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["perturb", str(screen), *more]) == 1
    said = capsys.readouterr().err.strip()
    assert text in said
    assert said.count("\n") == 0


def test_the_screen_is_never_written_over(screen: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = screen.read_bytes()
    assert main(["perturb", str(screen), "--output", str(screen), "--force"]) == 1
    (tmp_path / "there.h5ad").touch()
    assert main(["perturb", str(screen), "--output", str(tmp_path / "there.h5ad")]) == 1
    assert "--force" in capsys.readouterr().err
    assert screen.read_bytes() == before


def test_parameters_reach_the_method(screen: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.h5ad"
    args = ["perturb", screen, "--predict", "G50", "--output", out, "--no-scores"]
    args += ["--param", "n_components=3", "--param", "penalty = 5"]
    assert main([str(a) for a in args]) == 0
    adata = ad.read_h5ad(screen)
    kwargs = {"n_components": 3, "penalty": 5}
    sca.tl.predict_perturbation(adata, conditions=["G50"], method_kwargs=kwargs, evaluate=False)
    np.testing.assert_array_equal(ad.read_h5ad(out).X, sca.get.perturbation(adata).X)
    sca.tl.predict_perturbation(adata, conditions=["G50"], evaluate=False)
    assert not np.array_equal(ad.read_h5ad(out).X, sca.get.perturbation(adata).X)


@pytest.fixture(scope="module")
def two_lines(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Cells of one line; profiles of the other."""
    folder = tmp_path_factory.mktemp("lines")
    both = sca.datasets.simulate_perturb_seq(4000, 60, 12, 0, second_line=True, rng=0)
    other = both.obs["cell_line"] == "line_2"
    both[~other].copy().write_h5ad(folder / "cells.h5ad")
    sca.pp.perturbation_profiles(both[other].copy()).write_h5ad(folder / "profiles.h5ad")
    both[other].copy().write_h5ad(folder / "other.h5ad")
    return folder / "cells.h5ad", folder / "profiles.h5ad"


@pytest.mark.parametrize("name", ["profiles.h5ad", "other.h5ad"])
def test_another_screen_is_a_file(two_lines: tuple[Path, Path], tmp_path: Path, name: str) -> None:
    cells, profiles = two_lines
    out, target = tmp_path / "out.h5ad", str(ad.read_h5ad(profiles).obs_names[3])
    args = ["perturb", cells, "--predict", target, "--output", out, "--no-scores", "--method", "transfer"]
    assert main([str(a) for a in [*args, "--param", f"source={profiles.parent / name}"]]) == 0
    adata = ad.read_h5ad(cells)
    kwargs = {"source": ad.read_h5ad(profiles)}
    sca.tl.predict_perturbation(adata, conditions=[target], method="transfer", method_kwargs=kwargs, evaluate=False)
    np.testing.assert_array_equal(ad.read_h5ad(out).X, sca.get.perturbation(adata).X)


@pytest.mark.parametrize("key", ["perturbation", None])
def test_log_fold_changes(tmp_path: Path, capsys: pytest.CaptureFixture[str], key: str | None) -> None:
    names = [f"G{i}" for i in range(12)]
    values = np.random.default_rng(0).normal(size=(12, 30)).astype(np.float32)
    obs = pd.DataFrame({key: names} if key else {}, index=[f"row {i}" for i in range(12)] if key else names)
    path = tmp_path / "lfc.h5ad"
    ad.AnnData(values, obs=obs, var=pd.DataFrame(index=[f"G{i}" for i in range(30)])).write_h5ad(path)
    assert main(["perturb", str(path), "--predict", "G20"]) == 1
    said = capsys.readouterr().err.strip()
    assert "pass --lfc" in said
    assert said.count("\n") == 0
    assert main(["perturb", str(path), "--lfc", "--predict", "G20", "--output", str(tmp_path / "out.h5ad")]) == 0
    assert np.isfinite(ad.read_h5ad(tmp_path / "out.h5ad").X).all()
    profiles = sca.pp.profiles_from_lfc(ad.read_h5ad(path), key)
    sca.tl.predict_perturbation(profiles, conditions=["G20"])
    np.testing.assert_array_equal(ad.read_h5ad(tmp_path / "out.h5ad").X, sca.get.perturbation(profiles).X)
