"""Whether a linear model is aligned to its queries: decided on held-out batches of the reference."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from sc_annotate._core.codec import table
from sc_annotate.annotation.alignment import LEAST, Alignment, estimate
from sc_annotate.trust.shift import Shift

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd
    from numpy.typing import NDArray

    from sc_annotate.annotation.requests import FitRequest
    from sc_annotate.annotation.training import Training
    from sc_annotate.annotators.chosen_genes import OnChosenGenes
    from sc_annotate.evaluation import Predictions, Split
    from sc_annotate.trust.options import Align

REST = 0.15
"""Share of the cells of other types that is kept of a held-out batch, to see what another composition does."""
DRAWS = 3
NUMBERS = ("n", "log_loss", "log_loss_aligned", "log_odds", "norm")


@dataclass
class HeldOutShifts:
    """Aligned predictions of held-out cells beside the plain ones, batch by batch, as the folds are fitted."""

    training: Training
    requested: Align | None
    rng: int
    proba: list[NDArray[np.float32]] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)

    def __call__(self, model: OnChosenGenes, split: Split) -> None:
        """See the fitted method of a split."""
        training, annotator = self.training, model.annotator
        test = split.test[training.sampled[split.test]]
        cells = training.X[test][:, model.columns]
        means = means_of_types(training, split.train, model)
        aligned = np.zeros((len(test), len(np.unique(training.y))), dtype=np.float32)
        place = np.searchsorted(np.unique(training.y), model.classes_)
        batches = np.zeros(len(test), dtype=str) if training.batch is None else training.batch[test]
        for name in np.unique(batches):
            own = np.flatnonzero(batches == name)
            scores, truth = annotator.decision(cells[own]), training.y[test[own]]
            found = _none(*means.shape) if len(own) < LEAST else estimate(annotator, scores, _mean(cells[own]), means)
            aligned[np.ix_(own, place)] = annotator.probabilities(found.apply(scores))
            if len(own) < LEAST or training.batch is None or name in training.batch[split.train]:
                continue
            self._measure("all", name, annotator, scores, truth, model.classes_, found)
            for some in _reduced(truth, np.random.default_rng(self.rng)):
                part = estimate(annotator, scores[some], _mean(cells[own[some]]), means)
                self._measure("reduced", name, annotator, scores[some], truth[some], model.classes_, part)
        self.proba.append(aligned)

    def _measure(
        self, part: str, batch: Any, annotator: Any, scores: Any, truth: Any, classes: Any, shift: Shift
    ) -> None:
        known = np.isin(truth, classes)
        if known.any():
            codes = np.searchsorted(classes, truth[known])
            losses = (_log_loss(annotator.probabilities(s[known]), codes) for s in (scores, shift.apply(scores)))
            names = ("log_loss", "log_loss_aligned", "log_odds", "norm")
            row = dict(zip(names, (*losses, shift.log_odds, shift.norm), strict=True))
            self.rows.append({"batch": str(batch), "part": part, "n": len(truth)} | row)

    def decide(self) -> tuple[bool, str]:
        """Whether alignment lowers log loss on held-out batches, and why or why not."""
        if self.requested is None:
            return False, "switched off when the model was fitted"
        if self.requested == "shift":
            return True, "requested when the model was fitted"
        found = self.table()
        if not len(found):
            return False, f"no batch of the reference with {LEAST} cells or more was held out"
        before, after = (_by_part(found, name) for name in ("log_loss", "log_loss_aligned"))
        words = f"held-out batches had a log loss of {after:.3f} with it and {before:.3f} without"
        return after < before, words

    def table(self) -> pd.DataFrame:
        """What was measured; of several draws their mean."""
        numbers = {"n": np.int64} | dict.fromkeys(("log_loss", "log_loss_aligned", "log_odds", "norm"), np.float64)
        groups = dict.fromkeys((row["batch"], row["part"]) for row in self.rows)
        rows = []
        for batch, part in groups:
            own = [row for row in self.rows if (row["batch"], row["part"]) == (batch, part)]
            rows.append({"batch": batch, "part": part} | {k: float(np.mean([row[k] for row in own])) for k in numbers})
        # Without rows too, the columns have their types: a file is refused whose columns have others.
        texts = {name: [row[name] for row in rows] for name in ("batch", "part")}
        values = {name: np.array([row[name] for row in rows], dtype=kind) for name, kind in numbers.items()}
        return table(texts | values, texts=("batch", "part"))

    def predictions(self, own: Predictions) -> Predictions:
        """The plain predictions `own`, with the aligned probabilities in their place."""
        return replace(own, proba=np.concatenate(self.proba))


def keep_alignment(
    seen: HeldOutShifts | None,
    own: Predictions | None,
    training: Training,
    fitted: OnChosenGenes,
    fit: FitRequest,
) -> tuple[Alignment, Predictions | None]:
    """What the model keeps, from what was seen of the folds; and the held-out predictions `own` as it will predict."""
    found = seen or HeldOutShifts(training, fit.trust.align, fit.rng)
    use, why = found.decide()
    measured = found.table()
    largest = float(measured["log_odds"].max()) if len(measured) else 0.0
    means = means_of_types(training, np.arange(len(training.y)), fitted).astype(np.float32)
    if use and seen is not None and own is not None:
        own = seen.predictions(own)
    return Alignment(means, use, why, measured, largest), own


def _mean(cells: Any) -> NDArray[np.float64]:
    return np.asarray(cells.mean(axis=0, dtype=np.float64)).ravel()


def means_of_types(training: Training, rows: NDArray[np.intp], fitted: OnChosenGenes) -> NDArray[np.float64]:
    """Mean of each of the model's genes in each of its types over some cells, types x genes."""
    classes = fitted.classes_
    rows = rows[np.isin(training.y[rows], classes)]
    codes = np.searchsorted(classes, training.y[rows])
    shape = (len(classes), len(training.y))
    # Of all genes, so that no copy of the cells is made.
    sums: Any = sparse.csr_matrix((np.ones(len(rows)), (codes, rows)), shape=shape) @ training.X
    sums = (sums.toarray() if sparse.issparse(sums) else np.asarray(sums))[:, fitted.columns]
    means: NDArray[np.float64] = sums / np.bincount(codes, minlength=len(classes))[:, None]
    return means


def _none(n_types: int, n_genes: int) -> Shift:
    return Shift(np.zeros(n_genes, np.float32), np.zeros(n_types), np.full(n_types, 1 / n_types), 0)


def _reduced(y: NDArray[np.str_], rng: np.random.Generator) -> Iterator[NDArray[np.intp]]:
    """Draws of a batch with all cells of its largest type and some of the others, where enough are left."""
    types, codes, counts = np.unique(y, return_inverse=True, return_counts=True)
    largest, rest = np.flatnonzero(codes == counts.argmax()), np.flatnonzero(codes != counts.argmax())
    n = round(REST * len(rest))
    if len(types) < 2 or n == 0 or len(largest) + n < LEAST:
        return
    for _ in range(DRAWS):
        yield np.sort(np.concatenate([largest, rng.choice(rest, n, replace=False)]))


def _log_loss(proba: NDArray[Any], codes: NDArray[np.intp]) -> float:
    own = np.asarray(proba, dtype=np.float64)[np.arange(len(codes)), codes]
    return float(-np.log(np.maximum(own, 1e-12)).mean())


def _by_part(found: pd.DataFrame, name: str) -> float:
    """Mean over batches, those of another composition counting as much as those as they are."""
    return float(found.groupby("part")[name].mean().mean())
