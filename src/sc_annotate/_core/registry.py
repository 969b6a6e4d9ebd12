"""The registry: which methods there are, where they live, and how to get one by name.

Three sources fill one table: the built-ins (:mod:`sc_annotate._core.methods`), entry points of installed
packages, and the ``register_*`` decorators for notebooks. Nothing is imported before a method is requested.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import lru_cache
from importlib import import_module
from importlib.metadata import entry_points
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

from sc_annotate._core.methods import BUILT_IN, ENCODERS, PREDICTORS
from sc_annotate._core.records import Input, Kind, Method, Task
from sc_annotate.errors import MethodError, MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ENTRY_POINT_GROUPS: dict[Task, str] = {
    "annotation": "sc_annotate.annotators",
    "perturbation": "sc_annotate.predictors",
    "encoding": "sc_annotate.encoders",
}

# What a decorator may declare of a method; the rest follows from its class.
_FREE_FIELDS = {"summary", "inputs", "kind", "extra", "reference", "saves"}
_CHOICES = {"inputs": get_args(Input), "kind": get_args(Kind)}

# Classes registered by decorator in this Python process: (task, name) -> (record, class).
_registered: dict[tuple[Task, str], tuple[Method, type[Any]]] = {}


def _from_entry_points(task: Task) -> dict[str, Method]:
    # Reading what all installed packages declare takes milliseconds, and methods are looked up many times in a call.
    return _declared_by_packages(task, tuple((folder, _changed(folder)) for folder in sys.path))


def _changed(folder: str) -> int:
    """When something was last added to or removed from a folder of packages; 0 where there is none."""
    try:
        return os.stat(folder or ".").st_mtime_ns
    except OSError:
        return 0


@lru_cache(maxsize=len(ENTRY_POINT_GROUPS))
def _declared_by_packages(task: Task, folders: tuple[tuple[str, int], ...]) -> dict[str, Method]:
    """The methods that installed packages declare; `folders` says when to look again."""
    found: dict[str, Method] = {}
    for point in entry_points(group=ENTRY_POINT_GROUPS[task]):
        source = point.dist.name if point.dist is not None else point.module
        if point.name in found:
            raise MethodError(
                f"two installed packages, {found[point.name].source!r} and {source!r}, both register a method "
                f"{point.name!r} for {task}. Uninstall one of them, or ask its authors to rename it."
            )
        target = f"{point.module}:{point.attr}"
        # What is known before its class is imported: see `_declared`.
        found[point.name] = Method(
            point.name,
            task,
            target,
            f"from the package {source}",
            inputs=_usual_input(task),
            saves=task != "perturbation",
            source=source,
        )
    return found


def _usual_input(task: Task) -> Input:
    return "profiles" if task == "perturbation" else "log"


def table(task: Task) -> dict[str, Method]:
    """All methods of a task, by name."""
    methods = {m.name: m for m in (*BUILT_IN, *PREDICTORS, *ENCODERS) if m.task == task}
    registered = {m.name: m for m, _ in _registered.values() if m.task == task}
    for more in (_from_entry_points(task), registered):
        for name, method in more.items():
            if name in methods:
                raise MethodError(
                    f"the method {name!r} ({task}) comes from {methods[name].source!r} and again from "
                    f"{method.source!r}. One of them has to take another name."
                )
            methods[name] = method
    return methods


def get(task: Task, name: str) -> Method:
    """The record of a method; an unknown name lists the near ones."""
    methods = table(task)
    if not isinstance(name, str):
        raise MethodError(f"method must be a name such as 'logreg', not {type(name).__name__}.")
    if name in methods:
        return _declared(methods[name])
    from sc_annotate._core.near_names import near_methods

    hint = near_methods(name, methods)
    if (task, name) == ("annotation", "markers"):
        hint = "Marker lists need no reference: use sca.tl.annotate_markers(adata, markers). "
    raise MethodError(
        f"there is no {task} method {name!r}. {hint}There are: {', '.join(methods)}. "
        "If it was registered by a decorator, run that code first."
    )


def described(task: Task) -> dict[str, Method]:
    """As :func:`table`, with what the classes of entry points declare.

    A package that cannot be imported, for example for want of an extra, keeps the record that its name alone gives.
    """
    found = {}
    for name, method in table(task).items():
        try:
            found[name] = _declared(method)
        except Exception:  # noqa: BLE001  a package that fails at import must not hide the others
            found[name] = replace(method, summary=f"{method.summary}, which cannot be imported")
    return found


def _declared(method: Method) -> Method:
    """The record, with what the class of an entry point declares."""
    if method.source in (Method.source, "this session"):
        return method
    try:
        return replace(method, **declared(method.task, load(method)))
    except MethodError as error:
        raise MethodError(f"{method.name!r} of {method.source!r}: {error}") from error


def declared(task: Task, cls: type[Any], record: dict[str, Any] | None = None) -> dict[str, Any]:
    """Fields of a method's record: from `record`, else ``registry_record`` of the class, else its attributes."""
    written = getattr(cls, "registry_record", {})
    if not isinstance(written, dict) or set(written) - _FREE_FIELDS:
        raise MethodError(
            f"registry_record of {cls.__qualname__} must be a dict with fields among {', '.join(sorted(_FREE_FIELDS))}, "
            f"not {written!r}."
        )
    _check_choices(written, f"registry_record of {cls.__qualname__}")
    can = capabilities_of(cls)
    own = {name: getattr(can, name) for name in ("saves", "deep", "transductive")}
    own |= {"inputs": can.inputs or _usual_input(task), "summary": (cls.__doc__ or "").strip().partition("\n")[0]}
    return own | written | (record or {})


def _check_choices(record: dict[str, Any], what: str) -> None:
    for field, choices in _CHOICES.items():
        if field in record and record[field] not in choices:
            raise MethodError(f"{what}: {field} must be one of {', '.join(map(repr, choices))}, not {record[field]!r}.")


def load(method: Method) -> type[Any]:
    """Import the class of a method; a missing extra says what to install."""
    if (registered := _registered.get((method.task, method.name))) is not None:
        return registered[1]
    module, _, name = method.target.partition(":")
    try:
        return cast("type[Any]", attrgetter(name)(import_module(module)))
    except ImportError as error:
        from sc_annotate._core.extras import EXTRAS, install_line, why

        package = "sc-annotate" if method.source == Method.source else method.source
        hint = f'pip install "{package}[{method.extra}]"' if method.extra else f"pip install --upgrade {package}"
        hint = install_line(method.extra) if package == "sc-annotate" and method.extra in EXTRAS else hint
        raise MissingExtraError(f"the method {method.name!r} cannot be imported: {why(error)}. Run: {hint}") from error
    except AttributeError as error:
        raise MethodError(
            f"the method {method.name!r} of {method.source!r} points at {method.target!r}, which does not exist."
        ) from error


def make(task: Task, name: str, params: dict[str, Any] | None = None) -> Any:
    """An unfitted instance of a method; parameters it does not have are refused by name."""
    cls = load(get(task, name))
    try:
        return cls(**(params or {}))
    except TypeError as error:
        from sc_annotate._core.near_names import near_parameters as near

        takes = near(params or {}, [f.name for f in fields(cls)]) if is_dataclass(cls) else ""
        said = f"the method {name!r} refuses method_kwargs={params!r}: {error}.{takes}"
        raise MethodError(said.encode(errors="backslashreplace").decode()) from error


def register(task: Task, name: str, **record: Any) -> Callable[[type[Any]], type[Any]]:
    """Class decorator behind ``sca.register_annotator`` and its sisters."""
    if not isinstance(name, str) or not name:
        raise MethodError(
            f"a method is registered under a name, as in `@register_...('my_method')`, not under {name!r}."
        )
    unknown = set(record) - _FREE_FIELDS
    if unknown:
        raise MethodError(
            f"the record of the method {name!r} has no field {', '.join(sorted(unknown))}; there are: "
            f"{', '.join(sorted(_FREE_FIELDS))}."
        )
    _check_choices(record, f"the method {name!r}")

    def decorate(cls: type[Any]) -> type[Any]:
        known = table(task)
        if name in known and (task, name) not in _registered:
            raise MethodError(
                f"the method {name!r} ({task}) exists already, from {known[name].source!r}. Use another name."
            )
        target = f"{cls.__module__}:{cls.__qualname__}"
        line = Method(name, task, target, source="this session", **declared(task, cls, record))
        # Registering again replaces: a notebook cell is run more than once.
        _registered[task, name] = (line, cls)
        return cls

    return decorate


def unregister(task: Task, name: str) -> None:
    """Forget a method registered by decorator."""
    _registered.pop((task, name), None)


Statistic = Literal["sums", "products", "distances"]
"""What passes over blocks of cells can leave: moments of each gene, products of all genes, distances from class means."""


@dataclass(frozen=True)
class Capabilities:
    """What a pipeline may ask of an annotator, and what it has to hand in.

    Methods declare the fields by class attributes or properties of these names; the defaults are safe for any other class.
    """

    inputs: Input | None = None
    """What it reads; None: as most methods of its task, ``"log"`` for cells and ``"profiles"`` for a screen."""
    transductive: bool = False
    """Whether the cells to be annotated take part in the fit; ``predict_query()`` then says what they are."""
    obsm_params: tuple[str, ...] = ()
    """Hyperparameters of a transductive method that each name an entry of ``obsm``."""
    streams: tuple[Statistic, ...] = ()
    """Statistics that ``fit_statistics`` learns from; empty where the method needs the cells themselves."""
    unlabelled: bool = False
    """Whether ``fit`` also takes cells without a label (``unlabelled=``) and their batches (``unlabelled_batch=``)."""
    parallel: bool = False
    """Whether ``predict_proba`` may run on several threads at once and leaves its input as it is."""
    deterministic: bool = True
    """Whether equal seeds give equal models, bit for bit, on one machine."""
    saves: bool = True
    """Whether ``to_arrays`` holds the whole fitted state."""
    deep: bool = False
    """Whether it counts as deep learning: its held-out scores come with those of more baselines, and with a comparison in words."""
    evidence: bool = False
    """Whether it has a ``gene_evidence`` of its own."""
    aligns: bool = False
    """Whether ``decision`` is exactly values times ``coefficients()`` plus an intercept, and ``probabilities`` its link."""
    saliencies: tuple[str, ...] = ()
    """Kinds of evidence, the default first, that ``gene_evidence(..., saliency=)`` takes; empty where it has one."""
    by_blocks: bool = False
    """Whether it has ``fit_blocks``, which reads the cells block by block, as often as it needs them."""
    attends: bool = False
    """Whether it has ``gene_attention``."""
    linear: bool = False
    """Whether it has ``coefficients`` and a ``link``, which describe it completely."""


# These are optional members: to have them is to declare them.
_HAS = {"evidence": "gene_evidence", "by_blocks": "fit_blocks", "attends": "gene_attention", "linear": "coefficients"}
_DECLARED = {each.name: each.default for each in fields(Capabilities) if each.name not in _HAS}


def capabilities_of(method: Any) -> Capabilities:
    """What an annotator declares.

    Parameters
    ----------
    method
        An annotator's class, which says which statistics it may need, or an instance, which says those that it needs.

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
    declared["saves"] = bool(declared["saves"]) and all(hasattr(method, n) for n in ("to_arrays", "from_arrays"))
    return Capabilities(**declared | {what: callable(getattr(method, name, None)) for what, name in _HAS.items()})


def params_of(method: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    """Hyperparameters of an instance by name: all of them where it has ``params``, else those that were `given`."""
    own = getattr(method, "params", None)
    return dict(own() if callable(own) else given)
