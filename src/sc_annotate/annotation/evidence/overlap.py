"""How far the genes of the evidence are those of a test between the labels, and those of marker lists."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.arguments import Request, default, seed, whole
from sc_annotate._core.settings import counted, logger
from sc_annotate._data.read import open_on_common_scale, read_rows
from sc_annotate._store.expression import matrix_request
from sc_annotate._store.storage import read_uns
from sc_annotate._store.stored import read_annotation, read_evidence
from sc_annotate.annotation.evidence.labels_and_groups import sample
from sc_annotate.annotation.markers.lists_of_labels import lists_of_labels
from sc_annotate.annotation.markers.markers_request import MarkersRequest
from sc_annotate.annotation.markers.matched import matched
from sc_annotate.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray

    from sc_annotate._data.read import Input


@dataclass(frozen=True, kw_only=True)
class OverlapRequest(Request):
    """How many genes are compared, and how many cells tested."""

    n_genes: int = default(10)
    max_cells: int | None = default(500)
    rng: int = default(0)

    def check(self) -> None:
        whole(self.n_genes, "n_genes", least=1)
        if self.max_cells is not None:
            whole(self.max_cells, "max_cells", least=2)
        seed(self.rng)


def evidence_overlap(
    adata: AnnData, key: str, markers: Any, types: Mapping[str, str] | None, request: OverlapRequest
) -> pd.DataFrame:
    """The table; see :func:`sc_annotate.get.evidence_overlap`."""
    import pandas as pd

    table = read_evidence(adata, key)["table"]
    table = table[(table["direction"].astype(str) == "towards") & (table["rank"] <= request.n_genes)]
    found, transform = open_on_common_scale(
        adata, matrix_request(read_uns(adata, key)["params"]).but(gene_symbols=None, use_rep=None)
    )
    names = [str(name) for name in found.source.names]
    place = {name: i for i, name in enumerate(names)}
    own = {
        (str(group), str(kind)): [str(gene) for gene in rows["gene"]]
        for (group, kind), rows in table.groupby(["group", "type"], sort=True, observed=True)
    }
    if gone := sorted({gene for genes in own.values() for gene in genes} - set(names)):
        raise StorageError(
            f"genes of the evidence ({len(gone)}, such as {gone[0]!r}) are not in adata.{found.source.where} any more. Run "
            f"`sca.tl.evidence(adata, key={key!r})` again."
        )
    tested = _tested(adata, key, found, transform, request)
    lists, list_names = _lists(found, sorted({kind for _, kind in own}), markers, types)
    rows = []
    for (group, kind), genes in own.items():
        first = tested.get(kind)
        row: dict[str, Any] = {"group": group, "type": kind, "n_genes": len(genes)}
        row["n_tested"] = np.nan if first is None else float(len(set(genes) & set(first)))
        # As many as there would be if both were drawn at random.
        row["by_chance"] = np.nan if first is None else len(genes) * len(first) / len(names)
        if markers is not None:
            listed = lists.get(kind)
            row["list"] = "" if listed is None else list_names[kind]
            row["n_list"] = np.nan if listed is None else float(listed.sum())
            hits = np.nan if listed is None else float(listed[[place[gene] for gene in genes]].sum())
            row["n_listed"] = hits
            row["listed_by_chance"] = np.nan if listed is None else len(genes) * listed.mean()
            row["n_tested_listed"] = (
                np.nan if listed is None or first is None else float(listed[[place[gene] for gene in first]].sum())
            )
        rows.append(row)
    return pd.DataFrame(rows)


def _tested(adata: AnnData, key: str, found: Input, transform: Any, request: OverlapRequest) -> dict[str, list[str]]:
    """The first genes of `scanpy.tl.rank_genes_groups` for each label of at least two cells, of a copy."""
    import pandas as pd
    from anndata import AnnData as New
    from scanpy.tl import rank_genes_groups

    label = read_annotation(adata, key)["label"]
    known = np.asarray(label.notna(), dtype=bool)
    names, code = np.unique(np.asarray(label[known.tolist()].astype(str), dtype=str), return_inverse=True)
    number = np.full(len(known), -1, dtype=np.intp)
    number[known] = code
    chosen = sample(number, request.max_cells, request.rng)
    # A test knows no spread of one cell.
    chosen[(np.bincount(code, minlength=len(names)) < 2)[number] & (number >= 0)] = -1
    rows = np.flatnonzero(chosen >= 0)
    if len(np.unique(chosen[rows])) < 2:
        return {}
    every = np.arange(len(found.source.names), dtype=np.intp)
    values = read_rows(found.source, transform, every, rows, progress="reading the genes")
    obs = pd.DataFrame({"label": pd.Categorical(names[chosen[rows]])}, index=[str(i) for i in range(len(rows))])
    # Numbers as names: those of the matrix may occur twice.
    small = New(X=values, obs=obs, var=pd.DataFrame(index=[str(i) for i in every]))
    with warnings.catch_warnings():
        # Warnings of scanpy about its own data frames do not concern the caller.
        warnings.simplefilter("ignore")
        rank_genes_groups(small, "label", method="wilcoxon", n_genes=min(request.n_genes, len(every)), use_raw=False)
    ranked = small.uns["rank_genes_groups"]["names"]
    return {name: [str(found.source.names[int(i)]) for i in ranked[name]] for name in ranked.dtype.names}


def _lists(
    found: Input, labels: list[str], markers: Any, types: Mapping[str, str] | None
) -> tuple[dict[str, NDArray[np.bool_]], dict[str, str]]:
    """Of each label that has a list: whether each gene of the matrix is in it, and its name."""
    if markers is None:
        return {}, {}
    lists = MarkersRequest().lists(markers)
    usable = matched(lists, found, min_genes=1)
    own = lists_of_labels(labels, usable.types, usable.term_ids, lists.types, types or {})
    if without := [label for label in labels if label not in own]:
        left = np.delete(usable.types, sorted({one.place for one in own.values()})).tolist()
        logger.warning(
            f"{len(without)} of {counted(len(labels), 'label')} {'has' if len(without) == 1 else 'have'} no list of genes of adata by name "
            f"or meaning, and {'is' if len(without) == 1 else 'are'} compared with none: {_some(without)}. Lists without a label: "
            f"{_some(left)}. Say which belong together: types={{'label': 'name of a list'}}"
        )
    if absent := sorted(set(lists.types.tolist()) - set(usable.types.tolist())):
        logger.warning(f"{counted(len(absent), 'list')} of {lists.source} without any gene of adata: {_some(absent)}")
    return (
        {label: usable.weights[:, one.place] > 0 for label, one in own.items()},
        {label: str(usable.types[one.place]) for label, one in own.items()},
    )


def _some(names: list[str], most: int = 10) -> str:
    return f"{', '.join(map(repr, names[:most]))}{', ...' if len(names) > most else ''}" or "none"
