"""Held-out predictions of annotators on five labelled data sets, each method in a process of its own."""

from __future__ import annotations

import multiprocessing
import resource
import time
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anndata as ad
import numpy as np

import sc_annotate as sca
from sc_annotate import metrics
from sc_annotate._core import registry
from sc_annotate._data.matrix import MatrixRequest
from sc_annotate._data.read import open_input
from sc_annotate.annotation.held_out import Candidate, held_out
from sc_annotate.annotation.held_out_cells import choose_splits, score_groups
from sc_annotate.annotation.learn_trust import missing_in_fold
from sc_annotate.annotation.requests import N_TOP_GENES, FitRequest
from sc_annotate.annotation.training import Training, labelled_cells, read_training
from sc_annotate.evaluation import Predictions, interval, paired_difference
from sc_annotate.trust import Temperature, cross_fit

if TYPE_CHECKING:
    from pathlib import Path

FILES = {
    "pbmc_3tech": ("pbmc_3tech", "batch"),
    "kang": ("kang2018_pbmc_ifnb", "batch"),
    "scmixology": ("scmixology_celseq2_dropseq", "batch"),
    "kang_14k": ("kang2018_pbmc_14k", "condition"),
}
FOLDS = 5


@dataclass(frozen=True)
class Found:
    """What one method predicts with one seed, and what that takes."""

    own: Predictions
    groups: np.ndarray | None
    seconds: float
    """Processor time a fold: choice of genes, fit and prediction."""
    megabytes: float
    """Most resident memory of the process, with the data and all libraries."""

    def calibration_errors(self) -> tuple[float, float]:
        """Before and after calibration, each fold with the temperature of the others, as `annotate` reports it."""
        own = self.own
        truth = np.searchsorted(own.classes, own.y)
        usable = ~missing_in_fold(own, truth)
        before, y = own.proba[usable], own.y[usable]
        after = cross_fit(Temperature, before, truth[usable], own.fold[usable])
        raw, calibrated = (metrics.expected_calibration_error(y, p, own.classes) for p in (before, after))
        return float(raw), float(calibrated)

    def scores(self, logreg: Found) -> dict[str, float]:
        y, labels = self.own.y, self.own.labels
        raw, calibrated = self.calibration_errors()
        f1 = interval(y, labels, groups=self.groups)
        gap = paired_difference(y, labels, logreg.own.labels, groups=self.groups)
        return {
            "accuracy": float(metrics.accuracy(y, labels)),
            "macro_f1": f1.estimate,
            "difference": gap.estimate,
            "low": gap.low,
            "high": gap.high,
            "raw": raw,
            "calibrated": calibrated,
            "seconds": self.seconds,
            "megabytes": self.megabytes,
        }


def load(folder: Path | None) -> dict[str, Training]:
    """pbmc68k, and the other data sets where a folder has them."""
    data = {"pbmc68k": (sca.datasets.pbmc68k(), None)}
    if folder is not None:
        data |= {name: (ad.read_h5ad(folder / f"{file}.h5ad"), key) for name, (file, key) in FILES.items()}
    out = {}
    for name, (adata, batch_key) in data.items():
        cells = labelled_cells(
            adata, FitRequest(labels_key="cell_type", batch_key=batch_key, max_cells=None), what=name
        )
        out[name] = read_training(adata, open_input(adata), cells, MatrixRequest(), wanted="log", what=name)
    return out


def found(data: Training, method: str, rng: int, kept: Path) -> Found:
    """Predictions for all cells, from a file of an earlier run if there is one."""
    if not kept.exists():
        child = multiprocessing.get_context("fork").Process(target=_predict, args=(data, method, rng, kept))
        child.start()
        child.join()
        if child.exitcode:
            raise RuntimeError(f"{method} failed")
    with np.load(kept, allow_pickle=False) as file:
        arrays = dict(file)
    seconds, megabytes = arrays.pop("seconds"), arrays.pop("megabytes")
    own = Predictions(**arrays, fold_names=[], seconds_fit=0.0, seconds_predict=0.0)
    return Found(own, score_groups(data, own), float(seconds), float(megabytes))


def _predict(data: Training, method: str, rng: int, kept: Path) -> None:
    warnings.simplefilter("ignore")
    if registry.get("annotation", method).extra == "torch":
        from sc_annotate.neural import libraries

        libraries.lightning()  # importing it is no part of a fit
    splits, _ = choose_splits(data, FOLDS, rng)
    start = time.process_time()
    own = held_out(data, Candidate(method, {}, N_TOP_GENES), splits, rng)
    seconds = (time.process_time() - start) / len(splits)
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    arrays = {name: getattr(own, name) for name in ("y", "proba", "classes", "cells", "fold")}
    with kept.open("wb") as file:
        np.savez_compressed(file, **arrays, seconds=seconds, megabytes=used)
