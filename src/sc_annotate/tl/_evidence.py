"""The genes behind each label."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sc_annotate._core.arguments import default
from sc_annotate._core.docs import documented
from sc_annotate._store.slots import DEFAULT_KEY
from sc_annotate.annotation.evidence.gather import EvidenceRequest, store_evidence

if TYPE_CHECKING:
    import os

    from anndata import AnnData

    from sc_annotate.annotation.model import AnnotationModel


@documented()
def evidence(
    adata: AnnData,
    key: str = DEFAULT_KEY,
    *,
    model: AnnotationModel | str | os.PathLike[str] | None = None,
    groupby: str | None = None,
    n_genes: int = default(10),
    max_cells: int | None = default(None),
    saliency: str | None = default(None),
    rng: int = default(0),
) -> None:
    """List the genes that pushed the labels of each type, and those that spoke against them.

    For linear methods a gene's contribution is its value times the slope of the log-odds of the label against all other
    types: in natural units, about what the log-odds would lose without the gene. For networks (``mlp_torch``, ``actinn``,
    ``nact``) see `saliency`. For other methods each expressed gene of
    each cell is set to 0 and the prediction repeated, which is slow: use few cells. Log-odds are the model's own, before
    calibration.

    Whether the model needs these genes is tested, and stored beside them: of up to 500 of the cells, the 20 genes with the
    largest contributions in the cell itself are set to 0, and the model's probability of the label falls. So it does for 20
    random genes that the cell expresses, and for the 20 with its highest values: the evidence should cost more than both.

    Evidence says what the **model** used, not what defines a type: of correlated genes a model may use any. A gene that a
    cell does not express contributes 0, though its absence may have helped; a gene that `adata` lacks is no evidence.

    Parameters
    ----------
    adata
        An annotated object, with the matrix that was annotated.
    %(key)s
    model
        The fitted model that labelled the cells, or its path. By default the coefficients that :func:`annotate` stored,
        which it does for linear methods of up to 4 million of them.
    groupby
        Column of ``obs`` with groups of cells, such as samples: evidence is averaged over the cells of each group and
        label. By default over all cells of a label.
    n_genes
        Genes of each group and direction.
    max_cells
        Cells of each group, drawn at random. None: all of them, or 20 where genes have to be deleted one by one.
    saliency
        For networks: ``"integrated_gradients"`` (the slope of the log-odds, averaged on the way from a cell without expression
        to the cell, times the value), ``"input_x_gradient"`` (the slope in the cell, which takes a tenth of the time), and
        for ``nact`` ``"attention_x_value"`` and ``"attention"``, which say what the network looks at rather than what
        decides, and are the same for all types. The default is the most faithful one (:doc:`/evidence`): of ``mlp_torch``
        ``"input_x_gradient"``, of the others ``"integrated_gradients"``. Other methods have one kind alone.
    %(rng)s

    Returns
    -------
    None. Written to `adata`:

    ``uns[key]["evidence"]`` : dict
        ``groupby``, ``how`` (in words), ``saliency`` (None: the method has one kind), ``unit`` of the contributions,
        ``n_genes``, ``n_cells`` used, ``n_genes_used``, ``agreement`` (share of these cells for which the model predicts
        the stored label), and more:

        ``faithfulness``, a dict: of ``n_cells``, the mean probability of the label ``before``, and how much it falls
        without ``n_deleted`` genes: ``drop``, ``random_drop``, ``highest_drop``; ``minus_random`` and ``minus_highest`` are
        the differences, each with a 95 %% bootstrap interval over cells (``_low``, ``_high``).

        ``table``, a DataFrame: ``group``, ``type`` (the label), ``n_cells``, ``direction`` (``"towards"`` or
        ``"against"``), ``rank``, ``gene``, ``contribution`` (mean over those cells), ``share`` (of them in which the gene
        pushes in this direction), ``mean`` (value of the gene in them, as the model sees it: ``log1p`` of counts per
        10,000) and ``mean_others`` (in the cells with other labels). Without `groupby`, the group is the type.

        ``dots``: the listed genes in all groups, ``contribution`` and ``expressed`` (share of cells), groups x genes.

        ``attention``, of ``nact``, whatever the saliency: mean ``attention`` of the genes that have most of it, groups x
        genes; ``n_effective`` genes that share it (the exponential of its entropy, mean over cells) of ``n_genes``, and
        the part of it that goes to ``expressed`` genes. See :func:`sc_annotate.pl.attention`.

    Pre-labelled cells are left out.

    Raises
    ------
    StorageError
        No such result; a consensus; labels of several models; no coefficients stored and no model passed.
    InputError
        Another model than the one that labelled the cells; no such column; numbers out of range. `adata` is as it was.
    MatrixError, GeneError
        The matrix that was annotated is not there any more.

    References
    ----------
    Gradient times input: Shrikumar et al. 2016, Not just a black box, arXiv 1605.01713. Integrated gradients:
    Sundararajan et al. 2017, arXiv 1703.01365. Attention: Heydari et al. 2022, arXiv 2206.04047. Deleting: Zeiler & Fergus 2014,
    `doi:10.1007/978-3-319-10590-1_53 <https://doi.org/10.1007/978-3-319-10590-1_53>`_.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> adata = sca.datasets.pbmc68k()
    >>> query = adata[500:].copy()
    >>> sca.tl.annotate(query, adata[:500].copy(), "cell_type", method="nearest_centroid", cv=0)
    >>> sca.tl.evidence(query, n_genes=10)
    >>> found = sca.get.evidence(query, group="CD19+ B")
    >>> "CD79A" in set(found.loc[found["direction"] == "towards", "gene"])
    True
    """
    request = EvidenceRequest(n_genes=n_genes, max_cells=max_cells, rng=rng, saliency=saliency)
    store_evidence(adata, key, model, groupby, request)
