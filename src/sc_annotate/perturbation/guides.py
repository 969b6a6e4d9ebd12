"""Whether the guides of a condition do the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.settings import logger
from sc_annotate._data.group_sums import group_sums
from sc_annotate._data.obs import check_column
from sc_annotate.errors import InputError
from sc_annotate.perturbation.guide_noise import control_noise, expected_correlation

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray

    from sc_annotate._data.group_sums import GroupSums
    from sc_annotate._data.matrix import Source
    from sc_annotate._data.transform import Transform
    from sc_annotate.perturbation.groups import Groups

FEWEST = 20
"""Correlations with other conditions needed to estimate what chance gives."""
LEVEL = 0.95
CLEAR = 0.5
"""Correlation expected of guides that do the same, from which a change is clear."""


def guides_of(
    adata: AnnData,
    guide_key: str,
    source: Source,
    plan: Transform,
    groups: Groups,
    sums: GroupSums,
    obs: pd.DataFrame,
) -> tuple[dict[str, NDArray[Any]], pd.DataFrame]:
    """Columns of the table of profiles, and a table of all guides; see :func:`perturbation_profiles`."""
    import pandas as pd

    column = pd.Series(np.asarray(check_column(adata, guide_key, argument="guide_key"), dtype=object))
    guide, names = pd.factorize(column.where(column.isna(), column.astype(str)), sort=True, use_na_sentinel=True)
    used = np.flatnonzero((groups.row >= 0) & (guide >= 0))
    if not used.size:
        raise InputError(f"adata.obs[{guide_key!r}] (guide_key) names no guide of the cells that are averaged.")
    pairs, pair = np.unique(groups.row[used] * len(names) + guide[used], return_inverse=True)
    row, which = pairs // len(names), pairs % len(names)
    code = np.full(adata.n_obs, -1, dtype=np.int32)
    code[used] = pair
    total = group_sums(source.X, plan, code, pairs.size, progress="averaging guides")
    in_replicate = np.zeros((pairs.size, groups.n_replicates), dtype=np.int64)
    np.add.at(in_replicate, (pair, groups.replicate[used]), 1)
    change, others, whole = _changes(groups, sums, total, in_replicate, row)
    of_control = control_noise(groups, sums, in_replicate, row)
    is_control = obs["is_control"].to_numpy(dtype=bool)
    n_guides = np.bincount(row, minlength=len(obs))
    targets = [str(text).split("+") if text else [] for text in obs["targets"]]
    place = {gene: j for j, gene in enumerate(source.names.tolist())}
    own = [[place[gene] for gene in targets[i] if gene in place] for i in row]
    compared = (n_guides[row] > 1) & ~is_control[row]
    correlation = np.array(
        [_correlation(change[k], others[k], own[k]) if compared[k] else np.nan for k in range(len(row))]
    )
    table = pd.DataFrame(
        {
            "condition": obs.index.to_numpy(dtype=object)[row],
            "guide": np.asarray(names, dtype=object)[which],
            "n_cells": total.n,
            "correlation": correlation,
            "knock_down": [float(change[k, own[k]].mean()) if own[k] else np.nan for k in range(len(row))],
            "status": _statuses(
                correlation,
                expected_correlation(total, others, row, own, of_control),
                row,
                compared,
                is_control,
                _chance(change, whole, row, is_control, groups.covariate),
            ),
        },
        index=[str(k) for k in range(len(row))],
    )
    odd = table[table["status"] == "disagrees"]
    if len(odd):
        shown = ", ".join(
            f"{g} of {c} ({r:.2f})" for c, g, r in odd[["condition", "guide", "correlation"]].to_numpy()[:5]
        )
        logger.warning(
            "%d guides do not do what the other guides of their condition do (correlation), and were not dropped: %s",
            len(odd),
            shown + (", ..." if len(odd) > 5 else ""),
        )
    medians = pd.Series(correlation).groupby(row).median().reindex(range(len(obs))).to_numpy(dtype=np.float64)
    return {"n_guides": n_guides.astype(np.int64), "guide_agreement": medians}, table


def _changes(
    groups: Groups, sums: GroupSums, total: GroupSums, in_replicate: NDArray[np.int64], row: NDArray[np.intp]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Change of each guide, of the other guides of its condition, and of each whole condition.

    The first stands beside one half of the control and the others beside the other: sharing it would make guides that do
    nothing look alike.
    """
    k, r, p = len(groups.targets), groups.n_replicates, total.sums.shape[1]
    n, by_half = sums.n.reshape(k, r, 2), sums.sums.reshape(k, r, 2, p)
    covariate = groups.covariate[row]

    def beside(half: int, of: NDArray[np.intp], weights: NDArray[np.int64]) -> NDArray[np.float64]:
        return groups.matched(of, n[:, :, half], by_half[:, :, half], weights)

    all_cells, all_sums, all_weights = np.zeros(k), np.zeros((k, p)), np.zeros((k, r), dtype=np.int64)
    np.add.at(all_cells, row, total.n)
    np.add.at(all_sums, row, total.sums)
    np.add.at(all_weights, row, in_replicate)
    change = total.sums / total.n[:, None] - beside(0, covariate, in_replicate)
    with np.errstate(divide="ignore", invalid="ignore"):
        rest = (all_sums[row] - total.sums) / (all_cells[row] - total.n)[:, None]
        whole = all_sums / all_cells[:, None]
    others = rest - beside(1, covariate, all_weights[row] - in_replicate)
    return change, others, whole - beside(1, groups.covariate, all_weights)


def _correlation(one: NDArray[np.float64], other: NDArray[np.float64], without: list[int]) -> float:
    one, other = np.delete(one, without), np.delete(other, without)
    one, other = one - one.mean(), other - other.mean()
    size = np.sqrt(one @ one * (other @ other))
    return float(one @ other / size) if size > 0 else float("nan")


def _chance(
    change: NDArray[np.float64],
    whole: NDArray[np.float64],
    row: NDArray[np.intp],
    is_control: NDArray[np.bool_],
    covariate: NDArray[np.intp],
) -> float:
    """What a guide's correlation with conditions that are not its own stays below; NaN where too few are known."""
    use = np.flatnonzero(~is_control & np.isfinite(whole).all(axis=1))
    mine = ~is_control[row] & np.isfinite(change).all(axis=1)
    one = change[mine] - change[mine].mean(axis=1, keepdims=True)
    other = whole[use] - whole[use].mean(axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = one @ other.T / np.outer(np.linalg.norm(one, axis=1), np.linalg.norm(other, axis=1))
    own = row[mine]
    apart = (own[:, None] != use[None, :]) & (covariate[own][:, None] == covariate[use][None, :])
    known = found[apart & np.isfinite(found)]
    return float(np.quantile(known, LEVEL)) if known.size >= FEWEST else float("nan")


def _statuses(
    correlation: NDArray[np.float64],
    expected: NDArray[np.float64],
    row: NDArray[np.intp],
    compared: NDArray[np.bool_],
    is_control: NDArray[np.bool_],
    chance: float,
) -> NDArray[np.object_]:
    """Status of each guide, from the correlations."""
    clear = expected > CLEAR
    # Where most conditions act alike, a guide need not be nearer to its own than to others.
    agrees = compared & ((correlation > chance) | (clear & (correlation > expected / 2)))
    n_agree = np.bincount(row, weights=agrees, minlength=len(is_control))
    out = np.where(n_agree[row] >= 2, "disagrees", "no shared change").astype(object)
    out[(out == "disagrees") & (expected < 2 * chance) & ~clear] = "too few cells"
    out[agrees] = "agrees"
    out[compared & ~np.isfinite(correlation - chance)] = "not compared"
    out[~compared] = "only guide"
    out[is_control[row]] = "control"
    return out
