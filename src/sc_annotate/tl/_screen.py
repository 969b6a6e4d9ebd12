"""From profiles in an AnnData, and tables of embeddings, to what predictors take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.conditions import targets_of
from sc_annotate.errors import InputError
from sc_annotate.pp._profiles import PROFILES
from sc_annotate.predictors import Embedding, Screen

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray


def is_profiles(adata: Any) -> bool:
    """Whether :func:`sc_annotate.pp.perturbation_profiles` made it."""
    return PROFILES in getattr(adata, "uns", {})


def check_profiles(profiles: Any, *, what: str = "profiles") -> AnnData:
    """Profiles with one control, complete."""
    if not is_profiles(profiles):
        raise InputError(
            f"{what} holds no perturbation profiles. Make them with `sca.pp.perturbation_profiles(adata, ...)`, or with "
            "`sca.pp.profiles_from_lfc` from log fold changes."
        )
    lacking = [name for name in ("targets", "is_control") if name not in profiles.obs]
    if lacking or "control" not in profiles.layers:
        raise InputError(f"{what} lacks {lacking or ['layers control']}: it was changed since. Make the profiles anew.")
    n_controls = int(np.asarray(profiles.obs["is_control"], dtype=bool).sum())
    if n_controls != 1:
        raise InputError(
            f"{what} has {n_controls} control rows, one for each combination of covariates. Choose one combination, such as "
            "profiles[profiles.obs['cell_line'] == 'K562']."
            if n_controls
            else f"{what} has no control row any more. Keep it when you choose conditions."
        )
    if profiles.n_obs < 2:
        raise InputError(f"{what} has no condition beside the control.")
    return profiles


def screen_of(profiles: AnnData) -> tuple[Screen, NDArray[np.bool_]]:
    """The screen, and which rows of the profiles are its conditions."""
    is_control = np.asarray(profiles.obs["is_control"], dtype=bool)
    X = np.asarray(profiles.X, dtype=np.float64)
    n_cells = profiles.obs["n_cells"].to_numpy()[~is_control] if "n_cells" in profiles.obs else None
    screen = Screen(
        genes=np.asarray(profiles.var_names.astype(str), dtype=np.str_),
        control=X[is_control][0],
        mean=X[~is_control],
        targets=targets_of(profiles.obs["targets"].to_numpy()[~is_control]),
        controls=np.asarray(profiles.layers["control"], dtype=np.float64)[~is_control],
        n_cells=None if n_cells is None else np.asarray(n_cells, dtype=np.int64),
    )
    return screen, ~is_control


def embedding_of(table: Any, *, argument: str) -> Embedding | None:
    """A DataFrame (names x dimensions), or a pair of an AnnData and a key of its ``varm`` or ``obsm``."""
    import pandas as pd

    if table is None or isinstance(table, Embedding):
        return table
    if isinstance(table, tuple | list) and len(table) == 2 and hasattr(table[0], "varm"):
        adata, key = table
        for mapping, names in ((adata.varm, adata.var_names), (adata.obsm, adata.obs_names)):
            if key in mapping:
                table = pd.DataFrame(np.asarray(mapping[key]), index=names)
                break
        else:
            raise InputError(f"{argument}: neither varm nor obsm of the AnnData has {key!r}.")
    if not isinstance(table, pd.DataFrame):
        raise InputError(
            f"{argument} must be a DataFrame (genes or targets x dimensions) or a pair (adata, key of varm), not "
            f"{type(table).__name__}."
        )
    names = np.asarray(table.index.astype(str), dtype=np.str_)
    try:
        values = table.to_numpy(dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{argument} has columns that are no numbers ({error}).") from error
    if len(set(names.tolist())) < len(names):
        raise InputError(f"{argument} has names that occur twice. Keep one row for each.")
    if not np.isfinite(values).all() or not values.size:
        raise InputError(f"{argument} is empty, or has NaN or infinite values. Leave those rows out.")
    return Embedding(names=names, values=values)
