"""Whether scores of lists agree with labels, on scores written by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtri

from sc_annotate.annotation.markers.agreement import AGREEMENTS, cell_agreement, compare
from sc_annotate.annotation.markers.lists_of_labels import lists_of_labels, plain_name
from sc_annotate.errors import LabelError


def test_a_cell_agrees_contradicts_or_is_silent() -> None:
    scores = np.array([[3, 0, 0], [1, 0, 0], [0, 3, 0], [2, 3, 0], [3, 3, 0], [3, 0, 0]], dtype=float)
    own = np.array([0, 0, 0, 0, 0, -1])
    words = [AGREEMENTS[i] if i >= 0 else None for i in cell_agreement(scores, own)]
    assert words == ["agree", "silent", "contradict", "silent", "agree", None]


@pytest.mark.parametrize(("shift", "together"), [(2.0, "agree"), (-2.0, "contradict"), (0.0, "silent")])
def test_labels_are_compared_by_the_mean_difference(shift: float, together: str) -> None:
    scores = np.random.default_rng(0).normal(size=(200, 4))
    scores[:, 1] += 1
    scores[:, 0] += 1 + shift
    found = compare(scores, cell_agreement(scores, np.zeros(200, dtype=np.intp)), 0)
    assert (found.agreement, found.rival, found.n) == (together, 1, 200)
    gap = scores[:, 0] - scores[:, 1]
    half = -ndtri(0.025 / 3) * gap.std(ddof=1) / np.sqrt(200)
    np.testing.assert_allclose(found.difference, (gap.mean(), gap.mean() - half, gap.mean() + half))
    assert found.shares.sum() == pytest.approx(1)


def test_lists_are_matched_by_plain_names() -> None:
    assert plain_name("CD4+ T cells") == plain_name("CD4 T cell") == "cd4 t"
    usable = np.array(["B cell", "NK cells", "nk"])
    # Two lists have one plain name, so that neither is chosen.
    assert lists_of_labels(["B cells", "NK"], usable, usable, {}) == {"B cells": 0}
    assert lists_of_labels(["B cells", "NK"], usable, usable, {"NK": "nk"}) == {"B cells": 0, "NK": 2}
    with pytest.raises(LabelError, match="too few genes"):
        lists_of_labels(["B"], usable[:1], usable, {"B": "nk"})
