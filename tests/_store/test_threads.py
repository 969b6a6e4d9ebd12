"""Threads that write results into one AnnData lose nothing of each other."""

from __future__ import annotations

import copy
import multiprocessing
import pickle
import sys
import threading
from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import sc_annotate as sca
from sc_annotate._store import perturbation_slots, storage
from sc_annotate._store.slots import lock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

N = 60


@pytest.fixture(autouse=True)
def _threads_take_turns_often() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def together(tasks: list[Callable[[], Any]]) -> None:
    """Run all at once; the first error is raised."""
    ready, errors = threading.Barrier(len(tasks)), []

    def run(task: Callable[[], Any]) -> None:
        ready.wait(timeout=60)
        try:
            task()
        except BaseException as error:  # noqa: BLE001 - raised below
            errors.append(error)

    threads = [threading.Thread(target=run, args=(task,)) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def some_cells() -> ad.AnnData:
    return ad.AnnData(
        np.ones((N, 5), np.float32),
        obs=pd.DataFrame(index=[f"c{i}" for i in range(N)]),
        var=pd.DataFrame(index=[f"g{i}" for i in range(5)]),
    )


def annotation(classes: list[str]) -> storage.Annotation:
    label = pd.Categorical(np.resize(classes, N), categories=classes)
    proba = np.full((N, len(classes)), 1 / len(classes), np.float32)
    return storage.Annotation({"?": label}, proba, {"classes": classes, "params": {}})


def stored(adata: ad.AnnData, key: str) -> None:
    result = annotation(["a", "b"])
    result.obs = {key: result.obs["?"], f"{key}_confidence": np.ones(N, np.float32)}
    storage.write(adata, key, result)


class SlowTable:
    """Makes every thread read the table of cells before one of them puts a new one there, if nothing keeps them apart."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, n: int) -> None:
        met = threading.Barrier(n)
        obs_of = storage.obs_of

        def slow(adata: ad.AnnData) -> pd.DataFrame:
            table = obs_of(adata)
            try:
                met.wait(timeout=0.2)
            except threading.BrokenBarrierError:
                pass
            return table

        monkeypatch.setattr(storage, "obs_of", slow)


def test_results_under_different_keys_are_all_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    adata = some_cells()
    SlowTable(monkeypatch, 4)
    together([lambda i=i: stored(adata, f"k{i}") for i in range(4)])
    for i in range(4):
        assert {f"k{i}", f"k{i}_confidence"} <= set(adata.obs)
        assert f"k{i}" in adata.uns
        assert f"k{i}_proba" in adata.obsm


def test_the_test_sees_what_is_lost_without_the_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    adata = some_cells()
    SlowTable(monkeypatch, 4)

    def unlocked(key: str) -> None:
        result = annotation(["a", "b"])
        result.obs = {key: result.obs["?"]}
        storage.write.__wrapped__(adata, key, result)

    together([lambda i=i: unlocked(f"k{i}") for i in range(4)])
    assert sum(f"k{i}" in adata.obs for i in range(4)) < 4


def test_columns_and_entries_added_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    adata = some_cells()
    stored(adata, "k")
    stored(adata, "other")
    SlowTable(monkeypatch, 4)
    together(
        [
            lambda: storage.add_columns(adata, "k", {"k_voted": np.arange(N)}, "vote", {"x": 1}),
            lambda: storage.add_columns(adata, "k", {"k_rollup": np.arange(N)}, "rollup", {"x": 2}),
            lambda: storage.add_columns(adata, "k", {}, "evidence", {"x": 3}),
            lambda: storage.add_columns(adata, "other", {"other_voted": np.arange(N)}, "vote", {"x": 4}),
        ]
    )
    assert {"k_voted", "k_rollup", "other_voted"} <= set(adata.obs)
    assert {"vote", "rollup", "evidence"} <= set(adata.uns["k"])
    assert {"k_voted", "k_rollup"} <= set(adata.uns["k"]["written"])
    assert adata.uns["other"]["vote"] == {"x": 4}


def test_predictions_at_once() -> None:
    adata = some_cells()
    values, control = np.ones((3, 5)), np.zeros(5)
    together([lambda i=i: perturbation_slots.write(adata, f"p{i}", {"": values}, control, {}) for i in range(6)])
    assert {f"p{i}_control" for i in range(6)} <= set(adata.var)
    assert {f"p{i}" for i in range(6)} <= set(adata.varm)


def test_one_name_for_two_threads() -> None:
    """Results under one key come one after another; what is there is of one of them."""
    adata = some_cells()
    together([lambda: stored(adata, "k") for _ in range(4)])
    assert list(adata.obs) == ["k", "k_confidence"]


@pytest.mark.slow
def test_everything_that_writes(pair: tuple[ad.AnnData, ad.AnnData], pair_model: Any) -> None:
    query = pair[1]
    sca.tl.annotate(query, pair_model, key_added="first")
    query.obs["groups"] = (np.arange(query.n_obs) % 5).astype(str)
    markers = {"T": ["CD3D", "CD3E"], "B": ["CD79A", "MS4A1"]}
    tasks: list[Callable[[], Any]] = [
        lambda i=i: sca.tl.annotate(query, pair_model, key_added=f"k{i}") for i in range(3)
    ]
    tasks += [
        lambda: sca.tl.vote(query, "groups", key="first"),
        lambda: sca.tl.evidence(query, key="first", model=pair_model),
        lambda: sca.tl.annotate_markers(query, markers, key_added="by_markers"),
    ]
    together(tasks)
    assert {"k0", "k1", "k2", "first_voted", "by_markers", "k0_confidence", "k1_model"} <= set(query.obs)
    assert {"vote", "evidence"} <= set(query.uns["first"])
    for i in range(3):
        np.testing.assert_array_equal(query.obs[f"k{i}"].to_numpy(), query.obs["first"].to_numpy())


def forked(adata: ad.AnnData, queue: Any) -> None:
    stored(adata, "child")
    queue.put(sorted(adata.obs))


@pytest.mark.skipif(sys.platform != "linux", reason="fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_process_forked_while_a_thread_writes() -> None:
    adata = some_cells()
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with lock():
            held.set()
            done.wait(timeout=60)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(timeout=60)
    child = context.Process(target=forked, args=(adata, queue))
    child.start()
    assert queue.get(timeout=60) == ["child", "child_confidence"]
    child.join(timeout=60)
    done.set()
    thread.join()


def test_objects_are_copied_and_pickled_as_before() -> None:
    adata = some_cells()
    stored(adata, "k")
    for other in (pickle.loads(pickle.dumps(adata)), copy.deepcopy(adata), adata.copy()):
        assert list(other.obs) == list(adata.obs)
        stored(other, "k")
