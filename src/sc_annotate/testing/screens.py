"""A small simulated screen that any predictor should be able to learn from."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import csr_matrix

from sc_annotate._core.arguments import public
from sc_annotate.predictors import Cells, Screen

ABSENT = "ABSENT"
"""A target that is no gene of the screen."""


@dataclass(frozen=True)
class PerturbationTask:
    """A training screen, and conditions to predict from it."""

    train: Screen
    seen: list[tuple[str, ...]]
    unseen: list[tuple[str, ...]]
    """A single and combinations of seen and unseen targets, all among the genes, and one that is not."""

    @property
    def asked(self) -> list[tuple[str, ...]]:
        """All of them."""
        return [*self.seen, *self.unseen]


@public
def easy_screen(seed: int = 0) -> PerturbationTask:
    """Fourteen singles and four doubles of 20 cells each, 30 control cells, 40 genes, all targets among the genes.

    The screen holds the cells (log1p of counts per 10,000) and the profiles, which are their means.

    Parameters
    ----------
    seed
        Of the simulation.

    Returns
    -------
    The training screen, ``train``, and conditions to predict: ``seen``, ``unseen`` and both, ``asked``.

    Examples
    --------
    >>> from sc_annotate.testing import easy_screen
    >>> easy_screen().train.mean.shape
    (18, 40)
    """
    generator = np.random.default_rng(seed)
    genes = np.array([f"gene{i}" for i in range(40)])
    names = genes.tolist()
    targets: list[tuple[str, ...]] = [(name,) for name in names[:14]]
    targets += [(names[i], names[i + 1]) for i in range(0, 8, 2)]
    place = generator.standard_normal((40, 3))
    effect = {name: 0.3 * place @ place[i] / np.linalg.norm(place[i]) for i, name in enumerate(names)}
    base = np.log(generator.gamma(1.0, 4.0, size=40) + 0.5)
    shift = np.stack([np.zeros(40), *(0.2 + np.sum([effect[name] for name in t], axis=0) for t in targets)])
    condition = np.repeat(np.arange(-1, len(targets)), [30, *[20] * len(targets)])
    depth = generator.lognormal(0.0, 0.2, size=(len(condition), 1))
    counts = generator.poisson(np.exp(base + shift[condition + 1]) * depth).astype(np.float64)
    X = np.log1p(1e4 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)).astype(np.float32)
    order = generator.permutation(len(condition))
    X, condition = X[order], condition[order]
    mean = np.stack([X[condition == i].mean(axis=0, dtype=np.float64) for i in range(len(targets))])
    control = X[condition == -1].mean(axis=0, dtype=np.float64)
    batch = np.where(np.arange(len(condition)) % 2 == 0, "one", "two")
    screen = Screen(
        genes, control, mean, targets, n_cells=np.full(len(targets), 20), cells=Cells(csr_matrix(X), condition, batch)
    )
    unseen = [(names[20],), (names[0], names[3]), (names[2], names[30]), (names[21], names[22]), (ABSENT,)]
    return PerturbationTask(screen, targets[:3] + targets[-1:], unseen)


def with_unread_targets(screen: Screen, every: int) -> Screen:
    """The screen, as if each `every`-th of its targets were a gene that was not read out."""
    names = sorted({name for each in screen.targets for name in each})
    renamed = {name: f"unread_{name}" for name in names[::every]}
    return replace(screen, targets=[tuple(renamed.get(name, name) for name in each) for each in screen.targets])
