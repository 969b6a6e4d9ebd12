"""The record of a method: one line of the registry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Task = Literal["annotation", "perturbation", "encoding"]
# The first three are what cells are given as; the others what predictors of perturbations learn from.
Input = Literal["log", "counts", "embedding", "profiles", "cells"]
Kind = Literal["array", "adapter"]


@dataclass(frozen=True)
class Method:
    """One line of the registry.

    ``inputs`` is what the method is given: ``"log"`` (log1p of counts per 10,000), ``"counts"`` or
    ``"embedding"``; a predictor of perturbations ``"profiles"``, or ``"cells"`` where it trains on these. ``deep`` says whether it counts as deep learning, and is scored beside more baselines. ``kind`` is ``"array"``, or ``"adapter"`` for tools that insist on an AnnData. ``saves``
    says whether a fitted model can be written to a file; ``transductive``, whether the cells to be annotated take part in the fit,
    so that none can be fitted in advance.
    """

    name: str
    task: Task
    target: str
    summary: str
    inputs: Input = "log"
    kind: Kind = "array"
    extra: str | None = None
    reference: str | None = None
    saves: bool = True
    deep: bool = False
    transductive: bool = False
    source: str = "sc_annotate"
