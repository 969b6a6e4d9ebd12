"""What the picture of unfamiliarity shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex

import sc_annotate as sca
from sc_annotate.errors import InputError, StorageError

if TYPE_CHECKING:
    from anndata import AnnData


def names(ax: Axes) -> list[str]:
    return [t.get_text() for t in ax.get_yticklabels()]


def shares(ax: Axes) -> list[str]:
    return [t.get_text() for t in ax.texts if t.get_text().endswith("%")]


def ridge(ax: Axes, row: int) -> pd.DataFrame:
    """Bins of a row: where they start, and their share of the row."""
    data = [patch.get_data() for patch in ax.patches[2 * row : 2 * row + 2]]
    heights = np.concatenate([row + 0.45 - part.values for part in data])
    return pd.DataFrame({"start": np.concatenate([part.edges[:-1] for part in data]), "share": heights / heights.sum()})


def test_rows_are_the_reference_and_the_cells(trusted: Any, frozen: Any, legible: Any) -> None:
    adata = trusted(10)
    with frozen(adata):
        ax = sca.pl.unfamiliarity(adata)
    assert isinstance(ax, Axes)
    found = adata.uns["annotation"]["familiarity"]
    scores = adata.obs["annotation_unfamiliarity"].dropna().to_numpy(dtype=float)
    assert names(ax) == ["reference, held out", f"annotation  (n={len(scores):,})"]
    (line,) = [one for one in ax.lines if one.get_linestyle() == "--"]
    assert list(line.get_xdata()) == [found["threshold"]] * 2
    beyond = (scores > found["threshold"]).mean()
    assert shares(ax) == ["5.0 %", f"{100 * beyond:.1f} %"]
    assert ax.get_title() == (
        f"annotation: {(scores > found['threshold']).sum()} of {len(scores):,} cells ({100 * beyond:.1f} %) beyond the "
        "threshold\nleft out: 50 cells without a score"
    )
    legible(ax.figure)


def test_areas_are_the_shares_of_cells(trusted: Any) -> None:
    adata = trusted(10)
    ax = sca.pl.unfamiliarity(adata)
    found = adata.uns["annotation"]["familiarity"]
    scores = adata.obs["annotation_unfamiliarity"].dropna().to_numpy(dtype=float)
    for row, below in (
        (0, lambda x: np.interp(x, found["reference"], np.linspace(0, 1, 101))),
        (1, lambda x: np.searchsorted(np.sort(scores), x, side="left") / len(scores)),
    ):
        bins = ridge(ax, row)
        starts = bins["start"].to_numpy()
        assert found["threshold"] in starts  # no bin has cells of both sides
        ends = np.append(starts[1:], np.inf)
        np.testing.assert_allclose(bins["share"], np.array([below(e) for e in ends]) - below(starts), atol=1e-6)


def test_groups_stand_by_their_share_beyond_in_the_colours_of_the_object(trusted: Any, frozen: Any) -> None:
    adata = trusted(10)
    adata.obs["seen"] = adata.obs["seen"].astype(object)
    adata.obs.loc[adata.obs_names[100:120], "seen"] = None
    adata.uns["seen_colors"] = ["#102030", "#a0b0c0"]
    with frozen(adata):
        ax = sca.pl.unfamiliarity(adata, groupby="seen")
    line = adata.uns["annotation"]["familiarity"]["threshold"]
    kept = adata.obs.dropna(subset=["seen", "annotation_unfamiliarity"])
    beyond = (kept["annotation_unfamiliarity"] > line).groupby(kept["seen"]).mean().sort_values(ascending=False)
    n = kept["seen"].value_counts()
    assert names(ax)[1:] == [f"{name}  (n={n[name]:,})" for name in beyond.index]
    assert shares(ax)[1:] == [f"{100 * share:.1f} %" for share in beyond]
    assert list(beyond.index) == ["unseen", "known"]
    colors = [to_hex(part.get_facecolor()) for part in ax.patches[3::2]]
    assert colors == ["#a0b0c0", "#102030"]
    assert "20 cells without a seen" in ax.get_title()


@pytest.mark.parametrize("k", [10, 40])
def test_many_types_are_legible(trusted: Any, legible: Any, k: int) -> None:
    figure = sca.pl.unfamiliarity(trusted(k), groupby="truth", return_fig=True)
    assert len(names(figure.axes[0])) == k + 1
    legible(figure)


def test_cells_far_away_stand_at_the_edge_and_are_counted(trusted: Any) -> None:
    adata = trusted(10)
    score = adata.obs["annotation_unfamiliarity"].to_numpy().copy()
    score[:3], score[3] = 5_000, -5_000
    adata.obs["annotation_unfamiliarity"] = score
    ax = sca.pl.unfamiliarity(adata)
    assert ax.get_xlim()[1] < 100
    assert "4 cells outside stand at the edge" in ax.get_title()
    bins = ridge(ax, 1)
    n = np.isfinite(score).sum()
    assert bins["share"].iloc[-1] == pytest.approx(3 / n, abs=1e-6)
    assert bins["share"].iloc[0] == pytest.approx(1 / n, abs=1e-6)


def test_what_annotate_stores_is_drawn(annotated: AnnData, frozen: Any, legible: Any) -> None:
    with frozen(annotated):
        ax = sca.pl.unfamiliarity(annotated, groupby="truth")
    line = annotated.uns["annotation"]["familiarity"]["threshold"]
    beyond = (annotated.obs["annotation_unfamiliarity"] > line)[annotated.obs["truth"].notna()].sum()
    assert f"annotation: {beyond} of 288 cells" in ax.get_title()
    assert "left out: 12 cells without a truth" in ax.get_title()
    legible(ax.figure)


@pytest.mark.parametrize(
    ("kwargs", "error", "message"),
    [
        ({"key": "other"}, StorageError, "no annotation 'other'"),
        ({"groupby": "clusters"}, InputError, r"'clusters' \(groupby\)"),
        ({"groupby": "name"}, InputError, "1,500 different values"),
        ({"groupby": "nothing"}, InputError, "no cell with a score has a value"),
    ],
)
def test_refusals(trusted: Any, kwargs: dict[str, Any], error: type[Exception], message: str) -> None:
    adata = trusted(10)
    adata.obs["name"] = adata.obs_names
    adata.obs["nothing"] = None
    with pytest.raises(error, match=message):
        sca.pl.unfamiliarity(adata, **kwargs)


def test_refuses_results_without_scores(trusted: Any) -> None:
    adata = trusted(10)
    column = adata.obs.pop("annotation_unfamiliarity")
    with pytest.raises(StorageError, match="the column was deleted"):
        sca.pl.unfamiliarity(adata)
    adata.obs["annotation_unfamiliarity"] = column * np.nan
    with pytest.raises(StorageError, match="no cell has a score"):
        sca.pl.unfamiliarity(adata)
    adata.uns["annotation"]["familiarity"] = {}
    with pytest.raises(StorageError, match="a consensus has none. Look at one of its methods, such as key='logreg'"):
        sca.pl.unfamiliarity(adata)
    del adata.uns["annotation"]["methods"]
    with pytest.raises(StorageError, match="trust=None.*Annotate again"):
        sca.pl.unfamiliarity(adata)
