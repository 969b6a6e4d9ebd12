"""Does a class keep the annotator contract? The same checks for our own methods and for anybody's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sc_annotate.testing._checks import AnnotatorChecks

if TYPE_CHECKING:
    from collections.abc import Callable


def check_annotator(cls: type[Any], **params: Any) -> None:
    """Check that a class keeps the annotator contract, as our own methods do.

    The class need not derive from anything of this package. It is fitted about a dozen times on 150 simulated cells
    of 60 genes and three types, with labels as they occur (slashes, spaces, letters beyond ASCII), dense and CSR.

    Parameters
    ----------
    cls
        The class: ``fit(X, y, *, genes, batch=None, rng=0)`` returning self, ``predict_proba(X)`` returning float32
        cells x types, ``classes_``, and ``to_arrays()`` with ``from_arrays(arrays, meta, classes)`` unless its
        attribute ``saves`` is False.
    params
        Handed to the class at each construction.

    Raises
    ------
    AssertionError
        With one line for each check that failed: its name, and what was wrong.

    Examples
    --------
    >>> from sc_annotate.annotators.nearest_centroid import NearestCentroid
    >>> from sc_annotate.testing import check_annotator
    >>> check_annotator(NearestCentroid, shrink=0.5)
    """
    checks = AnnotatorChecks(cls, params)
    failed = []
    for attribute in dir(AnnotatorChecks):
        if attribute.startswith("check_"):
            check: Callable[[], None] = getattr(checks, attribute)
            try:
                check()
            except Exception as error:  # noqa: BLE001  whatever a third party's code raises belongs in the report
                text = str(error) if isinstance(error, AssertionError) else f"{type(error).__name__}: {error}"
                failed.append(f"  {attribute.removeprefix('check_')}: {text}")
    if failed:
        raise AssertionError(f"{cls.__name__} failed {len(failed)} checks of an annotator:\n" + "\n".join(failed))
