"""The losses of a training, as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sc_annotate._core.arguments import default
from sc_annotate._core.docs import documented
from sc_annotate._store.slots import DEFAULT_KEY
from sc_annotate._store.stored import read_history

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

    from sc_annotate.annotation.model import AnnotationModel


@documented()
def history(adata: AnnData | AnnotationModel, key: str = default(DEFAULT_KEY)) -> pd.DataFrame:
    """The losses of the training of a deep method, epoch by epoch.

    Parameters
    ----------
    adata
        An object annotated by a deep method, or a fitted model.
    %(key)s
        Not for a model.

    Returns
    -------
    One row an epoch of each network: ``network`` (from 1), ``epoch`` (from 1), ``loss`` (cross-entropy of the cells that
    are learned from, dropout included) and ``held_out_loss`` (of the cells that end the training; NaN where ``patience``
    is not set). :func:`sc_annotate.pl.training` draws it.

    Raises
    ------
    StorageError
        No such result, or a method without a training history.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> adata = sca.datasets.pbmc68k()
    >>> kwargs = {"epochs": 3, "hidden": 8, "patience": 2}
    >>> model = sca.tl.fit_annotator(adata, "cell_type", method="mlp_torch", method_kwargs=kwargs, cv=0, trust=None)
    >>> sca.get.history(model).columns.tolist()
    ['network', 'epoch', 'loss', 'held_out_loss']
    """
    return read_history(adata, key)
