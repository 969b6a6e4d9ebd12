"""scVI, then logistic regression on its latent space."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.arguments import need_positive
from sc_annotate.annotators._scvi import ScviEncoder
from sc_annotate.annotators._scvi_cells import BATCH

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sc_annotate.annotators._scvi_cells import Cells
    from sc_annotate.annotators.logreg import LogReg


@dataclass(kw_only=True)
class ScVI(ScviEncoder):
    """scVI of scvi-tools on all cells, without labels, then logistic regression on the latent space of the labelled ones.

    Parameters
    ----------
    C
        Inverse strength of the penalty of the regression; see :class:`~sc_annotate.annotators.logreg.LogReg`.

    References
    ----------
    Lopez et al., Nature Methods 2018, 10.1038/s41592-018-0229-2.

    Examples
    --------
    >>> from sc_annotate.annotators.scvi_latent import ScVI
    >>> ScVI(n_latent=20).params()["n_latent"]
    20
    """

    C: float | None = None

    if TYPE_CHECKING:
        network_: Any = field(init=False)
        head_: LogReg = field(init=False)

    def check(self) -> None:
        """Refuse hyperparameters that cannot be used."""
        super().check()
        if self.C is not None:
            need_positive(self, "C")

    def learn(self, scvi: Any, cells: Cells) -> NDArray[Any]:
        """Train scVI, then the regression."""
        from sc_annotate.annotators.logreg import LogReg
        from sc_annotate.neural.scvi_tools import train, whole_minibatches

        adata = cells.anndata()
        scvi.model.SCVI.setup_anndata(adata, batch_key=BATCH)
        model = scvi.model.SCVI(adata, n_latent=self.n_latent, n_layers=self.n_layers, n_hidden=self.n_hidden)
        self.history_ += train(
            model,
            self.n_epochs(self.epochs, adata.n_obs),
            network=0,
            what="training scVI",
            train_size=1.0,
            shuffle_set_split=False,
            batch_size=whole_minibatches(self.batch_size, [adata.n_obs]),
            plan_kwargs={"lr": self.learning_rate},
        )
        self.network_ = model.module.to("cpu").eval().requires_grad_(False)
        latent = self._latent(cells.X)
        n, names = cells.n_labelled, np.array([f"latent{i}" for i in range(self.n_latent)])
        # Numbers of types as text, as wide as each other: sorted, they stay in their order.
        y = np.char.zfill(cells.codes.astype(str), len(str(len(cells.types.present))))
        self.head_ = LogReg(C=self.C, scaling="common").fit(latent[:n], y, genes=names)
        return self.head_.predict_proba(latent[n:])

    def forward(self, X: Any) -> NDArray[Any]:
        """Probabilities from the encoder and the regression."""
        return self.head_.predict_proba(self._latent(X))

    def _latent(self, X: Any) -> NDArray[np.float32]:
        from sc_annotate.neural.scvi_tools import in_blocks

        def mean(counts: Any, numbers: Any) -> Any:
            return self.network_.inference(counts, numbers)["qz"].loc

        # Batches do not enter the encoder, so that any will do.
        return in_blocks(mean, X, np.zeros(X.shape[0], np.intp), self.n_latent)
