"""Which cells of other batches are near: mutual nearest neighbours, and nearest neighbours batch by batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import csr_array

from sc_annotate._core.arrays import leading_directions
from sc_annotate._core.settings import track
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch
    from numpy.typing import NDArray

N_COMPONENTS = 30
"""Neighbours are found in so many principal components, of cells scaled to length 1, as mutual nearest neighbours usually are."""


@dataclass(frozen=True)
class Neighbours:
    """Cells and their neighbours in other batches.

    Parameters
    ----------
    X
        Cells x genes, CSR or dense.
    graphs
        By the name of an augmentation, cells x cells: neighbours of each cell.
    """

    X: Any
    graphs: Mapping[str, csr_array]

    def draw(self, name: str, index: torch.Tensor) -> torch.Tensor:
        """For each cell one of its neighbours, at random; the cell itself where it has none. Cells x genes, dense."""
        import torch

        graph, own = self.graphs[name], index.cpu().numpy()
        start, n = graph.indptr[own], np.diff(graph.indptr)[own]
        # Drawn by torch, whose random state is that of the training.
        place = np.floor(torch.rand(len(own)).numpy() * n).astype(np.intp)
        last = max(0, len(graph.indices) - 1)
        drawn = np.where(n > 0, graph.indices[np.minimum(start + place, last)] if len(graph.indices) else own, own)
        rows = self.X[drawn]
        dense = np.asarray(rows if isinstance(rows, np.ndarray) else rows.toarray(), dtype=np.float32)
        return torch.from_numpy(dense).to(index.device)


def neighbours(X: Any, batch: NDArray[np.str_], k: Mapping[str, int], rng: int) -> Neighbours:
    """Find the neighbours of cells.

    Parameters
    ----------
    X
        Log values, cells x genes, CSR or dense.
    batch
        Of each cell, shape (n,), two or more of them.
    k
        Neighbours in each other batch: ``"mnn"`` for mutual ones, ``"bbknn"`` for those of every batch.
    rng
        Seed of the components.
    """
    from sklearn.neighbors import NearestNeighbors

    names, code = np.unique(batch, return_inverse=True)
    if len(names) < 2:
        raise InputError(
            "all cells are of one batch, so none has a neighbour in another. Name another column (batch_key)."
        )
    place = _components(X, rng)
    members = [np.flatnonzero(code == b) for b in range(len(names))]
    most = max(k.values())
    near: dict[tuple[int, int], NDArray[np.intp]] = {}
    for b in track(range(len(names)), what="neighbours across batches"):
        search = NearestNeighbors(n_neighbors=min(most, len(members[b]))).fit(place[members[b]])
        for a in range(len(names)):
            if a != b:
                near[a, b] = members[b][search.kneighbors(place[members[a]], return_distance=False)]
    n = len(code)
    graphs = {name: _graph(near, members, wanted, n) for name, wanted in k.items()}
    if "mnn" in graphs:
        graphs["mnn"] = csr_array(graphs["mnn"].multiply(graphs["mnn"].T))
    return Neighbours(X, graphs)


def _graph(near: dict[tuple[int, int], NDArray[np.intp]], members: list[NDArray[np.intp]], k: int, n: int) -> csr_array:
    """Cells x cells, 1 for the `k` nearest of each other batch."""
    rows = np.concatenate([np.repeat(members[a], min(k, found.shape[1])) for (a, _), found in near.items()])
    columns = np.concatenate([found[:, :k].ravel() for found in near.values()])
    return csr_array((np.ones(len(rows), dtype=np.float32), (rows, columns)), shape=(n, n))


def _components(X: Any, rng: int) -> NDArray[np.float64]:
    """Of cells scaled to length 1."""
    from sklearn.preprocessing import normalize

    cells = normalize(X.astype(np.float64))
    center = np.asarray(cells.mean(axis=0)).ravel()
    _, vt = leading_directions(cells, center, min(N_COMPONENTS, *(size - 1 for size in cells.shape)), rng)
    return np.asarray(cells @ vt.T - center @ vt.T)
