"""What the pictures of perturbation prediction show, on made-up results whose values are known."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import anndata as ad
import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import sc_annotate as sca
from comparing import same
from sc_annotate._core.codec import sanitize
from sc_annotate._store import perturbation_slots as slots
from sc_annotate.errors import InputError, StorageError
from sc_annotate.evaluation.leaderboard import leaderboard

if TYPE_CHECKING:
    from collections.abc import Callable

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
def _board(n: int) -> Leaderboard:
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


@pytest.fixture
def predicted() -> Callable[..., AnnData]:
    """Predictions of so many conditions: the second has none, the third was not measured; scores of one kind."""

    def make(n: int = 10, kind: str = "double") -> AnnData:
        rng = np.random.default_rng(n)
        names = condition_names(n)
        targets = list(dict.fromkeys(g for name in names for g in name.split("+")))
        genes = pd.Index([*targets, *(f"GENE{i}" for i in range(max(N_GENES - len(targets), 5)))])
        control = rng.gamma(1.0, size=len(genes))
        # A few genes change a lot, as they do.
        change = rng.normal(size=(n, len(genes))) * np.where(rng.random(len(genes)) < 0.3, 1.0, 0.1)
        said = control + 0.5 * change + 0.1 * rng.normal(size=change.shape)
        observed = control + change
        said[1], observed[2] = np.nan, np.nan
        parts = {"": said, "_lower": said - 0.4, "_upper": said + 0.4, "_observed": observed}
        adata = ad.AnnData(np.zeros((3, len(genes)), dtype=np.float32), var=pd.DataFrame(index=genes))
        about = {
            "conditions": names,
            "reason": ["", REASON, *[""] * (n - 2)],
            "held_out": [i != 2 for i in range(n)],
            "method": "linear",
            "baseline": "linear",
            "coverage": {"asked": 0.9, kind: 0.88},
            "verdict": "",
            kind: _board(n).to_dict(),
        }
        arrays = {part: np.ascontiguousarray(x.T, dtype=np.float32) for part, x in parts.items()}
        slots.write(adata, "perturbation", arrays, control, about)
        return adata

    return make


@pytest.fixture
def interacting() -> Callable[..., AnnData]:
    """The account of genetic interactions: three methods, the last without predictions."""

    def make(*, called: bool = True) -> AnnData:
        fdp = np.linspace(0, 1, 101)
        tpr = np.stack([np.minimum(fdp**2 / 0.9, 1), np.minimum(fdp / 0.9, 1), np.full(101, np.nan)])
        result: dict[str, Any] = {
            "schema": 1,
            "task": "genetic_interactions",
            "params": {"fdr": 0.05, "call_by": "tail_area"},
            "doubles": condition_names(20)[1::2],
            "classes": dict(zip(["buffering", "synergistic", "opposite", "other"], [60, 25, 0, 15], strict=True))
            if called
            else dict.fromkeys(["buffering", "synergistic", "opposite", "other"], 0),
            "n_pairs": 1000,
        }
        if called:
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

    return make


@pytest.fixture
def everything(predicted: Any, interacting: Any) -> Callable[[int], AnnData]:
    """One object that all of the pictures can be drawn of."""

    def make(n: int) -> AnnData:
        adata = predicted(n)
        adata.uns["interactions"] = interacting().uns["interactions"]
        return adata

    return make


CALLS: dict[str, Any] = {
    "effects": lambda a, **kw: sca.pl.effects(a, **kw),
    "interactions": lambda a, **kw: sca.pl.interactions(a, **kw),
    "leaderboard": lambda a, **kw: sca.pl.leaderboard(a, **kw),
    "perturbation": lambda a, **kw: sca.pl.perturbation(a, condition=condition_names(10)[3], **kw),
    "perturbation, not measured": lambda a, **kw: sca.pl.perturbation(a, condition=condition_names(10)[2], **kw),
    "perturbation_errors": lambda a, **kw: sca.pl.perturbation_errors(a, **kw),
    "sd_ratio": lambda a, **kw: sca.pl.sd_ratio(a, **kw),
}
CALLS_40: dict[str, Any] = {
    "perturbation": lambda a, **kw: sca.pl.perturbation(a, condition=condition_names(40)[3], n_names=25, **kw),
    "perturbation, not measured": lambda a, **kw: sca.pl.perturbation(
        a, condition=condition_names(40)[2], n_names=40, **kw
    ),
}
every_call = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)


def texts(ax: Axes) -> list[str]:
    return [t.get_text() for t in ax.texts if t.get_text()]


def labels(ax: Axes) -> list[str]:
    return [t.get_text() for t in ax.get_yticklabels()]


def dots(ax: Axes) -> dict[int, float]:
    return {
        int(y[0]): x[0] for x, y in (line.get_data() for line in ax.lines if line.get_marker() == "o") if len(x) == 1
    }


def intervals(ax: Axes) -> dict[int, tuple[float, float]]:
    found = [
        line.get_data() for line in ax.lines if line.get_marker() == "None" and line.get_solid_capstyle() == "butt"
    ]
    return {int(y[0]): tuple(x) for x, y in found if len(y) == 2 and y[0] == y[1]}


def upright(ax: Axes, word: str) -> float:
    """Where the line stands whose word this is."""
    (text,) = [t for t in ax.texts if t.get_text() == word]
    lines = [line for line in ax.lines if len(line.get_xdata()) == 2 and np.ptp(line.get_xdata()) == 0]
    (line,) = [line for line in lines if line.get_color() == text.get_color()]
    return float(line.get_xdata()[0])


# ---- all of them


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("n", [10, 40])
def test_legible(everything: Any, legible: Any, name: str, n: int) -> None:
    calls = CALLS if n == 10 else CALLS | CALLS_40
    figure = calls[name](everything(n), return_fig=True)
    assert isinstance(figure, Figure)
    legible(figure)
    for text in figure.texts:  # titles over several panels
        box, page = text.get_window_extent(), figure.bbox
        assert page.x0 <= box.x0 <= box.x1 <= page.x1


@every_call
def test_nothing_of_the_object_changes(everything: Any, call: Any) -> None:
    adata = everything(10)
    before = adata.copy()
    call(adata)
    assert same(dict(adata.uns), dict(before.uns))
    assert same({k: np.array(v) for k, v in adata.varm.items()}, {k: np.array(v) for k, v in before.varm.items()})
    assert adata.var.equals(before.var)


@every_call
def test_other_styles(everything: Any, legible: Any, call: Any) -> None:
    with mpl.rc_context({"font.size": 22, "axes.grid": True, "figure.autolayout": True, "figure.figsize": (2, 2)}):
        figure = call(everything(10), return_fig=True)
        legible(figure)
        drawn = [ax for ax in figure.axes if ax.get_label() != "<colorbar>"]
        assert not any(line.get_visible() for ax in drawn for line in [*ax.get_xgridlines(), *ax.get_ygridlines()])


@every_call
def test_show(everything: Any, monkeypatch: pytest.MonkeyPatch, call: Any) -> None:
    shown: list[bool] = []
    monkeypatch.setattr(plt, "show", lambda: shown.append(True))
    adata = everything(10)
    assert not isinstance(call(adata, show=False), Figure)
    assert not shown
    assert isinstance(call(adata, show=True, return_fig=True), Figure)
    assert shown == [True]


@every_call
def test_saved_results_draw_the_same(everything: Any, tmp_path: Any, call: Any) -> None:
    made = everything(10)
    made.write_h5ad(tmp_path / "a.h5ad")
    pictures = []
    for adata in (made, ad.read_h5ad(tmp_path / "a.h5ad")):
        figure = call(adata, return_fig=True)
        figure.canvas.draw()
        pictures.append(np.asarray(figure.canvas.buffer_rgba()).copy())
    np.testing.assert_array_equal(*pictures)


@every_call
def test_no_such_result(everything: Any, call: Any) -> None:
    with pytest.raises(StorageError, match="there are: '(perturbation|interactions)'"):
        call(everything(10), key="other")


# ---- one condition


def test_observed_against_predicted(predicted: Any) -> None:
    adata = predicted(10)
    name = condition_names(10)[3]
    ax = sca.pl.perturbation(adata, condition="+".join(reversed(name.split("+"))))  # in any order
    assert isinstance(ax, Axes)
    control = adata.var["perturbation_control"].to_numpy()[:, None]
    x, y = ((adata.varm[f"perturbation{part}"] - control)[:, 3] for part in ("", "_observed"))
    drawn = np.vstack([group.get_offsets() for group in ax.collections])
    np.testing.assert_allclose(np.sort(drawn, axis=0), np.sort(np.column_stack([x, y]), axis=0), rtol=1e-5)
    assert ax.get_xlim() == ax.get_ylim()  # a timid prediction looks timid
    largest = set(adata.var_names[np.argsort(-np.abs(y))[:10]])
    targets = set(name.split("+"))
    assert set(texts(ax)) == (largest - targets) | {f"{g} (perturbed)" for g in targets}
    red = {t.get_text() for t in ax.texts if t.get_text() and t.get_color() != "#262626"}
    assert red == {f"{g} (perturbed)" for g in targets}
    bars = [line.get_data() for line in ax.lines if line.get_alpha()]
    assert len(bars) == len(largest | targets)
    for ends, height in bars:
        g = int(np.argmin(np.abs(y - height[0])))
        np.testing.assert_allclose(ends, [x[g] - 0.4, x[g] + 0.4], atol=1e-5)
    inside = 100 * (np.abs(y - x) <= 0.4).mean()
    assert ax.get_title().splitlines() == [
        name,
        "predicted by linear, without seeing it",
        f"intervals hold {inside:.1f} % of the genes (90 % requested)",
    ]


def test_names_hide_no_dot(predicted: Any) -> None:
    """Of those named, whose dots are the ones that matter."""
    figure = sca.pl.perturbation(predicted(10), condition=condition_names(10)[3], n_names=15, return_fig=True)
    figure.canvas.draw()
    (ax,) = figure.axes
    dots_at = ax.transData.transform(np.vstack([g.get_offsets() for g in ax.collections[1:]]))
    for text in ax.texts:
        if text.get_text():
            box = text.get_window_extent()
            assert not (((dots_at > [box.x0, box.y0]) & (dots_at < [box.x1, box.y1])).all(axis=1)).any()


def test_unmeasured_condition_is_a_row_a_gene(predicted: Any) -> None:
    adata = predicted(10)
    ax = sca.pl.perturbation(adata, condition=condition_names(10)[2], n_names=6)
    x = adata.varm["perturbation"][:, 2] - adata.var["perturbation_control"].to_numpy()
    rows = [name.removesuffix(" (perturbed)") for name in labels(ax)]
    assert set(np.abs(x).argsort()[-6:]) <= set(adata.var_names.get_indexer(rows))
    shown = x[adata.var_names.get_indexer(rows)]
    assert (np.diff(shown) <= 0).all()
    np.testing.assert_allclose(list(dots(ax).values()), shown, rtol=1e-5)
    for row, (low, high) in intervals(ax).items():
        np.testing.assert_allclose([low, high], [shown[row] - 0.4, shown[row] + 0.4], atol=1e-5)
    assert f"{condition_names(10)[2]} (perturbed)" in labels(ax)
    assert ax.get_xlabel() == "predicted change from the control, 90 % interval"
    assert "not measured" in ax.get_title()


def test_without_intervals_and_seen(predicted: Any) -> None:
    adata = predicted(10)
    adata.varm["perturbation_lower"][:] = -np.inf
    adata.uns["perturbation"]["held_out"][:] = False
    ax = sca.pl.perturbation(adata, condition=condition_names(10)[3])
    assert "fitted with this condition" in ax.get_title()
    assert "no intervals" in ax.get_title()
    other = sca.pl.perturbation(adata, condition=condition_names(10)[2])
    assert not intervals(other)
    assert "interval" not in other.get_xlabel()


def test_no_names(predicted: Any) -> None:
    assert not texts(sca.pl.perturbation(predicted(10), condition=condition_names(10)[3], n_names=0))


def test_refusals_of_one_condition(predicted: Any) -> None:
    adata = predicted(10)
    with pytest.raises(InputError, match="could not be predicted by linear: target STAT2.*Choose a condition"):
        sca.pl.perturbation(adata, condition=condition_names(10)[1])
    with pytest.raises(InputError, match="'CEBPF' was not predicted. Did you mean 'CEBPE'\\?"):
        sca.pl.perturbation(adata, condition="CEBPF")
    for wrong in (-1, 61, 2.0, True):
        with pytest.raises(InputError, match="n_names must be a whole number from 0 to 60"):
            sca.pl.perturbation(adata, condition="CEBPE", n_names=wrong)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="must be a matplotlib Axes"):
        sca.pl.perturbation(adata, condition=condition_names(10)[3], ax=3)  # type: ignore[arg-type]


# ---- scores


@pytest.mark.parametrize("n", [10, 40])
def test_leaderboard_shows_the_summary(predicted: Any, n: int) -> None:
    board = _board(n)
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
        mean, low, high, status = (board.summary[part][:, j] for part in ("mean", "low", "high", "status"))
        assert dots(ax) == {i: mean[i] for i in np.flatnonzero(np.isfinite(mean))}
        assert intervals(ax) == {i: (low[i], high[i]) for i in np.flatnonzero(np.isfinite(low))}
        said = {
            int(t.get_position()[1]): t.get_text() for t in ax.texts if t.get_text() in ("undefined", "not predicted")
        }
        assert said == {
            i: "undefined" if status[i] == "undefined" else "not predicted" for i in np.flatnonzero(~np.isfinite(mean))
        }
        assert 0.0 not in [x for i, x in dots(ax).items() if i in said]
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
    board = _board(10)
    n = int(board.summary["n_scored"][board.methods.index("additive"), 0])
    assert f"n={n}" in texts(axes["l2"])


def test_a_leaderboard_by_itself(predicted: Any) -> None:
    board = _board(10)
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
    said = " ".join(title.get_text().split())
    assert _board(10).verdict in said
    assert "held-out conditions of several targets" in said
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


@pytest.mark.parametrize("metric", ["l2", "pearson_delta"])
def test_errors_are_paired(predicted: Any, metric: str) -> None:
    board = _board(40)
    ax = sca.pl.perturbation_errors(predicted(40), metric=metric)
    j = board.metrics.index(metric)
    mean = board.summary["mean"][:, j]
    best = np.argsort(mean if metric == "l2" else -mean, kind="stable")  # NaN last
    assert labels(ax)[0] == labels(sca.pl.perturbation_errors(_board(40), metric=metric))[0]
    np.testing.assert_allclose(list(dots(ax).values()), mean[best][np.isfinite(mean[best])])
    values = board.values[metric][best][:, board.scored]
    some = np.flatnonzero(np.isfinite(values).any(axis=1))
    through = [line for line in ax.lines if len(line.get_xdata()) == len(some) and line.get_marker() == "None"]
    through = [line for line in through if list(line.get_ydata()) == list(some)]
    assert len(through) == board.n_scored
    np.testing.assert_array_equal(np.stack([line.get_xdata() for line in through]).T, values[some])
    said = {int(t.get_position()[1]): t.get_text() for t in ax.texts}
    absent = [labels(ax).index("absent")]
    assert said[absent[0]] == "not predicted"
    if metric == "pearson_delta":
        assert said[labels(ax).index("no change  (as the control)")] == "undefined"


def test_differences_are_to_a_baseline(predicted: Any) -> None:
    board = _board(10)
    ax = sca.pl.perturbation_errors(predicted(10))
    said = dict(zip(labels(ax), texts(ax), strict=True))
    found = board.difference("linear", "additive", "l2")
    assert said["linear"].splitlines()[1].startswith("minus additive: ")
    number = float(said["linear"].splitlines()[1].split(": ")[1].split("  ")[0].replace("−", "-"))
    assert number == pytest.approx(found.estimate, rel=0.01)
    assert len(said["additive  (sum of the singles)"].splitlines()) == 1


def test_sd_ratio_counts_genes(predicted: Any) -> None:
    board = _board(10)
    ax = sca.pl.sd_ratio(predicted(10))
    medians = {name: text.get_text() for name, text in zip(labels(ax), ax.texts, strict=False)}
    assert medians["linear"] == f"median {np.median(board.sd_ratios[board.methods.index('linear')]):.2f}"
    assert medians["no change  (as the control)"] == "median 0.00"
    assert medians["absent"] == "not predicted"
    assert [line.get_xdata()[0] for line in ax.lines if list(line.get_xdata()) == [1, 1]] == [1]
    linear = ax.patches[0].get_data()
    heights = 0.45 + 0 - linear.values
    counts = np.histogram(board.sd_ratios[board.methods.index("linear")], linear.edges)[0]
    np.testing.assert_allclose(heights / heights.max(), counts / counts.max())


def test_ratios_beyond_the_edge(predicted: Any) -> None:
    adata = predicted(10)
    ratios = adata.uns["perturbation"]["double"]["sd_ratios"]
    ratios[:] = np.clip(ratios, None, 2.0)
    ratios[0, :4] = 7.0
    assert "4 ratios above 3 stand at the edge" in sca.pl.sd_ratio(adata).get_title()


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


# ---- many conditions


def test_effects_show_the_changes(predicted: Any) -> None:
    adata = predicted(10)
    axes = sca.pl.effects(adata, n_genes=12)
    assert list(axes) == ["predicted", "observed"]
    names = labels(axes["predicted"])
    assert sorted(names) == sorted(condition_names(10))
    genes = [t.get_text() for t in axes["predicted"].get_xticklabels()]
    assert genes == [t.get_text() for t in axes["observed"].get_xticklabels()]
    control = adata.var["perturbation_control"]
    for part, name in (("", "predicted"), ("_observed", "observed")):
        table = pd.DataFrame(
            adata.varm[f"perturbation{part}"].T - control.to_numpy(), index=condition_names(10), columns=adata.var_names
        )
        image = axes[name].images[0]
        np.testing.assert_allclose(
            np.ma.filled(image.get_array(), np.nan), table.loc[names, genes], rtol=1e-5, atol=1e-6
        )
        low, high = image.get_clim()
        assert low == -high < 0  # no change is white
    assert axes["predicted"].images[0].get_clim() == axes["observed"].images[0].get_clim()


def test_empty_rows_say_why(predicted: Any) -> None:
    axes = sca.pl.effects(predicted(10), n_genes=40)
    assert texts(axes["predicted"]) == [REASON]
    assert texts(axes["observed"]) == ["not measured"]
    for ax, missing in ((axes["predicted"], condition_names(10)[1]), (axes["observed"], condition_names(10)[2])):
        (patch,) = ax.patches
        assert patch.get_hatch()
        row = labels(axes["predicted"]).index(missing)
        assert patch.get_y() == pytest.approx(row - 0.46)
        assert ax.texts[0].get_position()[1] == row


def test_a_long_reason_is_cut(predicted: Any, legible: Any) -> None:
    adata = predicted(10)
    adata.uns["perturbation"]["reason"][1] = "because " * 40
    figure = sca.pl.effects(adata, n_genes=3, return_fig=True)
    (text,) = texts(figure.axes[0])
    assert text.endswith("…")
    legible(figure)


def test_own_genes_are_not_the_reason_to_be_shown(predicted: Any) -> None:
    adata = predicted(10)
    names = condition_names(10)
    adata.varm["perturbation_observed"][adata.var_names.get_loc(names[0]), 0] = -30
    adata.varm["perturbation"][adata.var_names.get_loc(names[0])] = adata.var["perturbation_control"][names[0]]
    for i in range(1, 10):
        adata.varm["perturbation_observed"][adata.var_names.get_loc(names[0]), i] = adata.var["perturbation_control"][
            names[0]
        ]
    assert names[0] not in [t.get_text() for t in sca.pl.effects(adata, n_genes=10)["predicted"].get_xticklabels()]


def test_effects_of_some_conditions_and_ends(predicted: Any) -> None:
    adata = predicted(10)
    chosen = condition_names(10)[5:8]
    delta, lower = (sca.pl.effects(adata, conditions=chosen, layer=layer) for layer in ("delta", "lower"))
    assert sorted(labels(delta["predicted"])) == sorted(chosen)
    assert "lower end of the interval" in lower["predicted"].get_title().replace("\n", " ")
    adata.varm["perturbation_observed"][:] = np.nan
    assert list(sca.pl.effects(adata)) == ["predicted"]


def test_refusals_of_effects(predicted: Any) -> None:
    adata = predicted(10)
    with pytest.raises(InputError, match="layer must be one of 'delta', 'lower', 'upper'"):
        sca.pl.effects(adata, layer="X")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="n_genes must be a whole number from 1 to 200"):
        sca.pl.effects(adata, n_genes=0)
    with pytest.raises(InputError, match=r"conditions must be a list of names, such as \['CEBPE'\]"):
        sca.pl.effects(adata, conditions="CEBPE")
    with pytest.raises(InputError, match="'nobody' was not predicted"):
        sca.pl.effects(adata, conditions=["nobody"])
    adata.varm["perturbation_upper"][:] = np.inf
    adata.varm["perturbation_observed"][:] = np.nan
    with pytest.raises(InputError, match="none of the 10 conditions has a value.*layer='delta'"):
        sca.pl.effects(adata, layer="upper")


# ---- interactions


def test_interactions(interacting: Any) -> None:
    adata = interacting()
    axes = sca.pl.interactions(adata)
    assert sorted(axes) == ["classes", "curves"]
    curves = adata.uns["interactions"]["curves"]
    legend = [t.get_text() for t in axes["curves"].get_legend().get_texts()]
    assert legend[:2] == ["linear: 0.312", "no change  (as the control): 0.200"]
    assert legend[2].endswith(": not predicted")
    by_label = {line.get_label(): line for line in axes["curves"].lines}
    np.testing.assert_array_equal(by_label["linear: 0.312"].get_ydata(), curves["tpr"][1])
    assert by_label["no change  (as the control): 0.200"].is_dashed()
    assert upright(axes["curves"], "at random") == pytest.approx(0.9)
    assert [patch.get_width() for patch in axes["classes"].patches] == [60, 25, 0, 15]
    assert texts(axes["classes"]) == ["60  (6 %)", "25  (2.5 %)", "0  (0 %)", "15  (1.5 %)"]
    assert "100 interactions in 10 doubles" in axes["classes"].get_title()
    assert "false discovery rate at most 5 %" in axes["classes"].get_title()


def test_no_interaction(interacting: Any, legible: Any) -> None:
    figure = sca.pl.interactions(interacting(called=False), return_fig=True)
    assert "no interaction was detected" in texts(figure.axes[0])[0]
    assert "0 interactions" in figure.axes[1].get_title()
    legible(figure)


# ---- colours


def test_a_method_has_one_colour(predicted: Any) -> None:
    """In all pictures of scores, whatever the order of rows."""
    adata = predicted(10)
    name = "deep_model_of_the_at…at_is_much_too_long"

    def colour(ax: Axes, row: int) -> Any:
        return {int(line.get_ydata()[0]): line.get_markeredgecolor() for line in ax.lines if line.get_marker() == "o"}[
            row
        ]

    board, errors = sca.pl.leaderboard(adata)["l2"], sca.pl.perturbation_errors(adata)
    ratios = sca.pl.sd_ratio(adata)
    for method in (labels(board)[0], labels(board)[1]):
        found = [
            line
            for line in errors.lines
            if line.get_marker() == "o" and int(line.get_ydata()[0]) == labels(errors).index(method)
        ]
        assert found[0].get_color() == colour(board, labels(board).index(method))
    assert len(labels(board)[1]) == len(name)
    assert mpl.colors.to_hex(ratios.patches[0].get_facecolor()) == colour(board, 0)
