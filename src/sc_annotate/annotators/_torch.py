"""Base of the networks: training, prediction and storage, which all of them share."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from sc_annotate._core.arguments import one_of
from sc_annotate._core.decode import decode
from sc_annotate.annotators._base import Annotator
from sc_annotate.annotators._linear_evidence import check_codes
from sc_annotate.annotators.checks import check_fit, check_predict, need_fitted

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import Self

    import torch
    from numpy.typing import ArrayLike, NDArray

    from sc_annotate.annotators._base import Arrays, Matrix
    from sc_annotate.neural.batches import Cells
    from sc_annotate.neural.module import CrossEntropy
    from sc_annotate.neural.settings import TrainSettings


@dataclass(kw_only=True)
class TorchAnnotator(Annotator):
    """Base of networks trained by cross-entropy; a subclass writes ``network`` and has its own defaults.

    Parameters
    ----------
    sd_floor
        Genes are divided by their standard deviation, or by this where it is larger: noise in genes that hardly vary
        would otherwise weigh as much as signal. 0: no least value. Without effect where `scaling` is ``"common"``.
    clip
        Largest absolute value of a scaled gene; None: no limit. Without effect where `scaling` is ``"common"``.
    input_dropout
        Share of the genes that are set to 0 in each cell of each step.
    epochs
        Passes over the cells. None: as many as are usual for the network, and more where these would be too few steps, as on
        a small reference.
    batch_size
        Cells a step.
    learning_rate
        Largest step size.
    weight_decay
        Of the matrices, not of the biases; see ``torch.optim.AdamW``.
    class_weight
        Weight of a cell in the loss: ``"balanced"``, proportional to 1 / (size of its type); ``"sqrt"``, to the inverse
        square root of it; None, equal weights. Weights have mean 1.
    n_networks
        Networks trained from different seeds, whose probabilities are averaged.
    patience
        Epochs without a smaller loss on a tenth of the cells (whole batches, where there are at least three), after which
        training ends; the best weights are kept. These cells are not learned from. None: all epochs, all cells.
    checkpoint
        Folder that the state of a training is written to after each epoch. A fit with the same data and parameters that
        was interrupted continues from there; the files of a finished one are removed. None: nothing is written.
    scaling
        ``"each"``: genes are divided each by its own standard deviation; ``"common"``: all columns by one number, so that the
        mean variance is 1. With ``use_rep`` the default is ``"common"``, as the last dimensions of an embedding, mostly noise,
        would else count as much as the first.
    precision
        ``"32"``: single precision; ``"bf16-mixed"`` or ``"16-mixed"``: half of it where that is safe, which a GPU computes
        several times faster; ``"auto"``: ``"bf16-mixed"`` on GPUs that have it, else ``"32"``.
    devices
        GPUs that share each minibatch, one process each; in scripts, with cells in memory.
    """

    parallel: ClassVar[bool] = False
    deep: ClassVar[bool] = True

    sd_floor: float = 0.2
    clip: float | None = 10.0
    input_dropout: float = 0.5
    epochs: int | None = None
    batch_size: int = 128
    learning_rate: float = 2e-3
    weight_decay: float = 1.0
    class_weight: Literal["balanced", "sqrt"] | None = "sqrt"
    n_networks: int = 1
    patience: int | None = None
    checkpoint: str | None = None
    scaling: Literal["each", "common"] = "each"
    precision: Literal["auto", "32", "16-mixed", "bf16-mixed"] = "auto"
    devices: int = 1

    if TYPE_CHECKING:
        networks_: list[torch.nn.Module] = field(init=False)
        n_genes_: int = field(init=False)
        precision_: str = field(init=False)
        history_: list[dict[str, float]] = field(init=False)  # of a model just fitted only

    shown_as: ClassVar[str] = "network"
    """Name of the method, beside the progress bar."""
    saliencies: ClassVar[tuple[str, ...]] = ("integrated_gradients", "input_x_gradient")
    """What ``gene_evidence`` can be, the most faithful first: functions of :mod:`sc_annotate.neural.attribution`."""
    centred: ClassVar[bool] = True
    """Whether the mean of each gene is subtracted."""
    usual_epochs: ClassVar[int] = 30
    """Where `epochs` is None, so many, and more on small references, so that there are at least..."""
    least_steps: ClassVar[int] = 500
    """... so many steps."""

    @classmethod
    def import_libraries(cls) -> None:
        """Import torch and Lightning; an error says what is wrong with them."""
        from sc_annotate.neural.libraries import lightning

        lightning()

    @abstractmethod
    def network(self, n_genes: int, n_types: int) -> torch.nn.Module:
        """An untrained network; `n_genes` in, one score a type out. Its first ``Scale`` is set by ``fit``."""

    def check(self) -> None:
        """Refuse hyperparameters that cannot be used."""
        from sc_annotate.annotators._torch_checks import check_network

        check_network(self)

    def fit(
        self,
        X: Matrix,
        y: NDArray[np.str_],
        *,
        genes: NDArray[np.str_],
        batch: NDArray[np.str_] | None = None,
        rng: int = 0,
    ) -> Self:
        """Train; `batch` serves the choice of the cells that end it (`patience`) alone."""
        from sc_annotate.neural.batches import ArrayBlocks

        self.check()
        matrix, codes, classes = check_fit(X, y, genes, batch)
        return self._fit(ArrayBlocks(matrix, codes), classes, batch, rng)

    def fit_blocks(
        self,
        blocks: Cells,
        *,
        classes: ArrayLike,
        genes: ArrayLike,
        batch: NDArray[Any] | None = None,
        rng: int = 0,
    ) -> Self:
        """Train on cells that are read block by block in each epoch; otherwise as `fit`.

        Parameters
        ----------
        blocks
            Cells with the numbers of their types (:class:`~sc_annotate.neural.batches.StreamedBlocks`). One more pass over
            them gives the means and spreads of the genes.
        classes
            Names of the types, sorted, str, shape (k,); each has cells.
        genes, batch, rng
            As of `fit`.
        """
        from sc_annotate.annotators._torch_blocks import checked_blocks

        self.check()
        return self._fit(blocks, checked_blocks(blocks, classes, genes, batch), batch, rng)

    def _fit(self, cells: Cells, classes: NDArray[np.str_], batch: NDArray[Any] | None, rng: int) -> Self:
        from sc_annotate.annotators._torch_blocks import (
            check_devices,
            loss_weights,
            scale_of,
            stopping_cells,
        )
        from sc_annotate.neural import hardware
        from sc_annotate.neural.folders import fingerprint, ready
        from sc_annotate.neural.training import train

        check_devices(self.devices, cells)
        on = hardware.plan(self.precision, self.devices, hardware.find())
        self.precision_ = on.precision.removesuffix("-true")
        learned, held = stopping_cells(cells.codes, batch, rng) if self.patience is not None else (None, None)
        seen, stop_on = cells if learned is None else cells.part(learned), None if held is None else cells.part(held)
        mean, factor = scale_of(seen, self.scaling, self.sd_floor, len(classes))
        make = partial(self._scaled, mean, factor, len(classes))
        weights = loss_weights(seen.codes, self.class_weight, len(classes))

        def loss() -> CrossEntropy:
            from sc_annotate.neural.module import CrossEntropy

            return CrossEntropy(weights)

        states = None
        if self.checkpoint is not None:
            digest = fingerprint(cells, [type(self).__name__, self.params(), rng], (mean, factor))
            states = ready(self.checkpoint) / digest
        networks, self.history_ = [], []
        for i in range(self.n_networks):
            how = self._settings(i, seen.n_cells, states)
            network, history = train(make, seen, loss, how, rng=rng + i, stop_on=stop_on, what=self._what(i))
            networks.append(network)
            self.history_ += [{"network": float(i), **row} for row in history]
        for i in range(self.n_networks):
            if (used := self._settings(i, seen.n_cells, states).checkpoint) is not None:
                used.unlink(missing_ok=True)
        self.networks_, self.n_genes_, self.classes_ = networks, cells.n_genes, classes
        return self

    def predict_proba(self, X: Matrix) -> NDArray[np.float32]:
        """Probabilities, cells x types, float32, columns in ``classes_`` order; on a GPU where there is one."""
        from sc_annotate.neural.predict import probabilities

        need_fitted(self, "networks_")
        return probabilities(self.networks_, check_predict(X, self.n_genes_), len(self.classes_))

    def gene_evidence(self, X: Matrix, codes: NDArray[np.intp], *, saliency: str | None = None) -> NDArray[np.float32]:
        """What each gene does for type ``codes[i]`` in cell ``i``, float32, cells x genes.

        `saliency` is one of ``saliencies``, by default the first.
        """
        from sc_annotate.neural import attribution

        need_fitted(self, "networks_")
        matrix = check_predict(X, self.n_genes_)
        numbers = check_codes(codes, matrix.shape[0], len(self.classes_))
        name = self.saliencies[0] if saliency is None else one_of(saliency, "saliency", self.saliencies)
        found: NDArray[np.float32] = getattr(attribution, name)(self.networks_, matrix, numbers)
        return found

    def params(self) -> dict[str, Any]:
        """Hyperparameters, by name, as far as they change the numbers; of a fitted model the precision it was trained with."""
        found = {name: value for name, value in super().params().items() if name != "checkpoint"}
        used = getattr(self, "precision_", "32") if self.precision == "auto" else self.precision
        found["precision"] = "auto" if self.precision == "auto" and used == "32" else used
        unchanged = {"precision": "auto", "devices": 1}
        return {name: value for name, value in found.items() if name not in unchanged or value != unchanged[name]}

    def to_arrays(self) -> tuple[Arrays, dict[str, Any]]:
        """Weights of all networks."""
        from sc_annotate.annotators._torch_state import arrays_of

        need_fitted(self, "networks_")
        return arrays_of(self.networks_), {"params": self.params(), "n_genes": self.n_genes_}

    @classmethod
    def from_arrays(cls, arrays: Arrays, meta: Mapping[str, Any], classes: NDArray[np.str_]) -> Self:
        """Rebuild a fitted model."""
        from sc_annotate.annotators._torch_state import networks_from

        if wrong := meta.keys() ^ {"params", "n_genes"}:
            raise ValueError(f"the state lacks or does not know {', '.join(sorted(map(repr, wrong)))}")
        model = decode(cls, dict(meta["params"]), "params")
        model.check()
        n_genes, names = decode(int, meta["n_genes"], "n_genes"), np.asarray(classes).astype(str)
        model.networks_ = networks_from(arrays, partial(model.network, n_genes, len(names)), model.n_networks, n_genes)
        model.n_genes_, model.classes_ = n_genes, names
        return model

    def _scaled(self, mean: NDArray[np.float64], factor: NDArray[np.float64], n_types: int) -> torch.nn.Module:
        """The untrained network for these cells: genes centred and divided by their standard deviation."""
        import torch

        from sc_annotate.neural.mlp import Scale

        network = self.network(len(mean), n_types)
        scale = next(module for module in network.modules() if isinstance(module, Scale))
        scale.factor = torch.as_tensor(factor, dtype=torch.float32)
        if self.centred or self.scaling == "common":
            scale.center = torch.as_tensor(mean, dtype=torch.float32)
        return network

    def _what(self, i: int) -> str:
        several = f", network {i + 1} of {self.n_networks}" if self.n_networks > 1 else ""
        return f"training {self.shown_as}{several}"

    def _settings(self, i: int, n_cells: int, states: Path | None) -> TrainSettings:
        from sc_annotate.neural.batches import n_minibatches
        from sc_annotate.neural.settings import TrainSettings

        enough = -(-self.least_steps // n_minibatches(n_cells, self.batch_size))
        return TrainSettings(
            # torch refuses the integers of numpy.
            epochs=max(self.usual_epochs, enough) if self.epochs is None else int(self.epochs),
            batch_size=int(self.batch_size),
            learning_rate=float(self.learning_rate),
            weight_decay=float(self.weight_decay),
            patience=None if self.patience is None else int(self.patience),
            precision=self.precision,
            devices=int(self.devices),
            checkpoint=None if states is None else states.with_name(f"{states.name}-{i}.ckpt"),
            **self._more_settings(),
        )

    def _more_settings(self) -> dict[str, Any]:
        """What the training of this network has beside what all have."""
        return {}
