"""Tables of conditions x genes from any model, matched by name and checked before they are compared."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.arrays import rows
from sc_annotate._core.codec import check_texts
from sc_annotate._data.matrix import check_adata
from sc_annotate._data.obs import check_column
from sc_annotate._vocabulary import conditions
from sc_annotate.errors import GeneError, InputError, MatrixError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from sc_annotate.perturbation.requests import TableRequest

TARGET_SUM = 10_000
# Own control cells, read in another precision, agree far better; those of another half of the cells do not.
SAME_CONTROL = 0.01
AVERAGE = "If its rows are cells, average them first: sca.pp.perturbation_profiles(cells, ...)."


@dataclass(frozen=True)
class Table:
    """Values of conditions x genes; ``keys`` are canonical names ("" for control, covariates after ``|``)."""

    what: str
    names: list[str]
    keys: list[str]
    targets: list[tuple[str, ...]]
    genes: NDArray[np.str_]
    X: NDArray[np.float64]

    @property
    def is_control(self) -> NDArray[np.bool_]:
        return np.array([not each for each in self.targets], dtype=bool)


def read_table(
    source: Any, how: TableRequest, *, what: str, is_truth: bool = False, need_control: bool = False
) -> Table:
    """Read an AnnData or a DataFrame, which must have a row for the control with `need_control`.

    In `is_truth` only the name of the control is the control; in other tables also "ctrl" and the like.
    """
    control = "control" if how.control is None else how.control
    perturbation_key = how.perturbation_key
    import pandas as pd

    if isinstance(source, pd.DataFrame):
        named, genes, values = _from_frame(source, what, perturbation_key)
    elif type(source).__name__ == "AnnData":
        check_adata(source, what=what)
        labels = (
            source.obs_names
            if perturbation_key is None
            else check_column(source, perturbation_key, argument="perturbation_key", what=what)
        )
        named, genes = list(labels), np.asarray(source.var_names.astype(str), dtype=str)
        block: Any = rows(source.X, slice(0, source.n_obs))
        values = np.asarray(block.toarray() if hasattr(block, "toarray") else block, dtype=np.float64)
    else:
        raise InputError(f"{what} must be an AnnData or a DataFrame, conditions x genes, not {type(source).__name__}.")
    check_texts(named, what, InputError)
    if twice := [gene for gene, n in Counter(genes.tolist()).items() if n > 1]:
        raise GeneError(f"{len(twice)} genes occur more than once in {what} (such as {twice[0]}). Sum or drop them.")
    if np.isinf(values).any():
        raise MatrixError(f"{what} has infinite values. A condition that is not predicted is a row of NaN.")
    heads, tails = [], []
    for name in named:
        head, mark, tail = str(name).partition("|") if how.has_covariates else (name, "", "")
        heads.append(head)
        tails.append(mark + tail)
    if need_control:
        try:
            conditions.check_control([str(head) for head in heads], control, where=what)
        except InputError as error:
            raise InputError(f"{error} {AVERAGE}") from error
    parsed = how.parse(heads)
    wrong = [each for each in parsed if each.problem and (is_truth or not each.problem.startswith("it names no gene"))]
    if wrong:
        raise InputError(f"{what} has a row {wrong[0].name!r} that cannot be read: {wrong[0].problem}.")
    keys = [each.canonical + tail for each, tail in zip(parsed, tails, strict=True)]
    if doubled := [key for key, n in Counter(keys).items() if n > 1]:
        rows_of = keys.count(doubled[0])
        raise InputError(
            f"{what} has {rows_of} rows for {doubled[0] or control!r}; one is needed. Cells are averaged with "
            "sca.pp.perturbation_profiles(cells, ...); of several runs choose one, or average them."
        )
    return Table(what, [str(name) for name in named], keys, [each.targets for each in parsed], genes, values)


def _from_frame(frame: Any, what: str, key: str | None) -> tuple[list[Any], NDArray[np.str_], NDArray[np.float64]]:
    """Names, genes and values of a DataFrame; `key` names a column that holds the conditions."""
    if key is not None and key not in frame.columns:
        raise InputError(f"{what} has no column {key!r} (perturbation_key). Name the one that holds the conditions.")
    if key is not None:
        names, frame = list(frame[key]), frame.drop(columns=key)
    else:
        names = list(frame.index)
    if not frame.shape[0] or not frame.shape[1]:
        raise InputError(f"{what} is empty: {frame.shape[0]} conditions x {frame.shape[1]} genes.")
    try:
        values = frame.to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"{what} has columns that hold no numbers: {error}. Name the one with the conditions with perturbation_key."
        ) from error
    check_texts(frame.columns.tolist(), what, GeneError)
    return names, np.asarray(frame.columns.astype(str), dtype=str), values


def shared_genes(truth: Table, tables: Iterable[Table], *, need_all: bool) -> NDArray[np.intp]:
    """Columns of `truth` that are compared: all, which every table must have, or those that every table has."""
    keep = np.ones(truth.genes.size, dtype=bool)
    for table in tables:
        here = np.isin(truth.genes, table.genes)
        if not here.any():
            raise GeneError(
                f"{table.what} has no gene of truth: its columns are named {', '.join(table.genes[:3])}, those of truth "
                f"{', '.join(truth.genes[:3])}. Genes are matched by name; give the columns the names that truth has."
            )
        if need_all and not here.all():
            lost = truth.genes[~here]
            raise GeneError(
                f"{table.what} lacks {lost.size} of the {truth.genes.size} genes of truth: {', '.join(lost[:5])}"
                f"{', ...' if lost.size > 5 else ''}. Predict them, or compare all methods on the genes that all of them "
                "have: genes='shared'."
            )
        keep &= here
    if not keep.any():
        raise GeneError("no gene of truth is in all predictions. Leave one out, or evaluate them apart.")
    return np.flatnonzero(keep)


def columns_of(table: Table, genes: NDArray[np.str_]) -> NDArray[np.intp]:
    """Where `genes` stand in a table that has them all."""
    order = np.argsort(table.genes)
    return order[np.searchsorted(table.genes, genes, sorter=order)]


def check_truth(X: NDArray[np.float64]) -> None:
    """Refuse what cannot be means of the natural log1p of counts per 10,000."""
    if (X < 0).any():
        raise MatrixError(
            "truth has negative values, which mean log-normalised expression has not. If these are changes to control, "
            "pass truth_is='delta'."
        )
    # The exponential of a mean is at most the mean of exponentials, so no profile adds up to more than its cells do.
    if np.expm1(np.minimum(X, 50)).sum(axis=1).max() > 1.01 * TARGET_SUM:
        raise MatrixError(
            "truth is on another scale than the natural log1p of counts per 10,000 (a profile adds up to more than 10,000): "
            "counts, another base or another target sum. Make it with sca.pp.perturbation_profiles(cells, ...)."
        )


def check_control(
    table: Table, truth_control: dict[str, NDArray[np.float64]], columns: NDArray[np.intp], delta: bool
) -> None:
    """Where a prediction brings its control, it must be the one of truth (of changes: 0)."""
    for row in np.flatnonzero(table.is_control):
        own, name = table.X[row, columns], table.names[row]
        if delta:
            off = float(np.abs(own).max())
            expected = "0, as a change to itself"
        else:
            if table.keys[row] not in truth_control:
                continue
            off = float(np.abs(own - truth_control[table.keys[row]]).max())
            expected = "the control of truth"
        if not off <= SAME_CONTROL:
            raise MatrixError(
                f"the control of {table.what} (row {name!r}) is not {expected}: they differ by up to {off:.3g}. Such a "
                "prediction starts from other cells or another normalisation. Predict from the control of truth, or "
                "subtract the model's own control and pass predictions_are='delta' without that row."
            )
