"""What a caller of `annotate` or `fit_annotator` asks for: what to fit, and what to find out about the cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from sc_annotate._core import registry
from sc_annotate._core.arguments import Request, default, one_of, parameters, seed, share, whole
from sc_annotate._core.codec import shown
from sc_annotate.errors import InputError, MethodError
from sc_annotate.trust import Options
from sc_annotate.trust.options import COVERAGE, FITTED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sc_annotate._core.records import Method
    from sc_annotate._data.matrix import MatrixRequest
    from sc_annotate.trust import Levels

N_TOP_GENES = 2000
"""Highly variable genes that a method sees, unless another number is requested."""
MAX_CELLS = 30_000
"""Reference cells that are learned from; beyond, more of them hardly change a model, and cost much."""

Keep = Literal["all", "topk", False]

_OF_GENES = ("gene_symbols", "total_counts_key", "values")


@dataclass(frozen=True, kw_only=True)
class FitRequest(Request):
    """What to fit: on which labels, by which method, from how many cells and genes; how to score it and learn when to trust it."""

    labels_key: str | Sequence[str] | None = default(None)
    method: str | Sequence[str] = default("logreg")
    method_kwargs: Mapping[str, Any] | None = default(None)
    batch_key: str | None = default(None)
    n_top_genes: int | None = default(N_TOP_GENES)
    min_cells: int = default(2)
    max_cells: int | None = default(MAX_CELLS)
    cv: int | Literal["batches"] = default(1)
    trust: Options = default(Options())
    coverage: float = default(COVERAGE)
    rng: int = default(0)

    def check(self) -> None:
        """Refuse what means nothing for any reference."""
        seed(self.rng, "rng")
        share(self.coverage, "coverage")
        check_cv(self.cv)
        if self.max_cells is not None:
            whole(self.max_cells, "max_cells", least=100)
        whole(self.min_cells, "min_cells", least=1)
        if self.n_top_genes is not None:
            whole(self.n_top_genes, "n_top_genes", least=2)
        parameters(self.method_kwargs)
        if self.trust.calibration is None:
            self.refuse(
                "coverage", why="prediction sets need held-out cells, which trust=None does without. Leave it out."
            )

    @property
    def cross_validated(self) -> bool:
        """Whether the scores are of more than one split."""
        return isinstance(self.cv, str) or self.cv > 1

    @property
    def levels(self) -> tuple[str, ...]:
        """Columns of labels, coarse to fine; one unless several were named."""
        if self.labels_key is None or isinstance(self.labels_key, str):
            return () if self.labels_key is None else (self.labels_key,)
        from sc_annotate.annotation.levels import level_names

        return level_names(self.labels_key)

    @property
    def methods(self) -> list[str] | None:
        """Names of several methods, each once; None for one method."""
        if isinstance(self.method, str):
            return None
        if not isinstance(self.method, list | tuple):
            raise MethodError(f"method must be a name such as 'logreg', or a list of names, not {self.method!r}.")
        names = list(self.method)
        if len(names) < 2 or len(set(names)) < len(names) or not all(isinstance(name, str) for name in names):
            raise InputError(f"method must be a name, or a list of at least two different names, not {self.method!r}.")
        return names

    def of_alignment(self, method: str) -> None:
        """Refuse to align a method that cannot be."""
        if self.trust.align == "shift":
            from sc_annotate.annotation.alignment import refuse_method

            refuse_method(method, registry.load(registry.get("annotation", method)))

    def of_batches(self) -> None:
        """Refuse to hold out batches where there is no `batch_key`."""
        if self.cv == "batches" and self.batch_key is None:
            raise InputError(
                "cv='batches' holds out one batch after the other and needs batch_key, the column of obs with the batches."
            )

    def of_representation(self, matrix: MatrixRequest) -> None:
        """Refuse what speaks of genes, where a representation is used."""
        why = f"has no meaning for a representation (use_rep={matrix.use_rep!r}), which has no genes. Leave it out."
        self.refuse("n_top_genes", why=why)
        matrix.refuse(*_OF_GENES, why=why)

    def of_fitted_model(self, method: str) -> None:
        """Refuse what says how a model is fitted, where it is fitted already."""
        names = [name for name in self.written if name not in ("trust", "coverage", "rng")]
        if self.labels_key is None and "labels_key" in names:
            names.remove("labels_key")
        if "method" in names and self.method == method:
            names.remove("method")
        names += [f"trust.{name}" for name in FITTED if name in self.trust.written]
        if names:
            raise InputError(
                f"{', '.join(sorted(names))} says how a model is fitted, but the model passed ({method}) is fitted already. "
                "Leave it out, pass the labelled reference instead of the model, or say it to `sca.tl.fit_annotator`."
            )


@dataclass(frozen=True, kw_only=True)
class PredictRequest(Request):
    """What to find out about the cells, from a fitted model."""

    trust: Options = default(Options())
    coverage: float = default(COVERAGE)
    store_proba: Keep = default("all")
    rng: int = default(0)

    def check(self) -> None:
        """Refuse what means nothing for any model."""
        seed(self.rng, "rng")
        share(self.coverage, "coverage")
        one_of(self.store_proba, "store_proba", get_args(Keep))

    def of_uncalibrated_model(self) -> None:
        """Refuse what needs held-out cells, where the fitted model has learned nothing from any."""
        requested = [
            name for name in ("false_positive_rate", "check_quality", "min_confidence") if getattr(self.trust, name)
        ]
        names = [f"trust.{name}" for name in requested if name in self.trust.written]
        names += ["coverage"] if "coverage" in self.written else []
        if names:
            raise InputError(
                f"{', '.join(names)} cannot be honoured: the model was fitted without calibration, or came without held-out "
                "cells. Leave it out, or fit a model with `sca.tl.fit_annotator(reference, labels_key)`."
            )


@dataclass(frozen=True, kw_only=True)
class AnnotateRequest:
    """All that a call of `annotate` asks for, beside the objects themselves."""

    fit: FitRequest
    ask: PredictRequest
    matrix: MatrixRequest
    reference_matrix: MatrixRequest
    """Of the reference; its genes and totals are named with those of the query."""
    key: str
    vote: str | None = None
    """``"leiden"``, or a column of ``obs`` whose groups vote on one label."""

    def of_no_other_object(self, found: str) -> None:
        """Refuse what says how to read a separate reference, where there is none."""
        if "layer" in self.reference_matrix.written:
            raise InputError(
                f"reference_layer: it is a layer of a separate labelled reference, but {found}. Leave it out."
            )


def usable_method(name: str) -> Method:
    """The record of a method, refused where it is unknown or its libraries cannot be imported: before any work is done."""
    method = registry.get("annotation", name)
    needs = getattr(registry.load(method), "import_libraries", None)
    if callable(needs):
        needs()
    return method


def with_tree(method: str, params: dict[str, Any], levels: Levels | None) -> dict[str, Any]:
    """The method's parameters, with the tree of the levels in place of the word."""
    if not isinstance(params.get("tree"), str):
        return params
    if params["tree"] != "levels" or levels is None:
        raise MethodError(
            f"{method}: tree={params['tree']!r} is no tree. Pass a dict of types with their ancestors; or 'levels', and name "
            "several columns of labels, coarse to fine (labels_key)."
        )
    return params | {"tree": levels.tree()}


def check_cv(cv: Any) -> None:
    """Refuse what is no way to hold cells out."""
    if isinstance(cv, str) and cv == "batches":
        return
    try:
        whole(cv, "cv", least=0)
    except InputError as error:
        raise InputError(
            f"cv must be 0 (no scores), 1 (one hold-out), a number of folds or 'batches' (each batch in turn), not {shown(cv)}."
        ) from error
