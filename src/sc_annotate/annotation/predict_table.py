"""What a fitted model predicts, as a table; nothing is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sc_annotate._data.matrix import check_adata
from sc_annotate._data.obs import with_tables
from sc_annotate._store import storage
from sc_annotate._store.stored import read_annotation
from sc_annotate.annotation.result import label_cells, query_of_model

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

    from sc_annotate.annotation.fitted import FittedModel
    from sc_annotate.annotation.requests import AnnotateRequest


def predicted(adata: AnnData, model: FittedModel, request: AnnotateRequest) -> pd.DataFrame:
    """The columns that an annotation with this model would own, by plain names."""
    import anndata as ad
    import pandas as pd

    check_adata(adata, what="adata")
    check_request(model, request)
    adata = with_tables(adata)
    result = label_cells(query_of_model(adata, model, request.matrix), model, request)
    # An object of its own, of no genes in truth, so that the table is what would be read from the user's.
    holder = ad.AnnData(obs=pd.DataFrame(index=adata.obs_names), var=pd.DataFrame(index=["none"]))
    storage.write(holder, request.key, result)
    return read_annotation(holder, request.key)


def check_request(model: FittedModel, request: AnnotateRequest) -> None:
    """Refuse what has no meaning beside a fitted model."""
    if request.matrix.use_rep is not None:
        request.fit.of_representation(request.matrix)
    request.fit.of_fitted_model(model.method)
    if model.trust is None:
        request.ask.of_uncalibrated_model()
