"""Single cells for predictors that train on them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core import registry
from sc_annotate._data import read
from sc_annotate._data.columns import check_column
from sc_annotate._data.request import MatrixRequest
from sc_annotate._vocabulary import conditions as names
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from anndata import AnnData

    from sc_annotate.predictors import Screen


def cells_of(
    screen: Screen,
    adata: AnnData,
    profiles: AnnData,
    method: str,
    perturbation_key: str,
    control: str,
    *,
    replicate_key: str | None,
    separator: Any,
    guide_suffix: str | None,
    layer: str | None,
    total_counts_key: str | None,
    values: Any,
    min_cells: int,
) -> Screen:
    """The screen, with its cells where the method asks for them."""
    if registry.get("perturbation", method).inputs != "cells":
        return screen
    if adata is profiles:
        raise InputError(f"the method {method!r} trains on cells; pass the cells, not their profiles.")
    from sc_annotate.predictors import Cells

    column = np.asarray(check_column(adata, perturbation_key, argument="perturbation_key"), dtype=object)
    present = list(dict.fromkeys(column.tolist()))
    parsed = names.parse(present, control=control, separator=separator, guide_suffix=guide_suffix)
    place = {targets: i for i, targets in enumerate(screen.targets)} | {(): -1}
    code = {
        name: -2 if each.problem else place.get(each.targets, -2) for name, each in zip(present, parsed, strict=True)
    }
    condition = np.array([code[name] for name in column.tolist()], dtype=np.intp)
    used = np.flatnonzero(condition >= -1)
    matrix = MatrixRequest(layer=layer, total_counts_key=total_counts_key, values=values)
    found, plan = read.open_on_common_scale(adata, matrix)
    X = read.read_rows(found.source, plan, np.arange(found.source.n_columns), used, progress="reading cells")
    batch = None
    if replicate_key is not None:
        batch = np.asarray(check_column(adata, replicate_key, argument="replicate_key").astype(str), dtype=np.str_)[
            used
        ]
    return replace(screen, cells=Cells(X=X, condition=condition[used], batch=batch))
