"""resolVI: counts of cells in a tissue, what spilled over from neighbours taken out, with a classifier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from sc_annotate.annotators._scvi import ScviAnnotator
from sc_annotate.annotators._scvi_cells import BATCH, LABEL, UNLABELLED
from sc_annotate.errors import MethodError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from sc_annotate.annotators._base import Matrix
    from sc_annotate.annotators._scvi_cells import Cells

_NEIGHBORS = 10
_FAR = 1e6  # squared distance of neighbours that a batch has too few cells for
_DRAWS = 30


@dataclass(kw_only=True)
class ResolVI(ScviAnnotator):
    """resolVI of scvi-tools, semi-supervised: all cells with their places, and the labels of the labelled ones.

    Cells have neighbours within their batch alone, so that each section should be a batch of its own.

    Parameters
    ----------
    spatial_key
        Entry of ``obsm`` with the place of each cell, two or three columns.
    n_hidden
        Units of each hidden layer of the decoder; those of the encoder have four times as many.

    References
    ----------
    Ergen & Yosef, bioRxiv 2025, 10.1101/2025.01.20.634005.

    Examples
    --------
    >>> from sc_annotate.annotators.scvi_resolvi import ResolVI
    >>> ResolVI(spatial_key="place").obsm_params
    ('spatial_key',)
    """

    obsm_params: ClassVar[tuple[str, ...]] = ("spatial_key",)

    spatial_key: str = "spatial"
    n_layers: int = 2
    n_hidden: int = 32
    learning_rate: float = 3e-3

    def check_obsm(self, own: Mapping[str, NDArray[Any]], asked: Mapping[str, NDArray[Any]]) -> None:
        """Refuse what is no place in a plane or in space."""
        n, m = own["spatial_key"].shape[1], asked["spatial_key"].shape[1]
        if n != m or n not in (2, 3):
            raise MethodError(f"ResolVI: places must have 2 or 3 columns in reference and query, not {n} and {m}.")

    def learn(self, scvi: Any, cells: Cells) -> NDArray[Any]:
        """Train resolVI with its classifier."""
        from sc_annotate.neural.scvi_tools import external, train, whole_minibatches

        cls = external(scvi, "RESOLVI")
        adata = cells.anndata()
        if adata.n_vars < 50:
            # Its own share of the background is a mean over a fiftieth of the genes; of none, a sparse matrix has none.
            adata.X = adata.X.toarray()
        near, away = neighbours(cells.obsm["spatial_key"], cells.batches)
        adata.obsm["index_neighbor"], adata.obsm["distance_neighbor"] = near, away
        cls.setup_anndata(adata, batch_key=BATCH, labels_key=LABEL, unlabeled_category=UNLABELLED, prepare_data=False)
        sixth = away[:, 5][away[:, 5] < _FAR]
        model = cls(
            adata,
            n_latent=self.n_latent,
            n_layers=self.n_layers,
            n_hidden=self.n_hidden,
            n_hidden_encoder=4 * self.n_hidden,
            semisupervised=True,
            median_distance=float(np.median(sixth)) or 1.0 if len(sixth) else 1.0,
            background_ratio=_background(cells.X),
        )
        epochs = self.n_epochs(self.epochs, adata.n_obs)
        self.history_ += train(
            model,
            epochs,
            network=0,
            what="training resolVI",
            lr=self.learning_rate,
            batch_size=whole_minibatches(self.batch_size, [adata.n_obs]),
            n_epochs_kl_warmup=min(20, epochs),
            shuffle_set_split=False,
        )
        proba = self._drawn(model, np.arange(cells.n_labelled, adata.n_obs), len(cells.types.present))
        return proba

    def predict_proba(self, X: Matrix) -> NDArray[np.float32]:
        """Not possible: the model needs the places of the cells."""
        raise MethodError(
            "ResolVI needs the places of the cells, which their counts do not hold. predict_query() has the probabilities "
            "of the query."
        )

    @staticmethod
    def _drawn(model: Any, rows: NDArray[np.intp], n_types: int) -> NDArray[Any]:
        """Mean of the classifier over draws of the latent state, as of ``predict``, which shows a progress bar of its own."""
        import torch

        if not len(rows):
            return np.zeros((0, n_types))
        mean, variance = model.get_latent_representation(indices=rows, return_dist=True, batch_size=512)
        classifier = model.module.model.classifier
        where = next(classifier.parameters()).device
        center, sd = (torch.from_numpy(each).to(where) for each in (mean, np.sqrt(variance)))
        with torch.inference_mode():
            total = sum(classifier(center + sd * torch.randn_like(sd)).double() for _ in range(_DRAWS))
        return np.asarray((total / _DRAWS).cpu())


def neighbours(places: NDArray[Any], batches: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """The nearest cells of the same batch, and their squared distances, cells x 10.

    Where a batch has too few, a cell stands for itself, far away.

    Examples
    --------
    >>> near, away = neighbours(np.array([[0.0, 0], [0, 2], [0, 0]]), np.array([0, 0, 1]))
    >>> near[:, 0].tolist(), away[:, 0].tolist()
    ([1, 0, 2], [4.0, 4.0, 1000000.0])
    """
    from scipy.spatial import cKDTree

    near = np.repeat(np.arange(len(places))[:, None], _NEIGHBORS, axis=1)
    away = np.full(near.shape, _FAR)
    for batch in np.unique(batches):
        rows = np.flatnonzero(batches == batch)
        k = min(_NEIGHBORS, len(rows) - 1)
        if not k:
            continue
        distances, found = cKDTree(places[rows]).query(places[rows], k=k + 1)
        # Of cells in one place any may be the first, so that a cell is taken out by its number.
        other = found != np.arange(len(rows))[:, None]
        other[other.all(axis=1), -1] = False
        near[rows, :k] = rows[found[other].reshape(len(rows), k)]
        away[rows, :k] = distances[other].reshape(len(rows), k) ** 2
    return near, away


def _background(X: Any) -> float:
    """Mean share of the counts of a cell in the genes with the fewest, against those of all genes; as resolVI starts from."""
    few = np.argsort(np.asarray(X.sum(axis=0)).ravel(), kind="stable")[: max(1, X.shape[1] // 50)]
    lowest, all_genes = (np.asarray(part.mean(axis=1)).ravel() for part in (X[:, few], X))
    return float(np.mean(lowest / all_genes))
