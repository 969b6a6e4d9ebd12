"""What a user should know of predictions, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sc_annotate._vocabulary.conditions import SEPARATOR

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

    from sc_annotate.predictors import Screen


def told(
    screen: Screen,
    asked: Sequence[tuple[str, ...]],
    reason: NDArray[np.str_],
    upper: NDArray[np.float64],
    kinds: Collection[str],
    method: str,
    *,
    evaluate: bool,
) -> list[str]:
    """Notes on conditions without a prediction, without an interval and without a score.

    `kinds` are those of which held-out conditions were scored.
    """
    notes = []
    lost = np.flatnonzero(reason != "")
    if lost.size:
        first = int(lost[0])
        notes.append(
            f"{lost.size} of {len(asked)} conditions cannot be predicted; {SEPARATOR.join(asked[first])}: {reason[first]}"
        )
        single = {each[0] for each in screen.targets if len(each) == 1}
        sums = [i for i in lost.tolist() if len(asked[i]) > 1 and set(asked[i]) <= single]
        if sums and method != "additive":
            notes.append(
                f"{len(sums)} of them are combinations of measured single perturbations: method='additive' predicts those"
            )
    known = {target for each in screen.targets for target in each}
    strange = sorted(
        {t for i, each in enumerate(asked) if not reason[i] for t in each if t not in known and t not in screen.genes}
    )
    if strange:
        notes.append(
            f"{', '.join(map(repr, strange[:5]))} {'is' if len(strange) == 1 else 'are'} neither measured targets nor genes of "
            f"the screen: {method} says of them what it says of everything"
        )
    if not evaluate:
        return notes
    open_ended = np.isinf(upper).any(axis=1)
    if open_ended.any():
        notes.append(
            f"{int(open_ended.sum())} of {len(asked)} predictions have no interval (their ends are infinite): too few conditions "
            "of their kind could be held out"
        )
    for name, several, words in (("single", False, "single perturbations"), ("double", True, "combinations")):
        if name not in kinds and any((len(each) > 1) == several for each in asked):
            notes.append(f"too few {words} could be held out to score predictions of them")
    return notes
