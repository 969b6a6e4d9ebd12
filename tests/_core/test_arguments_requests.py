"""Requests know what was written, in copies too."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from sc_annotate._core.arguments import Request, default
from sc_annotate.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Sets(Request):
    coverage: float = default(0.9)
    trust: bool = default(True)

    def check(self) -> None:
        if not self.trust:
            self.refuse("coverage", why="there are no sets")


def test_written_are_those_that_the_caller_wrote() -> None:
    request = Sets(trust=False)
    assert request.written == {"trust"}
    assert (request.coverage, request.trust) == (0.9, False)
    assert Sets(coverage=0.9).written == {"coverage"}
    with pytest.raises(InputError, match="coverage: there are no sets"):
        Sets(coverage=0.9, trust=False)


def test_a_copy_counts_the_same_as_written() -> None:
    # The check of the copy does not take the default of coverage for a written one.
    assert Sets().but(trust=False).written == frozenset()
    assert Sets(trust=False).but(coverage=0.8).coverage == 0.8
    with pytest.raises(InputError, match="coverage"):
        Sets(coverage=0.8).but(trust=False)
