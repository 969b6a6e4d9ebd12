"""Apply a fitted model to the cells of an AnnData, block by block."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from scipy import sparse

from sc_annotate._core.registry import capabilities_of
from sc_annotate._core.settings import logger
from sc_annotate._data import gene_match, read
from sc_annotate._data import transform as scales
from sc_annotate._vocabulary.gene_names import BOTH
from sc_annotate.annotation.block import PredictBlock, gather
from sc_annotate.annotation.fitted import Aligned
from sc_annotate.annotation.query_groups import compare, outside
from sc_annotate.errors import MatrixError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sc_annotate._data.read import Input
    from sc_annotate._data.transform import Wanted
    from sc_annotate.annotation.block import Gathered
    from sc_annotate.annotation.fitted import EvidenceModel, FittedModel, Query
    from sc_annotate.annotation.query_groups import QueryGroups
    from sc_annotate.annotation.requests import PredictRequest
    from sc_annotate.trust import Shift

FEW_SHARED = 0.5
"""Below this share of the model's genes the result is reported as doubtful."""
SHALLOW = 0.3
"""Above this share of shallow cells a query is reported as shallow; of the reference itself a tenth is."""
NO_TYPE = 1.25
"""Times the confidence of a blind guess, below which a cell fits no type."""


@dataclass(frozen=True)
class Prediction:
    """What the model predicts for all cells, and how the query was brought to the model's genes and scale.

    ``proba`` is dense, CSR with the largest ones of each cell, or None, as was requested. ``set_size``,
    ``unfamiliarity`` and ``p_familiar`` are None for a model without trust; ``low_quality`` (masks by reason) is None
    where quality was not checked, and ``quality`` is what is recorded of that check.
    """

    code: NDArray[np.int32]
    confidence: NDArray[np.float32]
    proba: Any
    set_size: NDArray[np.int32] | None
    unfamiliarity: NDArray[np.float32] | None
    p_familiar: NDArray[np.float64] | None
    n_shared: int
    matched_by: str
    zero_cells: NDArray[np.bool_]
    low_quality: dict[str, NDArray[np.bool_]] | None
    quality: dict[str, Any]
    notes: list[str]
    problems: list[str]
    level_confidence: NDArray[np.float32] | None = None
    uncertain: dict[str, NDArray[np.bool_]] = field(default_factory=dict)
    """Masks of cells that cannot be confident, by the reason in a word, such as ``"depth"``."""
    groups: QueryGroups | None = None
    shift: Shift | None = None
    alignment: dict[str, Any] = field(default_factory=dict)
    unfamiliar: NDArray[np.bool_] | None = None
    """Cells that are so for another reason than their own p-value."""


def predict(query: Query, model: FittedModel, ask: PredictRequest, *, counts: Input | None) -> Prediction:
    """Probabilities, set sizes, out-of-distribution scores and, from `counts`, quality of every cell.

    Cells that are labelled already are no neighbours of the others: what cells share is looked for among those without a
    label. Counts that turn out to be none are an error where quality was requested, else a problem that is reported.
    """
    aligned = align(query, model, ask.trust.min_overlap)
    for note in aligned.shared.notes:
        logger.info(note)
    n_shared, n_genes = len(aligned.shared.query), len(aligned.columns)
    task, shifted = _task(query, model, ask, aligned, counts), None
    if capabilities_of(model.annotator).aligns or ask.trust.align == "shift":
        from sc_annotate.annotation.align_query import align_query

        shifted = align_query(query, model, ask, aligned.columns, aligned.scale, task.trust)
        task = replace(task, annotator=shifted.annotator or task.annotator)
    gathered = gather(query, model, task, counts)
    problems = list(dict.fromkeys([*query.problems, *aligned.shared.problems, *_of_other_species(query, model)]))
    if n_shared < FEW_SHARED * n_genes:
        problems.append(
            f"only {n_shared:,} of the model's {n_genes:,} genes are in adata; the others are taken at their "
            "reference mean and are no evidence for any type. Keep all genes in adata, or fit the model on the shared ones."
        )
    problems += _of_depth(query, gathered, task)
    problems += _of_no_type(gathered.confidence[query.rows], model)
    # Cells that were labelled already keep their labels.
    zero = np.zeros_like(gathered.zero)
    zero[query.rows] = gathered.zero[query.rows]
    if n := int(zero.sum()):
        problems.append(
            f"{n:,} cell{' has' if n == 1 else 's have'} no value in any of the model's genes; "
            f"{'its label means' if n == 1 else 'their labels mean'} nothing"
        )
    low, quality, remarks = _quality(query, gathered, task, counts, needed=bool(ask.trust.check_quality))
    out = outside(query, model, task, gathered, ask.trust.false_positive_rate)
    doubted = {} if out.groups is None else {"group": out.groups.doubted}
    return Prediction(
        code=gathered.code,
        confidence=gathered.confidence,
        proba=sparse.csr_matrix(sparse.vstack(gathered.largest)) if gathered.largest else gathered.proba,
        set_size=gathered.set_size,
        unfamiliarity=out.unfamiliarity,
        p_familiar=out.p_familiar,
        n_shared=n_shared,
        matched_by=query.matched_by or aligned.shared.how,
        zero_cells=zero,
        low_quality=low,
        quality=quality,
        notes=[*query.found.notes, *aligned.shared.notes, *aligned.scale.notes],
        problems=[*problems, *remarks, *out.problems, *(() if shifted is None else shifted.problems)],
        level_confidence=gathered.level_confidence,
        uncertain=doubted if gathered.unknown is None else doubted | {"depth": gathered.unknown},
        groups=out.groups,
        shift=None if shifted is None else shifted.shift,
        alignment={} if shifted is None else shifted.record,
        unfamiliar=out.unfamiliar,
    )


def _of_depth(query: Query, gathered: Gathered, task: PredictBlock) -> list[str]:
    """What to say of cells that show less than those that confidence was learned on."""
    if task.trust is None or gathered.unknown is None or gathered.shallow is None or not len(query.rows):
        return []
    n, found = len(query.rows), []
    unknown, shallow = (int(mask[query.rows].sum()) for mask in (gathered.unknown, gathered.shallow))
    if shallow > SHALLOW * n and shallow > unknown:
        found.append(
            f"{shallow:,} of {n:,} cells are shallow: fewer of the model's genes are detected than in nine tenths of the "
            "reference. Their confidence and sets are those of held-out reference cells thinned to the same depth"
        )
    if unknown:
        found.append(
            f"{unknown:,} of {n:,} cells have too few of the model's genes, or molecules, for a confidence that is known: none of "
            "them is confident"
        )
    return found


def _of_no_type(confidence: NDArray[np.floating[Any]], model: FittedModel) -> list[str]:
    """What to say where one-versus-rest scores without calibration are 0 for all types in most of the cells."""
    n, of = len(model.classes), len(confidence)
    lost = int((confidence < NO_TYPE / n).sum())
    if model.method != "celltypist" or model.trust is not None or n < 5 or lost * 2 <= of:
        return []
    return [
        f"{lost:,} of {of:,} cells fit none of the model's {n} types: all get about the same confidence, and the label says little. "
        "Check that the model is of this tissue, and that genes and values are what it expects"
    ]


def _of_other_species(query: Query, model: FittedModel) -> list[str]:
    """What to say where genes are of another species than the model's although enough names are alike, or of two."""
    own, theirs = query.found.genes, model.provenance.genes
    if own is None or not theirs:
        return []
    if own.species == BOTH:
        return [
            f"adata has genes of {own.species}: those of the reference's species are used, and cells of the other species get "
            "arbitrary labels. Leave them out"
        ]
    if {own.species, theirs["species"]} == {"human", "mouse"}:
        return [
            f"adata has genes of {own.species} and the reference of {theirs['species']}: symbols that are written alike are matched, "
            "and not all of them are orthologs. Map them first, with sca.pp.map_genes(adata, orthologs, kind='orthologs')"
        ]
    return []


def align(query: Query, model: FittedModel | EvidenceModel, min_overlap: float) -> Aligned:
    """Match the genes of query and model, and plan how the query comes to the model's scale."""
    found, matrix = query.found, query.matrix
    totals = read.total_counts(query.adata, matrix.total_counts_key, what="adata")
    if (model.input == "embedding") != found.source.is_embedding:
        kind = "a representation (use_rep)" if model.input == "embedding" else "genes, not a representation"
        raise MatrixError(f"the model was fitted on {kind}; pass use_rep= for both or for neither.")
    if found.source.is_embedding:
        read.check_representations(found.source, model.names["var_names"], what="adata")
    sides = ("adata", "the reference")
    table = found.source.var if matrix.gene_symbols is None else None
    shared = gene_match.match(found.names, model.names, what=sides, min_fraction=min_overlap, tables=(table, None))
    columns = np.full(len(model.means), -1, dtype=np.intp)
    columns[shared.reference] = shared.query
    panel = None
    if model.panel is not None and totals is None:
        panel = gene_match.match(shared.names[0], model.panel, what=sides, min_fraction=min_overlap).query
    scale = scales.plan(
        found.values,
        what="adata",
        wanted=cast("Wanted", model.input),
        stated=matrix.values,
        totals=totals,
        panel=panel,
        alternatives=found.alternatives,
    ).of(found.source, "adata")
    return Aligned(shared, columns, scale, totals)


def _task(
    query: Query, model: FittedModel, ask: PredictRequest, aligned: Aligned, counts: Input | None
) -> PredictBlock:
    """What is done to each block, with the cells of the query that the others are compared with."""
    found, trust = query.found, model.trust
    known = None if trust is None or ask.trust.false_positive_rate is None else trust.familiarity
    compared = compare(query, model, ask, aligned)
    apart = counts is not None and counts.source.X is not found.source.X
    return PredictBlock(
        annotator=model.annotator,
        trust=None if trust is None else trust.applied(aligned.columns >= 0),
        familiarity=known,
        transform=aligned.scale,
        columns=aligned.columns,
        fill=model.means,
        coverage=ask.coverage,
        neighbourhood_rows=compared.rows,
        neighbourhood=compared.neighbourhood,
        groups=compared.groups,
        alone=trust is None and model.method == "celltypist" and ask.trust.false_positive_rate is not None,
        keep=ask.store_proba,
        check_quality=counts is not None and trust is not None,
        profiles=None if trust is None or trust.profiles is None else trust.profiles.on(aligned.columns >= 0),
        totals=None if apart else aligned.totals,
        levels=model.levels,
        level_powers=None if trust is None else trust.level_powers,
        known=query.known,
    )


def _quality(
    query: Query, gathered: Gathered, task: PredictBlock, counts: Input | None, *, needed: bool
) -> tuple[dict[str, NDArray[np.bool_]] | None, dict[str, Any], list[str]]:
    """Cells of low quality by reason, what is recorded of that, and problems."""
    if counts is None:
        return None, {}, []
    if gathered.trouble is not None:
        trouble = f"adata.{counts.source.where} was taken for counts, but {gathered.trouble}"
        if needed:
            raise MatrixError(f"{trouble} Or leave check_quality out.")
        return None, {}, [f"quality was not checked: {trouble}"]
    if not gathered.quality:
        return None, {}, []
    from sc_annotate.annotation.quality import detect_low_quality

    low, recorded, problems = detect_low_quality(gathered.quality, counts.source.where, task.profiles, query.rows)
    if task.profiles is None and needed:
        problems.append("the reference has no counts: doublets and ambient RNA were not looked for")
    return low, recorded, problems
