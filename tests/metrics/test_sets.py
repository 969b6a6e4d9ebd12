"""Coverage of prediction sets against a plain loop."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from sc_annotate import metrics
from sc_annotate.errors import InputError, LabelError

CLASSES = ["T", "B", "NK"]


def test_coverage_equals_a_plain_loop() -> None:
    rng = np.random.default_rng(0)
    y = rng.choice([*CLASSES, "plasma"], 80)
    batch = rng.choice(["b1", "b2"], 80)
    sets = rng.random((80, 3)) < 0.5
    hits = np.array([t in CLASSES and bool(s[CLASSES.index(t)]) for t, s in zip(y, sets, strict=True)])
    sizes = np.array([sum(s) for s in sets])
    found = metrics.set_coverage(y, sets, CLASSES, batch=batch)
    assert found["coverage"] == hits.mean()
    interval = binomtest(int(hits.sum()), 80).proportion_ci(0.95, method="wilson")
    assert (found["low"], found["high"]) == pytest.approx((interval.low, interval.high))
    assert found["mean_size"] == sizes.mean()
    assert (found["singletons"], found["empty"]) == ((sizes == 1).mean(), (sizes == 0).mean())
    for name, of in (("type", y), ("batch", batch)):
        table = found[f"by_{name}"]
        assert table[name].tolist() == sorted(set(of))
        for i, value in enumerate(table[name]):
            here = of == value
            assert table["coverage"][i] == hits[here].mean()
            assert table["n"][i] == here.sum()
            assert table["mean_size"][i] == sizes[here].mean()
            interval = binomtest(int(hits[here].sum()), int(here.sum())).proportion_ci(0.95, method="wilson")
            assert (table["low"][i], table["high"][i]) == pytest.approx((interval.low, interval.high), abs=1e-12)
    # A type that no column has is never covered, and so the worst.
    assert (found["worst_type"], found["worst_coverage"]) == ("plasma", 0)


def test_one_cell_and_no_batch() -> None:
    found = metrics.set_coverage(["B"], np.array([[False, True, False]]), CLASSES)
    assert (found["coverage"], found["high"], found["mean_size"], found["worst_type"]) == (1, 1, 1, "B")
    assert "by_batch" not in found


def test_bad_input() -> None:
    sets = np.ones((2, 3), dtype=bool)
    with pytest.raises(InputError, match="bool"):
        metrics.set_coverage(["B", "T"], sets.astype(int), CLASSES)
    with pytest.raises(InputError, match="3 classes"):
        metrics.set_coverage(["B", "T"], sets[:, :2], CLASSES)
    with pytest.raises(InputError, match="y has 1 cells but sets has 2"):
        metrics.set_coverage(["B"], sets, CLASSES)
    with pytest.raises(InputError, match="batch has 1"):
        metrics.set_coverage(["B", "T"], sets, CLASSES, batch=["b1"])
    with pytest.raises(LabelError, match="twice"):
        metrics.set_coverage(["B", "T"], sets, ["B", "T", "T"])
