"""totalANVI: a latent space of counts and proteins with a classifier, learned from labelled cells and query together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from sc_annotate._core.arguments import need_count
from sc_annotate.annotators._scvi import ScviAnnotator
from sc_annotate.annotators._scvi_cells import BATCH, LABEL, UNLABELLED, drawn
from sc_annotate.annotators._torch_checks import MOST_EPOCHS, need_at_most
from sc_annotate.errors import MethodError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from sc_annotate.annotators._base import Matrix
    from sc_annotate.annotators._scvi_cells import Cells


@dataclass(kw_only=True)
class TotalANVI(ScviAnnotator):
    """totalANVI of scvi-tools: totalVI on the genes and proteins of all cells, then its classifier on the labelled ones.

    Parameters
    ----------
    protein_key
        Entry of ``obsm`` with the counts of the proteins, the same ones in the same order in reference and query.
    classifier_epochs, n_samples_per_label
        As of :class:`~sc_annotate.annotators.scvi_scanvi.ScANVI`.
    n_layers
        Hidden layers of the encoder; the decoder has one.

    References
    ----------
    totalVI: Gayoso et al., Nature Methods 2021, 10.1038/s41592-020-01050-x.

    Examples
    --------
    >>> from sc_annotate.annotators.scvi_totalanvi import TotalANVI
    >>> TotalANVI(protein_key="proteins").obsm_params
    ('protein_key',)
    """

    obsm_params: ClassVar[tuple[str, ...]] = ("protein_key",)

    protein_key: str = "protein_expression"
    n_latent: int = 20
    n_layers: int = 2
    n_hidden: int = 256
    learning_rate: float = 4e-3
    classifier_epochs: int | None = None
    n_samples_per_label: int | None = 100

    def check(self) -> None:
        """Refuse hyperparameters that cannot be used."""
        super().check()
        names = ("classifier_epochs", "n_samples_per_label")
        need_count(self, *(name for name in names if getattr(self, name) is not None))
        for name in (each for each in names if each.endswith("epochs")):
            need_at_most(self, name, MOST_EPOCHS)

    def check_obsm(self, own: Mapping[str, NDArray[Any]], asked: Mapping[str, NDArray[Any]]) -> None:
        """Refuse proteins that are no counts, or not the same on both sides."""
        n, m = own["protein_key"].shape[1], asked["protein_key"].shape[1]
        if n != m:
            raise MethodError(
                f"TotalANVI: the reference has {n} proteins and the query {m}. Keep those that both have, in one order."
            )
        for values in (own["protein_key"], asked["protein_key"]):
            if (values < 0).any() or (values != np.rint(values)).any():
                raise MethodError(
                    "TotalANVI: protein_key must name counts, which are whole numbers from 0, and its values are none. "
                    "Use the counts before normalisation."
                )

    def learn(self, scvi: Any, cells: Cells) -> NDArray[Any]:
        """Train totalVI, then the classifier."""
        from sc_annotate.neural.scvi_tools import external, train, whole_minibatches

        cls = external(scvi, "TOTALANVI")
        adata = cells.anndata()
        scvi.model.TOTALVI.setup_anndata(adata, protein_expression_obsm_key="protein_key", batch_key=BATCH)
        first = scvi.model.TOTALVI(
            adata,
            n_latent=self.n_latent,
            n_layers_encoder=self.n_layers,
            n_hidden=self.n_hidden,
        )
        size = whole_minibatches(self.batch_size, [adata.n_obs, drawn(cells, self.n_samples_per_label)])
        how: dict[str, Any] = {"train_size": 1.0, "shuffle_set_split": False, "batch_size": size}
        self.history_ += train(
            first,
            self.n_epochs(self.epochs, adata.n_obs),
            network=0,
            what="training totalVI",
            lr=self.learning_rate,
            early_stopping=False,
            reduce_lr_on_plateau=False,
            **how,
        )
        model = cls.from_totalvi_model(first, unlabeled_category=UNLABELLED, labels_key=LABEL)
        self.history_ += train(
            model,
            self.n_epochs(self.classifier_epochs, adata.n_obs, usual=20, least=200),
            network=1,
            what="training totalANVI",
            labelled=True,
            n_samples_per_label=self.n_samples_per_label,
            plan_kwargs={"lr": self.learning_rate},
            **how,
        )
        asked = np.arange(cells.n_labelled, adata.n_obs)
        proba = np.zeros((0, len(cells.types.present)))
        if len(asked):
            proba = model.predict(indices=asked, soft=True, batch_size=1024).to_numpy()
        return proba

    def predict_proba(self, X: Matrix) -> NDArray[np.float32]:
        """Not possible: the encoder needs the proteins of the cells."""
        raise MethodError(
            "TotalANVI needs the proteins of the cells, which their counts of genes do not hold. predict_query() has the "
            "probabilities of the query."
        )
