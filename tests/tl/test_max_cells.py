"""Large references: a sample is learned from, and says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

import sc_annotate as sca
from sc_annotate.errors import InputError
from sc_annotate.tl._training import labelled_cells

if TYPE_CHECKING:
    import anndata as ad

QUICK = {"method": "nearest_centroid", "cv": 0}


@pytest.fixture(scope="module")
def atlas() -> ad.AnnData:
    """3,000 cells; of the rarest type there are 30."""
    adata = sca.datasets.simulate_reference(3000, 200, 4, rng=0)
    kept = np.flatnonzero(adata.obs["cell_type"] != "type_04")
    rare = np.flatnonzero(adata.obs["cell_type"] == "type_04")[:30]
    return adata[np.sort(np.concatenate([kept, rare]))].copy()


def test_a_plain_sample_with_the_rare_types_on_top(atlas: ad.AnnData) -> None:
    cells = labelled_cells(atlas, "cell_type", batch_key=None, min_cells=None, max_cells=800, rng=0, what="reference")
    types = atlas.obs["cell_type"].astype(str).to_numpy()
    assert (np.diff(cells.rows) > 0).all()
    assert cells.plain.sum() == 800
    assert (cells.y == types[cells.rows]).all()
    rarest = min(set(types), key=list(types).count)
    assert (cells.y == rarest).sum() == (types == rarest).sum()
    assert not cells.plain[cells.y == rarest].all()
    # The plain part has the types in their own shares.
    share = (types == "type_01").mean()
    assert abs((cells.y[cells.plain] == "type_01").mean() - share) < 4 * np.sqrt(share * (1 - share) / 800)


def test_the_model_says_so_and_scores_are_of_the_plain_sample(atlas: ad.AnnData) -> None:
    model = sca.tl.fit_annotator(atlas, "cell_type", method="nearest_centroid", cv=5, max_cells=800)
    assert any("800" in note and "max_cells" in note for note in model.about["notes"])
    assert model.about["params"]["max_cells"] == 800
    assert model.evaluation is not None
    assert model.evaluation.n_cells == 800
    assert model.trust is not None
    assert model.trust.report["n_cells"] <= 800
    assert model.counts.sum() > 800
    whole = sca.tl.fit_annotator(atlas, "cell_type", method="nearest_centroid", cv=0, max_cells=None)
    assert whole.counts.sum() == atlas.n_obs
    assert not any("max_cells" in note for note in whole.about["notes"])


def test_the_sample_follows_the_seed(atlas: ad.AnnData) -> None:
    models = [sca.tl.fit_annotator(atlas, "cell_type", max_cells=500, rng=seed, **QUICK) for seed in (0, 0, 1)]
    assert models[0].id == models[1].id
    assert models[0].id != models[2].id


def test_annotate_takes_it_too(atlas: ad.AnnData) -> None:
    query = atlas[::10].copy()
    sca.tl.annotate(query, atlas, "cell_type", max_cells=500, **QUICK)
    assert query.uns["annotation"]["params"]["max_cells"] == 500
    within = atlas.copy()
    within.obs["some"] = within.obs["cell_type"].astype(object).where(np.arange(within.n_obs) % 10 > 0)
    sca.tl.annotate(within, labels_key="some", max_cells=500, **QUICK)
    truth, call = (within.obs[c].astype(str)[::10] for c in ("cell_type", "annotation"))
    assert (truth == call).mean() > 0.8


@pytest.mark.parametrize("max_cells", [0, 99, 1.5, True, "all"], ids=repr)
def test_nonsense_is_refused(atlas: ad.AnnData, max_cells: object) -> None:
    with pytest.raises(InputError, match="max_cells"):
        sca.tl.fit_annotator(atlas, "cell_type", max_cells=max_cells, **QUICK)
    with pytest.raises(InputError, match="max_cells"):
        sca.tl.annotate(atlas.copy(), atlas, "cell_type", max_cells=max_cells, **QUICK)


def test_a_fitted_model_is_not_told_how_to_fit(atlas: ad.AnnData) -> None:
    model = sca.tl.fit_annotator(atlas, "cell_type", **QUICK)
    with pytest.raises(InputError, match="max_cells"):
        sca.tl.annotate(atlas.copy(), model, max_cells=500)
