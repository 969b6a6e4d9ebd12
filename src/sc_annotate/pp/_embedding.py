"""What targets do in one screen, as features for another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sc_annotate._core.arguments import public
from sc_annotate.perturbation.screen import embedding_table

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData


@public
def perturbation_embedding(profiles: AnnData, n_components: int = 10) -> pd.DataFrame:
    """Principal components of a screen's single perturbations: features of the same targets in another screen.

    In Ahlmann-Eltze et al. a linear model with such features from another cell line was the best of all.

    Parameters
    ----------
    profiles
        Of the other screen, from :func:`perturbation_profiles` or :func:`profiles_from_lfc`.
    n_components
        At most; fewer where there are fewer conditions or genes.

    Returns
    -------
    Targets x components, float64; the row named ``""`` is the control. Pass it to
    :func:`sc_annotate.tl.predict_perturbation` as ``method_kwargs={"perturbation_embedding": table}``.

    Raises
    ------
    sc_annotate.errors.InputError
        No profiles, fewer than two single perturbations, or `n_components` below 1.

    References
    ----------
    Ahlmann-Eltze, Huber & Anders 2025, Nature Methods, doi:10.1038/s41592-025-02772-6.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> screen = sca.datasets.simulate_perturb_seq(2000, 60, 12, 0, rng=0)
    >>> sca.pp.perturbation_embedding(sca.pp.perturbation_profiles(screen), 5).shape
    (13, 5)
    """
    return embedding_table(profiles, n_components)
