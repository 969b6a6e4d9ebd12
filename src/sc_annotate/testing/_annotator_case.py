"""What all checks of annotators share: a class, a task, and how it is fitted and used."""

from __future__ import annotations

import warnings
from functools import cached_property
from typing import TYPE_CHECKING, Any

from scipy.sparse import csr_matrix

from sc_annotate.testing._run import probabilities
from sc_annotate.testing.tasks import easy_task

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from sc_annotate.annotators import AnnotatorLike
    from sc_annotate.testing.tasks import Task


class AnnotatorCase:
    """A class with its hyperparameters on the easy task."""

    def __init__(self, cls: type[Any], params: dict[str, Any]) -> None:
        self.cls, self.params, self.task = cls, params, easy_task()

    def new(self) -> Any:
        """An unfitted instance."""
        return self.cls(**self.params)

    def fit(
        self,
        task: Task | None = None,
        *,
        batch: bool = False,
        rng: int = 0,
        sparse: bool = False,
        beside: dict[str, Any] | None = None,
    ) -> Any:
        task = task or self.task
        X = csr_matrix(task.X) if sparse else task.X
        model = self.new()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            own = task.batch if batch else None
            fitted = model.fit(X, task.y, genes=task.genes, batch=own, rng=rng, **(beside or {}))
        return model if fitted is None else fitted

    @cached_property
    def model(self) -> Any:
        """Fitted once for the checks that only predict."""
        return self.fit()

    def proba(self, X: Any = None, model: AnnotatorLike | None = None) -> NDArray[np.float32]:
        """Predict, and look at what no prediction may lack."""
        X = self.task.test_X if X is None else X
        model = self.model if model is None else model
        return probabilities(model.predict_proba(X), (X.shape[0], len(model.classes_)), "predict_proba")

    def codes(self, X: Any = None, model: AnnotatorLike | None = None) -> NDArray[np.intp]:
        """The likeliest type of each cell."""
        return self.proba(X, model).argmax(axis=1)
