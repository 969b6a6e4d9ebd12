"""Ask a fitted model about the cells of an AnnData."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from scipy import sparse

from sc_annotate._core import arrays
from sc_annotate._core.capabilities import capabilities_of
from sc_annotate._data import gene_match as genes
from sc_annotate._data import read
from sc_annotate._data import transform as scales
from sc_annotate._data.stream import each_block
from sc_annotate.annotation.block import AskBlock, Keep
from sc_annotate.annotation.learn_trust import COVERAGE, FALSE_ALARMS
from sc_annotate.annotation.quality import judge_quality
from sc_annotate.errors import GeneError, MatrixError

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

    from sc_annotate._data.read import Input
    from sc_annotate._data.transform import Stated, Wanted
    from sc_annotate.annotation.model import AnnotationModel

FEW_SHARED = 0.5
"""Below this share of the model's genes the result is reported as doubtful."""


@dataclass(frozen=True)
class Answer:
    """What the model says of all cells, and how the query was brought to the model's terms.

    ``proba`` is dense, CSR with the largest ones of each cell, or None, as was asked.

    ``set_size``, ``unfamiliarity`` and ``p_familiar`` are None for a model without trust; ``low_quality`` (masks by
    reason) and ``quality`` (their account) where quality was not looked at.
    """

    code: NDArray[np.int32]
    confidence: NDArray[np.float32]
    proba: Any
    set_size: NDArray[np.int32] | None
    unfamiliarity: NDArray[np.float32] | None
    p_familiar: NDArray[np.float64] | None
    n_shared: int
    how: str
    zero_cells: NDArray[np.bool_]
    low_quality: dict[str, NDArray[np.bool_]] | None
    quality: dict[str, Any]
    notes: list[str]
    problems: list[str]
    level_confidence: NDArray[np.float32] | None = None


def predict(
    adata: AnnData,
    found: Input,
    model: AnnotationModel,
    *,
    stated: Stated | None = None,
    total_counts_key: str | None = None,
    min_overlap: float = genes.MIN_SHARED_FRACTION,
    coverage: float = COVERAGE,
    false_alarms: float | None = FALSE_ALARMS,
    counts: Input | None = None,
    need_counts: bool = False,
    given: NDArray[np.bool_] | None = None,
    keep: Keep = "all",
    rng: int = 0,
) -> Answer:
    """Probabilities, set sizes, unfamiliarity and, from its `counts`, quality of every cell, block by block.

    Pre-labelled cells (`given`) are not compared with the others: what those share is looked for among themselves. `rng`
    draws the cells of a large query that the others are compared with. Counts that turn out to be none are an error where
    they are needed, else a problem to tell.
    """
    totals = read.total_counts(adata, total_counts_key, what="adata")
    if (model.input == "embedding") != found.source.is_embedding:
        kind = "a representation (use_rep)" if model.input == "embedding" else "genes, not a representation"
        raise MatrixError(f"the model was fitted on {kind}; give adata in the same terms.")
    if found.source.is_embedding:
        read.check_representations(found.source, model.names["var_names"], what="adata")
    names = model.names
    shared = genes.match(found.names, names, what=("adata", "the reference"), min_fraction=min_overlap)
    columns = np.full(len(model.means), -1, dtype=np.intp)
    columns[shared.reference] = shared.query
    panel = None
    if model.panel is not None and totals is None:
        panel = genes.match(found.names, model.panel, what=("adata", "the reference"), min_fraction=min_overlap).query
    plan = scales.plan(
        found.values,
        what="adata",
        wanted=cast("Wanted", model.input),
        stated=stated,
        totals=totals,
        panel=panel,
        alternatives=found.alternatives,
    )
    n, trust = found.source.n_cells, model.trust
    neighbourhood_rows, neighbourhood = np.empty(0, dtype=np.intp), None
    asked = np.arange(n) if given is None else np.flatnonzero(~given)
    known = None if trust is None or false_alarms is None else trust.familiarity
    if known is not None:
        neighbourhood_rows = asked[known.neighbourhood_rows(len(asked), rng=rng)]
        if len(neighbourhood_rows):
            some = read.read_cells(
                found.source, plan, columns, model.means, neighbourhood_rows, progress="reading some cells"
            )
            neighbourhood = known.gather(some, len(asked))
    apart = counts is not None and counts.source.X is not found.source.X
    profiles = None if trust is None or trust.profiles is None else trust.profiles.on(columns >= 0)
    ask = AskBlock(
        annotator=model.annotator,
        trust=trust,
        familiarity=known,
        transform=plan,
        columns=columns,
        fill=model.means,
        coverage=coverage,
        neighbourhood_rows=neighbourhood_rows,
        neighbourhood=neighbourhood,
        keep=keep,
        check_quality=counts is not None and trust is not None,
        profiles=profiles,
        totals=None if apart else totals,
        levels=model.levels,
    )
    matrices = [found.source.X]
    if ask.check_quality and apart and counts is not None:
        matrices.append(counts.source.X)
    proba = np.empty((n, len(model.classes)), dtype=np.float32) if keep == "all" else None
    most: list[Any] = []
    code, confidence = np.empty(n, dtype=np.int32), np.empty(n, dtype=np.float32)
    zero = np.zeros(n, dtype=bool)
    of_levels = None if model.levels is None else np.empty((n, len(model.levels.names)), dtype=np.float32)
    size = None if trust is None else np.zeros(n, dtype=np.int32)
    trouble: str | None = None
    familiarity: dict[str, NDArray[np.float32]] = {}
    quality: dict[str, NDArray[np.float32]] = {}
    parallel = capabilities_of(model.annotator).parallel
    for where, part in each_block(ask, matrices, progress="naming cells", parallel=parallel):
        code[where], confidence[where], zero[where] = part.code, part.confidence, part.zero
        if proba is not None:
            proba[where] = part.proba
        elif part.proba is not None:
            most.append(part.proba)
        if of_levels is not None:
            of_levels[where] = part.level_confidence
        if size is not None and part.set_size is not None:
            size[where] = part.set_size
        _gather(familiarity, part.familiarity, where, n)
        _gather(quality, part.quality, where, n)
        trouble = trouble or part.trouble
    n_shared = len(shared.query)
    problems = []
    if n_shared < FEW_SHARED * len(columns):
        problems.append(
            f"only {n_shared:,} of the model's {len(columns):,} genes are in adata; the others are taken at their reference "
            "mean and speak for no type. Keep all genes in adata, or fit the model on the shared ones."
        )
    if zero.any():
        problems.append(
            f"{int(zero.sum()):,} cells have no value in any of the model's genes; their calls mean nothing"
        )
    low: dict[str, NDArray[np.bool_]] | None = None
    told: dict[str, Any] = {}
    if trouble is not None and counts is not None:
        trouble = f"adata.{counts.source.where} was taken for counts, but {trouble}"
        if need_counts:
            raise MatrixError(f"{trouble} Or leave check_quality out.")
        problems.append(f"quality was not checked: {trouble}")
    elif quality and counts is not None:
        low, told, unusual = judge_quality(quality, counts.source.where, profiles, asked)
        problems += unusual
        if profiles is None and need_counts:
            problems.append("the reference has no counts: doublets and ambient molecules were not looked for")
    unfamiliarity = p_familiar = None
    if familiarity and known is not None and false_alarms is not None:
        measured = familiarity if len(asked) == n else {k: values[asked] for k, values in familiarity.items()}
        unfamiliarity, p_familiar = np.full(n, np.nan, dtype=np.float32), np.full(n, np.nan)
        unfamiliarity[asked] = known.combined(measured)
        p_familiar[asked] = known.p_values(unfamiliarity[asked])
        if not np.isfinite(known.threshold(false_alarms, len(asked))):
            problems.append(
                f"{len(known.reference(len(asked))):,} held-out reference cells are too few for "
                f"false_alarms={false_alarms:g}: no cell can be called unfamiliar"
            )
    notes = [*found.notes, *plan.notes]
    kept = sparse.csr_matrix(sparse.vstack(most)) if most else proba
    return Answer(
        code,
        confidence,
        kept,
        size,
        unfamiliarity,
        p_familiar,
        n_shared,
        shared.how,
        zero,
        low,
        told,
        notes,
        problems,
        of_levels,
    )


def _gather(
    into: dict[str, NDArray[np.float32]], part: dict[str, NDArray[np.float64]] | None, where: slice, n: int
) -> None:
    """Lay what was measured in a block where it belongs among all `n` cells."""
    for name, values in (part or {}).items():
        into.setdefault(name, np.empty(n, dtype=np.float32))[where] = values


def same_cells(adata: AnnData, query: Input, reference: AnnData, ref: Input) -> int:
    """How many query cells are also in the reference: same name and the same values.

    Names alone prove nothing, since droplet barcodes repeat between samples; so up to 50 of them are compared.
    """
    if adata is reference or query.source.is_embedding:
        return 0
    names, others = adata.obs_names, reference.obs_names
    both = np.flatnonzero(names.isin(others))
    if len(both) == 0:
        return 0
    picked = both[:: max(1, len(both) // 50)][:50]
    partners = np.array([int(np.argmax(np.asarray(others == names[i]))) for i in picked], dtype=np.intp)
    try:
        match = genes.match(query.names, ref.names)
    except GeneError:
        return 0
    same = (_expressed(query, picked, match.query) == _expressed(ref, partners, match.reference)).all(axis=1)
    return len(both) if float(same.mean()) > 0.5 else 0


def _expressed(found: Input, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Which genes some cells express: the same for one cell on any scale."""
    order = np.argsort(rows, kind="stable")
    block: Any = arrays.rows(found.source.X, rows[order])[:, columns]
    dense = block.toarray() if sparse.issparse(block) else np.asarray(block)
    out = np.empty(dense.shape, dtype=bool)
    out[order] = dense > 0
    return out
