"""Texts of parameters that several functions have, written once."""

from __future__ import annotations

import re
from textwrap import dedent, indent
from typing import TYPE_CHECKING, TypeVar

from sc_annotate._core.arguments import public

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., object] | type")

_LINE = re.compile(r"^( *)%\((\w+)\)s$", flags=re.MULTILINE)


def documented(**texts: str) -> Callable[[F], F]:
    """A function that is :func:`~sc_annotate._core.arguments.public`, or a class, with the shared texts in its docstring.

    Lines such as ``%(layer)s`` are filled in from :data:`PARAMETERS`, or from `texts` of the function's own.

    Examples
    --------
    >>> @documented()
    ... def f(adata, key):
    ...     '''Do something.
    ...
    ...     Parameters
    ...     ----------
    ...     %(key)s
    ...     '''
    >>> print(f.__doc__.strip().splitlines()[-1].strip())
    Name of the result (``key_added``).
    """
    known = PARAMETERS | texts

    def fill(match: re.Match[str]) -> str:
        return indent(dedent(known[match[2]]).strip("\n"), match[1])

    def decorate(described: F) -> F:
        # python -OO takes docstrings away.
        if described.__doc__ is not None:
            described.__doc__ = _LINE.sub(fill, described.__doc__)
        if isinstance(described, type):
            return described
        return public(described)

    return decorate


PARAMETERS: dict[str, str] = {
    "key": """
        key
            Name of the result (``key_added``).
        """,
    "key_added": """
        key_added
            Name of the result. An earlier result of that name is replaced; a column that another tool wrote is an error.
        """,
    "matrix": """
        layer, use_raw, use_rep
            Which matrix: a layer, ``.raw`` (``use_raw=None``: only where ``X`` is scaled and ``.raw`` is not), or a
            representation in ``obsm`` that the annotated cells and the reference share (name with or without ``X_``). At
            most one of them.
        """,
    "trust": """
        trust
            Settings of confidence, prediction sets, statuses and gene overlap: a :class:`sc_annotate.trust.Options`; a word
            for its calibration, ``"auto"``, ``"temperature"``, ``"isotonic"`` or ``"venn_abers"``; or None for uncalibrated
            confidence, without prediction sets and out-of-distribution scores.
        """,
    "layer_or_raw": """
        layer, use_raw
            Which matrix of `adata`: a layer, or ``.raw`` (``use_raw=None``: only where ``X`` is scaled and ``.raw`` is not).
        """,
    "method_kwargs": """
        method_kwargs
            Parameters of the method, by name.
        """,
    "n_top_genes": """
        n_top_genes
            Number of genes that the method sees; None for all. Three quarters are the most variable ones (within batches, where
            there are any), the others those of the rest that tell the types apart best: by the F statistic of the types
            within batches. Chosen on the training cells, in every fold again. With more than 500 types all are chosen by
            how they vary.
        """,
    "min_cells": """
        min_cells
            Leave out types with fewer labelled cells, and say so. With 1 none is left out, and a type of one cell is an
            error.
        """,
    "max_cells": """
        max_cells
            Learn from so many reference cells, drawn at random, with at least 100 of each type as far as there are; None for
            all. Held-out scores, confidence and sets are learned from the plain random sample alone. With None and a
            reference in a file or a Dask array, methods that can (``lda``, ``nearest_centroid``, ``naive_bayes``) are fitted
            on all cells block by block; others read them into memory.
        """,
    "coverage": """
        coverage
            Share of prediction sets that should hold the true type.
        """,
    "gene_symbols": """
        gene_symbols
            Column of ``var`` with other names of the genes. By default customary columns are compared too and, where these share
            too few genes, any text column.
        """,
    "names_to_write": """
        gene_symbols
            Column of ``adata.var`` with names of the genes to write.
        """,
    "total_counts_key": """
        total_counts_key
            Column of ``obs`` with the true total counts of each cell, for counts of some genes only.
        """,
    "values": """
        values
            What the matrix holds: ``"counts"``, ``"log1p"``, ``"log2"``, ``"log10"`` or ``"linear"``. By default it is
            detected; what contradicts the values is an error.
        """,
    "store_proba": """
        store_proba
            ``"all"``; ``"topk"``, the 10 largest probabilities of each cell, as a sparse matrix; or False, none.
        """,
    "markers": """
        markers
            Genes of each type: a dict, a table, the path of a CSV, GMT or JSON file or the name of a packaged list
            (``"pbmc"``), see :doc:`/markers`.
        """,
    "markers_by": """
        by
            Statistic of decoupler that scores a list: ``"zscore"``, ``"ulm"`` or ``"mlm"``.
        """,
    "lists_request": """
        min_genes
            Genes of a list that must be in `adata`; lists with fewer are left out.
        min_support
            Rows of a table that must name a gene for a type, for tables collected from several sources.
        type_column, gene_column, weight_column, sign_column
            Columns of a table of markers, where they do not have one of the usual names.
        """,
    "annotated": """
        adata
            An annotated object. Not changed.
        """,
    "board": """
        adata
            An object with predicted perturbations (:func:`sc_annotate.tl.predict_perturbation`), or a leaderboard as
            :func:`sc_annotate.tl.evaluate_perturbation` returns it. Not changed.
        key
            Name of the result (``key_added``) in an AnnData; not for a leaderboard.
        """,
    "kind": """
        kind
            Conditions of one target (``"single"``) or of several (``"double"``); by default the latter, where they were
            scored.
        """,
    "basis": """
        basis
            Name in ``adata.obsm``, with or without ``X_``; its first two columns are drawn. By default the first there is
            of ``umap``, ``tsne``, ``pca`` and ``spatial``.
        """,
    "size": """
        size
            Area of a point in square points; by default smaller the more cells there are.
        """,
    "rng": """
        rng
            Seed: an integer, or a :class:`numpy.random.Generator`, of which one integer is drawn and recorded. Equal seeds
            give equal results, bit for bit, on one machine.
        """,
    "ax": """
        ax
            Axes to draw on; a new figure otherwise.
        """,
    "show": """
        show
            Whether to show the figure; by default only where matplotlib is interactive.
        """,
    "save": """
        save
            Path of a file to write the figure to; its suffix is the format, such as ``.png`` or ``.pdf``. A file that is
            there is overwritten.
        """,
    "return_fig": """
        return_fig
            Return the figure instead of the Axes.
        """,
}
"""Entries of ``Parameters`` sections, by name."""
