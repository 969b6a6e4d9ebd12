"""Which perturbations a method could predict, before anything is predicted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core import registry
from sc_annotate._core.arguments import whole
from sc_annotate._vocabulary.conditions import as_targets, names_of
from sc_annotate.errors import InputError
from sc_annotate.perturbation.screen import check_profiles, screen_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from anndata import AnnData

    from sc_annotate.predictors import Screen

EMBEDDINGS = ("gene_embedding", "perturbation_embedding")
"""Parameters that may be given as tables."""


def predictable(
    profiles: AnnData,
    conditions: Sequence[str] | None = None,
    *,
    method: str = "linear",
    method_kwargs: Mapping[str, Any] | None = None,
    n_folds: int | None = None,
    rng: int = 0,
) -> pd.DataFrame:
    """Say for each condition whether :func:`sc_annotate.tl.predict_perturbation` would predict it, and if not, why.

    A condition that was not measured is asked of the method fitted on all that were. A measured one is asked of the model
    that has not seen its fold: neither the condition nor, of a single perturbation, any combination with its target. The
    only condition of its kind is in no fold, and is asked of the model that has seen it.

    Parameters
    ----------
    profiles
        Of a screen, from :func:`sc_annotate.pp.perturbation_profiles`.
    conditions
        Such as ``["KLF1", "KLF1+GATA1"]``; by default the measured ones.
    method
        A name among the ``perturbation`` methods.
    method_kwargs
        Its parameters, and with them the ``gene_embedding`` and ``perturbation_embedding``, where there are.
    n_folds, rng
        How measured conditions are held out: as they are handed to :func:`sc_annotate.tl.predict_perturbation`.

    Returns
    -------
    One row a condition: ``measured``, ``predictable``, ``reason`` (empty where it is).

    Raises
    ------
    sc_annotate.errors.InputError
        No profiles, no such method, one that trains on cells, or what is no condition.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> screen = sca.datasets.simulate_perturb_seq(2000, 60, 12, 0, rng=0)
    >>> profiles = sca.pp.perturbation_profiles(screen)
    >>> sca.pp.predictable(profiles, ["G50", "XIST"])["predictable"].tolist()
    [True, False]
    """
    import pandas as pd

    # The same rules as those of the prediction, which is made there.
    from sc_annotate.perturbation.embeddings import embedding_of, parameters
    from sc_annotate.perturbation.folds import splits_of

    if registry.get("perturbation", method).inputs == "cells":
        raise InputError(
            f"the method {method!r} trains on cells, so profiles cannot tell what it would predict; predict_perturbation on "
            "the cells gives the reasons."
        )
    rng = whole(rng, "rng", least=0)
    screen, _ = screen_of(check_profiles(profiles))
    kwargs = parameters(method_kwargs or {}, screen)
    kwargs |= {name: embedding_of(kwargs[name], argument=name) for name in EMBEDDINGS if name in kwargs}
    targets = screen.targets
    asked = targets if conditions is None else as_targets(conditions)
    measured = set(targets)
    reason = np.full(len(asked), "", dtype=object)

    def ask(train: Screen, which: list[int]) -> None:
        model = registry.make("perturbation", method, kwargs).fit(train, rng=rng)
        reason[which] = np.asarray(model.why_not([asked[i] for i in which]), dtype=object)

    place = {each: i for i, each in enumerate(asked)}
    left = set(range(len(asked)))
    for split in splits_of(targets, n_folds, rng):
        held = [place[targets[i]] for i in split.test if targets[i] in place]
        if held:
            ask(screen.select(split.train), held)
            left -= set(held)
    if left:
        ask(screen, sorted(left))
    return pd.DataFrame(
        {
            "measured": [each in measured for each in asked],
            "predictable": reason == "",
            "reason": reason.astype(str),
        },
        index=names_of(asked),
    )
