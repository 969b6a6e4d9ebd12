"""Base of the models of scvi-tools: what they are given, how they are trained, what is kept of them."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from sc_annotate._core.arguments import need_count, need_positive
from sc_annotate._core.cells import as_matrix
from sc_annotate.annotators._base import Annotator
from sc_annotate.annotators._scvi_cells import Side, checked_obsm, counts, prepare, with_counts
from sc_annotate.annotators._torch_checks import MOST_EPOCHS, need_at_most
from sc_annotate.annotators.checks import check_predict, need_fitted
from sc_annotate.errors import MethodError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    import numpy as np
    from numpy.typing import NDArray

    from sc_annotate._core.records import Input
    from sc_annotate.annotators._base import Matrix
    from sc_annotate.annotators._scvi_cells import Cells, Types


@dataclass(kw_only=True)
class ScviAnnotator(Annotator):
    """Base of the models of scvi-tools, which learn from the labelled cells and the query at once.

    Parameters
    ----------
    n_latent
        Dimensions of the latent space.
    n_layers
        Hidden layers of the encoder and of the decoder.
    n_hidden
        Units of each of them.
    epochs
        Passes over all cells before the labels are used. None: 100, more where these would be fewer than 1,000 minibatches,
        fewer with more than 20,000 cells.
    learning_rate
        Step size.
    batch_size
        Cells a step, from 2; one that leaves a last minibatch of one or two cells is changed by as little as possible.
    """

    inputs: ClassVar[Input] = "counts"
    transductive: ClassVar[bool] = True
    saves: ClassVar[bool] = False
    deep: ClassVar[bool] = True
    obsm_params: ClassVar[tuple[str, ...]] = ()
    """Hyperparameters that name an entry of ``obsm`` each, whose values ``fit`` is given."""

    n_latent: int = 10
    n_layers: int = 1
    n_hidden: int = 128
    epochs: int | None = None
    learning_rate: float = 2e-3
    batch_size: int = 128

    if TYPE_CHECKING:
        history_: list[dict[str, float]] = field(init=False)
        n_genes_: int = field(init=False)
        types_: Types = field(init=False)
        query_proba_: NDArray[np.float32] = field(init=False)

    usual_epochs: ClassVar[int] = 100
    least_steps: ClassVar[int] = 1000

    @classmethod
    def import_libraries(cls) -> None:
        """Import scvi-tools; an error says what is wrong with it."""
        from sc_annotate.neural.libraries import scvi

        scvi()

    def check(self) -> None:
        """Refuse hyperparameters that cannot be used."""
        need_count(self, "n_latent", "n_layers", "n_hidden", "batch_size")
        need_positive(self, "learning_rate")
        if self.epochs is not None:
            need_count(self, "epochs")
            need_at_most(self, "epochs", MOST_EPOCHS)
        if self.batch_size < 2:
            raise MethodError(f"{type(self).__name__}: batch_size must be at least 2, not {self.batch_size!r}.")
        for name in self.obsm_params:
            if not isinstance(value := getattr(self, name), str) or not value:
                raise MethodError(f"{type(self).__name__}: {name} must name an entry of obsm, not {value!r}.")

    @abstractmethod
    def learn(self, scvi: Any, cells: Cells) -> NDArray[Any]:
        """Train, and return probabilities of the types present in the cells of the query that have counts."""

    def fit(
        self,
        X: Matrix,
        y: NDArray[np.str_],
        *,
        genes: NDArray[np.str_],
        batch: NDArray[np.str_] | None = None,
        rng: int = 0,
        query: Matrix | None = None,
        query_batch: NDArray[np.str_] | None = None,
        obsm: Mapping[str, Matrix] | None = None,
        query_obsm: Mapping[str, Matrix] | None = None,
    ) -> Self:
        """Learn from labelled cells and the query.

        Parameters
        ----------
        X, y, genes, batch, rng
            As of :class:`Annotator`; `X` holds counts. Where there are no batches, all labelled cells are one.
        query
            Counts of the cells to be annotated, with the same genes.
        query_batch
            Their batches, or None: one of their own.
        obsm, query_obsm
            By hyperparameter (``obsm_params``), values of the labelled cells and of the query, cells x columns.
        """
        from sc_annotate.neural.scvi_tools import scvi_as_before

        self.check()
        if query is None:
            raise MethodError(
                f"{type(self).__name__} learns from the cells to be annotated too. Hand them in: "
                "fit(X, y, genes=..., query=...); or use sca.tl.annotate, which does."
            )
        own = checked_obsm(obsm, self.obsm_params, as_matrix(X).shape[0], "obsm")
        asked = checked_obsm(query_obsm, self.obsm_params, as_matrix(query).shape[0], "query_obsm")
        self.check_obsm(own, asked)
        cells = prepare(y, genes, Side(X, batch, own), Side(query, query_batch, asked))
        self.history_ = []
        with scvi_as_before(rng) as scvi:
            proba = self.learn(scvi, cells)
        self.classes_, self.n_genes_, self.types_ = cells.types.classes, cells.X.shape[1], cells.types
        self.query_proba_ = cells.types.completed(proba, cells.seen)
        return self

    def check_obsm(self, own: Mapping[str, NDArray[Any]], asked: Mapping[str, NDArray[Any]]) -> None:
        """Refuse values of ``obsm_params`` that cannot be used."""

    def predict_query(self) -> NDArray[np.float32]:
        """Probabilities of the types in the query of ``fit``, cells x types, float32, columns in ``classes_`` order."""
        need_fitted(self, "query_proba_")
        return self.query_proba_.copy()

    def n_epochs(self, asked: int | None, n_cells: int, *, usual: int | None = None, least: int | None = None) -> int:
        """Epochs of a training: those asked for, or as many as are usual, with enough minibatches."""
        if asked is not None:
            return int(asked)  # Lightning refuses the integers of numpy
        usual = self.usual_epochs if usual is None else usual
        least = self.least_steps if least is None else least
        steps = -(-n_cells // self.batch_size)
        return max(min(usual, round(usual * 20_000 / n_cells)), -(-least // steps))


class ScviEncoder(ScviAnnotator):
    """Base of those whose encoder needs nothing but counts, and so serves cells that were not in the query."""

    @abstractmethod
    def forward(self, X: Any) -> NDArray[Any]:
        """Probabilities of the types present in cells with counts."""

    def predict_proba(self, X: Matrix) -> NDArray[np.float32]:
        """Probabilities of the types in any cells, from their counts."""
        need_fitted(self, "query_proba_")
        matrix = counts(check_predict(X, self.n_genes_), "X")
        seen = with_counts(matrix)
        return self.types_.completed(self.forward(matrix[seen]), seen)
