"""Which perturbations a method could predict."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sc_annotate._core.arguments import default, public
from sc_annotate.perturbation.predictable import which_predictable
from sc_annotate.perturbation.requests import PredictionRequest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from anndata import AnnData


@public
def predictable(
    profiles: AnnData,
    conditions: Sequence[str] | None = default(None),
    *,
    method: str = default("linear"),
    method_kwargs: Mapping[str, Any] | None = default(None),
    n_folds: int | None = default(None),
    rng: int = default(0),
) -> pd.DataFrame:
    """For each condition, whether :func:`sc_annotate.tl.predict_perturbation` would predict it, and if not, why.

    For a condition that was not measured the method is fitted on all that were. For a measured one it is fitted without
    its fold: neither the condition nor, of a single perturbation, any combination with its target. The only condition of
    its kind is in no fold, so the model has seen it.

    Parameters
    ----------
    profiles
        Of a screen, from :func:`sc_annotate.pp.perturbation_profiles`.
    conditions
        Such as ``["KLF1", "KLF1+GATA1"]``; by default the measured ones.
    method
        A name among the ``perturbation`` methods.
    method_kwargs
        Its parameters, as in :func:`sc_annotate.tl.predict_perturbation`.
    n_folds, rng
        How measured conditions are held out, as in :func:`sc_annotate.tl.predict_perturbation`; without a measured
        condition `n_folds` is an error.

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
    request = PredictionRequest(
        conditions=conditions, method=method, method_kwargs=method_kwargs, n_folds=n_folds, rng=rng
    )
    return which_predictable(profiles, request)
