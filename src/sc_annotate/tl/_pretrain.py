"""Train an encoder without labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sc_annotate._core.arguments import default
from sc_annotate._core.docs import documented
from sc_annotate._data.matrix import MatrixRequest
from sc_annotate.representation import pretrain as pipeline
from sc_annotate.representation.requests import KEY, N_TOP_GENES, PretrainRequest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from anndata import AnnData

    from sc_annotate._data.matrix import Stated
    from sc_annotate.representation.model import EncoderModel


@documented()
def pretrain(
    adata: AnnData | Sequence[AnnData],
    objective: str = default("mae"),
    *,
    augment: Mapping[str, Mapping[str, float]] | Sequence[str] | str | None = default(None),
    objective_kwargs: Mapping[str, Any] | None = default(None),
    batch_key: str | None = default(None),
    labels_key: str | None = default(None),
    n_top_genes: int | None = default(N_TOP_GENES),
    key_added: str = default(KEY),
    layer: str | None = default(None),
    use_raw: bool | None = default(None),
    gene_symbols: str | None = default(None),
    total_counts_key: str | None = default(None),
    values: Stated | None = default(None),
    rng: int = default(0),
) -> EncoderModel:
    """Train an encoder on unlabelled cells, write its coordinates of them, and compare these with principal components.

    Values are inspected first, as by :func:`annotate`: counts are normalised to 10,000 per cell and logged. Whether it helped
    over principal components of the same cells is stored and logged in words, as far as labels are named to find out.

    Parameters
    ----------
    adata
        Cells x genes, in memory or backed; or several objects, of which the genes that all have are used, and each of which
        is a batch, or has its own by `batch_key`.
    objective
        A name in ``sca.tl.methods("encoding")``: ``"mae"`` (masked autoencoder), ``"simclr"``, ``"moco"``, ``"nnclr"``,
        ``"byol"``, ``"simsiam"``, ``"vicreg"``, ``"barlow_twins"``; or ``"pca"``, the baseline. All but the last need torch.
    augment
        How a cell is changed to make two views of it, for the objectives that compare these: names among
        :data:`sc_annotate.encoders.AUGMENTATIONS`, in order, or a dict of these with their parameters. None: 30 % of the
        genes are masked in half of the views and, with batches, the second view is in half of the cells that of a
        mutual nearest neighbour in another batch.
    objective_kwargs
        Parameters of the objective, by name: ``n_latent``, ``epochs``, ``mask``, ``temperature``, ...
    batch_key
        Column of ``obs`` with batches or donors: genes are chosen that vary within them, neighbours are sought across
        them, and whole batches are held out for the scores. Nothing is taken off the batches unless
        ``objective_kwargs={"center_batches": True}`` says so, which is wrong where they hold different types.
    labels_key
        Column of ``obs`` with types. The encoder does not see them: they serve the comparison with principal components
        alone (labels of 11 neighbours; whole batches, or five folds, held out).
    n_top_genes
        Number of genes, those that vary most; None for all.
    key_added
        Name of the coordinates in ``obsm``, and of their record in ``uns``. Earlier ones of that name are replaced.
    layer, use_raw
        Which matrix: a layer, or ``.raw`` (``use_raw=None``: only where ``X`` is scaled and ``.raw`` is not).
    gene_symbols
        Column of ``var`` with other names of the genes, by which other objects may be matched too.
    %(total_counts_key)s
    %(values)s
    %(rng)s

    Returns
    -------
    The encoder; ``print(encoder)`` shows what it is worth, ``encoder.save(path)`` keeps it, and :func:`embed` maps other cells.

    Writes
    ------
    ``obsm[key_added]``
        Coordinates, float32, cells x dimensions.
    ``uns[key_added]``
        ``objective``, ``params``, ``genes``, ``history`` (loss by epoch), ``baseline`` (the table of scores), ``verdict``.

    Raises
    ------
    InputError
        One of its kinds, each saying how to fix it: :class:`~sc_annotate.errors.MatrixError`,
        :class:`~sc_annotate.errors.GeneError`, :class:`~sc_annotate.errors.MethodError`.
    StorageError
        The name is taken by something that this package did not write.

    References
    ----------
    Richter et al. 2024, Nature Machine Intelligence. Ovcharenko et al. 2025 (scSSL-Bench), arXiv 2506.10031.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> adata = sca.datasets.pbmc68k()
    >>> encoder = sca.tl.pretrain(adata, "pca", labels_key="cell_type")
    >>> adata.obsm["X_ssl"].shape
    (700, 50)
    >>> encoder = sca.tl.pretrain(adata, "mae", labels_key="cell_type", batch_key="donor")  # doctest: +SKIP
    """
    ask = PretrainRequest(
        objective=objective,
        augment=augment,
        objective_kwargs=objective_kwargs,
        batch_key=batch_key,
        labels_key=labels_key,
        n_top_genes=n_top_genes,
        key=key_added,
        rng=rng,
    )
    matrix = MatrixRequest(
        layer=layer,
        use_raw=use_raw,
        gene_symbols=gene_symbols,
        total_counts_key=total_counts_key,
        values=values,
    )
    return pipeline.pretrain(adata, ask, matrix)
