"""Calibration along one axis of what a cell shows: its detected genes, or the share of the model's genes that are there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from scipy.optimize import minimize
from scipy.special import softmax

from sc_annotate._core.stored_arrays import Stored
from sc_annotate.errors import InputError
from sc_annotate.trust._probabilities import check_fit, need_fitted
from sc_annotate.trust._stored import take
from sc_annotate.trust.nonconformity import nonconformity, weighted_quantile

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    from numpy.typing import ArrayLike, NDArray

APART = 0.15
"""Knots are at least so far apart, on the axis of logarithms."""
TOP, LOWEST = 0.1, 0.05
FEW = 0.05
"""Where fewer cells than this share have sets of one type, too little is known of them, and none has."""
_TINY, _ZERO = 1e-30, 1e-7
_LOWEST, _HIGHEST = float(np.log(0.01)), float(np.log(20.0))


@dataclass(frozen=True)
class _Scaled:
    """Vector scaling along the knots: parameters are the logarithms of slopes, then biases, of all knots but the last."""

    values: NDArray[np.float64]
    codes: NDArray[np.intp]
    hats: NDArray[np.float64]
    biased: bool

    def logits(self, v: NDArray[np.float64], rows: NDArray[np.bool_] | slice) -> NDArray[np.float64]:
        """Scaled logarithms of probabilities of some cells."""
        J, k = self.hats.shape[1] - 1, self.values.shape[1]
        hats = self.hats[rows]
        z = self.values[rows] * (hats[:, :J] @ np.exp(v[:J]) + hats[:, J])[:, None]
        return z + hats[:, :J] @ v[J:].reshape(J, k) if self.biased else z

    def solve(self, weight: NDArray[np.float64], start: NDArray[np.float64]) -> NDArray[np.float64]:
        """The parameters with the lowest log loss and a normal prior that weighs as much as one cell."""
        J, n = self.hats.shape[1] - 1, int((weight > 0).sum())
        w, each, lower = weight / weight.sum(), np.arange(self.codes.size), self.hats[:, :J]

        def loss(v: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
            z = self.logits(v, slice(None))
            z -= z.max(axis=1, keepdims=True)
            own = z[each, self.codes]
            grad = np.exp(z, out=z)
            total = grad.sum(axis=1)
            value = float(-(w @ (own - np.log(total)))) + float(v @ v) / (2 * n)
            grad *= (w / total)[:, None]
            grad[each, self.codes] -= w
            parts = [(lower.T @ np.einsum("ij,ij->i", grad, self.values)) * np.exp(v[:J])]
            if self.biased:
                parts.append((lower.T @ grad).ravel())
            return value, np.concatenate(parts) + v / n

        bounds = [(_LOWEST, _HIGHEST)] * J + [(-20.0, 20.0)] * (start.size - J)
        found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 80, "ftol": 1e-7})
        return np.asarray(found.x, dtype=np.float64)


@dataclass(eq=False)
class Ladder:
    """Probabilities and set thresholds of cells that show less than those the calibrator was fitted on.

    Held-out cells are looked at again and again, each time with less of them (steps). At each step the logarithms of the
    probabilities are multiplied by a number and, with `biased`, one number a class is added, so that the log loss of the
    step is lowest (vector scaling, Guo et al. 2017); between steps both are interpolated. Where a cell shows as much as all
    but the last tenth of the reference's own, nothing is changed. The thresholds of the sets are those that cover the cells
    of a step, and at least those with which labels alone in their set are right as often as requested in every unit.

    Attributes
    ----------
    knots_ : NDArray
        Where the steps lie on the axis, ascending; the last is the whole reference.
    slopes_, biases_ : NDArray
        Of each knot; 1 and 0 for the last.
    least_ : float
        Below, the calibration is not known.
    """

    score: Literal["lac", "aps", "raps"] = "lac"
    biased: bool = True

    if TYPE_CHECKING:
        knots_: NDArray[np.float64] = field(init=False)
        slopes_: NDArray[np.float64] = field(init=False)
        biases_: NDArray[np.float64] = field(init=False)
        least_: float = field(init=False)
        floor_: float = field(init=False)
        pools_: list[dict[str, NDArray[Any]]] = field(init=False)

    def fit(
        self,
        proba: ArrayLike,
        codes: ArrayLike,
        at: ArrayLike,
        step: ArrayLike,
        *,
        weight: ArrayLike,
        unit: ArrayLike,
    ) -> Self:
        """Learn from calibrated probabilities of held-out cells at several steps.

        `at` is the place of each on the axis, `step` 0 for the whole cells and 1, 2, ... for less and less of them; `weight`
        how much each counts, and `unit` its batch as a number.
        """
        p, c = check_fit(proba, codes)
        x, of = np.asarray(at, dtype=np.float64), np.asarray(step)
        w, u = np.asarray(weight, dtype=np.float64), np.asarray(unit)
        places, used = [float(np.quantile(x[of == 0], TOP))], [0]
        for i in range(1, int(of.max()) + 1):
            place = float(np.median(x[of == i])) if (of == i).any() else np.inf
            if place < places[-1] - APART:
                places.append(place)
                used.append(i)
        self.knots_, used = np.array(places[::-1]), used[::-1]
        lowest = x[of == used[0]]
        self.least_ = float(np.quantile(lowest, LOWEST if used[0] else LOWEST / 5))
        self.floor_ = float(np.clip(p[p > 0].min(), _TINY, _ZERO))
        rows = np.isin(of, used)
        # Each step counts as much as any other.
        even = np.array([w[of == i].sum() for i in range(int(of.max()) + 1)])
        even = w[rows] / even[of[rows]] / len(used)
        self._fit(p[rows], c[rows], x[rows], even)
        after = self.adjust(p, x).astype(np.float64)
        self.pools_ = [self._pool(after[here], c[here], w[here], u[here]) for here in (of == i for i in used)]
        return self

    def _fit(
        self,
        p: NDArray[np.float64],
        c: NDArray[np.intp],
        x: NDArray[np.float64],
        w: NDArray[np.float64],
    ) -> None:
        J, k = self.knots_.size - 1, p.shape[1]
        self.slopes_, self.biases_ = np.ones(J + 1), np.zeros((J + 1, k))
        if not J:
            return
        data = _Scaled(np.log(np.maximum(p, self.floor_)), c, self._hats(x), self.biased)
        found = data.solve(w, np.zeros(J * (1 + k * self.biased)))
        self.slopes_[:J] = np.exp(found[:J])
        if self.biased:
            self.biases_[:J] = found[J:].reshape(J, k)

    def _hats(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """How much each knot counts at each place: linear between the two neighbours."""
        out = np.zeros((x.size, self.knots_.size))
        if self.knots_.size == 1:
            out[:] = 1
            return out
        inside = np.clip(x, self.knots_[0], self.knots_[-1])
        left = np.clip(np.searchsorted(self.knots_, inside, side="right") - 1, 0, self.knots_.size - 2)
        part = (inside - self.knots_[left]) / (self.knots_[left + 1] - self.knots_[left])
        rows = np.arange(x.size)
        out[rows, left], out[rows, left + 1] = 1 - part, part
        return out

    def _pool(
        self, p: NDArray[np.float64], c: NDArray[np.intp], w: NDArray[np.float64], u: NDArray[Any]
    ) -> dict[str, NDArray[Any]]:
        """Scores of the true and of the best other class, whether the label is right, weight and unit of cells of a step."""
        scores, each = nonconformity(p, self.score), np.arange(c.size)
        own, label = scores[each, c], p.argmax(axis=1)
        scores[each, label] = np.inf
        order = np.argsort(own, kind="stable")
        found = {"own": own, "other": scores.min(axis=1), "right": label == c, "weight": w, "unit": u}
        kinds = {"own": "f4", "other": "f4", "right": "u1", "weight": "f8", "unit": "i4"}
        return {name: values[order].astype(kinds[name]) for name, values in found.items()}

    def adjust(self, proba: ArrayLike, at: ArrayLike) -> NDArray[np.float32]:
        """Calibrated probabilities of cells at these places, from those of the calibrator, float32, shape (n, k)."""
        need_fitted(self, "knots_")
        out = np.array(proba, dtype=np.float32)
        x = np.asarray(at, dtype=np.float64)
        less = np.flatnonzero(x < self.knots_[-1])
        if less.size and self.knots_.size > 1:
            hats = self._hats(x[less])
            z = np.log(np.maximum(out[less].astype(np.float64), self.floor_)) * (hats @ self.slopes_)[:, None]
            out[less] = softmax(z + hats @ self.biases_, axis=1)
        return out

    def more(self, at: ArrayLike, coverage: float, threshold: float) -> NDArray[np.float64]:
        """What is added to the threshold of the whole reference for cells at these places; 0 or more, shape (n,)."""
        need_fitted(self, "knots_")
        x = np.asarray(at, dtype=np.float64)
        if self.knots_.size == 1 or not np.isfinite(threshold):
            return np.zeros(x.size)
        found = [max(threshold, _threshold(pool, coverage)) for pool in self.pools_[:-1]]
        return np.interp(x, self.knots_, np.array([*found, threshold])) - threshold

    def known(self, at: ArrayLike) -> NDArray[np.bool_]:
        """Cells whose calibration is known."""
        return np.asarray(np.asarray(at, dtype=np.float64) >= self.least_ - 1e-9)

    def to_arrays(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """What to store: numeric arrays, and a dict that JSON can hold."""
        need_fitted(self, "knots_")
        arrays = {"knots": self.knots_, "slopes": self.slopes_, "biases": self.biases_}
        arrays["limits"] = np.array([self.least_, self.floor_])
        arrays["sizes"] = np.array([pool["own"].size for pool in self.pools_], dtype=np.int64)
        arrays |= {f"pool_{name}": np.concatenate([pool[name] for pool in self.pools_]) for name in self.pools_[0]}
        return arrays, {"score": self.score, "biased": self.biased}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], meta: Mapping[str, Any], n_classes: int) -> Self:
        """Rebuild what :meth:`to_arrays` gave; an InputError where it cannot be."""
        if meta.get("score") not in ("lac", "aps", "raps") or not isinstance(meta.get("biased"), bool):
            raise InputError("the stored calibration along an axis is of another version. Fit again.")
        own, pool = Stored("f8", ("knots",)), ("cells",)
        found = take(
            arrays,
            "",
            {
                **{"knots": own, "slopes": Stored("f8", ("knots",), 0.0, 1e3), "limits": Stored("f8", (2,))},
                "biases": Stored("f8", ("knots", n_classes)),
                "sizes": Stored("i8", ("knots",), 1),
                **{
                    "pool_own": Stored("f4", pool),
                    "pool_other": Stored("f4", pool),
                    "pool_right": Stored("u1", pool, 0, 1),
                },
                **{"pool_weight": Stored("f8", pool, 0.0), "pool_unit": Stored("i4", pool)},
            },
        )
        model = cls(meta["score"], meta["biased"])
        model.knots_, model.slopes_, model.biases_ = found["knots"], found["slopes"], found["biases"]
        model.least_, model.floor_ = map(float, found["limits"])
        ends = np.cumsum(found["sizes"])
        if (
            (np.diff(model.knots_) <= 0).any()
            or ends[-1] != found["pool_own"].size
            or not 0 < model.floor_ <= _ZERO * 1.001
        ):
            raise InputError("the stored calibration along an axis is damaged. Fit again.")
        parts = [slice(a, b) for a, b in zip([0, *ends[:-1]], ends, strict=True)]
        names = ("own", "other", "right", "weight", "unit")
        model.pools_ = [{name: found[f"pool_{name}"][part] for name in names} for part in parts]
        if any((np.diff(each["own"]) < 0).any() or not each["weight"].sum() > 0 for each in model.pools_):
            raise InputError("the stored calibration along an axis is damaged. Fit again.")
        return model


def _threshold(pool: Mapping[str, NDArray[Any]], coverage: float) -> float:
    """That covers the cells of a step, and leaves alone only labels that are right as often as that in every unit."""
    q = weighted_quantile(pool["own"].astype(np.float64), pool["weight"], coverage)
    q = min(q, float(pool["own"][-1]))
    units = [pool["unit"] == u for u in np.unique(pool["unit"])]
    q = max(q, *(_of_single_labels(pool["other"][here], pool["right"][here], coverage, q) for here in units))
    alone = pool["other"] > q
    return q if pool["weight"][alone].sum() >= FEW * pool["weight"].sum() else float(pool["other"].max())


def _of_single_labels(other: NDArray[Any], right: NDArray[Any], coverage: float, least: float) -> float:
    """The lowest threshold from `least` on with which the labels alone in their sets are right as often as requested."""
    order = np.argsort(-other, kind="stable")
    n = int((other > least).sum())
    if not n:
        return least
    enough = np.flatnonzero(np.cumsum(right[order][:n]) >= coverage * np.arange(1, n + 1))
    if enough.size and enough[-1] == n - 1:
        return least
    return float(other[order[enough[-1] + 1]]) if enough.size else float(other.max())
