"""Methods on the command line: their list, their parameters, and ``python -m``."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import sc_annotate as sca
from sc_annotate.cli import main
from sc_annotate.cli.list_methods import params_of
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anndata import AnnData


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("7", 7), ("0.5", 0.5), ("1e-3", 1e-3), ("true", True), ("False", False), ("None", None), ("null", None), ("sqrt", "sqrt"),
        ("[1, 2]", [1, 2]), ('"7"', "7"), ("a=b.gmt", "a=b.gmt"), ("", ""),
    ],
)  # fmt: skip
def test_values_are_read_as_what_they_are(text: str, value: Any) -> None:
    (found,) = params_of([f"x={text}"]).values()
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("text", ["penalty", "=1", "two words=1", ""])
def test_what_is_no_parameter(text: str) -> None:
    with pytest.raises(InputError, match="NAME=VALUE"):
        params_of([text])


def test_all_tasks_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["methods"]) == 0
    shown = capsys.readouterr().out
    assert "annotation:\n" in shown
    assert "\n\nperturbation:\n" in shown
    assert shown.index("logreg ") < shown.index("perturbation:") < shown.index("additive ")
    assert "random_forest      Random forest (cannot be saved)" in shown
    assert "n_trees=" not in shown


def test_one_task_with_parameters(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["methods", "--task", "perturbation", "--parameters"]) == 0
    shown = capsys.readouterr().out
    assert all(f"{name} " in shown for name in sca.tl.methods("perturbation").index)
    assert "logreg" not in shown
    assert "cannot be saved" not in shown
    assert "n_components=10, penalty=0.1, tune=False" in shown


def test_another_task_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["methods", "--task", "singing"])
    assert "perturbation" in capsys.readouterr().err


def test_parameters_of_an_annotator(
    pair: tuple[AnnData, AnnData], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, each in zip(("reference", "query"), pair, strict=True):
        each.write_h5ad(tmp_path / f"{name}.h5ad")
    model = tmp_path / "m.safetensors"
    args = ["train", tmp_path / "reference.h5ad", model, "--labels-key", "cell_type", "--method", "knn", "--cv", "0"]
    assert main([str(a) for a in [*args, "--param", "n_neighbors=7"]]) == 0
    assert "n_neighbors=7," in capsys.readouterr().out
    args = ["annotate", tmp_path / "query.h5ad", tmp_path / "out.h5ad", "--model", model, "--param", "n_neighbors=9"]
    assert main([str(a) for a in args]) == 1
    assert "--param says how a model is fitted" in capsys.readouterr().err
    assert not (tmp_path / "out.h5ad").exists()


def test_run_as_a_module() -> None:
    source = str(Path(sca.__file__).parents[1])
    found = subprocess.run(
        [sys.executable, "-m", "sc_annotate", "--version"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": source},
    )
    assert found.stdout.strip() == f"sc-annotate {sca.__version__}"
