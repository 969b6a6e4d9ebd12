"""The tables of benchmarks/trust.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from _trust_cells import COVERAGE, RAW, HeldOut
from anndata import AnnData
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA

import sc_annotate as sca
from sc_annotate import metrics
from sc_annotate._store.slots import Slots
from sc_annotate._store.storage import Annotation, write
from sc_annotate.evaluation import paired_difference
from sc_annotate.trust import CALIBRATORS, Conformal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sc_annotate.annotation.training import Training

    Tests = dict[str, list[HeldOut]]  # by data set
    Found = dict[str, Tests]  # by method

N_BOOT, N_HALVES, ENOUGH = 1000, 200, 30
CHANGING = ("isotonic", "venn_abers")  # temperature leaves every call as it is


def markdown(head: str, rows: Iterable[Iterable[object]]) -> str:
    columns = [c.strip() for c in head.split("|")]
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines) + "\n"


def signed(estimate: float, low: float, high: float) -> str:
    return f"{estimate:+.3f} [{low:+.3f}, {high:+.3f}]"


def losses(held: HeldOut, proba: np.ndarray) -> np.ndarray:
    """Log loss of each cell, as `metrics.log_loss` counts it."""
    of_truth = proba[np.arange(len(held.y)), np.searchsorted(held.classes, held.y)]
    return -np.log(np.maximum(of_truth.astype(float), 1e-6))


def change(y: np.ndarray, a: np.ndarray, b: np.ndarray, metric: str) -> str:
    """Score of labels a minus that of labels b, with its paired interval."""
    found = paired_difference(y, a, b, metric=metric)
    return signed(found.estimate, found.low, found.high)


def over_cells(differences: list[np.ndarray]) -> str:
    """Mean over tests of the mean over cells; the interval resamples the cells of each test."""
    generator = np.random.default_rng(0)
    drawn = [d[generator.integers(d.size, size=(N_BOOT, d.size))].mean(axis=1) for d in differences]
    return signed(np.mean([d.mean() for d in differences]), *np.quantile(np.mean(drawn, axis=0), [0.025, 0.975]))


def over_tests(values: Iterable[float]) -> str:
    """Mean over tests; the interval resamples whole tests."""
    v = np.array(list(values))
    drawn = v[np.random.default_rng(0).integers(v.size, size=(N_BOOT, v.size))].mean(axis=1)
    return signed(v.mean(), *np.quantile(drawn, [0.025, 0.975]))


def every(tests: Tests) -> list[HeldOut]:
    return [held for group in tests.values() for held in group]


# Calibration


def error(held: HeldOut, name: str) -> tuple[float, float]:
    p = held.proba[name]
    expected = metrics.expected_calibration_error_if_calibrated(p.max(axis=1))
    return metrics.expected_calibration_error(held.y, p, held.classes), expected


def mean_error(tests: list[HeldOut], name: str) -> str:
    own, expected = np.mean([error(t, name) for t in tests], axis=0)
    return f"{own:.3f} ({expected:.3f})"


def mean_score(score: Callable[..., float], tests: list[HeldOut], name: str) -> str:
    return f"{np.mean([score(t.y, t.proba[name], t.classes) for t in tests]):.3f}"


def gains(held: HeldOut, name: str) -> np.ndarray:
    return losses(held, held.proba[name]) - losses(held, held.proba[RAW])


def by_method(found: Found, last: Callable[[list[HeldOut]], list[str]]) -> list[list[str]]:
    return [[data, f"`{m}`", *last(tests[data])] for data in found["logreg"] for m, tests in found.items()]


def calibration(found: Found) -> dict[str, str]:
    head = f"data | method | {RAW} | " + " | ".join(CALIBRATORS)
    names = [RAW, *CALIBRATORS]
    logreg = every(found["logreg"])
    return {
        "ece": markdown(head, by_method(found, lambda ts: [mean_error(ts, n) for n in names])),
        "loss": markdown(
            head,
            by_method(
                found,
                lambda ts: [
                    mean_score(metrics.log_loss, ts, RAW),
                    *(over_cells([gains(t, n) for t in ts]) for n in CALIBRATORS),
                ],
            ),
        ),
        "loss_all": markdown(
            "method | " + " | ".join(f"{n} | better in" for n in CALIBRATORS),
            (
                [f"`{m}`", *(x for n in CALIBRATORS for x in gain_over_tests(every(tests), n))]
                for m, tests in found.items()
            ),
        ),
        "labels": markdown(
            f"data | accuracy, {RAW} | macro-F1, {RAW} | "
            + " | ".join(f"{score}, {n}" for n in CHANGING for score in ("accuracy", "macro-F1")),
            (changed_labels(data, tests) for data, tests in found["logreg"].items()),
        ),
        "brier": markdown(head, by_method(found, lambda ts: [mean_score(metrics.brier, ts, n) for n in names])),
        "by_test": markdown(
            f"test | cells | accuracy | error, {RAW} | error, temperature | log loss, {RAW} | "
            + " | ".join(CALIBRATORS),
            (
                [
                    t.test,
                    len(t.y),
                    f"{metrics.accuracy(t.y, t.labels(RAW)):.3f}",
                    mean_error([t], RAW),
                    mean_error([t], "temperature"),
                    mean_score(metrics.log_loss, [t], RAW),
                    *(over_cells([gains(t, n)]) for n in CALIBRATORS),
                ]
                for t in logreg
            ),
        ),
    }


def gain_over_tests(tests: list[HeldOut], name: str) -> tuple[str, str]:
    means = [gains(t, name).mean() for t in tests]
    return over_tests(means), f"{sum(m < 0 for m in means)} of {len(means)}"


def changed_labels(data: str, tests: list[HeldOut]) -> list[str]:
    """Scores of all cells of a data set together, and what calibration changes of them."""
    y, raw = np.concatenate([t.y for t in tests]), np.concatenate([t.labels(RAW) for t in tests])
    cells = [data, f"{metrics.accuracy(y, raw):.3f}", f"{metrics.macro_f1(y, raw):.3f}"]
    for name in CHANGING:
        labels = np.concatenate([t.labels(name) for t in tests])
        cells += [change(y, labels, raw, "accuracy"), change(y, labels, raw, "macro_f1")]
    return cells


# Prediction sets


def halves(held: HeldOut, score: str, by: str) -> dict[str, np.ndarray]:
    """Hits, cells and calibration cells of each type (halves x types), and sizes, in random halves."""
    proba, codes = held.proba["temperature"], np.searchsorted(held.classes, held.y)
    k, middle = len(held.classes), len(codes) // 2
    out: dict[str, list[object]] = {"hits": [], "n": [], "n_fit": [], "size": [], "empty": []}
    for seed in range(N_HALVES):
        order = np.random.default_rng(seed).permutation(len(codes))
        a, b = order[:middle], order[middle:]
        sets = Conformal(score, by).fit(proba[a], codes[a], rng=seed).sets(proba[b], COVERAGE)
        hit = sets[np.arange(len(b)), codes[b]]
        out["hits"].append(np.bincount(codes[b], weights=hit, minlength=k))
        out["n"].append(np.bincount(codes[b], minlength=k))
        out["n_fit"].append(np.bincount(codes[a], minlength=k))
        out["size"].append(sets.sum(axis=1).mean())
        out["empty"].append((sets.sum(axis=1) == 0).mean())
    return {key: np.array(values) for key, values in out.items()}


def sets(held: HeldOut) -> dict[str, str]:
    kinds = [(score, by) for score in ("lac", "aps", "raps") for by in ("marginal", "label", "clustered")]
    drawn = {kind: halves(held, *kind) for kind in kinds}
    rows = []
    for (score, by), d in drawn.items():
        coverage, of_type = d["hits"].sum(axis=1) / d["n"].sum(axis=1), d["hits"].sum(axis=0) / d["n"].sum(axis=0)
        worst = f"{held.classes[of_type.argmin()]}: {of_type.min():.2f}"
        numbers = (
            f"{coverage.mean():.3f}",
            f"{coverage.std():.3f}",
            f"{d['size'].mean():.2f}",
            f"{d['empty'].max():.3f}",
        )
        rows.append([score, by, *numbers, worst])
    any_kind = drawn["lac", "marginal"]
    n_fit = any_kind["n_fit"].mean(axis=0)
    right = held.labels() == held.y
    types = [
        [
            f"**{held.classes[j]}**" if n_fit[j] >= ENOUGH else held.classes[j],
            f"{n_fit[j]:.0f}",
            f"{right[held.y == held.classes[j]].mean():.2f}",
            *(
                f"{drawn['lac', by]['hits'][:, j].sum() / drawn['lac', by]['n'][:, j].sum():.2f}"
                for by in ("marginal", "label", "clustered")
            ),
        ]
        for j in np.argsort(-n_fit, kind="stable")
    ]
    return {
        "halves": markdown("score | by | coverage | sd | mean size | empty | worst type", rows),
        "by_type": markdown("type | calibration cells | accuracy | marginal | label | clustered", types),
    }


def sets_by_test(tests: Tests) -> str:
    rows = []
    for t in every(tests):
        c = metrics.set_coverage(t.y, t.sets, t.classes)
        right = metrics.accuracy(t.y, t.labels())
        worst = f"{c['worst_type']}: {c['worst_coverage']:.2f} of {int((t.y == c['worst_type']).sum())}"
        interval = f"{c['coverage']:.3f} [{c['low']:.3f}, {c['high']:.3f}]"
        rows.append([t.test, c["n"], f"{right:.3f}", interval, f"{c['mean_size']:.2f}", f"{c['empty']:.3f}", worst])
    return markdown("test | cells | accuracy | coverage | mean size | empty | worst type", rows)


# Votes of clusters


def annotated(held: HeldOut, groups: np.ndarray) -> AnnData:
    """An object with the labels as `annotate` would have stored them, and clusters in ``obs["cluster"]``."""
    slots, index = Slots("annotation"), held.cells.astype(str)
    adata = AnnData(
        np.zeros((len(index), 1), dtype=np.float32), obs=pd.DataFrame({"cluster": pd.Categorical(groups)}, index=index)
    )
    columns = {
        slots.label: pd.Categorical(held.labels()),
        slots.confidence: held.proba["temperature"].max(axis=1),
        slots.model: pd.Categorical(["held-out"] * len(index)),
    }
    uns = {"method": "logreg", "model": "held-out", "params": {}, "classes": held.classes.astype(object)}
    write(adata, "annotation", Annotation(columns, None, uns))
    return adata


def k_means(data: Training, held: HeldOut, k: int) -> np.ndarray:
    X = data.X[held.cells]
    reduced = PCA(30, random_state=0).fit_transform(np.asarray(X.todense()))
    return KMeans(k, n_init=10, random_state=0).fit_predict(reduced).astype(str)


def voted(held: HeldOut, groups: np.ndarray, **options: float | None) -> np.ndarray:
    adata = annotated(held, groups)
    sca.tl.vote(adata, "cluster", **options)
    return adata.obs["annotation_voted"].astype(str).to_numpy().astype(str)


GUARDS = {
    "none": {"guard": None},
    "default": {},
    "any confidence": {"min_confidence": 0.0},
}


def votes(data: dict[str, Training], logreg: Tests, louvain: np.ndarray) -> dict[str, str]:
    out = {}
    for name in ("pbmc68k", "kang", "pbmc_3tech"):
        tests = logreg[name]
        y, raw = (np.concatenate([v(t) for t in tests]) for v in (lambda t: t.y, HeldOut.labels))
        types, n = np.unique(y, return_counts=True)
        rare = types[np.argsort(n, kind="stable")[:3]]
        clusters = {f"k-means {k}": [k_means(data[name], t, k) for t in tests] for k in (8, 64)}
        if name == "pbmc68k":
            clusters = {"louvain": [louvain[t.cells] for t in tests]} | clusters
        rows = [["no vote", "", *vote_scores(y, raw, raw, rare)]]
        for cluster, groups in clusters.items():
            for guard, options in GUARDS.items():
                labels = np.concatenate([voted(t, g, **options) for t, g in zip(tests, groups, strict=True)])
                rows.append([cluster, guard, *vote_scores(y, labels, raw, rare)])
        head = "clusters | guard | accuracy | macro-F1 | macro-F1, vote minus no vote | "
        out[name] = markdown(head + " | ".join(f"{t} ({(y == t).sum()})" for t in rare), rows)
    return out


def vote_scores(y: np.ndarray, labels: np.ndarray, raw: np.ndarray, rare: np.ndarray) -> list[str]:
    recall = [f"{(labels[y == t] == t).mean():.2f}" for t in rare]
    text = "" if labels is raw else change(y, labels, raw, "macro_f1")
    return [f"{metrics.accuracy(y, labels):.3f}", f"{metrics.macro_f1(y, labels):.3f}", text, *recall]
