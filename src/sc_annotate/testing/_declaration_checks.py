"""What an annotator declares has to be so."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any, get_args

import numpy as np
from scipy.sparse import csr_matrix

from sc_annotate._core.records import Input
from sc_annotate._core.registry import Capabilities, Statistic, capabilities_of, declared
from sc_annotate.annotators.covariance import Distances
from sc_annotate.annotators.statistics import Statistics
from sc_annotate.testing._annotator_case import AnnotatorCase
from sc_annotate.testing._evidence_check import evidence_faults
from sc_annotate.testing._field_check import require_fields
from sc_annotate.testing._run import require


class DeclarationChecks(AnnotatorCase):
    """Capabilities, hyperparameters and the fitted state."""

    @property
    def can(self) -> Capabilities:
        return capabilities_of(self.new())

    def check_declarations(self) -> None:
        can, record = self.can, declared("annotation", self.cls)
        require(
            record["inputs"] in get_args(Input)[:3],
            f"inputs are {record['inputs']!r}, not one of {get_args(Input)[:3]}",
        )
        for name in ("transductive", "unlabelled", "parallel", "deterministic", "deep", "aligns"):
            require(isinstance(getattr(can, name), bool), f"{name} must be True or False")
        known = isinstance(can.streams, tuple) and set(can.streams) <= set(get_args(Statistic))
        require(known, f"streams must be a tuple of {get_args(Statistic)}, not {can.streams!r}")
        may_need = set(capabilities_of(self.cls).streams)
        require(set(can.streams) <= may_need, f"streamed() gives {can.streams}, of which streams does not tell")
        require(record["saves"] in (False, can.saves), "the record says that it can be saved, and the class does not")

    def check_hyperparameters_are_fields(self) -> None:
        require_fields(self.cls)

    def check_params_rebuild(self) -> None:
        params = getattr(self.new(), "params", None)
        if not callable(params):
            return
        again = self.cls(**params()).fit(self.task.X, self.task.y, genes=self.task.genes)
        same = np.allclose(self.proba(model=again), self.proba(), atol=1e-4)
        require(same or not self.can.deterministic, "made again from params(), it predicts something else")

    def check_streams(self) -> None:
        needs = self.can.streams
        if not needs:
            return
        classes, codes = np.unique(self.task.y, return_inverse=True)
        statistics = Statistics.of(self.task.X, codes, len(classes), gram="products" in needs)
        more = {}
        if "distances" in needs:
            more = {"distances": Distances.around(statistics).update(self.task.X, codes)}
        model = self.new().fit_statistics(statistics, classes=classes, **more)
        same = np.allclose(self.proba(model=model), self.proba(), atol=1e-3)
        require(same, "fit_statistics learns something else than fit")

    def check_blocks(self) -> None:
        if not self.can.by_blocks:
            return
        from sc_annotate.neural.batches import ArrayBlocks

        classes, codes = np.unique(self.task.y, return_inverse=True)
        cells = ArrayBlocks(csr_matrix(self.task.X), codes)
        model = self.new().fit_blocks(cells, classes=classes, genes=self.task.genes, rng=0)
        same = np.allclose(self.proba(model=model), self.proba(), atol=1e-3)
        require(same, "fit_blocks of one block learns something else than fit")

    def check_unlabelled(self) -> None:
        if not self.can.unlabelled:
            return
        given, batch = self.task.test_X.copy(), np.where(np.arange(len(self.task.test_X)) % 2 == 0, "one", "two")
        plain = self.fit()
        models = [
            self.fit(beside={"unlabelled": X, "unlabelled_batch": b})
            for X, b in ((given, None), (csr_matrix(given), None), (given, batch), (given[:1], None))
        ]
        require(np.array_equal(given, self.task.test_X), "cells without a label were modified")
        for model in models:
            same = np.asarray(model.classes_).tolist() == np.asarray(plain.classes_).tolist()
            require(same, "cells without a label change classes_")
            self.proba(model=model)
        alike = self.codes(model=models[0]) == self.codes(model=models[1])
        require(alike.mean() >= 0.9, "CSR and dense cells without a label lead to other labels")
        none = self.fit(beside={"unlabelled": None, "unlabelled_batch": None})
        equal = np.array_equal(self.proba(model=none), self.proba(model=plain))
        require(equal or not self.can.deterministic, "unlabelled=None is not the same as leaving it out")

    def check_parallel(self) -> None:
        if not self.can.parallel:
            return
        parts = [self.task.test_X[i : i + 5] for i in range(0, len(self.task.test_X), 5)]
        with ThreadPoolExecutor(4) as pool:
            found = np.concatenate(list(pool.map(self.proba, parts)))
        require(np.allclose(found, self.proba(), atol=1e-4), "on several threads at once it predicts something else")

    def check_alignment(self) -> None:
        if not self.can.aligns:
            return
        has = all(callable(getattr(self.model, name, None)) for name in ("decision", "coefficients", "probabilities"))
        require(has, "aligns = True needs decision(X), coefficients() and probabilities(scores)")
        coef, intercept = self.model.coefficients()
        for X in (self.task.test_X, 3 * self.task.test_X):
            scores = X @ np.asarray(coef).T + intercept
            same = np.allclose(self.model.decision(X), scores, rtol=1e-3, atol=1e-3)
            require(same, "aligns is True, but decision(X) is not X times coefficients() plus the intercept")
            same = np.allclose(self.model.probabilities(scores), self.proba(X), atol=1e-3)
            require(same, "aligns is True, but probabilities(decision(X)) is not predict_proba(X)")

    def check_saving(self) -> None:
        saves = getattr(self.cls, "saves", True)
        can = hasattr(self.cls, "to_arrays") and hasattr(self.cls, "from_arrays")
        require(can or not saves, "add to_arrays and from_arrays, or say saves = False in the class")
        if not saves:
            self._refuses_to_be_saved()
            return
        arrays, meta = self.model.to_arrays()
        for name, array in arrays.items():
            numeric = isinstance(name, str) and isinstance(array, np.ndarray) and array.dtype.kind in "biuf"
            require(numeric, f"to_arrays: {name!r} must be a str and its value a numeric numpy array")
        copies = {name: array.copy() for name, array in arrays.items()}
        again = self.cls.from_arrays(copies, json.loads(json.dumps(meta)), np.asarray(self.model.classes_))
        require(np.asarray(again.classes_).tolist() == np.asarray(self.model.classes_).tolist(), "classes_ changed")
        require(np.array_equal(self.proba(model=again), self.proba()), "a model read back gives other probabilities")

    def _refuses_to_be_saved(self) -> None:
        arguments: dict[str, tuple[Any, ...]] = {"to_arrays": (), "from_arrays": ({}, {}, self.model.classes_)}
        for name, given in arguments.items():
            call = getattr(self.model, name, None)
            try:
                if call is not None:
                    call(*given)
            except NotImplementedError:
                continue
            require(call is None, f"saves is False, so {name} must raise NotImplementedError")

    def check_gene_evidence(self) -> None:
        faults = evidence_faults(self.model, self.task.test_X, self.proba)
        require(not faults, "; ".join(faults))
