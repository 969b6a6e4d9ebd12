"""What a leaderboard holds, and how it is stored and shown."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate.errors import InputError
from sc_annotate.evaluation._leaderboard_tables import Difference, Summary
from sc_annotate.evaluation.compare import Interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from sc_annotate.evaluation._leaderboard_verdict import Findings

SCHEMA = 1
_LISTS = ("methods", "metrics", "baselines", "conditions", "dropped", "genes", "decisions", "sentences", "notes")
_ARRAYS = ("predicted", "scored", "sd_ratios", "spread")
_SUMMARY = tuple(each.name for each in fields(Summary))
_DIFFERENCE = tuple(each.name for each in fields(Difference))


@dataclass(frozen=True, eq=False, repr=False)
class Leaderboard:
    """Predictions of perturbed profiles, scored beside the baselines they must beat.

    Attributes
    ----------
    methods, metrics, conditions, genes
        Names, in the order of the arrays; ``genes`` are those of ``sd_ratios``.
    baselines
        The methods that every method is held against.
    values
        For each metric but ``sd_ratio``, (methods, conditions): NaN where it is undefined or nothing was predicted.
    predicted
        bool, (methods, conditions): whether there is a prediction.
    scored
        bool, (conditions,): whether all methods predict it, so that it counts in ``summary`` and ``differences``.
        ``additive`` does not count here: it predicts no single perturbation.
    dropped
        Why a condition does not count; "" where it does.
    sd_ratios
        (methods, genes): SD between predicted conditions over SD between true ones.
    spread
        (methods,): the same over all genes together.
    summary
        Arrays (methods, metrics) of the scored conditions: ``mean`` (of ``sd_ratio`` the median over genes), ``low``,
        ``high`` (95 % bootstrap interval over conditions), ``n_scored``, ``n_undefined``, ``n_missing``, and ``status``:
        ``"scored"``, ``"partly undefined"``, ``"undefined"``, ``"partly missing"`` or ``"missing"``.
    differences
        For each baseline arrays (methods, metrics) of the paired difference method minus baseline, over the scored
        conditions where both are defined: ``mean``, ``low``, ``high``, ``n_scored``, ``n_dropped``, ``reason`` (why some
        were dropped), and ``better``, (methods,): whether the method is better by the rule of :func:`leaderboard`.
    ceiling
        For each metric, how well half of the cells predicts the other half; empty where no halves were given.
    decisions
        For each method ``"informative"``, ``"uninformative"``, ``"too few conditions"`` or ``"missing"``.
    sentences
        One for each method, with its figures.
    verdict
        What follows for all of them.
    notes
        What was assumed or left out.

    Examples
    --------
    >>> import numpy as np
    >>> from sc_annotate.evaluation import leaderboard
    >>> truth = np.random.default_rng(0).random((12, 30))
    >>> names = [(f"G{i}",) for i in range(12)]
    >>> genes = np.array([f"G{i}" for i in range(30)])
    >>> board = leaderboard(truth, {}, control=truth[0], perturbed_mean=truth.mean(axis=0), targets=names, genes=genes)
    >>> board.methods, board.decisions
    (['no_change', 'mean'], ['uninformative', 'uninformative'])
    """

    methods: list[str]
    metrics: list[str]
    baselines: list[str]
    conditions: list[str]
    genes: list[str]
    values: dict[str, NDArray[np.float64]]
    predicted: NDArray[np.bool_]
    scored: NDArray[np.bool_]
    dropped: list[str]
    sd_ratios: NDArray[np.float64]
    spread: NDArray[np.float64]
    summary: Summary
    differences: dict[str, Difference]
    ceiling: dict[str, float]
    decisions: list[str]
    sentences: list[str]
    verdict: str
    notes: list[str] = field(default_factory=list)

    @classmethod
    def of(
        cls,
        findings: Findings,
        *,
        conditions: list[str],
        genes: list[str],
        dropped: list[str],
        sd_ratios: NDArray[np.float64],
        ceiling: dict[str, float],
    ) -> Leaderboard:
        """From scores and what follows from them."""
        scores = findings.scores
        return cls(
            methods=scores.methods,
            metrics=scores.metrics,
            baselines=list(findings.differences),
            conditions=conditions,
            genes=genes,
            values=scores.values,
            predicted=scores.predicted,
            scored=scores.scored,
            dropped=dropped,
            sd_ratios=sd_ratios,
            spread=findings.spread,
            summary=findings.summary,
            differences=findings.differences,
            ceiling=ceiling,
            decisions=findings.decisions,
            sentences=findings.sentences(),
            verdict=findings.verdict(),
        )

    @property
    def n_scored(self) -> int:
        """Conditions that count."""
        return int(self.scored.sum())

    @property
    def n_dropped(self) -> int:
        """Conditions that do not count, for the reasons in ``dropped``."""
        return int((~self.scored).sum())

    def interval(self, method: str, metric: str) -> Interval:
        """Mean score of a method with its interval."""
        at = _index(self.methods, method, "method"), _index(self.metrics, metric, "metric")
        return Interval(*(float(getattr(self.summary, part)[at]) for part in ("mean", "low", "high")))

    def difference(self, method: str, baseline: str, metric: str = "l2") -> Interval:
        """Mean paired difference of a method to a baseline, with its interval."""
        at = _index(self.methods, method, "method"), _index(self.metrics, metric, "metric")
        found = self.differences[self.baselines[_index(self.baselines, baseline, "baseline")]]
        return Interval(*(float(getattr(found, part)[at]) for part in ("mean", "low", "high")))

    def table(self) -> pd.DataFrame:
        """The summary, one row for each method and metric; with the ceiling, and the difference to each baseline."""
        import pandas as pd

        k = len(self.metrics)
        columns: dict[str, Any] = {"method": np.repeat(self.methods, k), "metric": self.metrics * len(self.methods)}
        columns |= {part: getattr(self.summary, part).ravel() for part in _SUMMARY}
        columns["ceiling"] = [self.ceiling.get(m, np.nan) for m in self.metrics] * len(self.methods)
        for name, found in self.differences.items():
            for part in ("mean", "low", "high"):
                columns[f"minus {name}" + ("" if part == "mean" else f", {part}")] = getattr(found, part).ravel()
        return pd.DataFrame(columns)

    def to_dict(self) -> dict[str, Any]:
        """As arrays and strings that h5ad and zarr hold; names of methods are values, never keys."""
        out: dict[str, Any] = {"schema": SCHEMA, "verdict": self.verdict}
        # An array of no strings has no kind that a file remembers, so lists are joined by their length.
        out |= {name: np.array(getattr(self, name), dtype=object) for name in _LISTS if getattr(self, name)}
        out |= {name: getattr(self, name).copy() for name in _ARRAYS}
        out["values"] = {name: array.copy() for name, array in self.values.items()}
        out["summary"] = {part: _plain(getattr(self.summary, part)) for part in _SUMMARY}
        out["differences"] = {
            part: _plain(np.stack([getattr(self.differences[name], part) for name in self.baselines]))
            for part in _DIFFERENCE
        }
        out["ceiling"] = np.array([self.ceiling.get(m, np.nan) for m in self.metrics], dtype=np.float64)
        return out

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> Leaderboard:
        """Back from what :meth:`to_dict` gave, also after a file."""
        if not isinstance(stored, dict) or int(stored.get("schema", 0)) != SCHEMA:
            raise InputError(f"this is no stored leaderboard of schema {SCHEMA}. Evaluate again.")
        lists = {name: [str(v) for v in stored.get(name, [])] for name in _LISTS}
        found = {part: _typed(part, np.asarray(stored["differences"][part])) for part in _DIFFERENCE}
        ceiling = np.asarray(stored["ceiling"], dtype=np.float64)
        return cls(
            **lists,
            values={m: np.asarray(stored["values"][m], np.float64) for m in lists["metrics"] if m in stored["values"]},
            predicted=np.asarray(stored["predicted"], dtype=bool),
            scored=np.asarray(stored["scored"], dtype=bool),
            sd_ratios=np.asarray(stored["sd_ratios"], dtype=np.float64),
            spread=np.asarray(stored["spread"], dtype=np.float64),
            summary=Summary(**{part: _typed(part, np.asarray(stored["summary"][part])) for part in _SUMMARY}),
            differences={
                name: Difference(**{part: array[i] for part, array in found.items()})
                for i, name in enumerate(lists["baselines"])
            },
            ceiling={m: float(c) for m, c in zip(lists["metrics"], ceiling, strict=True) if np.isfinite(ceiling).any()},
            verdict=str(stored["verdict"]),
        )

    def __repr__(self) -> str:
        rows = [["", *self.metrics]]
        rows += [[name, *(self._cell(i, j) for j in range(len(self.metrics)))] for i, name in enumerate(self.methods)]
        if self.ceiling:
            rows.append(["ceiling", *(f"{self.ceiling[m]:.3g}" for m in self.metrics)])
        # Methods side by side: there are fewer of them than of metrics, and lines stay short.
        widths = [max(len(cell) for cell in row) for row in rows]
        head = f"Leaderboard: {len(self.methods)} methods, {self.n_scored} conditions scored, {self.n_dropped} dropped"
        lines = [head]
        lines += [
            "  ".join(f"{c:<{w}}" for c, w in zip(column, widths, strict=True)) for column in zip(*rows, strict=True)
        ]
        return "\n".join([*lines, self.verdict, *(f"note: {note}" for note in self.notes)])

    def _cell(self, i: int, j: int) -> str:
        mean, low, high, status = (getattr(self.summary, part)[i, j] for part in ("mean", "low", "high", "status"))
        return str(status) if np.isnan(mean) else f"{mean:.3g} [{low:.3g}, {high:.3g}]"


def _index(names: Sequence[str], name: str, what: str) -> int:
    if name not in names:
        raise InputError(f"the leaderboard has no {what} {name!r}; there are: {', '.join(map(repr, names))}.")
    return list(names).index(name)


def _plain(array: NDArray[Any]) -> NDArray[Any]:
    return array.astype(object) if array.dtype.kind == "U" else array.copy()


def _typed(part: str, array: NDArray[Any]) -> NDArray[Any]:
    """An array of `part` as it was before it went through a file."""
    if part in ("status", "reason"):
        # zarr gives strings of variable length, which numpy casts by way of objects only.
        return array.astype(object).astype(np.str_)
    if part == "better":
        return array.astype(np.bool_)
    return array.astype(np.int64 if part.startswith("n_") else np.float64)
