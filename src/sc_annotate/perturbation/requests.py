"""What callers want of a screen: how its cells make profiles, what to predict, how tables are read and compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from sc_annotate._core.arguments import (
    Request,
    boolean,
    columns,
    default,
    one_of,
    parameters,
    refuse,
    seed,
    share,
    whole,
)
from sc_annotate._core.codec import brief
from sc_annotate._vocabulary import conditions
from sc_annotate.errors import InputError, MethodError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sc_annotate._vocabulary.conditions import Condition

Kind = Literal["expression", "delta"]

MIN_CELLS = 10
TAKEN = ("reason", "held_out")
"""Columns of what get.perturbation returns."""
FROM_CELLS = ("perturbation_key", "control", "replicate_key", "separator", "guide_suffix", "min_cells")
"""How cells are read and averaged: of no use where `adata` holds profiles."""
MATRIX = ("layer", "total_counts_key", "values")


@dataclass(frozen=True, kw_only=True)
class ProfilesRequest(Request):
    """How the cells of a screen make profiles of its conditions."""

    perturbation_key: str = default("perturbation")
    control: str = default("control")
    covariate_keys: Sequence[str] = default(())
    replicate_key: str | None = default(None)
    separator: str | Sequence[str] = default("+")
    guide_suffix: str | None = default(None)
    guide_key: str | None = default(None)
    efficacy: Literal["mixscape"] | None = default(None)
    drop_nonresponding: bool = default(False)
    min_cells: int = default(MIN_CELLS)
    rng: int = default(0)

    def check(self) -> None:
        object.__setattr__(self, "covariate_keys", columns(self.covariate_keys, "covariate_keys"))
        if self.perturbation_key in self.covariate_keys:
            raise InputError(
                f"covariate_keys names {self.perturbation_key!r}, the column of the conditions. Name columns of contexts, "
                "such as cell lines or time points."
            )
        object.__setattr__(self, "min_cells", whole(self.min_cells, "min_cells", least=1))
        object.__setattr__(self, "rng", seed(self.rng))
        one_of(self.efficacy, "efficacy", ("mixscape", None))
        if boolean(self.drop_nonresponding, "drop_nonresponding") and self.efficacy is None:
            raise InputError("drop_nonresponding needs to know which cells respond: pass efficacy='mixscape'.")

    def parse(self, names: Iterable[Any]) -> list[Condition]:
        """Names in the column of conditions, read."""
        return conditions.parse(names, control=self.control, separator=self.separator, guide_suffix=self.guide_suffix)

    def targets(self, names: Any) -> list[tuple[str, ...]]:
        """Conditions that a caller names, as the screen spells them."""
        return conditions.as_targets(
            names, control=self.control, separator=self.separator, guide_suffix=self.guide_suffix
        )


@dataclass(frozen=True, kw_only=True)
class PredictionRequest(Request):
    """What to predict of a screen, with which method, and how it is held against simple ones."""

    conditions: Sequence[str] | None = default(None)
    method: str | None = default(None)
    method_kwargs: Mapping[str, Any] | None = default(None)
    baseline: str = default("linear")
    evaluate: bool = default(True)
    n_folds: int | None = default(None)
    coverage: float = default(0.9)
    n_top: int = default(1000)
    rng: int = default(0)

    def check(self) -> None:
        object.__setattr__(self, "method_kwargs", parameters(self.method_kwargs))
        if not isinstance(self.baseline, str):
            raise MethodError(f"baseline must be the name of a method, not {self.baseline!r}.")
        object.__setattr__(self, "coverage", share(self.coverage, "coverage"))
        object.__setattr__(self, "n_top", whole(self.n_top, "n_top", least=1))
        object.__setattr__(self, "rng", seed(self.rng))
        if self.n_folds is not None:
            object.__setattr__(self, "n_folds", whole(self.n_folds, "n_folds", least=2))
        if not boolean(self.evaluate, "evaluate"):
            # Without a method the baseline is what predicts.
            beside = () if self.method is None else ("baseline",)
            self.refuse(
                *beside,
                "n_folds",
                "coverage",
                "n_top",
                why="nothing is held out with evaluate=False. Leave it out, or set evaluate=True.",
            )

    @property
    def predicts(self) -> str:
        """Name of the method that predicts."""
        return self.baseline if self.method is None else self.method

    def to_uns(self) -> dict[str, Any]:
        stored = {name: getattr(self, name) for name in ("n_folds", "n_top", "evaluate", "rng")}
        # Tables of features are as large as what they are used for.
        plain = {n: "<DataFrame>" if hasattr(v, "iloc") else v for n, v in (self.method_kwargs or {}).items()}
        return stored | {"method_kwargs": brief(plain)}


@dataclass(frozen=True, kw_only=True)
class TableRequest(Request):
    """How to read tables of conditions x genes: measured ones and predicted ones."""

    control: str | None = default(None)
    perturbation_key: str | None = default(None)
    separator: str | Sequence[str] = default("+")
    has_covariates: bool = False
    """Whether names end in a context after ``|``, as those of profiles made with covariates do."""

    def check(self) -> None:
        if self.perturbation_key is not None and not isinstance(self.perturbation_key, str):
            raise InputError(f"perturbation_key must be the name of a column, not {self.perturbation_key!r}.")

    def parse(self, names: Iterable[Any]) -> list[Condition]:
        """Names of rows, read."""
        return conditions.parse(
            names, control="control" if self.control is None else self.control, separator=self.separator
        )


@dataclass(frozen=True, kw_only=True)
class EvaluationRequest(Request):
    """How predictions are compared with what was measured."""

    training: Sequence[str] | None = default(None)
    reference: str | Sequence[str] = default("mean")
    truth_is: Kind | None = default(None)
    predictions_are: Kind | Mapping[str, str] = default("expression")
    genes: Literal["all", "shared"] = default("all")
    check_scale: bool = default(True)
    n_top: int | None = default(1000)
    n_boot: int = default(2000)
    rng: int = default(0)

    def check(self) -> None:
        if not hasattr(self.reference, "__iter__"):
            raise InputError(f"reference must be the name of a model, or a list of them, not {self.reference!r}.")
        if isinstance(self.training, str) or not (self.training is None or hasattr(self.training, "__iter__")):
            raise InputError(f"training must be a list of conditions, not {self.training!r}.")
        if self.training is not None:
            object.__setattr__(self, "training", list(self.training))
        one_of(self.truth_is, "truth_is", ("expression", "delta", None))
        one_of(self.genes, "genes", ("all", "shared"))
        kinds = self.predictions_are
        if not isinstance(kinds, str | Mapping):
            raise InputError(
                f"predictions_are must be 'expression' or 'delta', or a dict of them by model, not {kinds!r}."
            )
        for each in [kinds] if isinstance(kinds, str) else kinds.values():
            one_of(each, "predictions_are", ("expression", "delta"))
        boolean(self.check_scale, "check_scale")
        object.__setattr__(self, "n_boot", whole(self.n_boot, "n_boot", least=1))
        object.__setattr__(self, "rng", seed(self.rng))
        if self.n_top is not None:
            object.__setattr__(self, "n_top", whole(self.n_top, "n_top", least=1))

    @property
    def references(self) -> list[str]:
        """Models that all others are held against."""
        return [self.reference] if isinstance(self.reference, str) else [*self.reference]

    def is_delta(self, model: str) -> bool:
        """Whether the predictions of a model are changes to control."""
        kinds = self.predictions_are
        return (kinds if isinstance(kinds, str) else kinds.get(model, "expression")) == "delta"


@dataclass(frozen=True, kw_only=True)
class InteractionsRequest(Request):
    """When a deviation from the sum of two changes is an interaction."""

    predictions_are: Kind = default("expression")
    fdr: float = default(0.05)
    select_by: Literal["tail_area", "local_fdr"] = default("tail_area")
    standardise: bool = default(True)
    n_top: int = default(1000)

    def check(self) -> None:
        one_of(self.predictions_are, "predictions_are", ("expression", "delta"))
        one_of(self.select_by, "select_by", ("tail_area", "local_fdr"))
        object.__setattr__(self, "fdr", share(self.fdr, "fdr"))
        object.__setattr__(self, "n_top", whole(self.n_top, "n_top", least=1))
        boolean(self.standardise, "standardise")


def refuse_for_profiles(profiles: Request, matrix: Request) -> None:
    """Refuse by name the arguments on how cells are averaged, where `adata` holds profiles already."""
    written = {*profiles.written.intersection(FROM_CELLS), *matrix.written.intersection(MATRIX)}
    refuse(
        written,
        why="adata holds profiles already, which record how they were made. Leave these out, or pass the cells.",
        order=(*FROM_CELLS, *MATRIX),
    )
