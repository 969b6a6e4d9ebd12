"""Scores against plain loops."""

from __future__ import annotations

import numpy as np
import pytest

from probabilities import simulate
from sc_annotate.errors import InputError
from sc_annotate.trust import nonconformity


def plain(row: np.ndarray, kind: str, penalty: float, free: int) -> list[float]:
    ranked = sorted(range(len(row)), key=lambda j: (-row[j], j))
    out = [0.0] * len(row)
    for rank, j in enumerate(ranked, start=1):
        before = sum(row[i] for i in ranked[: rank - 1])
        out[j] = {"lac": 1 - row[j], "aps": before, "raps": before + penalty * max(rank - free, 0)}[kind]
    return out


@pytest.mark.parametrize("kind", ["lac", "aps", "raps"])
@pytest.mark.parametrize("decimals", [1, None])
def test_equals_a_plain_loop(kind: str, decimals: int | None) -> None:
    proba, _ = simulate(50, 5, decimals=decimals)
    for penalty, free in ((0.1, 1), (0.3, 0), (0.0, 2), (0.2, 9)):
        found = nonconformity(proba, kind, penalty=penalty, free=free)
        np.testing.assert_allclose(found, [plain(row, kind, penalty, free) for row in proba], atol=1e-12)
        # The call is never stranger than another class.
        np.testing.assert_array_equal(found[np.arange(50), proba.argmax(axis=1)], found.min(axis=1))


def test_bad_input() -> None:
    proba, _ = simulate(5)
    with pytest.raises(InputError, match="'lac', 'aps', 'raps'"):
        nonconformity(proba, "topk")  # type: ignore[arg-type]
    for bad in ({"penalty": -1}, {"penalty": np.nan}, {"free": -1}):
        with pytest.raises(InputError, match="penalty and free"):
            nonconformity(proba, "raps", **bad)
