"""Predictions of any model, matched by name, checked, and put beside the baselines."""

from __future__ import annotations

from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from sc_annotate.errors import GeneError, InputError, MatrixError
from sc_annotate.evaluation import Leaderboard
from sc_annotate.evaluation.leaderboard import leaderboard
from sc_annotate.tl import evaluate_perturbation

P = 120
GENES = [f"G{i}" for i in range(P)]
SINGLES = [f"G{i}" for i in range(20)]
DOUBLES = [f"G{i}+G{i + 1}" for i in range(0, 18, 2)]


def screen(seed: int = 0) -> pd.DataFrame:
    """Control, singles and doubles (additive but for noise), conditions x genes."""
    rng = np.random.default_rng(seed)
    control = 0.5 * rng.gamma(2.0, size=P) + 0.7
    effect = {g: 0.1 * rng.normal(size=P) + 0.05 for g in SINGLES}
    rows = {"control": control}
    for name in [*SINGLES, *DOUBLES]:
        rows[name] = control + sum(effect[g] for g in name.split("+")) + 0.01 * rng.normal(size=P)
    return pd.DataFrame(rows, index=GENES).T.clip(lower=0)


def shrunk(truth: pd.DataFrame, share: float = 0.5) -> pd.DataFrame:
    change = truth.drop(index="control") - truth.loc["control"]
    return truth.loc["control"] + change.mean() + share * (change - change.mean())


def profiles(seed: int = 0, *, lines: int = 1) -> ad.AnnData:
    """As sca.pp.perturbation_profiles makes them, from cells that are drawn here."""
    rng = np.random.default_rng(seed)
    frames, layers = (
        [],
        {name: [] for name in ("se", "control", "half_1", "half_2", "control_half_1", "control_half_2")},
    )
    obs = []
    for line in range(lines):
        truth = screen(seed + line)
        X = truth.to_numpy()
        noise = 0.02 * rng.normal(size=(2, *X.shape))
        layers["se"].append(np.full(X.shape, 0.02))
        layers["control"].append(np.tile(X[0], (len(X), 1)))
        for i in (0, 1):
            layers[f"half_{i + 1}"].append(X + noise[i])
            layers[f"control_half_{i + 1}"].append(np.tile(X[0] + noise[i, 0], (len(X), 1)))
        tail = f"|line{line}" if lines > 1 else ""
        targets = ["" if n == "control" else n for n in truth.index]
        obs.append(pd.DataFrame({"targets": targets, "n_cells": 50}, index=[n + tail for n in truth.index]))
        frames.append(X)
    out = ad.AnnData(
        np.concatenate(frames), obs=pd.concat(obs), var=pd.DataFrame(index=GENES),
        layers={k: np.concatenate(v) for k, v in layers.items()},
    )  # fmt: skip
    out.uns["perturbation_profiles"] = {
        "schema": 1, "control": "control", "values": "expression",
        "covariate_keys": np.array(["line"] if lines > 1 else [], dtype=str),
    }  # fmt: skip
    return out


# ---- what comes out


def test_a_frame_gives_the_leaderboard_of_its_arrays() -> None:
    truth = screen()
    board = evaluate_perturbation(truth, {"model": shrunk(truth)}, n_boot=50)
    assert isinstance(board, Leaderboard)
    assert board.methods == ["model", "no_change", "mean", "additive"]
    assert board.conditions == [*SINGLES, *DOUBLES]
    rows = truth.drop(index="control")
    direct = leaderboard(
        rows.to_numpy(),
        {"model": shrunk(truth).to_numpy()},
        control=truth.loc["control"].to_numpy(),
        perturbed_mean=rows.mean().to_numpy(),
        targets=[tuple(n.split("+")) for n in rows.index],
        genes=np.array(GENES),
        n_boot=50,
    )
    for name, values in direct.values.items():
        np.testing.assert_allclose(board.values[name][:3], values)
    assert "it has seen them" in board.notes[0]


def test_additive_is_the_sum_of_the_single_changes() -> None:
    truth = screen()
    training = [*SINGLES, *DOUBLES[:4]]
    board = evaluate_perturbation(truth, {"model": shrunk(truth)}, training=training, n_top=None, n_boot=50)
    assert board.conditions == DOUBLES[4:]
    a, b = DOUBLES[4].split("+")
    expected = truth.loc[a] + truth.loc[b] - truth.loc["control"]
    i = board.methods.index("additive")
    assert board.values["l2"][i, 0] == pytest.approx(np.linalg.norm(truth.loc[DOUBLES[4]] - expected))
    i = board.methods.index("mean")
    expected = truth.loc[training].mean()
    assert board.values["l2"][i, 0] == pytest.approx(np.linalg.norm(truth.loc[DOUBLES[4]] - expected))
    assert board.notes == []


def test_additive_is_left_out_where_there_is_nothing_to_add() -> None:
    truth = screen()
    assert "additive" not in evaluate_perturbation(truth.drop(index=DOUBLES), {}, n_boot=50).methods
    assert "additive" not in evaluate_perturbation(truth.drop(index=SINGLES), {}, n_boot=50).methods


def test_order_and_spelling_do_not_matter() -> None:
    truth = screen()
    model = shrunk(truth)
    rng = np.random.default_rng(1)
    mixed = model.iloc[rng.permutation(len(model)), rng.permutation(P)]
    mixed.index = ["+".join(n.split("+")[::-1]) if "+" in n else f"{n}+ctrl" for n in mixed.index]
    mixed["extra gene"] = 1.0
    table = ad.AnnData(sparse.csr_matrix(mixed.to_numpy()), obs=pd.DataFrame(index=mixed.index))
    table.var_names = list(mixed.columns)
    frame = mixed.reset_index(names="which")
    one = evaluate_perturbation(truth, {"model": model}, n_boot=50)
    two = evaluate_perturbation(truth, {"model": table}, n_boot=50)
    three = evaluate_perturbation(truth, {"model": frame}, perturbation_key="which", n_boot=50)
    for other in (two, three):
        for name, values in one.values.items():
            np.testing.assert_allclose(other.values[name], values, rtol=1e-9)


def test_changes_and_expression_give_the_same() -> None:
    truth = screen()
    model = shrunk(truth)
    change = model - truth.loc["control"]
    one = evaluate_perturbation(truth, {"model": model}, n_boot=50)
    two = evaluate_perturbation(truth, {"model": change}, predictions_are="delta", n_boot=50)
    mixed = evaluate_perturbation(truth, {"a": change, "b": model}, predictions_are={"a": "delta"}, n_boot=50)
    np.testing.assert_allclose(one.values["l2"], two.values["l2"])
    np.testing.assert_allclose(mixed.values["l2"][0], mixed.values["l2"][1])


def test_arguments_are_not_changed() -> None:
    truth, model = profiles(), shrunk(screen())
    before, copy = truth.copy(), model.copy()
    evaluate_perturbation(truth, {"model": model - screen().loc["control"]}, predictions_are="delta", n_boot=50)
    np.testing.assert_array_equal(truth.X, before.X)
    assert list(truth.uns) == list(before.uns)
    assert list(truth.layers) == list(before.layers)
    pd.testing.assert_frame_equal(model, copy)


def test_missing_conditions_are_named_and_not_scored() -> None:
    truth = screen()
    a, b = shrunk(truth).drop(index=["G3", "G4"]), shrunk(truth)
    b.loc["G5"] = np.nan
    b.loc["TP53"] = 1.0
    board = evaluate_perturbation(truth, {"a": a, "b": b}, n_boot=50)
    reasons = dict(zip(board.conditions, board.dropped, strict=True))
    assert {name: why for name, why in reasons.items() if why} == {
        "G3": "not predicted by a",
        "G4": "not predicted by a",
        "G5": "not predicted by b",
    }
    assert board.verdict.startswith("On 26 of 29 conditions, ")
    assert any("1 of the conditions of predictions['b']" in note and "TP53" in note for note in board.notes)


def test_shared_genes_only_when_asked() -> None:
    truth = screen()
    model = shrunk(truth).drop(columns=["G100", "G101"])
    with pytest.raises(
        GeneError, match=r"predictions\['model'\] lacks 2 of the 120 genes of truth: G100, G101.*shared"
    ):
        evaluate_perturbation(truth, {"model": model})
    board = evaluate_perturbation(truth, {"model": model, "whole": shrunk(truth)}, genes="shared", n_boot=50)
    assert "G100" not in board.genes
    np.testing.assert_allclose(board.values["l2"][0], board.values["l2"][1])
    assert "compared on 118 of 120 genes" in board.notes[0]


# ---- profiles


def test_profiles_bring_ceiling_and_weights() -> None:
    truth = profiles()
    board = evaluate_perturbation(truth, {"model": shrunk(screen())}, n_boot=50)
    assert {"weighted_mse", "weighted_r2"} <= set(board.metrics)
    assert board.ceiling["pearson_delta"] > 0.9
    assert board.decisions[0] == "informative"
    plain = evaluate_perturbation(screen(), {}, n_boot=50)
    assert plain.ceiling == {}
    assert "weighted_mse" not in plain.metrics


def test_each_row_is_held_against_its_own_control() -> None:
    truth = profiles()
    truth.layers["control"] = truth.layers["control"] + 0.2
    board = evaluate_perturbation(truth, {}, n_top=None, n_boot=50)
    i = board.methods.index("no_change")
    expected = np.linalg.norm(truth.X[1] - truth.X[0] - 0.2)
    assert board.values["l2"][i, 0] == pytest.approx(expected)


def test_log_fold_changes() -> None:
    truth = profiles()
    change = ad.AnnData(truth.X - truth.X[0], obs=truth.obs[["targets"]], var=truth.var)
    change.layers["control"] = np.zeros(change.shape)
    change.uns["perturbation_profiles"] = {
        "schema": 1, "control": "control", "values": "lfc", "covariate_keys": np.array([], dtype=str),
    }  # fmt: skip
    model = shrunk(screen()) - screen().loc["control"]
    board = evaluate_perturbation(change, {"model": model}, n_boot=50)
    frame = (screen() - screen().loc["control"]).drop(index="control")
    other = evaluate_perturbation(frame, {"model": model}, truth_is="delta", predictions_are="delta", n_boot=50)
    np.testing.assert_allclose(board.values["l2"], other.values["l2"])
    assert len(board.genes) == P
    assert "all genes are used" in board.notes[-1]


def test_one_covariate_at_a_time() -> None:
    truth = profiles(lines=2)
    with pytest.raises(InputError, match="of 2 covariates .line0, line1.*Evaluate one at a time"):
        evaluate_perturbation(truth, {})
    seen = [name for name in truth.obs_names if name.endswith("line0")]
    model = shrunk(screen(1))
    model.index = [f"{n}|line1" for n in model.index]
    board = evaluate_perturbation(truth, {"model": model}, training=seen, n_boot=50)
    assert board.conditions[0] == "G0|line1"
    assert board.notes == ["mean is the mean change in the other covariates"]
    assert board.decisions[0] == "informative"


# ---- what is refused


def test_scales_are_told_apart() -> None:
    truth = screen()
    model = shrunk(truth)
    for wrong, match in (
        (np.expm1(model), "counts per 10,000 without the logarithm"),
        (model / np.log(2), "logarithms to base 2"),
        (model - truth.loc["control"], "looks like changes to control.*predictions_are='delta'"),
        (model * 5, "another scale"),
        ((model * 100).round(), "looks like counts "),
    ):
        with pytest.raises(MatrixError, match=match):
            evaluate_perturbation(truth, {"model": wrong})
        assert evaluate_perturbation(truth, {"model": wrong}, check_scale=False, n_boot=10).n_scored == 29
    with pytest.raises(MatrixError, match="said to hold changes"):
        evaluate_perturbation(truth, {"model": model}, predictions_are="delta")


def test_a_bad_model_on_the_right_scale_is_scored_not_refused() -> None:
    truth = screen()
    rng = np.random.default_rng(0)
    noise = shrunk(truth, 0.0) + 0.1 * rng.normal(size=(29, P))
    assert evaluate_perturbation(truth, {"noise": noise}, n_boot=50).decisions[0] == "uninformative"


def test_scale_of_truth() -> None:
    truth = screen()
    with pytest.raises(MatrixError, match="truth_is='delta'"):
        evaluate_perturbation(truth - truth.loc["control"], {})
    with pytest.raises(MatrixError, match="adds up to more than 10,000"):
        evaluate_perturbation(np.expm1(truth) * 20, {})


def test_another_control_is_refused() -> None:
    truth = screen()
    model = pd.concat([truth.loc[["control"]], shrunk(truth)])
    assert evaluate_perturbation(truth, {"model": model.astype(np.float32)}, n_boot=50).n_scored == 29
    model.iloc[0] += 0.05
    with pytest.raises(
        MatrixError, match=r"control of predictions\['model'\] .row 'control'. is not the control of truth"
    ):
        evaluate_perturbation(truth, {"model": model})
    model.index = ["ctrl", *model.index[1:]]
    with pytest.raises(MatrixError, match="row 'ctrl'"):
        evaluate_perturbation(truth, {"model": model})
    with pytest.raises(MatrixError, match="is not 0, as a change to itself"):
        evaluate_perturbation(truth, {"model": model - truth.loc["control"]}, predictions_are="delta")


def _cells(truth: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([truth, truth.loc[["G1"]]])


BAD: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"truth": lambda t: t.drop(index="control")}, InputError, "truth has no 'control'"),
    ({"truth": lambda t: t.rename(index={"control": "Control"})}, InputError, "control"),
    ({"truth": lambda t: t.loc[["control"]]}, InputError, "only control"),
    ({"truth": lambda t: t.mask(np.eye(len(t), P) > 0)}, MatrixError, "truth has NaN"),
    ({"truth": _cells}, InputError, "2 rows for 'G1'.*perturbation_profiles"),
    ({"truth": lambda t: t.to_numpy()}, InputError, "AnnData or a DataFrame"),
    ({"truth": lambda t: t.set_axis(["G0", *GENES[1:-1], "G0"], axis=1)}, GeneError, "more than once in truth"),
    ({"truth": lambda t: t.assign(note="x")}, InputError, "no numbers"),
    ({"truth": lambda t: t.iloc[:0]}, InputError, "empty"),
    ({"model": _cells}, InputError, "2 rows for 'G1'"),
    ({"model": lambda m: m.to_numpy()}, InputError, r"predictions\['model'\] must be"),
    ({"model": lambda m: m.set_axis(range(P), axis=1)}, GeneError, "columns are named 0, 1, 2"),
    ({"model": lambda m: m.set_axis([f"X{n}" for n in m.index])}, InputError, "none of the conditions"),
    ({"model": lambda m: m * np.inf}, MatrixError, "infinite"),
    ({"model": lambda m: m.mask(np.eye(len(m), P) > 0)}, InputError, "NaN in all genes"),
    ({"control": "contrl"}, InputError, "Did you mean 'control'"),
    ({"training": "G1"}, InputError, "list of conditions"),
    ({"training": ["TP53"]}, InputError, "'TP53', which truth does not have"),
    ({"training": [*SINGLES, *DOUBLES]}, InputError, "no condition is left"),
    ({"truth_is": "lfc"}, InputError, "truth_is must be"),
    ({"predictions_are": "lfc"}, InputError, "predictions_are must be"),
    ({"predictions_are": {"other": "delta"}}, InputError, "'other', which is not among"),
    ({"genes": "some"}, InputError, "genes must be"),
    ({"reference": "GEARS"}, InputError, "reference names 'GEARS'"),
]


@pytest.mark.parametrize(("change", "error", "match"), BAD, ids=[m for _, _, m in BAD])
def test_bad_input(change: dict[str, Any], error: type[Exception], match: str) -> None:
    truth, arguments = screen(), dict(change)
    model = arguments.pop("model", lambda m: m)(shrunk(truth))
    with pytest.raises(error, match=match):
        evaluate_perturbation(arguments.pop("truth", lambda t: t)(truth), {"model": model}, **arguments)


@pytest.mark.parametrize("predictions", [{"mean": None}, {"": None}, {1: None}, [1], pd.DataFrame({"a": [1.0]})])
def test_bad_names_of_models(predictions: Any) -> None:
    with pytest.raises(InputError, match="model"):
        evaluate_perturbation(screen(), predictions)
