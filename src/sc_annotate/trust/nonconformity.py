"""How strange each class would be for each cell, from its probabilities: the scores that prediction sets rest on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from sc_annotate.errors import InputError
from sc_annotate.trust._probabilities import as_probabilities

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["SCORES", "nonconformity"]

SCORES = ("lac", "aps", "raps")


def nonconformity(
    proba: ArrayLike, score: Literal["lac", "aps", "raps"] = "lac", *, penalty: float = 0.1, free: int = 1
) -> NDArray[np.float64]:
    """Score of every class for every cell; higher is stranger.

    Parameters
    ----------
    proba
        Probabilities, shape (n, k).
    score
        ``"lac"`` (least ambiguous sets): 1 - p. Sets are the smallest on average.

        ``"aps"`` (adaptive sets): the sum of the probabilities of the classes ranked before, 0 for the first. This is
        the score of Romano et al. without randomisation (their u = 1). Sets of hard cells are larger, those of easy
        cells smaller, so that coverage is more even.

        ``"raps"`` (regularised): ``"aps"`` plus `penalty` for each rank beyond the first `free`, which keeps
        sets from collecting many classes of tiny probability.

        Of equal probabilities the first class ranks first, as for ``argmax``.
    penalty, free
        Of ``"raps"``: lambda and k_reg of Angelopoulos et al. The penalty of the r-th class (1 is the first) is
        ``penalty * max(r - free, 0)``.

    Returns
    -------
    float64, shape (n, k). The class of the largest probability has the lowest score of its cell.

    Raises
    ------
    sc_annotate.errors.InputError
        What are no probabilities, an unknown score, or a negative penalty.

    References
    ----------
    LAC: Sadinle, Lei & Wasserman 2019, arXiv 1609.00451. APS: Romano, Sesia & Candes 2020, arXiv 2006.02544. RAPS:
    Angelopoulos et al. 2021, arXiv 2009.14193.

    Examples
    --------
    >>> from sc_annotate.trust import nonconformity
    >>> nonconformity([[0.25, 0.5, 0.25]]).tolist()
    [[0.75, 0.5, 0.75]]
    >>> nonconformity([[0.25, 0.5, 0.25]], "aps").tolist()
    [[0.5, 0.0, 0.75]]
    >>> nonconformity([[0.25, 0.5, 0.25]], "raps", penalty=0.125).tolist()
    [[0.625, 0.0, 1.0]]
    """
    if score not in SCORES:
        raise InputError(f"score must be one of {', '.join(map(repr, SCORES))}, not {score!r}.")
    if not (penalty >= 0 and np.isfinite(penalty)) or free < 0:
        raise InputError(f"penalty and free must be 0 or more, not {penalty!r} and {free!r}.")
    p = as_probabilities(proba)
    if score == "lac":
        return 1 - p
    order = np.argsort(-p, axis=1, kind="stable")
    ranked = np.zeros_like(p)
    np.cumsum(np.take_along_axis(p, order[:, :-1], axis=1), axis=1, out=ranked[:, 1:])
    if score == "raps":
        ranked += penalty * np.maximum(np.arange(1, p.shape[1] + 1) - free, 0)
    out = np.empty_like(p)
    np.put_along_axis(out, order, ranked, axis=1)
    return out
