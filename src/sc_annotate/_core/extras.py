"""What to install where an optional package cannot be imported."""

from __future__ import annotations

import sys
from typing import Final

from sc_annotate.errors import MissingExtraError

EXTRAS: Final[dict[str, tuple[str, ...]]] = {
    "dask": ("dask[array,distributed]>=2025.1", "xarray>=2024.6", "zarr>=3"),
    "leiden": ("igraph>=0.10.8",),
    "markers": ("decoupler>=2",),
    "ontology": ("cellxgene-ontology-guide>=1.11",),
    "perturb": ("filelock>=3; python_version<'3.12'", "pertpy>=1", "statsmodels<0.15; python_version<'3.12'"),
    "scvi": ("mudata>=0.3", "scvi-tools>=1.4"),
    "torch": ("captum>=0.8", "entmax>=1.3", "lightning>=2.5", "torch>=2.6"),
}
"""The packages of each extra, as pyproject.toml has them."""


def install_line(extra: str) -> str:
    """The command that installs the packages of an extra, without this package itself.

    Examples
    --------
    >>> install_line("markers")
    'pip install "decoupler>=2"'
    """
    needed = [each.partition(";") for each in EXTRAS[extra]]
    names = [name for name, _, only in needed if not only or sys.version_info < (3, 12)]
    return "pip install " + " ".join(f'"{name}"' for name in names)


def missing_extra(needs: str, module: str, extra: str, error: ImportError) -> MissingExtraError:
    """The error for `needs`, a sentence such as "markers need decoupler", whose `module` could not be imported.

    A package may be there and one that it needs may not: then that one is named.
    """
    missing = error.name or ""
    if isinstance(error, ModuleNotFoundError) and missing.partition(".")[0] == module.partition(".")[0]:
        return MissingExtraError(f"{needs}, which is not installed. Run: {install_line(extra)}")
    return MissingExtraError(
        f"{needs}, which is installed and cannot be imported: {why(error)}. Run: {install_line(extra)}"
        + (f" {missing.partition('.')[0]}" if isinstance(error, ModuleNotFoundError) and missing else " --upgrade")
    )


def why(error: ImportError) -> str:
    """Which module is missing, or what else went wrong.

    Examples
    --------
    >>> why(ModuleNotFoundError("No module named 'torch'", name="torch"))
    "the module 'torch', which it needs, is missing"
    """
    if isinstance(error, ModuleNotFoundError) and error.name:
        return f"the module {error.name!r}, which it needs, is missing"
    return str(error)
