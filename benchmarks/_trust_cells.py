"""What methods say of cells they have not seen, before and after calibration that has not seen them either."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import anndata as ad
import numpy as np

import sc_annotate as sca
from sc_annotate._data.matrix import MatrixRequest
from sc_annotate._data.read import open_input
from sc_annotate.annotation.held_out import Candidate, held_out
from sc_annotate.annotation.held_out_cells import folds
from sc_annotate.annotation.requests import N_TOP_GENES, FitRequest
from sc_annotate.annotation.training import Training, labelled_cells, read_training
from sc_annotate.evaluation import leave_one_group_out, missing_types, stratified
from sc_annotate.trust import CALIBRATORS, Conformal, Temperature, cross_fit, make_calibrator

if TYPE_CHECKING:
    from pathlib import Path

    from sc_annotate.evaluation import Split

FILES = {
    "pbmc_3tech": "pbmc_3tech",
    "kang": "kang2018_pbmc_ifnb",
    "scmixology": "scmixology_celseq2_dropseq",
}
FOLDS = 5
RAW = "uncalibrated"
COVERAGE = 0.9


@dataclass(frozen=True)
class HeldOut:
    """What one method predicts for the held-out cells of one test: one batch, or (pbmc68k) all five folds together."""

    test: str
    y: np.ndarray
    classes: np.ndarray
    cells: np.ndarray
    proba: dict[str, np.ndarray]
    """By calibration; 0 for a type that the training cells lack."""
    sets: np.ndarray
    """Prediction sets for the coverage COVERAGE, with thresholds from training cells."""
    inner: list[tuple[np.ndarray, np.ndarray]]
    """For each training set: calibrated probabilities of its own held-out cells, and their types."""

    def labels(self, calibration: str = "temperature") -> np.ndarray:
        return self.classes[self.proba[calibration].argmax(axis=1)]


def load(folder: Path) -> dict[str, Training]:
    data = {"pbmc68k": (sca.datasets.pbmc68k(), None)}
    data |= {name: (ad.read_h5ad(folder / f"{file}.h5ad"), "batch") for name, file in FILES.items()}
    out = {}
    for name, (adata, batch_key) in data.items():
        cells = labelled_cells(
            adata, FitRequest(labels_key="cell_type", batch_key=batch_key, min_cells=None, max_cells=None), what="adata"
        )
        out[name] = read_training(adata, open_input(adata), cells, MatrixRequest(), wanted="log", what="adata")
    return out


def splits(data: Training) -> list[Split]:
    return stratified(data.y, FOLDS) if data.batch is None else leave_one_group_out(data.batch)


def rows_of(data: Training, rows: np.ndarray) -> Training:
    batch = None if data.batch is None else data.batch[rows]
    return replace(data, X=data.X[rows], y=data.y[rows], batch=batch, cells=data.cells[rows])


def inside(train: Training, method: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Held-out probabilities of the training cells, their types and folds: whole batches where there are any.

    Cells of a type that the rest of the training cells lacks say nothing about the model of all, as in `annotate`.
    """
    inner = folds(train, FOLDS, 0)[0]
    own = held_out(train, Candidate(method, {}, N_TOP_GENES), inner, 0)
    lost = [np.isin(own.y, missing_types(train.y, split)) & (own.fold == i) for i, split in enumerate(inner)]
    keep = ~np.any(lost, axis=0)
    return own.proba[keep], np.searchsorted(own.classes, own.y[keep]), own.fold[keep]


def predict(name: str, data: Training, method: str, split: Split) -> HeldOut:
    """One split; nothing is learned from the cells that it tests."""
    train, classes = rows_of(data, split.train), np.unique(data.y)
    proba, codes, fold = inside(train, method)
    own = held_out(data, Candidate(method, {}, N_TOP_GENES), [split], 0)
    known = np.searchsorted(classes, np.unique(train.y))
    found = {RAW: own.proba}
    for kind in CALIBRATORS:
        found[kind] = np.zeros_like(own.proba)
        found[kind][:, known] = make_calibrator(kind).fit(proba, codes).transform(own.proba[:, known])
    after = cross_fit(Temperature, proba, codes, fold)
    sets = np.zeros(own.proba.shape, dtype=bool)
    sets[:, known] = Conformal().fit(after, codes).sets(found["temperature"][:, known], COVERAGE)
    test = name if data.batch is None else f"{name}: {split.name}"
    return HeldOut(test, own.y, classes, own.cells, found, sets, [(after, codes)])


def together(parts: list[HeldOut]) -> HeldOut:
    """The splits of one test, one or five of them, as one."""
    join = {key: np.concatenate([getattr(p, key) for p in parts]) for key in ("y", "cells", "sets")}
    proba = {key: np.concatenate([p.proba[key] for p in parts]) for key in parts[0].proba}
    return replace(parts[0], proba=proba, inner=[p.inner[0] for p in parts], **join)


def all_tests(name: str, data: Training, method: str) -> list[list[HeldOut]]:
    """Tests, each of one split or more."""
    held = [predict(name, data, method, split) for split in splits(data)]
    return [held] if data.batch is None else [[t] for t in held]
