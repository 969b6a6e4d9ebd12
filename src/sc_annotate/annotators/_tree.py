"""Which types lie together under an ancestor: what a loss needs of a tree."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from sc_annotate.errors import MethodError

if TYPE_CHECKING:
    from numpy.typing import NDArray


def common_ancestors(tree: Any, classes: NDArray[np.str_]) -> NDArray[np.float64]:
    """Sets of classes under a common ancestor, each once, as sets x classes of 0 and 1.

    Sets of one class or of all say nothing and are left out. Types of the tree that are no class are passed over, since
    a training fold may lack them; a class that the tree lacks is an error. A type lies under its own name, so that one
    type may be the ancestor of others.
    """
    if not isinstance(tree, Mapping) or any(isinstance(above, str) for above in tree.values()):
        raise MethodError(
            "tree must be a dict of types, each with a list of its ancestors' names, such as {'CD4 T': ['T']}."
        )
    missing = [str(name) for name in classes if str(name) not in tree]
    if missing:
        raise MethodError(
            f"tree says nothing of {', '.join(map(repr, missing[:5]))}{' and others' if len(missing) > 5 else ''}. Give every "
            "type its ancestors, or an empty list."
        )
    paths = [{str(a) for a in tree[str(name)]} | {str(name)} for name in classes]
    names = sorted(set().union(*paths))
    holds = np.array([[name in path for path in paths] for name in names], dtype=np.float64)
    size = holds.sum(axis=1)
    kept = holds[(size > 1) & (size < len(classes))]
    return np.unique(kept, axis=0) if len(kept) else kept
