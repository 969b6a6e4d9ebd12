"""Which perturbations a method could predict, before anything is predicted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate._core import registry
from sc_annotate._core.conditions import as_targets, names_of
from sc_annotate.pp._screen import check_profiles, screen_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from anndata import AnnData

    from sc_annotate.predictors import Screen


def predictable(
    profiles: AnnData,
    conditions: Sequence[str] | None = None,
    *,
    method: str = "linear",
    method_kwargs: Mapping[str, Any] | None = None,
) -> pd.DataFrame:
    """Say for each condition whether a method could predict it without having seen it, and if not, why.

    Parameters
    ----------
    profiles
        Of a screen, from :func:`sc_annotate.pp.perturbation_profiles`.
    conditions
        Such as ``["KLF1", "KLF1+GATA1"]``; by default the measured ones, each as if it had not been.
    method
        A name among the ``perturbation`` methods.
    method_kwargs
        Its parameters.

    Returns
    -------
    One row a condition: ``measured``, ``predictable``, ``reason`` (empty where it is).

    Raises
    ------
    sc_annotate.errors.InputError
        No profiles, no such method, or what is no condition.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> screen = sca.datasets.simulate_perturb_seq(2000, 60, 12, 0, rng=0)
    >>> profiles = sca.pp.perturbation_profiles(screen)
    >>> sca.pp.predictable(profiles, ["G50", "XIST"])["predictable"].tolist()
    [True, False]
    """
    import pandas as pd

    screen, _ = screen_of(check_profiles(profiles))
    targets = screen.targets
    asked = targets if conditions is None else as_targets(conditions)
    measured = {each: i for i, each in enumerate(targets)}
    reason = np.full(len(asked), "", dtype=object)

    def ask(train: Screen, which: list[int]) -> None:
        model = registry.make("perturbation", method, dict(method_kwargs or {})).fit(train)
        reason[which] = np.asarray(model.why_not([asked[i] for i in which]), dtype=object)

    new = [i for i, each in enumerate(asked) if each not in measured]
    if new:
        ask(screen, new)
    for i, each in enumerate(asked):
        if each in measured and len(targets) > 1:
            ask(screen.select(np.delete(np.arange(len(targets)), measured[each])), [i])
    return pd.DataFrame(
        {
            "measured": [each in measured for each in asked],
            "predictable": reason == "",
            "reason": reason.astype(str),
        },
        index=names_of(asked),
    )
