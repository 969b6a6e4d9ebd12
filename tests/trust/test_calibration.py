"""What all calibrators promise."""

from __future__ import annotations

import json

import numpy as np
import pytest

from probabilities import simulate
from sc_annotate import metrics
from sc_annotate.errors import InputError
from sc_annotate.trust import CALIBRATORS, make_calibrator

EACH = pytest.mark.parametrize("name", list(CALIBRATORS))


@EACH
@pytest.mark.parametrize("k", [2, 5])
@pytest.mark.parametrize("n", [1, 2, 200])
def test_rows_are_probabilities(name: str, k: int, n: int) -> None:
    proba, codes = simulate(n, k)
    new = np.vstack([simulate(50, k, seed=1)[0], np.eye(k), np.full((1, k), 1 / k)])
    for dtype in (np.float32, np.float64):
        out = make_calibrator(name).fit(proba.astype(dtype), codes).transform(new.astype(dtype))
        assert out.dtype == np.float32
        assert out.min() >= 0
        np.testing.assert_allclose(out.sum(axis=1), 1, atol=1e-6)


@EACH
def test_a_class_without_calibration_cells_can_still_be_called(name: str) -> None:
    proba, codes = simulate(400, 5)
    seen = codes != 3
    out = make_calibrator(name).fit(proba[seen], codes[seen]).transform(np.eye(5))
    assert out[3].argmax() == 3


@EACH
def test_calibrates(name: str) -> None:
    proba, codes = simulate(2000, sharpness=3)
    classes = np.array(list("abcd"))
    new, truth = simulate(2000, sharpness=3, seed=1)
    out = make_calibrator(name).fit(proba, codes).transform(new)
    y = classes[truth]
    assert metrics.expected_calibration_error(y, new, classes) > 0.1
    assert metrics.expected_calibration_error(y, out, classes) < 0.05
    assert metrics.log_loss(y, out, classes) < metrics.log_loss(y, new, classes) - 0.1


@EACH
def test_write_and_read(name: str) -> None:
    proba, codes = simulate(100)
    codes[codes == 2] = 0
    model = make_calibrator(name).fit(proba, codes)
    arrays, meta = model.to_arrays()
    assert all(a.dtype.kind in "if" for a in arrays.values())
    again = CALIBRATORS[name].from_arrays(arrays, json.loads(json.dumps(meta, allow_nan=False)))
    new = simulate(50, seed=1)[0]
    np.testing.assert_array_equal(again.transform(new), model.transform(new))


@EACH
def test_damaged_files_are_refused(name: str) -> None:
    arrays, meta = make_calibrator(name).fit(*simulate(100)).to_arrays()
    for key, value in arrays.items():
        for bad in (value[:-1], np.full_like(value, 999), value[:0], value.astype(str)):
            with pytest.raises(InputError, match="Fit again"):
                CALIBRATORS[name].from_arrays({**arrays, key: bad}, meta)
        with pytest.raises(InputError, match="Fit again"):
            CALIBRATORS[name].from_arrays({k: v for k, v in arrays.items() if k != key}, meta)
    for key in meta:
        with pytest.raises(InputError, match="Fit again"):
            CALIBRATORS[name].from_arrays(arrays, {**meta, key: "nonsense"})


@EACH
def test_bad_input(name: str) -> None:
    model = make_calibrator(name)
    proba, codes = simulate(10)
    with pytest.raises(InputError, match="not fitted"):
        model.transform(proba)
    with pytest.raises(InputError, match="not fitted"):
        model.to_arrays()
    for bad, message in (
        (proba / 2, "sum to 1"),
        (proba[:5], "proba has 5 cells but codes has 10"),
        (np.where(proba == proba.max(), np.nan, proba), "NaN"),
        (proba[:, 0], "cells x classes"),
        (proba.astype(str), "numbers"),
    ):
        with pytest.raises(InputError, match=message):
            model.fit(bad, codes)
    for bad_codes, message in (
        (codes.astype(float), "whole numbers"),
        (codes + 4, "between 0 and 3"),
        (codes - 4, "between 0 and 3"),
    ):
        with pytest.raises(InputError, match=message):
            model.fit(proba, bad_codes)
    with pytest.raises(InputError, match="at least one"):
        model.fit(proba[:0], codes[:0])
    with pytest.raises(InputError, match="3 classes, but this was fitted on 4"):
        model.fit(proba, codes).transform(simulate(5, 3)[0])


def test_unknown_name() -> None:
    with pytest.raises(InputError, match="'temperature', 'isotonic', 'venn_abers'"):
        make_calibrator("platt")
