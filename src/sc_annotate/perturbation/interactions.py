"""Which pairs of perturbations do more, or less, than the sum of the two."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from sc_annotate._core.arguments import whole
from sc_annotate._core.codec import sanitize
from sc_annotate._core.progress import logger
from sc_annotate._store.storage import check_key
from sc_annotate._vocabulary.conditions import names_of
from sc_annotate.errors import InputError, StorageError
from sc_annotate.metrics import auroc
from sc_annotate.metrics.interactions import (
    average_precision,
    empirical_null,
    interaction_class,
    interaction_curve,
    local_fdr,
    tail_area_q,
)
from sc_annotate.perturbation.interactions_inputs import Doubles, changes, doubles
from sc_annotate.perturbation.screen import check_profiles

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray

TASK = "genetic_interactions"
_SCHEMA = 1
# Standard deviations of the null, in standard errors, from which on these do not explain what is seen.
_WIDE = 1.5
_CLASSES = ("buffering", "synergistic", "opposite", "other")


def genetic_interactions(
    profiles: AnnData,
    *,
    predictions: Mapping[str, pd.DataFrame | AnnData] | None = None,
    predictions_are: Literal["expression", "delta"] = "expression",
    fdr: float = 0.05,
    call_by: Literal["tail_area", "local_fdr"] = "tail_area",
    standardise: bool = True,
    n_top: int = 1000,
    key_added: str = "interactions",
) -> None:
    """Genes that change more, or less, in a double perturbation than the two single changes add up to.

    The deviation of each gene in each double from the sum is divided by its standard error, a normal null is fitted to
    the middle of all of them (Efron's empirical null), and deviations too far out for it are called. Without the
    division, genes that are noisier than others pass for interactions: on simulations, half of the calls were false
    where 5 % was asked for. What all cells of a screen share against its control counts twice in the sum, so a
    systematic shift is a deviation of every double; the null takes up its mean over genes only.

    Parameters
    ----------
    profiles
        Mean expression of conditions, as :func:`sc_annotate.pp.perturbation_profiles` makes it, with singles and doubles.
    predictions
        Predicted doubles by name of the method: conditions (``"A+B"``, in either order) x genes, as a DataFrame or
        AnnData, from any model. Each is ranked by how far it says a gene deviates from the sum of the observed singles,
        and held against what was called. ``"no_change"``, which predicts the control, is always among them, and hard to
        beat: it takes every large sum for a buffered one.
    predictions_are
        ``"expression"``, on the scale of `profiles`, or ``"delta"``, minus control.
    fdr
        Share of false calls that is accepted.
    call_by
        What must be at most `fdr`: ``"tail_area"``, the false discovery rate of all calls, which is what most mean by
        one; ``"local_fdr"``, that of each call by itself, as in the paper, which calls fewer. Both are stored.
    standardise
        False: raw deviations, as in the paper; for profiles without standard errors. Trust its calls only where genes
        are alike in noise.
    n_top
        Genes to look at, highest in control; all of them in profiles of log fold changes.
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
        (bool). ``z`` is NaN, and nothing is called, where a standard error is 0 or missing.
    ``null``
        ``delta0``, ``sigma0``, ``p0``; a ``sigma0`` far from 1 says that standard errors are off, as where cells are not
        independent.
    ``classes``
        Number of interactions of each class; ``n_pairs``, of all pairs that were tested.
    ``omitted``
        DataFrame of the doubles left out: ``condition``, ``reason``.
    ``curves``
        Where something was called: ``methods``, ``status`` (``"scored"`` or ``"missing"``), ``fdp`` (101,) and ``tpr``
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
        A foreign entry under `key_added`.

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
    n_top = whole(n_top, "n_top", least=1)
    _check_arguments(profiles, fdr, call_by, predictions_are, key_added)
    found, omitted = doubles(profiles, n_top, standardise)
    guesses = changes({} if predictions is None else predictions, found, predictions_are)
    z = found.deviation if found.error is None else found.deviation / found.error
    null = empirical_null(z)
    q, local = tail_area_q(z, null), local_fdr(z, null)
    notes: list[str] = []
    if found.error is not None and not null.sigma0 < _WIDE:
        notes.append(
            f"most deviations are {null.sigma0:.1f} times as large as their standard errors: something shared by all doubles, such as "
            "a shift between control and perturbed cells, is not additive, and the false discovery rate does not hold"
        )
        logger.warning(notes[-1])
    # NaN is never called.
    called = (q if call_by == "tail_area" else local) <= fdr
    kinds = interaction_class(found.first[called], found.second[called], found.both[called])
    result: dict[str, Any] = {
        "schema": _SCHEMA,
        "task": TASK,
        "params": {
            "fdr": fdr,
            "call_by": call_by,
            "standardise": standardise,
            "n_top": n_top,
            "predictions_are": predictions_are,
        },
        "null": {"delta0": null.delta0, "sigma0": null.sigma0, "p0": null.p0},
        "notes": notes,
        "doubles": names_of(found.targets),
        "genes": found.genes,
        "deviation": found.deviation,
        "z": z,
        "q": q,
        "local_fdr": local,
        "interaction": called,
        "classes": {kind: int((kinds == kind).sum()) for kind in _CLASSES},
        "n_pairs": int(np.isfinite(z).sum()),
        "table": _table(found, z, q, local, called, kinds),
        "omitted": omitted,
    }
    if called.any():
        result["curves"] = _curves(found, guesses, called, np.isfinite(z))
    # The whole mapping, so that a view becomes an object of its own without a warning.
    profiles.uns = {**profiles.uns, key_added: sanitize(result, where=f"uns[{key_added!r}]")}


def _check_arguments(profiles: Any, fdr: Any, call_by: Any, predictions_are: Any, key: str) -> None:
    check_profiles(profiles)
    check_key(key)
    stored = profiles.uns.get(key)
    if key in profiles.uns and not (isinstance(stored, dict) and stored.get("task") == TASK):
        raise StorageError(
            f"profiles.uns[{key!r}] exists already and was not written by this function. Choose another key_added, or "
            "rename or delete it."
        )
    if isinstance(fdr, bool) or not isinstance(fdr, int | float | np.number) or not 0 < fdr < 1:
        raise InputError(f"fdr must be a share between 0 and 1, such as 0.05, not {fdr!r}.")
    if call_by not in ("tail_area", "local_fdr"):
        raise InputError(f"call_by must be 'tail_area' or 'local_fdr', not {call_by!r}.")
    if predictions_are not in ("expression", "delta"):
        raise InputError(f"predictions_are must be 'expression' or 'delta', not {predictions_are!r}.")


def _table(
    found: Doubles,
    z: NDArray[np.float64],
    q: NDArray[np.float64],
    local: NDArray[np.float64],
    called: NDArray[np.bool_],
    kinds: NDArray[np.str_],
) -> pd.DataFrame:
    import pandas as pd

    double, gene = np.nonzero(called)
    columns = {
        "condition": names_of(found.targets)[double].astype(object),
        "gene": found.genes[gene].astype(object),
        "deviation": found.deviation[called],
        "z": z[called],
        "q": q[called],
        "local_fdr": local[called],
        "class": kinds.astype(object),
    }
    order = np.argsort(q[called], kind="stable")
    return pd.DataFrame(
        {name: values[order] for name, values in columns.items()}, index=[str(i) for i in range(order.size)]
    )


def _curves(
    found: Doubles, guesses: dict[str, NDArray[np.float64]], called: NDArray[np.bool_], tested: NDArray[np.bool_]
) -> dict[str, Any]:
    """How well each prediction ranks the called pairs, on those that all methods predict."""
    total = found.first + found.second
    there = {name: bool(np.isfinite(guess).any()) for name, guess in guesses.items()}
    common = tested & np.all([np.isfinite(g) for name, g in guesses.items() if there[name]], axis=0)
    if not called[common].any():
        there = dict.fromkeys(there, False)
    undefined = float("nan")
    tpr, area, roc = [], [], []
    for name, guess in guesses.items():
        score = np.abs(guess - total)[common]
        ok = there[name]
        tpr.append(interaction_curve(score, called[common])[1] if ok else np.full(101, np.nan))
        area.append(average_precision(score, called[common]) if ok else undefined)
        roc.append(auroc(called[common], score) if ok and not called[common].all() else undefined)
    return {
        "methods": np.array(list(guesses), dtype=object),
        "status": np.array(["scored" if there[name] else "missing" for name in guesses], dtype=object),
        "fdp": np.linspace(0, 1, 101),
        "tpr": np.stack(tpr),
        "average_precision": np.array(area),
        "auroc": np.array(roc),
        "n_doubles": np.array([int(np.isfinite(g).all(axis=1).sum()) for g in guesses.values()]),
        "n_scored": int(common.sum()),
        "n_dropped": int((tested & ~common).sum()),
    }
