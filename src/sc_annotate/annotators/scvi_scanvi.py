"""scANVI: a latent space of counts with a classifier, learned from labelled cells and query together."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from sc_annotate._core.arguments import need_count
from sc_annotate.annotators._scvi import ScviEncoder
from sc_annotate.annotators._scvi_cells import BATCH, LABEL, UNLABELLED, drawn
from sc_annotate.annotators._torch_checks import MOST_EPOCHS, need_at_most
from sc_annotate.errors import MethodError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sc_annotate.annotators._scvi_cells import Cells


@dataclass(kw_only=True)
class ScANVI(ScviEncoder):
    """scANVI of scvi-tools: scVI on all cells, then its classifier on the labelled ones.

    Parameters
    ----------
    classifier_epochs
        Passes over all cells with the classifier. None: 20, more where these would be fewer than 200 minibatches, fewer
        with more than 20,000 cells.
    n_samples_per_label
        Labelled cells of each type drawn in an epoch, at most. None: all.
    surgery
        False: the query takes part from the start. True: the model is learned from the labelled cells, with layer
        normalisation and batches in the encoder, and its weights for the batches of the query are learned afterwards
        (``load_query_data``), which is faster where one reference serves.
    query_epochs
        Passes over the query, with ``surgery=True`` only. None: as `epochs`, for the number of its cells, 40 being usual.

    References
    ----------
    Xu et al., Molecular Systems Biology 2021, 10.15252/msb.20209620; surgery: Lotfollahi et al., Nature Biotechnology 2022,
    10.1038/s41587-021-01001-7.

    Examples
    --------
    >>> from sc_annotate.annotators.scvi_scanvi import ScANVI
    >>> ScANVI(surgery=True, query_epochs=20).params()["query_epochs"]
    20
    """

    classifier_epochs: int | None = None
    n_samples_per_label: int | None = 100
    surgery: bool = False
    query_epochs: int | None = None

    if TYPE_CHECKING:
        network_: Any = field(init=False)
        batches_: list[int] = field(init=False)  # that a cell may be of: all the same without surgery

    usual_query_epochs: ClassVar[int] = 40

    def check(self) -> None:
        """Refuse hyperparameters that cannot be used."""
        super().check()
        names = ("classifier_epochs", "n_samples_per_label", "query_epochs")
        need_count(self, *(name for name in names if getattr(self, name) is not None))
        for name in (each for each in names if each.endswith("epochs")):
            need_at_most(self, name, MOST_EPOCHS)
        if not isinstance(self.surgery, bool):
            raise MethodError(f"ScANVI: surgery must be True or False, not {self.surgery!r}.")
        if self.query_epochs is not None and not self.surgery:
            raise MethodError(
                "ScANVI: query_epochs is used with surgery=True alone. Leave it out, or set surgery=True."
            )

    def learn(self, scvi: Any, cells: Cells) -> NDArray[Any]:
        """Train scVI, then the classifier, and with `surgery` the weights of the query's batches."""
        from sc_annotate.neural.scvi_tools import train, whole_minibatches

        part = slice(cells.n_labelled if self.surgery else None)
        adata = cells.anndata(part)
        scvi.model.SCVI.setup_anndata(adata, batch_key=BATCH, labels_key=LABEL)
        own = {"encode_covariates": True, "use_layer_norm": "both", "use_batch_norm": "none"} if self.surgery else {}
        first = scvi.model.SCVI(adata, n_latent=self.n_latent, n_layers=self.n_layers, n_hidden=self.n_hidden, **own)
        size = whole_minibatches(self.batch_size, [adata.n_obs, drawn(cells, self.n_samples_per_label)])
        how: dict[str, Any] = {"train_size": 1.0, "shuffle_set_split": False, "batch_size": size}
        plan = {"lr": self.learning_rate}
        epochs = self.n_epochs(self.epochs, adata.n_obs)
        self.history_ += train(first, epochs, network=0, what="training scVI", plan_kwargs=plan, **how)
        model = scvi.model.SCANVI.from_scvi_model(first, unlabeled_category=UNLABELLED)
        epochs = self.n_epochs(self.classifier_epochs, adata.n_obs, usual=20, least=200)
        self.history_ += train(
            model,
            epochs,
            network=1,
            what="training scANVI",
            labelled=True,
            n_samples_per_label=self.n_samples_per_label,
            plan_kwargs=plan,
            **how,
        )
        if self.surgery and len(cells.query_batches):
            query = cells.anndata(slice(cells.n_labelled, None))
            model = scvi.model.SCANVI.load_query_data(query, model)
            epochs = self.n_epochs(self.query_epochs, query.n_obs, usual=self.usual_query_epochs)
            how["batch_size"] = whole_minibatches(self.batch_size, [query.n_obs])
            plan["weight_decay"] = 0.0
            self.history_ += train(model, epochs, network=2, what="training scANVI", plan_kwargs=plan, **how)
        self.network_ = model.module.to("cpu").eval().requires_grad_(False)
        self.batches_ = np.unique(cells.query_batches).tolist() or [0] if self.surgery else [0]
        asked = cells.X[cells.n_labelled :]
        return self._classify(asked, cells.query_batches if self.surgery else np.zeros(asked.shape[0], np.intp))

    def forward(self, X: Any) -> NDArray[Any]:
        """Probabilities from the encoder and the classifier; with `surgery`, the mean over the batches of the query."""
        each = [self._classify(X, np.full(X.shape[0], batch)) for batch in self.batches_]
        return np.mean(each, axis=0)

    def _classify(self, X: Any, batches: NDArray[np.intp]) -> NDArray[Any]:
        from sc_annotate.neural.scvi_tools import in_blocks

        def classify(counts: Any, numbers: Any) -> Any:
            scores = self.network_.classify(counts, batch_index=numbers)
            return scores.softmax(dim=-1) if self.network_.classifier.logits else scores

        return in_blocks(classify, X, batches, self.network_.n_labels)
