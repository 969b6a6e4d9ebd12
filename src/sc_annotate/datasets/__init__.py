"""Small real data that ships with a dependency, and a simulator with known truth."""

from __future__ import annotations

from sc_annotate.datasets.pbmc import pbmc68k

__all__ = ["pbmc68k"]
