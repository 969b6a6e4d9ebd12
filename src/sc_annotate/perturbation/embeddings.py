"""Tables of features of genes or targets, as predictors take them."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate.errors import InputError
from sc_annotate.perturbation.screen import check_profiles, is_profiles, screen_of
from sc_annotate.predictors import Embedding, Screen, read_gmt, screen_embedding

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


def parameters(given: Mapping[str, Any], screen: Screen) -> dict[str, Any]:
    """Parameters of a method as it takes them: other profiles as screens of the same genes, the path of a GMT file as sets."""
    out: dict[str, Any] = {}
    for name, value in given.items():
        if is_profiles(value):
            other = screen_of(check_profiles(value, what=f"method_kwargs[{name!r}]"))[0]
            place = {gene: i for i, gene in enumerate(other.genes.tolist())}
            lacking = [gene for gene in screen.genes.tolist() if gene not in place]
            if lacking:
                raise InputError(
                    f"method_kwargs[{name!r}] lacks {len(lacking):,} of the {len(screen.genes):,} genes, such as {lacking[0]!r}. Take "
                    "the shared genes of both, such as adata[:, shared]."
                )
            columns = np.array([place[gene] for gene in screen.genes.tolist()])
            out[name] = Screen(screen.genes, other.control[columns], other.mean[:, columns], other.targets)
        elif name == "gene_sets" and isinstance(value, str | PurePath):
            out[name] = read_gmt(value)
        else:
            out[name] = value
    return out


def check_source(name: str, other: Any, screen: Screen) -> None:
    """A screen that is its own source would predict held-out conditions from themselves."""
    if not isinstance(other, Screen) or not np.array_equal(other.genes, screen.genes):
        return
    row = {targets: i for i, targets in enumerate(other.targets)}
    for targets, here in zip(screen.targets, screen.delta, strict=True):
        if targets in row and here.any() and np.allclose(other.delta[row[targets]], here, rtol=1e-6, atol=1e-9):
            raise InputError(
                f"method_kwargs[{name!r}] holds what was measured here: the change of {'+'.join(targets)} is the same in both, so "
                "that held-out conditions would be predicted from themselves. Pass another screen."
            )


def check_elsewhere(embedding: Embedding | None, screen: Screen) -> None:
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
                "perturbation_embedding was made of this screen, with the conditions that are to be held out, which would be "
                "predicted from themselves. Take that of another screen, or leave it out."
            )


def check_shared(embedding: Embedding | None, names: Collection[str], *, argument: str, what: str) -> None:
    """An embedding that names nothing of the screen is most often one that lies on its side."""
    if embedding is not None and not set(embedding.names.tolist()) & set(names):
        raise InputError(
            f"{argument} has no row for any of the {what}: its names are {', '.join(map(repr, embedding.names[:3].tolist()))}, ... "
            "Rows must be named; is it transposed?"
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
