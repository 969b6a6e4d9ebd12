"""What the picture of a consensus shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes

import sc_annotate as sca
from sc_annotate.errors import StorageError

if TYPE_CHECKING:
    from anndata import AnnData


def names(ticks: Any) -> list[str]:
    return [t.get_text() for t in ticks]


def test_fields_are_the_shares_of_disagreement(agreed: AnnData, frozen: Any, legible: Any) -> None:
    with frozen(agreed):
        ax = sca.pl.consensus(agreed, "agreed")
    assert isinstance(ax, Axes)
    disagrees = pd.DataFrame(
        {key: agreed.obs[key].astype(str) != agreed.obs["agreed"].astype(str) for key in ("annotation", "bayes")}
    )
    disagrees["any method"] = disagrees.any(axis=1)
    by_type = disagrees.groupby(agreed.obs["agreed"].astype(str)).mean()
    assert names(ax.get_xticklabels()) == list(by_type)
    rows = [name.split("  (n=") for name in names(ax.get_yticklabels())]
    assert rows[0] == ["all cells", "300)"]
    shown = np.asarray(ax.images[0].get_array())
    np.testing.assert_allclose(shown[0], disagrees.mean(), atol=1e-12)
    np.testing.assert_allclose(shown[1:], by_type.loc[[name for name, _ in rows[1:]]], atol=1e-12)
    assert (np.diff(shown[1:, -1]) <= 0).all()
    assert shown.max() > 0
    n = agreed.obs["agreed"].value_counts()
    assert [size for _, size in rows[1:]] == [f"{n[name]})" for name, _ in rows[1:]]
    written = {(t.get_position()[1], t.get_position()[0]): t.get_text() for t in ax.texts}
    assert written == {
        (i, j): f"{100 * shown[i, j]:.0f}" if shown[i, j] >= 0.005 else "<1" for i, j in np.argwhere(shown > 0)
    }
    legible(ax.figure)


@pytest.mark.parametrize("k", [10, 40])
def test_many_types_are_legible(trusted: Any, frozen: Any, legible: Any, k: int) -> None:
    adata = trusted(k)
    with frozen(adata):
        figure = sca.pl.consensus(adata, return_fig=True)
    assert figure.axes[0].images[0].get_array().shape == (k + 1, 5)
    assert "left out: 50 cells not labelled by all methods" in figure.axes[0].get_title()
    legible(figure)


def test_weights_are_said_where_they_differ(trusted: Any, legible: Any) -> None:
    adata = trusted(10)
    adata.uns["annotation"]["weights"] = np.array([0.5, 0.25, 0.25, 0.0])
    ax = sca.pl.consensus(adata)
    assert names(ax.get_xticklabels())[:2] == ["logreg  (weight 0.50)", "lda  (weight 0.25)"]
    legible(ax.figure)
    adata.uns["annotation"]["weights"] = np.full(4, 0.25)
    assert names(sca.pl.consensus(adata).get_xticklabels())[0] == "logreg"


def test_agreement_looks_like_it(trusted: Any) -> None:
    adata = trusted(10)
    adata.obsm["annotation_disagrees"][:] = False
    ax = sca.pl.consensus(adata)
    assert not ax.texts
    assert ax.images[0].get_clim() == (0, 0.2)


def test_refusals(agreed: AnnData, trusted: Any) -> None:
    with pytest.raises(StorageError, match="no annotation 'other'"):
        sca.pl.consensus(agreed, key="other")
    with pytest.raises(StorageError, match="result of one method.*there are: 'agreed'"):
        sca.pl.consensus(agreed)
    del agreed.obsm["agreed_disagrees"]
    with pytest.raises(StorageError, match="300 cells x 2 methods.*Make the consensus again"):
        sca.pl.consensus(agreed, "agreed")
    del agreed.uns["agreed"]
    with pytest.raises(StorageError, match=r"there is none.*sca.tl.consensus\(adata"):
        sca.pl.consensus(agreed)
    given = trusted(10)
    with pytest.raises(StorageError, match="no cell was labelled by all methods"):
        sca.pl.consensus(given[given.obs["annotation_status"] == "given"].copy())
