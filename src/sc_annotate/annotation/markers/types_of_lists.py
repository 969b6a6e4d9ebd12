"""Which marker list belongs to which call."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from sc_annotate.errors import LabelError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def lists_of_calls(
    called: list[str], names: NDArray[np.str_], every: NDArray[np.str_], types: Mapping[str, str]
) -> dict[str, int]:
    """The list of each call that has one."""
    if not isinstance(types, Mapping):
        raise LabelError(f"types must be a dict from called types to names of lists, not {type(types).__name__}.")
    place = {name: j for j, name in enumerate(names.tolist())}
    plain: dict[str, list[int]] = {}
    for name, j in place.items():
        plain.setdefault(plain_name(name), []).append(j)
    for call, name in types.items():
        if call not in called:
            near = difflib.get_close_matches(str(call), called, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise LabelError(f"types names {call!r}, and no cell is called so.{hint} Calls: {', '.join(called)}.")
        if not isinstance(name, str) or name not in place:
            why = "has too few genes in adata" if name in every.tolist() else "does not exist"
            near = difflib.get_close_matches(str(name), list(place), n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise LabelError(f"types gives {call!r} the list {name!r}, which {why}.{hint}")
    found = {}
    for call in called:
        alike = plain.get(plain_name(call), [])
        if call in types:
            found[call] = place[types[call]]
        elif call in place:
            found[call] = place[call]
        elif len(alike) == 1 and plain_name(call):
            found[call] = alike[0]
    if not found:
        raise LabelError(
            f"no call has a list of its name. Calls: {', '.join(called[:10])}. Lists: {', '.join(names[:10].tolist())}. Say which "
            "belong together: types={'called type': 'name of a list'}."
        )
    return found


def plain_name(text: str) -> str:
    """A name without case, punctuation and the words that do not tell types apart: "CD4+ T cells" is "cd4 t"."""
    words = re.sub(r"[^a-z0-9]+", " ", text.casefold()).split()
    kept = [w for w in words if w not in ("cell", "cells", "positive")]
    return " ".join(w[:-1] if len(w) > 3 and w.endswith("s") and not w.endswith("ss") else w for w in kept)
