"""The registry as a table."""

from __future__ import annotations

from dataclasses import asdict, fields, is_dataclass
from typing import TYPE_CHECKING, Literal

from sc_annotate._core import registry
from sc_annotate._core.records import Method
from sc_annotate.errors import MethodError

if TYPE_CHECKING:
    import pandas as pd


def methods(task: Literal["annotation", "perturbation", "encoding"] = "annotation") -> pd.DataFrame:
    """Every method that can be named in ``method=``, built-in, from other packages, or registered here.

    Parameters
    ----------
    task
        ``"annotation"``, ``"perturbation"`` or ``"encoding"``.

    Returns
    -------
    One row a method, indexed by name: ``summary``, ``parameters`` (of ``method_kwargs``, with defaults), ``inputs`` (what it reads), ``kind``, ``saves`` (whether a fitted
    model can be written to a file), ``extra`` (what to install), ``reference`` (DOI), ``source`` (who brings it).

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
    columns = ["name", "summary", "inputs", "kind", "saves", "extra", "reference", "source"]
    rows = [{k: v for k, v in asdict(m).items() if k in columns} for m in registry.table(task).values()]
    found = pd.DataFrame(rows, columns=columns).set_index("name")
    found.insert(1, "parameters", [_parameters(m) for m in registry.table(task).values()])
    return found


def _parameters(method: Method) -> str:
    """Names and defaults of what ``method_kwargs`` takes, of the classes that can be read without another package."""
    if method.source not in (Method.source, "this session"):
        return ""
    cls = registry.load(method)
    if not is_dataclass(cls):
        return ""
    return ", ".join(f"{f.name}={f.default!r}" for f in fields(cls) if f.init)
