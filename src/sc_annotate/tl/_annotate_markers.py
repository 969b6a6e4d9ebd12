"""Label cells by lists of marker genes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from sc_annotate._core.arguments import default
from sc_annotate._core.docs import documented
from sc_annotate._data.matrix import MatrixRequest
from sc_annotate._store.slots import DEFAULT_KEY
from sc_annotate.annotation.markers.label import label_by_markers
from sc_annotate.annotation.markers.markers_request import MarkersRequest

if TYPE_CHECKING:
    from anndata import AnnData

    from sc_annotate._data.matrix import Stated


@documented()
def annotate_markers(
    adata: AnnData,
    markers: Any,
    groupby: str | None = None,
    *,
    by: Literal["zscore", "ulm", "mlm"] = default("zscore"),
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
) -> None:
    """Annotate cells with lists of marker genes, without a reference.

    A gene counts by its distance from its mean over all cells of `adata`, so pass a whole data set. The label of a cell
    (or group) is the list with the highest score. Its confidence is not calibrated: it says how far the best list stands
    out of the others, not how often such labels are right. See :doc:`/markers`.

    Parameters
    ----------
    adata
        Cells x genes; in memory or backed.
    %(markers)s
    groupby
        Column of ``obs`` with groups of cells, such as clusters: the mean of each group is scored, and its cells get one
        label.
    %(markers_request)s
    id_column
        Column of a table of markers with ontology ids of the types.
    %(layer_or_raw)s
    %(gene_symbols)s
    %(total_counts_key)s
    %(values)s
    %(store_proba)s
    %(key_added)s

    Returns
    -------
    None. Written to `adata`, in the slots of :func:`annotate`:

    ``obs[key_added]``, ``obs[f"{key_added}_confidence"]``
        Label, and its softmax of the scores.
    ``obs[f"{key_added}_status"]`` : categorical
        ``"low_quality"``: no value in any marker gene. ``"unfamiliar"``: the cell fits none of the lists. ``"ambiguous"``:
        a confidence of one half or less. ``"confident"``: all others.
    ``obs[f"{key_added}_model"]`` : categorical
        Short id of lists and parameters.
    ``obsm[f"{key_added}_proba"]`` : float32, cells x types
        Read it with :func:`sc_annotate.get.probabilities`.
    ``uns[key_added]["markers"]`` : dict
        ``source`` and ``rule`` in words; ``table``, a row for each list: its genes in `adata` and the number of cells; with
        `groupby` also ``groups``, a row for each group: its label, the runner-up and their scores.

    Raises
    ------
    InputError
        The lists, the values or the genes cannot be used. `adata` is then as it was.
    StorageError
        A column of that name that another tool wrote.
    MissingExtraError
        decoupler is not installed.

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
    request = MarkersRequest(
        by=by,
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
