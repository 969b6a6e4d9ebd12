"""The registry as a table."""

from __future__ import annotations

import inspect
from dataclasses import MISSING, asdict, fields, is_dataclass
from typing import TYPE_CHECKING, Literal

from sc_annotate._core import registry
from sc_annotate._core.arguments import public
from sc_annotate.errors import MethodError

if TYPE_CHECKING:
    import pandas as pd

    from sc_annotate._core.records import Method


@public
def methods(task: Literal["annotation", "perturbation", "encoding"] = "annotation") -> pd.DataFrame:
    """Every method that can be named in ``method=``, built-in, from other packages, or registered here.

    Parameters
    ----------
    task
        ``"annotation"``, ``"perturbation"`` or ``"encoding"``.

    Returns
    -------
    One row a method, indexed by name: ``summary``, ``parameters`` (of ``method_kwargs``, with defaults), ``inputs``
    (what it reads), ``kind`` (``"array"``, or ``"adapter"`` for a tool that insists on an AnnData), ``saves`` (whether a
    fitted model can be written to a file), ``deep`` (whether it counts as deep learning), ``transductive`` (whether the cells to
    be annotated take part in the fit, so that :func:`fit_annotator` refuses it), ``extra`` (what to install), ``reference`` (DOI), ``source`` (who brings it).
    Methods of other packages are imported for it; one that cannot be imported says so, and its parameters are missing.

    Raises
    ------
    MethodError
        Another task, or two packages that register one name.

    Examples
    --------
    >>> import sc_annotate as sca
    >>> sca.tl.methods().loc["logreg", "inputs"]
    'log'
    """
    import pandas as pd

    if not isinstance(task, str) or task not in registry.ENTRY_POINT_GROUPS:
        raise MethodError(f"there is no task {task!r}; there are: {', '.join(registry.ENTRY_POINT_GROUPS)}.")
    columns = ["name", "summary", "inputs", "kind", "saves", "deep", "transductive", "extra", "reference", "source"]
    listed = registry.described(task).values()
    rows = [{k: v for k, v in asdict(m).items() if k in columns} for m in listed]
    found = pd.DataFrame(rows, columns=columns).set_index("name")
    found.insert(1, "parameters", [_parameters(m) for m in listed])
    return found


def _parameters(method: Method) -> str | None:
    """Names and defaults of what ``method_kwargs`` takes; None where the class cannot be imported or read."""
    try:
        cls = registry.load(method)
        taken = inspect.signature(cls).parameters.values()
    except Exception:  # noqa: BLE001  a package that fails at import must not hide the others
        return None
    made = (
        {f.name: f.default_factory for f in fields(cls) if f.default_factory is not MISSING}
        if is_dataclass(cls)
        else {}
    )
    shown = []
    for each in taken:
        if each.kind in (each.VAR_POSITIONAL, each.VAR_KEYWORD):
            continue
        default = made[each.name]() if each.name in made else each.default
        shown.append(each.name if default is each.empty else f"{each.name}={default!r}")
    return ", ".join(shown)
