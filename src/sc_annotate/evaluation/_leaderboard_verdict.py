"""Words that follow from the intervals, and from nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate.evaluation._leaderboard_scores import chance

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

MIN_CONDITIONS = 6
"""With five conditions even five differences of one sign happen by chance more often than 5 % (2 / 2**5)."""

CONSTANT = 0.05
"""A prediction that varies by less than this share of the truth says the same of every perturbation."""

SPECIFIC = ("discrimination", "direction")
AGREEING = ("pearson_perturbed", *SPECIFIC)

SAME = "the same of every perturbation"


def call(
    i: int, metrics: Sequence[str], spread: NDArray[np.float64], summary: dict[str, NDArray[Any]], n_conditions: int
) -> str:
    """Whether method `i` tells perturbations apart; `n_conditions` compete in the ranks."""
    n = int(summary["n_scored"][i, metrics.index("l2")])
    if n == 0:
        return "missing"
    if spread[i] < CONSTANT:
        return "uninformative"
    if n < MIN_CONDITIONS:
        return "too few conditions"
    above = [_above(m, summary["low"][i, metrics.index(m)], n_conditions) for m in SPECIFIC]
    return "informative" if any(above) else "uninformative"


def _above(metric: str, low: float, n: int) -> bool:
    """Whether an interval lies above chance, by more than rounding."""
    return bool(low > chance(metric, n) + 1e-9)


def left_out(methods: Sequence[str], predicted: NDArray[np.bool_]) -> str:
    """A sentence on who keeps how many conditions from being scored; "" where nobody does."""
    short = {name: int((~row).sum()) for name, row in zip(methods, predicted, strict=True) if name != "additive"}
    short = {name: n for name, n in short.items() if 0 < n < predicted.shape[1]}
    if not short:
        return ""
    return f" Conditions without a prediction, which are scored for nobody: {', '.join(f'{k} {n}' for k, n in short.items())}."


def better(
    i: int,
    b: int,
    metrics: Sequence[str],
    calls: Sequence[str],
    summary: dict[str, NDArray[Any]],
    difference: dict[str, NDArray[Any]],
    n_conditions: int,
) -> bool:
    """Whether method `i` is better than baseline `b`: in L2, and in one metric that a constant cannot win."""
    l2 = metrics.index("l2")
    if i == b or calls[i] != "informative" or difference["n_scored"][i, l2] < MIN_CONDITIONS:
        return False
    if not difference["high"][i, l2] < 0:
        return False
    if calls[b] == "uninformative":
        # What such a baseline scores here is chance; its own draws would only add noise.
        return any(_above(m, summary["low"][i, metrics.index(m)], n_conditions) for m in AGREEING)
    return any(difference["low"][i, metrics.index(m)] > 0 for m in AGREEING)


def judge(
    i: int,
    methods: Sequence[str],
    metrics: Sequence[str],
    calls: Sequence[str],
    spread: NDArray[np.float64],
    summary: dict[str, NDArray[Any]],
    differences: dict[str, dict[str, NDArray[Any]]],
) -> str:
    """One sentence on method `i`, with figures."""
    name = methods[i]
    if calls[i] == "missing":
        return f"{name} predicts none of the scored conditions."
    if calls[i] == "too few conditions":
        return f"{name} has too few scored conditions for a comparison ({MIN_CONDITIONS} are needed)."
    told = ", ".join(_figure(m, i, metrics.index(m), summary) for m in SPECIFIC)
    if calls[i] == "uninformative":
        told = f"its spread is {spread[i]:.2f} of the observed, {told}"
        topped = _topped(i, metrics, summary)
        return f"{name} is uninformative: {_why(i, spread, 's')} ({told}){topped}."
    against = [
        f"L2 minus that of {b} {_figure('', i, metrics.index('l2'), found)}"
        for b, found in differences.items()
        if b != name and found["n_scored"][i, metrics.index("l2")] > 0
    ]
    return f"{name} is {standing(i, name, metrics, differences)} ({'; '.join([told, *against])})."


def standing(i: int, name: str, metrics: Sequence[str], differences: dict[str, dict[str, NDArray[Any]]]) -> str:
    """Better than what, worse than what, and what is left open."""
    l2 = metrics.index("l2")
    groups: dict[str, list[str]] = {"better than": [], "worse than": [], "not shown to be better than": []}
    for b, found in differences.items():
        if b == name or found["n_scored"][i, l2] == 0:
            continue
        won, lost = bool(found["better"][i]), bool(found["low"][i, l2] > 0)
        lost &= bool(found["n_scored"][i, l2] >= MIN_CONDITIONS)
        groups["better than" if won else "worse than" if lost else "not shown to be better than"].append(b)
    parts = [f"{words} {listed(names)}" for words, names in groups.items() if names]
    return ", ".join(parts) if parts else "informative"


def verdict(
    methods: Sequence[str],
    metrics: Sequence[str],
    calls: Sequence[str],
    spread: NDArray[np.float64],
    summary: dict[str, NDArray[Any]],
    differences: dict[str, dict[str, NDArray[Any]]],
    n_scored: int,
    n_conditions: int,
) -> str:
    """One or two sentences on all methods."""
    which = {kind: [i for i, c in enumerate(calls) if c == kind] for kind in set(calls)}
    standings: dict[str, list[str]] = {}
    for i in which.get("informative", []):
        standings.setdefault(standing(i, methods[i], metrics, differences), []).append(methods[i])
    shown = f"{n_scored}{f' of {n_conditions}' * (n_scored < n_conditions)} condition{'s' * (n_conditions != 1)}"
    said = [f"{listed(names)} {'is' if len(names) == 1 else 'are'} {words}" for words, names in standings.items()]
    if said:
        sentences = [f"On {shown}, {'; '.join(said)}."]
    elif n_scored < MIN_CONDITIONS:
        sentences = [f"Only {shown} could be scored, too few to compare methods on ({MIN_CONDITIONS} are needed)."]
    else:
        sentences = [f"On {shown}, no method tells perturbations apart better than chance."]
    groups: dict[str, list[int]] = {}
    for i in which.get("uninformative", []):
        groups.setdefault(_why(i, spread, ""), []).append(i)
    said = []
    for rows in groups.values():
        one = len(rows) == 1
        words = f"{listed([methods[i] for i in rows])} {'is' if one else 'are'} uninformative: {_why(rows[0], spread, 's' if one else '')}"
        topping = [methods[i] for i in rows if _topped(i, metrics, summary)]
        if topping:
            words += f", although {topping[0]} tops pearson_delta"
        said.append(words)
    if said:
        sentences.append("; ".join(said) + ".")
    return " ".join(sentences)


def _why(i: int, spread: NDArray[np.float64], s: str) -> str:
    they = "it" if s else "they"
    if spread[i] < CONSTANT:
        return f"{they} say{s} {SAME}"
    return f"{they} tell{s} perturbations apart no better than chance"


def _topped(i: int, metrics: Sequence[str], summary: dict[str, NDArray[Any]]) -> str:
    """That this method has the highest Pearson delta, which a shift common to all perturbations gives away."""
    means = summary["mean"][:, metrics.index("pearson_delta")]
    return ", although it tops pearson_delta" if np.isfinite(means[i]) and means[i] >= np.nanmax(means) else ""


def _figure(metric: str, i: int, j: int, found: dict[str, NDArray[Any]]) -> str:
    mean, low, high = (found[part][i, j] for part in ("mean", "low", "high"))
    return f"{metric} undefined" if np.isnan(mean) else f"{metric} {mean:.2f} [{low:.2f}, {high:.2f}]".strip()


def listed(names: Sequence[str]) -> str:
    """As in a sentence."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
