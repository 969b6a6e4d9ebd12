"""Held-out scores of a method and, always, of its simple baselines on the same cells."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from sc_annotate import metrics
from sc_annotate._core import registry
from sc_annotate._core.codec import table
from sc_annotate._core.schema import Columns, Count, Frame, Name, Text
from sc_annotate._core.settings import track
from sc_annotate.annotation.held_out_cells import (
    held_out_batches,
    in_words,
    no_batches,
    score_groups,
    scores,
    scores_by_batch,
)
from sc_annotate.annotation.requests import N_TOP_GENES
from sc_annotate.annotators.chosen_genes import OnChosenGenes
from sc_annotate.evaluation import cross_validate, missing_types

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd
    from numpy.typing import NDArray

    from sc_annotate.annotation.training import Training
    from sc_annotate.evaluation import Predictions, Split

BASELINES = ("majority", "logreg")
"""Fitted beside every method: the commonest type for all cells, and the linear model that deep learning has yet to beat."""
DEEP_BASELINES = (*BASELINES, "logreg_pca")
"""Fitted beside every deep method: also the linear model for few labels."""
GENES = "logreg (genes)"
"""Fitted beside every method on an embedding: `logreg` on the genes of the same cells, where they can be read."""

SUSPECT_PROBABILITY = 0.9
"""A held-out cell predicted as another type with at least this probability has a suspect label."""


_SCORES = (
    *("accuracy", "accuracy_low", "accuracy_high", "macro_f1", "macro_f1_low", "macro_f1_high", "log_loss"),
    *("difference", "difference_low", "difference_high"),
)


@dataclass(frozen=True)
class Scored:
    """Held-out predictions of a method and its baselines for the same cells, the names of these, and what to resample."""

    predictions: dict[str, Predictions]
    cells: NDArray[np.str_]
    groups: NDArray[np.str_] | None
    batches: NDArray[np.str_] | None = None
    """Of each cell, where two or more were held out as wholes."""


@dataclass(frozen=True)
class Evaluation:
    """Held-out performance.

    Attributes
    ----------
    split
        How cells were held out, in words.
    n_cells
        Held-out cells that were scored: all of them, whatever their confidence.
    scores
        One row a method: accuracy, macro-F1 and log loss with 95 % intervals, and ``difference``: macro-F1 minus that of
        ``logreg`` on the same cells, with its paired interval. Of several held-out batches, means over these with t
        intervals, which two batches are too few for.
    classes, confusion
        The types; and the cells by true and predicted type, of the method itself: one row for each pair that occurs, as
        of thousands of types few do.
    per_type
        Precision, recall, F1 and cells of each type.
    suspects
        Held-out cells that the method predicts as another type with probability of at least 0.9.
    differences
        Of a deep method: its macro-F1 minus that of each baseline on the same cells, with the paired interval, and in words
        whether it is better. Of any method on an embedding: minus that of ``logreg (genes)``. Else without rows.
    notes
        What looks wrong with the labels.
    batches
        Cells, accuracy and macro-F1 of each held-out batch, the worst first; without rows where fewer than two were.
    found
        What the scores were computed from, for the scores of a consensus; empty in a model that is handed out.
    """

    split: Text
    n_cells: Count
    scores: Annotated[Frame, Columns({"method": "text", **dict.fromkeys(_SCORES, "float")}, least=1)]
    classes: list[Name]
    confusion: Annotated[Frame, Columns({"true": "text", "predicted": "text", "n": "int"})]
    per_type: Annotated[
        Frame, Columns({"type": "text", "precision": "float", "recall": "float", "f1": "float", "n": "int"})
    ]
    suspects: Annotated[Frame, Columns({"cell": "text", "label": "text", "predicted": "text", "probability": "float"})]
    differences: Annotated[
        Frame, Columns({"baseline": "text", **dict.fromkeys(_SCORES[-3:], "float"), "verdict": "text"})
    ]
    notes: list[Text]
    batches: Annotated[
        Frame, Columns({"batch": "text", "n": "int", "accuracy": "float", "macro_f1": "float"}, optional=True)
    ] = field(default_factory=no_batches)
    found: dict[str, Scored] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        pairs = list(zip(self.confusion["true"], self.confusion["predicted"], strict=True))
        counts = self.confusion["n"].tolist()
        if len(set(pairs)) < len(pairs) or not {name for pair in pairs for name in pair} <= set(self.classes):
            raise ValueError("the confusion repeats pairs of types, or has others than the classes")
        if sum(counts) != self.n_cells or min(counts, default=1) < 1:
            raise ValueError("the confusion counts other cells than were scored")

    def table(self) -> pd.DataFrame:
        """The scores, one row a method; a copy."""
        return self.scores.copy()

    def to_uns(self) -> dict[str, Any]:
        """As ``uns`` can hold it."""
        return {each.name: getattr(self, each.name) for each in fields(self) if each.init}


@dataclass(frozen=True)
class Candidate:
    """A method with its parameters, the number of variable genes that it sees (None: all), and whether these are dimensions."""

    method: str
    params: dict[str, Any]
    n_top: int | None
    embedding: bool = False

    def make(self) -> Any:
        """An unfitted annotator of the method."""
        params = self.params
        if self.embedding:
            from sc_annotate.annotation.embedding import scaled_by_one_number

            params = scaled_by_one_number(self.method, params)
        return registry.make("annotation", self.method, params)

    def on_chosen_genes(self) -> OnChosenGenes:
        """The same behind its choice of genes, so that every fold chooses its own."""
        return OnChosenGenes(self.make, self.n_top)


def held_out(
    training: Training,
    candidate: Candidate,
    splits: list[Split],
    rng: int,
    then: Callable[[Any, Split], None] | None = None,
) -> Predictions:
    """Predictions of one method for cells it was not fitted on; genes are chosen on the training cells.

    Cells that were added for the sake of their rare type are learned from, but not counted among the held-out ones. `then`
    is called with the fitted method of each split.
    """
    transductive = registry.get("annotation", candidate.method).transductive
    joint = training.joint if transductive else None
    found = cross_validate(
        candidate.on_chosen_genes,
        training.X if joint is None else joint.X,
        training.y,
        splits,
        genes=training.genes,
        batch=training.batch,
        unlabelled=training.unlabelled_for(candidate.method),
        obsm=None if joint is None else joint.obsm,
        rng=rng,
        then=then,
    )
    kept = training.sampled[found.cells]
    return replace(found, y=found.y[kept], proba=found.proba[kept], cells=found.cells[kept], fold=found.fold[kept])


def evaluate(
    training: Training,
    candidate: Candidate,
    splits: list[Split],
    description: str,
    *,
    rng: int,
    own: Predictions | None = None,
    genes: Training | None = None,
) -> Evaluation:
    """Score a method and its baselines on the same held-out cells; `own` are the method's predictions, if known.

    `genes` are those of the cells of an embedding, for one more baseline.
    """
    usable = baselines_of(candidate.method) if training.input in ("log", "embedding") else ("majority",)
    others = [name for name in usable if name != candidate.method]
    compared = [candidate, *(replace(candidate, method=name, params={}) for name in others)]
    found = {
        each.method: own if each is candidate and own is not None else held_out(training, each, splits, rng)
        for each in track(compared, what="held-out scores")
    }
    if genes is not None:
        found[GENES] = held_out(genes, Candidate("logreg", {}, N_TOP_GENES), splits, rng)
    own = found[candidate.method]
    cells = np.array([str(training.cells[i]) for i in own.cells], dtype=str)
    scored = Scored(found, cells, score_groups(training, own), held_out_batches(training, own))
    evaluation = evaluation_of(candidate.method, scored, description, rng, deep=any_deep(candidate.method))
    for split in splits:
        if len(absent := missing_types(training.y, split)):
            evaluation.notes.append(
                f"held out in {split.name}: {', '.join(absent.tolist())} {'have' if len(absent) > 1 else 'has'} no cell left to "
                "learn from, so these held-out cells count as wrong (types and batches coincide)"
            )
    return evaluation


def evaluation_of(name: str, scored: Scored, description: str, rng: int, *, deep: bool) -> Evaluation:
    """The scores of all, and the mistakes of one of them; of a deep one, or of an embedding, whether it is better."""
    found, own = scored.predictions, scored.predictions[name]
    suspects, notes = _suspects(own, scored.cells)
    differences: dict[str, list[Any]] = {column: [] for column in ("baseline", *_SCORES[-3:], "verdict")}
    simple = {name: found[name] for name in ((*DEEP_BASELINES, GENES) if deep else (GENES,)) if name in found}
    if simple:
        from sc_annotate.annotation.verdict import differences_of

        differences = differences_of(own, simple, scored.groups, rng)
    evaluation = Evaluation(
        split=description if scored.batches is None else f"{description}; {in_words(scored.batches)}",
        n_cells=len(own.y),
        scores=scores(found, found.get("logreg", own), scored.groups, rng, scored.batches),
        classes=[str(c) for c in own.classes],
        confusion=_pairs(own),
        per_type=table(metrics.per_type(own.y, own.labels)),
        suspects=suspects,
        differences=table(differences, texts=("baseline", "verdict")),
        notes=notes,
        batches=scores_by_batch(own, scored.batches),
    )
    evaluation.found[name] = scored
    return evaluation


def _pairs(own: Predictions) -> pd.DataFrame:
    """Cells of each pair of a true and a predicted type that occurs, in the order of the classes."""
    k = len(own.classes)
    found, n = np.unique(
        np.searchsorted(own.classes, own.y) * k + np.searchsorted(own.classes, own.labels), return_counts=True
    )
    columns = {"true": own.classes[found // k], "predicted": own.classes[found % k], "n": n.astype(np.int64)}
    return table(columns, texts=("true", "predicted"))


def baselines_of(*methods: str) -> tuple[str, ...]:
    """What these methods are scored beside."""
    return DEEP_BASELINES if any_deep(*methods) else BASELINES


def any_deep(*methods: str) -> bool:
    """Whether one of these methods says that it is deep."""
    return any(registry.get("annotation", name).deep for name in methods)


def _suspects(own: Predictions, cells: NDArray[np.str_]) -> tuple[pd.DataFrame, list[str]]:
    """Cells, and pairs of types, whose labels the held-out predictions contradict."""
    labels = own.labels
    wrong = (labels != own.y) & (own.proba.max(axis=1) >= SUSPECT_PROBABILITY)
    # A type that a training fold lacked cannot have been predicted; that is no sign of a wrong label.
    wrong &= own.proba[np.arange(len(own.y)), np.searchsorted(own.classes, own.y)] > 0
    rows = np.flatnonzero(wrong)
    suspects = {
        "cell": [str(cells[i]) for i in rows],
        "label": [str(own.y[i]) for i in rows],
        "predicted": [str(labels[i]) for i in rows],
        "probability": [float(own.proba[i].max()) for i in rows],
    }
    return table(suspects, texts=("cell", "label", "predicted")), _swapped(own)


def _swapped(own: Predictions) -> list[str]:
    """Pairs of types most of whose cells are predicted as the other, both ways, in one fold (in one batch, if grouped)."""
    notes = []
    for fold, name in enumerate(own.fold_names):
        here = own.fold == fold
        table = metrics.confusion(own.y[here], own.labels[here], own.classes)
        # Mistakes of a weak method go to the commonest type, one way; only swapped names cross over.
        crossed = table > 0.5 * table.sum(axis=1, keepdims=True)
        for i, j in np.argwhere(np.triu(crossed & crossed.T, 1) & (table >= 3) & (table.T >= 3)):
            notes.append(
                f"the labels {own.classes[i]!r} and {own.classes[j]!r} look swapped in {name}: held out, most are predicted as the other"
            )
    return notes
