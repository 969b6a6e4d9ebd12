"""Does a class keep the predictor contract? The same checks for our own methods and for anybody's."""

from __future__ import annotations

from typing import Any

from sc_annotate.testing._predictor_checks import PredictorChecks


def check_predictor(cls: type[Any], **params: Any) -> None:
    """Check that a class keeps the contract of a perturbation predictor, as our own methods do.

    The class need not derive from anything of this package. It is fitted about ten times on a simulated screen of 40
    genes (``gene0`` to ``gene39``), 18 conditions and 390 cells, and asked for conditions seen and unseen, for a
    target that is no gene, and for none at all.

    Parameters
    ----------
    cls
        The class: ``fit(screen, *, rng=0)`` returning self, ``predict(targets)`` returning float64 conditions x genes
        (profiles, not changes; rows of NaN where it cannot), ``why_not(targets)`` returning one text a condition,
        empty where it can. Where it has ``leave_one_out(screen, targets, *, rng=0)``, that must equal fitting again.
    params
        Handed to the class at each construction.

    Raises
    ------
    AssertionError
        With one line for each check that failed: its name, and what was wrong.

    Examples
    --------
    >>> from sc_annotate.predictors.linear import Linear
    >>> from sc_annotate.testing import check_predictor
    >>> check_predictor(Linear, n_components=3)
    """
    checks = PredictorChecks(cls, params)
    failed = []
    for attribute in dir(PredictorChecks):
        if attribute.startswith("check_"):
            try:
                getattr(checks, attribute)()
            except Exception as error:  # noqa: BLE001  whatever a third party's code raises belongs in the report
                text = str(error) if isinstance(error, AssertionError) else f"{type(error).__name__}: {error}"
                failed.append(f"  {attribute.removeprefix('check_')}: {text}")
    if failed:
        raise AssertionError(f"{cls.__name__} failed {len(failed)} checks of a predictor:\n" + "\n".join(failed))
