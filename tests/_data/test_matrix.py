"""Find the matrix that is meant and read rows of it: every kind against plain numpy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from matrices import is_sparse
from sc_annotate._core.arrays import row_ordered, rows
from sc_annotate._data.matrix import check_adata, find, resolve_rep
from sc_annotate.errors import InputError, MatrixError

if TYPE_CHECKING:
    from collections.abc import Callable


def _array(block: Any) -> np.ndarray:
    return block.toarray() if sparse.issparse(block) else block


@pytest.fixture(scope="module")
def D(make_counts: Callable[..., np.ndarray]) -> np.ndarray:
    return make_counts(23, 9)


# ---- reading


def test_rows_of_every_kind(kind: Any, D: np.ndarray, build: Callable[..., ad.AnnData]):
    source = find(build(kind, D))
    assert (source.n_cells, source.n_columns) == D.shape
    assert not source.is_embedding
    for where in (slice(0, 23), slice(4, 11), np.array([0, 3, 4, 22]), np.array([5])):
        block = rows(source.X, where)
        assert (type(block) is np.ndarray) == (not is_sparse(kind))
        assert sparse.issparse(block) == is_sparse(kind)
        if sparse.issparse(block):
            assert block.format == "csr"
        np.testing.assert_array_equal(_array(block), D[where])


TYPES = ["bool", "uint8", "int32", "int64", "float32", "float64"]


# scipy has no sparse matrices of the last three.
@pytest.mark.parametrize(
    ("dtype", "sparsely"),
    [(t, s) for t in TYPES for s in (False, True)] + [(t, False) for t in ("float16", ">f4", ">i8")],
)
def test_rows_of_every_type(dtype: str, sparsely: bool, D: np.ndarray):
    typed = sparse.csr_matrix(D).astype(dtype) if sparsely else D.astype(dtype)
    block = rows(typed, slice(2, 9))
    np.testing.assert_array_equal(_array(block), D.astype(dtype)[2:9])
    sparse.csr_matrix(block).astype(np.float64)  # what everything else does with it


@pytest.mark.parametrize(
    "values", [np.array([["a", "b"]]), np.array([[1, "b"]], dtype=object), np.array([[1 + 1j, 2]])]
)
def test_rows_refuses_what_are_no_numbers(values: np.ndarray):
    with pytest.raises(MatrixError, match=r"not numbers.*astype"):
        rows(values, slice(0, 1))


def test_rows_refuses_masked_arrays():
    with pytest.raises(MatrixError, match="filled"):
        rows(np.ma.masked_array(np.ones((2, 2)), np.eye(2)), slice(0, 2))


def test_row_ordered_makes_csr_of_columns_only(D: np.ndarray, build: Callable[..., ad.AnnData]):
    csr, dense = sparse.csr_matrix(D), D
    assert row_ordered(csr) is csr
    assert row_ordered(dense) is dense
    assert row_ordered(sparse.csc_array(D)).format == "csr"
    on_disk = build("backed_csc", D).X
    assert row_ordered(on_disk).format == "csr"
    np.testing.assert_array_equal(row_ordered(on_disk).toarray(), D)
    rows_on_disk = build("backed_csr", D).X
    assert row_ordered(rows_on_disk) is rows_on_disk


# ---- finding


@pytest.fixture
def adata(D: np.ndarray) -> ad.AnnData:
    adata = ad.AnnData(D.copy(), obs=pd.DataFrame(index=[f"c{i}" for i in range(23)]))
    adata.raw = adata.copy()
    adata = adata[:, :5].copy()
    adata.X = adata.X + 1
    adata.layers["counts"] = sparse.csr_matrix(adata.X * 2)
    adata.obsm["X_pca"] = np.arange(46.0).reshape(23, 2)
    adata.obsm["scVI"] = sparse.csr_matrix(np.ones((23, 3)))
    adata.obsm["table"] = pd.DataFrame({"a": np.arange(23), "b": 0.5}, index=adata.obs_names)
    adata.obsm["none"] = np.zeros((23, 0))
    return adata


def test_find_each_place(adata: ad.AnnData, D: np.ndarray):
    assert find(adata).where == "X"
    for use_raw in (None, False):
        np.testing.assert_array_equal(find(adata, use_raw=use_raw).X, D[:, :5] + 1)
    layer = find(adata, layer="counts")
    assert layer.where == "layers['counts']"
    np.testing.assert_array_equal(layer.X.toarray(), (D[:, :5] + 1) * 2)
    raw = find(adata, use_raw=True)
    assert raw.where == "raw.X"
    assert raw.names.tolist() == [str(i) for i in range(9)]
    assert list(raw.var.index) == list(adata.raw.var_names)
    np.testing.assert_array_equal(raw.X, D)


def test_raw_of_a_view_has_the_rows_of_the_view(adata: ad.AnnData, D: np.ndarray):
    view = adata[[3, 1, 20], :2]
    np.testing.assert_array_equal(rows(find(view, use_raw=True).X, slice(0, 3)), D[[3, 1, 20]])


def test_raw_of_a_backed_object(adata: ad.AnnData, D: np.ndarray, tmp_path: Any):
    del adata.obsm["none"]
    adata.raw = ad.AnnData(sparse.csr_matrix(D), obs=adata.obs)
    adata.write_h5ad(tmp_path / "raw.h5ad")
    backed = ad.read_h5ad(tmp_path / "raw.h5ad", backed="r")
    raw = find(backed, use_raw=True)
    np.testing.assert_array_equal(rows(raw.X, slice(2, 20)).toarray(), D[2:20])
    backed.file.close()


@pytest.mark.parametrize(
    ("name", "key"), [("X_pca", "X_pca"), ("pca", "X_pca"), ("scVI", "scVI"), ("X_scVI", "scVI"), ("table", "table")]
)
def test_representation_by_any_of_its_names(adata: ad.AnnData, name: str, key: str):
    source = find(adata, use_rep=name)
    assert resolve_rep(adata, name) == key
    assert source.where == f"obsm[{key!r}]"
    assert source.is_embedding
    first = "a" if key == "table" else "0"  # a table's columns keep their names
    assert source.names[0] == f"{key.removeprefix('X_')}_{first}"
    kept = adata.obsm[key]
    np.testing.assert_array_equal(
        _array(rows(source.X, slice(0, 23))), kept if isinstance(kept, np.ndarray) else _array(kept)
    )


def test_the_exact_name_of_a_representation_wins(adata: ad.AnnData):
    adata.obsm["pca"] = np.zeros((23, 4))
    assert resolve_rep(adata, "pca") == "pca"
    assert resolve_rep(adata, "X_pca") == "X_pca"


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"layer": "count"}, r"q\.layers has no 'count'; there are: 'counts'"),
        ({"use_rep": "umap"}, "no representation 'umap'.*'X_pca', 'scVI', 'table'"),
        ({"use_rep": "none"}, "no columns"),
        ({"layer": "counts", "use_raw": True}, "layer and use_raw were both passed for q"),
        ({"layer": "counts", "use_rep": "pca"}, "layer and use_rep"),
        ({"use_raw": np.True_, "use_rep": "pca"}, "use_raw and use_rep"),
    ],
)
def test_find_refuses(adata: ad.AnnData, kwargs: dict[str, Any], message: str):
    with pytest.raises(InputError, match=message):
        find(adata, **kwargs, what="q")


def test_find_without_raw_or_x(adata: ad.AnnData):
    bare = ad.AnnData(obs=adata.obs, var=adata.var)
    with pytest.raises(InputError, match=r"X is empty; name a layer \(there are: none\)"):
        find(bare)
    bare.layers["a"] = adata.X.copy()
    with pytest.raises(InputError, match=r"X is empty; name a layer \(there are: 'a'\)"):
        find(bare)
    with pytest.raises(InputError, match="raw is empty"):
        find(bare, use_raw=True)
    with pytest.raises(InputError, match="no 'b'; there are: 'a'"):
        find(bare, layer="b")


def test_no_layers_are_none(D: np.ndarray):
    """From anndata 0.13 on, X is the layer None, which no user has named."""
    with pytest.raises(InputError, match="there are: none"):
        find(ad.AnnData(D), layer="a")


# ---- what is refused at the door


def test_check_adata(adata: ad.AnnData, D: np.ndarray, build: Callable[..., ad.AnnData]):
    check_adata(adata, what="a")
    check_adata(adata[:3], what="a")
    backed = build("backed_csr", D)
    check_adata(backed, what="a")
    with pytest.raises(InputError, match="to_memory"):
        check_adata(backed[:3], what="a")
    for nothing in (adata[:0], adata[:, :0]):
        with pytest.raises(InputError, match="the query is empty"):
            check_adata(nothing, what="the query")
    with pytest.raises(InputError, match="must be an AnnData, not ndarray"):
        check_adata(D, what="a")


def test_check_adata_names_the_modality_of_a_mudata(adata: ad.AnnData):
    MuData = type("MuData", (), {})
    with pytest.raises(InputError, match=r"mdata\['rna'\]"):
        check_adata(MuData(), what="a")


def test_blocks_of_a_graphics_card_come_to_main_memory() -> None:
    """A stand-in, as it needs neither the card nor cupy: what is asked of the matrix is rows and `get`."""
    there = sparse.random(20, 6, density=0.4, format="csr", random_state=0, dtype=np.float32)

    class OnDevice:
        shape = there.shape

        def __init__(self, X: Any) -> None:
            self.X = X

        def __getitem__(self, where: Any) -> OnDevice:
            return OnDevice(self.X[where])

        def get(self) -> Any:
            return self.X

    OnDevice.__module__ = "cupyx.scipy.sparse._csr"
    got = rows(OnDevice(there), slice(3, 9))
    assert abs(got - there[3:9]).max() == 0


@pytest.mark.gpu
def test_blocks_of_cupy() -> None:
    cupyx = pytest.importorskip("cupyx.scipy.sparse")
    there = sparse.random(20, 6, density=0.4, format="csr", random_state=0, dtype=np.float32)
    assert abs(rows(cupyx.csr_matrix(there), slice(3, 9)) - there[3:9]).max() == 0
