"""Doubles with their singles, and what methods predict for them, as arrays of one shape."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from sc_annotate._vocabulary.conditions import as_targets, targets_of
from sc_annotate.errors import GeneError, InputError, MatrixError
from sc_annotate.metrics import top_expressed
from sc_annotate.perturbation.scale import check_prediction

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Doubles:
    """Changes against control of doubles and of their singles, doubles x genes."""

    targets: list[tuple[str, ...]]
    genes: NDArray[np.str_]
    control: NDArray[np.float64]
    first: NDArray[np.float64]
    second: NDArray[np.float64]
    both: NDArray[np.float64]
    error: NDArray[np.float64] | None
    """Standard error of the deviation; NaN where it is 0."""

    @property
    def deviation(self) -> NDArray[np.float64]:
        return self.both - self.first - self.second


def doubles(profiles: AnnData, n_top: int, standardise: bool) -> tuple[Doubles, pd.DataFrame]:
    """Doubles of which both singles are there; and the others, with the reason."""
    import pandas as pd

    if standardise and "se" not in profiles.layers:
        raise InputError(
            "profiles.layers has no 'se', the standard errors that deviations are divided by. Make the profiles with "
            "`sca.pp.perturbation_profiles(adata, ...)` from cells, or pass standardise=False."
        )
    targets = targets_of(profiles.obs["targets"])
    row = {each: i for i, each in enumerate(targets)}
    use: list[tuple[str, ...]] = []
    reasons: dict[str, str] = {}
    for each in targets:
        lacking = [target for target in each if (target,) not in row]
        if len(each) > 2:
            reasons["+".join(each)] = f"has {len(each)} targets"
        elif len(each) == 2 and lacking:
            reasons["+".join(each)] = f"no condition perturbs {' or '.join(lacking)} alone"
        elif len(each) == 2:
            use.append(each)
    if not use:
        why = next(iter(reasons.values()), "no condition has two targets")
        raise InputError(f"profiles has no double with both of its singles: {why}.")
    X, matched = (np.asarray(x, dtype=np.float64) for x in (profiles.X, profiles.layers["control"]))
    if not (np.isfinite(X).all() and np.isfinite(matched).all()):
        lost = np.flatnonzero(~(np.isfinite(X).all(axis=1) & np.isfinite(matched).all(axis=1)))
        raise MatrixError(
            f"profiles has NaN or infinite values, such as in {str(profiles.obs_names[lost[0]])!r}. Leave those conditions, or "
            "those genes, out of it."
        )
    control_row = row[()]
    is_lfc = profiles.uns["perturbation_profiles"].get("values") == "lfc"
    p = profiles.n_vars
    genes = np.arange(p) if is_lfc or n_top >= p else np.sort(top_expressed(X[control_row], n_top))
    change = (X - matched)[:, genes]
    ab = np.array([row[each] for each in use])
    a, b = (np.array([row[each[i],] for each in use]) for i in (0, 1))
    error = None
    if standardise:
        variance = np.asarray(profiles.layers["se"], dtype=np.float64)[:, genes] ** 2
        # A gene without a count in a condition has no error there that could be trusted.
        variance[variance == 0] = np.nan
        error = np.sqrt(variance[ab] + variance[a] + variance[b] + variance[control_row])
    names = np.asarray(profiles.var_names, dtype=str)[genes]
    found = Doubles(use, names, matched[ab][:, genes], change[a], change[b], change[ab], error)
    text = {"condition": list(reasons), "reason": list(reasons.values())}
    return found, pd.DataFrame(text, index=[str(i) for i in range(len(reasons))], dtype=object)


def changes(
    predictions: Mapping[str, Any], found: Doubles, kind: Literal["expression", "delta"]
) -> dict[str, NDArray[np.float64]]:
    """Predicted changes of the doubles by method, NaN where there is none; that of no change first."""
    import pandas as pd

    if not hasattr(predictions, "items"):
        raise InputError(f"predictions must be a dict of tables by name, not {type(predictions).__name__}.")
    out = {"no_change": np.zeros_like(found.both)}
    for name, table in predictions.items():
        what = f"predictions[{name!r}]"
        if hasattr(table, "to_df"):
            table = table.to_df()
        if not isinstance(table, pd.DataFrame):
            raise InputError(f"{what} must be a DataFrame or AnnData, conditions x genes, not {type(table).__name__}.")
        columns = table.columns.astype(str)
        lacking = [gene for gene in found.genes if gene not in set(columns)]
        if lacking:
            raise GeneError(
                f"{what} lacks {len(lacking)} of {found.genes.size} genes, such as {', '.join(lacking[:3])}. Columns must be "
                "genes by their names in profiles; for a model of fewer genes choose those in profiles first."
            )
        if columns.has_duplicates:
            raise GeneError(f"{what} has genes that occur twice. Keep one column of each.")
        conditions = as_targets([str(row) for row in table.index])
        if len(conditions) < len(table):
            raise InputError(f"{what} has conditions that occur twice ('A+B' and 'B+A' are one). Keep one row of each.")
        values = table.set_axis(columns, axis=1)[list(found.genes)].to_numpy(dtype=np.float64)
        if np.isinf(values).any():
            raise InputError(f"{what} has infinite values. A condition that cannot be predicted is a row of NaN.")
        place = {each: i for i, each in enumerate(conditions)}
        rows = np.array([place.get(each, -1) for each in found.targets])
        predicted = np.full_like(found.both, np.nan)
        predicted[rows >= 0] = values[rows[rows >= 0]]
        if str(name) == "no_change":
            continue
        check_prediction(
            what, predicted, found.control, kind == "delta", found.both,
            otherwise="changes to a model's own control can be passed with predictions_are='delta'.",
        )  # fmt: skip
        out[str(name)] = predicted - found.control if kind == "expression" else predicted
    return out
