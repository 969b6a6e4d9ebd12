"""What an annotator must do, one method a check."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_array, csr_matrix

from sc_annotate.errors import ScAnnotateWarning
from sc_annotate.testing._declaration_checks import DeclarationChecks
from sc_annotate.testing._refusal_checks import RefusalChecks
from sc_annotate.testing._run import global_random_state, require
from sc_annotate.testing.tasks import easy_task

if TYPE_CHECKING:
    from numpy.typing import NDArray


class AnnotatorChecks(DeclarationChecks, RefusalChecks):
    """One method a check; its name, without the leading ``check_``, is what the report says."""

    def check_fit_returns_self(self) -> None:
        model = self.new()
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
        same = self.codes(model=self.fit(sparse=True)) == self.codes()
        require(same.mean() >= 0.9, "a fit on CSR gives other labels than one on dense")

    def check_input_not_modified(self) -> None:
        task = easy_task()
        sparse = csr_matrix(task.X)
        before = sparse.copy()
        for X in (task.X, sparse):
            model = self.new()
            model.fit(X, task.y, genes=task.genes, batch=task.batch)
            model.predict_proba(X)
        require(np.array_equal(task.X, self.task.X), "a dense X was modified")
        same = all(np.array_equal(getattr(sparse, a), getattr(before, a)) for a in ("data", "indices", "indptr"))
        require(same, "a CSR X was modified")
        for name in ("y", "genes", "batch"):
            require(np.array_equal(getattr(task, name), getattr(self.task, name)), f"{name} was modified")

    def check_same_rng_same_result(self) -> None:
        if not self.can.deterministic:
            return
        first, second = (self.proba(model=self.fit(rng=7)) for _ in range(2))
        require(np.array_equal(first, second), "two fits with the same rng differ")

    def check_global_random_state_untouched(self) -> None:
        before = global_random_state()
        self.proba(model=self.fit())
        require(global_random_state() == before, "the global random state changed; use a generator of your own")

    def check_no_warnings(self) -> None:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model = self.new()
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

    def check_better_than_majority(self) -> None:
        types, counts = np.unique(self.task.y, return_counts=True)
        baseline = (self.task.test_y == types[counts.argmax()]).mean()
        accuracy = (np.asarray(self.model.classes_)[self.codes()] == self.task.test_y).mean()
        require(
            accuracy > baseline,
            f"accuracy {accuracy:.2f} on an easy task; the most common type alone has {baseline:.2f}",
        )

    def check_constant_gene(self) -> None:
        def more(X: NDArray[np.float32]) -> NDArray[np.float32]:
            return np.hstack([X, np.full((len(X), 1), 2.5, np.float32)])

        task, names = self.task, np.append(self.task.genes, "constant")
        model = self.fit(replace(task, X=more(task.X), genes=names))
        same = self.codes(more(task.test_X), model) == self.codes()
        require(same.mean() >= 0.9, "a gene that never varies changes the labels")
