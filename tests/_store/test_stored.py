"""Read a stored annotation, refusing what does not belong together any more."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from sc_annotate._store import storage, stored
from sc_annotate._store.slots import Slots
from sc_annotate.errors import StorageError

KEY = "annotation"


def _annotated(model: str = "abc", classes: tuple[str, ...] = ("B", "T/∆"), prefix: str = "c") -> ad.AnnData:
    adata = ad.AnnData(np.ones((3, 2), np.float32), obs=pd.DataFrame(index=[f"{prefix}{i}" for i in range(3)]))
    slots = Slots(KEY)
    proba = np.arange(3 * len(classes), dtype=np.float32).reshape(3, -1)
    obs = {
        slots.label: pd.Categorical([classes[0]] * 3),
        slots.confidence: np.ones(3, np.float32),
        slots.model: pd.Categorical([model] * 3),
    }
    pairs = pd.DataFrame({"true": ["B", "T/∆"], "predicted": ["B", "B"], "n": [3, 2]})
    baseline = {"scores": pd.DataFrame({"method": ["logreg"]}), "confusion": pairs}
    uns = {"classes": np.array(classes), "model": model, "baseline": baseline}
    storage.write(adata, KEY, storage.Annotation(obs, proba, uns))
    return adata


def test_calls():
    adata = _annotated()
    adata.obs["other"] = 1
    calls = stored.read_annotation(adata, KEY)
    assert list(calls) == ["label", "confidence", "model"]
    assert calls.index.equals(adata.obs_names)
    assert calls["label"].tolist() == ["B"] * 3


def test_probabilities():
    adata = _annotated()
    table = stored.read_probabilities(adata, KEY)
    assert list(table) == ["B", "T/∆"]
    assert table.index.equals(adata.obs_names)
    np.testing.assert_array_equal(table.to_numpy(), adata.obsm["annotation_proba"])
    subset = stored.read_probabilities(adata[[2, 0]], KEY)
    np.testing.assert_array_equal(subset.to_numpy(), table.to_numpy()[[2, 0]])


def test_baseline():
    assert stored.read_baseline(_annotated(), KEY)["confusion"]["n"].tolist() == [3, 2]
    types, counts = stored.read_confusion(_annotated(), KEY)
    assert types.tolist() == ["B", "T/∆"]
    assert counts.tolist() == [[3, 0], [2, 0]]


@pytest.mark.parametrize("baseline", [None, {}, {"scores": 1}, 3])
def test_no_baseline(baseline: object):
    adata = _annotated()
    adata.uns[KEY]["baseline"] = baseline
    with pytest.raises(StorageError, match="no held-out scores.*cv=1"):
        stored.read_baseline(adata, KEY)
    del adata.uns[KEY]["baseline"]
    with pytest.raises(StorageError, match="no held-out scores"):
        stored.read_baseline(adata, KEY)


@pytest.mark.parametrize("column", ["annotation", "annotation_model"])
def test_deleted_columns(column: str):
    adata = _annotated()
    del adata.obs[column]
    with pytest.raises(StorageError, match="columns of the result were deleted"):
        stored.read_annotation(adata, KEY)


def test_never_annotated():
    adata = ad.AnnData(np.ones((3, 2), np.float32))
    for read in (stored.read_annotation, stored.read_probabilities, stored.read_baseline):
        with pytest.raises(StorageError, match=r"sca\.tl\.annotate"):
            read(adata, KEY)


def test_probabilities_that_are_gone_or_changed():
    adata = _annotated()
    adata.obsm["annotation_proba"] = np.ones((3, 5))
    with pytest.raises(StorageError, match=r"shape \(3, 5\).* names 2 types"):
        stored.read_probabilities(adata, KEY)
    del adata.obsm["annotation_proba"]
    with pytest.raises(StorageError, match="store_proba"):
        stored.read_probabilities(adata, KEY)


def test_concatenated_objects_do_not_mislead():
    """Two models with other types: the stacked columns would mean different things."""
    one, two = _annotated(), _annotated("def", ("B", "NK"), prefix="d")
    both = ad.concat([one, two], uns_merge="first")
    with pytest.raises(StorageError, match="models abc, def, but.* describes abc"):
        stored.read_probabilities(both, KEY)
    assert stored.read_annotation(both, KEY)["model"].tolist() == ["abc"] * 3 + ["def"] * 3
    bare = ad.concat([one, two])
    assert len(stored.read_annotation(bare, KEY)) == 6
    with pytest.raises(StorageError, match="uns_merge='same'"):
        stored.read_probabilities(bare, KEY)
    again = ad.concat([one, _annotated(prefix="d")], uns_merge="same")
    assert stored.read_probabilities(again, KEY).shape == (6, 2)
