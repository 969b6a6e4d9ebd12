"""Does a class keep the annotator contract? The same checks for our own methods and for anybody's."""

from __future__ import annotations

from typing import Any

from sc_annotate._core.arguments import public
from sc_annotate._core.registry import capabilities_of
from sc_annotate.testing._annotator_checks import AnnotatorChecks
from sc_annotate.testing._run import run
from sc_annotate.testing._transductive_checks import TransductiveChecks


@public
def check_annotator(cls: type[Any], **params: Any) -> None:
    """Check that a class keeps the annotator contract, as our own methods do.

    The class need not derive from anything of this package. It is fitted about twenty times on 150 simulated cells
    of 60 genes and three types, with labels as they occur (slashes, spaces, letters beyond ASCII), dense and CSR. What it
    declares is checked too. One that derives from :class:`~sc_annotate.annotators.Annotator` has to refuse bad input with
    the errors that are documented there.

    Parameters
    ----------
    cls
        The class: ``fit(X, y, *, genes, batch=None, rng=0)`` returning self, ``predict_proba(X)`` returning float32
        cells x types, ``classes_``, and ``to_arrays()`` with ``from_arrays(arrays, meta, classes)`` unless its
        attribute ``saves`` is False. One that says ``transductive = True`` has ``predict_query()`` and its ``fit`` takes the
        cells to be annotated, see :class:`~sc_annotate.annotators.Annotator`.
    params
        Handed to the class at each construction.

    Raises
    ------
    AssertionError
        With the names of the checks that failed, and what was wrong; equal messages share a line.

    Examples
    --------
    >>> from sc_annotate.annotators.nearest_centroid import NearestCentroid
    >>> from sc_annotate.testing import check_annotator
    >>> check_annotator(NearestCentroid, shrink=0.5)
    """
    checks = TransductiveChecks if capabilities_of(cls).transductive else AnnotatorChecks
    run(checks(cls, params), cls.__name__, "an annotator")
