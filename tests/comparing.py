"""Compare annotated objects, bit by bit; imported by tests of several rooms."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import sparse

import sc_annotate as sca

if TYPE_CHECKING:
    from anndata import AnnData


def snapshot(adata: AnnData) -> dict[str, Any]:
    """Everything of an object that annotate must leave alone, bit by bit."""

    def plain(X: Any) -> Any:
        return (X.data.copy(), X.indices.copy(), X.indptr.copy()) if sparse.issparse(X) else np.array(X)

    return {
        "X": plain(adata.X),
        "layers": {str(k): plain(v) for k, v in adata.layers.items()},
        "raw": None if adata.raw is None else (plain(adata.raw.X), adata.raw.var.copy()),
        "var": adata.var.copy(),
        "obs": adata.obs[[c for c in adata.obs if not c.startswith("annotation")]].copy(),
        "obsm": {k: np.array(v) for k, v in adata.obsm.items() if not k.startswith("annotation")},
        "uns": copy.deepcopy({k: v for k, v in dict(adata.uns).items() if not k.startswith("annotation")}),
    }


def same(a: Any, b: Any) -> bool:
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, tuple | list):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, pd.DataFrame):
        return a.equals(b) and list(a) == list(b) and (a.dtypes == b.dtypes).all()
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
    return bool(a == b)


def assert_same_results(a: AnnData, b: AnnData, key: str = "annotation") -> None:
    pd.testing.assert_frame_equal(sca.get.annotation(a, key), sca.get.annotation(b, key), check_categorical=False)
    np.testing.assert_array_equal(a.obsm[f"{key}_proba"], b.obsm[f"{key}_proba"])
    assert_same_tree(a.uns[key], b.uns[key])


def assert_same_tree(a: Any, b: Any) -> None:
    if isinstance(a, dict):
        assert a.keys() == b.keys()
        for k in a:
            assert_same_tree(a[k], b[k])
    elif isinstance(a, pd.DataFrame):
        pd.testing.assert_frame_equal(a, b, check_dtype=False, check_index_type=False, check_column_type=False)
    else:
        np.testing.assert_array_equal(np.asarray(a, dtype=object), np.asarray(b, dtype=object))
