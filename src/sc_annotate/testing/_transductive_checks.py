"""What an annotator must do that sees the cells to be annotated when it is fitted, one method a check."""

from __future__ import annotations

import warnings
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import csr_matrix

from sc_annotate._core.registry import capabilities_of, declared
from sc_annotate.annotators import Annotator
from sc_annotate.errors import GeneError, InputError, LabelError, MatrixError, MethodError, ScAnnotateWarning
from sc_annotate.testing._field_check import require_fields
from sc_annotate.testing._run import global_random_state, probabilities, refused, require
from sc_annotate.testing.tasks import easy_task

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sc_annotate.testing.tasks import Task


class TransductiveChecks:
    """A class with its hyperparameters, fitted on the easy task with the test cells as the query.

    A hyperparameter that names an entry of ``obsm`` gets, of each cell, two numbers for the place in a plane of cells of its
    type.
    """

    def __init__(self, cls: type[Any], params: dict[str, Any]) -> None:
        self.cls, self.params = cls, params
        self.can = capabilities_of(cls)
        self.task = easy_task(counts=declared("annotation", cls)["inputs"] == "counts")

    def fit(self, task: Task | None = None, *, batch: bool = False, rng: int = 0, sparse: bool = True) -> Any:
        task, form = task or self.task, csr_matrix if sparse else np.asarray
        model = self.cls(**self.params)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            returned = model.fit(form(task.X), task.y, genes=task.genes, rng=rng, **self.more(task, form, batch=batch))
        require(returned is model, "fit must return self")
        return model

    def more(self, task: Task, form: Any = csr_matrix, *, batch: bool = False) -> dict[str, Any]:
        """What `fit` takes beside the labelled cells."""
        own = {name: _places(task.y) for name in self.can.obsm_params}
        theirs = {name: _places(task.test_y) for name in self.can.obsm_params}
        return {
            "batch": task.batch if batch else None,
            "query": form(task.test_X),
            "query_batch": np.full(len(task.test_X), "three") if batch else None,
            "obsm": own,
            "query_obsm": theirs,
        }

    def proba(self, model: Any, n: int | None = None) -> NDArray[np.float32]:
        """Probabilities of the query, looked at."""
        found = model.predict_query()
        n = len(self.task.test_X) if n is None else n
        return probabilities(found, (n, len(model.classes_)), "predict_query")

    @cached_property
    def model(self) -> Any:
        before = global_random_state()
        model = self.fit()
        require(global_random_state() == before, "the global random state changed; use a generator of your own")
        return model

    def check_declarations(self) -> None:
        require_fields(self.cls)
        params = self.can.obsm_params
        known = isinstance(params, tuple) and all(isinstance(name, str) for name in params)
        require(known, f"obsm_params must be a tuple of names, not {params!r}")
        require(not self.can.saves, "a model of some query cells serves no others: say saves = False")
        for name in ("unlabelled", "deterministic", "deep"):
            require(isinstance(getattr(self.can, name), bool), f"{name} must be True or False")

    def check_classes(self) -> None:
        classes = np.asarray(self.model.classes_)
        require(classes.dtype.kind == "U", f"classes_ has dtype {classes.dtype}, not numpy str")
        require(classes.tolist() == np.unique(self.task.y).tolist(), "classes_ must be the sorted types of y")

    def check_better_than_majority(self) -> None:
        types, counts = np.unique(self.task.y, return_counts=True)
        baseline = (self.task.test_y == types[counts.argmax()]).mean()
        labels = np.asarray(self.model.classes_)[self.proba(self.model).argmax(axis=1)]
        accuracy = (labels == self.task.test_y).mean()
        require(accuracy > baseline, f"accuracy {accuracy:.2f} on an easy task; the commonest type has {baseline:.2f}")

    def check_dense_cells_and_batches(self) -> None:
        self.proba(self.fit(sparse=False, batch=True))

    def check_same_rng_same_result(self) -> None:
        if self.can.deterministic:
            require(np.array_equal(self.again, self.proba(self.model)), "two fits with the same rng differ")

    @cached_property
    def again(self) -> NDArray[np.float32]:
        """The probabilities of a second fit, which is looked at more closely."""
        task = easy_task(counts=self.can.inputs == "counts")
        X, more = csr_matrix(task.X), self.more(task)
        before, query = X.copy(), more["query"].copy()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model = self.cls(**self.params).fit(X, task.y, genes=task.genes, **more)
            found = self.proba(model)
        leaked = [
            f"{w.category.__name__}: {w.message}" for w in caught if not issubclass(w.category, ScAnnotateWarning)
        ]
        require(not leaked, f"warnings other than ScAnnotateWarning: {leaked}")
        for now, then in ((X, before), (more["query"], query)):
            same = all(np.array_equal(getattr(now, a), getattr(then, a)) for a in ("data", "indices", "indptr"))
            require(same, "X or the query was modified")
        return found

    def check_no_warnings_and_input_not_modified(self) -> None:
        require(len(self.again) == len(self.task.test_X), "the query has another number of cells")

    def check_small_queries(self) -> None:
        X = self.task.test_X[:2].copy()
        X[1] = 0
        self.proba(self.fit(replace(self.task, test_X=X, test_y=self.task.test_y[:2])), 2)
        self.proba(self.fit(replace(self.task, test_X=X[:1], test_y=self.task.test_y[:1])), 1)

    def check_few_types_and_cells(self) -> None:
        y = self.task.y
        first, second, third = np.unique(y)
        rare = np.flatnonzero(y == third)[1:]
        model = self.fit(self.task.subset(np.setdiff1d(np.arange(len(y)), rare)))
        require(len(model.classes_) == 3, "a type of one cell was dropped")
        two = self.fit(self.task.subset(np.flatnonzero(y != third)))
        require(np.asarray(two.classes_).tolist() == [first, second], "classes_ is wrong with two types")

    def check_bad_input_refused(self) -> None:
        if not issubclass(self.cls, Annotator):
            return
        X, y, genes, more = self.task.X, self.task.y, self.task.genes, self.more(self.task)
        nan = X.copy()
        nan[3, 3] = np.nan
        few = {**more, "query": more["query"][:, :-1]}
        for kind, what, values, labels, names, rest in (
            (MatrixError, "NaN in X", nan, y, genes, more),
            (LabelError, "a label too few", X, y[1:], genes, more),
            (GeneError, "a gene name too few", X, y, genes[1:], more),
            (GeneError, "a query of other genes", X, y, genes, few),
            (InputError, "a batch too few", X, y, genes, {**more, "batch": self.task.batch[1:]}),
        ):
            refused(kind, what, partial(self.cls(**self.params).fit, values, labels, genes=names, **rest))
        new: Any = self.cls(**self.params)
        refused(MethodError, "predict_query before fit", new.predict_query)


def _places(y: NDArray[np.str_]) -> NDArray[np.float32]:
    codes = np.unique(y, return_inverse=True)[1]
    generator = np.random.default_rng(0)
    return (20.0 * np.column_stack([codes, codes % 2]) + generator.poisson(8.0, (len(y), 2))).astype(np.float32)
