"""No argument of a function for perturbations is ignored: it changes the result, is checked, or is refused by name.

Functions and parameters are read from the signatures, so that a new parameter needs an entry here, for each mode.
"""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

import sc_annotate as sca
from sc_annotate.errors import ScAnnotateError

if TYPE_CHECKING:
    from collections.abc import Callable

    from anndata import AnnData

    Objects = dict[str, Any]


@dataclass(frozen=True)
class Changes:
    """The value gives another result than the mode without it."""

    value: Any


@dataclass(frozen=True)
class Checked:
    """The value is looked at: this one, which is wrong, is an error."""

    value: Any
    match: str = ""


@dataclass(frozen=True)
class Refused:
    """The value, which would be right elsewhere, is an error that names the argument."""

    value: Any


@dataclass(frozen=True)
class Mode:
    """One way to call a function; `without` are entries in place of those that hold for the function."""

    on: str
    base: dict[str, Any] = field(default_factory=dict)
    entries: dict[str, Any] = field(default_factory=dict)


CELLS = {
    "perturbation_key": Changes("swapped"),
    "control": Changes("G15"),
    "covariate_keys": Changes(["cell_line"]),
    "replicate_key": Changes("batch"),
    "separator": Changes("_"),
    "guide_suffix": Changes(r"\d"),
    "layer": Changes("other"),
    "total_counts_key": Changes("totals"),
    "values": Checked("log1p", "whole numbers"),
    "min_cells": Changes(105),
    "rng": Changes(3),
}
PREDICTION = {
    "conditions": Changes(["G15"]),
    "method": Changes("knn"),
    "method_kwargs": Changes({"n_components": 2}),
    "baseline": Changes("knn"),
    "evaluate": Changes(False),
    "n_folds": Changes(3),
    "coverage": Changes(0.5),
    "n_top": Changes(10),
    "key_added": Changes("other"),
}
OF_CELLS = {
    "perturbation_key": Refused("perturbation"),
    "control": Refused("control"),
    "replicate_key": Refused("batch"),
    "separator": Refused("+"),
    "guide_suffix": Refused(r"_g\d"),
    "layer": Refused("other"),
    "total_counts_key": Refused("totals"),
    "values": Refused("counts"),
    "min_cells": Refused(10),
    "covariate_keys": Refused(["cell_line"]),
}
BY_CONTEXT = {"covariate_keys": Changes("batch"), "min_cells": Changes(50)}
NOT_SCORED = {"n_folds": Refused(5), "coverage": Refused(0.9), "n_top": Refused(1000), "rng": Checked(-1, "rng")}
COMPARED = {
    "predictions": Checked(3, "dict"),
    "control": Checked("nothing", "control"),
    "perturbation_key": Checked("nothing", "perturbation_key"),
    "separator": Checked("", "separator"),
    "training": Changes(["G15", "G16", "G18"]),
    "reference": Changes("other"),
    "truth_is": Checked("counts", "truth_is"),
    "predictions_are": Checked("counts", "predictions_are"),
    "genes": Checked("some", "genes"),
    "check_scale": Checked("no", "check_scale"),
    "n_top": Changes(5),
    "n_boot": Changes(50),
    "rng": Changes(4),
}
INTERACTIONS = {
    "predictions": Changes("doubles"),
    "predictions_are": Refused("expression"),
    "fdr": Changes(0.6),
    "select_by": Changes("local_fdr"),
    "standardise": Changes(False),
    "n_top": Changes(30),
    "key_added": Changes("other"),
}
PREDICTABLE = {
    "conditions": Changes(["G15", "XIST"]),
    "method": Changes("additive"),
    "method_kwargs": Changes({"perturbation_embedding": pd.DataFrame(np.eye(3), index=["G15", "G16", "G18"])}),
    "n_folds": Checked(1, "n_folds"),
    "rng": Checked(-1, "rng"),
}

MODES: dict[tuple[str, str], dict[str, Mode]] = {
    ("tl", "predict_perturbation"): {
        "cells": Mode("cells", {}, CELLS | PREDICTION),
        "cells, not scored": Mode("cells", {"evaluate": False}, CELLS | PREDICTION | NOT_SCORED | {"evaluate": Changes(True)}),
        "a method, not scored": Mode(
            "cells",
            {"evaluate": False, "method": "knn"},
            CELLS | PREDICTION | NOT_SCORED | {"evaluate": Changes(True), "method": Changes("mean"), "baseline": Refused("linear")},
        ),
        "profiles": Mode("profiles", {}, PREDICTION | OF_CELLS | {"rng": Changes(3)}),
        "log fold changes": Mode("lfc", {}, PREDICTION | OF_CELLS | {"rng": Changes(3), "n_top": Refused(1000)}),
        "contexts": Mode("cells", {"covariate_keys": "cell_line"}, CELLS | PREDICTION | BY_CONTEXT),
        "across contexts": Mode(
            "cells",
            {"covariate_keys": "cell_line", "method": "transfer"},
            CELLS
            | PREDICTION
            | {
                **BY_CONTEXT,
                "method": Changes("mean"),
                "method_kwargs": Checked({"per_gene": "no"}, "per_gene"),
                "n_folds": Refused(3),
            },
        ),
    },
    ("tl", "evaluate_perturbation"): {
        "profiles": Mode("profiles", {"predictions": "two"}, COMPARED),
        "a table": Mode("table", {"predictions": "two"}, COMPARED),
        "changes": Mode(
            "changes",
            {"predictions": "two changes", "truth_is": "delta", "predictions_are": "delta"},
            COMPARED | {"control": Checked("G15", "2 rows"), "n_top": Refused(1000)},
        ),
        "fewer genes": Mode("profiles", {"predictions": "fewer", "genes": "shared"}, COMPARED | {"genes": Checked("all", "genes=")}),
    },
    ("tl", "genetic_interactions"): {
        "alone": Mode("profiles", {}, INTERACTIONS),
        "with predictions": Mode(
            "profiles",
            {"predictions": "doubles", "fdr": 0.6},
            INTERACTIONS
            | {"fdr": Changes(0.05), "predictions": Changes("other doubles"), "predictions_are": Checked("delta", "predictions_are")},
        ),
        "log fold changes": Mode(
            "lfc", {"standardise": False}, INTERACTIONS
            | {
                "predictions": Changes("changed doubles"),
                "standardise": Checked(True, "standardise"),
                "n_top": Refused(10),
            },
        ),
    },
    ("pp", "perturbation_profiles"): {
        "cells": Mode(
            "cells",
            {},
            CELLS
            | {
                "guide_key": Changes("guide"),
                "efficacy": Checked("some", "efficacy"),
                "drop_nonresponding": Checked(True, "drop_nonresponding"),
            },
        )
    },
    ("pp", "profiles_from_lfc"): {"rows": Mode("changes", {}, {"perturbation_key": Changes("renamed"), "layer": Changes("half")})},
    ("pp", "predictable"): {
        "measured": Mode("profiles", {}, PREDICTABLE),
        "unmeasured": Mode("profiles", {"conditions": ["XIST"]}, PREDICTABLE | {"n_folds": Refused(3), "method": Changes("mean")}),
    },
    ("pp", "perturbation_embedding"): {"profiles": Mode("profiles", {}, {"n_components": Changes(2)})},
    ("pp", "parse_conditions"): {
        "names": Mode(
            "names", {"control": "ctrl"}, {"control": Changes("A"), "separator": Changes("_"), "guide_suffix": Changes(r"\d")}
        )
    },
    ("get", "perturbation"): {"one context": Mode("done", {}, {"key": Changes("second")})},
    ("get", "leaderboard"): {
        "one context": Mode("done", {}, {"key": Changes("second"), "kind": Changes("single"), "context": Refused("line_1")}),
        "contexts": Mode("done", {"key": "contexts"}, {"key": Changes("second"), "kind": Changes("single"), "context": Changes("line_1")}),
        "not scored": Mode("done", {"key": "not scored"}, {"key": Checked("nothing", "nothing"), "kind": Checked("single", "scores"), "context": Refused("line_1")}),
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def objects() -> Objects:
    """What the functions are called on, and what stands behind the names of predictions."""
    cells = sca.datasets.simulate_perturb_seq(
        1600,
        40,
        8,
        5,
        n_batches=2,
        batch_strength=0.3,
        second_line=True,
        interactions=0.1,
        effect_size=0.6,
        imbalance=1.5,
        rng=0,
    )
    rng = np.random.default_rng(0)
    names = cells.obs["perturbation"].astype(str)
    singles = sorted({name for name in names if "+" not in name} - {"control"})
    renamed = dict(zip(singles, ["G15", "G16", "G18", *(f"G{i}" for i in (20, 22, 24, 26, 28))], strict=True))
    names = names.map(lambda name: "+".join(sorted(renamed.get(part, part) for part in name.split("+"))))
    cells.obs["perturbation"] = names.to_numpy()
    cells.obs["swapped"] = names.replace({"G15": "G16", "G16": "G15"}).to_numpy()
    cells.obs["guide"] = [f"{name}_g{i}" for name, i in zip(names, rng.integers(0, 2, cells.n_obs), strict=True)]
    counts = np.asarray(cells.X.sum(axis=1)).ravel()
    cells.obs["totals"] = counts + rng.integers(1, 3000, cells.n_obs)
    cells.layers["other"] = cells.X[:, ::-1].copy()
    profiles = sca.pp.perturbation_profiles(cells)
    table = profiles.to_df()
    changes = table - table.loc["control"]
    raw = profiles[1:].copy()
    raw.X = changes.iloc[1:].to_numpy()
    raw.layers["half"] = raw.X / 2
    raw.obs["renamed"] = [name.replace("G15", "G17") for name in raw.obs_names]
    del raw.uns["perturbation_profiles"], raw.layers["se"]
    doubles = table[["+" in name for name in table.index]]
    first = table.iloc[1:] * 0.9 + table.iloc[1:].mean() * 0.1
    second = table.iloc[1:] * 0.6 + table.iloc[1:].mean() * 0.4
    done = cells.copy()
    sca.tl.predict_perturbation(done)
    sca.tl.predict_perturbation(done, coverage=0.6, n_folds=4, key_added="second")
    sca.tl.predict_perturbation(done, covariate_keys="cell_line", key_added="contexts")
    sca.tl.predict_perturbation(done, evaluate=False, key_added="not scored")
    return {
        "cells": cells,
        "profiles": profiles,
        "table": table,
        "changes": raw,
        "lfc": sca.pp.profiles_from_lfc(raw),
        "names": ["ctrl", "A1+B2", "A", "A_B+ctrl"],
        "done": done,
        "two": {"model": first, "other": second},
        "two changes": {"model": changes.iloc[1:] * 0.9, "other": changes.iloc[1:] * 0.5},
        "fewer": {"model": first, "other": second.iloc[:, 1:]},
        "changed doubles": {"model": 0.5 * (doubles - table.loc["control"])},
        "doubles": {"model": 0.5 * doubles + 0.5 * doubles.mean()},
        "other doubles": {"model": 0.7 * doubles + 0.3 * doubles.mean()},
    }


def result_of(function: Callable[..., Any], on: Any, arguments: dict[str, Any], objects: Objects) -> dict[str, Any]:
    """All arrays that a call returns or writes, by a name; what it records of its arguments does not count."""
    ready = dict(arguments)
    if isinstance(ready.get("predictions"), str):
        ready["predictions"] = objects[ready["predictions"]]
    target = on.copy() if hasattr(on, "copy") else on
    returned = function(target, **ready)
    found: dict[str, Any] = {}
    _collect(found, "", target if returned is None else returned)
    return {name: value for name, value in found.items() if "params" not in name}


def _collect(found: dict[str, Any], name: str, value: Any) -> None:
    if type(value).__name__ == "AnnData":
        adata: AnnData = value
        parts = {"X": adata.X.toarray() if hasattr(adata.X, "toarray") else adata.X, "obs": adata.obs, "var": adata.var}
        for part, content in (
            parts | {"layers": dict(adata.layers), "varm": dict(adata.varm), "uns": dict(adata.uns)}
        ).items():
            _collect(found, f"{name}/{part}", content)
    elif isinstance(value, pd.DataFrame):
        found[f"{name}/index"] = value.index.astype(str).tolist()
        for column in value:
            found[f"{name}/{column}"] = value[column].to_numpy()
    elif isinstance(value, dict):
        for key, content in value.items():
            _collect(found, f"{name}/{key}", content)
    elif hasattr(value, "to_dict") and hasattr(value, "verdict"):
        _collect(found, name, value.to_dict())
    else:
        found[name] = value.toarray() if hasattr(value, "toarray") else np.asarray(value)


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    if one.keys() != other.keys():
        return False
    for name, value in one.items():
        a, b = np.asarray(value), np.asarray(other[name])
        numbers = a.dtype.kind in "biuf" and b.dtype.kind in "biuf"
        if a.shape != b.shape or not (
            np.array_equal(a, b, equal_nan=True) if numbers else (a.astype(str) == b.astype(str)).all()
        ):
            return False
    return True


def parameters(place: tuple[str, str]) -> list[str]:
    function = getattr(getattr(sca, place[0]), place[1])
    return list(inspect.signature(function).parameters)[1:]


def test_every_function_and_parameter_has_an_entry() -> None:
    named = re.compile("perturb|interaction|condition|predictable|lfc|leaderboard")
    public = {(room, name) for room in ("tl", "pp", "get") for name in getattr(sca, room).__all__ if named.search(name)}
    assert public == set(MODES)
    for place, modes in MODES.items():
        for title, mode in modes.items():
            lacking = [name for name in parameters(place) if name not in mode.entries]
            assert not lacking, f"{'.'.join(place)} ({title}): say what {lacking} do there"
            assert not set(mode.entries) - set(parameters(place)), f"{'.'.join(place)} ({title})"


CASES = [
    pytest.param(place, title, name, id=f"{place[1]}-{title}-{name}")
    for place, modes in MODES.items()
    for title, mode in modes.items()
    for name in mode.entries
]
_known: dict[tuple[str, str, str], dict[str, Any]] = {}


@pytest.mark.parametrize(("place", "title", "name"), CASES)
@pytest.mark.filterwarnings("ignore:.*:sc_annotate.errors.ScAnnotateWarning")
def test_no_argument_is_ignored(place: tuple[str, str], title: str, name: str, objects: Objects) -> None:
    function, mode = getattr(getattr(sca, place[0]), place[1]), MODES[place][title]
    entry, on = mode.entries[name], objects[mode.on]
    if isinstance(entry, Changes):
        if (*place, title) not in _known:
            _known[*place, title] = result_of(function, on, mode.base, objects)
        assert not same(_known[*place, title], result_of(function, on, mode.base | {name: entry.value}, objects))
        return
    match = rf"\b{name}\b" if isinstance(entry, Refused) else entry.match
    with pytest.raises(ScAnnotateError, match=match):
        result_of(function, on, mode.base | {name: entry.value}, objects)


def test_equal_calls_give_equal_results(objects: Objects) -> None:
    one, two = (result_of(sca.tl.predict_perturbation, objects["cells"], {}, objects) for _ in range(2))
    assert same(one, two)
