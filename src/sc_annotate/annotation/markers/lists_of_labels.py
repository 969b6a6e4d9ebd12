"""Match labels with the marker lists of their types."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from sc_annotate.errors import LabelError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def lists_of_labels(
    labels: list[str], usable: NDArray[np.str_], every: NDArray[np.str_], types: Mapping[str, str]
) -> dict[str, int]:
    """The list of each label that has one, as its place in `usable`; `every` are the lists before genes were matched."""
    if not isinstance(types, Mapping):
        raise LabelError(f"types must be a dict from labels to names of lists, not {type(types).__name__}.")
    place = {name: j for j, name in enumerate(usable.tolist())}
    plain: dict[str, list[int]] = {}
    for name, j in place.items():
        plain.setdefault(plain_name(name), []).append(j)
    for label, name in types.items():
        if label not in labels:
            near = difflib.get_close_matches(str(label), labels, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise LabelError(f"types names {label!r}, and no cell has that label.{hint} Labels: {', '.join(labels)}.")
        if not isinstance(name, str) or name not in place:
            why = "has too few genes in adata" if name in every.tolist() else "does not exist"
            near = difflib.get_close_matches(str(name), list(place), n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise LabelError(f"types maps {label!r} to the list {name!r}, which {why}.{hint}")
    found = {}
    for label in labels:
        alike = plain.get(plain_name(label), [])
        if label in types:
            found[label] = place[types[label]]
        elif label in place:
            found[label] = place[label]
        elif len(alike) == 1 and plain_name(label):
            found[label] = alike[0]
    if not found:
        raise LabelError(
            f"no label has a list of its name. Labels: {', '.join(labels[:10])}. Lists: {', '.join(usable[:10].tolist())}. Say "
            "which belong together: types={'label': 'name of a list'}."
        )
    return found


def plain_name(text: str) -> str:
    """A name without case, punctuation and the words that do not tell types apart: "CD4+ T cells" is "cd4 t"."""
    words = re.sub(r"[^a-z0-9]+", " ", text.casefold()).split()
    kept = [w for w in words if w not in ("cell", "cells", "positive")]
    return " ".join(w[:-1] if len(w) > 3 and w.endswith("s") and not w.endswith("ss") else w for w in kept)
