"""An embedding of perturbations learnt in one screen, for use in another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sc_annotate._core.arguments import public
from sc_annotate.errors import InputError
from sc_annotate.predictors._downdate import thin_svd
from sc_annotate.predictors._screen import Embedding

if TYPE_CHECKING:
    from sc_annotate.predictors._screen import Screen


@public
def screen_embedding(screen: Screen, n_components: int = 10) -> Embedding:
    """Principal components of a screen's single perturbations, as vectors for the same targets in another screen.

    Conditions are observations and genes are variables, centred and not scaled; the control is one of the conditions
    and has a row of its own, named ``""``. With such vectors from another cell line the linear model was the best of
    the paper. Each component is given the sign that makes its largest entry positive.

    Parameters
    ----------
    screen
        The other screen; its combinations are left out. Where controls are matched, the changes beside `control` are
        taken for profiles.
    n_components
        At most; fewer where there are fewer conditions or genes.

    Returns
    -------
    One row a target and one for the control, float64, shape (singles + 1, K).

    Raises
    ------
    sc_annotate.errors.InputError
        Fewer than two singles, profiles that do not differ, or `n_components` below 1.

    References
    ----------
    Ahlmann-Eltze, Huber & Anders 2025, `doi:10.1038/s41592-025-02772-6 <https://doi.org/10.1038/s41592-025-02772-6>`_.

    Examples
    --------
    >>> from sc_annotate.predictors import Screen, screen_embedding
    >>> screen = Screen(["A", "B"], [1.0, 1.0], [[0.0, 1.0], [2.0, 3.0]], [("A",), ("B",)])
    >>> screen_embedding(screen, 2).names.tolist()
    ['A', 'B', '']
    """
    if n_components < 1:
        raise InputError(f"n_components must be 1 or more, not {n_components}.")
    single = np.array([len(t) == 1 for t in screen.targets])
    if single.sum() < 2:
        raise InputError("an embedding of perturbations needs a screen with at least two single perturbations.")
    changes = np.concatenate([screen.delta[single], np.zeros((1, len(screen.genes)))])
    centred = changes - changes.mean(axis=0)
    if not centred.any():
        raise InputError("the profiles of this screen do not differ, so they have no principal components.")
    _, values, vectors = thin_svd(centred.T, n_components)
    scores = vectors * values
    scores *= np.where(scores[np.abs(scores).argmax(axis=0), np.arange(len(values))] < 0, -1.0, 1.0)
    names = [t[0] for t, ok in zip(screen.targets, single, strict=True) if ok]
    return Embedding(np.array([*names, ""], dtype=np.str_), scores)
