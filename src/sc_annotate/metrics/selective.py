"""What rejecting cells buys, and what it costs: never one without the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core.arguments import public
from sc_annotate.metrics.classification import accuracy, balanced_accuracy, macro_f1
from sc_annotate.metrics.encoding import encode_pair, mask, numbers

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["risk_coverage", "with_rejection"]


@public
def risk_coverage(
    y: ArrayLike, labels: ArrayLike, confidence: ArrayLike, *, accept: ArrayLike | None = None
) -> dict[str, Any]:
    """Share of wrong labels among the accepted cells, for every share of cells that is accepted.

    Cells are accepted from the most confident down; those of equal confidence come together, so that the curve does
    not depend on their order. All cells count: the last point accepts all cells. A cell without a label (None, NaN, NA
    or "") is wrong wherever it is accepted.

    Parameters
    ----------
    y
        True type of each cell, shape (n,).
    labels
        Predicted type of each cell, shape (n,).
    confidence
        Any number that is higher for labels to be trusted more, shape (n,).
    accept
        Cells that another rule accepts, such as ``status == "confident"``, bool, shape (n,): its point is added, to
        compare with the curve.

    Returns
    -------
    ``coverage``, ``risk``, ``threshold``
        Float64 arrays, one entry for each distinct confidence, highest first: accepting the cells with at least this
        confidence accepts the share ``coverage`` of all cells, of which the share ``risk`` is labelled wrongly.
    ``area``
        Mean over all cells of the risk at their own confidence (AURC): 0 is best; confidence without information gives
        about the error rate.
    ``excess_area``
        `area` minus that of the best possible order of these labels (all correct ones first): 0 is a perfect order.
    ``accepted``
        With `accept`: a dict of the ``coverage`` and ``risk`` of that rule and ``rejected_risk``, the share of wrong
        labels among the cells it rejects. NaN where there are none.

    Raises
    ------
    sc_annotate.errors.InputError
        No cells, arguments of different cells, confidence that is not finite, or `accept` that is not bool.

    References
    ----------
    Geifman & El-Yaniv 2017, arXiv 1705.08500; excess area: Geifman, Uziel & El-Yaniv 2019, arXiv 1805.08206.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> curve = sca.metrics.risk_coverage(["B", "B", "T", "T"], ["B", "B", "T", "B"], [0.9, 0.8, 0.7, 0.6])
    >>> curve["coverage"].tolist(), curve["risk"].tolist()
    ([0.25, 0.5, 0.75, 1.0], [0.0, 0.0, 0.0, 0.25])
    >>> curve["area"], curve["excess_area"]
    (0.0625, 0.0)
    """
    _, true, predicted = encode_pair(y, labels)
    n = true.size
    wrong = true != predicted
    level, block = np.unique(-numbers(confidence, "confidence", n), return_inverse=True)
    size = np.bincount(block, minlength=level.size)
    accepted = np.cumsum(size)
    risk = np.cumsum(np.bincount(block, weights=wrong, minlength=level.size)) / accepted
    area = float(size @ risk / n)
    # Wrong labels last: the i-th of them is accepted with all correct ones and i wrong ones.
    i = np.arange(1, int(wrong.sum()) + 1)
    best = float((i / (n - i.size + i)).sum() / n)
    out: dict[str, Any] = {
        "coverage": accepted / n,
        "risk": risk,
        "threshold": -level,
        "area": area,
        # Rounding may take the difference of two equal areas below 0.
        "excess_area": max(area - best, 0.0),
    }
    if accept is not None:
        taken = mask(accept, "accept", n)
        out["accepted"] = {
            "coverage": float(taken.mean()),
            "risk": float(wrong[taken].mean()) if taken.any() else float("nan"),
            "rejected_risk": float(wrong[~taken].mean()) if not taken.all() else float("nan"),
        }
    return out


@public
def with_rejection(y: ArrayLike, labels: ArrayLike, accept: ArrayLike) -> dict[str, Any]:
    """Scores of labels of which some are rejected, on all cells and on the accepted ones, side by side.

    Scores of the accepted cells alone rise when hard cells are rejected, which says nothing of the method; a type whose
    cells are all rejected even leaves the mean. So they come only together with the share of cells and the types that
    they are about, and with the scores on all cells, where a rejected cell is one without a label: wrong. There, accuracy
    and balanced accuracy cannot rise by rejecting, and the F1 of a type is at most 2 c / (1 + c), c being the share of
    its cells that is accepted.

    Parameters
    ----------
    y
        True type of each cell, shape (n,).
    labels
        Predicted type of each cell, shape (n,). A cell without a label (None, NaN, NA or "") counts as rejected.
    accept
        Whether the label is accepted, bool, shape (n,).

    Returns
    -------
    ``coverage``, ``n_rejected``
        Share of the cells that is accepted, and number of those that are not.
    ``type``, ``type_coverage``, ``type_n``
        Arrays: the types in `y`, sorted, the share of their cells that is accepted, and all their cells.
    ``types_lost``
        List of the types of which no cell is accepted.
    ``all``, ``accepted``
        Dicts of ``accuracy``, ``balanced_accuracy`` and ``macro_f1``: on all cells, rejected ones being wrong, and on
        the accepted cells only (NaN where there are none).

    Raises
    ------
    sc_annotate.errors.InputError
        No cells, arguments of different cells, or `accept` that is not bool.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> y, labels = ["B", "B", "T", "NK"], ["B", "B", "T", "T"]
    >>> out = sca.metrics.with_rejection(y, labels, [True, True, True, False])
    >>> out["accepted"]["accuracy"], out["all"]["accuracy"], out["coverage"], out["types_lost"]
    (1.0, 0.75, 0.75, ['NK'])
    """
    types, true, predicted = encode_pair(y, labels)
    taken = mask(accept, "accept", true.size) & (predicted >= 0)
    truth = types[true]
    kept = np.append(types, "")[np.where(taken, predicted, -1)]
    n = np.bincount(true, minlength=types.size)
    n_kept = np.bincount(true[taken], minlength=types.size)
    present = n > 0
    scores = {"accuracy": accuracy, "balanced_accuracy": balanced_accuracy, "macro_f1": macro_f1}
    return {
        "coverage": float(taken.mean()),
        "n_rejected": int((~taken).sum()),
        "type": types[present],
        "type_coverage": n_kept[present] / n[present],
        "type_n": n[present].astype(np.int64),
        "types_lost": types[present & (n_kept == 0)].tolist(),
        "all": {name: score(truth, kept) for name, score in scores.items()},
        "accepted": {
            name: score(truth[taken], kept[taken]) if taken.any() else float("nan") for name, score in scores.items()
        },
    }
