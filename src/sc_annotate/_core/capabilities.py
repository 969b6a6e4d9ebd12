"""What a method can do and what it needs: declared by its class, read here and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sc_annotate._core.records import Input

Statistic = Literal["sums", "products", "distances"]
"""What passes over blocks of cells can leave: moments of each gene, products of all genes, distances from class means."""


@dataclass(frozen=True)
class Capabilities:
    """What a pipeline may ask of an annotator, and what it has to hand in.

    A method declares the fields by class attributes (or properties) of the same names; what it does not declare has the
    defaults here, which are safe for a class written without knowledge of this package.
    """

    inputs: Input | None = None
    """What it reads; None: as most methods of its task, ``"log"`` for cells and ``"profiles"`` for a screen."""
    transductive: bool = False
    """Whether the query takes part in the fit."""
    streams: tuple[Statistic, ...] = ()
    """Statistics that ``fit_statistics`` learns from; empty where the method needs the cells themselves."""
    parallel: bool = False
    """Whether ``predict_proba`` may run on several threads at once and leaves its input as it is."""
    deterministic: bool = True
    """Whether equal seeds give equal models, bit for bit, on one machine."""
    saves: bool = True
    """Whether ``to_arrays`` holds the whole fitted state."""
    evidence: bool = False
    """Whether it has a ``gene_evidence`` of its own."""
    linear: bool = False
    """Whether it has ``coefficients`` and a ``link``, which say everything about it."""


_DECLARED = {each.name: each.default for each in fields(Capabilities) if each.name not in ("evidence", "linear")}


def capabilities_of(method: Any) -> Capabilities:
    """What an annotator declares.

    Parameters
    ----------
    method
        A class derived from :class:`~sc_annotate.annotators.Annotator` or only shaped like one, or an instance. An
        instance says which statistics it needs with its hyperparameters, a class which ones it may need.

    Examples
    --------
    >>> from sc_annotate.annotators.lda import LDA
    >>> capabilities_of(LDA).streams
    ('sums', 'products', 'distances')
    >>> capabilities_of(LDA(shrinkage=0.1)).streams
    ('sums', 'products')
    """
    declared: dict[str, Any] = {name: getattr(method, name, default) for name, default in _DECLARED.items()}
    if not isinstance(method, type) and callable(streamed := getattr(method, "streamed", None)):
        declared["streams"] = streamed()
    can_save = all(hasattr(method, name) for name in ("to_arrays", "from_arrays"))
    # These two are optional members: to have them is to declare them.
    evidence, linear = (callable(getattr(method, name, None)) for name in ("gene_evidence", "coefficients"))
    return Capabilities(**declared | {"saves": bool(declared["saves"]) and can_save}, evidence=evidence, linear=linear)


def params_of(method: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    """Hyperparameters of an instance by name: all of them where it has ``params``, else those that were `given`."""
    own = getattr(method, "params", None)
    return dict(own() if callable(own) else given)
