"""Scanpy's dot plot of the genes of the evidence."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.arguments import whole
from sc_annotate._core.docs import documented
from sc_annotate._core.order import shown_order
from sc_annotate._store.expression import read_expression
from sc_annotate._store.slots import DEFAULT_KEY
from sc_annotate._store.stored import read_annotation, read_evidence
from sc_annotate.errors import InputError
from sc_annotate.pl import _style as style
from sc_annotate.pl._evidence_rows import chosen_rows, symbols_of
from sc_annotate.pl._figure import check_save, finish, one_axes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

    from anndata import AnnData
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from sc_annotate.pl._evidence_rows import Rows

FEW = 12
"""Labels up to which each has three genes by default; more have two, and from twice as many on one."""


@documented()
def dotplot(
    adata: AnnData,
    key: str = DEFAULT_KEY,
    *,
    groups: str | Sequence[str] | None = None,
    n_genes: int | None = None,
    gene_symbols: str | None = None,
    mito_ribo: bool = False,
    ax: Axes | None = None,
    show: bool | None = None,
    save: str | PathLike[str] | None = None,
    return_fig: bool = False,
) -> Axes | Figure:
    """Draw the expression of the evidence genes in each label, with :func:`scanpy.pl.dotplot`.

    The genes are those with the largest contributions to each label (:func:`sc_annotate.tl.evidence`) that no label before it
    has. Colour is their mean expression, ``log1p`` of counts per 10,000 of the matrix that was
    annotated; size is the share of cells that express them. All cells with a label are drawn, pre-labelled ones too.

    Parameters
    ----------
    adata
        An annotated object, after ``sca.tl.evidence``. Not changed: scanpy draws a small copy.
    %(key)s
    groups
        Groups or types whose genes to draw. Labels are the rows, all of them. By default the genes of all.
    n_genes
        Genes of each label. By default 3 of up to 12 labels, 2 of up to 24, else 1.
    %(names_to_write)s
    mito_ribo
        Draw mitochondrial genes and ribosomal proteins too, see :func:`evidence`.
    %(ax)s
    %(show)s
    %(save)s
    %(return_fig)s

    Returns
    -------
    The Axes of the dots, or, where `ax` was passed, that one; or the figure.

    Raises
    ------
    StorageError
        No such result, no evidence, or its genes are not there any more.
    MatrixError
        The matrix that was annotated is not there any more.
    InputError
        No such group or column.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> adata = sca.datasets.pbmc68k()
    >>> query = adata[500:].copy()
    >>> sca.tl.annotate(query, adata[:500].copy(), "cell_type", method="nearest_centroid", cv=0)
    >>> sca.tl.evidence(query)
    >>> ax = sca.pl.dotplot(query, n_genes=2, show=False)
    >>> [text.get_text() for text in ax.get_yticklabels()][:2]
    ['CD4+/CD25 T Reg', 'CD4+/CD45RA+/CD25- Naive T']
    """
    check_save(save)
    n_genes = None if n_genes is None else whole(n_genes, "n_genes", least=1)
    if ax is not None:
        one_axes(ax, 1, 1)
    found = chosen_rows(read_evidence(adata, key), groups, symbols_of(adata, gene_symbols), mito_ribo=mito_ribo)
    genes = _genes(found, n_genes)
    table = _small_copy(adata, key, list(dict.fromkeys(gene for own in genes.values() for gene in own)), found)
    drawn = _draw(ax, key, table, genes, found)
    return finish(drawn, show=show, save=save, return_fig=return_fig)


def _genes(found: Rows, n_genes: int | None) -> dict[str, list[str]]:
    """The strongest genes of each label that no label before it has; labels in natural order."""
    n = n_genes or (3 if len(found.pairs) <= FEW else 2 if len(found.pairs) <= 2 * FEW else 1)
    names = dict(zip(found.pairs, style.shorten(found.name(pair) for pair in found.pairs), strict=True))
    seen: set[str] = set()
    genes: dict[str, list[str]] = {}
    for pair, name in names.items():
        ranked = found.genes(pair, "towards", len(found.table))["gene"]
        own = [gene for gene in ranked if gene not in seen][:n]
        seen.update(own)
        if own:
            genes[name] = own
    if not genes:
        raise InputError("no gene contributed to the labels of these groups: nothing can be drawn.")
    return genes


def _small_copy(adata: AnnData, key: str, genes: list[str], found: Rows) -> AnnData:
    """The genes that are drawn and the labels, in an object that scanpy may write to."""
    import pandas as pd
    from anndata import AnnData as New

    labels = read_annotation(adata, key)["label"].astype("category").cat.remove_unused_categories()
    names = [str(c) for c in labels.cat.categories]
    short = dict(zip(names, style.shorten(names), strict=True))
    column = labels.cat.rename_categories(short).cat.reorder_categories([short[n] for n in shown_order(names)])
    known = np.asarray(column.notna(), dtype=bool)
    values = read_expression(adata, key, genes)[known]
    obs = pd.DataFrame({"label": np.asarray(column[known.tolist()])}, index=adata.obs_names[known].astype(str))
    obs["label"] = pd.Categorical(obs["label"], categories=list(column.cat.categories))
    return New(X=values, obs=obs, var=pd.DataFrame(index=pd.Index(genes)))


def _draw(ax: Axes | None, key: str, table: AnnData, genes: dict[str, list[str]], found: Rows) -> Axes:
    from matplotlib.text import Text
    from scanpy.pl import dotplot as scanpy_dotplot

    with warnings.catch_warnings():
        # Warnings of scanpy about pandas and matplotlib do not concern the caller.
        warnings.simplefilter("ignore")
        plot: Any = scanpy_dotplot(table, genes, groupby="label", ax=ax, show=False, return_fig=True)
        plot.legend(colorbar_title="mean expression\n(log1p, per 10,000)", size_title="cells that\nexpress it (%)")
        axes = plot.get_axes()
    main: Axes = axes["mainplot_ax"]
    texts = main.get_xticklabels()
    for text in texts:
        text.set_text(found.symbol(text.get_text()))
    main.set_xticks(main.get_xticks(), [text.get_text() for text in texts])
    # The brackets above the genes have names of labels too.
    style.plain(text for each in axes.values() for text in each.findobj(Text))
    # Below the names of the genes: those of the labels, of any length, are above.
    words = [f"{key}: expression of the genes with the largest contributions", *found.note]
    style.axis_names(main, "\n".join(style.broken(words)))
    return main if ax is None else ax
