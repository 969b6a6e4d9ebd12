"""Does a class keep the predictor contract? The same checks for our own methods and for anybody's."""

from __future__ import annotations

from typing import Any

from sc_annotate._core.arguments import public
from sc_annotate.testing._predictor_checks import PredictorChecks
from sc_annotate.testing._run import run


@public
def check_predictor(cls: type[Any], **params: Any) -> None:
    """Check that a class keeps the contract of a perturbation predictor, as our own methods do.

    The class need not derive from anything of this package. It is fitted about ten times on a simulated screen of 40
    genes (``gene0`` to ``gene39``), 18 conditions and 390 cells, and predicts conditions seen and unseen, for a
    target that is no gene, and for none at all. It also has to learn from screens whose targets are, some or all, not
    among the genes.

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
        With the names of the checks that failed, and what was wrong; equal messages share a line.

    Examples
    --------
    >>> from sc_annotate.predictors.linear import Linear
    >>> from sc_annotate.testing import check_predictor
    >>> check_predictor(Linear, n_components=3)
    """
    run(PredictorChecks(cls, params), cls.__name__, "a predictor")
