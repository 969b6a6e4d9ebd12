"""What the same perturbation did in another screen, carried over and rescaled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sc_annotate._core.arguments import need_positive
from sc_annotate.errors import MethodError
from sc_annotate.predictors._base import Predictor
from sc_annotate.predictors._leave_one_out import need_two
from sc_annotate.predictors._screen import Screen, as_targets, name_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray


class _Line(NamedTuple):
    """Changes here are ``offset + scale * changes there``, gene by gene."""

    offset: NDArray[np.float64]
    scale: NDArray[np.float64]


class _Sums:
    """Sums over the conditions measured in both screens, from which a line follows."""

    def __init__(self, there: NDArray[np.float64], here: NDArray[np.float64]) -> None:
        self.n = len(there)
        self.x, self.y = there.sum(axis=0), here.sum(axis=0)
        self.xx, self.xy = np.einsum("ij,ij->j", there, there), np.einsum("ij,ij->j", there, here)

    def without(self, there: NDArray[np.float64], here: NDArray[np.float64]) -> _Sums:
        """Less one condition."""
        less = object.__new__(_Sums)
        less.n = self.n - 1
        less.x, less.y = self.x - there, self.y - here
        less.xx, less.xy = self.xx - there**2, self.xy - there * here
        return less

    def line(self, penalty: float, per_gene: bool) -> _Line:
        """The line, shrunk as if `penalty` conditions more had a scale of 1 and changes around 0."""
        p = len(self.x)
        if self.n == 0:
            return _Line(np.zeros(p), np.ones(p))
        a, b = self.x / (self.n + penalty), self.y / (self.n + penalty)
        xx = np.maximum(self.xx - 2 * a * self.x + self.n * a * a, 0)
        xy = self.xy - a * self.y - b * self.x + self.n * a * b
        prior = penalty * float(xx.sum()) / self.n
        if not prior > 0:
            return _Line(b - a, np.ones(p))
        shared = (float(xy.sum()) + prior) / (float(xx.sum()) + prior)
        scale = (xy + prior / p * shared) / (xx + prior / p) if per_gene else np.full(p, shared)
        return _Line(b - scale * a, scale)


@dataclass
class Transfer(Predictor):
    """What a perturbation did in another cell line, donor or modality is what it is expected to do here.

    Changes are carried over by a line, ``offset + scale * change``, that is learnt on the conditions measured in both
    screens. Where the other screen is not related to this one, the scale falls towards 0 and the mean change here is
    left.

    Parameters
    ----------
    source
        The other screen. Genes are matched by name; those it lacks get the offset alone. Needed.
    penalty
        As many further conditions are imagined at a scale of 1 and an offset of 0: with few conditions in both
        screens the changes are carried over nearly as they are.
    per_gene
        Whether each gene has a scale of its own, shrunk towards the shared one by the same penalty.

    Attributes
    ----------
    scale_, offset_
        float64, shape (p,).
    n_shared_
        Conditions measured in both.

    References
    ----------
    Ahlmann-Eltze, Huber & Anders 2025, `doi:10.1038/s41592-025-02772-6 <https://doi.org/10.1038/s41592-025-02772-6>`_
    tried ridge regression between cell lines; this is the simplest form of it.

    Examples
    --------
    >>> from sc_annotate.predictors import Screen
    >>> from sc_annotate.predictors.transfer import Transfer
    >>> other = Screen(["g"], [0.0], [[1.0], [2.0], [3.0]], [("A",), ("B",), ("C",)])
    >>> screen = Screen(["g"], [5.0], [[5.5], [6.0]], [("A",), ("B",)])
    >>> Transfer(other, penalty=1e-6).fit(screen).predict([("C",)]).round(3).tolist()
    [[6.5]]
    """

    source: Screen | None = None
    penalty: float = 1.0
    per_gene: bool = False

    def learn(self, screen: Screen, rng: int) -> None:
        """Scale what was measured there to what the shared conditions did here."""
        there, where = self._of(screen)
        self._there, self._where = there, where
        rows = np.array([where.get(t, -1) for t in screen.targets], dtype=np.intp)
        shared = rows >= 0
        self.n_shared_ = int(shared.sum())
        line = _Sums(there[rows[shared]], screen.delta[shared]).line(float(self.penalty), self.per_gene)
        self.offset_, self.scale_ = line.offset, line.scale
        self.notes_.append(
            f"{self.n_shared_} conditions measured in both screens gave a scale of {float(np.median(line.scale)):.3g}."
            if self.n_shared_
            else "no condition was measured in both screens: changes are carried over as they are."
        )
        if self._n_lacking:
            self.notes_.append(
                f"{self._n_lacking} of {len(screen.genes)} genes are not in the other screen and are predicted by the "
                "offset."
            )

    def _of(self, screen: Screen) -> tuple[NDArray[np.float64], dict[tuple[str, ...], int]]:
        """Changes of the other screen over the genes of this one, and the row of each condition."""
        if not isinstance(self.source, Screen):
            raise MethodError(
                "Transfer: source must be the Screen of the other covariate, with the same genes; in "
                "sca.tl.predict_perturbation, its profiles: method_kwargs={'source': profiles}."
            )
        need_positive(self, "penalty")
        column = {name: i for i, name in enumerate(self.source.genes.tolist())}
        where = np.array([column.get(name, -1) for name in screen.genes.tolist()], dtype=np.intp)
        self._n_lacking = int((where < 0).sum())
        if self._n_lacking == len(where):
            raise MethodError("Transfer: source has no gene in common with this screen. Name genes alike in both.")
        changes = np.where(where < 0, 0.0, self.source.delta[:, where])
        return changes, {t: i for i, t in enumerate(self.source.targets)}

    def reason(self, targets: tuple[str, ...]) -> str:
        """Which condition was not measured there."""
        return "" if targets in self._where else f"{name_of(targets)} was not measured in the other screen"

    def predict_profiles(self, targets: list[tuple[str, ...]]) -> NDArray[np.float64]:
        """The control plus the scaled change of the other screen."""
        there = self._there[[self._where[t] for t in targets]]
        out: NDArray[np.float64] = self.control_ + (self.offset_ + self.scale_ * there)
        return out

    def leave_one_out(
        self, screen: Screen, targets: Sequence[tuple[str, ...]] = (), *, rng: int = 0
    ) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """From sums less one condition; see :func:`sc_annotate.predictors.leave_one_out`."""
        need_two(screen)
        there, where = self._of(screen)
        return self._folds(screen, as_targets(targets), there, where)

    def _folds(
        self,
        screen: Screen,
        new: list[tuple[str, ...]],
        there: NDArray[np.float64],
        where: dict[tuple[str, ...], int],
    ) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
        rows = [where.get(t, -1) for t in screen.targets]
        shared, delta = np.array(rows) >= 0, screen.delta
        sums = _Sums(there[np.array(rows)[shared]], delta[shared])
        can = np.array([t in where for t in new], dtype=np.bool_)
        wanted = there[[where[t] for t in new if t in where]]
        for row, change in zip(rows, delta, strict=True):
            less = sums.without(there[row], change) if row >= 0 else sums
            line = less.line(float(self.penalty), self.per_gene)
            own, others = np.full(len(change), np.nan), np.full((len(new), len(change)), np.nan)
            if row >= 0:
                own = screen.control + (line.offset + line.scale * there[row])
            others[can] = screen.control + (line.offset + line.scale * wanted)
            yield own, others
