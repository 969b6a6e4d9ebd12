"""From measures to one score: tails among held-out reference cells, in neighbourhoods of several sizes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.decode import decode
from sc_annotate._core.schema import Count
from sc_annotate._core.stored_arrays import Stored
from sc_annotate.errors import InputError
from sc_annotate.trust._stored import take
from sc_annotate.trust.neighbourhood import ALIGN, LEAST, SHARED, align, in_groups

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from sc_annotate.trust._space import Space

    Measures = dict[str, NDArray[np.float64]]
    from numpy.typing import NDArray


_KNOTS = 65
# Cells beyond the last knot, from whose mean excess the tail goes on.
_BEYOND, _SHARE = 10, 0.05


def fit_tail(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Knots (values, then minus log of the share of reference values at or above), and how fast it goes on after them.

    Within the reference these are quantiles. Beyond, the tail is taken as exponential, with the mean excess over the
    last knot: otherwise all cells that are farther than any reference cell would be alike.
    """
    n = values.size
    last = -np.log(min(0.5, max(_SHARE, _BEYOND / n)))
    unlikely = np.linspace(0, last, _KNOTS)
    knots = np.quantile(values, 1 - np.exp(-unlikely))
    excess = values[values > knots[-1]] - knots[-1]
    slope = 1 / excess.mean() if excess.size and excess.mean() > 1e-12 * (1 + abs(knots[-1])) else 0.0
    return np.concatenate([knots, unlikely, [slope]])


def tail(values: NDArray[np.float64], fitted: NDArray[np.float64]) -> NDArray[np.float64]:
    """Minus the natural log of the share of reference values at or above: 0 for the most typical, 3 for 1 in 20."""
    knots, unlikely, slope = fitted[:_KNOTS], fitted[_KNOTS : 2 * _KNOTS], fitted[-1]
    # Of equal knots only the first may count, so that a value that many reference cells have is a usual one.
    first = np.append(True, np.diff(knots) > 0)
    inside = np.interp(values, knots[first], unlikely[first])
    return inside + slope * np.maximum(values - knots[-1], 0)


TAIL_SIZE = 2 * _KNOTS + 1


@dataclass
class Scales:
    """What the parts of held-out reference cells are, and their scores.

    ``references`` has the scores, ascending, by the number of cells that each was compared with; 0: with none.
    """

    names: list[str]
    tails: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    aligned: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    references: dict[int, NDArray[np.float32]] = field(default_factory=dict)

    @property
    def own(self) -> list[str]:
        """Parts that a cell has by itself."""
        return [name for name in self.names if name not in SHARED]

    @property
    def shared(self) -> list[str]:
        """Parts that it shares with its neighbourhood."""
        return [name for name in self.names if name in SHARED]

    @classmethod
    def fit(cls, names: list[str], held: Sequence[tuple[Any, Space]], random: np.random.Generator) -> Scales:
        """From held-out cells, each with the space that had not seen them."""
        self = cls(names)
        own = joined([space.measure(space.see(cells), self.own) for cells, space in held])
        self.tails = {name: fit_tail(values) for name, values in own.items()}
        self.references[0] = np.sort(self._unaligned(own, 0))
        n_held = [cells.shape[0] for cells, _ in held]
        size = int(np.median(n_held)) if self.shared else 0
        while size >= LEAST:
            # A fold much smaller than the others would be another kind of neighbourhood; its cells are left out here.
            used = [n >= max(LEAST, 2 * size // 3) for n in n_held]
            found = joined(
                [in_groups(space, cells, size, random) for (cells, space), u in zip(held, used, strict=True) if u]
            )
            found = {name: found[name] for name in self.shared}
            for name in self.shared:
                self.tails[f"{name}_{size}"] = fit_tail(found[name])
                self.aligned[f"{name}_{size}"] = np.quantile(found[name], ALIGN)
            rows = np.repeat(used, n_held)
            self.references[size] = np.sort(self._unaligned({k: v[rows] for k, v in own.items()} | found, size))
            size //= 2
        return self

    def size(self, n: int) -> int:
        """With how many of its cells each cell of a query of `n` is compared."""
        return max(size for size in self.references if size <= n)

    def laid(self, measured: Mapping[str, NDArray[Any]], n: int) -> Iterator[tuple[str, NDArray[np.float64]]]:
        """Part by part, the tails of all `n` cells of a query; what all of them share is taken off before."""
        size = self.size(n)
        for name, values in measured.items():
            exact = values.astype(np.float64, copy=False)
            key = f"{name}_{size}" if name in SHARED else name
            yield name, tail(align(exact, self.aligned[key]) if name in SHARED else exact, self.tails[key])

    def score(self, measured: Mapping[str, NDArray[Any]], n: int) -> NDArray[np.float32]:
        """Mean of the tails."""
        return _mean(values for _, values in self.laid(measured, n))

    def _unaligned(self, measured: Mapping[str, NDArray[np.float64]], size: int) -> NDArray[np.float32]:
        keys = {name: f"{name}_{size}" if name in SHARED else name for name in measured}
        return _mean(tail(values, self.tails[keys[name]]) for name, values in measured.items())

    def to_arrays(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        arrays: dict[str, NDArray[Any]] = {f"tail_{name}": value for name, value in self.tails.items()}
        arrays |= {f"align_{name}": value for name, value in self.aligned.items()}
        arrays |= {f"reference_{size}": value for size, value in self.references.items()}
        return arrays, {"names": self.names, "sizes": list(self.references)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], meta: Mapping[str, Any]) -> Scales:
        try:
            names, sizes = (
                decode(list[str], meta.get("names"), "names"),
                decode(list[Count], meta.get("sizes"), "sizes"),
            )
        except ValueError as error:
            raise InputError(f"the stored parts are missing or of another version ({error}). Fit again.") from error
        if 0 not in sizes or any(0 < size < LEAST for size in sizes):
            raise InputError("the stored sizes of neighbourhoods are of another version. Fit again.")
        self = cls(names)
        sized = [f"{name}_{size}" for name in self.shared for size in sizes if size]
        self.tails = take(arrays, "tail_", dict.fromkeys([*self.own, *sized], Stored("f8", (TAIL_SIZE,))))
        self.aligned = take(arrays, "align_", dict.fromkeys(sized, Stored("f8", (len(ALIGN),))))
        found = take(arrays, "reference_", {str(size): Stored("f4", (f"cells of {size}",)) for size in sizes})
        self.references = {int(size): value for size, value in found.items()}
        if not self.own or any(v.size == 0 or (np.diff(v) < 0).any() for v in self.references.values()):
            raise InputError("the stored reference scores are not sorted. Fit again.")
        return self


def _mean(parts: Iterator[NDArray[np.float64]]) -> NDArray[np.float32]:
    """Of arrays that come one by one, as a large query has many cells."""
    total, number = next(parts).copy(), 1
    for part in parts:
        total += part
        number += 1
    total /= number
    return total.astype(np.float32)


def joined(parts: Sequence[Mapping[str, NDArray[np.float64]]]) -> Measures:
    """Blocks of measures one after another."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def ranks_among(reference: NDArray[np.float32], scores: NDArray[np.float32]) -> NDArray[np.float64]:
    """Share of the ascending `reference` scores that are as high, the score itself counted: never 0."""
    return (1 + reference.size - np.searchsorted(reference, scores, side="left")) / (reference.size + 1)


def threshold_among(reference: NDArray[np.float32], false_positive_rate: float) -> float:
    """The score above which :func:`ranks_among` is below a rate; infinite where there are too few for that."""
    allowed = int(np.ceil(false_positive_rate * (reference.size + 1) - 1e-9)) - 2
    return float(reference[reference.size - 1 - allowed]) if allowed >= 0 else float("inf")
