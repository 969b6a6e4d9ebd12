"""What lies under what, as a graph of networkx: terms by position, an edge from each term to its direct parents."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray


class TermGraph:
    """A directed graph of terms; each walk is done once and kept.

    Examples
    --------
    >>> import numpy as np
    >>> graph = TermGraph([np.array([], int), np.array([0]), np.array([0, 1])])
    >>> graph.above(2), graph.depths
    ({2: 0, 0: 1, 1: 1}, [0, 1, 2])
    """

    def __init__(self, parents: Sequence[NDArray[np.intp]]) -> None:
        import networkx as nx

        self._up: Any = nx.DiGraph()
        self._up.add_nodes_from(range(len(parents)))
        self._up.add_edges_from((term, int(parent)) for term, above in enumerate(parents) for parent in above)
        self._above: dict[int, dict[int, int]] = {}
        self._under: dict[int, dict[int, int]] = {}

    def cycle(self) -> list[int]:
        """Terms of one cycle, each under the next and the last under the first; none where there is no cycle."""
        import networkx as nx

        # find_cycle takes a second where an ontology of thousands of terms has none.
        if nx.is_directed_acyclic_graph(self._up):
            return []
        return [int(term) for term, _ in nx.find_cycle(self._up)]

    @cached_property
    def _down(self) -> Any:
        # A copy, as edges of a view are looked up by way of Python.
        return self._up.reverse(copy=True)

    @cached_property
    def depths(self) -> list[int]:
        """Edges on the longest path from a root to each term, so that a term is always deeper than its parents."""
        import networkx as nx

        depths = [0] * len(self._up)
        for depth, terms in enumerate(nx.topological_generations(self._down)):
            for term in terms:
                depths[term] = depth
        return depths

    def above(self, term: int) -> dict[int, int]:
        """The term and all above it, nearest first, with the fewest edges to each."""
        if term not in self._above:
            self._above[term] = self._reach(self._up, term)
        return self._above[term]

    def under(self, term: int) -> dict[int, int]:
        """The term and all under it, nearest first, with the fewest edges to each."""
        if term not in self._under:
            self._under[term] = self._reach(self._down, term)
        return self._under[term]

    @staticmethod
    def _reach(graph: Any, term: int) -> dict[int, int]:
        import networkx as nx

        return dict(nx.single_source_shortest_path_length(graph, term))
