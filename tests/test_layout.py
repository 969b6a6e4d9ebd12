"""The structure of the package, held to its limits; ``python tests/layout.py`` prints the figures."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import pytest

import layout

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.once
@pytest.mark.parametrize("file", layout.modules(), ids=lambda f: f.relative_to(layout.SOURCE).as_posix())
def test_imports_run_one_way(file: Path):
    if file == layout.SOURCE / "__init__.py":
        pytest.skip("the top package hands out every other, lazily: see test_package.py")
    package = layout.package_of(file)
    assert package in layout.ALLOWED, f"say in tests/layout.py what the new package {package!r} may import"
    assert not layout.wrong_way(file), f"{package} must not import these: see the layout in docs/contributing.md"


@pytest.mark.once
def test_no_package_imports_a_private_module_of_another():
    assert layout.private_imports() == []


def test_no_two_packages_import_each_other():
    assert layout.two_way_pairs() == []


def test_no_files_import_each_other():
    assert layout.circles() == []


def test_modules_are_short():
    assert [str(file) for file in layout.modules() if layout.lines(file) > 300] == []


def test_signatures_are_short():
    wide = [each for each in layout.signatures() if each[0] >= 8]
    assert wide[0][0] <= 23
    assert len(wide) <= 20


@pytest.mark.once
@pytest.mark.slow
@pytest.mark.parametrize(("call", "most"), [("annotate", 70), ("predict_perturbation", 48)])
def test_a_call_passes_through_few_files(call: str, most: int):
    assert len(layout.files_of_a_call(call)) <= most


def test_the_measures_see_what_they_should():
    tree = ast.parse(
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from sc_annotate.cli import main\n"
        "def f():\n    from sc_annotate import pl\n    import sc_annotate.tl._fit\n"
        "    from sc_annotate import __version__\n"
    )
    found = layout.imports_in(tree, layout.SOURCE / "trust" / "conformal.py")
    assert sorted(each.package for each in found) == ["cli", "pl", "tl"]
    assert [each.dotted for each in found if "._" in each.dotted] == ["sc_annotate.tl._fit"]
