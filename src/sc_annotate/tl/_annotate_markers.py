"""Label cells by lists of marker genes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from sc_annotate._core.arguments import default
from sc_annotate._core.docs import documented
from sc_annotate._data.matrix import MatrixRequest
from sc_annotate._store.slots import DEFAULT_KEY
from sc_annotate.annotation.markers.label import label_by_markers
from sc_annotate.annotation.markers.markers_request import LabelsRequest

if TYPE_CHECKING:
    from anndata import AnnData

    from sc_annotate._data.matrix import Stated


@documented()
def annotate_markers(
    adata: AnnData,
    markers: Any,
    groupby: str | None = None,
    *,
    by: Literal["zscore", "ulm", "mlm", "wilcoxon", "nact", "cellassign"] = default("zscore"),
    n_genes: int = default(50),
    saliency: Literal["integrated_gradients", "input_x_gradient", "attention_x_value", "attention"] = default(
        "integrated_gradients"
    ),
    min_genes: int = default(1),
    min_support: int = default(1),
    type_column: str | None = default(None),
    gene_column: str | None = default(None),
    weight_column: str | None = default(None),
    sign_column: str | None = default(None),
    id_column: str | None = default(None),
    layer: str | None = default(None),
    use_raw: bool | None = default(None),
    gene_symbols: str | None = default(None),
    total_counts_key: str | None = default(None),
    values: Stated | None = default(None),
    store_proba: Literal["all", "topk", False] = "all",
    key_added: str = DEFAULT_KEY,
    rng: int = default(0),
) -> None:
    """Annotate cells with lists of marker genes, without a reference.

    Lists are scored on the values of cells or of the means of groups (``"zscore"``, ``"ulm"``, ``"mlm"``), or clusters are
    named by their genes in order, those of a test (``"wilcoxon"``) or those that a network trained to tell the clusters
    apart looks at (``"nact"``; Heydari et al. 2022, arXiv:2206.04047). Genes count relative to all cells of `adata`, so
    pass a whole data set. The label of a cell (or group) is the list with the highest score. Its confidence is not
    calibrated: it says how far the best list stands out of the others, not how often such labels are right. See
    :doc:`/markers`.

    With ``by="wilcoxon"`` and ``"nact"``, the first n genes of a group score, with T lists of which df(g) name gene g ::

        score(list) = sum over r = 1..n of (1 - (r - 1) / n) * idf(g_r) * s(g_r, list) / sqrt(sum over g of idf(g) * |s(g, list)|)
        idf(g)      = 1 + ln((1 + T) / (1 + df(g)))

    where s is the number of sources (rows of a table) that name the gene for the type, times its weight.

    Parameters
    ----------
    adata
        Cells x genes; in memory or backed.
    %(markers)s
    groupby
        Column of ``obs`` with groups of cells, such as clusters: the mean of each group is scored, or its genes are put in
        order, and its cells get one label. Without it, single cells are scored; for ``by="wilcoxon"`` and ``"nact"``,
        Leiden clusters (resolution 1) are made on a copy, and stored.
    by
        Statistic of decoupler that scores a list: ``"zscore"``, ``"ulm"`` or ``"mlm"``. Or what puts the genes of clusters
        in order: ``"wilcoxon"``, :func:`scanpy.tl.rank_genes_groups` on a copy; ``"nact"``, the mean `saliency` over the
        cells of a cluster in an N-ACT network (extra ``[torch]``), with the labels of the test beside it. Or
        ``"cellassign"``, a model of the counts of the markers of single cells (Zhang et al. 2019, Nature Methods 16:1007;
        extra ``[scvi]``), without `groupby`; slow with many genes and types.
    n_genes
        Genes of each cluster that count, the first ones; ``by="wilcoxon"`` and ``"nact"`` only.
    saliency
        What of a gene counts with ``by="nact"``; see :func:`evidence`.
    %(lists_request)s
    id_column
        Column of a table of markers with ontology ids of the types.
    %(layer_or_raw)s
    %(gene_symbols)s
    %(total_counts_key)s
    %(values)s
    %(store_proba)s
    %(key_added)s
    rng
        Seed of the network, of the cells that are drawn from clusters of more than 1,000, of the draws behind the confidence
        and of the Leiden clusters; of CellAssign. Not for scores of decoupler, which draw no random numbers.

    Returns
    -------
    None. Written to `adata`, in the slots of :func:`annotate`:

    ``obs[key_added]``, ``obs[f"{key_added}_confidence"]``
        Label, and its softmax of the scores; of ranked genes, the share of draws of the cluster's genes, with replacement,
        that give this label. Both are NaN for clusters that no list fits (``by="wilcoxon"`` and ``"nact"``).
    ``obs[f"{key_added}_status"]`` : categorical
        ``"low_quality"``: no value in any marker gene. ``"unfamiliar"``: the cell fits none of the lists. ``"ambiguous"``:
        a confidence of one half or less; of ranked genes, of .9 or less. ``"confident"``: all others.
    ``obs[f"{key_added}_model"]`` : categorical
        Short id of lists and parameters.
    ``obsm[f"{key_added}_proba"]`` : float32, cells x types
        Read it with :func:`sc_annotate.get.probabilities`.
    ``uns[key_added]["markers"]`` : dict
        ``source`` and ``rule`` in words; ``table``, a row for each list: its genes in `adata` and the number of cells; with
        `groupby` also ``groups``, a row for each group: its label, the runner-up and their scores; of ranked genes, the
        ``genes`` that speak for the label, and with ``by="nact"`` the label of the test (``wilcoxon_type``) and whether both
        agree, ``n_agree``, and ``wilcoxon_genes``.
    ``uns[key_added]["evidence"]`` : dict
        Of ranked genes: read it with :func:`sc_annotate.get.evidence`, draw it with :func:`sc_annotate.pl.evidence`.
    ``obs[f"{key_added}_clusters"]`` : categorical
        The clusters that were made, if any.

    Raises
    ------
    InputError
        The lists, the values or the genes cannot be used. `adata` is then as it was.
    StorageError
        A column of that name that another tool wrote.
    MissingExtraError
        A package is not installed: decoupler; torch, Lightning and captum for ``"nact"``; scvi-tools for
        ``"cellassign"``; igraph for clusters.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> adata = sca.datasets.pbmc68k()
    >>> markers = {
    ...     "B cell": ["CD79A", "CD79B", "MS4A1", "-CD3D"],
    ...     "NK cell": ["GNLY", "NKG7"],
    ...     "T cell": ["CD3D", "IL7R"],
    ... }
    >>> sca.tl.annotate_markers(adata, markers, "louvain")
    >>> adata.obs["annotation"].cat.categories.tolist()
    ['B cell', 'NK cell', 'T cell']
    """
    request = LabelsRequest(
        by=by,
        n_genes=n_genes,
        saliency=saliency,
        rng=rng,
        min_genes=min_genes,
        min_support=min_support,
        type_column=type_column,
        gene_column=gene_column,
        weight_column=weight_column,
        sign_column=sign_column,
        id_column=id_column,
    )
    matrix = MatrixRequest(
        layer=layer, use_raw=use_raw, gene_symbols=gene_symbols, total_counts_key=total_counts_key, values=values
    )
    label_by_markers(adata, markers, groupby, request, matrix, store_proba=store_proba, key_added=key_added)
