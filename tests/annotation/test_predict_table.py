"""model.predict: what annotate would store, as a table, and nothing is written; the same arguments, refused alike."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

import sc_annotate as sca
from sc_annotate.errors import InputError, ScAnnotateError
from sc_annotate.tl import AnnotationModel

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

FAST: dict[str, Any] = {"method": "nearest_centroid", "cv": 0}


@pytest.fixture(scope="module")
def cells() -> AnnData:
    out = sca.datasets.simulate_reference(420, 150, 4, rng=0)
    first = out.obs["cell_type"].cat.categories[0]
    out.obs["broad"] = np.where(out.obs["cell_type"] == first, "one", "other")
    out.layers["other"] = out.X[:, ::-1].copy()
    out.obsm["X_some"] = np.asarray(np.log1p(out.X[:, :10].toarray()), dtype=np.float32)
    out.obs["totals"] = np.asarray(out.X.sum(axis=1)).ravel() * 1.5
    out.var["symbol"] = out.var_names
    out.raw = out
    return out


@pytest.fixture(scope="module")
def model(cells: AnnData) -> AnnotationModel:
    return sca.tl.fit_annotator(cells[:300].copy(), "cell_type", **FAST)


CASES: dict[str, dict[str, Any]] = {
    "nothing": {},
    "trust": {"trust": sca.trust.Options(false_positive_rate=0.2)},
    "no unfamiliar cells": {"trust": sca.trust.Options(false_positive_rate=None, check_quality=False)},
    "coverage": {"coverage": 0.99},
    "layer": {"layer": "other"},
    "use_raw": {"use_raw": True},
    "total_counts_key": {"total_counts_key": "totals"},
    "gene_symbols": {"gene_symbols": "symbol"},
    "values": {"values": "counts"},
    "rng": {"rng": 3},
    # refused by both
    "calibration": {"trust": "isotonic"},
    "scheme": {"trust": sca.trust.Options(scheme="split")},
    "off": {"trust": None},
    "no layer": {"layer": "nowhere"},
    "layer and raw": {"layer": "other", "use_raw": True},
    "no representation": {"use_rep": "nowhere"},
    "representation": {"use_rep": "some"},
    "no symbols": {"gene_symbols": "nowhere"},
    "no totals": {"total_counts_key": "nowhere"},
    "other values": {"values": "log1p"},
    "values of none": {"values": "pixels"},
    "wrong coverage": {"coverage": 2},
    "wrong rng": {"rng": "x"},
    "overlap": {"trust": sca.trust.Options(min_overlap=1.0)},
}


def test_every_argument_has_a_case() -> None:
    stated = set(inspect.signature(AnnotationModel.predict).parameters) - {"self", "adata"}
    assert stated == {name for case in CASES.values() for name in case}


@pytest.mark.parametrize("name", CASES)
def test_predict_is_what_annotate_stores(cells: AnnData, model: AnnotationModel, name: str) -> None:
    query = cells[300:].copy()
    adata = query.copy()
    error: ScAnnotateError | None = None
    try:
        sca.tl.annotate(adata, model, **CASES[name])
    except ScAnnotateError as found:
        error = found
    if error is not None:
        with pytest.raises(type(error)) as caught:
            model.predict(query, **CASES[name])
        assert str(caught.value) == str(error)
        return
    table = model.predict(query, **CASES[name])
    pd.testing.assert_frame_equal(table, sca.get.annotation(adata))
    assert table.index.equals(query.obs_names)
    assert list(query.obs) == list(cells.obs)
    assert list(query.uns) == list(cells.uns)
    assert list(query.obsm) == ["X_some"]


@pytest.mark.parametrize("kind", ["levels", "uncalibrated", "representation", "forest"])
def test_predict_of_other_models(cells: AnnData, kind: str) -> None:
    reference, query = cells[:300].copy(), cells[300:].copy()
    more: dict[str, Any] = {
        "uncalibrated": {"trust": None},
        "representation": {"use_rep": "some"},
        "forest": {"method": "random_forest", "method_kwargs": {"n_trees": 5}},
    }.get(kind, {})
    labels = ["broad", "cell_type"] if kind == "levels" else "cell_type"
    fitted = sca.tl.fit_annotator(reference, labels, **FAST | more)
    ask: dict[str, Any] = {"use_rep": "some"} if kind == "representation" else {}
    table = fitted.predict(query, **ask)
    sca.tl.annotate(query, fitted, **ask)
    pd.testing.assert_frame_equal(table, sca.get.annotation(query))
    assert ("broad" in table) == (kind == "levels")
    assert ("status" in table) == (kind != "uncalibrated")
    if kind == "uncalibrated":
        with pytest.raises(InputError, match="coverage cannot be honoured"):
            fitted.predict(query, coverage=0.8)


def test_predict_of_a_file_on_disk(cells: AnnData, model: AnnotationModel, tmp_path: Path) -> None:
    import anndata as ad

    query = cells[300:].copy()
    del query.raw
    query.uns.clear()
    query.write_h5ad(tmp_path / "q.h5ad")
    before = (tmp_path / "q.h5ad").read_bytes()
    backed = ad.read_h5ad(tmp_path / "q.h5ad", backed="r")
    pd.testing.assert_frame_equal(model.predict(backed), model.predict(query))
    backed.file.close()
    assert (tmp_path / "q.h5ad").read_bytes() == before


@pytest.mark.parametrize("wrong", [None, 3, "cells.h5ad"])
def test_what_is_no_anndata_is_refused(model: AnnotationModel, wrong: Any) -> None:
    with pytest.raises(InputError, match="adata"):
        model.predict(wrong)
