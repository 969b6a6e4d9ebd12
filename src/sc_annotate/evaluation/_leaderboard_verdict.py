"""Words that follow from the intervals, and from nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from sc_annotate.evaluation._leaderboard_tables import Difference
from sc_annotate.evaluation._leaderboard_task import chance

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from sc_annotate.evaluation._leaderboard_tables import Scores, Summary

MIN_CONDITIONS = 6
"""With five conditions even five differences of one sign happen by chance more often than 5 % (2 / 2**5)."""

CONSTANT = 0.05
"""A prediction that varies by less than this share of the truth is the same for every perturbation."""

SPECIFIC = ("discrimination", "direction")
AGREEING = ("pearson_perturbed", *SPECIFIC)

SAME = "the same for every perturbation"


@dataclass
class Findings:
    """What follows from the scores of all methods; `n_competing` conditions compete in the ranks."""

    scores: Scores
    summary: Summary
    spread: NDArray[np.float64]
    n_competing: int
    decisions: list[str] = field(init=False)
    differences: dict[str, Difference] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.decisions = [self._decision(i) for i in range(len(self.scores.methods))]

    def compare_with(self, baselines: Iterable[str]) -> None:
        """Hold all methods against each baseline that is predicted for some scored condition."""
        methods, scores = self.scores.methods, self.scores
        for name in dict.fromkeys(baselines):
            if name in methods and (scores.predicted[methods.index(name)] & scores.scored).any():
                b = methods.index(name)
                found = Difference.of(scores, b)
                better = np.array([self._better(i, b, found) for i in range(len(methods))])
                self.differences[name] = replace(found, better=better)

    def sentences(self) -> list[str]:
        """One sentence a method, with its figures."""
        return [self._sentence(i) for i in range(len(self.scores.methods))]

    def verdict(self) -> str:
        """One or two sentences on all methods."""
        methods, scored = self.scores.methods, self.scores.scored
        n_scored, n_conditions = int(scored.sum()), len(scored)
        which = {kind: [i for i, each in enumerate(self.decisions) if each == kind] for kind in set(self.decisions)}
        standings: dict[str, list[str]] = {}
        for i in which.get("informative", []):
            standings.setdefault(self._standing(i), []).append(methods[i])
        shown = f"{n_scored}{f' of {n_conditions}' * (n_scored < n_conditions)} condition{'s' * (n_conditions != 1)}"
        parts = [f"{listed(names)} {'is' if len(names) == 1 else 'are'} {words}" for words, names in standings.items()]
        if parts:
            sentences = [f"On {shown}, {'; '.join(parts)}."]
        elif n_scored < MIN_CONDITIONS:
            sentences = [f"Only {shown} could be scored, too few to compare methods on ({MIN_CONDITIONS} are needed)."]
        else:
            sentences = [f"On {shown}, no method distinguishes perturbations better than chance."]
        groups: dict[str, list[int]] = {}
        for i in which.get("uninformative", []):
            groups.setdefault(self._why(i, ""), []).append(i)
        parts = []
        for rows in groups.values():
            one = len(rows) == 1
            names, why = listed([methods[i] for i in rows]), self._why(rows[0], "s" if one else "")
            words = f"{names} {'is' if one else 'are'} uninformative: {why}"
            topping = [methods[i] for i in rows if self._topped(i)]
            if topping:
                words += f", although {topping[0]} tops pearson_delta"
            parts.append(words)
        if parts:
            sentences.append("; ".join(parts) + ".")
        return " ".join(sentences) + self._left_out()

    def _left_out(self) -> str:
        """A sentence on who keeps how many conditions from being scored; "" where none does."""
        pairs = zip(self.scores.methods, self.scores.predicted, strict=True)
        short = {name: int((~row).sum()) for name, row in pairs if name != "additive"}
        short = {name: n for name, n in short.items() if 0 < n < self.scores.predicted.shape[1]}
        if not short:
            return ""
        return f" Conditions without a prediction, which are scored for no method: {', '.join(f'{k} {n}' for k, n in short.items())}."

    def _column(self, metric: str) -> int:
        return self.scores.metrics.index(metric)

    def _decision(self, i: int) -> str:
        """Whether method `i` distinguishes perturbations."""
        n = int(self.summary.n_scored[i, self._column("l2")])
        if n == 0:
            return "missing"
        if self.spread[i] < CONSTANT:
            return "uninformative"
        if n < MIN_CONDITIONS:
            return "too few conditions"
        return "informative" if any(self._above_chance(i, m) for m in SPECIFIC) else "uninformative"

    def _above_chance(self, i: int, metric: str) -> bool:
        """Whether an interval lies above chance, by more than rounding."""
        return bool(self.summary.low[i, self._column(metric)] > chance(metric, self.n_competing) + 1e-9)

    def _better(self, i: int, b: int, found: Difference) -> bool:
        """Whether method `i` is better than baseline `b`: in L2, and in one metric that a constant cannot win."""
        l2 = self._column("l2")
        if i == b or self.decisions[i] != "informative" or found.n_scored[i, l2] < MIN_CONDITIONS:
            return False
        if not found.high[i, l2] < 0:
            return False
        if self.decisions[b] == "uninformative":
            # What such a baseline scores here is chance; its own draws would only add noise.
            return any(self._above_chance(i, m) for m in AGREEING)
        return any(found.low[i, self._column(m)] > 0 for m in AGREEING)

    def _sentence(self, i: int) -> str:
        name, l2 = self.scores.methods[i], self._column("l2")
        if self.decisions[i] == "missing":
            return f"{name} predicts none of the scored conditions."
        if self.decisions[i] == "too few conditions":
            return f"{name} has too few scored conditions for a comparison ({MIN_CONDITIONS} are needed)."
        figures = ", ".join(_figure(m, self.summary, i, self._column(m)) for m in SPECIFIC)
        if self.decisions[i] == "uninformative":
            figures = f"its spread is {self.spread[i]:.2f} of the observed, {figures}"
            return f"{name} is uninformative: {self._why(i, 's')} ({figures}){self._topped(i)}."
        against = [
            f"L2 minus that of {b} {_figure('', found, i, l2)}"
            for b, found in self.differences.items()
            if b != name and found.n_scored[i, l2] > 0
        ]
        return f"{name} is {self._standing(i)} ({'; '.join([figures, *against])})."

    def _standing(self, i: int) -> str:
        """Better than what, worse than what, and what is left open."""
        name, l2 = self.scores.methods[i], self._column("l2")
        groups: dict[str, list[str]] = {"better than": [], "worse than": [], "not shown to be better than": []}
        for b, found in self.differences.items():
            if b == name or found.n_scored[i, l2] == 0:
                continue
            won, lost = bool(found.better[i]), bool(found.low[i, l2] > 0)
            lost &= bool(found.n_scored[i, l2] >= MIN_CONDITIONS)
            groups["better than" if won else "worse than" if lost else "not shown to be better than"].append(b)
        parts = [f"{words} {listed(names)}" for words, names in groups.items() if names]
        return ", ".join(parts) if parts else "informative"

    def _why(self, i: int, s: str) -> str:
        they = "it" if s else "they"
        if self.spread[i] < CONSTANT:
            return f"{they} predict{s} {SAME}"
        return f"{they} distinguish{'es' if s else ''} perturbations no better than chance"

    def _topped(self, i: int) -> str:
        """That this method has the highest Pearson delta, which a shift common to all perturbations gives away."""
        means = self.summary.mean[:, self._column("pearson_delta")]
        return ", although it tops pearson_delta" if np.isfinite(means[i]) and means[i] >= np.nanmax(means) else ""


def _figure(metric: str, found: Summary | Difference, i: int, j: int) -> str:
    mean, low, high = found.mean[i, j], found.low[i, j], found.high[i, j]
    return f"{metric} undefined" if np.isnan(mean) else f"{metric} {mean:.2f} [{low:.2f}, {high:.2f}]".strip()


def listed(names: Sequence[str]) -> str:
    """As in a sentence."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
