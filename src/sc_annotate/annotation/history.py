"""The losses of a training, epoch by epoch, as a table that a result and a model file hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from sc_annotate._core.codec import table
from sc_annotate._core.schema import Columns, Frame

if TYPE_CHECKING:
    import pandas as pd

History = Annotated[Frame, Columns({"network": "int", "epoch": "int", "loss": "float", "held_out_loss": "float"})]


def history_of(annotator: Any) -> pd.DataFrame | None:
    """One row an epoch of each network, from the ``history_`` that an annotator was left with; None without one.

    ``network`` counts from 1. ``held_out_loss`` is NaN where no cells were held out to end the training.
    """
    rows = getattr(annotator, "history_", None)
    if not rows:
        return None
    return table(
        {
            "network": np.array([int(row.get("network", 0)) + 1 for row in rows], dtype=np.int64),
            "epoch": np.array([int(row["epoch"]) for row in rows], dtype=np.int64),
            "loss": np.array([float(row["loss"]) for row in rows]),
            "held_out_loss": np.array([float(row.get("held_out_loss", np.nan)) for row in rows]),
        }
    )
