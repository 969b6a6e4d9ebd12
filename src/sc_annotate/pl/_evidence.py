"""Which genes drove the predictions: dots of all groups side by side, or signed bars of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from sc_annotate._core.arguments import one_of, whole
from sc_annotate._core.docs import documented
from sc_annotate._store.slots import DEFAULT_KEY
from sc_annotate._store.stored import read_annotation, read_evidence
from sc_annotate.pl._evidence_bars import bars
from sc_annotate.pl._evidence_dots import dots
from sc_annotate.pl._evidence_rows import chosen_rows, symbols_of
from sc_annotate.pl._figure import check_save, finish
from sc_annotate.pl._style import type_colors

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

    from anndata import AnnData
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@documented()
def evidence(
    adata: AnnData,
    key: str = DEFAULT_KEY,
    *,
    style: Literal["dots", "bars"] = "dots",
    groups: str | Sequence[str] | None = None,
    n_genes: int | None = None,
    gene_symbols: str | None = None,
    mito_ribo: bool = False,
    ax: Any = None,
    show: bool | None = None,
    save: str | PathLike[str] | None = None,
    return_fig: bool = False,
) -> Axes | dict[str, Axes] | Figure:
    """Draw the genes that drove the predictions, from :func:`sc_annotate.tl.evidence`.

    ``"dots"``: genes (rows) against groups (columns). Each column has the genes with the largest contributions to its
    label; a gene that contributes to several is listed with the first. Colour is the gene's mean contribution to the log-odds
    of the label (or its attention), red for it and blue against it. Size is the share of cells that express the gene. Colours
    end at the 98th percentile.

    ``"bars"``: one panel per group, with the strongest genes for the label above and the strongest against it below.
    All panels share one scale.

    The title says how the contributions were computed, and what deleting the genes costs of the model's confidence, beside
    what deleting as many others costs.

    Parameters
    ----------
    adata
        An annotated object, after ``sca.tl.evidence``. Not changed.
    %(key)s
    style
        ``"dots"`` or ``"bars"``.
    groups
        Groups or types to draw, in this order. By default all, for dots with similar groups next to each other.
    n_genes
        Genes of each group (and, for bars, each direction). By default 5 of up to 12 groups, 3 of up to 24, else 2 for
        dots; 5 for bars.
    %(names_to_write)s
    mito_ribo
        Draw mitochondrial genes (``MT-``) and ribosomal proteins (``RPL``, ``RPS``) too. They are left out by default, of
        human and mouse, and the title counts them: they follow the state of a cell more than its type. Without symbols,
        such as with Ensembl ids and no `gene_symbols`, they cannot be recognised.
    ax
        Axes to draw on; for bars of several groups, as many. A new figure otherwise.
    %(show)s
    %(save)s
    %(return_fig)s

    Returns
    -------
    The Axes; for bars, a dict of Axes by the name of the group. Or the figure.

    Raises
    ------
    StorageError
        No such result, no evidence, or too many groups and genes to have been kept.
    InputError
        No such group, column or style.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> adata = sca.datasets.pbmc68k()
    >>> query = adata[500:].copy()
    >>> sca.tl.annotate(query, adata[:500].copy(), "cell_type", method="nearest_centroid", cv=0)
    >>> sca.tl.evidence(query)
    >>> ax = sca.pl.evidence(query, n_genes=3, show=False)
    >>> len(ax.get_xticklabels()) == query.obs["annotation"].nunique()
    True
    """
    check_save(save)
    stored = read_evidence(adata, key)
    labels = read_annotation(adata, key)["label"]
    one_of(style, "style", ("dots", "bars"))
    n_genes = None if n_genes is None else whole(n_genes, "n_genes", least=1)
    found = chosen_rows(stored, groups, symbols_of(adata, gene_symbols), mito_ribo=mito_ribo)
    colors = type_colors(adata, key, labels) if hasattr(labels, "cat") else {}
    drawn: Any
    if style == "dots":
        drawn = dots(ax, stored, found, colors, key, n_genes)
    else:
        drawn = bars(ax, found, colors, key, n_genes or 5)
    return finish(drawn, show=show, save=save, return_fig=return_fig)
