"""Screens that come as log fold changes: made into profiles, or recognised where cells were meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sc_annotate._core.arrays import rows
from sc_annotate._data.matrix import check_adata, find
from sc_annotate._data.obs import check_column
from sc_annotate._vocabulary import conditions as parsing
from sc_annotate.errors import InputError
from sc_annotate.perturbation.groups import names_only
from sc_annotate.perturbation.screen import PROFILES

if TYPE_CHECKING:
    from anndata import AnnData

SAMPLE = 200
HINT = (
    "Should the rows be conditions with log fold changes, not cells, make profiles of them first: "
    "sca.pp.profiles_from_lfc(adata)."
)


def make_lfc_profiles(adata: AnnData, perturbation_key: str | None, layer: str | None) -> AnnData:
    """Profiles of log fold changes, with a control of zeros: see :func:`sc_annotate.pp.profiles_from_lfc`."""
    import pandas as pd
    from anndata import AnnData

    check_adata(adata, what="adata")
    column = (
        adata.obs_names
        if perturbation_key is None
        else check_column(adata, perturbation_key, argument="perturbation_key")
    )
    parsed = parsing.parse(list(column), control="control")
    wrong = [each.name for each in parsed if each.problem or not each.targets]
    if wrong:
        raise InputError(
            f"{', '.join(map(repr, wrong[:5]))} cannot be read as perturbed genes; leave such rows out of adata."
        )
    canonical = [each.canonical for each in parsed]
    if len(set(canonical)) < len(canonical):
        twice = next(name for name in canonical if canonical.count(name) > 1)
        raise InputError(f"the condition {twice!r} occurs twice in adata. Average its rows, or choose one.")
    source = find(adata, layer=layer)
    block = rows(source.X, slice(0, adata.n_obs))
    X = np.asarray(block.toarray() if hasattr(block, "toarray") else block, dtype=np.float64)
    if not np.isfinite(X).all():
        raise InputError("adata has log fold changes that are NaN or infinite. Leave those genes or conditions out.")
    X = np.vstack([np.zeros(X.shape[1]), X])
    n_targets = np.array([0, *(len(each.targets) for each in parsed)], dtype=np.int64)
    obs = pd.DataFrame(
        {"targets": ["", *canonical], "n_targets": n_targets, "is_control": n_targets == 0},
        index=["control", *canonical],
    )
    out = AnnData(X=X, obs=obs, var=names_only(source.names), layers={"control": np.zeros_like(X)})
    out.uns[PROFILES] = {"schema": 1, "control": "control", "values": "lfc", "covariate_keys": np.array([], dtype=str)}
    return out


def looks_like_lfc(adata: AnnData, perturbation_key: str, layer: str | None) -> bool:
    """Values on both sides of 0, and hardly a condition that has more than one row."""
    if isinstance(perturbation_key, str) and perturbation_key in adata.obs:
        names = np.asarray(adata.obs[perturbation_key], dtype=object)
        if 2 * len(set(map(str, names))) < len(names):
            return False
    try:
        block = rows(find(adata, layer=layer).X, slice(0, min(SAMPLE, adata.n_obs)))
    except InputError:
        return False
    values = np.asarray(block.toarray() if hasattr(block, "toarray") else block, dtype=np.float64)
    values = values[np.isfinite(values) & (values != 0)]
    return bool(values.size and 0.1 < (values < 0).mean() < 0.9)
