"""One score, condition by condition."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import sc_annotate as sca
from made_predictions import made_board
from read_axes import dots, labels, texts


@pytest.mark.parametrize("metric", ["l2", "pearson_delta"])
def test_errors_are_paired(predicted: Any, metric: str) -> None:
    board = made_board(40)
    ax = sca.pl.perturbation_errors(predicted(40), metric=metric)
    j = board.metrics.index(metric)
    mean = board.summary.mean[:, j]
    best = np.argsort(mean if metric == "l2" else -mean, kind="stable")  # NaN last
    assert labels(ax)[0] == labels(sca.pl.perturbation_errors(made_board(40), metric=metric))[0]
    np.testing.assert_allclose(list(dots(ax).values()), mean[best][np.isfinite(mean[best])])
    values = board.values[metric][best][:, board.scored]
    some = np.flatnonzero(np.isfinite(values).any(axis=1))
    through = [line for line in ax.lines if len(line.get_xdata()) == len(some) and line.get_marker() == "None"]
    through = [line for line in through if list(line.get_ydata()) == list(some)]
    assert len(through) == board.n_scored
    np.testing.assert_array_equal(np.stack([line.get_xdata() for line in through]).T, values[some])
    written = {int(t.get_position()[1]): t.get_text() for t in ax.texts}
    absent = [labels(ax).index("absent")]
    assert written[absent[0]] == "not predicted"
    if metric == "pearson_delta":
        assert written[labels(ax).index("no change  (as the control)")] == "undefined"


def test_differences_are_to_a_baseline(predicted: Any) -> None:
    board = made_board(10)
    ax = sca.pl.perturbation_errors(predicted(10))
    written = dict(zip(labels(ax), texts(ax), strict=True))
    found = board.difference("linear", "additive", "l2")
    assert written["linear"].splitlines()[1].startswith("minus additive: ")
    number = float(written["linear"].splitlines()[1].split(": ")[1].split("  ")[0].replace("−", "-"))
    assert number == pytest.approx(found.estimate, rel=0.01)
    assert len(written["additive  (sum of the singles)"].splitlines()) == 1
