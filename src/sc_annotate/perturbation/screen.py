"""From profiles in an AnnData to what predictors take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._vocabulary.conditions import targets_of
from sc_annotate.errors import InputError
from sc_annotate.perturbation.profile_groups import PROFILES
from sc_annotate.predictors import Screen

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


def leveled(X: Any, matched: Any, control: NDArray[np.float64]) -> NDArray[np.float64]:
    """Profiles with their changes from `matched` controls laid on one control."""
    return control + (np.asarray(X, dtype=np.float64) - np.asarray(matched, dtype=np.float64))


def screen_of(profiles: AnnData) -> tuple[Screen, NDArray[np.bool_]]:
    """The screen, and which rows of the profiles are its conditions.

    Each condition is laid on the common control: that, plus its change from the control it is matched with. Methods answer
    beside one control, and what is compared with their answers must stand on the same.
    """
    is_control = np.asarray(profiles.obs["is_control"], dtype=bool)
    X = np.asarray(profiles.X, dtype=np.float64)
    n_cells = profiles.obs["n_cells"].to_numpy()[~is_control] if "n_cells" in profiles.obs else None
    screen = Screen(
        genes=np.asarray(profiles.var_names.astype(str), dtype=np.str_),
        control=X[is_control][0],
        mean=leveled(X, profiles.layers["control"], X[is_control][0])[~is_control],
        targets=targets_of(profiles.obs["targets"].to_numpy()[~is_control]),
        n_cells=None if n_cells is None else np.asarray(n_cells, dtype=np.int64),
    )
    return screen, ~is_control
