"""Where the doubles of a simulated screen deviate from the sum of the singles, and how much."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from sc_annotate.datasets._perturb_request import Kind
    from sc_annotate.datasets._perturb_truth import Design, Effects


_MOST = 0.75
"""Share of a sum that buffering takes away at most: what is left lies between no change and the sum."""


def planted(
    truth: Design, lines: Sequence[Effects], share: float, size: float, kind: Kind
) -> tuple[NDArray[np.bool_], list[NDArray[np.float64]]]:
    """Which pairs of a double and a gene deviate, doubles x genes, and in each line by how much."""
    if kind == "random":
        chosen: NDArray[np.bool_] = truth.chance < share
        chosen[:, -1] = False
        # What cannot go down that far goes up.
        steps = [np.where((truth.sign < 0) & (each.headroom > size), -size, size) for each in lines]
    else:
        steps = [_along(each, size, kind) for each in lines]
        possible = np.logical_and.reduce([each.alike & (step != 0) for each, step in zip(lines, steps, strict=True)])
        possible[:, -1] = False
        # The larger a sum, the likelier it is one, as in measured screens.
        weight = np.prod([np.abs(each.total) for each in lines], axis=0) ** (1 / len(lines))
        chosen = _weighted(truth.chance, np.where(possible, weight, 0), share, kind)
    return chosen, [np.where(chosen, step, 0.0) for step in steps]


def _along(effects: Effects, size: float, kind: Kind) -> NDArray[np.float64]:
    """The deviation each pair would have; 0 where the effects leave none."""
    toward = np.sign(effects.total)
    if kind == "buffering":
        return np.asarray(-toward * np.minimum(size, _MOST * np.abs(effects.total)))
    return np.asarray(toward * size * ((toward > 0) | (effects.headroom > size)))


def _weighted(chance: NDArray[np.float64], weight: NDArray[np.float64], share: float, kind: Kind) -> NDArray[np.bool_]:
    """So many pairs, drawn without replacement: whose clock rings first, each going as fast as its weight."""
    n = round(share * chance[:, :-1].size)
    possible = int((weight > 0).sum())
    if n > possible:
        raise InputError(
            f"interactions is {share:g}, but only {possible / max(chance[:, :-1].size, 1):.2g} of the pairs of a gene and a double "
            f"can be {kind}: those that both single perturbations move the same way, far enough from 0. Ask for fewer."
        )
    with np.errstate(divide="ignore"):
        rings = np.where(weight > 0, -np.log1p(-chance) / weight, np.inf)
    out = np.zeros(chance.shape, dtype=bool)
    out.ravel()[np.argsort(rings, axis=None, kind="stable")[:n]] = True
    return out
