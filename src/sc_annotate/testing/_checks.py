"""What an annotator must do, one method a check."""

from __future__ import annotations

import json
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import csr_array, csr_matrix

from sc_annotate.errors import ScAnnotateWarning
from sc_annotate.testing._evidence_check import evidence_faults
from sc_annotate.testing._run import global_random_state
from sc_annotate.testing._task import easy_task

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sc_annotate.testing._task import Task


def require(condition: Any, message: str) -> None:
    """Not an assert statement: ``python -O`` would leave that out."""
    if not condition:
        raise AssertionError(message)


class AnnotatorChecks:
    """One method a check; its name, without the leading ``check_``, is what the report says."""

    def __init__(self, cls: type[Any], params: dict[str, Any]) -> None:
        self.cls, self.params, self.task = cls, params, easy_task()
        self._model: Any = None

    def fit(self, task: Task | None = None, *, batch: bool = False, rng: int = 0, sparse: bool = False) -> Any:
        task = task or self.task
        X = csr_matrix(task.X) if sparse else task.X
        model = self.cls(**self.params)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fitted = model.fit(X, task.y, genes=task.genes, batch=task.batch if batch else None, rng=rng)
        return model if fitted is None else fitted

    @property
    def model(self) -> Any:
        """Fitted once for the checks that only predict."""
        if self._model is None:
            self._model = self.fit()
        return self._model

    def proba(self, X: Any = None, model: Any = None) -> NDArray[np.float32]:
        """Predict, and look at what no prediction may lack."""
        X = self.task.test_X if X is None else X
        model = self.model if model is None else model
        P = model.predict_proba(X)
        require(isinstance(P, np.ndarray), f"predict_proba returned {type(P).__name__}, not a numpy array")
        shape = (X.shape[0], len(model.classes_))
        require(P.shape == shape, f"predict_proba returned the shape {P.shape}, not {shape}")
        require(P.dtype == np.float32, f"probabilities are {P.dtype}, not float32")
        require(np.isfinite(P).all(), "probabilities are NaN or infinite")
        require((P >= 0).all(), "probabilities are negative")
        require(np.allclose(P.sum(axis=1), 1, atol=1e-4), "rows of probabilities do not sum to 1")
        return P

    def check_fit_returns_self(self) -> None:
        model = self.cls(**self.params)
        returned = model.fit(self.task.X, self.task.y, genes=self.task.genes)
        require(returned is model, "fit must return self")

    def check_classes(self) -> None:
        classes = np.asarray(self.model.classes_)
        require(classes.dtype.kind == "U", f"classes_ has dtype {classes.dtype}, not numpy str")
        require(classes.tolist() == np.unique(self.task.y).tolist(), "classes_ must be the sorted types of y")

    def check_probabilities(self) -> None:
        self.proba()

    def check_sparse_and_dense_predict_alike(self) -> None:
        dense = self.proba()
        for form in (csr_matrix, csr_array):
            other = self.proba(form(self.task.test_X))
            require(
                np.allclose(dense, other, atol=1e-4), f"{form.__name__} and dense cells get different probabilities"
            )

    def check_sparse_and_dense_fit_alike(self) -> None:
        called = self.proba(model=self.fit(sparse=True)).argmax(axis=1)
        require(
            (called == self.proba().argmax(axis=1)).mean() >= 0.9, "a fit on CSR gives other calls than one on dense"
        )

    def check_input_not_modified(self) -> None:
        task = easy_task()
        sparse = csr_matrix(task.X)
        before = sparse.copy()
        for X in (task.X, sparse):
            model = self.cls(**self.params)
            model.fit(X, task.y, genes=task.genes, batch=task.batch)
            model.predict_proba(X)
        require(np.array_equal(task.X, self.task.X), "a dense X was modified")
        same = all(np.array_equal(getattr(sparse, a), getattr(before, a)) for a in ("data", "indices", "indptr"))
        require(same, "a CSR X was modified")
        for name in ("y", "genes", "batch"):
            require(np.array_equal(getattr(task, name), getattr(self.task, name)), f"{name} was modified")

    def check_same_rng_same_result(self) -> None:
        first, second = (self.proba(model=self.fit(rng=7)) for _ in range(2))
        require(np.array_equal(first, second), "two fits with the same rng differ")

    def check_global_random_state_untouched(self) -> None:
        before = global_random_state()
        self.proba(model=self.fit())
        require(global_random_state() == before, "the global random state changed; use a generator of your own")

    def check_no_warnings(self) -> None:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model = self.cls(**self.params)
            model.fit(self.task.X, self.task.y, genes=self.task.genes)
            model.predict_proba(self.task.test_X)
        leaked = [
            f"{w.category.__name__}: {w.message}" for w in caught if not issubclass(w.category, ScAnnotateWarning)
        ]
        require(not leaked, f"warnings other than ScAnnotateWarning: {leaked}")

    def check_one_cell(self) -> None:
        alone = self.proba(self.task.test_X[:1])
        require(np.allclose(alone, self.proba()[:1], atol=1e-4), "a cell alone gets another result than among others")

    def check_no_cells(self) -> None:
        self.proba(self.task.test_X[:0])
        self.proba(csr_matrix(self.task.test_X)[:0])

    def check_cell_of_zeros(self) -> None:
        X = self.task.test_X[:3].copy()
        X[1] = 0
        self.proba(X)
        self.proba(csr_matrix(X))

    def check_type_of_one_cell(self) -> None:
        y = self.task.y
        rare = np.flatnonzero(y == self.model.classes_[-1])[1:]
        model = self.fit(self.task.subset(np.setdiff1d(np.arange(len(y)), rare)))
        require(len(model.classes_) == 3, "a type of one cell was dropped")
        self.proba(model=model)

    def check_two_types(self) -> None:
        types = np.unique(self.task.y)[:2]
        model = self.fit(self.task.subset(np.flatnonzero(np.isin(self.task.y, types))))
        require(np.asarray(model.classes_).tolist() == types.tolist(), "classes_ is wrong with two types")
        self.proba(model=model)

    def check_batch_given(self) -> None:
        self.proba(model=self.fit(batch=True))

    def check_wrong_columns_refused(self) -> None:
        for X in (self.task.test_X[:, :-1], np.hstack([self.task.test_X, self.task.test_X[:, :1]])):
            for form in (np.asarray, csr_matrix):
                try:
                    self.model.predict_proba(form(X))
                except ValueError:
                    continue
                raise AssertionError(f"{X.shape[1]} columns were accepted after a fit on 60; raise GeneError")

    def check_saving(self) -> None:
        saves = getattr(self.cls, "saves", True)
        can = hasattr(self.cls, "to_arrays") and hasattr(self.cls, "from_arrays")
        require(can or not saves, "add to_arrays and from_arrays, or say saves = False in the class")
        if not saves:
            for name, arguments in (("to_arrays", ()), ("from_arrays", ({}, {}, self.model.classes_))):
                call = getattr(self.model, name, None)
                try:
                    if call is not None:
                        call(*arguments)
                except NotImplementedError:
                    continue
                require(call is None, f"saves is False, so {name} must raise NotImplementedError")
            return
        arrays, meta = self.model.to_arrays()
        for name, array in arrays.items():
            numeric = isinstance(name, str) and isinstance(array, np.ndarray) and array.dtype.kind in "biuf"
            require(numeric, f"to_arrays: {name!r} must be a str and its value a numeric numpy array")
        copies = {name: array.copy() for name, array in arrays.items()}
        again = self.cls.from_arrays(copies, json.loads(json.dumps(meta)), np.asarray(self.model.classes_))
        require(np.asarray(again.classes_).tolist() == np.asarray(self.model.classes_).tolist(), "classes_ changed")
        require(np.array_equal(self.proba(model=again), self.proba()), "a model read back gives other probabilities")

    def check_gene_evidence(self) -> None:
        faults = evidence_faults(self.model, self.task.test_X, self.proba)
        require(not faults, "; ".join(faults))

    def check_better_than_majority(self) -> None:
        types, counts = np.unique(self.task.y, return_counts=True)
        floor = (self.task.test_y == types[counts.argmax()]).mean()
        accuracy = (np.asarray(self.model.classes_)[self.proba().argmax(axis=1)] == self.task.test_y).mean()
        require(accuracy > floor, f"accuracy {accuracy:.2f} on an easy task; the commonest type alone has {floor:.2f}")
