"""The contract of encoders: arrays in, coordinates of cells out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from sc_annotate._core.arguments import public

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    import numpy as np
    from numpy.typing import NDArray

    from sc_annotate._core.records import Input

    Arrays = dict[str, NDArray[Any]]


@dataclass
class Encoder(ABC):
    """Base class of encoders: what learns coordinates of cells without their labels.

    Derive from it, as a dataclass whose fields are the hyperparameters, and write :meth:`fit` and :meth:`embed`; nothing is
    computed before ``fit``.

    Attributes
    ----------
    inputs : str
        What `X` holds: ``"log"`` (``log1p`` of counts per 10,000), or ``"counts"``.
    saves : bool
        Whether :meth:`to_arrays` holds the whole fitted state.
    deep : bool
        Whether it counts as deep learning. Such an encoder is scored beside principal components.

    Examples
    --------
    >>> import numpy as np
    >>> from sc_annotate.encoders.pca import PCAEncoder
    >>> X = np.random.default_rng(0).random((20, 5))
    >>> PCAEncoder(n_latent=2).fit(X, genes=[f"g{i}" for i in range(5)]).embed(X).shape
    (20, 2)
    """

    inputs: ClassVar[Input] = "log"
    saves: ClassVar[bool] = True
    deep: ClassVar[bool] = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "fit" in vars(cls):
            # So that `rng` may be a Generator, of which the method sees an integer.
            own: Any = cls
            own.fit = public(vars(cls)["fit"])

    def params(self) -> dict[str, Any]:
        """Hyperparameters, by name."""
        return asdict(self)

    @abstractmethod
    def fit(self, X: Any, *, genes: NDArray[np.str_], batch: NDArray[np.str_] | None = None, rng: int = 0) -> Self:
        """Learn from cells.

        Parameters
        ----------
        X
            Cells x genes, float32, CSR or dense; what ``inputs`` says. Do not modify it.
        genes
            One name a column of `X`, str, shape (p,).
        batch
            One batch a cell, str, shape (n,), or None.
        rng
            Seed.
        """

    @abstractmethod
    def embed(self, X: Any, *, batch: NDArray[np.str_] | None = None) -> NDArray[np.float32]:
        """Coordinates of cells, float32, shape (n, d); those of a cell do not depend on the cells that come with it.

        Parameters
        ----------
        X
            Cells x genes, with the genes of :meth:`fit` in their order.
        batch
            One batch a cell; for an encoder that takes off the mean of each batch, whose cells must then all be there.
        """

    @abstractmethod
    def to_arrays(self) -> tuple[Arrays, dict[str, Any]]:
        """The fitted state: numeric arrays, and a dict that JSON can hold."""

    @classmethod
    @abstractmethod
    def from_arrays(cls, arrays: Arrays, meta: Mapping[str, Any]) -> Self:
        """Rebuild what :meth:`to_arrays` described; a ValueError where it does not fit."""
