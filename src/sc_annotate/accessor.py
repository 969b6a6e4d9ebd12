"""Opt-in accessor: ``import sc_annotate.accessor`` makes ``adata.sca`` available.

Registering imports anndata, which takes seconds; so it does not happen by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anndata as ad

if TYPE_CHECKING:
    import pandas as pd

    from sc_annotate.pp import Inspection

__all__ = ["ScAnnotateAccessor"]


@ad.register_anndata_namespace("sca")
class ScAnnotateAccessor:
    """The package's functions as methods of an AnnData.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> import sc_annotate.accessor
    >>> adata = sca.datasets.pbmc68k()
    >>> adata.sca.inspect().values.kind
    'log1p'
    """

    def __init__(self, adata: ad.AnnData) -> None:
        self._adata = adata

    def inspect(self, **kwargs: Any) -> Inspection:
        """:func:`sc_annotate.pp.inspect`."""
        from sc_annotate import pp

        return pp.inspect(self._adata, **kwargs)

    def annotate(self, reference: Any = None, labels_key: str | None = None, **kwargs: Any) -> None:
        """:func:`sc_annotate.tl.annotate`."""
        from sc_annotate import tl

        tl.annotate(self._adata, reference, labels_key, **kwargs)

    def annotation(self, key: str = "annotation") -> pd.DataFrame:
        """:func:`sc_annotate.get.annotation`."""
        from sc_annotate import get

        return get.annotation(self._adata, key)

    def probabilities(self, key: str = "annotation") -> pd.DataFrame:
        """:func:`sc_annotate.get.probabilities`."""
        from sc_annotate import get

        return get.probabilities(self._adata, key)
