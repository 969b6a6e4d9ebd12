"""What holds for the package as a whole: import cost, public signatures, metadata."""

from __future__ import annotations

import ast
import inspect
import os
import re
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

import sc_annotate as sca

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "sc_annotate"
MODULES = sorted(SOURCE.rglob("*.py"))

HEAVY = {
    "anndata",
    "dask",
    "lightning",
    "matplotlib",
    "mudata",
    "networkx",
    "pandas",
    "pertpy",
    "safetensors",
    "scanpy",
    "scvi",
    "sklearn",
    "torch",
    "zarr",
}

NETWORKS = {"callbacks.py", "checkpoints.py", "encoder.py", "mlp.py", "module.py", "nact.py"}

PACKAGES = [
    "annotators",
    "benchmark",
    "datasets",
    "encoders",
    "get",
    "metrics",
    "models",
    "pl",
    "pp",
    "predictors",
    "testing",
    "tl",
    "trust",
]


def _python(code: str) -> str:
    """What a fresh interpreter prints; without the coverage of this run, which would be timed as well."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("COV")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=clean, check=True)
    return done.stdout.strip()


# ---- import cost


def test_import_brings_in_nothing_heavy():
    loaded = _python(
        "import sys; import sc_annotate; print(' '.join(sorted({name.partition('.')[0] for name in sys.modules})))"
    ).split()
    assert "sc_annotate" in loaded
    assert not HEAVY.intersection(loaded)


def test_import_takes_under_a_tenth_of_a_second():
    # Seconds of the processor, and the smallest of several: a busy machine must not decide.
    code = "from time import process_time as t; a = t(); import sc_annotate; print(t() - a)"
    assert min(float(_python(code)) for _ in range(5)) < 0.1


def test_listing_packages_stays_lazy():
    """All in one process: what none of them brings in together, none brings in alone."""
    code = (
        "import sys, sc_annotate\n"
        f"for package in {PACKAGES}:\n"
        "    getattr(sc_annotate, package)\n"
        "    print(package, *sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    lines = [line.split() for line in _python(code).splitlines()]
    assert [line[0] for line in lines] == PACKAGES
    assert {line[0]: found for line in lines if (found := HEAVY.intersection(line[1:]))} == {}


def test_public_names_resolve_and_others_do_not():
    for name in sca.__all__:
        assert getattr(sca, name) is not None
    assert set(dir(sca)) == set(sca.__all__)
    with pytest.raises(AttributeError, match="no_such_package"):
        sca.no_such_package  # noqa: B018


# ---- heavy imports


def _module_level(body: list[ast.stmt]) -> list[ast.stmt]:
    """Statements that run on import, those inside `if`, `try` and `with` included, `if TYPE_CHECKING` not."""
    found: list[ast.stmt] = []
    for node in body:
        if isinstance(node, ast.If) and ast.unparse(node.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}:
            found += _module_level(node.orelse)
            continue
        found.append(node)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for part in ("body", "orelse", "finalbody"):
            found += _module_level(getattr(node, part, []))
        for handler in getattr(node, "handlers", []):
            found += _module_level(handler.body)
    return found


@pytest.mark.once
@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(SOURCE).as_posix())
def test_heavy_libraries_are_imported_inside_functions(path: Path):
    if path == SOURCE / "accessor.py":
        pytest.skip("importing it is how a user asks for anndata's registration")
    if path.parent == SOURCE / "neural" and path.name in NETWORKS:
        pytest.skip("networks are classes of torch; what needs one imports it in a function")
    heavy = {
        name.partition(".")[0]
        for node in _module_level(ast.parse(path.read_text(encoding="utf-8")).body)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([a.name for a in node.names] if isinstance(node, ast.Import) else [node.module or ""])
    }
    assert not HEAVY.intersection(heavy)


def test_networks_are_imported_inside_functions():
    """Else torch would come with whatever imports them."""
    for path in MODULES:
        if path.parent == SOURCE / "neural" and path.name in NETWORKS:
            continue
        for node in _module_level(ast.parse(path.read_text(encoding="utf-8")).body):
            if isinstance(node, ast.ImportFrom):
                parent, _, name = (node.module or "").rpartition(".")
                assert not (parent == "sc_annotate.neural" and f"{name}.py" in NETWORKS), path


def test_the_helper_above_sees_what_it_should():
    tree = ast.parse(
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    import pandas\n"
        "try:\n    import torch\nexcept ImportError:\n    torch = None\n"
        "def f():\n    import scanpy\n"
    )
    imports = [n for n in _module_level(tree.body) if isinstance(n, ast.Import)]
    assert [a.name for n in imports for a in n.names] == ["torch"]


# ---- public names


def _public() -> dict[str, object]:
    """Every public function and class, by dotted name."""
    names = {
        f"{package}.{name}": getattr(getattr(sca, package), name)
        for package in PACKAGES
        for name in getattr(sca, package).__all__
    }
    names |= {
        name: getattr(sca, name) for name in sca.__all__ if name not in {*PACKAGES, "__version__", "errors", "settings"}
    }
    return {name: value for name, value in names.items() if callable(value)}


PUBLIC = _public()
# Calls that start from something else than the AnnData to annotate.
FIRST = {
    "tl.fit_annotator": "reference",
    "tl.convert_celltypist": "source",
    "tl.load": "source",
    "tl.methods": None,
    "tl.evaluate_perturbation": "truth",
    "tl.genetic_interactions": "profiles",
    "pp.parse_conditions": "names",
    "pp.perturbation_embedding": "profiles",
    "pp.predictable": "profiles",
    "pp.read_ontology": "source",
}


def test_every_package_says_what_is_public():
    for package in PACKAGES:
        module = getattr(sca, package)
        assert sorted(module.__all__) == list(module.__all__)
        assert all(hasattr(module, name) for name in module.__all__)
    assert {"tl.annotate", "tl.fit_annotator", "pp.inspect", "get.annotation", "pl.annotation"} <= set(PUBLIC)


@pytest.mark.parametrize("name", [n for n in PUBLIC if n.partition(".")[0] in {"tl", "pp", "get", "pl"}])
def test_signature(name: str):
    function = PUBLIC[name]
    if inspect.isclass(function):
        pytest.skip("classes take what they hold")
    parameters = list(inspect.signature(function).parameters.values())
    first = FIRST.get(name, "adata")
    if first is not None:
        assert parameters[0].name == first
    positional = [p for p in parameters if p.kind in {p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD}]
    assert len(positional) <= 3
    assert not any(p.kind in {p.VAR_POSITIONAL, p.VAR_KEYWORD} for p in parameters)
    assert all(p.annotation is not p.empty for p in parameters)
    names = {p.name for p in parameters}
    # `rng` is the name that SPEC 7 gives; these are its older ones, and scanpy's flags on their way out.
    assert not names & {"random_state", "seed", "copy", "inplace"}
    if name.startswith(("pl.", "get.")):
        assert parameters[1].name == ("keys" if name == "get.annotations" else "key")
        assert parameters[1].kind is parameters[1].POSITIONAL_OR_KEYWORD
    if name.startswith("pl."):
        assert {"ax", "show", "save", "return_fig"} <= names
        assert all(p.kind is p.KEYWORD_ONLY for p in parameters if p.name in {"ax", "show", "save", "return_fig"})


@pytest.mark.parametrize("name", PUBLIC)
def test_docstring_has_an_example(name: str):
    doc = inspect.getdoc(PUBLIC[name]) or ""
    assert re.search(r"^Examples\n-+\n(.|\n)*>>> ", doc, flags=re.MULTILINE), f"{name} has no Examples section"


@pytest.mark.parametrize("name", [n for n in PUBLIC if inspect.isfunction(PUBLIC[n])])
def test_docstring_names_every_parameter(name: str):
    doc = inspect.getdoc(PUBLIC[name]) or ""
    section = doc.partition("Parameters\n")[2]
    documented = set(re.findall(r"^\*{0,2}(\w+)", section, flags=re.MULTILINE))
    for line in re.findall(r"^(\w+(?:, \w+)+)$", section, flags=re.MULTILINE):
        documented |= set(line.split(", "))
    assert set(inspect.signature(PUBLIC[name]).parameters) <= documented


# ---- metadata


@pytest.fixture(scope="module")
def pyproject() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_version_is_the_same_everywhere(pyproject: dict):
    assert sca.__version__ == pyproject["project"]["version"]
    assert f"\nversion: {sca.__version__}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")


def test_extras_and_dependency_groups_are_the_same(pyproject: dict):
    extras = pyproject["project"]["optional-dependencies"]
    groups = pyproject["dependency-groups"]
    assert {name: extras[name] for name in groups} == groups


def test_linters_are_pinned_alike(pyproject: dict):
    pins = dict(p.split("==") for p in pyproject["dependency-groups"]["dev"] if "==" in p)
    hooks = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    assert set(re.findall(r"ruff==([\d.]+)", hooks)) == {pins["ruff"]}
    assert "mypy" in pins


def test_ruff_bans_what_this_file_bans(pyproject: dict):
    assert set(pyproject["tool"]["ruff"]["lint"]["flake8-tidy-imports"]["banned-module-level-imports"]) == HEAVY


def test_entry_points_import():
    """The command line that pyproject.toml promises exists."""
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
    for target in scripts.values():
        module, _, name = target.partition(":")
        assert callable(getattr(import_module(module), name))


@pytest.mark.parametrize("marker", ["demo", "test"])
def test_readme_setup_commands_are_one_line_each(marker: str):
    """`.ci/run` reads them from there."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.findall(rf"<!-- ci:{marker} -->\n```bash\n([^\n]+)\n```\n", text)
    assert len(found) == 1
    assert found[0].startswith("python -m venv .venv && ")


def test_links_of_the_readme_lead_somewhere():
    links = re.findall(r"\]\(([^)#]+)", (ROOT / "README.md").read_text(encoding="utf-8"))
    local = [link for link in links if "://" not in link]
    assert local
    assert not [link for link in local if not (ROOT / link).exists()]
