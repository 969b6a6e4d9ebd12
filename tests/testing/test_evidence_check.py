"""The check of the evidence hook passes what is right and names what is wrong."""

from __future__ import annotations

import numpy as np
import pytest

from sc_annotate.annotators.knn import KNN
from sc_annotate.annotators.nearest_centroid import NearestCentroid
from sc_annotate.testing import check_annotator


def broken(change):
    class Broken(NearestCentroid):
        def gene_evidence(self, X, codes):
            return change(super().gene_evidence(X, codes))

    return Broken


def failure(cls):
    with pytest.raises(AssertionError) as caught:
        check_annotator(cls)
    lines = [line.strip() for line in str(caught.value).splitlines()[1:]]
    assert {line.partition(":")[0] for line in lines} == {"gene_evidence"}
    return lines[0]


def test_right_ones_and_those_without_the_hook_pass():
    check_annotator(NearestCentroid)
    assert not hasattr(KNN, "gene_evidence")
    check_annotator(KNN)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda E: E[:, :-1], "shape"),
        (lambda E: E.astype(np.float64), "float64"),
        (lambda E: E * np.float32(np.nan), "finite"),
        (lambda E: -E, "less than those with the least"),
        (lambda E: E if hasattr(E, "toarray") else E + np.float32(1), "differs; gene_evidence is not 0"),
    ],
)
def test_what_is_wrong_is_named(change, message):
    assert message in failure(broken(change))
