"""A predictor by name, with its parameters as it takes them: other screens, embeddings, gene sets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core import registry
from sc_annotate._core.codec import check_texts
from sc_annotate.errors import InputError, MethodError
from sc_annotate.perturbation.screen import check_profiles, is_profiles, screen_of
from sc_annotate.predictors import Embedding, Screen, read_gmt, screen_embedding

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Self

    from numpy.typing import NDArray

EMBEDDINGS = {"gene_embedding": "genes", "perturbation_embedding": "targets"}
"""Parameters that may be given as tables, and what their rows are."""


@dataclass(frozen=True)
class Method:
    """A registered predictor and its parameters, before they are fitted to a screen."""

    name: str
    params: dict[str, Any]

    @classmethod
    def of(cls, name: str, method_kwargs: Mapping[str, Any] | None) -> Self:
        """With embeddings read from tables. What is wrong with them shows before anything is computed."""
        params = dict(method_kwargs or {})
        params |= {each: embedding_of(params[each], argument=each) for each in EMBEDDINGS if each in params}
        takes = getattr(registry.load(registry.get("perturbation", name)), "__dataclass_fields__", {})
        own = [each for each in EMBEDDINGS if params.get(each) is not None]
        if lacking := [each for each in own if each not in takes]:
            raise MethodError(
                f"the method {name!r} takes no {' and no '.join(lacking)}. 'linear' takes both embeddings, 'knn' one of "
                "perturbations."
            )
        return cls(name, params)

    @property
    def trains_on_cells(self) -> bool:
        return registry.get("perturbation", self.name).inputs == "cells"

    @property
    def label(self) -> str:
        """Its name among others; with an embedding it stands beside itself without one."""
        own = any(self.params.get(each) is not None for each in EMBEDDINGS)
        return f"{self.name} (own embedding)" if own else self.name

    def having(self, source: Screen) -> Method:
        """The same with another screen as its source."""
        return replace(self, params=self.params | {"source": source})

    def fitted_to(self, screen: Screen) -> Callable[[], Any]:
        """Makes unfitted predictors whose parameters are of the genes of `screen`."""
        params = self._params(screen)
        return lambda: registry.make("perturbation", self.name, params)

    def _params(self, screen: Screen) -> dict[str, Any]:
        out: dict[str, Any] = {}
        for name, value in self.params.items():
            if is_profiles(value):
                other = screen_of(check_profiles(value, what=f"method_kwargs[{name!r}]"))
                place = {gene: i for i, gene in enumerate(other.genes.tolist())}
                lacking = [gene for gene in screen.genes.tolist() if gene not in place]
                if lacking:
                    raise InputError(
                        f"method_kwargs[{name!r}] lacks {len(lacking):,} of the {len(screen.genes):,} genes, such as "
                        f"{lacking[0]!r}. Take the shared genes of both, such as adata[:, shared]."
                    )
                columns = np.array([place[gene] for gene in screen.genes.tolist()])
                out[name] = Screen(screen.genes, other.control[columns], other.mean[:, columns], other.targets)
            elif name == "gene_sets" and isinstance(value, str | PurePath):
                out[name] = read_gmt(value)
            else:
                out[name] = value
        return out

    def check_names(self, screen: Screen, requested: Sequence[tuple[str, ...]]) -> None:
        """Refuse an embedding that names nothing of the screen: most often one that lies on its side."""
        names = {
            "genes": set(screen.genes.tolist()),
            "targets": {target for each in [*screen.targets, *requested] for target in each},
        }
        for argument, what in EMBEDDINGS.items():
            embedding = self.params.get(argument)
            if embedding is not None and names[what].isdisjoint(embedding.names.tolist()):
                raise InputError(
                    f"{argument} has no row for any of the {what}: its names are "
                    f"{', '.join(map(repr, embedding.names[:3].tolist()))}, ... Rows must be named; is it transposed?"
                )

    def check_independent(self, screen: Screen) -> None:
        """Refuse parameters that hold the conditions of `screen`, which are to be held out."""
        for name, value in self._params(screen).items():
            if isinstance(value, Screen):
                _check_source(name, value, screen)
        _check_embedding(self.params.get("perturbation_embedding"), screen)


def predicted(model: Any, targets: Sequence[tuple[str, ...]], n_genes: int) -> NDArray[np.float64]:
    """Predictions of a fitted model, checked."""
    out = np.asarray(model.predict(targets), dtype=np.float64)
    if out.shape != (len(targets), n_genes):
        raise MethodError(
            f"{type(model).__name__}.predict gave an array of shape {out.shape}, not {(len(targets), n_genes)}."
        )
    return out


def reasons(model: Any, targets: Sequence[tuple[str, ...]], values: NDArray[np.float64]) -> NDArray[np.str_]:
    """Why conditions are not predicted; a row of NaN has a reason, and nothing else has."""
    named = [str(text or "") for text in model.why_not(targets)]
    lost = np.asarray(~np.isfinite(values).all(axis=1))
    return np.array(
        [(text or "the method gave no number") if gone else "" for text, gone in zip(named, lost, strict=True)],
        dtype=np.str_,
    )


def _check_source(name: str, other: Screen, screen: Screen) -> None:
    """A screen that is its own source would predict held-out conditions from themselves."""
    if not np.array_equal(other.genes, screen.genes):
        return
    row = {targets: i for i, targets in enumerate(other.targets)}
    for targets, here in zip(screen.targets, screen.delta, strict=True):
        if targets in row and here.any() and np.allclose(other.delta[row[targets]], here, rtol=1e-6, atol=1e-9):
            raise InputError(
                f"method_kwargs[{name!r}] holds what was measured here: the change of {'+'.join(targets)} is the same in "
                "both, so that held-out conditions would be predicted from themselves. Pass another screen."
            )


def _check_embedding(embedding: Embedding | None, screen: Screen) -> None:
    """Components of this very screen hold the conditions that are to be held out."""
    single = [len(each) == 1 for each in screen.targets]
    if embedding is None or sum(single) < 2 or not screen.delta[single].any():
        return
    own = screen_embedding(screen, embedding.values.shape[1])
    at = embedding.rows(own.names)
    if own.values.shape[1] == embedding.values.shape[1] and (at >= 0).all():
        # Signs of components are arbitrary.
        size = np.abs(own.values)
        if np.allclose(np.abs(embedding.values[at]), size, rtol=1e-5, atol=1e-7 * float(size.max(initial=1))):
            raise InputError(
                "perturbation_embedding was made of this screen, with the conditions that are to be held out, which would "
                "be predicted from themselves. Take that of another screen, or leave it out."
            )


def embedding_of(table: Any, *, argument: str) -> Embedding | None:
    """A DataFrame (names x dimensions), or a pair of an AnnData and a key of its ``varm`` or ``obsm``."""
    import pandas as pd

    if table is None or isinstance(table, Embedding):
        return table
    if isinstance(table, tuple | list) and len(table) == 2 and hasattr(table[0], "varm"):
        adata, key = table
        for mapping, names in ((adata.varm, adata.var_names), (adata.obsm, adata.obs_names)):
            if key in mapping:
                table = pd.DataFrame(np.asarray(mapping[key]), index=names)
                break
        else:
            raise InputError(f"{argument}: neither varm nor obsm of the AnnData has {key!r}.")
    if not isinstance(table, pd.DataFrame):
        raise InputError(
            f"{argument} must be a DataFrame (genes or targets x dimensions) or a pair (adata, key of varm), not "
            f"{type(table).__name__}."
        )
    check_texts(table.index.tolist(), argument, InputError)
    names = np.asarray(table.index.astype(str), dtype=np.str_)
    try:
        values = table.to_numpy(dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{argument} has columns that are no numbers ({error}).") from error
    if len(set(names.tolist())) < len(names):
        raise InputError(f"{argument} has names that occur twice. Keep one row for each.")
    if not np.isfinite(values).all() or not values.size:
        raise InputError(f"{argument} is empty, or has NaN or infinite values. Leave those rows out.")
    return Embedding(names=names, values=values)
