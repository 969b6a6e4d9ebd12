"""Which matrix of an AnnData is meant, and what is known of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sc_annotate._core.arguments import boolean
from sc_annotate._core.request import Request, default
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from sc_annotate._data.transform import Stated


@dataclass(frozen=True, kw_only=True)
class MatrixRequest(Request):
    """How to read a matrix: ``X``, a layer, ``.raw`` or a representation, with the names of its genes and its scale.

    Whether what is named exists is checked where the object is opened, since only then it is known.
    """

    layer: str | None = default(None)
    use_raw: bool | None = default(None)
    use_rep: str | None = default(None)
    gene_symbols: str | None = default(None)
    total_counts_key: str | None = default(None)
    values: Stated | None = default(None)

    def check(self) -> None:
        """Refuse values of the wrong type."""
        for name in ("layer", "use_rep", "gene_symbols", "total_counts_key", "values"):
            value = getattr(self, name)
            if value is not None and not isinstance(value, str):
                raise InputError(f"{name} must be a name or None, not {value!r}.")
        if self.use_raw is not None:
            boolean(self.use_raw, "use_raw")
