"""Measure the structure of the package: who imports whom, sizes, signatures, files that a call passes through.

``python tests/layout.py`` prints the figures; ``tests/test_layout.py`` holds them to their limits.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src" / "sc_annotate"
PACKAGE = "sc_annotate"

# What each package may import besides itself, from the bottom up. Nobody imports `testing`, or the package as a whole.
_LOW = {"errors", "_core"}
_OPENED = _LOW | {"_vocabulary", "_data", "_store"}
_FORMULAS = _LOW | {"_vocabulary", "metrics", "evaluation"}
_METHODS = {"annotators", "predictors", "encoders", "trust", "neural"}
_PIPELINES = {"annotation", "perturbation", "representation"}
_BELOW_CALLS = _OPENED | _FORMULAS | _METHODS | {"interop"} | _PIPELINES
_CALLS = {"pp", "tl", "get", "models"}
ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "_core": {"errors"},
    "_vocabulary": _LOW,
    "_data": _LOW | {"_vocabulary"},
    "_store": _LOW | {"_vocabulary", "_data"},
    "metrics": _LOW | {"_vocabulary"},
    "evaluation": _LOW | {"metrics"},
    "neural": _LOW,
    "encoders": _LOW | {"metrics", "evaluation", "neural"},
    "annotators": _LOW | {"metrics", "evaluation", "neural"},
    "predictors": _LOW | {"metrics", "evaluation", "neural"},
    "trust": _LOW | {"_vocabulary", "metrics", "evaluation"},
    "interop": _OPENED | {"annotators"},
    "annotation": _OPENED | _FORMULAS | _METHODS | {"interop"},
    "perturbation": _OPENED | _FORMULAS | _METHODS | {"interop"},
    "representation": _OPENED | _FORMULAS | _METHODS | {"interop"},
    "models": _OPENED | {"interop"},
    "pp": _BELOW_CALLS,
    "tl": _BELOW_CALLS,
    "get": _BELOW_CALLS,
    "pl": _LOW | {"_store"},
    "datasets": _LOW | {"_vocabulary", "_data"},
    "registration": _LOW,
    "testing": _BELOW_CALLS | _CALLS | {"datasets"},
    "accessor": _BELOW_CALLS | _CALLS | {"pl"},
    "benchmark": _BELOW_CALLS | _CALLS | {"pl", "datasets"},
    "cli": _BELOW_CALLS | _CALLS | {"pl", "datasets", "benchmark"},
    "__main__": {"cli"},
}


@dataclass(frozen=True)
class Import:
    """One imported name, wherever it stands: in a function, or for types alone."""

    file: Path
    module: str
    name: str | None

    @property
    def dotted(self) -> str:
        return self.module if self.name is None else f"{self.module}.{self.name}"

    @property
    def package(self) -> str:
        """The package under ``sc_annotate`` that it comes from."""
        return self.dotted.split(".")[1]

    @property
    def target(self) -> Path | None:
        """The file that is imported."""
        for dotted in (self.dotted, self.module):
            place = SOURCE.joinpath(*dotted.split(".")[1:])
            for file in (place.with_suffix(".py"), place / "__init__.py"):
                if file.is_file():
                    return file
        return None


@cache
def modules() -> tuple[Path, ...]:
    return tuple(sorted(SOURCE.rglob("*.py")))


@cache
def parsed(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def package_of(file: Path) -> str:
    return file.relative_to(SOURCE).parts[0].removesuffix(".py")


def imports(file: Path) -> list[Import]:
    """Imports of this package's own modules."""
    return imports_in(parsed(file), file)


def imports_in(tree: ast.AST, file: Path) -> list[Import]:
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            if node.level:
                raise ValueError(f"{file}: relative imports are not used here")
            if node.module and node.module.split(".")[0] == PACKAGE:
                found += [Import(file, node.module, alias.name) for alias in node.names]
        elif isinstance(node, ast.Import):
            found += [
                Import(file, alias.name, None)
                for alias in node.names
                if alias.name.split(".")[0] == PACKAGE and "." in alias.name
            ]
    return [each for each in found if each.dotted != f"{PACKAGE}.__version__"]


def every_import() -> list[Import]:
    return [each for file in modules() if file != SOURCE / "__init__.py" for each in imports(file)]


def wrong_way(file: Path) -> list[str]:
    """Packages that this file must not import."""
    own = package_of(file)
    return sorted({each.package for each in imports(file)} - ALLOWED[own] - {own})


def private_imports() -> list[str]:
    """Imports of another package's private module or name."""
    return sorted(
        {
            f"{each.file.relative_to(SOURCE)}: {each.dotted}"
            for each in every_import()
            if each.package != package_of(each.file)
            and any(part.startswith("_") and not part.endswith("__") for part in each.dotted.split(".")[2:])
        }
    )


def two_way_pairs() -> list[tuple[str, str]]:
    pairs = {(package_of(each.file), each.package) for each in every_import()}
    return sorted((a, b) for a, b in pairs if a < b and (b, a) in pairs)


def circles() -> list[list[str]]:
    """Files that import each other, directly or not."""
    import networkx as nx

    graph = nx.DiGraph()
    for each in every_import():
        if each.target is not None and each.target != each.file:
            graph.add_edge(each.file, each.target)
    found = [group for group in nx.strongly_connected_components(graph) if len(group) > 1]
    return sorted(sorted(str(file.relative_to(SOURCE)) for file in group) for group in found)


def lines(file: Path) -> int:
    return len(file.read_text(encoding="utf-8").splitlines())


def signatures() -> list[tuple[int, str]]:
    """Number of parameters, and where, of every function and method."""
    found = []
    for file in modules():
        for node in ast.walk(parsed(file)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                arguments = node.args
                every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
                # What every plot takes, and takes last, is learned once: tests/pl/test_arguments.py holds it.
                shared = ("ax", "show", "save", "return_fig") if package_of(file) == "pl" else ()
                names = [each.arg for each in every if each.arg not in ("self", "cls", *shared)]
                found.append((len(names), f"{file.relative_to(SOURCE)}:{node.name}"))
    return sorted(found, reverse=True)


def repeated_names() -> dict[str, int]:
    counts = Counter(file.name for file in modules() if file.name != "__init__.py")
    return {name: n for name, n in counts.items() if n > 1}


def mentions(text: str) -> int:
    return sum(file.read_text(encoding="utf-8").count(text) for file in modules())


# The examples in the docstrings of the two calls, with their defaults.
CALLS = {
    "annotate": """
adata = sca.datasets.pbmc68k()
reference, query = adata[:500].copy(), adata[500:].copy()
call = lambda: sca.tl.annotate(query, reference, "cell_type", method="nearest_centroid")
""",
    "predict_perturbation": """
screen = sca.datasets.simulate_perturb_seq(2000, 60, 12, 0, rng=0)
call = lambda: sca.tl.predict_perturbation(screen, conditions=["G50"])
""",
}

_TRACED = """
import json, sys, threading
import sc_annotate as sca
sca.settings.progress = False
root = sca.__file__.rpartition("/")[0]
{setup}
call()
files = set()
def seen(frame, event, argument):
    if event == "call" and frame.f_code.co_filename.startswith(root):
        files.add(frame.f_code.co_filename[len(root) + 1:])
threading.setprofile(seen)
sys.setprofile(seen)
call()
sys.setprofile(None)
threading.setprofile(None)
print(json.dumps(sorted(files)))
"""


def files_of_a_call(name: str) -> list[str]:
    """Files with a Python frame in the second of two equal calls."""
    code = _TRACED.format(setup=CALLS[name])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def report() -> None:
    wide = [each for each in signatures() if each[0] >= 8]
    print(f"files {len(modules())}, lines {sum(map(lines, modules()))}")
    for package in sorted({package_of(file) for file in modules()}):
        own = [file for file in modules() if package_of(file) == package]
        print(f"  {package:<16} {len(own):>4} files {sum(map(lines, own)):>6} lines")
    print(
        f"imports against the layout: {sum(len(wrong_way(f)) for f in modules() if f.name != '__init__.py' or f.parent != SOURCE)}"
    )
    for file in modules():
        if file != SOURCE / "__init__.py" and wrong_way(file):
            print(f"  {file.relative_to(SOURCE)} -> {', '.join(wrong_way(file))}")
    print(f"private imports across packages: {len(private_imports())}", *private_imports(), sep="\n  ")
    print(f"two-way pairs of packages: {two_way_pairs()}")
    print(f"circles between files: {len(circles())}", *circles(), sep="\n  ")
    print("modules over 300 lines:", [(str(f.relative_to(SOURCE)), lines(f)) for f in modules() if lines(f) > 300])
    print(f"functions with eight or more parameters: {len(wide)}", *(f"{n} {where}" for n, where in wide), sep="\n  ")
    print(f"file names that repeat: {len(repeated_names())}: {', '.join(sorted(repeated_names()))}")
    print(f"dict[str, Any]: {mentions('dict[str, Any]')}")
    for name in CALLS:
        files = files_of_a_call(name)
        print(f"files of a second call of {name}: {len(files)}")
        if "-v" in sys.argv:
            print(*files, sep="\n  ")


if __name__ == "__main__":
    report()
