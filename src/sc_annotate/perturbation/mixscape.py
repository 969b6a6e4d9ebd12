"""Cells that carry a guide and do not respond, by pertpy's Mixscape."""

from __future__ import annotations

import inspect
import warnings
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.extras import missing_extra
from sc_annotate._data import read
from sc_annotate.errors import MethodError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from sc_annotate._data.transform import Transform
    from sc_annotate.perturbation.groups import Groups

CONTROL = "control"


def mixscape(source: Any, plan: Transform, groups: Groups) -> tuple[dict[str, NDArray[Any]], NDArray[np.bool_]]:
    """Share of responding and number of non-responding cells of each profile; and which cells do not respond."""
    row, n = groups.row, len(groups.targets)
    is_control = np.array([not name for name in groups.targets])
    silent, separated = np.zeros(row.size, dtype=bool), np.zeros(n, dtype=bool)
    for c in np.unique(groups.covariate):
        used = np.flatnonzero((row >= 0) & (groups.covariate[row] == c))
        X = read.read_rows(source, plan, np.arange(source.n_columns), used, progress="reading cells for Mixscape")
        # Names of their own: Mixscape cuts the names of its classes at blanks.
        names = np.array([CONTROL if is_control[i] else f"p{i}" for i in range(n)], dtype=object)[row[used]]
        responds, probability = _classes(X, names, groups.replicate[used], groups.how.rng)
        for i in np.unique(row[used]).tolist():
            mine = row[used] == i
            if is_control[i] or not probability[mine].any():
                continue
            separated[i] = True
            silent[used[mine & ~responds]] = True
    n_nonresponding = np.bincount(row[silent], minlength=n)
    n_cells = np.bincount(row[row >= 0], minlength=n)
    efficacy = np.where(separated, 1 - n_nonresponding / n_cells, np.nan)
    return {"efficacy": efficacy, "n_nonresponding": n_nonresponding.astype(np.int64)}, silent


def _classes(
    X: Any, names: NDArray[np.object_], replicate: NDArray[np.intp], rng: int
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Whether each cell responds, and how probable that is: 0 for all of a condition that could not be separated."""
    import pandas as pd
    from anndata import AnnData

    dense = np.asarray(X.toarray() if hasattr(X, "toarray") else X, dtype=np.float32)
    index = [str(i) for i in range(len(names))]
    obs = pd.DataFrame(
        {"perturbation": pd.Categorical(names), "replicate": pd.Categorical([f"r{i}" for i in replicate])}, index=index
    )
    cells = AnnData(dense, obs=obs)
    cells.uns["log1p"] = {"base": None}
    # Importing pertpy changes the warning filters of the whole process; they are put back here.
    with warnings.catch_warnings(), np.errstate(all="ignore"), _seeded(rng):
        warnings.simplefilter("ignore")
        try:
            make: Any = import_module("pertpy.tools").Mixscape
        except ImportError as error:
            raise missing_extra("efficacy='mixscape' needs pertpy", "pertpy", "perturb", error) from error
        try:
            tool = make()
            tool.perturbation_signature(
                cells, "perturbation", CONTROL, ref_selection_mode="split_by", split_by="replicate"
            )
            with _old_mixture():
                tool.mixscape(cells, "perturbation", CONTROL, layer="X_pert", random_state=rng)
        except (ArithmeticError, IndexError, KeyError, ValueError) as error:
            raise MethodError(
                f"Mixscape of pertpy failed ({type(error).__name__}: {error}). Leave out small conditions (min_cells), or "
                "efficacy."
            ) from error
    responds = np.array([str(name).endswith(" KO") for name in cells.obs["mixscape_class"]], dtype=bool)
    return responds, np.nan_to_num(cells.obs["mixscape_class_p_ko"].to_numpy(dtype=np.float64))


@contextmanager
def _seeded(rng: int) -> Iterator[None]:
    """Seed numpy's global generator, which parts of pertpy draw from, also at its import, and put it back."""
    state = np.random.get_state()  # noqa: NPY002
    np.random.seed(rng % 2**32)  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(state)  # noqa: NPY002


@contextmanager
def _old_mixture() -> Iterator[None]:
    """Let pertpy 1.0, the last for Python 3.11, work with scikit-learn 1.8 and newer, which hands its mixtures a further argument."""
    try:
        module: Any = import_module("pertpy.tools._mixscape")
    except ImportError:
        yield
        return
    was: Any = getattr(module, "MixscapeGaussianMixture", None)
    if was is None or "xp" in inspect.signature(was._m_step).parameters:
        yield
        return

    class Mixture(was):  # type: ignore[misc]
        def _m_step(self, X: Any, log_resp: Any, xp: Any = None) -> Any:
            return super()._m_step(X, log_resp)

    module.MixscapeGaussianMixture = Mixture
    try:
        yield
    finally:
        module.MixscapeGaussianMixture = was
