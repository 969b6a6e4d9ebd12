"""One method's result, from a reference or a fitted model to what is stored."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sc_annotate._core.progress import logger
from sc_annotate._data.read import open_counts
from sc_annotate.annotation.levels import check_free
from sc_annotate.annotation.predict import predict
from sc_annotate.annotation.quality import check_counts
from sc_annotate.annotation.reference import model_and_query
from sc_annotate.annotation.result import account, colors
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData

    from sc_annotate._store import storage
    from sc_annotate.annotation.block import Keep
    from sc_annotate.annotation.model import AnnotationModel
    from sc_annotate.annotation.reference import Options
    from sc_annotate.trust import Levels


@dataclass(frozen=True)
class Asked:
    """What is asked about the cells of the query."""

    false_alarms: float | None
    check_quality: bool | None
    keep: Keep = "all"


@dataclass(frozen=True)
class Named:
    """A result ready to be stored, its model, and the levels of all types that occur, given ones included."""

    result: storage.Annotation
    model: AnnotationModel
    levels: Levels | None


def named(
    adata: AnnData,
    reference: Any,
    labels_key: str | Sequence[str] | None,
    options: Options,
    place: dict[str, Any],
    key: str,
    asked: Asked,
) -> Named:
    """One method's result, ready to be stored, and its model."""
    model, query, given, problems = model_and_query(adata, reference, labels_key, options, place)
    levels = model.levels if given is None else given.levels
    check_free(adata, key, () if levels is None else levels.names[:-1])
    if asked.check_quality and model.trust is None:
        raise InputError(
            "check_quality=True needs a model with calibration, which is switched off or had too few cells."
        )
    counts = open_counts(adata, query)
    answer = predict(
        adata,
        query,
        model,
        stated=options.values,
        total_counts_key=options.total_counts_key,
        min_overlap=options.min_overlap,
        coverage=options.trust.coverage,
        false_alarms=asked.false_alarms,
        counts=check_counts(counts, asked.check_quality, elsewhere=query.alternatives),
        keep=asked.keep,
        need_counts=bool(asked.check_quality),
        given=None if given is None else given.given,
        rng=options.rng,
    )
    answer = replace(answer, problems=[*problems, *answer.problems])
    for problem in answer.problems:
        logger.warning(problem)
    used = {
        "labels_key": model.about["labels_key"] if levels is None else list(levels.names),
        **model.about["params"],
        **place,
        "reference_layer": options.reference_layer,
        "gene_symbols": options.gene_symbols,
        "total_counts_key": options.total_counts_key,
        "values": options.values,
        "min_overlap": float(options.min_overlap),
        "coverage": float(options.trust.coverage),
        "false_alarms": asked.false_alarms,
        "check_quality": None if asked.check_quality is None else bool(asked.check_quality),
    }
    result = account(
        adata,
        model,
        query,
        answer,
        given,
        params=used,
        key=key,
        coverage=float(options.trust.coverage),
        false_alarms=asked.false_alarms,
    )
    result.colors = colors(reference, model, result.obs[key])
    return Named(result, model, levels)
