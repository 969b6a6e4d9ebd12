"""No argument is ignored: each changes the result, is validated, or is refused by name, in every mode of a function.

The parameters are those of the signatures, so that a new parameter without an entry fails.
"""

from __future__ import annotations

import copy
import inspect
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from comparing import same
from sc_annotate.errors import ScAnnotateError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from anndata import AnnData


@dataclass(frozen=True)
class Changes:
    """The result differs with this value."""

    value: Any


@dataclass(frozen=True)
class Checked:
    """This value is an error whose message matches."""

    value: Any
    match: str


@dataclass(frozen=True)
class Refused:
    """Any value is an error that begins with the name of the argument."""

    value: Any = None


Entry = Changes | Checked | Refused


@dataclass(frozen=True)
class Mode:
    """One way to call a function: its arguments, and what each does."""

    call: Callable[..., Any]
    arguments: dict[str, Any]
    entries: dict[str, Entry]
    prepare: Callable[[AnnData], None] | None = field(default=None)


def result_of(mode: Mode, adata: AnnData, more: dict[str, Any]) -> dict[str, Any]:
    """What the call returns or leaves in `adata`, without the arguments that it records."""
    if mode.prepare is not None:
        mode.prepare(adata)
    returned = mode.call(**{"adata": adata} | mode.arguments | more)
    if returned is not None:
        return {"returned": repr(returned) if not isinstance(returned, pd.DataFrame) else returned}
    recorded = {*inspect.signature(mode.call).parameters, "params", "model", "written"}

    def outcome(tree: Any) -> Any:
        if isinstance(tree, dict):
            return {
                name: outcome(value) for name, value in tree.items() if name not in recorded or isinstance(value, dict)
            }
        return tree

    obs = {name: adata.obs[name].astype(str).to_numpy() for name in adata.obs if "_model" not in name}
    obsm = {name: np.asarray(getattr(value, "toarray", lambda v=value: v)()) for name, value in adata.obsm.items()}
    return {"obs": obs, "obsm": obsm, "uns": outcome(copy.deepcopy(dict(adata.uns)))}


def cases(modes: Mapping[str, Mode]) -> list[tuple[str, str]]:
    """Every parameter of every mode."""
    return [(mode, name) for mode, each in modes.items() for name in inspect.signature(each.call).parameters]


def check_argument(
    modes: Mapping[str, Mode], mode: str, argument: str, adata: AnnData, plain: dict[str, dict[str, Any]]
) -> None:
    """Hold one argument of one mode to its entry; `plain` keeps the results of the modes as they are."""
    this = modes[mode]
    assert argument in this.entries, f"say in MODES what the argument {argument} of {mode} does"
    entry = this.entries[argument]
    if isinstance(entry, Changes):
        if mode not in plain:
            plain[mode] = result_of(this, adata.copy(), {})
        assert not same(plain[mode], result_of(this, adata.copy(), {argument: entry.value}))
        return
    match = rf"^(.* and |.*, )?{argument}\b.*: " if isinstance(entry, Refused) else entry.match
    with pytest.raises(ScAnnotateError, match=match):
        result_of(this, adata.copy(), {argument: entry.value})
