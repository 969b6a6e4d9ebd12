"""The opt-in accessor."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

import sc_annotate as sca

if TYPE_CHECKING:
    from anndata import AnnData


def test_accessor_does_what_the_functions_do(pair: tuple[AnnData, AnnData]) -> None:
    import sc_annotate.accessor  # noqa: F401

    reference, query = pair
    query.sca.annotate(reference, "cell_type", method="nearest_centroid", cv=0)
    pd.testing.assert_frame_equal(query.sca.annotation(), sca.get.annotation(query))
    pd.testing.assert_frame_equal(query.sca.probabilities(), sca.get.probabilities(query))
    assert query.sca.inspect().values == sca.pp.inspect(query).values
