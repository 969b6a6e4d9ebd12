"""What the comparison of methods shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import sc_annotate as sca
from sc_annotate.errors import InputError, StorageError

if TYPE_CHECKING:
    from anndata import AnnData

METRICS = ["macro_f1", "accuracy"]


@pytest.fixture
def table() -> pd.DataFrame:
    names = ["knn", "majority", "logreg", "broken", "lda"]
    accuracy, f1 = np.array([0.7, 0.3, 0.85, np.nan, 0.9]), np.array([0.6, 0.1, 0.8, np.nan, 0.75])
    frame = pd.DataFrame(
        {
            "method": names,
            "accuracy": accuracy,
            "accuracy_low": accuracy - 0.04,
            "accuracy_high": accuracy + 0.02,
            "macro_f1": f1,
            "macro_f1_low": f1 - 0.05,
            "macro_f1_high": f1 + 0.03,
        }
    )
    frame.attrs["split"] = "5-fold cross-validation"
    return frame


def dots(ax: Axes) -> dict[int, float]:
    return {int(y[0]): x[0] for x, y in (line.get_data() for line in ax.lines if line.get_marker() == "o")}


def intervals(ax: Axes) -> dict[int, tuple[float, float]]:
    lines = (line.get_data() for line in ax.lines if line.get_solid_capstyle() == "butt" and line.get_marker() != "o")
    return {int(y[0]): tuple(x) for x, y in lines if y[0] == y[1]}


@pytest.mark.parametrize("metric", METRICS)
def test_positions_are_those_of_the_table(table: pd.DataFrame, legible: Any, metric: Any) -> None:
    before = table.copy(deep=True)
    ax = sca.pl.methods(table, metric=metric)
    assert isinstance(ax, Axes)
    pd.testing.assert_frame_equal(table, before)
    best = table.sort_values(metric, ascending=False)["method"].tolist()
    names = [t.get_text() for t in ax.get_yticklabels()]
    assert [name.split("  ")[0] for name in names] == best
    assert {"logreg  (baseline)", "majority  (most common type)"} <= set(names)
    row = table.set_index("method")
    assert dots(ax) == {i: row.loc[name, metric] for i, name in enumerate(best) if name != "broken"}
    assert intervals(ax) == {
        i: (row.loc[name, f"{metric}_low"], row.loc[name, f"{metric}_high"])
        for i, name in enumerate(best)
        if name != "broken"
    }
    low, high = ax.get_ylim()
    assert low > 4 > 0 > high  # the best above, and every row inside
    assert ax.get_title() == "5-fold cross-validation"
    legible(ax.figure)


def test_numbers_stand_beside(table: pd.DataFrame) -> None:
    ax = sca.pl.methods(table, metric="accuracy")
    assert {t.get_position()[1]: t.get_text() for t in ax.texts} == {
        0: "0.900  [0.860, 0.920]",
        1: "0.850  [0.810, 0.870]",
        2: "0.700  [0.660, 0.720]",
        3: "0.300  [0.260, 0.320]",
        4: "no score",
    }


def test_logreg_is_the_line(table: pd.DataFrame) -> None:
    ax = sca.pl.methods(table)
    (line,) = [line for line in ax.lines if line.get_linestyle() == "--"]
    assert list(line.get_xdata()) == [0.8, 0.8]
    (band,) = ax.patches
    assert (band.get_x(), band.get_x() + band.get_width()) == pytest.approx((0.75, 0.83))
    without = sca.pl.methods(table[table["method"] != "logreg"])
    assert not without.patches
    assert not [line for line in without.lines if line.get_linestyle() == "--"]


def test_without_intervals(table: pd.DataFrame) -> None:
    ax = sca.pl.methods(table[["method", "macro_f1"]])
    assert len(dots(ax)) == 4
    assert not intervals(ax)
    assert ax.get_xlabel() == "macro-F1 on held-out cells"
    # Two held-out batches are too few for an interval, which is then missing.
    assert sca.pl.methods(table.assign(macro_f1_low=np.nan, macro_f1_high=np.nan)).get_xlabel() == ax.get_xlabel()


def test_annotated_object(annotated: AnnData, frozen: Any, legible: Any) -> None:
    with frozen(annotated):
        figure = sca.pl.methods(annotated, return_fig=True)
    assert isinstance(figure, Figure)
    (ax,) = figure.axes
    baseline = annotated.uns["annotation"]["baseline"]
    scores = baseline["scores"].sort_values("macro_f1", ascending=False)
    assert list(dots(ax).values()) == list(scores["macro_f1"])
    bold = [t.get_text() for t in ax.get_yticklabels() if t.get_fontweight() == "bold"]
    assert bold == ["nearest_centroid"]
    assert baseline["split"] in ax.get_title()
    assert f"{baseline['n_cells']} held-out" in ax.get_title()
    legible(figure)


def test_many_batches_in_the_title(annotated: AnnData, legible: Any) -> None:
    names = ", ".join(f"donor_{i}" for i in range(60))
    annotated.uns["annotation"]["baseline"]["split"] = f"held out: batch {names}"
    figure = sca.pl.methods(annotated, return_fig=True)
    assert "…" in figure.axes[0].get_title()
    legible(figure)


def test_refusals(annotated: AnnData, table: pd.DataFrame) -> None:
    with pytest.raises(InputError, match="'macro_f1', 'accuracy', not 'f1'"):
        sca.pl.methods(table, metric="f1")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="no column 'method', 'macro_f1'; there are: 'a'"):
        sca.pl.methods(pd.DataFrame({"a": [1]}))
    with pytest.raises(InputError, match="no rows"):
        sca.pl.methods(table.iloc[:0])
    with pytest.raises(StorageError, match="no annotation 'other'"):
        sca.pl.methods(annotated, key="other")
    with pytest.raises(InputError, match="must be an AnnData, not list"):
        sca.pl.methods([1, 2])  # type: ignore[arg-type]
    annotated.uns["annotation"]["baseline"] = {}
    with pytest.raises(StorageError, match="cv=0"):
        sca.pl.methods(annotated)
