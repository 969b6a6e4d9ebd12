"""What the pictures of prediction sets show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

import sc_annotate as sca
from sc_annotate.errors import InputError, StorageError

if TYPE_CHECKING:
    from anndata import AnnData
    from matplotlib.axes import Axes

RED = "#b3261e"


def names(ax: Axes) -> list[str]:
    return [t.get_text() for t in ax.get_yticklabels()]


def dots(ax: Axes) -> dict[int, tuple[float, str]]:
    return {
        int(one.get_ydata()[0]): (one.get_xdata()[0], one.get_color()) for one in ax.lines if one.get_marker() == "o"
    }


def intervals(ax: Axes) -> dict[int, list[float]]:
    lines = [one for one in ax.lines if one.get_solid_capstyle() == "butt" and one.get_marker() != "o"]
    return {int(one.get_ydata()[0]): list(one.get_xdata()) for one in lines}


def beside(ax: Axes) -> dict[int, str]:
    return {int(t.get_position()[1]): t.get_text() for t in ax.texts}


def at(adata: AnnData, level: float) -> pd.DataFrame:
    table = adata.uns["annotation"]["calibration"]["sets"]["by_type"]
    return table[table["requested"] == level].sort_values(["coverage", "n"], ascending=[True, False])


def test_coverage_is_that_of_the_table_worst_first(annotated: AnnData, frozen: Any, legible: Any) -> None:
    with frozen(annotated):
        axes = sca.pl.sets(annotated)
    assert isinstance(axes, dict)
    assert list(axes) == ["coverage", "size"]
    ax, table = axes["coverage"], at(annotated, 0.9)
    assert names(ax)[: len(table)] == list(table["type"])
    for i, row in enumerate(table.to_dict("records")):
        assert dots(ax)[i] == (row["coverage"], RED if row["high"] < 0.9 else "#1f5fa8")
        assert intervals(ax)[i] == [row["low"], row["high"]]
        assert beside(ax)[i] == f"n={row['n']:.0f}"
    (requested,) = [one for one in ax.lines if one.get_linestyle() == "--"]
    assert list(requested.get_xdata()) == [0.9, 0.9]
    sets = annotated.uns["annotation"]["calibration"]["sets"]["overall"].set_index("requested").loc[0.9]
    assert f"{sets['n']:.0f} held-out reference cells" in ax.get_title()
    assert f"{100 * sets['coverage']:.1f} % of the sets" in ax.get_title()
    legible(ax.figure)


def test_bars_are_the_shares_of_sizes_by_call(trusted: Any) -> None:
    adata = trusted(10)
    axes = sca.pl.sets(adata)
    assert isinstance(axes, dict)
    obs = adata.obs[adata.obs["annotation_status"] != "given"]
    size = obs["annotation_set_size"].clip(upper=3)
    expected = pd.crosstab(obs["annotation"], size, normalize="index").reindex(columns=[1, 2, 3], fill_value=0)
    shown = [name.removesuffix(" *") for name in names(axes["coverage"])]
    full = {short: name for name in expected.index for short in shown if _alike(short, name)}
    bars = np.array([[bar.get_width() for bar in part] for part in axes["size"].containers]).T
    np.testing.assert_allclose(bars, expected.loc[[full[name] for name in shown]].to_numpy(), atol=1e-12)
    starts = np.array([[bar.get_x() for bar in part] for part in axes["size"].containers]).T
    np.testing.assert_allclose(starts, np.cumsum(bars, axis=1) - bars, atol=1e-12)
    n = obs["annotation"].value_counts()
    assert beside(axes["size"]) == {i: f"n={n[full[name]]}" for i, name in enumerate(shown)}
    one = (obs["annotation_set_size"] == 1).mean()
    assert axes["size"].get_title() == f"annotation: {len(obs):,} cells\n{100 * one:.1f} % with a set of one type"


def _alike(short: str, full: str) -> bool:
    start, dots, end = short.partition("…")
    return full.startswith(start) and full.endswith(end) if dots else short == full


def test_common_thresholds_are_marked_and_types_without_cells_stand_last(trusted: Any) -> None:
    adata = trusted(10)
    ax = sca.pl.sets(adata)["coverage"]
    common = set(adata.uns["annotation"]["sets"]["types_with_the_common_threshold"])
    marked = [name.removesuffix(" *") for name in names(ax) if name.endswith(" *")]
    assert len(marked) == len(common) == 3
    assert all(any(_alike(name, one) for one in common) for name in marked)
    assert "* too few cells: the common threshold" in ax.get_title()
    assert beside(ax)[9] == "n=0"
    assert 9 not in dots(ax)
    adata.uns["annotation"]["sets"]["types_with_the_common_threshold"] = np.array([])
    assert "*" not in sca.pl.sets(adata)["coverage"].get_title()


def test_a_level_that_was_not_checked_is_said(annotated: AnnData) -> None:
    annotated.uns["annotation"]["sets"]["coverage"] = 0.94
    annotated.uns["annotation"]["sets"]["types_in_every_set"] = np.array(["Dendritic"], dtype=object)
    ax = sca.pl.sets(annotated)["coverage"]
    table = at(annotated, 0.95)
    assert [dots(ax)[i][0] for i in range(len(table))] == list(table["coverage"])
    title = ax.get_title().replace("\n", " ")
    assert "requested 0.94; nearest checked 0.95" in title
    assert "every type is in every set" in title


@pytest.mark.slow
@pytest.mark.parametrize("k", [10, 40])
def test_many_types_are_legible(trusted: Any, frozen: Any, legible: Any, k: int) -> None:
    adata = trusted(k)
    with frozen(adata):
        figure = sca.pl.sets(adata, return_fig=True)
    assert len(names(figure.axes[0])) == k
    legible(figure)


def test_given_axes(annotated: AnnData) -> None:
    _, own = plt.subplots(1, 2)
    assert list(sca.pl.sets(annotated, ax=own).values()) == list(own)
    with pytest.raises(InputError, match="2 matplotlib Axes"):
        sca.pl.sets(annotated, ax=own[0])
    plt.close("all")


def test_refusals(annotated: AnnData) -> None:
    with pytest.raises(StorageError, match="no annotation 'other'"):
        sca.pl.sets(annotated, key="other")
    without = annotated.copy()
    del without.obs["annotation_set_size"]
    with pytest.raises(StorageError, match="no 'annotation_set_size'"):
        sca.pl.sets(without)
    del without.uns["annotation"]["sets"]
    with pytest.raises(StorageError, match="no prediction sets.*trust='temperature'"):
        sca.pl.sets(without)
    annotated.uns["annotation"]["calibration"] = {"method": "none"}
    with pytest.raises(StorageError, match="trust=None"):
        sca.pl.sets(annotated)
