"""Small real data that ships with a dependency, and a simulator with known truth."""

from __future__ import annotations

from sc_annotate.datasets.pbmc import pbmc68k
from sc_annotate.datasets.simulate import simulate_reference

__all__ = ["pbmc68k", "simulate_reference"]
