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
        (["--output", "out.csv"], "is an .h5ad file"),
        (["--output", "nowhere/out.h5ad"], "folder that does not exist"),
        (["--predict", "A+"], "a part of the name is empty"),
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
