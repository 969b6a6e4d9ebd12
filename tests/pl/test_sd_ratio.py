"""How much predictions differ between perturbations."""

from __future__ import annotations

from typing import Any

import numpy as np

import sc_annotate as sca
from made_predictions import made_board
from read_axes import labels


def test_sd_ratio_counts_genes(predicted: Any) -> None:
    board = made_board(10)
    ax = sca.pl.sd_ratio(predicted(10))
    medians = {name: text.get_text() for name, text in zip(labels(ax), ax.texts, strict=False)}
    assert medians["linear"] == f"median {np.median(board.sd_ratios[board.methods.index('linear')]):.2f}"
    assert medians["no change  (as the control)"] == "median 0.00"
    assert medians["absent"] == "not predicted"
    assert [line.get_xdata()[0] for line in ax.lines if list(line.get_xdata()) == [1, 1]] == [1]
    linear = ax.patches[0].get_data()
    heights = 0.45 + 0 - linear.values
    counts = np.histogram(board.sd_ratios[board.methods.index("linear")], linear.edges)[0]
    np.testing.assert_allclose(heights / heights.max(), counts / counts.max())


def test_ratios_beyond_the_edge(predicted: Any) -> None:
    adata = predicted(10)
    ratios = adata.uns["perturbation"]["double"]["sd_ratios"]
    ratios[:] = np.clip(ratios, None, 2.0)
    ratios[0, :4] = 7.0
    assert "4 ratios above 3 stand at the edge" in sca.pl.sd_ratio(adata).get_title()
