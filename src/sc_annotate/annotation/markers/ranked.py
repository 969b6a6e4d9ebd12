"""Name clusters by their ranked genes: what is found, in the form that ``annotate_markers`` stores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.settings import counted
from sc_annotate._data import read
from sc_annotate._store.slots import Slots
from sc_annotate._vocabulary.marker_lists.finer import FinerTypes
from sc_annotate.annotation.cell_groups import Groups
from sc_annotate.annotation.evidence.saliency import WORDS, unit_of
from sc_annotate.annotation.evidence.table import evidence_table
from sc_annotate.annotation.markers.markers_result import MarkerLabels
from sc_annotate.annotation.markers.matched import matched
from sc_annotate.annotation.markers.ranked_genes import (
    MOST_CELLS,
    MOST_SALIENT,
    by_network,
    by_wilcoxon,
    need_network,
    read_sample,
)
from sc_annotate.annotation.markers.scored import Scored, silent_cells
from sc_annotate.annotators.marker_ranks import rank_scores, refine, shares_after
from sc_annotate.annotators.marker_scores import RARE

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray

    from sc_annotate._data.matrix import MatrixRequest
    from sc_annotate._data.read import Input
    from sc_annotate._vocabulary.marker_lists.lists import MarkerLists
    from sc_annotate.annotation.markers.markers_request import LabelsRequest
    from sc_annotate.annotation.markers.matched import Matched
    from sc_annotate.annotation.markers.ranked_genes import Ranking, Sample
    from sc_annotate.annotators.marker_ranks import RankScores, Step

RESOLUTION = 1.0
"""Of the clusters that are made where none are named."""

STABLE = 0.9
"""A label that no larger share of the draws gives hangs on single genes."""

NOTE = (
    "labels from markers are not calibrated, as there are no labelled cells. The confidence is the share of draws of the group's "
    "genes, with replacement, in which the list has the highest score: it says how far the label hangs on single genes, not how "
    "often such labels are right"
)
RULE = (
    "the first {n} genes of each group by {how}; score of a list: sum of (1 - (rank - 1) / {n}) x idf of the gene x number of "
    f"sources, divided by the square root of that of all its genes; no label (unfamiliar): best score no rarer than {RARE:g} "
    "in any order of the genes; where groups have the same list or a finer one, the finer list (by its name) that scores "
    f"highest on the genes that set a group apart from these others, if rarer than {RARE:g} by the number of such lists; "
    f"ambiguous: share of {STABLE:g} or less"
)
WILCOXON = "Wilcoxon score against all other cells"


@dataclass(frozen=True)
class Named:
    """The order of the genes of all groups, the scores of the lists, and the steps from the best lists to finer ones."""

    ranking: Ranking
    first: NDArray[np.intp]
    found: RankScores
    steps: list[Step]

    @property
    def code(self) -> NDArray[np.intp]:
        """The list of each group, -1 where none fits."""
        code = self.found.best
        for step in self.steps:
            code[step.group] = step.best
        return code

    @property
    def passed(self) -> NDArray[np.bool_]:
        """Groups x lists that the label of a group is finer than."""
        out = np.zeros(self.found.scores.shape, dtype=np.bool_)
        for step in self.steps:
            out[step.group, step.coarse] = True
        return out

    def best(self, matched: Matched) -> tuple[list[str], list[str]]:
        """Type and term of each group, "" where no list fits."""
        code = self.code.tolist()
        types, terms = (["" if j < 0 else str(each[j]) for j in code] for each in (matched.types, matched.term_ids))
        return types, terms


def rank_cells(
    adata: AnnData,
    lists: MarkerLists,
    request: LabelsRequest,
    matrix: MatrixRequest,
    groups: Groups | None,
    groupby: str | None,
    key: str,
) -> tuple[Scored, MarkerLabels, dict[str, Any]]:
    """Scores and labels of each group, and what is stored beside them: clusters that were made, and the genes."""
    if request.by == "nact":
        need_network()
    made = groups is None
    if made:
        from sc_annotate.annotation.over_clusters import check_leiden

        check_leiden(f"by={request.by!r} without groupby")
    found, transform = read.open_on_common_scale(adata, matrix)
    genes = matched(lists.by_rows(), found, min_genes=request.min_genes, gene_symbols=matrix.gene_symbols)
    obs: dict[str, Any] = {}
    named: dict[str, Any] = {}
    if groups is None:
        groups, obs = _clusters(adata, matrix, request.rng, key)
        named = {"clusters": Slots(key).clusters, "resolution": RESOLUTION}
    cells = read_sample(found, transform, groups, request.rng)
    ways = {"wilcoxon": _named(by_wilcoxon(cells, request.n_genes), cells, groups, genes, request.n_genes)}
    if request.by == "nact":
        network = by_network(cells, request.n_genes, request.saliency, request.rng)
        ways["nact"] = _named(network, cells, groups, genes, request.n_genes)
    own = ways[request.by]
    columns: dict[str, Any] = {"genes": _hits(own, found, len(groups.names))}
    if request.by == "nact":
        types, terms = ways["wilcoxon"].best(genes)
        agree = np.array(types) == np.array(own.best(genes)[0])
        columns |= {"wilcoxon_type": types, "wilcoxon_term_id": terms, "agrees": agree}
        named |= {"n_agree": int(agree.sum()), "wilcoxon_genes": _genes(ways["wilcoxon"], cells, found)}
    how = WILCOXON if request.by == "wilcoxon" else f"{WORDS[request.saliency]} in an N-ACT network"
    silent = silent_cells(found, transform, genes.weights)
    labels = MarkerLabels(
        shares_after(own.found.shares(request.rng), own.steps, request.rng),
        own.found.fits_none,
        silent,
        groups,
        best=np.where(own.found.fits_none, own.found.scores.argmax(axis=1), own.code),
        passed=own.passed,
        without_label=True,
        ambiguous=STABLE,
        rule=RULE.format(n=request.n_genes, how=how),
        note=NOTE,
        log=NOTE,
        named=named,
        columns=columns,
        notes=(*cells.notes, *own.ranking.notes, *_refined(own, genes), *_agreement(columns)),
        problems=tuple(cells.problems),
    )
    entry = _evidence(own, cells, found, genes, groups, request, groupby or named.get("clusters"))
    return Scored(own.found.scores, genes, found, transform, silent), labels, {"obs": obs, "uns": {"evidence": entry}}


def _clusters(adata: AnnData, matrix: MatrixRequest, rng: int, key: str) -> tuple[Groups, dict[str, Any]]:
    """Leiden clusters, and the column that they are stored in."""
    from sc_annotate.annotation.over_clusters import over_clusters
    from sc_annotate.annotation.vote import numbered_or_named

    numbers, _ = over_clusters(adata, matrix, rng, RESOLUTION)
    column = numbered_or_named(numbers)
    names = np.array([str(name) for name in column.categories])
    return Groups(names, np.asarray(column.codes, dtype=np.int32)), {Slots(key).clusters: column}


def _named(ranking: Ranking, cells: Sample, groups: Groups, genes: Matched, n_genes: int) -> Named:
    """Scores of all groups; those that were not ranked have no genes."""
    first = np.full((len(groups.names), ranking.first.shape[1]), -1, dtype=np.intp)
    first[cells.place] = ranking.first
    found = rank_scores(first, genes.weights)
    values = np.zeros((len(groups.names), len(ranking.genes)))
    values[cells.place] = ranking.sums.contribution / ranking.n_cells[:, None]
    finer = FinerTypes(genes.types.tolist()).of
    return Named(
        ranking, first, found, refine(found.best, found.scores, values, ranking.genes, genes.weights, finer, n_genes)
    )


def _hits(named: Named, found: Input, n_groups: int, most: int = 10) -> list[str]:
    """The genes of each group that speak for its list, those that add most first."""
    best = named.found.scores.argmax(axis=1)
    parts = [(named.first[i], named.found.parts[i, :, best[i]]) for i in range(n_groups)]
    for step in named.steps:
        parts[step.group] = (step.first[0], step.found.parts[0, :, step.found.scores[0].argmax()])
    out = []
    for first, adds in parts:
        order = np.argsort(-adds, kind="stable")[:most]
        out.append(" ".join(str(found.source.names[first[r]]) for r in order if adds[r] > 0))
    return out


def _refined(named: Named, genes: Matched) -> list[str]:
    """How many groups got a finer list than the one with the highest score."""
    if not named.steps:
        return []
    k = len({step.group for step in named.steps})
    coarse = list(dict.fromkeys(str(genes.types[step.coarse]) for step in named.steps))
    return [
        f"{counted(k, 'group')} got a finer list than the best one over all genes ({', '.join(map(repr, coarse[:5]))}"
        f"{', ...' if len(coarse) > 5 else ''}), by the genes that set {'it' if k == 1 else 'them'} apart from groups of the same type"
    ]


def _agreement(columns: dict[str, Any]) -> list[str]:
    if "agrees" not in columns:
        return []
    n, k = int(np.sum(columns["agrees"])), len(columns["agrees"])
    return [f"the network and the Wilcoxon test give {n} of {k} groups the same label, with the same lists and scoring"]


def _genes(named: Named, cells: Sample, found: Input) -> pd.DataFrame:
    """The ranked genes, a row for each group and rank."""
    import pandas as pd

    first, size = named.ranking.first, named.ranking.n_cells
    group, rank = np.nonzero(first >= 0)
    gene = first[group, rank]
    place = np.searchsorted(named.ranking.genes, gene)
    table = pd.DataFrame(
        {
            "group": np.array(cells.names, dtype=object)[group],
            "rank": (rank + 1).astype(np.int64),
            "gene": found.source.names.astype(object)[gene],
            "score": (named.ranking.sums.contribution[group, place] / size[group]).astype(np.float32),
        }
    )
    table.index = table.index.astype(str)
    return table


def _evidence(
    own: Named,
    cells: Sample,
    found: Input,
    genes: Matched,
    groups: Groups,
    request: LabelsRequest,
    groupby: str | None,
) -> dict[str, Any]:
    """The genes behind the labels, as ``sca.tl.evidence`` stores those of a model."""
    sums, n = own.ranking.sums, own.ranking.n_cells
    n_all = np.bincount(groups.code, minlength=len(groups.names))[cells.place]
    labels = [own.best(genes)[0][i] for i in cells.place.tolist()]
    names = found.source.names[own.ranking.genes]
    table, dots = evidence_table(sums, names, cells.names, labels, n, n_all, request.n_genes)
    network = request.by == "nact"
    entry: dict[str, Any] = {
        "groupby": groupby,
        "how": f"{WORDS[request.saliency]}, N-ACT" if network else WILCOXON,
        "saliency": request.saliency if network else None,
        "unit": unit_of(request.saliency) if network else "Wilcoxon score",
        "n_genes": int(request.n_genes),
        "max_cells": MOST_SALIENT if network else MOST_CELLS,
        "n_cells": int(n.sum()),
        "n_genes_used": len(names),
        "agreement": float(sums.agree / n.sum()),
        "table": table,
        "dots": dots,
    }
    return entry if own.ranking.faithful is None else entry | {"faithfulness": own.ranking.faithful}
