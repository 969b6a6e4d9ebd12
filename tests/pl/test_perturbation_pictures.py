"""What all pictures of perturbations share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anndata as ad
import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

import sc_annotate as sca
from comparing import same
from made_predictions import condition_names
from read_axes import labels
from sc_annotate.errors import StorageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CALLS: dict[str, Any] = {
    "effects": lambda a, **kw: sca.pl.effects(a, **kw),
    "interactions": lambda a, **kw: sca.pl.interactions(a, **kw),
    "leaderboard": lambda a, **kw: sca.pl.leaderboard(a, **kw),
    "perturbation": lambda a, **kw: sca.pl.perturbation(a, condition=condition_names(10)[3], **kw),
    "perturbation, not measured": lambda a, **kw: sca.pl.perturbation(a, condition=condition_names(10)[2], **kw),
    "perturbation_errors": lambda a, **kw: sca.pl.perturbation_errors(a, **kw),
    "sd_ratio": lambda a, **kw: sca.pl.sd_ratio(a, **kw),
}
CALLS_40: dict[str, Any] = {
    "perturbation": lambda a, **kw: sca.pl.perturbation(a, condition=condition_names(40)[3], n_names=25, **kw),
    "perturbation, not measured": lambda a, **kw: sca.pl.perturbation(
        a, condition=condition_names(40)[2], n_names=40, **kw
    ),
}
every_call = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("n", [10, 40])
def test_legible(everything: Any, legible: Any, name: str, n: int) -> None:
    calls = CALLS if n == 10 else CALLS | CALLS_40
    figure = calls[name](everything(n), return_fig=True)
    assert isinstance(figure, Figure)
    legible(figure)
    for text in figure.texts:  # titles over several panels
        box, page = text.get_window_extent(), figure.bbox
        assert page.x0 <= box.x0 <= box.x1 <= page.x1


@every_call
def test_nothing_of_the_object_changes(everything: Any, call: Any) -> None:
    adata = everything(10)
    before = adata.copy()
    call(adata)
    assert same(dict(adata.uns), dict(before.uns))
    assert same({k: np.array(v) for k, v in adata.varm.items()}, {k: np.array(v) for k, v in before.varm.items()})
    assert adata.var.equals(before.var)


@every_call
def test_other_styles(everything: Any, legible: Any, call: Any) -> None:
    with mpl.rc_context({"font.size": 22, "axes.grid": True, "figure.autolayout": True, "figure.figsize": (2, 2)}):
        figure = call(everything(10), return_fig=True)
        legible(figure)
        drawn = [ax for ax in figure.axes if ax.get_label() != "<colorbar>"]
        assert not any(line.get_visible() for ax in drawn for line in [*ax.get_xgridlines(), *ax.get_ygridlines()])


@every_call
def test_show(everything: Any, monkeypatch: pytest.MonkeyPatch, call: Any) -> None:
    shown: list[bool] = []
    monkeypatch.setattr(plt, "show", lambda: shown.append(True))
    adata = everything(10)
    assert not isinstance(call(adata, show=False), Figure)
    assert not shown
    assert isinstance(call(adata, show=True, return_fig=True), Figure)
    assert shown == [True]


@pytest.mark.slow
@every_call
def test_saved_results_draw_the_same(everything: Any, tmp_path: Any, call: Any) -> None:
    made = everything(10)
    made.write_h5ad(tmp_path / "a.h5ad")
    pictures = []
    for adata in (made, ad.read_h5ad(tmp_path / "a.h5ad")):
        figure = call(adata, return_fig=True)
        figure.canvas.draw()
        pictures.append(np.asarray(figure.canvas.buffer_rgba()).copy())
    np.testing.assert_array_equal(*pictures)


@every_call
def test_no_such_result(everything: Any, call: Any) -> None:
    with pytest.raises(StorageError, match="there are: '(perturbation|interactions)'"):
        call(everything(10), key="other")


def test_a_method_has_one_colour(predicted: Any) -> None:
    """In all pictures of scores, whatever the order of rows."""
    adata = predicted(10)
    name = "deep_model_of_the_at…at_is_much_too_long"

    def colour(ax: Axes, row: int) -> Any:
        return {int(line.get_ydata()[0]): line.get_markeredgecolor() for line in ax.lines if line.get_marker() == "o"}[
            row
        ]

    board, errors = sca.pl.leaderboard(adata)["l2"], sca.pl.perturbation_errors(adata)
    ratios = sca.pl.sd_ratio(adata)
    for method in (labels(board)[0], labels(board)[1]):
        found = [
            line
            for line in errors.lines
            if line.get_marker() == "o" and int(line.get_ydata()[0]) == labels(errors).index(method)
        ]
        assert found[0].get_color() == colour(board, labels(board).index(method))
    assert len(labels(board)[1]) == len(name)
    assert mpl.colors.to_hex(ratios.patches[0].get_facecolor()) == colour(board, 0)
