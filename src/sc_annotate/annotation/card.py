"""A fitted model in readable lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from sc_annotate.annotation.held_out import Evaluation
    from sc_annotate.annotation.model import AnnotationModel


def card(model: AnnotationModel) -> str:
    """What the model is, what it learned from, how well it did on held-out cells."""
    about = model.about
    kwargs = {k: v for k, v in about["params"]["method_kwargs"].items() if k != "tree"}
    params = ", ".join([f"{k}={v!r}" for k, v in kwargs.items()] + _tree(about)) or "defaults"
    names = model.names["var_names"]
    genes = about["genes"] or {"id_type": "dimension", "species": "unknown"}
    lines = [
        f"Annotation model {model.id} ({model.method})",
        f"  parameters  {params}",
        f"  reference   {_cells(about)}; {about['values']['where']} held {about['values']['kind']}",
        f"  genes       {len(names):,} of {about['n_genes']:,}, as {genes['id_type'].replace('_', ' ')}"
        f" ({genes['species']}): {', '.join(names[:4])}, ...",
        f"  expects     {_EXPECTS[model.input]}",
        f"  types       {len(model.classes)}: " + ", ".join(_types(model)),
        *_scores(model.evaluation),
        *_levels(model.level_scores),
        *(f"  note        {note}" for note in [*about["notes"], *about.get("problems", [])]),
        f"  made with   {', '.join(f'{k} {v}' for k, v in about['versions'].items())}",
    ]
    return "\n".join(lines)


_EXPECTS = {
    "log": "counts or logarithms; brought to log1p of counts per 10,000",
    "counts": "counts",
    "embedding": "the same representation as the reference",
}


def _cells(about: dict[str, Any]) -> str:
    """How many cells were learned from, and by which labels, where the model knows."""
    if not about["n_cells"]:
        return "cells that are not told"
    return f"{about['n_cells']:,} cells labelled by {about['labels_key']!r}"


def _tree(about: dict[str, Any]) -> list[str]:
    """That there is a tree, which is too long to be printed."""
    tree = about["params"]["method_kwargs"].get("tree")
    return [] if tree is None else [f"tree of {len(set(tree['ancestor']))} ancestors"]


def _levels(scores: dict[str, list[Any]] | None) -> list[str]:
    if scores is None:
        return []
    rows = zip(scores["level"], scores["accuracy"], scores["low"], scores["high"], strict=True)
    return ["  levels      calls of held-out cells, coarse to fine"] + [
        f"    {name:<18} accuracy {value:.3f} [{low:.3f}, {high:.3f}]" for name, value, low, high in rows
    ]


def _types(model: AnnotationModel, most: int = 12) -> list[str]:
    order = np.argsort(-model.counts, kind="stable")
    shown = [f"{model.classes[i]}" + (f" ({model.counts[i]:,})" if model.counts[i] else "") for i in order[:most]]
    return shown if len(order) <= most else [*shown, f"and {len(order) - most} more"]


def _scores(evaluation: Evaluation | None) -> list[str]:
    if evaluation is None:
        return ["  scores      none (fitted without held-out cells)"]
    lines = [f"  scores      {evaluation.split}; {evaluation.n_cells:,} cells; 95 % intervals"]
    s = evaluation.scores
    for i, name in enumerate(s["method"]):
        lines.append(
            f"    {name:<18} accuracy {s['accuracy'][i]:.3f} [{s['accuracy_low'][i]:.3f}, {s['accuracy_high'][i]:.3f}]"
            f"   macro-F1 {s['macro_f1'][i]:.3f} [{s['macro_f1_low'][i]:.3f}, {s['macro_f1_high'][i]:.3f}]"
        )
    return lines
