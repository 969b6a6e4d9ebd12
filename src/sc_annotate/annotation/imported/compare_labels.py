"""Score results beside each other on the cells whose types are known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate import metrics
from sc_annotate._core.arguments import Request, columns, default, one_of, seed
from sc_annotate._core.codec import table
from sc_annotate._core.settings import counted, logger, say
from sc_annotate._data.matrix import check_adata
from sc_annotate._data.obs import FEW_CELLS, as_labels, in_memory, is_no_type, no_type_notes, read_batches, read_labels
from sc_annotate._store.slots import GIVEN
from sc_annotate._store.stored import read_annotation, result_keys
from sc_annotate.annotation.imported.other_vocabulary import near_types, read_mapping, translate
from sc_annotate.errors import InputError, LabelError, StorageError
from sc_annotate.evaluation import interval, paired_difference
from sc_annotate.metrics.calibration import calibration_error

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray

MOST_NAMES = 10
"""Labels that a warning names."""


@dataclass(frozen=True, kw_only=True)
class CompareRequest(Request):
    """What differences are to, the words of labels in those of the truth, and what is resampled."""

    against: str | None = default(None)
    mapping: Any = default(None)
    batch_key: str | None = default(None)
    rng: int = default(0)

    def check(self) -> None:
        seed(self.rng)


@dataclass(frozen=True)
class Labelled:
    """The cells that are scored, and what a result says of them."""

    key: str
    method: str
    labels: NDArray[np.str_]
    """In the words of the truth; "" where there is no label, or one for no type."""
    confidence: NDArray[np.float64] | None


def compare(adata: AnnData, truth: str, keys: Any, request: CompareRequest) -> pd.DataFrame:
    """A row for each result; see :func:`sc_annotate.tl.compare_labels`."""
    check_adata(adata, what="adata")
    true, known = read_labels(adata, truth, what="adata", argument="truth")
    frames = {key: read_annotation(adata, key) for key in _keys(adata, truth, keys)}
    against = next(iter(frames)) if request.against is None else one_of(request.against, "against", list(frames))
    used, left_out = _cells(frames, known, truth)
    groups = read_batches(adata, request.batch_key, what="adata")
    groups = None if groups is None else _groups(groups[used], request.batch_key)
    true = true[used]
    types, counts = np.unique(true, return_counts=True)
    mapping = read_mapping(request.mapping, types.tolist(), truth=truth)
    _check_used(mapping, frames)
    found = [_labelled(adata, key, frame, used, mapping, set(types.tolist())) for key, frame in frames.items()]
    few = [f"{name} ({n})" for name, n in zip(types.tolist(), counts.tolist(), strict=True) if n < FEW_CELLS]
    say(no_type_notes(adata, truth, what="adata"))
    if few:
        logger.warning(f"fewer than {FEW_CELLS} labelled cells: {', '.join(few)}; each of them moves macro-F1 far")
    for each in found:
        _say_other_names(each, types.tolist(), truth)
    other = next(each.labels for each in found if each.key == against)
    scores = table([_row(each, true, other, against, groups, request.rng) for each in found])
    scores.attrs["cells"] = f"{counted(int(used.sum()), 'cell')} with a type in obs[{truth!r}]" + left_out
    return scores


def _keys(adata: AnnData, truth: str, keys: Any) -> list[str]:
    """Names of results; those that would be compared with themselves are refused, or left out where all are taken."""
    every = result_keys(adata)
    names = every if keys is None else columns(keys, "keys", of="names of results")
    if not every:
        raise StorageError(
            "adata has no annotation. Run `sca.tl.annotate(adata, ...)` or `sca.tl.import_labels(adata, ...)` first."
        )
    if not names or len(set(names)) < len(names):
        raise InputError(f"keys must name at least one result, each once, not {keys!r}.")
    own = [name for name in names if name == truth or _column_of(adata, name) == truth]
    if keys is None:
        names = [name for name in names if name not in own]
    if own and (keys is not None or not names):
        raise InputError(
            f"adata.obs[{truth!r}] (truth) is the result {own[0]!r} itself, or what it was imported from: it would be compared with "
            "itself. Name another column, or other keys."
        )
    return names


def _column_of(adata: AnnData, key: str) -> str | None:
    """The column of ``obs`` that labels were imported from."""
    stored = in_memory(adata.uns.get(key))
    return str(stored["params"]["key"]) if isinstance(stored, dict) and "imported" in stored else None


def _cells(frames: dict[str, pd.DataFrame], known: NDArray[np.bool_], truth: str) -> tuple[NDArray[np.bool_], str]:
    """Cells with a type that no result was handed, and the others in words."""
    given = np.zeros(len(known), dtype=bool)
    for frame in frames.values():
        if "status" in frame:
            given |= np.asarray(frame["status"].astype(object) == GIVEN, dtype=bool)
    used, n = known & ~given, int((known & given).sum())
    if not used.any():
        raise LabelError(
            f"all {int(known.sum()):,} cells with a type in adata.obs[{truth!r}] (truth) were pre-labelled in one of the results "
            f"({', '.join(map(repr, frames))}), which predicted nothing for them. Keep some of them unlabelled when you annotate."
        )
    return used, f"; left out: {n:,} pre-labelled" if n else ""


def _groups(groups: NDArray[np.str_], batch_key: str | None) -> NDArray[np.str_]:
    if (n := len(np.unique(groups))) < 3:
        raise InputError(
            f"batch_key: adata.obs[{batch_key!r}] has {n} batch{'' if n == 1 else 'es'} among the labelled cells, and an interval over "
            "whole batches needs at least three. Leave it out."
        )
    return groups


def _check_used(mapping: dict[str, str], frames: dict[str, pd.DataFrame]) -> None:
    labels = {str(name) for frame in frames.values() for name in frame["label"].dropna().unique()}
    if mapping and not labels & set(mapping):
        raise InputError(
            f"mapping names no label of the results ({', '.join(map(repr, frames))}): {', '.join(map(repr, list(mapping)[:5]))}. Their "
            f"labels: {', '.join(map(repr, sorted(labels)[:MOST_NAMES]))}."
        )


def _labelled(
    adata: AnnData,
    key: str,
    frame: pd.DataFrame,
    used: NDArray[np.bool_],
    mapping: dict[str, str],
    types: set[str],
) -> Labelled:
    labels = translate(as_labels(frame["label"])[0][used], mapping)
    none = [name for name in np.unique(labels).tolist() if name not in types and is_no_type(name)]
    stored = in_memory(adata.uns.get(key))
    method = str(stored["method"]) if isinstance(stored, dict) else "unknown"
    confidence = None
    if "confidence" in frame:
        confidence = frame["confidence"].to_numpy(dtype=np.float64, na_value=np.nan)[used]
    return Labelled(key, method, np.where(np.isin(labels, none), "", labels), confidence)


def _say_other_names(result: Labelled, types: list[str], truth: str) -> None:
    """Warn of labels that no true type has: they may be the same types by another name."""
    names, counts = np.unique(result.labels[result.labels != ""], return_counts=True)
    other = {str(name): int(n) for name, n in zip(names, counts, strict=True) if str(name) not in types}
    if not other:
        return
    near = {name: near_types(name, types) for name in other}
    words = [f"{name!r}{f' (near {near[name][0]!r})' if near[name] else ''}" for name in other]
    alike = [f"{name!r}: {near[name][0]!r}" for name in other if near[name]]
    example = f"{{{', '.join(alike[:MOST_NAMES])}}}" if alike else "{label: type}"
    logger.warning(
        f"{result.key}: {len(other)} of {len(names)} predicted labels ({counted(sum(other.values()), 'cell')}) are no type of "
        f"adata.obs[{truth!r}] and count as wrong: {', '.join(words[:MOST_NAMES])}{', ...' if len(words) > MOST_NAMES else ''}. If "
        f"they are types by another name, say so: mapping={example}"
    )


def _row(
    result: Labelled,
    true: NDArray[np.str_],
    other: NDArray[np.str_],
    against: str,
    groups: NDArray[np.str_] | None,
    rng: int,
) -> dict[str, Any]:
    labels = result.labels
    accuracy = interval(true, labels, metric="accuracy", groups=groups, rng=rng)
    f1 = interval(true, labels, metric="macro_f1", groups=groups, rng=rng)
    gap = paired_difference(true, labels, other, metric="macro_f1", groups=groups, rng=rng)
    return {
        "key": result.key,
        "method": result.method,
        "n_cells": len(true),
        "n_unassigned": int((labels == "").sum()),
        "n_other_names": int((~np.isin(labels, [*np.unique(true), ""])).sum()),
        "accuracy": accuracy.estimate,
        "accuracy_low": accuracy.low,
        "accuracy_high": accuracy.high,
        "macro_f1": f1.estimate,
        "macro_f1_low": f1.low,
        "macro_f1_high": f1.high,
        "against": against,
        "difference": gap.estimate,
        "difference_low": gap.low,
        "difference_high": gap.high,
        **_of_confidence(result, true, rng),
    }


def _of_confidence(result: Labelled, true: NDArray[np.str_], rng: int) -> dict[str, float]:
    """How far the confidence can be trusted, on the cells that have a label and a confidence."""
    confidence = np.full(len(true), np.nan) if result.confidence is None else result.confidence
    has = np.isfinite(confidence) & (result.labels != "")
    n, mean, error, expected = int(has.sum()), np.nan, np.nan, np.nan
    if n:
        sure, right = confidence[has], (result.labels == true)[has]
        mean, error = float(sure.mean()), calibration_error(sure, right)
        expected = metrics.expected_calibration_error_if_calibrated(sure, rng=rng)
    return {
        "n_with_confidence": n,
        "mean_confidence": float(mean),
        "expected_calibration_error": float(error),
        "if_calibrated": float(expected),
    }
