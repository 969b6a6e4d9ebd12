"""Let clusters vote on the labels of their cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sc_annotate._core.arguments import default
from sc_annotate._core.docs import documented
from sc_annotate._store.slots import DEFAULT_KEY
from sc_annotate.annotation.vote import VoteRequest, store_vote

if TYPE_CHECKING:
    from anndata import AnnData


@documented()
def vote(
    adata: AnnData,
    groupby: str,
    *,
    key: str = DEFAULT_KEY,
    min_share: float = default(0.0),
    guard: float | None = default(0.5),
    min_confidence: float = default(0.5),
) -> None:
    """Let the cells of each cluster vote on one label; the labels of the cells stay as they are.

    A vote removes scattered errors, and with them types that are nowhere the majority. On 700 PBMCs, with clusters that
    do not separate kinds of T cells, it cost 0.09 to 0.28 of macro-F1. Check ``share`` and ``guarded_types``.

    Parameters
    ----------
    adata
        An annotated object.
    groupby
        Column of ``obs`` with clusters, such as ``"leiden"``.
    %(key)s
    min_share
        A cluster whose most frequent label has a smaller share keeps the labels of its cells.
    guard
        A type that would win no cluster keeps its cells in each cluster that holds at least this share of them. None
        switches the guard off.
    min_confidence
        Only labels of at least this confidence are guarded.

    Returns
    -------
    None. Written to `adata`:

    ``obs[f"{key}_voted"]`` : categorical
        The label after the vote; pre-labelled cells keep theirs. Cells without a label (:func:`import_labels`) do not vote,
        and get the label of their cluster.
    ``obs[f"{key}_voted_share"]`` : float32
        Share of the cluster's cells with the label that won.
    ``uns[key]["vote"]`` : dict
        ``groupby``, parameters, ``guarded_types``, ``table`` with winner, share, runner-up and entropy of each cluster.

    Raises
    ------
    StorageError
        No such result, or a column of that name that another tool wrote.
    InputError
        No such column, a cell without a cluster, or shares outside 0 to 1.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> adata = sca.datasets.pbmc68k()
    >>> query = adata[500:].copy()
    >>> sca.tl.annotate(query, adata[:500].copy(), "cell_type", method="nearest_centroid", cv=0)
    >>> sca.tl.vote(query, "louvain")
    >>> query.uns["annotation"]["vote"]["table"].columns[:4].tolist()
    ['group', 'n', 'winner', 'share']
    """
    request = VoteRequest(min_share=min_share, guard=guard, min_confidence=min_confidence)
    store_vote(adata, groupby, key, request)
