"""The card of a fitted model: what it is, what it learned from, how well it did on held-out cells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    from sc_annotate.annotation.held_out import Evaluation
    from sc_annotate.annotation.training import Provenance


def card(model: Any) -> str:
    """What the model is, what it learned from, how well it did on held-out cells."""
    provenance = model.provenance
    kwargs = {k: v for k, v in provenance.method_kwargs.items() if k != "tree"}
    params = ", ".join([f"{k}={v!r}" for k, v in kwargs.items()] + _tree(provenance)) or "defaults"
    names = model.names["var_names"]
    genes = provenance.genes or {"id_type": "dimension", "species": "unknown"}
    lines = [
        f"Annotation model {model.id} ({model.method})",
        f"  parameters  {params}",
        f"  reference   {_cells(provenance)}; {provenance.values['where']} held {provenance.values['kind']}",
        f"  genes       {len(names):,} of {provenance.n_genes:,}, as {genes['id_type'].replace('_', ' ')}"
        f" ({genes['species']}): {', '.join(names[:4])}, ...",
        f"  expects     {_EXPECTS[model.input]}",
        f"  types       {len(model.classes)}: " + ", ".join(_types(model)),
        *_scores(model.evaluation),
        *_levels(model.level_scores),
        *(f"  note        {note}" for note in [*provenance.notes, *provenance.problems]),
        f"  made with   {', '.join(f'{k} {v}' for k, v in provenance.versions.items())}",
    ]
    return "\n".join(lines)


_EXPECTS = {
    "log": "counts or logarithms; brought to log1p of counts per 10,000",
    "counts": "counts",
    "embedding": "the same representation as the reference",
}


def _cells(provenance: Provenance) -> str:
    """How many cells were learned from, and by which labels, where that is recorded."""
    if not provenance.n_cells:
        return "unknown cells"
    return f"{provenance.n_cells:,} cells labelled by {provenance.labels_key!r}"


def _tree(provenance: Provenance) -> list[str]:
    """That there is a tree, which is too long to be printed."""
    tree = provenance.method_kwargs.get("tree")
    if not isinstance(tree, Mapping) or not isinstance(tree.get("ancestor"), list):
        return [] if tree is None else [f"tree={tree!r}"]
    return [f"tree of {len(set(map(str, tree['ancestor'])))} ancestors"]


def _levels(scores: pd.DataFrame | None) -> list[str]:
    if scores is None:
        return []
    return ["  levels      labels of held-out cells, coarse to fine"] + [
        f"    {row.level:<18} accuracy {row.accuracy:.3f} [{row.low:.3f}, {row.high:.3f}]"
        for row in scores.itertuples()
    ]


def _types(model: Any, most: int = 12) -> list[str]:
    order = np.argsort(-model.counts, kind="stable")
    shown = [f"{model.classes[i]}" + (f" ({model.counts[i]:,})" if model.counts[i] else "") for i in order[:most]]
    return shown if len(order) <= most else [*shown, f"and {len(order) - most} more"]


def _scores(evaluation: Evaluation | None) -> list[str]:
    if evaluation is None:
        return ["  scores      none (fitted without held-out cells)"]
    lines = [f"  scores      {evaluation.split}; {evaluation.n_cells:,} cells; 95 % intervals"]
    for row in evaluation.scores.itertuples():
        lines.append(
            f"    {row.method:<18} accuracy {row.accuracy:.3f} [{row.accuracy_low:.3f}, {row.accuracy_high:.3f}]"
            f"   macro-F1 {row.macro_f1:.3f} [{row.macro_f1_low:.3f}, {row.macro_f1_high:.3f}]"
        )
    return lines
