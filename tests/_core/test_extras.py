"""What an error says where an optional package cannot be imported."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import sc_annotate as sca
from sc_annotate._core.extras import EXTRAS, install_line, missing_extra
from sc_annotate.errors import MissingExtraError

if TYPE_CHECKING:
    from anndata import AnnData

OTHERS = {"dev", "docs", "oracles", "test", "all", "large"}
"""Extras of those who work on the package, of all of these, or of packages that ours never imports."""


def test_the_packages_are_those_of_the_project_file() -> None:
    file = Path(__file__).parents[2] / "pyproject.toml"
    declared = tomllib.loads(file.read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    assert {name: list(packages) for name, packages in EXTRAS.items()} == {
        name: packages for name, packages in declared.items() if name not in OTHERS
    }


@pytest.mark.parametrize("extra", list(EXTRAS))
def test_the_line_installs_packages_and_not_this_one(extra: str) -> None:
    line = install_line(extra)
    assert line.startswith("pip install ")
    assert "sc-annotate" not in line
    assert ";" not in line
    assert ("statsmodels" in line) == (extra == "perturb" and sys.version_info < (3, 12))


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ModuleNotFoundError("No module", name="decoupler"), "markers need decoupler, which is not installed. Run: pip install"),
        (
            ModuleNotFoundError("No module", name="xgboost.core"),
            "which is installed and cannot be imported: the module 'xgboost.core', which it needs, is missing. Run: pip install "
            '"decoupler>=2" xgboost',
        ),
        (ImportError("cannot import name 'x' from 'y'", name="y"), "cannot import name 'x' from 'y'. Run: pip install"),
    ],
    ids=["not installed", "a dependency is missing", "another version"],
)  # fmt: skip
def test_the_module_that_is_missing_is_named(error: ImportError, words: str) -> None:
    assert words in str(missing_extra("markers need decoupler", "decoupler", "markers", error))


def test_without_decoupler(pbmc: AnnData, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "decoupler", None)
    lists: dict[str, Any] = {"B": ["CD79A"], "Mono": ["LYZ"]}
    with pytest.raises(MissingExtraError, match=r'which is not installed\. Run: pip install "decoupler>=2"'):
        sca.tl.annotate_markers(pbmc, lists)
