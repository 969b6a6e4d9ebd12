"""The templates of the page for contributors run, and a package made of them is found everywhere."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import sc_annotate as sca
from sc_annotate._core import registry
from sc_annotate.errors import MethodError

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "contributing.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^```{code-block} \w+\n:caption: (\S+)\n\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL))
SNIPPETS = re.findall(r"^```python\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The files of the page in a folder."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "src" / "sc_annotate_cosine" / "__init__.py").touch()
    return tmp_path


@pytest.fixture
def importable(project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(project / "src")
    yield
    for name in [name for name in sys.modules if name.startswith("sc_annotate_cosine")]:
        del sys.modules[name]
    for task, name in (("annotation", "sharp_cosine"), ("annotation", "cosine"), ("perturbation", "half_median")):
        registry.unregister(task, name)


def test_the_page_has_the_files_that_a_package_needs() -> None:
    assert sorted(FILES) == [
        "pyproject.toml",
        "src/sc_annotate_cosine/annotators.py",
        "src/sc_annotate_cosine/predictors.py",
        "tests/test_contract.py",
    ]


def test_the_templates_keep_the_contracts(project: Path, importable: None) -> None:
    names = runpy.run_path(str(project / "tests" / "test_contract.py"))
    names["test_annotator"]()
    names["test_predictor"]()


def test_the_other_examples_run(importable: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for code in SNIPPETS:
        exec(compile(code, "contributing.md", "exec"), names)
    row = sca.tl.methods().loc["sharp_cosine"]
    assert row["summary"] == "Cosine similarity, with probabilities near 0 and 1"
    assert row["parameters"] == "sharpness=100.0"
    assert sca.tl.methods("perturbation").loc["half_median", "parameters"] == "scale=0.5"
    registry.unregister("annotation", "sharp_cosine")
    with pytest.raises(MethodError, match=r"no annotation method 'sharp_cosine'.* registered by a decorator, run that"):
        sca.load("sharp_cosine.safetensors")


def test_the_page_says_why_the_decorator_of_the_class_is_needed(importable: None) -> None:
    code = SNIPPETS[1].replace("@dataclass\n", "", 1)
    with pytest.raises(AssertionError, match="sharpness of SharpCosine cannot be set, as the class is no dataclass"):
        exec(compile(code, "contributing.md", "exec"), {})


LISTED = """
import sys
from pathlib import Path
import sc_annotate as sca
from sc_annotate._core import registry
from sc_annotate.cli import main

sys.path.insert(0, sys.argv[1])
import generated_pages

DECLARED = {
    "annotation": ("Cosine similarity to the mean profile of each type.", "log", True, "sharpness=20.0"),
    "perturbation": (
        "The median change of the training conditions, for every condition whose targets are genes of the screen.",
        "profiles",
        False,
        "scale=1.0",
    ),
}
for task, name in (("annotation", "cosine"), ("perturbation", "median_change")):
    row = sca.tl.methods(task).loc[name]
    assert row["source"] == "sc-annotate-cosine"
    assert row[["summary", "inputs", "saves", "parameters"]].tolist() == list(DECLARED[task]), row
    page = Path(sys.argv[2]) / f"{task}.md"
    generated_pages.write_methods(page, task)
    assert f"`{name}`" in page.read_text() and "`sc-annotate-cosine`" in page.read_text()
sca.testing.check_annotator(registry.load(registry.get("annotation", "cosine")))
sca.testing.check_predictor(registry.load(registry.get("perturbation", "median_change")))
main(["methods", "--parameters"])
adata = sca.datasets.pbmc68k()
sca.tl.annotate(adata[500:].copy(), adata[:500].copy(), "cell_type", method="cosine", cv=0)
"""


@pytest.mark.once
@pytest.mark.slow
def test_a_wheel_of_the_templates_is_found_everywhere(project: Path, tmp_path: Path) -> None:
    pytest.importorskip("hatchling", reason="the wheel is built with hatchling, which is not installed")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", "dist"]
    subprocess.run(build, cwd=project, check=True, capture_output=True)
    (wheel,) = (project / "dist").glob("*.whl")
    # To install a wheel without scripts and data is to unpack it.
    zipfile.ZipFile(wheel).extractall(tmp_path / "installed")
    path = os.pathsep.join(filter(None, [str(tmp_path / "installed"), os.environ.get("PYTHONPATH", "")]))
    code = [sys.executable, "-c", LISTED, str(DOCS / "_extensions"), str(tmp_path)]
    done = subprocess.run(code, cwd=tmp_path, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^cosine +Cosine.*\n +sharpness=20.0$", done.stdout, flags=re.MULTILINE)
    assert re.search(r"^median_change +The median.*\n +scale=1.0$", done.stdout, flags=re.MULTILINE)
