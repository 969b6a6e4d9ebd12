"""Curves and classes of genetic interactions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import sc_annotate as sca
from read_axes import texts, upright


def test_interactions(interacting: Any) -> None:
    adata = interacting()
    axes = sca.pl.interactions(adata)
    assert sorted(axes) == ["classes", "curves"]
    curves = adata.uns["interactions"]["curves"]
    legend = [t.get_text() for t in axes["curves"].get_legend().get_texts()]
    assert legend[:2] == ["linear: 0.312", "no change  (as the control): 0.200"]
    assert legend[2].endswith(": not predicted")
    by_label = {line.get_label(): line for line in axes["curves"].lines}
    np.testing.assert_array_equal(by_label["linear: 0.312"].get_ydata(), curves["tpr"][1])
    assert by_label["no change  (as the control): 0.200"].is_dashed()
    assert upright(axes["curves"], "at random") == pytest.approx(0.9)
    assert [patch.get_width() for patch in axes["classes"].patches] == [60, 25, 0, 15]
    assert texts(axes["classes"]) == ["60  (6 %)", "25  (2.5 %)", "0  (0 %)", "15  (1.5 %)"]
    assert "100 interactions in 10 doubles" in axes["classes"].get_title()
    assert "false discovery rate at most 5 %" in axes["classes"].get_title()


def test_no_interaction(interacting: Any, legible: Any) -> None:
    figure = sca.pl.interactions(interacting(detected=False), return_fig=True)
    assert "no interaction was detected" in texts(figure.axes[0])[0]
    assert "0 interactions" in figure.axes[1].get_title()
    legible(figure)
