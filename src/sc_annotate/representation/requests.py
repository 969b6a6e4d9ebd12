"""What callers want of an encoder."""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass
from typing import TYPE_CHECKING, Any

from sc_annotate._core import registry
from sc_annotate._core.arguments import Request, default, parameters, seed, whole
from sc_annotate._core.codec import check_texts
from sc_annotate._store.slots import result_name
from sc_annotate.encoders.augmentations import parsed
from sc_annotate.errors import InputError, MethodError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

N_TOP_GENES = 2000
KEY = "X_ssl"


@dataclass(frozen=True, kw_only=True)
class PretrainRequest(Request):
    """How to train an encoder."""

    objective: str = default("mae")
    augment: Mapping[str, Mapping[str, float]] | Sequence[str] | str | None = default(None)
    objective_kwargs: Mapping[str, Any] | None = default(None)
    batch_key: str | None = default(None)
    labels_key: str | None = default(None)
    n_top_genes: int | None = default(N_TOP_GENES)
    key: str = default(KEY)
    rng: int = default(0)

    def check(self) -> None:
        """Refuse what means nothing, before any data are read."""
        record = registry.get("encoding", self.objective)
        object.__setattr__(self, "objective_kwargs", parameters(self.objective_kwargs, "objective_kwargs"))
        for name in ("batch_key", "labels_key"):
            value = getattr(self, name)
            if value is not None and not isinstance(value, str):
                raise InputError(f"{name} must be the name of a column of obs or None, not {value!r}.")
            check_texts([value], name, InputError)
        if self.n_top_genes is not None:
            object.__setattr__(self, "n_top_genes", whole(self.n_top_genes, "n_top_genes", least=1))
        result_name(self.key)
        object.__setattr__(self, "rng", seed(self.rng))
        if self.augment is not None:
            cls = registry.load(record)
            if not (is_dataclass(cls) and "augment" in {f.name for f in fields(cls)}):
                raise MethodError(
                    f"augment: {self.objective!r} compares no views of a cell, so that nothing is augmented. Leave it out"
                    + (
                        ", or choose how values are hidden with mask= (objective_kwargs)."
                        if self.objective == "mae"
                        else "."
                    )
                )
            if "augment" in self.params:
                raise InputError("augment is named twice, as an argument and in objective_kwargs. Leave one out.")
            object.__setattr__(self, "augment", {name: vars(each) for name, each in parsed(self.augment).items()})

    @property
    def params(self) -> dict[str, Any]:
        """Hyperparameters of the objective, without `augment`."""
        return dict(self.objective_kwargs or {})

    def make(self) -> Any:
        """The encoder, not fitted; hyperparameters that it does not have are refused by name."""
        more = {} if self.augment is None else {"augment": self.augment}
        found = registry.make("encoding", self.objective, self.params | more)
        libraries = getattr(type(found), "import_libraries", None)
        if libraries is not None:
            libraries()
        check = getattr(found, "check", None)
        if check is not None:
            check()
        return found


@dataclass(frozen=True, kw_only=True)
class EmbedRequest(Request):
    """How to map cells by a fitted encoder."""

    batch_key: str | None = default(None)
    min_overlap: float = default(0.1)
    key: str = default(KEY)

    def check(self) -> None:
        """Refuse what means nothing."""
        from sc_annotate._core.arguments import share

        if self.batch_key is not None and not isinstance(self.batch_key, str):
            raise InputError(f"batch_key must be the name of a column of obs or None, not {self.batch_key!r}.")
        object.__setattr__(self, "min_overlap", share(self.min_overlap, "min_overlap", ends="both"))
        result_name(self.key)
