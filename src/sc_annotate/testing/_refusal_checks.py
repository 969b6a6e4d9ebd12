"""What an annotator must refuse."""

from __future__ import annotations

from functools import partial

import numpy as np
from scipy.sparse import csr_matrix

from sc_annotate.annotators import Annotator
from sc_annotate.errors import GeneError, InputError, LabelError, MatrixError, MethodError
from sc_annotate.testing._annotator_case import AnnotatorCase
from sc_annotate.testing._run import refused, require


class RefusalChecks(AnnotatorCase):
    """Errors for what cannot be used.

    A class that derives from :class:`~sc_annotate.annotators.Annotator` raises the errors that are documented there. One
    that is only shaped like it may trust its input, which the pipeline has checked; but not the number of genes.
    """

    def check_wrong_columns_refused(self) -> None:
        kind = GeneError if issubclass(self.cls, Annotator) else ValueError
        for X in (self.task.test_X[:, :-1], np.hstack([self.task.test_X, self.task.test_X[:, :1]])):
            for form in (np.asarray, csr_matrix):
                what = f"{X.shape[1]} columns after a fit on {self.task.X.shape[1]} genes"
                refused(kind, what, partial(self.model.predict_proba, form(X)))

    def check_bad_input_refused(self) -> None:
        if not issubclass(self.cls, Annotator):
            return
        X, y, genes, batch = self.task.X, self.task.y, self.task.genes, self.task.batch
        nan = X.copy()
        nan[3, 3] = np.nan
        missing = np.array([None, *y[1:]], dtype=object)
        for kind, what, values, labels, names, batches in (
            (MatrixError, "NaN in X", nan, y, genes, None),
            (MatrixError, "an X of one dimension", X[0], y, genes, None),
            (LabelError, "a label too few", X, y[1:], genes, None),
            (LabelError, "a missing label", X, missing, genes, None),
            (GeneError, "a gene name too few", X, y, genes[1:], None),
            (InputError, "a batch too few", X, y, genes, batch[1:]),
        ):
            refused(kind, what, partial(self.new().fit, values, labels, genes=names, batch=batches))
        refused(MethodError, "predict_proba before fit", partial(self.new().predict_proba, X))

    def check_one_type(self) -> None:
        if not issubclass(self.cls, Annotator):
            return
        try:
            model = self.new().fit(self.task.X, np.full(len(self.task.y), "T"), genes=self.task.genes)
        except LabelError as error:
            require("'T'" in str(error), f"the message about one type alone does not name it: {error}")
        else:
            require((self.proba(model=model) == 1).all(), "fitted on one type alone, it is not certain of it")
