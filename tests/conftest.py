"""Fixtures that the tests of all packages share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest

if TYPE_CHECKING:
    from anndata import AnnData

    from sc_annotate.tl import AnnotationModel

# Tests are about results. How long an example takes says how busy the machine is.
hypothesis.settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any machine")

# The quickest method that does what methods do; most tests are about everything else.
FAST = "nearest_centroid"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with the measured data sets; tests that need it skip where it is absent."""
    folder = Path(os.environ.get("SC_ANNOTATE_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real data not found at {folder}: set SC_ANNOTATE_DATA to its folder")
    return folder


@pytest.fixture(scope="session")
def _pbmc() -> AnnData:
    import sc_annotate as sca

    return sca.datasets.pbmc68k()


@pytest.fixture
def pbmc(_pbmc: AnnData) -> AnnData:
    """700 real PBMCs, a fresh copy for each test."""
    return _pbmc.copy()


@pytest.fixture(scope="session")
def _pair(_pbmc: AnnData) -> tuple[AnnData, AnnData]:
    import numpy as np

    order = np.random.default_rng(0).permutation(_pbmc.n_obs)
    return _pbmc[order[:500]].copy(), _pbmc[order[500:]].copy()


@pytest.fixture
def pair(_pair: tuple[AnnData, AnnData]) -> tuple[AnnData, AnnData]:
    """A reference of 500 and a query of 200 real PBMCs, fresh copies for each test."""
    return _pair[0].copy(), _pair[1].copy()


@pytest.fixture(scope="session")
def pair_model(_pair: tuple[AnnData, AnnData]) -> AnnotationModel:
    """The quickest method with all of trust, fitted once on the reference of `pair`: for tests of what comes after."""
    import sc_annotate as sca

    return sca.tl.fit_annotator(_pair[0], "cell_type", method=FAST, cv=0)


@pytest.fixture(scope="session")
def _named_query(_pair: tuple[AnnData, AnnData], pair_model: AnnotationModel) -> AnnData:
    import sc_annotate as sca

    query = _pair[1].copy()
    sca.tl.annotate(query, pair_model)
    return query


@pytest.fixture
def named_query(_named_query: AnnData) -> AnnData:
    """The query of `pair` annotated by `pair_model`, a fresh copy for each test."""
    return _named_query.copy()


@pytest.fixture(scope="module")
def cluster() -> Any:
    """A Dask cluster of two processes on this machine."""
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0", memory_limit=0
        ) as local,
        distributed.Client(local) as client,
    ):
        yield client
