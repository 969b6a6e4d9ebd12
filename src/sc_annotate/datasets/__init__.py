"""Small real data that ships with a dependency, simulators with known truth, and public screens to download."""

from __future__ import annotations

from sc_annotate.datasets._perturb_download import adamson_2016, norman_2019, replogle_2022
from sc_annotate.datasets.markers import marker_lists
from sc_annotate.datasets.pbmc import pbmc68k
from sc_annotate.datasets.perturb import simulate_perturb_seq
from sc_annotate.datasets.simulate import simulate_reference

__all__ = [
    "adamson_2016",
    "marker_lists",
    "norman_2019",
    "pbmc68k",
    "replogle_2022",
    "simulate_perturb_seq",
    "simulate_reference",
]
