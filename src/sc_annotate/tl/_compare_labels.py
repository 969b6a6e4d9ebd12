"""Score results on the cells whose types are known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sc_annotate._core.arguments import default
from sc_annotate._core.docs import documented
from sc_annotate.annotation.imported.compare_labels import CompareRequest, compare

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from anndata import AnnData


@documented()
def compare_labels(
    adata: AnnData,
    truth: str,
    keys: Sequence[str] | None = None,
    *,
    against: str | None = default(None),
    mapping: Mapping[str, str] | pd.DataFrame | None = default(None),
    batch_key: str | None = default(None),
    rng: int = default(0),
) -> pd.DataFrame:
    """Score several annotations on the same labelled cells: ours, and those of other tools (:func:`import_labels`).

    All cells with a type in `truth` count, in every result: a cell without a label, or with a label that no true type has,
    is wrong. Only cells that one of the results was handed as pre-labelled are left out, from all of them. Nothing is stored.

    The scores hold for cells that no tool has learned from: a tool that was trained on the labels in `truth` looks better
    than it is.

    Parameters
    ----------
    adata
        An object with one or more annotations.
    truth
        Column of ``obs`` with the types of some cells, or of all; missing where they are not known.
    keys
        Names of the results (``key_added``); by default all in `adata`.
    against
        The result that the others are compared with; by default the first of `keys`.
    mapping
        What labels are called in `truth`: a dict from label to type, ``""`` for none. Labels that do not occur in a result
        are ignored, so one dict serves several. Or the tables of :func:`map_labels` for `truth` and for the results, joined
        with :func:`pandas.concat`: labels that have the term of one type are this type. Labels that are in no mapping
        match by their exact name; a warning counts those that do not, with near names.
    batch_key
        Column of ``obs`` with batches (donors), at least three: whole ones are resampled for the intervals.
    %(rng)s

    Returns
    -------
    One row a result: ``key``; ``method``; ``n_cells``; of these ``n_unassigned``, without a label, and ``n_other_names``, with one
    that no true type has; ``accuracy`` and ``macro_f1`` (over the types in `truth`) with 95 %% bootstrap intervals (``_low``,
    ``_high``); ``against``, ``difference`` (macro-F1 minus that of `against` on the same cells) with its paired interval. Of the
    confidence, where there is one: ``n_with_confidence``, cells with a label and a confidence; ``mean_confidence``; and
    ``expected_calibration_error``, beside ``if_calibrated``, what a calibrated confidence would show with so many cells.
    ``attrs["cells"]`` says which cells were scored.

    Raises
    ------
    InputError
        No such column, a mapping to a type that is not in `truth`, fewer than three batches.
    LabelError
        No known type, or only pre-labelled cells have one.
    StorageError
        No such result, or none at all.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> adata = sca.datasets.pbmc68k()
    >>> reference, query = adata[:500].copy(), adata[500:].copy()
    >>> of_cluster = reference.obs.groupby("louvain", observed=True)["cell_type"].agg(lambda types: types.mode()[0])
    >>> sca.tl.import_labels(query, of_cluster, groupby="louvain", method="a colleague", key_added="colleague")
    >>> sca.tl.annotate(query, reference, "cell_type", method="nearest_centroid", cv=0, trust=None)
    >>> table = sca.tl.compare_labels(query, "cell_type", against="annotation")
    >>> table[["key", "n_cells", "n_unassigned", "accuracy"]].round(2).values.tolist()
    [['colleague', 200, 0, 0.74], ['annotation', 200, 0, 0.85]]
    """
    request = CompareRequest(against=against, mapping=mapping, batch_key=batch_key, rng=rng)
    return compare(adata, truth, keys, request)
