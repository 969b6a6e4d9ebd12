"""N-ACT: attention over genes, one weight a gene and cell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast

from sc_annotate._core.arguments import need_choice, need_count
from sc_annotate.annotators._torch import TorchAnnotator
from sc_annotate.annotators.checks import check_predict, need_fitted

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from sc_annotate.annotators._base import Matrix
    from sc_annotate.neural.nact import NACT


@dataclass(kw_only=True)
class NACTAnnotator(TorchAnnotator):
    """N-ACT (Heydari et al. 2022): attention weighs the genes of each cell, two projection blocks read the weighted values.

    As published but for the branches, which changed nothing, with matrices of low rank so that thousands of genes are
    affordable. Attention says which genes the network looks at, not which ones decide: see :doc:`/deep`.

    Parameters
    ----------
    rank
        Rank of the three genes x genes matrices; None: full rank, as published.
    feed_forward
        Units of the feed-forward layer.
    attention
        What makes the weights of a cell's genes sum to 1: ``"softmax"``, or ``"sparsemax"`` or ``"entmax"`` (1.5), which
        make most of them 0.

    References
    ----------
    Heydari, Davalos, Hoyer & Sindi, arXiv:2206.04047.

    Examples
    --------
    >>> import numpy as np
    >>> from sc_annotate.annotators.torch_nact import NACTAnnotator
    >>> X = np.kron(np.eye(2), np.ones((4, 5))).astype(np.float32)  # 8 cells, 10 genes
    >>> y, genes = np.repeat(["B", "T"], 4), np.array(list("abcdefghij"))
    >>> model = NACTAnnotator(epochs=100, input_dropout=0).fit(X, y, genes=genes, rng=1)
    >>> model.classes_[model.predict_proba(X[::2]).argmax(axis=1)].tolist()
    ['B', 'B', 'T', 'T']
    """

    shown_as: ClassVar[str] = "nact"
    saliencies: ClassVar[tuple[str, ...]] = (*TorchAnnotator.saliencies, "attention_x_value", "attention")
    centred: ClassVar[bool] = False
    usual_epochs: ClassVar[int] = 25

    batch_size: int = 64
    learning_rate: float = 1e-3
    rank: int | None = 64
    feed_forward: int = 128
    attention: Literal["softmax", "sparsemax", "entmax"] = "softmax"

    def check(self) -> None:
        """Refuse hyperparameters that cannot be used."""
        super().check()
        need_count(self, "feed_forward", *(["rank"] if self.rank is not None else []))
        need_choice(self, "attention", ("softmax", "sparsemax", "entmax"))

    def network(self, n_genes: int, n_types: int) -> torch.nn.Module:
        """The untrained network."""
        from sc_annotate.neural.nact import NACT

        return NACT(
            n_genes,
            n_types,
            rank=self.rank,
            feed_forward=self.feed_forward,
            attention=self.attention,
            input_dropout=self.input_dropout,
            clip=self.clip if self.scaling == "each" else None,
        )

    def gene_attention(self, X: Matrix) -> NDArray[np.float32]:
        """Weight of each gene, float32, cells x genes: rows sum to 1; the mean over the networks."""
        from sc_annotate.neural.attribution import attention_weights

        need_fitted(self, "networks_")
        return attention_weights(cast("list[NACT]", self.networks_), check_predict(X, self.n_genes_))

    def _more_settings(self) -> dict[str, Any]:
        return {"clip_gradient": 1.0}
