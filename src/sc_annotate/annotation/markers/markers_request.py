"""How marker lists are read and scored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from sc_annotate._core.arguments import Request, default, one_of, seed, whole
from sc_annotate._vocabulary.marker_lists.lists import read_markers
from sc_annotate._vocabulary.marker_lists.packaged import packaged
from sc_annotate.annotators.marker_scores import SCORES
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from sc_annotate._vocabulary.marker_lists.lists import MarkerLists
    from sc_annotate.annotators.marker_scores import Score

ROLES: Final = ("type", "gene", "weight", "sign", "id")
COLUMNS: Final = tuple(f"{role}_column" for role in ROLES)

RankedBy = Literal["wilcoxon", "nact"]
Saliency = Literal["integrated_gradients", "input_x_gradient", "attention_x_value", "attention"]
RANKED: Final = ("wilcoxon", "nact")
ASSIGNED: Final = "cellassign"


@dataclass(frozen=True, kw_only=True)
class MarkersRequest(Request):
    """The score, which genes and lists count, and the columns of a table of markers."""

    by: Score = default("zscore")
    min_genes: int = default(1)
    min_support: int = default(1)
    type_column: str | None = default(None)
    gene_column: str | None = default(None)
    weight_column: str | None = default(None)
    sign_column: str | None = default(None)
    id_column: str | None = default(None)

    def check(self) -> None:
        one_of(self.by, "by", self.choices())
        whole(self.min_genes, "min_genes", least=1)
        whole(self.min_support, "min_support", least=1)
        for name in COLUMNS:
            value = getattr(self, name)
            if value is not None and not isinstance(value, str):
                raise InputError(f"{name} must be the name of a column, not {value!r}.")

    def choices(self) -> tuple[str, ...]:
        """What `by` may be."""
        return SCORES

    def lists(self, markers: Any) -> MarkerLists:
        """The lists in `markers`: a dict, a table, the path of one, or the name of a packaged list."""
        if isinstance(markers, Mapping) or isinstance(markers, str) and packaged(markers) is not None:
            self.refuse(*COLUMNS, why="names a column of a table of markers, and markers is no table. Leave it out.")
        columns = {role: getattr(self, f"{role}_column") for role in ROLES}
        return read_markers(markers, min_support=self.min_support, columns=columns)


@dataclass(frozen=True, kw_only=True)
class LabelsRequest(MarkersRequest):
    """The same for labels, which may also come from ranked genes or a model of the counts."""

    by: Any = default("zscore")
    n_genes: int = default(50)
    saliency: Saliency = default("integrated_gradients")
    rng: int = default(0)

    def check(self) -> None:
        super().check()
        one_of(self.saliency, "saliency", get_args(Saliency))
        whole(self.n_genes, "n_genes", least=1)
        seed(self.rng)
        if self.by != "nact":
            self.refuse(
                "saliency",
                why=f"says what a network looks at, and by={self.by!r} has none. Leave it out, or pass by='nact'.",
            )
        if self.by not in RANKED:
            self.refuse(
                "n_genes",
                why=f"is of ranked genes, and by={self.by!r} ranks none. Leave it out, or pass by='wilcoxon' or 'nact'.",
            )
        if self.by in SCORES:
            self.refuse("rng", why=f"by={self.by!r} draws no random numbers. Leave it out.")

    def choices(self) -> tuple[str, ...]:
        return (*SCORES, *RANKED, ASSIGNED)

    def to_uns(self) -> dict[str, Any]:
        """Without what this way of scoring does not have."""
        left = {"saliency"} if self.by != "nact" else set()
        left |= {"n_genes"} if self.by not in RANKED else set()
        left |= {"rng"} if self.by in SCORES else set()
        return {name: value for name, value in super().to_uns().items() if name not in left}
