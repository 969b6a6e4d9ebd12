"""Made-up predictions, scores and interactions of perturbations, whose values are known."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd

from sc_annotate._core.codec import sanitize
from sc_annotate._store import perturbation_slots as slots
from sc_annotate.evaluation.leaderboard import leaderboard

if TYPE_CHECKING:
    from anndata import AnnData

    from sc_annotate.evaluation.leaderboard import Leaderboard

N_GENES = 90
LONG = ("ELMSAN1", "MAP2K6", "CEBPE", "$K_{lf}$", "C19orf26", "RP11-717F1.2")
REASON = "target STAT2 is not among the genes, so it has no embedding"


def condition_names(n: int) -> list[str]:
    """Half of them pairs of long names."""
    singles = [f"{LONG[i % 6]}{i if i > 5 else ''}" for i in range(n)]
    pairs = ["+".join(sorted((singles[i], singles[(i + 1) % n]))) for i in range(n)]
    return [pairs[i] if i % 2 else singles[i] for i in range(n)]


@functools.cache
def made_board(n: int) -> Leaderboard:
    rng = np.random.default_rng(n)
    names = condition_names(n)
    genes = np.array([*dict.fromkeys(g for name in names for g in name.split("+")), *(f"GENE{i}" for i in range(300))])
    genes = genes[: max(N_GENES, len(genes) - 300 + 5)]
    control = rng.gamma(1.0, size=len(genes))
    change = rng.normal(size=(n, len(genes))) * rng.random(len(genes))
    truth = control + change

    def noisy(size: float) -> np.ndarray:
        return truth + size * rng.normal(size=truth.shape)

    some = control + 0.6 * change
    some[:2] = np.nan
    additive = noisy(0.1)
    additive[: n // 2] = np.nan
    return leaderboard(
        truth,
        {
            "linear": control + 0.5 * change,
            "deep_model_of_the_atlas_with_a_name_that_is_much_too_long": some,
            "absent": np.full_like(truth, np.nan),
            "additive": additive,
        },
        control=control,
        perturbed_mean=truth.mean(axis=0),
        targets=[tuple(name.split("+")) for name in names],
        genes=genes,
        n_top=None,
        halves=(noisy(0.1), noisy(0.1), control, control),
        n_boot=200,
    )


def predicted(n: int = 10, kind: str = "double") -> AnnData:
    """Predictions of so many conditions: the second has none, the third was not measured; scores of one kind."""
    rng = np.random.default_rng(n)
    names = condition_names(n)
    targets = list(dict.fromkeys(g for name in names for g in name.split("+")))
    genes = pd.Index([*targets, *(f"GENE{i}" for i in range(max(N_GENES - len(targets), 5)))])
    control = rng.gamma(1.0, size=len(genes))
    # A few genes change a lot, as they do.
    change = rng.normal(size=(n, len(genes))) * np.where(rng.random(len(genes)) < 0.3, 1.0, 0.1)
    predicted_values = control + 0.5 * change + 0.1 * rng.normal(size=change.shape)
    observed = control + change
    predicted_values[1], observed[2] = np.nan, np.nan
    parts = {
        "": predicted_values,
        "_lower": predicted_values - 0.4,
        "_upper": predicted_values + 0.4,
        "_observed": observed,
    }
    adata = ad.AnnData(np.zeros((3, len(genes)), dtype=np.float32), var=pd.DataFrame(index=genes))
    uns = {
        "conditions": names,
        "reason": ["", REASON, *[""] * (n - 2)],
        "held_out": [i != 2 for i in range(n)],
        "method": "linear",
        "baseline": "linear",
        "coverage": {"requested": 0.9, kind: 0.88},
        "verdict": "",
        kind: made_board(n).to_dict(),
    }
    slots.write(adata, "perturbation", parts, control, uns)
    return adata


def interacting(*, detected: bool = True) -> AnnData:
    """Genetic interactions as they are stored: three methods, the last without predictions."""
    fdp = np.linspace(0, 1, 101)
    tpr = np.stack([np.minimum(fdp**2 / 0.9, 1), np.minimum(fdp / 0.9, 1), np.full(101, np.nan)])
    result: dict[str, Any] = {
        "schema": 1,
        "task": "genetic_interactions",
        "params": {"fdr": 0.05, "select_by": "tail_area"},
        "doubles": condition_names(20)[1::2],
        "classes": dict(zip(["buffering", "synergistic", "opposite", "other"], [60, 25, 0, 15], strict=True))
        if detected
        else dict.fromkeys(["buffering", "synergistic", "opposite", "other"], 0),
        "n_pairs": 1000,
    }
    if detected:
        result["curves"] = {
            "methods": ["no_change", "linear", "deep_model_of_the_atlas_with_a_name_that_is_much_too_long"],
            "status": ["scored", "scored", "missing"],
            "fdp": fdp,
            "tpr": tpr,
            "average_precision": np.array([0.2, 0.312, np.nan]),
            "auroc": np.array([0.6, 0.7, np.nan]),
            "n_doubles": np.array([10, 10, 0]),
            "n_scored": 950,
            "n_dropped": 50,
        }
    adata = ad.AnnData(np.zeros((4, 5)))
    adata.uns["interactions"] = sanitize(result)
    return adata


def everything(n: int) -> AnnData:
    """One object that all of the pictures can be drawn of."""
    adata = predicted(n)
    adata.uns["interactions"] = interacting().uns["interactions"]
    return adata
