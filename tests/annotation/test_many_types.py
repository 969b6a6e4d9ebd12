"""More than 500 types: shorter ways, which are said; and nothing else changes."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array

import sc_annotate as sca
from sc_annotate.annotators import logreg
from sc_annotate.annotators.checks import MANY_TYPES
from sc_annotate.annotators.logreg import LogReg

GENES = np.array([f"Gene{i}" for i in range(60)])


def many(n_types: int, per_type: int = 4, seed: int = 0) -> ad.AnnData:
    profiles = np.random.default_rng(1).gamma(0.3, 20, (n_types, len(GENES)))
    codes = np.tile(np.arange(n_types), per_type)
    counts = np.random.default_rng(seed).poisson(profiles[codes]).astype(np.float32)
    obs = pd.DataFrame(
        {"type": [f"type {code:04d}" for code in codes]}, index=[f"{seed}:{i}" for i in range(len(codes))]
    )
    return ad.AnnData(counts, obs=obs, var=pd.DataFrame(index=GENES))


def notes_of(adata: ad.AnnData) -> list[str]:
    return list(adata.uns["annotation"]["reference"]["notes"])


def fitted(n_types: int, **params) -> LogReg:
    adata = many(n_types)
    return LogReg(**params).fit(np.log1p(adata.X), adata.obs["type"].to_numpy(str), genes=GENES)


@pytest.mark.slow
def test_fit_of_many_types_says_how_it_was_made_shorter(monkeypatch):
    monkeypatch.setattr(logreg, "_PRODUCTS", 0)
    model = fitted(MANY_TYPES + 1)
    assert model.C_ == 0.2
    assert "C=0.2 was not chosen" in model.notes_[0]
    assert "5 steps, before it converged" in model.notes_[0]
    assert fitted(MANY_TYPES + 1, C=0.1, max_iter=300).notes_ == []


def test_few_types_have_no_such_notes():
    assert fitted(3).notes_ == []


@pytest.mark.parametrize("filled", [0.02, 0.5])
def test_matrix_is_kept_as_it_multiplies_fastest(filled):
    dense = (np.random.default_rng(0).random((50, 40)) < filled).astype(np.float32)
    found = [logreg.for_many_types(each) for each in (dense, csr_array(dense))]
    assert {isinstance(each, csr_array) for each in found} == {filled < 0.1}
    for each in found:
        np.testing.assert_array_equal(each.toarray() if isinstance(each, csr_array) else each, dense)


@pytest.mark.slow
def test_annotate_many_types_records_what_it_did_otherwise(monkeypatch, tmp_path):
    for module in ("annotation.learn", "annotation.held_out_cells", "annotators.logreg"):
        monkeypatch.setattr(f"sc_annotate.{module}.MANY_TYPES", 20)
    monkeypatch.setattr("sc_annotate.trust._space._MANY", 20)
    monkeypatch.setattr("sc_annotate.trust._space._SCORES", 0)
    query = many(25, 2, seed=2)
    sca.tl.annotate(query, many(25, 12), labels_key="type")
    for part in ("one held-out part", "C=0.2 was not chosen", "the regression behind `energy` stopped after 5 steps"):
        assert any(part in note for note in notes_of(query))
    assert np.mean(query.obs["annotation"].astype(str) == query.obs["type"]) > 0.9
    query.write_h5ad(tmp_path / "annotated.h5ad")
    requested = many(25, 2, seed=2)
    sca.tl.annotate(requested, many(25, 12), labels_key="type", cv=5)
    assert not any("one held-out part" in note for note in notes_of(requested))
    written = many(25, 2, seed=2)
    sca.tl.annotate(written, many(25, 12), labels_key="type", trust=sca.trust.Options(scheme="folds"))
    assert not any("one held-out part" in note for note in notes_of(written))
