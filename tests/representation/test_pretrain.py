"""pretrain and embed on AnnData: what is stored, aligned, compared, refused and kept in files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import sc_annotate as sca
from sc_annotate.errors import GeneError, InputError, MatrixError, MethodError, ModelFileError, StorageError
from sc_annotate.representation.score import COLLAPSED, compare, neighbours_labels, verdict

if TYPE_CHECKING:
    from pathlib import Path

SMALL = {"epochs": 3, "n_latent": 4, "hidden": (8,), "batch_size": 32}
VIEWS = SMALL | {"projector": (8, 4)}


def counts(n: int = 90, seed: int = 0) -> ad.AnnData:
    return sca.datasets.simulate_reference(n, 120, 3, n_batches=3, depth=800, rng=seed)


@pytest.fixture(scope="module")
def trained() -> tuple[ad.AnnData, Any]:
    adata = counts()
    return adata, sca.tl.pretrain(adata, "pca", batch_key="batch", labels_key="cell_type", n_top_genes=80)


@pytest.mark.parametrize("objective", ["pca", "mae", "simclr"])
def test_stores_coordinates_and_what_is_known_of_them(objective: str, tmp_path: Path) -> None:
    adata = counts()
    before = adata.X.copy()
    params = {} if objective == "pca" else SMALL if objective == "mae" else VIEWS
    encoder = sca.tl.pretrain(adata, objective, objective_kwargs=params, batch_key="batch", labels_key="cell_type")
    Z, uns = adata.obsm["X_ssl"], adata.uns["X_ssl"]
    assert Z.dtype == np.float32
    assert Z.shape == (90, 50 if objective == "pca" else 4)
    assert uns["objective"] == objective
    assert uns["verdict"] == encoder.verdict
    assert len(uns["genes"]) == len(encoder.means)
    assert list(uns["baseline"]["encoder"])[-1] == "pca"
    assert ("history" in uns) == (objective != "pca")
    np.testing.assert_array_equal(adata.X.toarray(), before.toarray())
    adata.write_h5ad(tmp_path / "cells.h5ad")
    again = ad.read_h5ad(tmp_path / "cells.h5ad")
    np.testing.assert_array_equal(again.obsm["X_ssl"], Z)
    assert again.uns["X_ssl"]["verdict"] == encoder.verdict
    adata.write_zarr(tmp_path / "cells.zarr")
    pd.testing.assert_frame_equal(
        ad.read_zarr(tmp_path / "cells.zarr").uns["X_ssl"]["baseline"], uns["baseline"], check_dtype=False
    )


def test_other_cells_get_what_they_had(trained: tuple[ad.AnnData, Any], tmp_path: Path) -> None:
    adata, encoder = trained
    part = adata[::3, ::-1].copy()
    del part.obsm["X_ssl"], part.uns["X_ssl"]
    sca.tl.embed(part, encoder)
    np.testing.assert_allclose(part.obsm["X_ssl"], adata.obsm["X_ssl"][::3], atol=1e-4)
    part.write_h5ad(tmp_path / "part.h5ad")
    backed = ad.read_h5ad(tmp_path / "part.h5ad", backed="r")
    sca.tl.embed(backed, encoder, key_added="X_again")
    np.testing.assert_allclose(backed.obsm["X_again"], part.obsm["X_ssl"], atol=1e-5)
    logged = part.copy()
    logged.X = np.log1p(part.X.toarray() / part.X.toarray().sum(axis=1, keepdims=True) * 1e4)
    sca.tl.embed(logged, encoder)
    np.testing.assert_allclose(logged.obsm["X_ssl"], part.obsm["X_ssl"], atol=1e-3)


def test_genes_that_are_not_there_are_taken_at_their_mean(trained: tuple[ad.AnnData, Any]) -> None:
    adata, encoder = trained
    genes = encoder.names["var_names"]
    query = adata[:, genes[: len(genes) * 3 // 4]].copy()
    query.obs["total"] = np.asarray(adata.X.sum(axis=1)).ravel()
    sca.tl.embed(query, encoder, total_counts_key="total", key_added="X_fewer")
    logs = np.log1p(adata.X.toarray() / adata.X.toarray().sum(axis=1, keepdims=True) * 1e4)
    X = np.tile(encoder.means, (90, 1))
    there = adata.var_names.get_indexer(query.var_names)
    X[:, : len(there)] = logs[:, there]
    np.testing.assert_allclose(query.obsm["X_fewer"], encoder.encoder.embed(X), atol=1e-3)
    assert query.uns["X_fewer"]["n_shared"] == len(there)
    other = query.copy()
    other.var_names = [f"other{i}" if i > 2 else name for i, name in enumerate(query.var_names)]
    with pytest.raises(GeneError):
        sca.tl.embed(other, encoder, total_counts_key="total", key_added="X_few")


@pytest.mark.parametrize("objective", ["pca", "mae"])
def test_kept_in_a_file(objective: str, tmp_path: Path) -> None:
    adata = counts()
    params = {} if objective == "pca" else SMALL
    encoder = sca.tl.pretrain(adata, objective, objective_kwargs=params, labels_key="cell_type")
    again = sca.load(encoder.save(tmp_path / "encoder.safetensors"))
    assert again.id == encoder.id
    assert str(again) == str(encoder)
    query = counts(40, seed=1)
    sca.tl.embed(query, encoder, key_added="one")
    sca.tl.embed(query, again, key_added="two")
    np.testing.assert_array_equal(query.obsm["one"], query.obsm["two"])
    with pytest.raises(InputError, match="overwrite"):
        encoder.save(tmp_path / "encoder.safetensors")


def test_a_damaged_file_is_refused(trained: tuple[ad.AnnData, Any], tmp_path: Path) -> None:
    from sc_annotate._store import modelfile

    path = trained[1].save(tmp_path / "encoder.safetensors")
    arrays, meta = modelfile.load(path)
    plain = {k: v for k, v in meta.items() if k not in ("format", "format_number")}
    wrong: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
        "names": (arrays, plain | {"names": {"var_names": ["a"]}}),
        "no state": (arrays, plain | {"state": {}}),
        "no array": ({k: v for k, v in arrays.items() if k != "encoder.shift"}, plain),
        "another array": (arrays | {"more": np.zeros(3)}, plain),
        "not finite": (arrays | {"encoder.shift": np.full_like(arrays["encoder.shift"], np.nan)}, plain),
        "scores": (arrays, plain | {"scores": 3}),
    }
    for name, (a, m) in wrong.items():
        modelfile.save(tmp_path / f"{name}.safetensors", a, m)
        with pytest.raises(ModelFileError, match="whole encoder"):
            sca.load(tmp_path / f"{name}.safetensors")
    modelfile.save(tmp_path / "unknown.safetensors", arrays, plain | {"objective": "nothing"})
    with pytest.raises(MethodError, match="nothing"):
        sca.load(tmp_path / "unknown.safetensors")


def test_several_objects_share_their_genes_and_are_batches() -> None:
    whole = counts()
    a, b = whole[:40, :100].copy(), whole[40:, 20:].copy()
    encoder = sca.tl.pretrain([a, b], "pca", n_top_genes=None)
    assert set(encoder.names["var_names"]) == set(whole.var_names[20:100])
    assert encoder.n_batches == 2
    assert (a.obsm["X_ssl"].shape[0], b.obsm["X_ssl"].shape[0]) == (40, 50)
    both = ad.concat([a, b[:, a.var_names.intersection(b.var_names)]])[:, encoder.names["var_names"]].copy()
    both.X = sparse.csr_matrix(both.X)
    del both.obsm["X_ssl"]
    total = np.concatenate([np.asarray(each.X.sum(axis=1)).ravel() for each in (a, b)])
    both.obs["total"] = total
    sca.tl.embed(both, encoder, total_counts_key="total")
    np.testing.assert_allclose(both.obsm["X_ssl"], np.vstack([a.obsm["X_ssl"], b.obsm["X_ssl"]]), atol=1e-3)
    with pytest.raises(InputError, match="twice"):
        sca.tl.pretrain([a, a], "pca")
    with pytest.raises(InputError, match="empty"):
        sca.tl.pretrain([], "pca")


def test_seeds_and_generators() -> None:
    one, two, three = (counts() for _ in range(3))
    for adata, rng in ((one, 1), (two, 1), (three, 2)):
        sca.tl.pretrain(adata, "mae", objective_kwargs=SMALL, rng=rng)
    np.testing.assert_array_equal(one.obsm["X_ssl"], two.obsm["X_ssl"])
    assert not np.array_equal(one.obsm["X_ssl"], three.obsm["X_ssl"])
    sca.tl.pretrain(one, "mae", objective_kwargs=SMALL, rng=np.random.default_rng(5))
    assert isinstance(one.uns["X_ssl"]["rng"], int)


def test_nothing_of_another_tool_is_overwritten() -> None:
    adata = counts()
    adata.obsm["X_ssl"] = np.ones((90, 2))
    with pytest.raises(StorageError, match="key_added"):
        sca.tl.pretrain(adata, "pca")
    np.testing.assert_array_equal(adata.obsm["X_ssl"], np.ones((90, 2)))
    sca.tl.pretrain(adata, "pca", key_added="mine")
    sca.tl.pretrain(adata, "pca", key_added="mine", n_top_genes=20)
    assert len(adata.uns["mine"]["genes"]) == 20


def test_ctrl_c_leaves_the_object_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    from sc_annotate.neural.module import Training

    adata = counts()

    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Training, "training_step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        sca.tl.pretrain(adata, "mae", objective_kwargs=SMALL)
    assert not adata.obsm
    assert "X_ssl" not in adata.uns


@pytest.mark.parametrize(
    ("change", "kind", "said"),
    [
        ({"objective": "maee"}, MethodError, "mae"),
        ({"objective_kwargs": {"epoch": 3}}, MethodError, "epoch"),
        ({"augment": "mask"}, MethodError, "no views"),
        ({"objective": "simclr", "augment": "masks"}, MethodError, "masks"),
        ({"objective": "simclr", "augment": "mask", "objective_kwargs": {"augment": {}}}, InputError, "twice"),
        ({"objective": "simclr", "augment": "mnn"}, InputError, "batch_key"),
        ({"batch_key": "donor"}, InputError, "donor"),
        ({"labels_key": "type"}, InputError, "type"),
        ({"n_top_genes": 0}, InputError, "n_top_genes"),
        ({"key_added": "a/b"}, StorageError, "key_added"),
        ({"layer": "none"}, InputError, "none"),
        ({"rng": -1}, InputError, "rng"),
        ({"objective_kwargs": {"center_batches": True}}, InputError, "batch_key"),
    ],
)
def test_arguments_are_honoured_or_refused(change: dict[str, Any], kind: type[Exception], said: str) -> None:
    adata = counts()
    with pytest.raises(kind, match=said):
        sca.tl.pretrain(adata, **({"objective": "mae"} | change))
    assert not adata.obsm


def test_bad_values_are_refused() -> None:
    adata = counts()
    adata.X = adata.X.astype(np.float32)
    adata.X.data[3] = np.nan
    with pytest.raises(MatrixError, match="NaN"):
        sca.tl.pretrain(adata, "pca")
    with pytest.raises(InputError):
        sca.tl.pretrain(counts()[:0].copy(), "pca")
    with pytest.raises(InputError, match="encoder must be"):
        sca.tl.embed(counts(), "encoder")
    with pytest.raises(InputError, match="batch_key"):
        sca.tl.embed(counts(), sca.tl.pretrain(counts(), "pca"), batch_key="batch")


def test_centred_encoders_need_batches() -> None:
    adata = counts()
    encoder = sca.tl.pretrain(adata, "pca", batch_key="batch", objective_kwargs={"center_batches": True})
    assert encoder.params["center_batches"]
    with pytest.raises(InputError, match="batch_key"):
        sca.tl.embed(counts(), encoder, key_added="X_z")
    sca.tl.embed(adata, encoder, batch_key="batch", key_added="X_z")
    np.testing.assert_allclose(adata.obsm["X_z"], adata.obsm["X_ssl"], atol=1e-4)


def test_neighbours_never_include_the_cell_itself() -> None:
    """11 true neighbours among the other folds: a cell whose label is unlike all others is never right."""
    draw = np.random.default_rng(0)
    Z = draw.normal(size=(60, 3)).astype(np.float32)
    y = np.array(["a"] * 59 + ["b"])
    from sc_annotate.evaluation import leave_one_group_out

    splits = leave_one_group_out(np.repeat(["x", "y", "z"], 20))
    found = neighbours_labels(Z, y, splits)
    assert found[-1] == "a"
    distance = np.linalg.norm(Z[:, None] - Z[None], axis=2)
    labels = np.array(["p", "q"])[(Z[:, 0] > 0).astype(int)]
    group = np.repeat(["x", "y", "z"], 20)
    expected = []
    for i in range(60):
        others = np.flatnonzero(group != group[i])
        near = labels[others[np.argsort(distance[i, others])[:11]]]
        expected.append("p" if (near == "p").sum() > 5 else "q")
    np.testing.assert_array_equal(neighbours_labels(Z, labels, splits), expected)


def test_a_collapse_is_reported() -> None:
    draw = np.random.default_rng(0)
    line = np.outer(draw.normal(size=100), np.ones(4)).astype(np.float32)
    good = draw.normal(size=(100, 4)).astype(np.float32)
    scores, _ = compare({"byol": line, "pca": good}, None, None, 0)
    assert scores["rank"].tolist()[0] < COLLAPSED < scores["rank"].tolist()[1]
    assert "collapsed" in verdict(scores, "byol")
    point, _ = compare({"byol": np.zeros((100, 4), np.float32), "pca": good}, None, None, 0)
    assert "collapsed" in verdict(point, "byol")


@pytest.mark.parametrize(("better", "word"), [(True, "better"), (False, "worse")])
def test_the_verdict_follows_the_interval(better: bool, word: str) -> None:
    draw = np.random.default_rng(0)
    y = np.array(["a", "b"])[np.arange(200) % 2]
    good = (np.where(y == "a", 3, 0)[:, None] + draw.normal(size=(200, 4))).astype(np.float32)
    noise = draw.normal(size=(200, 4)).astype(np.float32)
    pair = {"mae": good, "pca": noise} if better else {"mae": noise, "pca": good}
    scores, words = compare(pair, y, None, 0)
    assert word in verdict(scores, "mae")
    assert "5 folds" in words
    same, _ = compare({"mae": good, "pca": good}, y, None, 0)
    assert "no better" in verdict(same, "mae")


def test_effective_rank_by_the_book() -> None:
    draw = np.random.default_rng(0)
    Z = draw.normal(size=(50, 4)) * [3, 2, 1, 0.1]
    variances = np.linalg.eigvalsh(np.cov(Z.T))
    p = variances / variances.sum()
    assert sca.metrics.effective_rank(Z) == pytest.approx(np.exp(-(p * np.log(p)).sum()))
    with pytest.raises(InputError):
        sca.metrics.effective_rank(Z[0])
