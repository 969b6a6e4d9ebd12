"""Predict what perturbations do, and how well that works: from an AnnData to the result stored in it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.settings import logger
from sc_annotate._data.matrix import check_adata, find
from sc_annotate._data.obs import with_tables
from sc_annotate._store import perturbation_slots as slots
from sc_annotate._vocabulary.conditions import names_of
from sc_annotate.errors import InputError
from sc_annotate.perturbation.method import Method
from sc_annotate.perturbation.one_context import Predicted, predict_context
from sc_annotate.perturbation.profiles import make_profiles
from sc_annotate.perturbation.requests import TAKEN, refuse_for_profiles
from sc_annotate.perturbation.screen import Recorded, context_of, with_cells

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

    from sc_annotate._data.matrix import MatrixRequest
    from sc_annotate.perturbation.requests import PredictionRequest, ProfilesRequest

SELECTED = (
    "the profiles are of cells chosen by their response (drop_nonresponding=True), so effects and scores are larger than "
    "they are: report those of all cells beside them"
)


def predict(
    adata: AnnData, key_added: str, how: ProfilesRequest, matrix: MatrixRequest, request: PredictionRequest
) -> None:
    """Make profiles of the cells unless `adata` holds some, predict, and store the result."""
    check_adata(adata, what="adata")
    slots.check_writable(adata, key_added)
    method = Method.of(request.predicts, request.method_kwargs)
    if taken := [key for key in how.covariate_keys if key in TAKEN]:
        raise InputError(f"covariate_keys: {taken[0]!r} is a column of the result. Rename it in obs.")
    cells = with_tables(adata)
    recorded = Recorded.of(cells)
    if recorded is not None:
        refuse_for_profiles(how, matrix)
        how = how.but(control=recorded.control)
    # What is wrong with the names should show before anything is computed.
    requested = None
    if request.conditions is not None and not how.covariate_keys:
        requested = how.targets(request.conditions)
    profiles = cells if recorded is not None else make_profiles(cells, how, matrix)
    genes = None if recorded is not None else _genes(cells, matrix, profiles)
    made = Recorded.of(profiles)
    if made is not None and made.is_lfc:
        request.refuse("n_top", why="log fold changes have no gene that is highest in control: all genes are used")
    if how.covariate_keys:
        done, names = _in_contexts(profiles, how, method, request)
    else:
        context = context_of(profiles, what="adata" if recorded is not None else "profiles")
        if method.trains_on_cells:
            if recorded is not None:
                raise InputError(f"the method {method.name!r} trains on cells; pass the cells, not their profiles.")
            context = replace(context, screen=with_cells(context.screen, cells, how, matrix))
        done = predict_context(request, method, context, context.screen.targets if requested is None else requested)
        names = {"conditions": names_of(done.targets)}
    notes = done.notes + ([SELECTED] if made is not None and made.selected else [])
    for note in notes:
        logger.warning(note)
    if done.verdict:
        logger.info(done.verdict)
    uns = names | {
        "reason": done.reason,
        "held_out": done.held_out,
        "method": method.label,
        "baseline": request.baseline,
        "control": how.control,
        "params": how.to_uns() | matrix.to_uns() | request.to_uns(),
        "coverage": {"requested": request.coverage} | done.ends.coverage,
        "verdict": done.verdict,
        "notes": notes,
    }
    uns |= {kind: board.to_dict() for kind, board in done.boards.items()}
    parts = {"": done.values, "_lower": done.ends.lower, "_upper": done.ends.upper, "_observed": done.observed}
    if done.controls is not None:
        parts[slots.CONTROLS] = done.controls
    slots.write(adata, key_added, parts, done.control, uns, genes=genes)


def _genes(cells: AnnData, matrix: MatrixRequest, profiles: AnnData) -> slice | NDArray[np.intp] | None:
    """Which features of `cells` the profiles are of, None for all; an error where they are those of ``raw``."""
    found = find(cells, layer=matrix.layer)
    if not np.array_equal(found.names, np.asarray(profiles.var_names, dtype=str)):
        raise InputError(
            f"adata.X is scaled, and adata.raw has other genes ({profiles.n_vars:,}, not {found.n_columns:,}), of which nothing can "
            "be stored in adata.varm. Pass adata.raw.to_adata(), or name a layer of adata that is not scaled."
        )
    return None if found.features is None else found.features.columns


def _in_contexts(
    profiles: AnnData, how: ProfilesRequest, method: Method, request: PredictionRequest
) -> tuple[Predicted, dict[str, Any]]:
    """Predictions in several contexts, and what identifies these."""
    from sc_annotate.perturbation.contexts import Contexts, joined, predict_contexts

    if method.trains_on_cells:
        raise InputError(
            f"the method {method.name!r} trains on cells, which it does in one context at a time. Subset adata."
        )
    contexts = Contexts.of(profiles, list(how.covariate_keys))
    requested = contexts.requested(request.conditions, how)
    return joined(*predict_contexts(request, method, contexts, requested), contexts)
