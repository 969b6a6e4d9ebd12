"""How far lists of marker genes stand out in a cell: the scores behind :func:`sc_annotate.tl.annotate_markers`.

The choices below were made on two data sets with labels (Kang et al. 2018, and a mixture of three 10x chemistries), with
two sets of lists: see docs/markers.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import numpy as np
from scipy.special import ndtr, softmax

from sc_annotate._core.extras import missing_extra
from sc_annotate.errors import MethodError

if TYPE_CHECKING:
    from numpy.typing import NDArray

Score = Literal["zscore", "ulm", "mlm"]
SCORES: Final = get_args(Score)

SPREAD: Final = 0.3
"""Added to each gene's standard deviation, so that rarely expressed genes do not dominate."""

SOFTNESS: Final = 0.7
"""Temperature of the softmax that turns scores into shares."""

RARE: Final = 0.05
"""A cell fits no list where a score as high as its best has at least this probability by chance."""


def load_decoupler() -> Any:
    """The package that scores, imported when it is first needed."""
    import matplotlib as mpl

    try:
        # What decoupler draws with sets its own legends on import, for everybody.
        with mpl.rc_context():
            import decoupler
    except ImportError as error:
        raise missing_extra("markers need decoupler", "decoupler", "markers", error) from error
    return decoupler


def standardise(values: Any, mean: NDArray[Any], sd: NDArray[Any]) -> NDArray[np.float64]:
    """How far each gene lies from its mean over all cells, in softened standard deviations; dense."""
    dense = values.toarray() if hasattr(values, "toarray") else values
    return np.asarray((np.asarray(dense, dtype=np.float64) - mean) / (sd + SPREAD))


def marker_scores(Z: NDArray[np.float64], weights: NDArray[np.float64], score: Score = "zscore") -> NDArray[np.float64]:
    """Scores of every list in every row.

    Parameters
    ----------
    Z
        Rows (cells, or means of groups) x genes, from :func:`standardise`.
    weights
        Genes x lists, 0 for genes that are in no list; these are the background.
    score
        Statistic of decoupler: ``"zscore"``, how far the list's weighted mean lies from the mean of all genes, in
        standard errors; ``"ulm"``, t value of the slope on the weights; ``"mlm"``, the same of all lists at once.

    Returns
    -------
    Rows x lists, about standard normal where a list is not enriched; 0 in a row without any variance.
    """
    import pandas as pd

    decoupler = load_decoupler()
    flat = np.ptp(Z, axis=1) == 0
    scores = np.zeros((len(Z), weights.shape[1]))
    if flat.all():
        return scores
    gene, type_of = np.nonzero(weights)
    # Numbers for names: those of types and genes may be anything.
    net = pd.DataFrame({"source": type_of.astype(str), "target": gene.astype(str), "weight": weights[gene, type_of]})
    rows = np.flatnonzero(~flat)
    data = pd.DataFrame(Z[rows], index=rows.astype(str), columns=np.arange(Z.shape[1]).astype(str))
    try:
        found, _ = getattr(decoupler.mt, score)(data, net, tmin=1, empty=False)
    except (AssertionError, np.linalg.LinAlgError, ValueError) as error:
        raise MethodError(
            f"decoupler's {score} cannot score these lists ({' '.join(str(error).split())[:200]}). Choose score='zscore', or "
            "give fewer lists that share fewer genes."
        ) from error
    scores[np.ix_(rows, np.asarray(found.columns, dtype=np.intp))] = np.nan_to_num(found.to_numpy(dtype=float))
    return scores


def shares(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scores as shares that sum to 1 in each row: their softmax. They are not calibrated probabilities."""
    return np.asarray(softmax(scores / SOFTNESS, axis=1))


def fits_none(scores: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Rows whose best score is no rarer than `RARE` in a normal distribution (one-sided, for one list)."""
    return np.asarray(ndtr(-scores.max(axis=1)) > RARE)
