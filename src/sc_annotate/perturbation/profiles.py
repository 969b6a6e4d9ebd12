"""Mean expression of every perturbed condition, from single cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.codec import sanitize
from sc_annotate._core.settings import logger
from sc_annotate._data import read
from sc_annotate._data.group_sums import group_sums
from sc_annotate._data.matrix import check_adata
from sc_annotate._data.obs import with_tables
from sc_annotate.errors import InputError
from sc_annotate.perturbation.groups import Groups, names_only
from sc_annotate.perturbation.screen import PROFILES

if TYPE_CHECKING:
    from anndata import AnnData

    from sc_annotate._data.matrix import MatrixRequest
    from sc_annotate.perturbation.requests import ProfilesRequest


def make_profiles(adata: AnnData, how: ProfilesRequest, matrix: MatrixRequest) -> AnnData:
    """Means over the cells of each condition, with what :func:`sc_annotate.pp.perturbation_profiles` lists."""
    from anndata import AnnData

    check_adata(adata, what="adata")
    if PROFILES in adata.uns and "is_control" in adata.obs:
        raise InputError("adata holds perturbation profiles already. Pass the cells, or use these as they are.")
    adata = with_tables(adata)
    try:
        groups = Groups.of(adata, how)
        found, plan = read.open_on_common_scale(adata, matrix)
    except InputError as error:
        from sc_annotate.perturbation.lfc import HINT, looks_like_lfc

        if not looks_like_lfc(adata, how.perturbation_key, matrix.layer):
            raise
        raise type(error)(f"{error} {HINT}") from error
    X = found.source.X
    sums = group_sums(X, plan, groups.code, groups.n_codes, progress="averaging conditions")
    obs, mean, layers = groups.profiles(sums)
    more: dict[str, Any] = {}
    if how.guide_key is not None:
        from sc_annotate.perturbation.guides import guides_of

        added, more["guides"] = guides_of(adata, how.guide_key, found.source, plan, groups, sums, obs)
        obs = obs.assign(**added)
    if how.efficacy is not None:
        from sc_annotate.perturbation.mixscape import mixscape

        added, silent = mixscape(found.source, plan, groups)
        obs = obs.assign(**added)
        more["nonresponding"] = np.asarray(adata.obs_names[silent].astype(str), dtype=np.str_)
        if how.drop_nonresponding:
            groups = Groups.of(adata, how, keep=~silent)
            sums = group_sums(X, plan, groups.code, groups.n_codes, progress="averaging responding cells")
            kept, kept_mean, layers = groups.profiles(sums)
            layers["all_cells"] = mean[obs.index.get_indexer(kept.index)]
            before = obs.rename(columns={"n_cells": "n_all_cells"}).drop(columns=[c for c in kept if c != "n_cells"])
            obs, mean = kept.join(before), kept_mean
    out = AnnData(X=mean, obs=obs, var=names_only(found.source.names), layers=layers)
    for line in groups.left_out_lines():
        logger.warning(line)
    out.uns[PROFILES] = sanitize(
        {
            "schema": 1,
            "control": how.control,
            "covariate_keys": how.covariate_keys,
            "values": "expression",
            "params": how.to_uns() | matrix.to_uns(),
            "input": sanitize(found.values) | found.left_out | {"notes": [*found.notes, *plan.notes]},
            "left_out": [name for name, _ in groups.left_out],
            "left_out_why": [why for _, why in groups.left_out],
        }
        | more
    )
    return out
