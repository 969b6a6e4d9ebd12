"""Principal components: the encoder that every other one is compared with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import diags_array, issparse

from sc_annotate._core.arguments import need_count
from sc_annotate._core.arrays import leading_directions
from sc_annotate._core.cells import check_cells
from sc_annotate._core.decode import decode
from sc_annotate._core.stored_arrays import Stored, check_arrays
from sc_annotate.encoders._base import Encoder
from sc_annotate.encoders._moments import centred, mean_and_factor
from sc_annotate.encoders.checks import need_fitted, need_from_zero

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    from numpy.typing import NDArray

    from sc_annotate.encoders._base import Arrays

_ARRAYS = {"loadings": Stored("f4", ("genes", "components")), "shift": Stored("f4", ("components",))}


@dataclass(kw_only=True)
class PCAEncoder(Encoder):
    """Principal components of scaled genes, not whitened: whitened ones make a weak baseline, as noise then weighs as signal.

    Parameters
    ----------
    n_latent
        Components; fewer where cells or genes are.
    sd_floor
        Genes are divided by their standard deviation, or by this where it is larger.
    center_batches
        Whether the mean of each gene in each batch is taken off first. Wrong where batches hold different types.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.random.default_rng(0).random((20, 5)).astype(np.float32)
    >>> model = PCAEncoder(n_latent=2).fit(X, genes=np.array(list("abcde")))
    >>> model.embed(X).shape
    (20, 2)
    """

    n_latent: int = 50
    sd_floor: float = 0.1
    center_batches: bool = False

    if TYPE_CHECKING:
        loadings_: NDArray[np.float32] = field(init=False)
        shift_: NDArray[np.float32] = field(init=False)

    def fit(self, X: Any, *, genes: NDArray[np.str_], batch: NDArray[np.str_] | None = None, rng: int = 0) -> Self:
        """Find the components."""
        need_count(self, "n_latent")
        need_from_zero(self, "sd_floor")
        cells: Any = check_cells(X, genes=genes, batch=batch)
        if self.center_batches:
            cells = centred(cells, batch)
        mean, factor = mean_and_factor([cells], self.sd_floor)
        scaled = (
            (cells @ diags_array(factor)).astype(np.float64) if issparse(cells) else cells.astype(np.float64) * factor
        )
        k = min(self.n_latent, cells.shape[0] - 1, cells.shape[1])
        _, vt = leading_directions(scaled, mean * factor, max(1, k), rng)
        loadings = factor[:, None] * vt.T
        self.loadings_, self.shift_ = loadings.astype(np.float32), (mean @ loadings).astype(np.float32)
        return self

    def embed(self, X: Any, *, batch: NDArray[np.str_] | None = None) -> NDArray[np.float32]:
        """Component scores, cells x components."""
        need_fitted(self, "loadings_")
        cells: Any = check_cells(X, genes=len(self.loadings_), batch=batch)
        if self.center_batches:
            cells = centred(cells, batch)
        return np.asarray(cells @ self.loadings_, dtype=np.float32) - self.shift_

    def to_arrays(self) -> tuple[Arrays, dict[str, Any]]:
        """Loadings and shift."""
        need_fitted(self, "loadings_")
        return {"loadings": self.loadings_, "shift": self.shift_}, {"params": self.params()}

    @classmethod
    def from_arrays(cls, arrays: Arrays, meta: Mapping[str, Any]) -> Self:
        """Rebuild a fitted encoder."""
        model = decode(cls, dict(meta["params"]), "params")
        found = check_arrays(arrays, _ARRAYS)
        model.loadings_, model.shift_ = found["loadings"], found["shift"]
        return model
