"""How far guides that do the same may differ by noise alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sc_annotate._data.group_sums import GroupSums
    from sc_annotate.perturbation.groups import Groups


def _noise(sums: GroupSums) -> NDArray[np.float64]:
    """Squared standard error of each group's mean, on average over genes; infinite for a single cell."""
    cells = sums.n.astype(np.float64)[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        out = (np.maximum(sums.squares / cells - np.square(sums.sums / cells), 0) / (cells - 1)).mean(axis=1)
    out[sums.n < 2] = np.inf
    return np.asarray(out)


def control_noise(
    groups: Groups, sums: GroupSums, in_replicate: NDArray[np.int64], row: NDArray[np.intp]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What the control half beside each guide, and that beside the other guides, adds to the noise."""
    k, r = len(groups.targets), groups.n_replicates
    noise, n = _noise(sums).reshape(k, r, 2), sums.n.reshape(k, r, 2)
    whole = np.zeros((k, r), dtype=np.int64)
    np.add.at(whole, row, in_replicate)
    control = {c: i for i, (name, c) in enumerate(zip(groups.targets, groups.covariate, strict=True)) if not name}
    own = np.array([control[c] for c in groups.covariate[row]])
    out = []
    for half, weights in ((0, in_replicate), (1, whole[row] - in_replicate)):
        used = np.where(n[own, :, half] > 0, weights, 0).astype(np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            share = used / used.sum(axis=1, keepdims=True)
            out.append(np.where(share > 0, np.square(share) * noise[own, :, half], 0).sum(axis=1))
    return out[0], out[1]


def expected_correlation(
    total: GroupSums,
    others: NDArray[np.float64],
    row: NDArray[np.intp],
    own: list[list[int]],
    of_control: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> NDArray[np.float64]:
    """Correlation that a guide of so few cells would have if it did what the others do; 0 for a single cell."""
    n = total.n.astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        noise = _noise(total)
        known = np.where(n < 2, 0, np.square(n) * noise)
        of_others = (np.bincount(row, known)[row] - known) / np.square(np.bincount(row, n)[row] - n)
        noise, of_others = noise + of_control[0], of_others + of_control[1]
        # Without the targets, as in the correlation: their fall is the same whatever else a guide does.
        spread = np.array([np.delete(change, without).var() for change, without in zip(others, own, strict=True)])
        signal = np.maximum(spread - of_others, 0)
        return np.nan_to_num(np.sqrt(signal / (signal + noise) * signal / spread))
