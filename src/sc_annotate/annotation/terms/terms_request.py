"""Which ontology labels are mapped to, and how a roll-up chooses a term."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias, Union

from sc_annotate._core.arguments import Request, default, number, one_of

if TYPE_CHECKING:
    from sc_annotate._vocabulary.terms.ontology import Ontology

OntologySource: TypeAlias = Union["Ontology", str, Path, Mapping[str, "str | Sequence[str]"], None]


@dataclass(frozen=True, kw_only=True)
class TermsRequest(Request):
    """An ontology (None: the one that the function takes by default), and the terms of labels that a user decides."""

    ontology: OntologySource = default(None)
    overrides: Mapping[str, str] | None = default(None)


@dataclass(frozen=True, kw_only=True)
class RollupRequest(TermsRequest):
    """How much probability a term must hold; or the prediction set that it must hold."""

    coverage: float = default(0.9)
    by: Literal["probability", "set"] = default("probability")

    def check(self) -> None:
        one_of(self.by, "by", ("probability", "set"))
        # Two terms could reach one half at once.
        number(self.coverage, "coverage", low=0.5, high=1, ends="high")
        if self.by == "set":
            self.refuse("coverage", why="by='set' uses the coverage that the sets were made with. Leave it out.")
