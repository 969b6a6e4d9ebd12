"""Figures of each row of trust_shift.py, and intervals of differences on the same cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import beta, rankdata

from sc_annotate import metrics
from sc_annotate.evaluation import paired_difference
from sc_annotate.metrics.calibration import calibration_error

if TYPE_CHECKING:
    from collections.abc import Iterable

    Row = dict[str, Any]
    Key = tuple[Any, ...]

N_BOOT = 500


def select(rows: list[Row], part: str) -> list[Row]:
    return [row for row in rows if row["part"] == part]


def key_of(row: Row) -> Key:
    return tuple(row.get(name) for name in ("part", "data", "split", "unseen", "draw", "molecules", "level"))


def pairs(rows: list[Row], old: list[Row]) -> list[tuple[Row, Row]]:
    """Rows of both trees about the same cells."""
    before = {key_of(row): row for row in old}
    return [(row, before[key_of(row)]) for row in rows if key_of(row) in before]


def clopper_pearson(right: int, n: int) -> tuple[float, float]:
    low = beta.ppf(0.025, right, n - right + 1) if right else 0.0
    high = beta.ppf(0.975, right + 1, n - right) if right < n else 1.0
    return float(low), float(high)


def ratio(a: float, b: float) -> float:
    return a / b if b else float("nan")


def arrays(row: Row) -> dict[str, np.ndarray]:
    return {name: np.array(values) for name, values in row["cells"].items()}


def split_figures(row: Row) -> dict[str, float]:
    """Of the known cells of one split."""
    known = np.array(row["known"])
    c = {name: values[known] for name, values in arrays(row).items()}
    right, sure, n = c["y"] == c["label"], c["status"] == "confident", int(known.sum())
    low, high = clopper_pearson(int(c["covered"].sum()), n)
    return {
        "n": n,
        "accuracy": float(right.mean()),
        "confidence": float(c["confidence"].mean()),
        "ece": calibration_error(c["confidence"].astype(float), right, 10),
        "coverage": float(c["covered"].mean()),
        "low": low,
        "high": high,
        "set_size": float(c["size"].mean()),
        "flagged": float((c["status"] == "unfamiliar").mean()),
        "low_quality": float((c["status"] == "low_quality").mean()),
        "yield": ratio(int((right & sure).sum()), int(right.sum())),
        "n_confident": int(sure.sum()),
        "wrong": ratio(int((~right & sure).sum()), int(sure.sum())),
        "lowest": float(c["confidence"][sure].min()) if sure.any() else float("nan"),
    }


def yield_difference(new: Row, old: Row) -> tuple[float, float, float]:
    """Yield now minus yield before, resampling the cells."""
    known, rng = np.array(new["known"]), np.random.default_rng(0)
    parts = []
    for row in (new, old):
        c = {name: values[known] for name, values in arrays(row).items()}
        right = c["y"] == c["label"]
        parts += [right & (c["status"] == "confident"), right]
    drawn = rng.multinomial(known.sum(), np.full(known.sum(), 1 / known.sum()), size=N_BOOT)
    a, b, d, e = (drawn @ p for p in parts)
    low, high = np.quantile(a / b - d / e, [0.025, 0.975])
    return float(parts[0].sum() / parts[1].sum() - parts[2].sum() / parts[3].sum()), float(low), float(high)


def removed_figures(row: Row) -> dict[str, float]:
    """Of the cells of a type that the reference lacks."""
    c = arrays(row)
    new = c["y"] == row["unseen"]
    out = {
        "n": int(new.sum()),
        "auroc": metrics.auroc(new, c["unfamiliarity"]),
        "flagged": float((c["status"][new] == "unfamiliar").mean()),
        "confident": float((c["status"][new] == "confident").mean()),
        "known_flagged": float((c["status"][~new] == "unfamiliar").mean()),
    }
    if row.get("groups"):
        group, flagged = np.array(row["groups"]["group"]), row["groups"]["flagged"]
        own = [(group == name) & new for name in flagged]
        out["found"] = float(
            any(
                o.sum() >= new.sum() / 2 and o.sum() >= (group == g).sum() / 2
                for o, g in zip(own, flagged, strict=True)
            )
        )
        known = [g for g in np.unique(group) if g and new[group == g].mean() <= 0.5]
        out |= {"known_groups": len(known), "known_groups_flagged": sum(g in flagged for g in known)}
    return out


def known_groups(row: Row) -> tuple[int, int]:
    """Groups of a split from which no type was removed, and how many of them are flagged."""
    if not row.get("groups"):
        return 0, 0
    group, known = np.array(row["groups"]["group"]), np.array(row["known"])
    own = [g for g in np.unique(group) if g and known[group == g].mean() >= 0.5]
    return len(own), sum(g in row["groups"]["flagged"] for g in own)


def _auroc(score: np.ndarray, new: np.ndarray) -> float:
    n = int(new.sum())
    return float((rankdata(score)[new].sum() - n * (n + 1) / 2) / (n * (new.size - n)))


def auroc_difference(found: Iterable[tuple[Row, Row]]) -> tuple[float, float, float]:
    """Mean AUROC over removed types, now minus before; cells of each query are resampled, unseen and known ones apart."""
    estimates, drawn = [], []
    for new, old in found:
        rng = np.random.default_rng(0)
        a, b = (np.array(row["cells"]["unfamiliarity"]) for row in (new, old))
        unseen = np.array(new["cells"]["y"]) == new["unseen"]
        estimates.append(_auroc(a, unseen) - _auroc(b, unseen))
        one, other = np.flatnonzero(unseen), np.flatnonzero(~unseen)
        own = []
        for _ in range(N_BOOT):
            rows = np.concatenate([rng.choice(one, one.size), rng.choice(other, other.size)])
            own.append(_auroc(a[rows], unseen[rows]) - _auroc(b[rows], unseen[rows]))
        drawn.append(own)
    low, high = np.quantile(np.mean(drawn, axis=0), [0.025, 0.975])
    return float(np.mean(estimates)), float(low), float(high)


def pooled(rows: list[Row], *names: str) -> list[np.ndarray]:
    return [np.concatenate([np.array(row[name]) for row in rows]) for name in names]


def f1_figures(rows: list[Row], column: str = "label") -> tuple[float, float]:
    """Macro-F1 of all cells of a data set together, and its mean over splits."""
    y, label = pooled(rows, "y", column)
    return metrics.macro_f1(y, label), float(np.mean([metrics.macro_f1(row["y"], row[column]) for row in rows]))


def f1_difference(found: list[tuple[Row, Row]], columns: tuple[str, str] = ("label", "label")) -> Any:
    y, a = pooled([new for new, _ in found], "y", columns[0])
    (b,) = pooled([old for _, old in found], columns[1])
    return paired_difference(y, a, b)
