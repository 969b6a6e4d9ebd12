"""Where a fitted model comes from: its labels, parameters and reference, and what was noticed on the way."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sc_annotate._core.version import __version__


@dataclass(frozen=True)
class Provenance:
    """Recorded when a model is fitted or converted, kept with it, and copied into each result.

    Attributes
    ----------
    labels_key
        Column of the reference's ``obs`` with the labels.
    params
        Parameters of the fit, as JSON can hold them; ``method_kwargs`` among them, with the method's defaults.
    n_cells, n_genes
        Cells learned from, and genes of the reference.
    values, genes
        What was found in the reference's matrix, and in its gene names (None for a representation).
    notes
        What was assumed, and what looked wrong.
    problems
        What to repeat whenever the model is used.
    uncalibrated
        Why there are no held-out cells, for a model that came without any.
    converted_from
        Description of the model that this one was converted from.
    versions
        Versions of the packages that decide about the numbers.
    """

    labels_key: str
    params: dict[str, Any]
    n_cells: int
    n_genes: int
    values: dict[str, Any]
    genes: dict[str, Any] | None
    notes: list[str]
    sparse: bool = False
    problems: list[str] = field(default_factory=list)
    uncalibrated: str | None = None
    converted_from: dict[str, Any] | None = None
    versions: dict[str, str] = field(default_factory=lambda: versions())

    @property
    def method_kwargs(self) -> dict[str, Any]:
        """Parameters of the method."""
        found: dict[str, Any] = self.params["method_kwargs"]
        return found

    def __post_init__(self) -> None:
        # Read from a file, too.
        kinds: dict[str, type] = {"labels_key": str, "n_cells": int, "n_genes": int, "notes": list, "problems": list}
        for name, kind in (kinds | {"params": dict, "values": dict, "versions": dict}).items():
            if not isinstance(getattr(self, name), kind):
                raise ValueError(f"{name} of the provenance is no {kind.__name__}")
        if not isinstance(self.params.get("method_kwargs"), dict) or not {"where", "kind"} <= set(self.values):
            raise ValueError("the provenance is not whole")


def versions() -> dict[str, str]:
    """Versions of what decides about the numbers."""
    import platform
    from importlib.metadata import version

    packages = ("numpy", "scipy", "scikit-learn", "scanpy", "anndata")
    return {"sc_annotate": __version__, "python": platform.python_version()} | {p: version(p) for p in packages}
