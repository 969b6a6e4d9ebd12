"""Which pairs of perturbations do more, or less, than the sum of the two."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from sc_annotate._core.arguments import default, public
from sc_annotate.perturbation.interactions import interactions
from sc_annotate.perturbation.requests import InteractionsRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from anndata import AnnData


@public
def genetic_interactions(
    profiles: AnnData,
    *,
    predictions: Mapping[str, pd.DataFrame | AnnData] | None = None,
    predictions_are: Literal["expression", "delta"] = default("expression"),
    fdr: float = default(0.05),
    select_by: Literal["tail_area", "local_fdr"] = default("tail_area"),
    standardise: bool = default(True),
    n_top: int = default(1000),
    key_added: str = "interactions",
) -> None:
    """Genes that change more, or less, in a double perturbation than the two single changes add up to.

    The deviation of each gene in each double from the sum is divided by its standard error, a normal null is fitted to
    the middle of all of them (Efron's empirical null), and deviations too far out for it are interactions. Without the
    division, genes that are noisier than others pass for interactions: on simulations, half of those found were false
    where 5 % was requested. What all cells of a screen share against its control counts twice in the sum, so a
    systematic shift is a deviation of every double; the null takes up its mean over genes only.

    Parameters
    ----------
    profiles
        Mean expression of conditions, as :func:`sc_annotate.pp.perturbation_profiles` makes it, with singles and doubles.
    predictions
        Predicted doubles by name of the method: conditions (``"A+B"``, in either order) x genes, as a DataFrame or
        AnnData, from any model. Each is ranked by how far its prediction of a gene deviates from the sum of the observed singles,
        and compared with the interactions found. ``"no_change"``, which predicts the control, is always among them, and hard to
        beat: it takes every large sum for a buffered one.
    predictions_are
        ``"expression"``, on the scale of `profiles`, or ``"delta"``, minus control; an error without predictions.
    fdr
        False discovery rate that is accepted.
    select_by
        What must be at most `fdr`: ``"tail_area"``, the false discovery rate of all interactions, as usual;
        ``"local_fdr"``, that of each by itself, as in the paper, which finds fewer. Both are stored.
    standardise
        False: raw deviations, as in the paper; for profiles without standard errors. Use it only where genes
        are alike in noise.
    n_top
        Genes to test, highest in control; an error in profiles of log fold changes, where all are tested.
    key_added
        Key in ``uns`` for the result.

    Returns
    -------
    None. Written to ``profiles.uns[key_added]``:

    ``table``
        DataFrame of the interactions, the clearest first: ``condition``, ``gene``, ``deviation`` (log-normalised), ``z``,
        ``q``, ``local_fdr``, ``class`` (see :func:`sc_annotate.metrics.interaction_class`).
    ``doubles``, ``genes``
        Names of rows and columns of the arrays ``deviation``, ``z``, ``q``, ``local_fdr`` (float64) and ``interaction``
        (bool). ``z`` is NaN, and there is no interaction, where a standard error is 0 or missing.
    ``null``
        ``delta0``, ``sigma0``, ``p0``; a ``sigma0`` far from 1 means that standard errors are off, as where cells are not
        independent.
    ``classes``
        Number of interactions of each class; ``n_pairs``, of all pairs that were tested.
    ``omitted``
        DataFrame of the doubles left out: ``condition``, ``reason``.
    ``curves``
        Where there are interactions: ``methods``, ``status`` (``"scored"`` or ``"missing"``), ``fdp`` (101,) and ``tpr``
        (methods x 101) of :func:`sc_annotate.metrics.interaction_curve`, ``average_precision``, ``auroc``, ``n_doubles``
        (predicted by the method), ``n_scored`` and ``n_dropped`` (pairs; all methods are scored on the pairs that all of
        them predict).

    Raises
    ------
    sc_annotate.errors.InputError
        No profiles, no double with both singles, or no standard errors.
    sc_annotate.errors.GeneError
        Predictions that lack genes.
    sc_annotate.errors.MatrixError
        NaN in `profiles`, or predictions on another scale.
    sc_annotate.errors.StorageError
        An entry of another kind under `key_added`.

    References
    ----------
    Ahlmann-Eltze, Huber & Anders 2025, Nature Methods, doi 10.1038/s41592-025-02772-6; Efron 2010, Large-Scale Inference.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> screen = sca.datasets.simulate_perturb_seq(5000, 200, 15, 15, interactions=0.05)
    >>> profiles = sca.pp.perturbation_profiles(screen)
    >>> sca.tl.genetic_interactions(profiles)
    >>> profiles.uns["interactions"]["table"].columns.tolist()
    ['condition', 'gene', 'deviation', 'z', 'q', 'local_fdr', 'class']
    >>> profiles.uns["interactions"]["curves"]["methods"].tolist()
    ['no_change']
    """
    request = InteractionsRequest(
        predictions_are=predictions_are, fdr=fdr, select_by=select_by, standardise=standardise, n_top=n_top
    )
    interactions(profiles, predictions, key_added, request)
