"""Multilayer perceptrons in torch: a strong plain one, and that of ACTINN."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from sc_annotate._core.arguments import need_count
from sc_annotate.annotators._torch import TorchAnnotator
from sc_annotate.errors import MethodError

if TYPE_CHECKING:
    import torch

_MOST_LAYERS = 100


@dataclass(kw_only=True)
class TorchMLP(TorchAnnotator):
    """Multilayer perceptron with dropout of genes, batch normalisation and strong weight decay (torch, AdamW).

    Built to be the strongest plain network on small references. On none of the data sets tried is it better than ``logreg``
    by more than its interval: see :doc:`/deep`.

    Parameters
    ----------
    hidden
        Units of each hidden layer.
    n_layers
        Hidden layers.
    dropout
        Share of the hidden units that are set to 0 in each step.

    Examples
    --------
    >>> import numpy as np
    >>> from sc_annotate.annotators.torch_mlp import TorchMLP
    >>> X = np.array([[2, 0], [3, 0], [0, 2], [0, 3]], dtype=np.float32)
    >>> model = TorchMLP(epochs=50).fit(X, np.array(["B", "B", "T", "T"]), genes=np.array(["MS4A1", "CD3D"]))
    >>> model.classes_[model.predict_proba(X).argmax(axis=1)].tolist()
    ['B', 'B', 'T', 'T']
    """

    shown_as: ClassVar[str] = "mlp_torch"
    # The slope here is the more faithful one, if by little; docs/evidence.md has the figures.
    saliencies: ClassVar[tuple[str, ...]] = ("input_x_gradient", "integrated_gradients")

    hidden: int = 256
    n_layers: int = 1
    dropout: float = 0.3

    def check(self) -> None:
        """Refuse hyperparameters that cannot be used."""
        super().check()
        need_count(self, "hidden", "n_layers")
        if self.n_layers > _MOST_LAYERS:
            raise MethodError(f"n_layers must be {_MOST_LAYERS} at most, not {self.n_layers}.")
        if self.batch_size < (least := 4 * self.devices - 1):
            raise MethodError(
                f"batch_size must be {least} at least, not {self.batch_size}: batch normalisation needs several cells a step"
                + (" on each device." if self.devices > 1 else ".")
            )

    def network(self, n_genes: int, n_types: int) -> torch.nn.Module:
        """The untrained network."""
        from sc_annotate.neural.mlp import mlp

        return mlp(
            n_genes,
            n_types,
            hidden=(self.hidden,) * self.n_layers,
            input_dropout=self.input_dropout,
            dropout=self.dropout,
            batch_norm=True,
            clip=self.clip if self.scaling == "each" else None,
        )


@dataclass(kw_only=True)
class ACTINN(TorchAnnotator):
    """The network of ACTINN: layers of 100, 50 and 25 rectified units, no dropout, L2 penalty through the gradient (Adam).

    Values are ``log1p`` of counts per 10,000, as everywhere here, where ACTINN takes log2.

    References
    ----------
    Ma & Pellegrini, Bioinformatics 2020, 10.1093/bioinformatics/btz592.

    Examples
    --------
    >>> import numpy as np
    >>> from sc_annotate.annotators.torch_mlp import ACTINN
    >>> X = np.array([[2, 0], [3, 0], [0, 2], [0, 3]], dtype=np.float32)
    >>> model = ACTINN(epochs=400, learning_rate=1e-2).fit(
    ...     X, np.array(["B", "B", "T", "T"]), genes=np.array(["MS4A1", "CD3D"])
    ... )
    >>> model.classes_[model.predict_proba(X).argmax(axis=1)].tolist()
    ['B', 'B', 'T', 'T']
    """

    shown_as: ClassVar[str] = "actinn"
    centred: ClassVar[bool] = False
    usual_epochs: ClassVar[int] = 50
    least_steps: ClassVar[int] = 4000

    sd_floor: float = 1.0
    clip: float | None = None
    input_dropout: float = 0.0
    learning_rate: float = 1e-4
    weight_decay: float = 0.01
    class_weight: Literal["balanced", "sqrt"] | None = None

    def network(self, n_genes: int, n_types: int) -> torch.nn.Module:
        """The untrained network."""
        from sc_annotate.neural.mlp import mlp

        return mlp(
            n_genes,
            n_types,
            hidden=(100, 50, 25),
            input_dropout=self.input_dropout,
            dropout=0.0,
            batch_norm=False,
            clip=self.clip if self.scaling == "each" else None,
        )

    def _more_settings(self) -> dict[str, Any]:
        return {"schedule": "constant", "decoupled": False}
