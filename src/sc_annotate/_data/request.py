"""Which matrix of an AnnData is meant, and what is known of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sc_annotate._core.request import Request, default

if TYPE_CHECKING:
    from sc_annotate._data.transform import Stated


@dataclass(frozen=True, kw_only=True)
class MatrixRequest(Request):
    """How to read a matrix: ``X``, a layer, ``.raw`` or a representation, with the names of its genes and its scale.

    What the values name is checked where the object is opened, since only then it is known.
    """

    layer: str | None = default(None)
    use_raw: bool | None = default(None)
    use_rep: str | None = default(None)
    gene_symbols: str | None = default(None)
    total_counts_key: str | None = default(None)
    values: Stated | None = default(None)
