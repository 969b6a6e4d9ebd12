"""What the curve of risk and coverage shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from matplotlib.axes import Axes

import sc_annotate as sca
from sc_annotate.errors import StorageError

if TYPE_CHECKING:
    from anndata import AnnData
    from matplotlib.lines import Line2D


def line(ax: Axes, start: str) -> Line2D:
    (found,) = [one for one in ax.lines if str(one.get_label()).startswith(start)]
    return found


def test_curve_is_the_stored_one(annotated: AnnData, frozen: Any, legible: Any) -> None:
    with frozen(annotated):
        ax = sca.pl.risk_coverage(annotated)
    assert isinstance(ax, Axes)
    found = annotated.uns["annotation"]["calibration"]
    stored = found["risk_coverage"]
    curve = line(ax, "by confidence")
    np.testing.assert_array_equal(curve.get_xdata(), stored["curve"]["coverage"])
    np.testing.assert_array_equal(curve.get_ydata(), stored["curve"]["risk"])
    assert curve.get_label() == f"by confidence: area {stored['area']:.3f}"
    error = stored["curve"]["risk"].iloc[-1]
    assert list(line(ax, "random order").get_ydata()) == [error, error]
    assert ax.get_title().startswith(f"annotation: {found['n_cells']} held-out reference cells")
    assert f"error rate {100 * error:.1f} %" in ax.get_title()
    legible(ax.figure)


def test_best_order_is_that_of_the_same_calls(trusted: Any) -> None:
    """The error rate with all errors last, and its mean the stored area less the excess."""
    adata = trusted(10)
    stored = adata.uns["annotation"]["calibration"]["risk_coverage"]
    best = line(sca.pl.risk_coverage(adata), "best order")
    x, y = np.asarray(best.get_xdata()), np.asarray(best.get_ydata())
    error = stored["curve"]["risk"].iloc[-1]
    n, wrong = 2_400, round(2_400 * error)
    exact = np.cumsum(np.arange(n) >= n - wrong) / np.arange(1, n + 1)
    np.testing.assert_allclose(y, exact[np.round(x * n).astype(int) - 1], atol=1e-9)
    area = stored["area"] - stored["excess_area"]
    assert exact.mean() == pytest.approx(area, abs=1e-9)
    assert best.get_label() == f"best order: area {area:.3f}"


def test_dots_mark_confidences(trusted: Any) -> None:
    adata = trusted(10)
    ax = sca.pl.risk_coverage(adata)
    curve = adata.uns["annotation"]["calibration"]["risk_coverage"]["curve"]
    dots = line(ax, "confidence of at least")
    marks = [float(t.get_text().removeprefix("≥ ")) for t in ax.texts]
    assert len(marks) >= 3
    for mark, x, y in zip(marks, dots.get_xdata(), dots.get_ydata(), strict=True):
        kept = curve[curve["threshold"] >= mark].iloc[-1]
        assert (x, y) == (kept["coverage"], kept["risk"])


def test_many_types_are_legible(trusted: Any, legible: Any) -> None:
    for k in (10, 40):
        legible(sca.pl.risk_coverage(trusted(k), return_fig=True))


def test_calls_without_a_mistake(annotated: AnnData, legible: Any) -> None:
    stored = annotated.uns["annotation"]["calibration"]["risk_coverage"]
    stored["curve"]["risk"] = 0.0
    stored |= {"area": 0.0, "excess_area": 0.0}
    ax = sca.pl.risk_coverage(annotated)
    assert ax.get_ylim()[1] > 0
    legible(ax.figure)


def test_refusals(annotated: AnnData) -> None:
    with pytest.raises(StorageError, match="no annotation 'other'"):
        sca.pl.risk_coverage(annotated, key="other")
    annotated.uns["annotation"]["calibration"] = {"method": "none"}
    with pytest.raises(StorageError, match="no 'risk_coverage'.*trust='temperature'"):
        sca.pl.risk_coverage(annotated)
