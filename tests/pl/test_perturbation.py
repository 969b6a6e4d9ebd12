"""Observed against predicted changes of one condition."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes

import sc_annotate as sca
from made_predictions import condition_names
from read_axes import dots, intervals, labels, texts
from sc_annotate.errors import InputError


def test_observed_against_predicted(predicted: Any) -> None:
    adata = predicted(10)
    name = condition_names(10)[3]
    ax = sca.pl.perturbation(adata, condition="+".join(reversed(name.split("+"))))  # in any order
    assert isinstance(ax, Axes)
    control = adata.var["perturbation_control"].to_numpy()[:, None]
    x, y = ((adata.varm[f"perturbation{part}"] - control)[:, 3] for part in ("", "_observed"))
    drawn = np.vstack([group.get_offsets() for group in ax.collections])
    np.testing.assert_allclose(np.sort(drawn, axis=0), np.sort(np.column_stack([x, y]), axis=0), rtol=1e-5)
    assert ax.get_xlim() == ax.get_ylim()  # a timid prediction looks timid
    largest = set(adata.var_names[np.argsort(-np.abs(y))[:10]])
    targets = set(name.split("+"))
    assert set(texts(ax)) == (largest - targets) | {f"{g} (perturbed)" for g in targets}
    red = {t.get_text() for t in ax.texts if t.get_text() and t.get_color() != "#262626"}
    assert red == {f"{g} (perturbed)" for g in targets}
    bars = [line.get_data() for line in ax.lines if line.get_alpha()]
    assert len(bars) == len(largest | targets)
    for ends, height in bars:
        g = int(np.argmin(np.abs(y - height[0])))
        np.testing.assert_allclose(ends, [x[g] - 0.4, x[g] + 0.4], atol=1e-5)
    inside = 100 * (np.abs(y - x) <= 0.4).mean()
    assert ax.get_title().splitlines() == [
        name,
        "predicted by linear, held out",
        f"intervals contain {inside:.1f} % of the genes (90 % requested)",
    ]


def test_names_hide_no_dot(predicted: Any) -> None:
    """Of those named, whose dots are the ones that matter."""
    figure = sca.pl.perturbation(predicted(10), condition=condition_names(10)[3], n_names=15, return_fig=True)
    figure.canvas.draw()
    (ax,) = figure.axes
    dots_at = ax.transData.transform(np.vstack([g.get_offsets() for g in ax.collections[1:]]))
    for text in ax.texts:
        if text.get_text():
            box = text.get_window_extent()
            assert not (((dots_at > [box.x0, box.y0]) & (dots_at < [box.x1, box.y1])).all(axis=1)).any()


def test_unmeasured_condition_is_a_row_a_gene(predicted: Any) -> None:
    adata = predicted(10)
    ax = sca.pl.perturbation(adata, condition=condition_names(10)[2], n_names=6)
    x = adata.varm["perturbation"][:, 2] - adata.var["perturbation_control"].to_numpy()
    rows = [name.removesuffix(" (perturbed)") for name in labels(ax)]
    assert set(np.abs(x).argsort()[-6:]) <= set(adata.var_names.get_indexer(rows))
    shown = x[adata.var_names.get_indexer(rows)]
    assert (np.diff(shown) <= 0).all()
    np.testing.assert_allclose(list(dots(ax).values()), shown, rtol=1e-5)
    for row, (low, high) in intervals(ax).items():
        np.testing.assert_allclose([low, high], [shown[row] - 0.4, shown[row] + 0.4], atol=1e-5)
    assert f"{condition_names(10)[2]} (perturbed)" in labels(ax)
    assert ax.get_xlabel() == "predicted change from the control, 90 % interval"
    assert "not measured" in ax.get_title()


def test_without_intervals_and_seen(predicted: Any) -> None:
    adata = predicted(10)
    adata.varm["perturbation_lower"][:] = -np.inf
    adata.uns["perturbation"]["held_out"][:] = False
    ax = sca.pl.perturbation(adata, condition=condition_names(10)[3])
    assert "fitted with this condition" in ax.get_title()
    assert "no intervals" in ax.get_title()
    other = sca.pl.perturbation(adata, condition=condition_names(10)[2])
    assert not intervals(other)
    assert "interval" not in other.get_xlabel()


def test_no_names(predicted: Any) -> None:
    assert not texts(sca.pl.perturbation(predicted(10), condition=condition_names(10)[3], n_names=0))


def test_refusals_of_one_condition(predicted: Any) -> None:
    adata = predicted(10)
    with pytest.raises(InputError, match="could not be predicted by linear: target STAT2.*Choose a condition"):
        sca.pl.perturbation(adata, condition=condition_names(10)[1])
    with pytest.raises(InputError, match="'CEBPF' was not predicted. Did you mean 'CEBPE'\\?"):
        sca.pl.perturbation(adata, condition="CEBPF")
    for wrong in (-1, 61, 2.0, True):
        with pytest.raises(InputError, match="n_names must be a whole number from 0 to 60"):
            sca.pl.perturbation(adata, condition="CEBPE", n_names=wrong)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="must be a matplotlib Axes"):
        sca.pl.perturbation(adata, condition=condition_names(10)[3], ax=3)  # type: ignore[arg-type]
