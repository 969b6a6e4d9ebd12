"""Scores of all methods, on a leaderboard whose values are known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

import sc_annotate as sca
from made_predictions import made_board
from read_axes import dots, intervals, labels, texts, upright
from sc_annotate.errors import InputError


@pytest.mark.parametrize("n", [10, 40])
def test_leaderboard_shows_the_summary(predicted: Any, n: int) -> None:
    board = made_board(n)
    axes = sca.pl.leaderboard(predicted(n))
    assert isinstance(axes, dict)
    assert list(axes) == board.metrics
    first = next(iter(axes.values()))
    assert labels(first)[0] == "linear"
    assert {"no change  (as the control)", "mean  (of all perturbations)", "additive  (sum of the singles)"} <= set(
        labels(first)
    )
    assert [t.get_text() for t in first.get_yticklabels() if t.get_fontweight() == "bold"] == ["linear"]
    for j, (metric, ax) in enumerate(axes.items()):
        mean, low, high, status = (getattr(board.summary, part)[:, j] for part in ("mean", "low", "high", "status"))
        assert dots(ax) == {i: mean[i] for i in np.flatnonzero(np.isfinite(mean))}
        assert intervals(ax) == {i: (low[i], high[i]) for i in np.flatnonzero(np.isfinite(low))}
        written = {
            int(t.get_position()[1]): t.get_text() for t in ax.texts if t.get_text() in ("undefined", "not predicted")
        }
        assert written == {
            i: "undefined" if status[i] == "undefined" else "not predicted" for i in np.flatnonzero(~np.isfinite(mean))
        }
        assert 0.0 not in [x for i, x in dots(ax).items() if i in written]
        assert upright(ax, "replicates") == pytest.approx(board.ceiling[metric])
        assert ax.get_xlabel().startswith(metric)
    at = board.methods.index("no_change")
    assert "undefined" in texts(axes["pearson_delta"])
    hollow = {int(line.get_ydata()[0]) for line in axes["l2"].lines if line.get_markerfacecolor() == "white"}
    assert at in hollow
    assert board.methods.index("linear") not in hollow


def test_chance_and_as_observed(predicted: Any) -> None:
    axes = sca.pl.leaderboard(predicted(10))
    assert upright(axes["centroid_accuracy"], "chance") == 0.5
    assert upright(axes["discrimination"], "chance") == pytest.approx(11 / 20)
    assert upright(axes["sd_ratio"], "as observed") == 1
    for metric in ("l2", "pearson_delta"):
        assert "chance" not in texts(axes[metric])


def test_fewer_conditions_say_so(predicted: Any) -> None:
    axes = sca.pl.leaderboard(predicted(10))
    board = made_board(10)
    n = int(board.summary.n_scored[board.methods.index("additive"), 0])
    assert f"n={n}" in texts(axes["l2"])


def test_a_leaderboard_by_itself(predicted: Any) -> None:
    board = made_board(10)
    drawn = sca.pl.leaderboard(board, metrics=["direction", "l2"])  # type: ignore[arg-type]
    assert list(drawn) == ["direction", "l2"]
    stored = sca.pl.leaderboard(predicted(10), metrics=["direction", "l2"])
    for metric in drawn:
        assert dots(drawn[metric]) == dots(stored[metric])
    assert sca.pl.sd_ratio(board).get_title().startswith("leaderboard: ")  # type: ignore[arg-type]
    assert len(labels(sca.pl.perturbation_errors(board))) == len(board.methods)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="kind='single' chooses among"):
        sca.pl.leaderboard(board, kind="single")  # type: ignore[arg-type]


def test_verdict_is_the_title(predicted: Any) -> None:
    figure = sca.pl.leaderboard(predicted(10), return_fig=True)
    (title,) = figure.texts
    written = " ".join(title.get_text().split())
    assert made_board(10).verdict in written
    assert "held-out conditions of several targets" in written
    alone = sca.pl.leaderboard(predicted(10, kind="single"), return_fig=True)
    assert "held-out conditions of one target" in " ".join(alone.texts[0].get_text().split())


def test_own_axes(predicted: Any) -> None:
    adata = predicted(10)
    figure, axes = plt.subplots(1, 2)
    found = sca.pl.leaderboard(adata, metrics=["l2", "direction"], ax=axes)
    assert list(found.values()) == list(axes)
    assert not figure.texts  # the caller's figure has the caller's title
    found = sca.pl.effects(adata, ax=axes)
    assert list(found.values()) == list(axes)
    with pytest.raises(InputError, match="ax must be 1 matplotlib Axes, one for each metric"):
        sca.pl.leaderboard(adata, metrics=["l2"], ax=axes)
    with pytest.raises(InputError, match="ax must be 2 matplotlib Axes, for predicted and observed"):
        sca.pl.effects(adata, ax=axes[0])


def test_refusals_of_scores(predicted: Any) -> None:
    adata = predicted(10)
    for draw in (sca.pl.leaderboard, sca.pl.sd_ratio, sca.pl.perturbation_errors):
        with pytest.raises(InputError, match="kind='single' was not scored.*there is 'double'"):
            draw(adata, kind="single")
        with pytest.raises(InputError, match="must be an AnnData or a leaderboard, not DataFrame"):
            draw(pd.DataFrame({"a": [1]}))  # type: ignore[arg-type]
        with pytest.raises(InputError, match="must be an AnnData"):
            draw([1])  # type: ignore[arg-type]
    with pytest.raises(InputError, match="metric 'l3' was not scored; there are: 'l2'"):
        sca.pl.leaderboard(adata, metrics=["l3"])
    with pytest.raises(InputError, match=r"such as \['l2'\]"):
        sca.pl.leaderboard(adata, metrics="l2")
    with pytest.raises(InputError, match="metrics is empty"):
        sca.pl.leaderboard(adata, metrics=[])
    with pytest.raises(InputError, match="'sd_ratio' has no value for each condition"):
        sca.pl.perturbation_errors(adata, metric="sd_ratio")
    del adata.uns["perturbation"]["double"]
    with pytest.raises(InputError, match="has no scores.*evaluate=True"):
        sca.pl.leaderboard(adata)
