"""No calibration, as a calibrator: for cells on which every other one does worse."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.arguments import public
from sc_annotate.trust._probabilities import as_probabilities, check_fit, need_fitted, stored_number

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    from numpy.typing import ArrayLike, NDArray

__all__ = ["Uncalibrated"]


@public
@dataclass
class Uncalibrated:
    """Probabilities as they are, where no calibrator makes them better.

    Examples
    --------
    >>> import numpy as np
    >>> from sc_annotate.trust import Uncalibrated
    >>> proba = np.array([[0.9, 0.1], [0.2, 0.8]])
    >>> Uncalibrated().fit(proba, [0, 1]).transform(proba).round(1).tolist()
    [[0.8999999761581421, 0.10000000149011612], [0.20000000298023224, 0.800000011920929]]
    """

    if TYPE_CHECKING:
        n_classes_: int = field(init=False)

    def fit(self, proba: ArrayLike, codes: ArrayLike) -> Self:
        """Look at the number of classes only."""
        self.n_classes_ = check_fit(proba, codes)[0].shape[1]
        return self

    def transform(self, proba: ArrayLike) -> NDArray[np.float32]:
        """The probabilities, float32."""
        need_fitted(self, "n_classes_")
        return as_probabilities(proba, self.n_classes_).astype(np.float32)

    def to_arrays(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """What to store."""
        need_fitted(self, "n_classes_")
        return {}, {"n_classes": self.n_classes_}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], meta: Mapping[str, Any]) -> Self:
        """Rebuild what :meth:`to_arrays` gave."""
        model = cls()
        model.n_classes_ = int(stored_number(meta, "n_classes", 2, np.inf))
        return model
