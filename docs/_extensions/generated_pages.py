"""Pages that are made from the code, so that they stay up to date.

* ``generated/api_*.rst``: one page per package, a row for each name in its ``__all__``;
* ``generated/include/methods.md``, ``predictors.md`` and ``encoders.md``: the tables of methods, from the registry;
* ``tutorials/*.md``: copies of the notebooks in the repository's tutorials folder.
"""

from __future__ import annotations

import filecmp
import inspect
import re
import shutil
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.config import Config

PACKAGES = {
    "tl": ("Tools", "Annotate cells, fit models, predict perturbations. Results are written in place."),
    "pp": ("Preprocessing", "Check and prepare data."),
    "get": ("Getters", "Stored results as DataFrames."),
    "pl": ("Plotting", "Draw stored results; each function returns matplotlib Axes."),
    "datasets": ("Datasets", "Small measured data sets, and simulated data with known truth."),
    "models": ("Models", "Published models, by name."),
    "benchmark": ("Benchmark", "Compare methods on the same cells, folds and seeds."),
    "metrics": ("Metrics", "Pure functions on arrays."),
    "trust": (
        "Trust",
        "Settings of confidence, prediction sets and statuses, and the functions behind them on arrays.",
    ),
    "annotators": ("Annotators", "The base class of cell typing methods, and the checks of input that they share."),
    "predictors": ("Predictors", "The base class of perturbation predictors, and what they learn from."),
    "encoders": ("Encoders", "The base class of encoders, and augmentations of cells."),
    "testing": ("Testing", "Checks for methods from other packages."),
}
PACKAGE = "sc_annotate"


def _write(path: Path, text: str) -> None:
    """Write only what changed, so that Sphinx reads again only what changed."""
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _summary(module: str, names: list[str]) -> str:
    rows = "\n".join(f"   {name}" for name in names)
    return f".. currentmodule:: {module}\n\n.. autosummary::\n   :toctree: reference\n   :nosignatures:\n\n{rows}\n"


def _page(title: str, text: str, module: str, names: list[str]) -> str:
    return f"{title}\n{'=' * len(title)}\n\n{text}\n\n{_summary(module, names)}"


def _is_documented(value: object) -> bool:
    return inspect.isroutine(value) or inspect.isclass(value)


def write_api(folder: Path) -> None:
    """One page for each package, and one for the top level."""
    for name, (title, text) in PACKAGES.items():
        module = import_module(f"{PACKAGE}.{name}")
        names = [each for each in module.__all__ if _is_documented(getattr(module, each))]
        _write(folder / f"api_{name}.rst", _page(f"{title}: sca.{name}", text, module.__name__, names))
    package = import_module(PACKAGE)
    top = [name for name in package.__all__ if _is_documented(getattr(package, name))]
    text = "Load a saved model, register a method in a notebook."
    _write(folder / "api_top.rst", _page("Top level: sca", text, PACKAGE, top))
    errors = import_module(f"{PACKAGE}.errors")
    text = "Exceptions of the package. All derive from ``ScAnnotateError``."
    _write(folder / "api_errors.rst", _page("Errors: sca.errors", text, errors.__name__, list(errors.__all__)))


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def write_methods(path: Path, task: str = "annotation") -> None:
    """The methods of a task, one row each, those of other installed packages included; no column that says nothing."""
    registry = import_module(f"{PACKAGE}._core.registry")
    methods = list(registry.described(task).values())
    columns = {
        "name": [f"`{m.name}`" for m in methods],
        "what it is": [_cell(m.summary) for m in methods],
        "reads": [m.inputs for m in methods],
        "can be saved": ["yes" if m.saves else "no" for m in methods] if task == "annotation" else [],
        "extra": [f"`{m.extra}`" if m.extra else "" for m in methods],
        "paper": [f"[{m.reference}](https://doi.org/{m.reference})" if m.reference else "" for m in methods],
        "package": ["" if m.source == PACKAGE else f"`{m.source}`" for m in methods],
    }
    columns = {k: v for k, v in columns.items() if any(v)}
    rows = [columns, ["---"] * len(columns), *zip(*columns.values(), strict=True)]
    _write(path, "".join(f"| {' | '.join(row)} |\n" for row in rows))


def copy_tutorials(source: Path, target: Path) -> None:
    """Copy the notebooks and forget copies whose original is gone."""
    names = {path.name for path in source.glob("*.md")}
    for old in target.glob("*.md"):
        if old.name not in names | {"index.md"}:
            old.unlink()
    for name in names:
        if not (target / name).exists() or not filecmp.cmp(source / name, target / name, shallow=False):
            shutil.copyfile(source / name, target / name)


def _make(app: Sphinx, config: Config) -> None:
    docs = Path(app.srcdir)
    write_api(docs / "generated")
    write_methods(docs / "generated" / "include" / "methods.md")
    write_methods(docs / "generated" / "include" / "predictors.md", "perturbation")
    write_methods(docs / "generated" / "include" / "encoders.md", "encoding")
    copy_tutorials(docs.parent / "tutorials", docs / "tutorials")


def _escape_types(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """``np.str_`` in the type of an attribute or parameter is no reference to a target called ``np.str``."""
    for i, line in enumerate(lines):
        if line.startswith((":vartype ", ":type ")):
            lines[i] = re.sub(r"(\w)_(?=\W|$)", r"\1\\_", line)


def setup(app: Sphinx) -> dict[str, bool]:
    # Before Sphinx lists the pages there are, from which autosummary learns what to generate.
    app.connect("config-inited", _make)
    # After napoleon, which writes those types.
    app.connect("autodoc-process-docstring", _escape_types, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
