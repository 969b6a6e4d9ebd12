"""Groups of a query under references of one batch and of several."""

from __future__ import annotations

from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import sc_annotate as sca

GENES = 120


def cells(types: list[int], batch: str, n: int = 60, *, shift: float = 0.0, seed: int = 0) -> Any:
    """Types have ten genes of their own; a batch moves every second gene."""
    draw = np.random.default_rng(seed)
    rate = np.ones((n * len(types), GENES)) * np.exp(shift * (np.arange(GENES) % 2))
    for i, of in enumerate(types):
        rate[i * n : (i + 1) * n, of * 10 : of * 10 + 10] *= 6
    counts = draw.poisson(rate).astype(np.float32)
    obs = {"cell_type": np.repeat([f"t{of}" for of in types], n).astype(object), "batch": batch}
    obs_names = [f"{batch}{i}" for i in range(len(counts))]
    var = pd.DataFrame(index=[f"G{i}" for i in range(GENES)])
    return ad.AnnData(counts, obs=pd.DataFrame(obs, index=obs_names), var=var)


@pytest.mark.slow
@pytest.mark.parametrize("batches", [1, 3])
def test_with_one_batch_a_flagged_group_makes_no_cell_unfamiliar(batches: int, monkeypatch: pytest.MonkeyPatch) -> None:
    known = ad.concat([cells([0, 1, 2, 3], f"b{b}", shift=0.1 * b, seed=b) for b in range(batches)])
    query = cells([0, 1, 2, 3], "q", seed=9)
    for name in ("threshold", "doubt"):
        monkeypatch.setattr(sca.trust.Groups, name, lambda *_: 1e-3)
    # Apart from what the group adds to the score of its cells.
    monkeypatch.setattr("sc_annotate.annotation.query_groups._OF_ONE_BATCH", 0.0)
    options = sca.trust.Options(check_quality=False)
    sca.tl.annotate(query, known, "cell_type", batch_key="batch" if batches > 1 else None, trust=options)
    assert sca.get.groups(query)["flagged"].all()
    unfamiliar = (query.obs["annotation_status"] == "unfamiliar").mean()
    assert not (query.obs["annotation_status"] == "confident").any()
    assert unfamiliar == 1 if batches > 1 else unfamiliar < 0.2


@pytest.mark.slow
def test_a_reference_whose_groups_do_not_differ_from_their_types_scores_the_query_all_the_same() -> None:
    model = sca.tl.fit_annotator(cells([0, 1, 2, 3], "b"), "cell_type")
    assert model.trust is not None
    assert model.trust.groups is not None
    model.trust.groups.known_ = np.zeros_like(model.trust.groups.known_)
    model.trust.groups.unseen_ = np.empty(0)
    query = cells([0, 1, 2, 3], "q", seed=9)
    sca.tl.annotate(query, model)
    assert query.uns["annotation"]["groups"]["threshold"] == 0
    assert np.isfinite(query.obs["annotation_unfamiliarity"]).all()
