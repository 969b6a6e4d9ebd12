"""Combine the results of several methods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from sc_annotate._core.arguments import public
from sc_annotate.annotation.consensus import store_consensus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData


@public
def consensus(
    adata: AnnData,
    keys: Sequence[str],
    *,
    weights: Sequence[float] | None = None,
    absent: Literal["abstain", "zero"] = "abstain",
    key_added: str = "consensus",
) -> None:
    """Average the calibrated probabilities of several results, and report where they disagree.

    Uncalibrated probabilities are averaged too, but then the most over-confident method decides.

    Parameters
    ----------
    adata
        An object with several annotations of the same cells, each with stored probabilities.
    keys
        Names of these annotations (``key_added``), at least two.
    weights
        One weight for each key. By default all are equal, with which a poor method can make the average worse than the
        best method alone. ``annotate(method=[...])`` learns weights on held-out cells.
    absent
        How a type counts that a method does not know: ``"abstain"``, the method is left out for it; ``"zero"``, the
        method votes against it.
    key_added
        Name of the result.

    Returns
    -------
    None. Written to `adata`, in the slots of :func:`annotate`:

    ``obs[key_added]``, ``obs[f"{key_added}_confidence"]``, ``obsm[f"{key_added}_proba"]``
        Label, its averaged probability, and the averaged probabilities of all types.
    ``obs[f"{key_added}_status"]`` : categorical
        The worst status that a method gives the cell; at least ``"ambiguous"`` where methods disagree on the label.
    ``obs[f"{key_added}_disagreement"]`` : float32
        Jensen-Shannon divergence between the methods: 0, all agree; 1, each is certain of another type.
    ``obsm[f"{key_added}_disagrees"]`` : bool, cells x methods
        Which methods predict another label; columns in the order of ``uns[key_added]["methods"]``.
    ``obs[f"{key_added}_{level}"]``, ``obs[f"{key_added}_{level}_confidence"]``
        Where all methods have the same coarser levels: those of the label, see :func:`annotate`.
    ``uns[key_added]`` : dict
        ``methods`` (names of the combined results), ``weights``, and ``disagreements``, a row for each result: ``key``,
        ``method``, ``n_disagreements`` (cells with another label) and ``n_unknown_types``.
        It has no held-out scores: only ``annotate(method=[...])`` still has the held-out predictions that they need.

    Raises
    ------
    InputError
        Fewer than two keys, or the same one twice.
    StorageError
        A result that does not exist or has no probabilities; a column that another tool wrote.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> adata = sca.datasets.pbmc68k()
    >>> reference, query = adata[:500].copy(), adata[500:].copy()
    >>> for method in ("nearest_centroid", "naive_bayes"):
    ...     sca.tl.annotate(query, reference, "cell_type", method=method, cv=0, key_added=method)
    >>> sca.tl.consensus(query, ["nearest_centroid", "naive_bayes"])
    >>> bool((query.obs["consensus_disagreement"] >= 0).all())
    True
    """
    store_consensus(adata, keys, weights=weights, absent=absent, key_added=key_added)
