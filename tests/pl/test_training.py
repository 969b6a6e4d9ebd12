"""The picture of a training."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from matplotlib.colors import to_hex

import sc_annotate as sca
from sc_annotate.errors import StorageError
from sc_annotate.pl._training import BLUE, ORANGE

if TYPE_CHECKING:
    from anndata import AnnData


def test_lines_are_the_losses_of_each_network(drawable: AnnData) -> None:
    ax = sca.pl.training(drawable, show=False)
    for color, column in {BLUE: "loss", ORANGE: "held_out_loss"}.items():
        lines = [line for line in ax.get_lines() if to_hex(line.get_color()) == color and len(line.get_xdata()) > 1]
        found = sca.get.history(drawable).groupby("network")[column]
        np.testing.assert_array_equal([line.get_ydata() for line in lines], [part for _, part in found])
    dots = [line.get_xydata().ravel().tolist() for line in ax.get_lines() if len(line.get_xdata()) == 1]
    assert dots == [[3, 0.8], [4, 0.7]]
    assert "2 networks, 4 epochs" in ax.get_title()
    assert len(ax.get_legend().get_texts()) == 2


def test_no_line_without_held_out_losses(drawable: AnnData) -> None:
    drawable.uns["annotation"]["history"]["held_out_loss"] = np.nan
    ax = sca.pl.training(drawable[:5], show=False)
    assert len(ax.get_lines()) == 2
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["cells learned from"]


def test_a_single_epoch_is_a_dot(drawable: AnnData) -> None:
    drawable.uns["annotation"]["history"] = sca.get.history(drawable).query("epoch == 1")
    ax = sca.pl.training(drawable, show=False)
    assert ax.get_xlim()[0] < 1 < ax.get_xlim()[1]
    assert all(line.get_marker() == "o" for line in ax.get_lines())


def test_methods_without_a_training_are_told_apart(drawable: AnnData) -> None:
    with pytest.raises(StorageError, match=r"uns\['agreed'\].* has no training history, which deep methods leave"):
        sca.pl.training(drawable, "agreed")


def test_stages_of_scvi_tools_follow_one_another(drawable: AnnData) -> None:
    drawable.uns["annotation"]["method"] = "scanvi"
    drawable.uns["annotation"]["history"]["held_out_loss"] = np.nan
    ax = sca.pl.training(drawable, show=False)
    first, second = (line.get_xdata() for line in ax.get_lines() if to_hex(line.get_color()) == BLUE)
    assert list(first) == [1, 2, 3, 4]
    assert list(second) == [5, 6, 7, 8]
    assert ax.get_ylabel() == "loss of scvi-tools"
    assert "2 stages" in ax.get_title()
