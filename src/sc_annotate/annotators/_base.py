"""The contract of annotators: arrays in, arrays out, never an AnnData."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from sc_annotate._core.arguments import public

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self, TypeAlias

    import numpy as np
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

    from sc_annotate._core.records import Input
    from sc_annotate._core.registry import Statistic

    Matrix: TypeAlias = NDArray[np.floating[Any]] | csr_matrix
    Arrays: TypeAlias = dict[str, NDArray[Any]]


class AnnotatorLike(Protocol):
    """What any annotator has, whether it derives from :class:`Annotator` or not; see there for shapes and types.

    Examples
    --------
    >>> from sc_annotate.annotators import AnnotatorLike
    >>> def labels(model: AnnotatorLike, X):
    ...     return model.classes_[model.predict_proba(X).argmax(axis=1)]
    """

    # Set by `fit`.
    classes_: NDArray[np.str_]

    def fit(
        self,
        X: Matrix,
        y: NDArray[np.str_],
        *,
        genes: NDArray[np.str_],
        batch: NDArray[np.str_] | None = None,
        rng: int = 0,
    ) -> Any: ...

    def predict_proba(self, X: Matrix) -> NDArray[np.float32]: ...


@dataclass
class Annotator(ABC):
    """Base class of annotators.

    Derive from it, as a dataclass whose fields are the hyperparameters, and write :meth:`fit` and :meth:`predict_proba`;
    nothing is computed before ``fit``. A class that has only these two need not derive from anything.
    :func:`sc_annotate.testing.check_annotator` checks either. :mod:`sc_annotate.annotators.checks` has the checks of input
    that every method needs.

    What a method can do and needs is declared by class attributes, which are all optional; they are below, with their
    defaults. So are these members:

    ``to_arrays()`` and ``from_arrays(arrays, meta, classes)``
        The fitted state as plain arrays. Without them, say ``saves = False``; the model then lives as long as its process.
    ``gene_evidence(X, codes)``
        How much each gene pushed the log-odds of type ``codes[i]`` in cell ``i``: float32, cells x genes, CSR or dense, 0
        where the gene has no value. Without it, :func:`sc_annotate.tl.evidence` deletes one gene at a time, which is slow.
        With several kinds of evidence it takes ``saliency=``, one of ``saliencies``.
    ``gene_attention(X)``
        Of a network with attention over genes: the weight of each, float32, cells x genes, rows that sum to 1.
    ``coefficients()`` and ``link``
        Of a linear method: coefficients (types x genes) and intercepts, and ``"softmax"`` or ``"sigmoid"``. They are kept
        with a result, so that evidence needs no model.
    ``import_libraries()``
        A class method that imports what an extra brings, or raises :class:`~sc_annotate.errors.MissingExtraError`. It is
        called before any data are read.
    ``fit_statistics(statistics, *, classes)``
        Learns from sums over blocks of cells (:class:`~sc_annotate.annotators.statistics.Statistics`) in place of a
        matrix; see ``streams``.
    ``fit_blocks(blocks, *, classes, genes, batch=None, rng=0)``
        Learns from cells that are read block by block, as often as it likes, with the numbers of their types among `classes`
        (``blocks.epoch(seed)``, ``blocks.in_order()``, ``blocks.codes``: :class:`~sc_annotate.neural.batches.StreamedBlocks`).

    Attributes
    ----------
    classes_ : numpy.ndarray
        Names of the types, sorted, str, shape (k,). Set by :meth:`fit`.
    inputs : str
        What `X` holds: ``"log"`` (``log1p`` of counts per 10,000; the default), ``"counts"``, or ``"embedding"``.
    transductive : bool
        Whether the cells to be annotated take part in the fit, so that nothing can be fitted in advance. Default False. Then
        ``fit`` also takes ``query``, their values for the same genes, ``query_batch``, their batches (None where `batch` is),
        ``obsm`` and ``query_obsm``; and ``predict_query()`` returns their probabilities, as `predict_proba` would.
    obsm_params : tuple of str
        Of a transductive method: hyperparameters that each name an entry of ``obsm``. ``obsm`` and ``query_obsm`` then map
        each of these hyperparameters to an array, float32, one row a cell, with the columns that both objects have. Default ().
    streams : tuple of str
        Statistics that ``fit_statistics`` learns from, so that no matrix is needed: ``"sums"`` (moments of each gene),
        ``"products"`` (of all genes), ``"distances"`` (of cells from the mean of their type). Default (): it needs the
        cells.
    unlabelled : bool
        Whether :meth:`fit` also takes ``unlabelled=``, cells without a label x genes, and ``unlabelled_batch=``, their batches
        or None. They are passed only where there are such cells; both default to None. Default False.
    parallel : bool
        Whether :meth:`predict_proba` may run on several threads at once and leaves its input as it is. Default False: it
        runs on one thread, on a copy.
    deterministic : bool
        Whether equal seeds give equal models, bit for bit, on one machine. Default True.
    saves : bool
        Whether :meth:`to_arrays` holds the whole fitted state. Default True; where it is False, the model cannot be saved.
    deep : bool
        Whether it counts as deep learning. Default False. Such a method is scored beside ``logreg_pca`` too, and whether it is
        better than its baselines is stored and printed in words. Its :meth:`fit` may leave ``history_``, a dict an epoch
        with ``epoch``, ``loss`` and, where there are, ``network`` (from 0) and ``held_out_loss``.
    aligns : bool
        Whether ``decision(X)`` is `X` times ``coefficients()`` plus the intercept, exactly so, and ``probabilities(scores)`` makes
        probabilities of it: what shifts all cells of a query then changes the intercept alone, and can be taken off
        (``align=`` of :class:`sc_annotate.trust.Options`). Default False.
    saliencies : tuple of str
        Kinds of evidence that ``gene_evidence`` takes as ``saliency``, the default first. Default (): it has one alone.
    scaling : str
        Optional, a hyperparameter: a method that has it gets ``"common"`` where the columns are dimensions of an embedding
        (``use_rep``), and should then divide them all by one number.
    registry_record : dict
        Optional: what the table of methods shows, with any of the fields ``summary``, ``inputs``, ``kind``, ``extra``,
        ``reference`` and ``saves``.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> import numpy as np
    >>> from sc_annotate.annotators import Annotator, check_fit, check_predict
    >>> @dataclass
    ... class Shares(Annotator):
    ...     saves = False
    ...
    ...     def fit(self, X, y, *, genes, batch=None, rng=0):
    ...         matrix, codes, self.classes_ = check_fit(X, y, genes, batch)
    ...         self.n_genes_ = matrix.shape[1]
    ...         self.shares_ = np.bincount(codes) / len(codes)
    ...         return self
    ...
    ...     def predict_proba(self, X):
    ...         n_cells = check_predict(X, self.n_genes_).shape[0]
    ...         return np.tile(self.shares_, (n_cells, 1)).astype(np.float32)
    >>> model = Shares().fit(np.ones((4, 1)), ["T", "T", "T", "B"], genes=["CD3D"])
    >>> model.predict_proba(np.ones((1, 1))).tolist()
    [[0.25, 0.75]]
    """

    if TYPE_CHECKING:
        # Not a dataclass field: `fit` sets it.
        classes_: NDArray[np.str_] = field(init=False)

    # The docstring of the class describes them, where ``help`` shows it.
    inputs: ClassVar[Input] = "log"
    transductive: ClassVar[bool] = False
    obsm_params: ClassVar[tuple[str, ...]] = ()
    streams: ClassVar[tuple[Statistic, ...]] = ()
    unlabelled: ClassVar[bool] = False
    parallel: ClassVar[bool] = False
    deterministic: ClassVar[bool] = True
    saves: ClassVar[bool] = True
    deep: ClassVar[bool] = False
    aligns: ClassVar[bool] = False
    saliencies: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "fit" in vars(cls):
            # So that `rng` may be a Generator, of which the method sees an integer.
            own: Any = cls
            own.fit = public(vars(cls)["fit"])

    def params(self) -> dict[str, Any]:
        """Hyperparameters, by name."""
        return asdict(self)

    def streamed(self) -> tuple[Statistic, ...]:
        """Those of ``streams`` that are needed with these hyperparameters."""
        return self.streams

    @abstractmethod
    def fit(
        self,
        X: Matrix,
        y: NDArray[np.str_],
        *,
        genes: NDArray[np.str_],
        batch: NDArray[np.str_] | None = None,
        rng: int = 0,
    ) -> Self:
        """Learn the types.

        Parameters
        ----------
        X
            Cells x genes, float32, CSR or dense; what ``inputs`` says. Do not modify it.
        y
            One label a cell, str, shape (n,).
        genes
            One name a column of `X`, str, shape (p,).
        batch
            One batch a cell, str, shape (n,), or None.
        rng
            Seed. Draw from ``numpy.random.default_rng(rng)``, never from the global state.

        Returns
        -------
        Itself, with ``classes_`` and other attributes that end in ``_``.

        Raises
        ------
        sc_annotate.errors.InputError
            One of its kinds, where `X`, `y`, `genes` or `batch` do not fit each other
            (:func:`~sc_annotate.annotators.check_fit` raises it), or a hyperparameter cannot be used (MethodError).
        """

    @abstractmethod
    def predict_proba(self, X: Matrix) -> NDArray[np.float32]:
        """Probability of each type in each cell.

        Parameters
        ----------
        X
            Cells x genes, with the genes of :meth:`fit` in their order. No cells at all and cells of zeros occur.

        Returns
        -------
        float32, shape (n, k), rows that sum to 1, columns in ``classes_`` order. What a cell gets must not depend on which
        cells come with it, as cells arrive in blocks.
        """

    def to_arrays(self) -> tuple[Arrays, dict[str, Any]]:
        """The fitted state.

        Returns
        -------
        A flat dict of numeric numpy arrays, and a dict that JSON can hold. Together with ``classes_`` they are all that is
        saved; no code is.
        """
        raise NotImplementedError(f"{type(self).__name__} keeps no arrays; its record says so (saves=False)")

    @classmethod
    def from_arrays(cls, arrays: Arrays, meta: Mapping[str, Any], classes: NDArray[np.str_]) -> Self:
        """Rebuild what :meth:`to_arrays` described; `classes` become ``classes_``.

        The model must predict the same, bit for bit.
        """
        raise NotImplementedError(f"{cls.__name__} keeps no arrays; its record says so (saves=False)")
