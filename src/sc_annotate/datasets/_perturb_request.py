"""What a simulated screen is to be like."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from sc_annotate._core.arguments import Request, boolean, number, seed
from sc_annotate.errors import InputError

Kind = Literal["random", "buffering", "synergistic"]
KINDS = ("random", "buffering", "synergistic")


@dataclass(frozen=True, kw_only=True)
class ScreenRequest(Request):
    """The arguments of :func:`sc_annotate.datasets.simulate_perturb_seq`, which explains them."""

    n_cells: int
    n_genes: int
    n_singles: int
    n_doubles: int
    rank: int
    similarity: float
    effect_size: float
    interactions: float
    interaction_size: float
    interaction_kind: Kind
    shift: float
    gene_noise: float
    efficacy: float
    n_batches: int
    batch_strength: float
    second_line: bool
    depth: float
    control_share: float
    imbalance: float
    rng: int

    @property
    def n_lines(self) -> int:
        return 1 + bool(self.second_line)

    def check(self) -> None:
        whole = {"n_genes": 3, "n_singles": 1, "n_doubles": 0, "n_batches": 1, "rank": 1, "n_cells": 1}
        for name in whole:
            if not isinstance(getattr(self, name), int | np.integer) or isinstance(getattr(self, name), bool):
                raise InputError(f"{name} is {getattr(self, name)!r}, but must be a whole number.")
        least: dict[str, float] = {**whole, "n_cells": self.n_singles + self.n_doubles + 1, "depth": 1}
        least |= {
            "effect_size": 0,
            "interaction_size": 0,
            "shift": 0,
            "gene_noise": 0,
            "batch_strength": 0,
            "imbalance": 1,
        }
        shares = ("similarity", "interactions", "efficacy", "control_share")
        for name in (*least, *shares):
            number(getattr(self, name), name)
        seed(self.rng)
        boolean(self.second_line, "second_line")
        for name, bound in least.items():
            if not getattr(self, name) >= bound:
                raise InputError(f"{name} is {getattr(self, name)}, but must be {bound} or more.")
        for name in shares:
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} is {getattr(self, name)}, but is a share: it must lie between 0 and 1.")
        if not isinstance(self.interaction_kind, str) or self.interaction_kind not in KINDS:
            raise InputError(
                f"interaction_kind is {self.interaction_kind!r}, but must be one of {', '.join(map(repr, KINDS))}."
            )
        if self.control_share in (0, 1):
            raise InputError(f"control_share is {self.control_share}, but there must be control cells and others.")
        if self.n_singles > (self.n_genes - 1) // 2:
            raise InputError(
                f"n_singles is {self.n_singles}, but targets are at most half of the {self.n_genes - 1} genes beside REST."
            )
        pairs = self.n_singles * (self.n_singles - 1) // 2
        if self.n_doubles > pairs:
            raise InputError(f"n_doubles is {self.n_doubles}, but {self.n_singles} targets make {pairs} pairs only.")
        if not self.interactions:
            self.refuse("interaction_size", "interaction_kind", why="no pair deviates with interactions=0")
        if self.n_batches == 1:
            self.refuse("batch_strength", why="there is one batch. Pass n_batches, too")
