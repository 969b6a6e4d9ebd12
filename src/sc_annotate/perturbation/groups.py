"""Which cells make up which profile, and how sums over them become means, errors, halves and matched controls."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._data.obs import check_column
from sc_annotate._vocabulary.conditions import check_control
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from typing import Self

    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray

    from sc_annotate._data.group_sums import GroupSums
    from sc_annotate.perturbation.requests import ProfilesRequest

COLUMNS = (
    "targets", "n_targets", "is_control", "n_cells", "n_guides", "guide_agreement", "efficacy", "n_nonresponding",
    "n_all_cells"
)  # fmt: skip
"""Columns of the table of profiles."""


@dataclass(frozen=True)
class _Cells:
    """The columns of ``obs`` as codes, one a cell; -1 of cells that cannot be used."""

    condition: NDArray[np.intp]
    known: list[str]
    """Canonical names of the conditions; the control, ``""``, first."""
    covariate: NDArray[np.intp]
    covariates: pd.DataFrame
    replicate: NDArray[np.intp]
    n_replicates: int
    left_out: list[tuple[str, str]]

    @classmethod
    def of(cls, adata: AnnData, how: ProfilesRequest) -> Self:
        import pandas as pd

        column = check_column(adata, how.perturbation_key, argument="perturbation_key")
        which, values = pd.factorize(pd.Series(np.asarray(column, dtype=object)), use_na_sentinel=True)
        present = [str(value) for value in values]
        parsed = how.parse(present)
        if not any(not each.targets and not each.problem for each in parsed):
            check_control(present, how.control, where=f"adata.obs[{how.perturbation_key!r}]")
        left_out = [(each.name, each.problem) for each in parsed if each.problem]
        known = sorted({each.canonical for each in parsed if not each.problem}, key=lambda name: (name != "", name))
        place = {name: code for code, name in enumerate(known)}
        of_name = np.array([-1 if each.problem else place[each.canonical] for each in parsed] + [-1], dtype=np.intp)
        if (missing := int((which < 0).sum())) > 0:
            left_out.append(("", f"the condition of {missing} cells is missing"))
        covariate, covariates = _combinations(adata, list(how.covariate_keys))
        replicate, n_replicates = _replicates(adata, how.replicate_key)
        condition = np.where((covariate < 0) | (replicate < 0), -1, of_name[which])
        return cls(condition, known, covariate, covariates, replicate, n_replicates, left_out)

    def with_control(self, keep: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
        """Cells to `keep` of replicates that have control cells; the others are added to what was left out."""
        usable = self.condition >= 0
        if keep is not None:
            usable &= keep
        # Where the controls of a replicate are missing, nothing can be held against them.
        has_control = np.zeros((len(self.covariates), self.n_replicates), dtype=bool)
        of_control = usable & (self.condition == 0)
        has_control[self.covariate[of_control], self.replicate[of_control]] = True
        alone = usable & ~has_control[self.covariate, self.replicate]
        if alone.any():
            why = f"{int(alone.sum())} cells are of covariates or replicates without a cell of the control"
            self.left_out.append(("", why))
        return usable & ~alone


@dataclass(frozen=True)
class Groups:
    """Cells by profile, replicate and half.

    ``code`` is ``(profile * n_replicates + replicate) * 2 + half`` of each cell, -1 of cells that are left out. Profiles
    are listed in ``targets`` and ``covariate`` (rows of the table of their values), those of controls first.
    ``left_out`` has names, empty for cells of several conditions, and reasons.
    """

    how: ProfilesRequest
    code: NDArray[np.int32]
    n_replicates: int
    targets: list[str]
    covariate: NDArray[np.intp]
    covariates: pd.DataFrame
    left_out: list[tuple[str, str]]

    @property
    def n_codes(self) -> int:
        return len(self.targets) * self.n_replicates * 2

    @classmethod
    def of(cls, adata: AnnData, how: ProfilesRequest, keep: NDArray[np.bool_] | None = None) -> Self:
        """Read the columns; of the cells only those to `keep`."""
        cells = _Cells.of(adata, how)
        usable, n_covariates = cells.with_control(keep), len(cells.covariates)
        profile = np.where(usable, cells.condition * n_covariates + cells.covariate, -1)
        n = np.bincount(profile[usable], minlength=len(cells.known) * n_covariates)
        few = (n > 0) & (n < how.min_cells)
        kept = np.flatnonzero((n > 0) & ~few)
        for lost in np.flatnonzero(few).tolist():
            name = _name(cells.known[lost // n_covariates] or how.control, cells.covariates, lost % n_covariates)
            cells.left_out.append((name, f"it has {n[lost]} cells, fewer than min_cells={how.min_cells}"))
        if not (kept < n_covariates).any():
            raise InputError(
                f"the control {how.control!r} has fewer than min_cells={how.min_cells} cells. Lower min_cells."
            )
        if not (kept >= n_covariates).any():
            raise InputError(
                f"there is no condition beside the control {how.control!r} with {how.min_cells} cells or more. Lower "
                "min_cells, or name the column with the conditions (perturbation_key)."
            )
        new = np.full(len(n) + 1, -1, dtype=np.intp)
        new[kept] = np.arange(kept.size)
        row = new[profile]
        half = _halves(row, cells.replicate, how.rng)
        code = np.where(row >= 0, (row * cells.n_replicates + cells.replicate) * 2 + half, -1)
        return cls(
            how=how,
            code=code.astype(np.int32),
            n_replicates=cells.n_replicates,
            targets=[cells.known[i] for i in kept // n_covariates],
            covariate=kept % n_covariates,
            covariates=cells.covariates,
            left_out=cells.left_out,
        )

    def profiles(self, sums: GroupSums) -> tuple[pd.DataFrame, NDArray[np.float64], dict[str, NDArray[np.float64]]]:
        """The table of profiles, their means, and the layers."""
        import pandas as pd

        k, r, p = len(self.targets), self.n_replicates, sums.sums.shape[1]
        n = sums.n.reshape(k, r, 2)
        total = sums.sums.reshape(k, r, 2, p)
        n_cells = n.sum(axis=(1, 2))
        mean = total.sum(axis=(1, 2)) / n_cells[:, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            variance = sums.squares.reshape(k, r * 2, p).sum(axis=1) / n_cells[:, None] - np.square(mean)
            se = np.sqrt(np.maximum(variance, 0) / (n_cells - 1)[:, None])
        se[n_cells < 2] = np.nan
        layers = {"se": se, "control": self._controls(n.sum(axis=2), total.sum(axis=2), n.sum(axis=2))}
        for half in (0, 1):
            with np.errstate(divide="ignore", invalid="ignore"):
                layers[f"half_{half + 1}"] = total[:, :, half].sum(axis=1) / n[:, :, half].sum(axis=1)[:, None]
            layers[f"control_half_{half + 1}"] = self._controls(n[:, :, half], total[:, :, half], n.sum(axis=2))
        is_control = np.array([not name for name in self.targets])
        index = [
            _name(t or self.how.control, self.covariates, c) for t, c in zip(self.targets, self.covariate, strict=True)
        ]
        obs = pd.DataFrame(
            {
                "targets": self.targets,
                "n_targets": np.array([name.count("+") + 1 if name else 0 for name in self.targets], dtype=np.int64),
                "is_control": is_control,
                "n_cells": n_cells,
            },
            index=index,
        )
        for key in self.how.covariate_keys:
            obs[key] = self.covariates[key].to_numpy()[self.covariate]
        return obs, mean, layers

    @property
    def row(self) -> NDArray[np.intp]:
        """Profile of each cell, -1 of cells that are left out."""
        return np.where(self.code < 0, -1, self.code // (2 * self.n_replicates)).astype(np.intp)

    @property
    def replicate(self) -> NDArray[np.intp]:
        """Replicate of each cell that is used."""
        return (self.code // 2 % self.n_replicates).astype(np.intp)

    def _controls(
        self, n: NDArray[np.int64], total: NDArray[np.float64], weights: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        return self.matched(self.covariate, n, total, weights)

    def matched(
        self, of: NDArray[np.intp], n: NDArray[np.int64], total: NDArray[np.float64], weights: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Mean of the control of each covariate in `of`, by replicate as the cells held against it are (`weights`)."""
        out = np.empty((len(of), total.shape[2]))
        controls = {c: i for i, (name, c) in enumerate(zip(self.targets, self.covariate, strict=True)) if not name}
        for row, c in enumerate(of):
            own = controls[c]
            # A half may lack the few control cells of a replicate.
            weight = np.where(n[own] > 0, weights[row], 0)
            if not weight.any():
                out[row] = np.nan
                continue
            there = weight > 0
            means = total[own][there] / n[own][there][:, None]
            out[row] = weight[there] @ means / weight.sum()
        return out

    def left_out_lines(self) -> list[str]:
        """Lines for the log on conditions that were left out."""
        shown = [f"{name!r}: {why}" if name else why for name, why in self.left_out]
        return [f"left out {line}" for line in shown[:10]] + (
            [f"and {len(shown) - 10} more; see uns['perturbation_profiles']['left_out']"] if len(shown) > 10 else []
        )


def _name(condition: str, covariates: pd.DataFrame, row: int) -> str:
    return "|".join([condition, *map(str, covariates.iloc[row].tolist())])


def _combinations(adata: AnnData, keys: list[str]) -> tuple[NDArray[np.intp], pd.DataFrame]:
    """Which combination of covariates each cell has, -1 where one is missing; and a table of them."""
    import pandas as pd

    if not keys:
        return np.zeros(adata.n_obs, dtype=np.intp), pd.DataFrame(index=range(1))
    taken = [key for key in keys if key in COLUMNS]
    if taken or len(set(keys)) < len(keys):
        raise InputError(
            f"covariate_keys: {taken or keys} are columns of the profiles, or named twice. Rename them in obs."
        )
    table = pd.DataFrame(
        {key: np.asarray(check_column(adata, key, argument="covariate_keys"), dtype=object) for key in keys}
    )
    missing = table.isna().any(axis=1).to_numpy()
    text = table.astype(str)
    code, values = pd.factorize(pd.MultiIndex.from_frame(text), sort=True)
    used = np.unique(code[~missing])
    new = np.full(len(values) + 1, -1, dtype=np.intp)
    new[used] = np.arange(used.size)
    rows: Any = [values[i] for i in used]
    if alike := [name for name, n in Counter("|".join(row) for row in rows).items() if n > 1]:
        raise InputError(
            f"covariate_keys: two combinations are both written {alike[0]!r}, as their values hold '|'. Rename them in obs."
        )
    return np.where(missing, -1, new[code]), pd.DataFrame(rows, columns=keys)


def _replicates(adata: AnnData, key: str | None) -> tuple[NDArray[np.intp], int]:
    import pandas as pd

    if key is None:
        return np.zeros(adata.n_obs, dtype=np.intp), 1
    column = np.asarray(check_column(adata, key, argument="replicate_key"), dtype=object)
    code, values = pd.factorize(pd.Series(column), sort=False)
    return code.astype(np.intp), len(values)


def _halves(row: NDArray[np.intp], replicate: NDArray[np.intp], rng: int) -> NDArray[np.intp]:
    """0 or 1 for each cell: of each profile and replicate one half each, drawn at random."""
    order = np.random.default_rng(rng).permutation(row.size)
    by = order[np.lexsort((replicate[order], row[order]))]
    first = np.r_[True, (np.diff(row[by]) != 0) | (np.diff(replicate[by]) != 0)]
    start = np.maximum.accumulate(np.where(first, np.arange(row.size), 0))
    half = np.empty(row.size, dtype=np.intp)
    half[by] = (np.arange(row.size) - start) % 2
    return half


def names_only(names: NDArray[np.str_]) -> pd.DataFrame:
    """A table of genes without columns; strings that may be missing, as some files have them, cannot be written again."""
    import pandas as pd

    return pd.DataFrame(index=pd.Index(names.astype(object)))
