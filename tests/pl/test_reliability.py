"""What the reliability diagram shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import sc_annotate as sca
from sc_annotate.errors import InputError, StorageError

if TYPE_CHECKING:
    from anndata import AnnData


def series(ax: Axes) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Confidence, accuracy and interval of the points, by the first word of their legend."""
    out = {}
    for points, _, bars in ax.containers:  # type: ignore[misc]
        ends = np.array([segment[:, 1] for segment in bars[0].get_segments()])
        label = next(c.get_label() for c in ax.containers if c.lines[0] is points)
        out[str(label).split()[0]] = (points.get_xdata(), points.get_ydata(), ends)
    return out


def test_points_are_those_of_the_tables(annotated: AnnData, frozen: Any, legible: Any) -> None:
    with frozen(annotated):
        ax = sca.pl.reliability(annotated)
    assert isinstance(ax, Axes)
    found = annotated.uns["annotation"]["calibration"]
    drawn = series(ax)
    for word, name in (("before", "uncalibrated"), ("after", "calibrated")):
        table = found["reliability"][name]
        x, y, ends = drawn[word]
        np.testing.assert_array_equal(x, table["confidence"])
        np.testing.assert_array_equal(y, table["accuracy"])
        np.testing.assert_allclose(ends, table[["low", "high"]], atol=1e-12)
        assert ax.get_xlim()[0] <= min(x.min(), ends.min())
    (diagonal,) = [line for line in ax.lines if line.get_linestyle() == "--"]
    np.testing.assert_array_equal(diagonal.get_xdata(), diagonal.get_ydata())
    legible(ax.figure)


def test_errors_stand_in_the_legend_and_held_out_in_the_title(annotated: AnnData) -> None:
    ax = sca.pl.reliability(annotated)
    found = annotated.uns["annotation"]["calibration"]
    before, after = found["scores"][["expected_calibration_error", "if_calibrated"]].to_numpy()
    legend = ax.get_legend()
    assert legend.get_title().get_text() == "expected calibration error"
    assert [t.get_text() for t in legend.get_texts()] == [
        f"before calibration: {before[0]:.3f} (expected {before[1]:.3f})",
        f"after ({found['method']}): {after[0]:.3f} (expected {after[1]:.3f})",
    ]
    assert f"{found['n_cells']} held-out reference cells" in ax.get_title()


def test_many_types(trusted: Any, legible: Any) -> None:
    figure = sca.pl.reliability(trusted(40), return_fig=True)
    assert isinstance(figure, Figure)
    legible(figure)


def test_refusals(annotated: AnnData) -> None:
    with pytest.raises(StorageError, match="no annotation 'other'"):
        sca.pl.reliability(annotated, key="other")
    with pytest.raises(InputError, match="ax must be a matplotlib Axes"):
        sca.pl.reliability(annotated, ax=3)  # type: ignore[arg-type]
    stored = annotated.uns["annotation"]
    stored["calibration"] = {"method": "none"}
    with pytest.raises(StorageError, match="trust=None.*Annotate again with trust='temperature'"):
        sca.pl.reliability(annotated)
    stored["methods"] = np.array(["logreg", "lda"], dtype=object)
    with pytest.raises(StorageError, match="is a consensus.*key='logreg'"):
        sca.pl.reliability(annotated)
