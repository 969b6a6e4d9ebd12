"""On what a network is trained, and with which numbers: chosen here from what the machine has, as Lightning wants it."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from sc_annotate.errors import MethodError
from sc_annotate.neural import libraries

if TYPE_CHECKING:
    from sc_annotate.neural.settings import Precision


@dataclass(frozen=True)
class Hardware:
    """What torch finds: GPUs it can train on, how many, and whether these have bfloat16; and if a notebook is running."""

    kind: Literal["cuda", "mps", "cpu"] = "cpu"
    n: int = 1
    bfloat16: bool = False
    interactive: bool = False


@dataclass(frozen=True)
class Plan:
    """Arguments of Lightning's ``Trainer``."""

    accelerator: str
    devices: int
    strategy: str
    precision: str


def find() -> Hardware:
    """What this machine has."""
    torch = libraries.torch()
    interactive = hasattr(sys, "ps1") or "ipykernel" in sys.modules
    if torch.cuda.is_available():  # pragma: no cover  (on a GPU alone)
        return Hardware("cuda", torch.cuda.device_count(), torch.cuda.is_bf16_supported(False), interactive)
    if torch.backends.mps.is_available():  # pragma: no cover  (on a Mac alone)
        return Hardware("mps", interactive=interactive)
    return Hardware(interactive=interactive)


def plan(precision: Precision, devices: int, hardware: Hardware) -> Plan:
    """What to train on; a MethodError where it cannot be.

    Examples
    --------
    >>> plan("auto", 1, Hardware("cuda", 4, bfloat16=True))
    Plan(accelerator='cuda', devices=1, strategy='auto', precision='bf16-mixed')
    >>> plan("auto", 1, Hardware()).precision
    '32-true'
    """
    if devices > 1:
        if hardware.kind != "cuda" or devices > hardware.n:
            n = hardware.n if hardware.kind == "cuda" else 0
            raise MethodError(
                f"devices={devices} asks for as many GPUs, and torch finds {n}. Leave devices out, or install a torch built "
                "for your GPUs."
            )
        if hardware.interactive:
            raise MethodError(
                f"devices={devices} starts a process a GPU, which notebooks cannot. Run it as a script, below `if __name__ "
                '== "__main__":`, or leave devices out.'
            )
    if precision == "auto":
        precision = "bf16-mixed" if hardware.kind == "cuda" and hardware.bfloat16 else "32"
    if (precision == "16-mixed" and hardware.kind != "cuda") or (precision == "bf16-mixed" and hardware.kind == "mps"):
        raise MethodError(
            f"precision={precision!r} needs a CUDA GPU, and torch finds none. Use precision='auto' or '32', or install a torch "
            "built for your GPU."
        )
    if precision == "bf16-mixed" and hardware.kind == "cuda" and not hardware.bfloat16:
        raise MethodError(
            "precision='bf16-mixed' needs a GPU with bfloat16, which this one lacks. Use '16-mixed' or '32'."
        )
    return Plan(
        accelerator=hardware.kind,
        devices=devices,
        # Processes of their own: forked ones cannot use a GPU that was used before, and Lightning's default runs the
        # user's script once more.
        strategy="ddp_spawn" if devices > 1 else "auto",
        precision="32-true" if precision == "32" else precision,
    )
