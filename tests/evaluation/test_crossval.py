"""Cross-validation shows a method its training cells only, and lines up what it answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import sparse

from sc_annotate.errors import InputError, LabelError, MethodError
from sc_annotate.evaluation import (
    Split,
    Unlabelled,
    cross_validate,
    leave_one_group_out,
    leave_one_type_out,
    stratified,
)

N = 60
Y = np.random.default_rng(0).permutation(np.repeat(["B", "NK", "T"], [20, 10, 30]))
# The first column says which row it is, so that a method can tell what it was shown.
X = np.column_stack([np.arange(N), np.random.default_rng(1).random((N, 2))]).astype(np.float32)
GENES = ["row", "g1", "g2"]
SPLITS = stratified(Y, 4)


class Spy:
    """Remembers what it is given; answers with the share of each type, tilted by the row number."""

    seen: list[Spy] = []

    def fit(self, X: Any, y: Any, *, genes: Any, batch: Any = None, rng: int = 0) -> Spy:
        self.classes_, n = np.unique(y, return_counts=True)
        self.share = n / n.sum()
        self.given = {"X": X, "y": y, "genes": genes, "batch": batch, "rng": rng}
        Spy.seen.append(self)
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        self.asked = X
        rows = np.asarray(X[:, [0]].toarray() if sparse.issparse(X) else X[:, [0]])
        p = self.share + rows / N * np.arange(self.classes_.size)
        return p / p.sum(axis=1, keepdims=True)


@pytest.fixture(autouse=True)
def _fresh() -> None:
    Spy.seen = []


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix, sparse.csr_array, sparse.csc_matrix])
def test_each_fold_sees_its_training_cells_and_is_asked_its_test_cells(kind: Any) -> None:
    batch = np.array(["b1", "b2"])[np.arange(N) % 2]
    out = cross_validate(Spy, kind(X), Y, SPLITS, genes=GENES, batch=batch, rng=7)
    assert len(Spy.seen) == 4
    for spy, split in zip(Spy.seen, SPLITS, strict=True):
        given = {k: v.toarray() if sparse.issparse(v) else v for k, v in spy.given.items()}
        np.testing.assert_array_equal(given["X"], X[split.train])
        np.testing.assert_array_equal(given["y"], Y[split.train])
        np.testing.assert_array_equal(given["batch"], batch[split.train])
        assert given["genes"].tolist() == GENES
        assert given["rng"] == 7
        asked = spy.asked.toarray() if sparse.issparse(spy.asked) else spy.asked
        np.testing.assert_array_equal(asked, X[split.test])
    np.testing.assert_array_equal(np.sort(out.cells), np.arange(N))
    np.testing.assert_array_equal(out.y, Y[out.cells])
    assert out.fold_names == ["fold 1", "fold 2", "fold 3", "fold 4"]
    for i, (spy, split) in enumerate(zip(Spy.seen, SPLITS, strict=True)):
        np.testing.assert_array_equal(out.cells[out.fold == i], split.test)
        np.testing.assert_allclose(out.proba[out.fold == i], spy.predict_proba(X[split.test]), rtol=1e-6)
    assert out.proba.dtype == np.float32
    assert out.seconds_fit > 0
    assert out.seconds_predict > 0


def test_a_type_that_a_fold_was_not_taught_has_probability_zero_in_its_column() -> None:
    splits = leave_one_type_out(Y)
    out = cross_validate(Spy, X, Y, splits, genes=GENES)
    assert out.classes.tolist() == ["B", "NK", "T"]
    np.testing.assert_allclose(out.proba.sum(axis=1), 1, rtol=1e-6)
    for i, split in enumerate(splits):
        mine = out.proba[out.fold == i]
        assert (mine[:, i] == 0).all()
        assert (np.delete(mine, i, axis=1) > 0).all()
        assert split.name not in out.labels[out.fold == i]
    np.testing.assert_array_equal(out.labels, out.classes[out.proba.argmax(axis=1)])


def test_a_progress_bar_changes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    plain = cross_validate(Spy, X, Y, SPLITS, genes=GENES)
    shown = cross_validate(Spy, X, Y, SPLITS, genes=GENES, progress="testing")
    np.testing.assert_array_equal(plain.proba, shown.proba)


def test_arguments_that_do_not_fit_are_refused() -> None:
    every = np.arange(N)
    for split, message in [
        (Split("s", every[:30], every[29:]), "trains on cells that it tests"),
        (Split("s", every[:30], every[30:] + 1), "goes beyond the 60 cells"),
        (Split("s", every - 1, every[:0]), "0 test cells"),
        (Split("s", every[:0], every), "0 training"),
        (Split("s", every[:5] - 1, every[5:]), "goes beyond"),
    ]:
        with pytest.raises(InputError, match=message):
            cross_validate(Spy, X, Y, [split], genes=GENES)
    with pytest.raises(InputError, match="splits is empty"):
        cross_validate(Spy, X, Y, [], genes=GENES)
    with pytest.raises(InputError, match="X has 60 cells but y has 59"):
        cross_validate(Spy, X, Y[1:], SPLITS, genes=GENES)
    with pytest.raises(InputError, match="X has 60 cells but batch has 59"):
        cross_validate(Spy, X, Y, SPLITS, genes=GENES, batch=Y[1:])
    with pytest.raises(InputError, match="3 columns"):
        cross_validate(Spy, X, Y, SPLITS, genes=["a"])
    with pytest.raises(LabelError, match="missing"):
        cross_validate(Spy, X, [None, *Y[1:]], SPLITS, genes=GENES)
    assert not Spy.seen


def test_a_method_that_answers_nonsense_is_named() -> None:
    class TooFew(Spy):
        def predict_proba(self, X: Any) -> np.ndarray:
            return super().predict_proba(X)[:, :1]

    class NotANumber(Spy):
        def predict_proba(self, X: Any) -> np.ndarray:
            return super().predict_proba(X) * np.nan

    class Inventive(Spy):
        def fit(self, X: Any, y: Any, **kwargs: Any) -> Spy:
            super().fit(X, y, **kwargs)
            self.classes_ = np.array(["B", "NK", "unicorn"])
            return self

    for cls, message in [(TooFew, r"\(\d+, 1\)"), (NotANumber, "NaN"), (Inventive, "types in classes_")]:
        with pytest.raises(MethodError, match=f"{cls.__name__} on the split 'fold 1'.*{message}"):
            cross_validate(cls, X, Y, SPLITS, genes=GENES)


class Learner(Spy):
    """Takes cells without a label too."""

    unlabelled = True

    def fit(
        self,
        X: Any,
        y: Any,
        *,
        genes: Any,
        batch: Any = None,
        rng: int = 0,
        unlabelled: Any = None,
        unlabelled_batch: Any = None,
    ) -> Learner:
        super().fit(X, y, genes=genes, batch=batch, rng=rng)
        self.given |= {"unlabelled": unlabelled, "unlabelled_batch": unlabelled_batch}
        return self


OTHERS = np.arange(15, dtype=np.float32).reshape(5, 3)
THEIR_BATCH = np.array(["b1", "b2", "b2", "b3", "b1"])


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix, sparse.csc_matrix])
def test_cells_without_a_label_go_to_methods_that_take_them_but_not_those_of_a_tested_batch(kind: Any) -> None:
    batch = np.array(["b1", "b2"])[np.arange(N) % 2]
    by_batch = leave_one_group_out(batch)
    others = Unlabelled(kind(OTHERS), THEIR_BATCH)
    cross_validate(Learner, X, Y, by_batch, genes=GENES, batch=batch, unlabelled=others)
    for spy, split in zip(Spy.seen, by_batch, strict=True):
        kept = ~np.isin(THEIR_BATCH, batch[split.test])
        given = spy.given["unlabelled"]
        np.testing.assert_array_equal(given.toarray() if sparse.issparse(given) else given, OTHERS[kept])
        assert spy.given["unlabelled_batch"].tolist() == THEIR_BATCH[kept].tolist()


def test_within_batches_and_without_known_ones_all_of_them_take_part() -> None:
    batch = np.array(["b1", "b2"])[np.arange(N) % 2]
    cross_validate(Learner, X, Y, SPLITS, genes=GENES, batch=batch, unlabelled=Unlabelled(OTHERS, THEIR_BATCH))
    cross_validate(Learner, X, Y, leave_one_group_out(batch), genes=GENES, batch=batch, unlabelled=Unlabelled(OTHERS))
    assert [len(spy.given["unlabelled"]) for spy in Spy.seen] == [5] * 6


def test_methods_that_do_not_say_so_never_see_them() -> None:
    plain = cross_validate(Spy, X, Y, SPLITS, genes=GENES)
    beside = cross_validate(Spy, X, Y, SPLITS, genes=GENES, unlabelled=Unlabelled(OTHERS))
    np.testing.assert_array_equal(plain.proba, beside.proba)
    cross_validate(Learner, X, Y, SPLITS[:1], genes=GENES, unlabelled=Unlabelled(OTHERS[:0]))
    assert Spy.seen[-1].given["unlabelled"] is None


def test_cells_without_a_label_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InputError, match=r"unlabelled.X has the shape \(5, 2\) and X has 3 genes"):
        cross_validate(Learner, X, Y, SPLITS, genes=GENES, unlabelled=Unlabelled(OTHERS[:, :2]))
    with pytest.raises(InputError, match=r"unlabelled\.batch"):
        cross_validate(Learner, X, Y, SPLITS, genes=GENES, unlabelled=Unlabelled(OTHERS, THEIR_BATCH[:2]))
