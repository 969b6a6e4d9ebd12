"""The card of a fitted model: what it is, what it learned from, how well it did on held-out cells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.html import Table, as_html

if TYPE_CHECKING:
    import pandas as pd

    from sc_annotate.annotation.held_out import Evaluation
    from sc_annotate.annotation.training import Provenance


def card(model: Any) -> str:
    """What the model is, what it learned from, how well it did on held-out cells."""
    provenance = model.provenance
    names = model.names["var_names"]
    genes = provenance.genes or {"id_type": "dimension", "species": "unknown"}
    lines = [
        f"Annotation model {model.id} ({model.method})",
        *(f"  valid for   {text}" for text in valid_for(model)),
        f"  parameters  {_parameters(provenance)}",
        f"  reference   {_cells(provenance)}; {provenance.values['where']} held {provenance.values['kind']}",
        f"  genes       {len(names):,} of {provenance.n_genes:,}, as {genes['id_type'].replace('_', ' ')}"
        f" ({genes['species']}): {', '.join(names[:4])}, ...",
        f"  expects     {_EXPECTS[model.input]}",
        f"  types       {len(model.classes)}: " + ", ".join(_types(model)),
        *_scores(model.evaluation),
        *batch_lines(None if model.trust is None else model.trust.report.get("batches")),
        *_levels(model.level_scores),
        *(f"  note        {note}" for note in [*provenance.notes, *provenance.problems]),
        f"  made with   {', '.join(f'{k} {v}' for k, v in provenance.versions.items())}",
    ]
    return "\n".join(lines)


def aligned(names: Iterable[Any], least: int, most: int = 60) -> list[str]:
    """Names padded to one width; of longer ones both ends, in which names of types differ.

    Examples
    --------
    >>> aligned(["B", "x" * 70], 1, 10)
    ['B         ', 'xxx...xxxx']
    """
    texts = [str(name) for name in names]
    texts = [t if len(t) <= most else f"{t[: (most - 3) // 2]}...{t[(most - 3) // 2 + 3 - most :]}" for t in texts]
    width = max([least, *map(len, texts)])
    return [f"{text:<{width}}" for text in texts]


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


def _parameters(provenance: Provenance) -> str:
    kwargs = {k: v for k, v in provenance.method_kwargs.items() if k != "tree"}
    return ", ".join([f"{k}={v!r}" for k, v in kwargs.items()] + _tree(provenance)) or "defaults"


def _tree(provenance: Provenance) -> list[str]:
    """A summary of a tree, which is too long to print."""
    tree = provenance.method_kwargs.get("tree")
    if not isinstance(tree, Mapping) or not isinstance(tree.get("ancestor"), list):
        return [] if tree is None else [f"tree={tree!r}"]
    return [f"tree of {len(set(map(str, tree['ancestor'])))} ancestors"]


def _levels(scores: pd.DataFrame | None) -> list[str]:
    if scores is None:
        return []
    return ["  levels      labels of held-out cells, coarse to fine"] + [
        f"    {name} accuracy {row.accuracy:.3f} [{row.low:.3f}, {row.high:.3f}]"
        for name, row in zip(aligned(scores["level"], 18), scores.itertuples(), strict=True)
    ]


def _types(model: Any, most: int = 12) -> list[str]:
    order = np.argsort(-model.counts, kind="stable")
    shown = [f"{model.classes[i]}" + (f" ({model.counts[i]:,})" if model.counts[i] else "") for i in order[:most]]
    return shown if len(order) <= most else [*shown, f"and {len(order) - most} more"]


def _scores(evaluation: Evaluation | None) -> list[str]:
    if evaluation is None:
        return ["  scores      none (fitted without held-out cells)"]
    lines = [f"  scores      {evaluation.split}; {evaluation.n_cells:,} cells; 95 % intervals"]
    rows = evaluation.scores.to_dict("records")
    for name, row in zip(aligned(evaluation.scores["method"], 18), rows, strict=True):
        lines.append(
            f"    {name} accuracy {row['accuracy']:.3f}{ends(row['accuracy_low'], row['accuracy_high'])}"
            f"   macro-F1 {row['macro_f1']:.3f}{ends(row['macro_f1_low'], row['macro_f1_high'])}"
        )
    return lines + [f"  compared    {text}" for text in compared(evaluation.differences)]


def ends(low: float, high: float) -> str:
    """An interval in brackets; nothing where there is none.

    Examples
    --------
    >>> ends(0.1, 0.25), ends(float("nan"), float("nan"))
    (' [0.100, 0.250]', '')
    """
    return "" if np.isnan(low) or np.isnan(high) else f" [{low:.3f}, {high:.3f}]"


def valid_for(model: Any) -> list[str]:
    """For which cells confidence and sets hold, where there are any."""
    found = None if model.trust is None else model.trust.report.get("valid_for")
    return [] if not found else [str(found)]


def batch_lines(batches: pd.DataFrame | None) -> list[str]:
    """Every held-out batch, the worst first."""
    if batches is None or not len(batches):
        return []
    return ["  batches     each held out, the worst first"] + [
        f"    {name} accuracy {row['accuracy']:.3f}   mean confidence {row['mean_confidence']:.3f}   "
        f"sets cover {row['coverage']:.1%}   {int(row['n']):,} cells"
        for name, row in zip(aligned(batches["batch"], 18), batches.to_dict("records"), strict=True)
    ]


def compared(differences: pd.DataFrame) -> list[str]:
    """Of a deep method, whether it is better than its baselines."""
    if not len(differences):
        return []
    from sc_annotate.annotation.verdict import to_print

    return to_print(differences)


def html_card(model: Any, most: int = 12) -> str:
    """The card as HTML, for notebooks."""
    provenance = model.provenance
    names = model.names["var_names"]
    order = np.argsort(-model.counts, kind="stable")[:most]
    types = Table(
        ("type", "cells"), [(str(model.classes[i]), int(model.counts[i]) if model.counts[i] else None) for i in order]
    )
    parts: list[tuple[str, str | Table]] = [
        *(("valid for", text) for text in valid_for(model)),
        ("parameters", _parameters(provenance)),
        ("reference", _cells(provenance)),
        ("genes", f"{len(names):,} of {provenance.n_genes:,}: {', '.join(names[:4])}, ..."),
        ("expects", _EXPECTS[model.input]),
        (f"{len(model.classes):,} types", types),
    ]
    if len(model.classes) > most:
        parts.append(("", f"and {len(model.classes) - most:,} more types"))
    if model.evaluation is None:
        parts.append(("scores", "none (fitted without held-out cells)"))
    else:
        parts += [("scores", model.evaluation.split), ("", score_table(model.evaluation.scores))]
        parts += [("compared", text) for text in compared(model.evaluation.differences)]
    if model.level_scores is not None:
        columns = ("level", "accuracy", "low", "high")
        parts.append(("levels", Table(columns, model.level_scores[list(columns)].to_numpy(dtype=object).tolist())))
    parts += [("note", note) for note in [*provenance.notes, *provenance.problems]]
    parts.append(("made with", ", ".join(f"{k} {v}" for k, v in provenance.versions.items())))
    return as_html(f"Annotation model {model.id} ({model.method})", parts)


def _range(low: float, high: float) -> str:
    return "" if np.isnan(low) or np.isnan(high) else f"{low:.3f} to {high:.3f}"


def score_table(scores: pd.DataFrame) -> Table:
    """Held-out scores of methods, with their intervals."""
    rows = [
        (
            str(row["method"]),
            float(row["accuracy"]),
            _range(row["accuracy_low"], row["accuracy_high"]),
            float(row["macro_f1"]),
            _range(row["macro_f1_low"], row["macro_f1_high"]),
        )
        for row in scores.to_dict("records")
    ]
    return Table(("method", "accuracy", "95 % interval", "macro-F1", "95 % interval"), rows)
