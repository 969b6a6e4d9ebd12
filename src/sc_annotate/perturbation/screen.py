"""From profiles, or cells, in an AnnData to what predictors take."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.arguments import whole
from sc_annotate._core.codec import check_texts
from sc_annotate._data import read
from sc_annotate._data.obs import check_column, check_tables
from sc_annotate._vocabulary.conditions import targets_of
from sc_annotate.errors import InputError
from sc_annotate.predictors import Cells, Screen, screen_embedding

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray

    from sc_annotate._data.matrix import MatrixRequest
    from sc_annotate.perturbation.requests import ProfilesRequest

PROFILES = "perturbation_profiles"
"""Key in ``uns`` of an object that holds profiles."""
HALVES = ("half_1", "half_2", "control_half_1", "control_half_2")


@dataclass(frozen=True)
class Recorded:
    """What profiles record of how they were made."""

    control: str
    covariate_keys: list[str]
    is_lfc: bool
    selected: bool
    """Whether only responding cells were averaged."""

    @classmethod
    def of(cls, adata: Any) -> Recorded | None:
        """None for an object that holds no profiles."""
        stored = getattr(adata, "uns", {}).get(PROFILES)
        if not isinstance(stored, dict):
            return None
        params = stored.get("params", {})
        return cls(
            control=str(stored.get("control", "control")),
            covariate_keys=[str(key) for key in np.ravel(stored.get("covariate_keys", []))],
            is_lfc=str(stored.get("values", "expression")) == "lfc",
            selected=bool(params.get("drop_nonresponding", False)),
        )


@dataclass(frozen=True)
class Context:
    """What was measured in one context: a screen, and profiles of two halves of the cells beside its control."""

    screen: Screen
    halves: tuple[NDArray[np.float64], NDArray[np.float64]] | None
    is_lfc: bool


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
    check_tables(profiles, what=what)
    check_texts(profiles.obs_names.tolist(), f"the index of {what}.obs", InputError)
    stored = profiles.uns[PROFILES]
    if not isinstance(stored, dict) or stored.get("schema") != 1:
        raise InputError(f"{what} holds profiles of another version of sc_annotate. Make them again.")
    lacking = [name for name in ("targets", "is_control") if name not in profiles.obs]
    if lacking or "control" not in profiles.layers:
        raise InputError(
            f"{what} lacks {lacking or ['layers control']}: it was changed since. Make the profiles again."
        )
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


def screen_of(profiles: AnnData) -> Screen:
    """The screen of checked profiles with one control.

    Each condition is laid on the common control: that, plus its change from the control it is matched with. Methods
    predict beside one control, and what is compared with their predictions must stand on the same.
    """
    is_control = np.asarray(profiles.obs["is_control"], dtype=bool)
    X = np.asarray(profiles.X, dtype=np.float64)
    n_cells = profiles.obs["n_cells"].to_numpy()[~is_control] if "n_cells" in profiles.obs else None
    return Screen(
        genes=np.asarray(profiles.var_names.astype(str), dtype=np.str_),
        control=X[is_control][0],
        mean=leveled(X, profiles.layers["control"], X[is_control][0])[~is_control],
        targets=targets_of(profiles.obs["targets"].to_numpy()[~is_control]),
        n_cells=None if n_cells is None else np.asarray(n_cells, dtype=np.int64),
    )


def context_of(profiles: Any, *, what: str = "profiles") -> Context:
    """The screen of profiles with one control, and their halves where there are any."""
    screen = screen_of(check_profiles(profiles, what=what))
    halves = None
    if all(name in profiles.layers for name in HALVES):
        rows = ~np.asarray(profiles.obs["is_control"], dtype=bool)
        layers = {name: np.asarray(profiles.layers[name], dtype=np.float64)[rows] for name in HALVES}
        one, two = (leveled(layers[half], layers[f"control_{half}"], screen.control) for half in HALVES[:2])
        halves = one, two
    recorded = Recorded.of(profiles)
    return Context(screen, halves, recorded is not None and recorded.is_lfc)


def with_cells(screen: Screen, adata: AnnData, how: ProfilesRequest, matrix: MatrixRequest) -> Screen:
    """The screen and the cells that it was averaged from, for predictors that train on them."""
    column = np.asarray(check_column(adata, how.perturbation_key, argument="perturbation_key"), dtype=object)
    present = list(dict.fromkeys(column.tolist()))
    place = {targets: i for i, targets in enumerate(screen.targets)} | {(): -1}
    code = {
        name: -2 if each.problem else place.get(each.targets, -2)
        for name, each in zip(present, how.parse(present), strict=True)
    }
    condition = np.array([code[name] for name in column.tolist()], dtype=np.intp)
    used = np.flatnonzero(condition >= -1)
    found, plan = read.open_on_common_scale(adata, matrix)
    X = read.read_rows(found.source, plan, np.arange(found.source.n_columns), used, progress="reading cells")
    batch = None
    if how.replicate_key is not None:
        replicate = check_column(adata, how.replicate_key, argument="replicate_key").astype(str)
        batch = np.asarray(replicate, dtype=np.str_)[used]
    return replace(screen, cells=Cells(X=X, condition=condition[used], batch=batch))


def embedding_table(profiles: Any, n_components: int) -> pd.DataFrame:
    """Principal components of the single perturbations of a screen, by target."""
    import pandas as pd

    n_components = whole(n_components, "n_components", least=1)
    learnt = screen_embedding(screen_of(check_profiles(profiles)), n_components)
    return pd.DataFrame(learnt.values, index=pd.Index(learnt.names.tolist(), dtype=object))
