"""Walks on a directed acyclic graph that is given as the parents of each node."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def children_of(parents: Sequence[NDArray[np.intp]]) -> list[list[int]]:
    """The direct children of each node."""
    children: list[list[int]] = [[] for _ in parents]
    for node, above in enumerate(parents):
        for parent in above.tolist():
            children[parent].append(node)
    return children


def parents_first(parents: Sequence[NDArray[np.intp]]) -> tuple[list[int], list[int]]:
    """Nodes in an order that has parents before their children, and the nodes that a cycle keeps out of it."""
    children = children_of(parents)
    waiting = [len(above) for above in parents]
    ready = deque(node for node, n in enumerate(waiting) if n == 0)
    order: list[int] = []
    while ready:
        node = ready.popleft()
        order.append(node)
        for child in children[node]:
            waiting[child] -= 1
            if waiting[child] == 0:
                ready.append(child)
    return order, [node for node, n in enumerate(waiting) if n > 0]


def a_cycle(parents: Sequence[NDArray[np.intp]], stuck: Sequence[int]) -> list[int]:
    """One cycle among the nodes that :func:`parents_first` could not place."""
    inside, path, seen = set(stuck), [stuck[0]], {stuck[0]: 0}
    while True:
        # Each node that is stuck has a parent that is stuck as well: going up must come back.
        above = next(p for p in parents[path[-1]].tolist() if p in inside)
        if above in seen:
            return path[seen[above] :]
        seen[above] = len(path)
        path.append(above)


def longest(parents: Sequence[NDArray[np.intp]], order: Sequence[int]) -> NDArray[np.intp]:
    """Edges on the longest way from a root to each node, so that a child is always deeper than its parents."""
    depth = np.zeros(len(parents), dtype=np.intp)
    for node in order:
        if len(parents[node]):
            depth[node] = depth[parents[node]].max() + 1
    return depth


def reach(start: int, edges: Sequence[Sequence[int] | NDArray[np.intp]]) -> dict[int, int]:
    """Nodes that can be reached from `start`, itself included, with the fewest edges to each."""
    found, waiting = {start: 0}, deque([start])
    while waiting:
        node = waiting.popleft()
        for after in edges[node]:
            if int(after) not in found:
                found[int(after)] = found[node] + 1
                waiting.append(int(after))
    return found
