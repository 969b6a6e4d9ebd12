"""Map cells by a fitted encoder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sc_annotate._core.arguments import default
from sc_annotate._core.docs import documented
from sc_annotate._data.matrix import MatrixRequest
from sc_annotate.representation import embed as pipeline
from sc_annotate.representation.requests import KEY, EmbedRequest

if TYPE_CHECKING:
    from anndata import AnnData

    from sc_annotate._data.matrix import Stated
    from sc_annotate.representation.model import EncoderModel


@documented()
def embed(
    adata: AnnData,
    encoder: EncoderModel,
    *,
    batch_key: str | None = default(None),
    min_overlap: float = default(0.1),
    key_added: str = default(KEY),
    layer: str | None = default(None),
    use_raw: bool | None = default(None),
    gene_symbols: str | None = default(None),
    total_counts_key: str | None = default(None),
    values: Stated | None = default(None),
) -> None:
    """Write the coordinates that an encoder gives to the cells of `adata`, block by block.

    Genes are matched as by :func:`annotate`; those that `adata` lacks are taken at their mean in the training cells. What a
    cell gets does not depend on the cells that come with it.

    Parameters
    ----------
    adata
        Cells x genes; in memory, backed or a Dask array.
    encoder
        What :func:`pretrain` returned, or :func:`sc_annotate.load` read.
    batch_key
        Column of ``obs`` with batches; for an encoder that takes off their means (``center_batches``), and for no other.
    min_overlap
        Least share of the smaller side's genes that must be shared.
    key_added
        Name of the coordinates in ``obsm``, and of their record in ``uns``. Earlier ones of that name are replaced.
    layer, use_raw
        Which matrix: a layer, or ``.raw`` (``use_raw=None``: only where ``X`` is scaled and ``.raw`` is not).
    %(gene_symbols)s
    %(total_counts_key)s
    %(values)s

    Writes
    ------
    ``obsm[key_added]``
        Coordinates, float32, cells x dimensions.
    ``uns[key_added]``
        What is recorded of the encoder, how many genes are shared, and what was assumed.

    Raises
    ------
    InputError
        One of its kinds: too few shared genes (:class:`~sc_annotate.errors.GeneError`), a matrix that cannot be used
        (:class:`~sc_annotate.errors.MatrixError`), or no encoder.
    StorageError
        The name is taken by something that this package did not write.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> adata = sca.datasets.pbmc68k()
    >>> encoder = sca.tl.pretrain(adata[:500].copy(), "pca")
    >>> query = adata[500:].copy()
    >>> sca.tl.embed(query, encoder)
    >>> query.obsm["X_ssl"].shape
    (200, 50)
    """
    ask = EmbedRequest(batch_key=batch_key, min_overlap=min_overlap, key=key_added)
    matrix = MatrixRequest(
        layer=layer,
        use_raw=use_raw,
        gene_symbols=gene_symbols,
        total_counts_key=total_counts_key,
        values=values,
    )
    pipeline.embed(adata, encoder, ask, matrix)
