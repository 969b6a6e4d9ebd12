"""Write an annotation whole or not at all, over nothing that other code wrote, and read it back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from comparing import same, snapshot
from sc_annotate._data.obs import check_column
from sc_annotate._store import storage
from sc_annotate._store.slots import SCHEMA, Slots
from sc_annotate._store.storage import Annotation
from sc_annotate.errors import InputError, StorageError

if TYPE_CHECKING:
    from pathlib import Path

CLASSES = ["B", "T/∆"]


@pytest.fixture
def adata() -> ad.AnnData:
    obs = pd.DataFrame({"mine": ["x", "y", "z"]}, index=["c0", "c1", "c2"])
    return ad.AnnData(np.arange(6.0, dtype=np.float32).reshape(3, 2), obs=obs, uns={"other": {"a": 1}})


def _annotation(*columns: str, key: str = "annotation", **kwargs: Any) -> Annotation:
    slots = Slots(key)
    obs: dict[str, Any] = {slots.label: pd.Categorical([*CLASSES, "B"])}
    obs |= {f"{key}_{name}": np.array([0.5, 0.6, 0.7], np.float32) for name in columns}
    obs[slots.model] = pd.Categorical(["abc"] * 3)
    proba = np.array([[0.5, 0.5], [0.4, 0.6], [0.7, 0.3]], np.float32)
    uns = {"classes": np.array(CLASSES), "model": "abc", "params": {"tuple": (1, 2), "none": None}}
    return Annotation(**({"obs": obs, "proba": proba, "uns": uns} | kwargs))


# ---- writing


@pytest.mark.parametrize("key", ["annotation", "my calls"])
def test_write(adata: ad.AnnData, key: str):
    before = snapshot(adata)
    storage.write(adata, key, _annotation("confidence", key=key, colors=["#000000", "#ffffff"]))
    assert list(adata.obs) == ["mine", key, f"{key}_confidence", f"{key}_model"]
    assert adata.obs[key].tolist() == ["B", "T/∆", "B"]
    assert isinstance(adata.obs[key].dtype, pd.CategoricalDtype)
    assert adata.obs[f"{key}_confidence"].dtype == np.float32
    assert adata.obsm[f"{key}_proba"].dtype == np.float32
    assert adata.uns[key]["schema"] == SCHEMA
    assert adata.uns[key]["params"]["tuple"].tolist() == [1, 2]
    assert adata.uns[f"{key}_colors"] == ["#000000", "#ffffff"]
    assert storage.read_uns(adata, key) is adata.uns[key]
    adata.obs = adata.obs[["mine"]]
    after = snapshot(adata)
    for part in ("X", "layers", "raw", "var", "obs"):
        assert same(after[part], before[part])
    assert after["uns"]["other"] == {"a": 1}


def test_what_an_earlier_one_left_goes(adata: ad.AnnData):
    storage.write(adata, "annotation", _annotation("confidence", "set_size", colors=["#000000", "#ffffff"]))
    adata.uns["annotation"]["old"] = 1
    storage.write(adata, "annotation", _annotation("unfamiliarity", proba=None))
    assert list(adata.obs) == ["mine", "annotation", "annotation_unfamiliarity", "annotation_model"]
    assert "annotation_proba" not in adata.obsm
    assert "annotation_colors" not in adata.uns
    assert "old" not in adata.uns["annotation"]


def test_two_keys_live_side_by_side(adata: ad.AnnData):
    for key in ("a", "b"):
        storage.write(adata, key, _annotation("confidence", key=key))
    storage.write(adata, "a", _annotation(key="a", proba=None))
    assert list(adata.obs) == ["mine", "b", "b_confidence", "b_model", "a", "a_model"]
    assert list(adata.obsm) == ["b_proba"]


@pytest.mark.parametrize(
    "broken",
    [
        {"uns": {"classes": CLASSES, "bad": object()}},
        {"uns": {"classes": CLASSES, "a/b": 1}},
        {"proba": np.ones((2, 2), np.float32)},
        {"proba": np.ones((), np.float32)},
    ],
)
@pytest.mark.parametrize("again", [False, True])
def test_nothing_is_written_where_something_fails(adata: ad.AnnData, broken: dict[str, Any], again: bool):
    if again:
        storage.write(adata, "annotation", _annotation("confidence", colors=["#000000", "#ffffff"]))
    obs, uns, obsm = adata.obs.copy(), dict(adata.uns), dict(adata.obsm)
    with pytest.raises(StorageError):
        storage.write(adata, "annotation", _annotation("set_size", **broken))
    pd.testing.assert_frame_equal(adata.obs, obs)
    assert dict(adata.uns) == uns
    assert list(adata.obsm) == list(obsm)


def test_columns_of_another_length_are_not_written(adata: ad.AnnData):
    broken = _annotation()
    broken.obs["annotation_confidence"] = np.ones(2)
    with pytest.raises(ValueError, match="[Ll]ength"):
        storage.write(adata, "annotation", broken)
    assert list(adata.obs) == ["mine"]
    assert "annotation" not in adata.uns


@pytest.mark.parametrize("key", ["", "a/b", None, 3, ("a",)])
def test_keys_that_h5ad_cannot_hold(adata: ad.AnnData, key: Any):
    with pytest.raises(StorageError, match="must be a non-empty string"):
        storage.check_writable(adata, key)


@pytest.mark.parametrize("name", Slots("annotation").obs)
def test_foreign_columns_stay(adata: ad.AnnData, name: str):
    adata.obs[name] = "somebody's"
    with pytest.raises(StorageError, match=rf"obs\['{name}'\] exist already.*another key_added than 'annotation'"):
        storage.write(adata, "annotation", _annotation())
    assert adata.obs[name].tolist() == ["somebody's"] * 3


@pytest.mark.parametrize("value", [1, {}, {"schema": 1}, {"classes": CLASSES}, "text", {"params": {}}])
def test_foreign_entries_stay(adata: ad.AnnData, value: Any):
    adata.uns["annotation"] = value
    adata.obsm["annotation_proba"] = np.ones((3, 1))
    with pytest.raises(StorageError, match=r"uns\['annotation'\], obsm\['annotation_proba'\] exist already"):
        storage.write(adata, "annotation", _annotation())
    assert adata.uns["annotation"] == value
    with pytest.raises(StorageError, match="no annotation 'annotation'; there are: none"):
        storage.read_uns(adata, "annotation")


@pytest.mark.parametrize(
    ("number", "shown"), [(SCHEMA + 1, SCHEMA + 1), (np.int64(0), 0), ("1", -1), (True, -1), (1.5, -1)]
)
def test_another_schema(adata: ad.AnnData, number: Any, shown: int):
    adata.uns["annotation"] = {"schema": number, "classes": CLASSES}
    with pytest.raises(StorageError, match=f"schema number {shown}, this version writes {SCHEMA}.*delete"):
        storage.write(adata, "annotation", _annotation())
    with pytest.raises(StorageError, match=f"schema number {shown}; this version reads {SCHEMA}"):
        storage.read_uns(adata, "annotation")


# ---- reading back


@pytest.mark.parametrize("form", ["h5ad", "zarr"])
def test_round_trip(adata: ad.AnnData, form: str, tmp_path: Path):
    storage.write(adata, "annotation", _annotation("confidence", "set_size", colors=["#000000", "#ffffff"]))
    getattr(adata, f"write_{form}")(tmp_path / "a")
    back = getattr(ad, f"read_{form}")(tmp_path / "a")
    pd.testing.assert_frame_equal(
        back.obs, adata.obs, check_column_type=False, check_index_type=False, check_dtype=False, check_categorical=False
    )
    assert back.obs["annotation_confidence"].dtype == np.float32
    np.testing.assert_array_equal(back.obsm["annotation_proba"], adata.obsm["annotation_proba"])
    stored = storage.read_uns(back, "annotation")
    assert list(stored["classes"]) == CLASSES
    assert stored["params"]["none"] is None
    assert storage.model_ids(back, "annotation") == ["abc"]
    # It is still known as ours, and may be written over.
    storage.write(back, "annotation", _annotation())


def test_a_view_becomes_an_object_of_its_own(adata: ad.AnnData):
    storage.write(adata, "annotation", _annotation())
    view = adata[[2, 0, 1]]
    assert storage.read_uns(view, "annotation")["model"] == "abc"
    storage.write(view, "annotation", _annotation("confidence"))
    assert not view.is_view
    assert "annotation_confidence" not in adata.obs


def test_a_backed_object_gets_it_in_memory(adata: ad.AnnData, tmp_path: Path):
    adata.write_h5ad(tmp_path / "a.h5ad")
    size = (tmp_path / "a.h5ad").stat().st_size
    backed = ad.read_h5ad(tmp_path / "a.h5ad", backed="r")
    storage.write(backed, "annotation", _annotation("confidence"))
    assert storage.read_uns(backed, "annotation")["model"] == "abc"
    backed.file.close()
    assert (tmp_path / "a.h5ad").stat().st_size == size


def test_read_says_what_there_is(adata: ad.AnnData):
    for key in ("a", "b"):
        storage.write(adata, key, _annotation(key=key))
    with pytest.raises(StorageError, match="no annotation 'c'; there are: 'a', 'b'"):
        storage.read_uns(adata, "c")
    del adata.uns["a"]
    with pytest.raises(StorageError, match=r"ad\.concat.*uns_merge='same'"):
        storage.read_uns(adata, "a")
    with pytest.raises(InputError, match="must be an AnnData"):
        storage.read_uns(adata.obs, "a")  # type: ignore[arg-type]


def test_model_ids(adata: ad.AnnData):
    adata.obs["annotation_model"] = pd.Categorical(["b", None, "a"], categories=["unused", "b", "a"])
    assert storage.model_ids(adata, "annotation") == ["a", "b"]


def test_check_column(adata: ad.AnnData):
    column = check_column(adata, "mine", argument="labels_key")
    assert column.tolist() == ["x", "y", "z"]
    for absent in ("yours", None, ["mine"]):
        with pytest.raises(InputError, match=r"q\.obs has no column .*\(labels_key\)\..* There are: 'mine'"):
            check_column(adata, absent, argument="labels_key", what="q")  # type: ignore[arg-type]


# ---- adding to a result


@pytest.mark.parametrize("columns", [{}, {"annotation_voted": np.array([1.0, 2.0, 3.0])}])
def test_what_is_added_to_a_view_does_not_reach_its_parent(adata: ad.AnnData, columns: dict[str, Any]):
    storage.write(adata, "annotation", _annotation("confidence"))
    before, written = adata.obs.copy(), list(adata.uns["annotation"]["written"])
    part = adata[:2]
    storage.add_columns(part, "annotation", {k: v[:2] for k, v in columns.items()}, "more", {"a": 1})
    assert not part.is_view
    assert part.uns["annotation"]["more"] == {"a": 1}
    assert set(columns) <= set(part.obs)
    assert "more" not in adata.uns["annotation"]
    assert list(adata.uns["annotation"]["written"]) == written
    pd.testing.assert_frame_equal(adata.obs, before)


def test_columns_of_an_earlier_call_go_and_foreign_ones_stay(adata: ad.AnnData):
    storage.write(adata, "annotation", _annotation("confidence"))
    values = np.zeros(3)
    storage.add_columns(adata, "annotation", {"annotation_rollup": values, "annotation_id": values}, "rollup", {})
    storage.add_columns(adata, "annotation", {"annotation_rollup": values + 1}, "rollup", {}, drop=["annotation_id"])
    assert "annotation_id" not in adata.obs
    assert "annotation_id" not in list(adata.uns["annotation"]["written"])
    assert adata.obs["annotation_rollup"].tolist() == [1, 1, 1]
    adata.obs["annotation_id"] = "mine"
    with pytest.raises(StorageError, match="not written by sc_annotate"):
        storage.add_columns(adata, "annotation", {"annotation_id": values}, "rollup", {})
    assert adata.obs["annotation_id"].tolist() == ["mine"] * 3
    adata.obs.index.name = "annotation_other"
    with pytest.raises(StorageError, match="Rename the index"):
        storage.add_columns(adata, "annotation", {"annotation_other": values}, "rollup", {})


def test_an_interrupted_addition_leaves_nothing(adata: ad.AnnData, monkeypatch: pytest.MonkeyPatch):
    storage.write(adata, "annotation", _annotation("confidence"))
    before, account = adata.obs.copy(), dict(adata.uns["annotation"])
    setter = ad.AnnData.obs.fset
    calls = []

    def interrupted(self: ad.AnnData, value: pd.DataFrame) -> None:
        setter(self, value)
        calls.append(1)
        if len(calls) == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(ad.AnnData, "obs", property(ad.AnnData.obs.fget, interrupted))
    with pytest.raises(KeyboardInterrupt):
        storage.add_columns(adata, "annotation", {"annotation_voted": np.ones(3)}, "vote", {})
    pd.testing.assert_frame_equal(adata.obs, before)
    assert same(account, dict(adata.uns["annotation"]))
