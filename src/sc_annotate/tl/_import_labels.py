"""Take over labels of another tool."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from sc_annotate._core.arguments import default
from sc_annotate._core.docs import documented
from sc_annotate.annotation.imported.import_labels import store_imported
from sc_annotate.annotation.imported.import_request import ImportRequest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from os import PathLike

    import pandas as pd
    from anndata import AnnData


@documented()
def import_labels(
    adata: AnnData,
    key: str | PathLike[str] | pd.Series | pd.DataFrame | Mapping[str, str],
    *,
    score: str | pd.Series | Mapping[str, float] | Literal[False] | None = default(None),
    groupby: str | None = default(None),
    column: str | None = default(None),
    method: str | None = default(None),
    key_added: str = "imported",
) -> None:
    """Make a result of labels that another tool made: CellTypist, Azimuth, popV, a language model, a colleague.

    The labels are stored as :func:`annotate` stores its own, so that they can be drawn, compared
    (:func:`compare_labels`), voted on and reported beside ours. What needs a model is refused: evidence, prediction sets,
    roll-up, consensus.

    Parameters
    ----------
    adata
        Any object.
    key
        Column of ``obs`` with labels. Or labels by name of the cell: a pandas Series, a dict, a DataFrame with the names as
        its index, or the path of a CSV file (with tabs where it ends in ``.tsv``) with the names in its first column.
        Names that are no cells are left out with a warning; cells without a name there, and names that occur twice, are
        errors.
    score
        The tool's confidence in its labels, from 0 to 1: a column of ``obs``, or of the table with the labels, or a Series
        or dict by the same names. By default the column that the tool is known to write, or that is named as the labels
        are, with ``_score``, ``.score``, ``_confidence`` or the like behind; False for none.
    groupby
        Column of ``obs`` with groups, such as clusters: `key` then has one label for each group.
    column
        Column of the table with the labels; needed where several could be them.
    method
        Name of the tool; by default as its columns tell, else ``"imported"``.
    %(key_added)s

    Returns
    -------
    None. Written to `adata`:

    ``obs[key_added]`` : categorical
        The label. Missing where there is none, or a word that stands for none (``Unassigned``, ``unknown``, ...).
    ``obs[f"{key_added}_confidence"]`` : float32
        The confidence, as it came; only where there is one. It is not calibrated.
    ``obs[f"{key_added}_model"]`` : categorical
        A short id of these labels.
    ``uns[key_added]`` : dict
        ``method``, ``params``, ``classes``; ``imported``: ``source``, ``score``, ``n_without_label``, and ``unassigned``, a
        row for each word that stands for no type.

    Raises
    ------
    InputError
        No such column or file, names that do not fit the cells, a `score` that is not between 0 and 1.
    LabelError
        No label at all, or as many as there are cells.
    StorageError
        A column of that name that another tool wrote.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> adata = sca.datasets.pbmc68k()
    >>> sca.tl.import_labels(
    ...     adata,
    ...     {"CD14+ Monocyte": "monocyte"} | dict.fromkeys(set(adata.obs["cell_type"]) - {"CD14+ Monocyte"}, "unknown"),
    ...     groupby="cell_type",
    ...     method="gpt",
    ... )
    >>> adata.obs["imported"].value_counts(dropna=False).tolist(), adata.uns["imported"]["method"]
    ([571, 129], 'gpt')
    """
    request = ImportRequest(score=score, groupby=groupby, column=column, method=method)
    store_imported(adata, key, request, key_added)
