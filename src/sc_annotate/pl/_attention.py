"""Which genes a network with attention looks at, in each type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.arguments import whole
from sc_annotate._core.docs import documented
from sc_annotate._store.slots import DEFAULT_KEY
from sc_annotate._store.storage import read_uns
from sc_annotate._store.stored import read_evidence
from sc_annotate.errors import StorageError
from sc_annotate.pl import _heatmap as heatmap
from sc_annotate.pl import _style as style
from sc_annotate.pl._evidence_rows import chosen_rows, symbols_of
from sc_annotate.pl._figure import check_save, finish, one_axes
from sc_annotate.pl._order import by_similarity

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

    import pandas as pd
    from anndata import AnnData
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray


@documented()
def attention(
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
    """Draw the genes that ``nact`` pays most attention to in each label, from :func:`sc_annotate.tl.evidence`.

    Colour is the mean attention of the cells of the label, as a multiple of an even share: 1 where the gene gets as much as
    it would if all genes got the same. Each column has the genes with the most; a gene that several have is listed with the
    first. Below, beside each label: by how many genes the attention is effectively shared (the exponential of its entropy,
    mean over cells).

    Attention says what the network looks at, not what decides: deleting these genes costs far less than deleting those of
    :func:`evidence`, see :doc:`/evidence`.

    Parameters
    ----------
    adata
        An object annotated with ``nact``, after ``sca.tl.evidence`` with the model, of any saliency. Not changed.
    %(key)s
    groups
        Groups or types to draw, in this order. By default all, with similar ones next to each other.
    n_genes
        Genes of each group. By default 5 of up to 12 groups, 3 of up to 24, else 2.
    %(names_to_write)s
    mito_ribo
        Draw mitochondrial genes and ribosomal proteins too, see :func:`evidence`.
    %(ax)s
    %(show)s
    %(save)s
    %(return_fig)s

    Returns
    -------
    The Axes, or the figure.

    Raises
    ------
    StorageError
        No such result, no evidence, or that of a method without attention.
    InputError
        No such group or column.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> adata = sca.datasets.pbmc68k()
    >>> reference, query = adata[:500].copy(), adata[500:].copy()
    >>> model = sca.tl.fit_annotator(
    ...     reference, "cell_type", method="nact", method_kwargs={"epochs": 2}, cv=0, trust=None
    ... )
    >>> sca.tl.annotate(query, model)
    >>> sca.tl.evidence(query, model=model, saliency="input_x_gradient")
    >>> ax = sca.pl.attention(query, n_genes=3, show=False)
    >>> len(ax.get_xticklabels()) == query.obs["annotation"].nunique()
    True
    """
    check_save(save)
    n_genes = None if n_genes is None else whole(n_genes, "n_genes", least=1)
    stored = read_uns(adata, key)
    kept = (
        read_evidence(adata, key).get("attention") if "evidence" in stored or stored.get("method") == "nact" else None
    )
    if not isinstance(kept, dict):
        raise StorageError(
            f"adata.uns[{key!r}] has no attention: the method {str(stored.get('method'))!r} has none. Annotate with a model of "
            "method='nact', and run sca.tl.evidence(adata, model=model)."
        )
    found = chosen_rows({"table": _as_table(kept)}, groups, symbols_of(adata, gene_symbols), mito_ribo=mito_ribo)
    place = {pair: i for i, pair in enumerate(zip(_texts(kept["group"]), _texts(kept["type"]), strict=True))}
    times = np.asarray(kept["attention"], dtype=np.float64) * int(kept["n_genes"])
    pairs = list(found.pairs)
    if not found.ordered:
        pairs = [pairs[i] for i in by_similarity(_alike(times[[place[pair] for pair in pairs]]))]
    n = n_genes or (5 if len(pairs) <= 12 else 3 if len(pairs) <= 24 else 2)
    genes = list(dict.fromkeys(gene for pair in pairs for gene in found.genes(pair, "towards", n)["gene"]))
    column = {gene: i for i, gene in enumerate(_texts(kept["genes"]))}
    rows = [place[pair] for pair in pairs]
    values = times[np.ix_(rows, [column[gene] for gene in genes])].T
    shared = np.asarray(kept["n_effective"], dtype=np.float64)
    tops = [
        f"{name}  ({shared[i]:,.0f})"
        for name, i in zip(style.shorten([found.name(pair) for pair in pairs]), rows, strict=True)
    ]
    drawn = _draw(ax, values, style.shorten([found.symbol(gene) for gene in genes]), tops)
    cells = np.asarray(kept["n_cells"], dtype=np.float64)[rows]
    mean_shared, expressed = (
        float(np.average(np.asarray(kept[name], dtype=np.float64)[rows], weights=cells))
        for name in ("n_effective", "expressed")
    )
    lines = [
        f"{key}: mean attention of each label",
        f"effectively {mean_shared:,.0f} of {int(kept['n_genes']):,} genes share it (by label: in brackets)",
        f"{100 * expressed:.0f} % goes to genes that the cell expresses",
    ]
    style.title(drawn, [*lines, *found.note])
    return finish(drawn, show=show, save=save, return_fig=return_fig)


def _texts(values: Any) -> list[str]:
    return [str(v) for v in np.ravel(values)]


def _as_table(kept: dict[str, Any]) -> pd.DataFrame:
    """The genes of each group by attention, in the form of a table of evidence."""
    import pandas as pd

    order = np.argsort(-np.asarray(kept["attention"], dtype=np.float64), axis=1, kind="stable")
    k, m = order.shape
    return pd.DataFrame(
        {
            "group": np.repeat(np.array(_texts(kept["group"]), dtype=object), m),
            "type": np.repeat(np.array(_texts(kept["type"]), dtype=object), m),
            "direction": np.full(k * m, "towards", dtype=object),
            "rank": np.tile(np.arange(1, m + 1), k),
            "gene": np.array(_texts(kept["genes"]), dtype=object)[order.ravel()],
        }
    )


def _alike(times: NDArray[np.float64]) -> NDArray[np.float64]:
    """Groups x groups, 0 to 1: cosine of what each has more of than the mean group."""
    above = np.maximum(times - times.mean(axis=0), 0)
    length = np.linalg.norm(above, axis=1, keepdims=True)
    unit = np.divide(above, length, out=np.zeros_like(above), where=length > 0)
    return np.asarray(unit @ unit.T)


def _draw(ax: Any, values: NDArray[np.float64], y: list[str], x: list[str]) -> Axes:
    high, wide = (heatmap.pitch(len(names)) + 0.02 for names in (y, x))
    drawn = one_axes(
        ax,
        max(wide * len(x), 1.5) + style.width_of(y, heatmap.font_for(len(y))) + 1.4,
        max(high * len(y), 2.0) + style.width_of(x, heatmap.font_for(len(x))) + 1.1,
    )
    heatmap.draw(drawn, values, y, x=x, top=None, aspect="auto", name="attention (1: even share)")
    return drawn
