"""How a network is trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pathlib import Path

Schedule = Literal["one_cycle", "constant"]
Precision = Literal["auto", "32", "16-mixed", "bf16-mixed"]


@dataclass(frozen=True, kw_only=True)
class TrainSettings:
    """How a network is trained; see :class:`~sc_annotate.annotators._torch.TorchAnnotator` for what each means."""

    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    schedule: Schedule = "one_cycle"
    decoupled: bool = True
    """Whether weights decay apart from the gradient (AdamW), or through it (Adam)."""
    clip_gradient: float | None = None
    patience: int | None = None
    """Epochs without a smaller loss on the cells held out for stopping, after which training ends; None: never."""
    checkpoint: Path | None = None
    """File that the state is written to after each epoch, and read from where it exists."""
    precision: Precision = "auto"
    devices: int = 1
