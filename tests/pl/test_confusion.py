"""What the picture of true types against predicted ones shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.metrics import confusion_matrix

import sc_annotate as sca
from sc_annotate._core.order import natural
from sc_annotate.errors import InputError, LabelError, StorageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from anndata import AnnData


def shown(ax: Axes) -> tuple[list[str], list[str], np.ndarray]:
    """Names of rows and columns, and the values behind the colours (NaN: no colour)."""
    rows = [t.get_text().rsplit("  (n=", 1)[0] for t in ax.get_yticklabels()]
    columns = [t.get_text() for t in ax.get_xticklabels()]
    return rows, columns, np.ma.filled(ax.images[0].get_array(), np.nan)


def texts(ax: Axes) -> dict[tuple[int, int], str]:
    return {(round(t.get_position()[1]), round(t.get_position()[0])): t.get_text() for t in ax.texts}


@pytest.mark.parametrize("normalize", ["true", None])
def test_equals_sklearn(annotated: AnnData, frozen: Any, legible: Any, normalize: Any) -> None:
    with frozen(annotated):
        ax = sca.pl.confusion(annotated, truth="truth", normalize=normalize)
    assert isinstance(ax, Axes)
    rows, columns, values = shown(ax)
    assert rows == columns
    assert set(rows) == set(annotated.obs["truth"].dropna()) | set(annotated.obs["annotation"][12:])
    known = annotated[12:].obs
    expected = confusion_matrix(known["truth"].astype(str), known["annotation"].astype(str), labels=rows)
    counts = expected.copy()
    if normalize == "true":
        with np.errstate(invalid="ignore"):
            expected = expected / expected.sum(axis=1, keepdims=True)
    else:
        expected = np.where(expected.sum(axis=1, keepdims=True) > 0, expected, np.nan)
    np.testing.assert_allclose(values, expected)
    form = "{:.2f}" if normalize == "true" else "{:,.0f}"
    assert texts(ax) == {(i, j): form.format(expected[i, j]) for i, j in np.argwhere(counts)}
    assert [t.get_text().rsplit("(n=", 1)[1] for t in ax.get_yticklabels()] == [f"{n:,})" for n in counts.sum(axis=1)]
    assert ax.get_title() == "annotation against truth, 288 cells\nleft out: 12 without a true type"
    legible(ax.figure)


def test_colour_is_the_share_from_none_to_all(annotated: AnnData) -> None:
    ax = sca.pl.confusion(annotated, truth="truth")
    assert ax.images[0].get_clim() == (0, 1)


def test_without_truth_the_stored_hold_out_is_drawn(annotated: AnnData, frozen: Any, legible: Any) -> None:
    with frozen(annotated):
        ax = sca.pl.confusion(annotated, normalize=None)
    baseline = annotated.uns["annotation"]["baseline"]
    rows, columns, values = shown(ax)
    order = [list(baseline["classes"]).index(name) for name in rows]
    assert rows == columns
    expected = np.zeros((len(order), len(order)))
    for true, predicted, n in baseline["confusion"].itertuples(index=False):
        expected[rows.index(true), rows.index(predicted)] = n
    assert sorted(order) == list(range(len(order)))
    np.testing.assert_array_equal(np.nan_to_num(values), expected)
    assert "held-out" in ax.get_title()
    assert baseline["split"] in ax.get_title()
    assert ax.get_ylabel() == "true type (held out)"
    legible(ax.figure)


def test_given_labels_are_no_calls(partly_given: AnnData) -> None:
    ax = sca.pl.confusion(partly_given, truth="cell_type", normalize=None)
    assert np.nansum(shown(ax)[2]) == 200
    assert ax.get_title().endswith("left out: 500 pre-labelled")


def test_types_that_only_one_side_has(annotated: AnnData) -> None:
    """They have a row and a column; the row of a type that no cell truly is has no colour."""
    annotated.obs["truth"] = annotated.obs["cell_type"].astype(str).replace({"CD19+ B": "B cells"})
    rows, columns, values = shown(sca.pl.confusion(annotated, truth="truth"))
    assert rows == columns
    assert {"B cells", "CD19+ B"} <= set(rows)
    assert np.isnan(values[rows.index("CD19+ B")]).all()
    assert np.isfinite(values[rows.index("B cells")]).all()


@pytest.mark.slow
def test_other_vocabulary(annotated: AnnData, legible: Any) -> None:
    """Where no name is shared, rows are the true and columns the predicted types."""
    annotated.obs["broad"] = annotated.obs["cell_type"].astype(str).str[:3]
    ax = sca.pl.confusion(annotated, truth="broad", normalize=None)
    rows, columns, values = shown(ax)
    assert set(rows) == set(annotated.obs["broad"])
    assert set(columns) == set(annotated.obs["annotation"])
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            both = (annotated.obs["broad"] == row) & (annotated.obs["annotation"].astype(str) == column)
            assert values[i, j] == both.sum()
    legible(ax.figure)


def test_numbers_of_clusters_match_in_whichever_type(annotated: AnnData) -> None:
    """Integers that a missing value has turned into floats still name the same clusters."""
    codes = annotated.obs["annotation"].cat.codes
    annotated.obs["annotation"] = codes.astype(str).astype("category")
    annotated.obs["number"] = codes.astype(float).where(np.arange(300) > 0)
    _, _, values = shown(sca.pl.confusion(annotated, truth="number"))
    np.testing.assert_array_equal(values[np.isfinite(values).all(axis=1)].max(axis=1), 1)
    assert np.trace(values) == len(values)


@pytest.mark.slow
def test_forty_types(forty: AnnData, frozen: Any, legible: Any) -> None:
    with frozen(forty):
        figure = sca.pl.confusion(forty, truth="truth", return_fig=True)
    assert isinstance(figure, Figure)
    ax = figure.axes[0]
    assert len(ax.get_yticklabels()) == 40
    assert not ax.texts
    assert not any(t.get_parse_math() for t in ax.get_yticklabels())
    legible(figure)


def test_draws_on_the_given_axes(annotated: AnnData) -> None:
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2)
    other = plt.figure()
    assert sca.pl.confusion(annotated, truth="truth", ax=right) is right
    assert sca.pl.confusion(annotated, truth="truth", ax=right, return_fig=True) is figure
    assert not left.images
    assert plt.gcf() is other


REFUSED: dict[str, tuple[Callable[[AnnData], Any], type[Exception], str]] = {
    "no such key": (lambda a: sca.pl.confusion(a, key="other"), StorageError, "no annotation 'other'.*'annotation'"),
    "no such truth": (
        lambda a: sca.pl.confusion(a, truth="celltype"),
        InputError,
        r"'celltype' \(truth\).*'cell_type'",
    ),
    "normalize": (lambda a: sca.pl.confusion(a, truth="truth", normalize="pred"), InputError, "'true'"),  # type: ignore[arg-type]
    "ax": (lambda a: sca.pl.confusion(a, truth="truth", ax="here"), InputError, "ax must be a matplotlib Axes"),  # type: ignore[arg-type]
}


@pytest.mark.parametrize(("call", "error", "message"), REFUSED.values(), ids=REFUSED)
def test_refusals(annotated: AnnData, call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call(annotated)


def test_refusals_of_what_is_stored(annotated: AnnData) -> None:
    annotated.obs["nothing"] = None
    with pytest.raises(LabelError, match="holds no true type"):
        sca.pl.confusion(annotated, truth="nothing")
    annotated.obs["early"] = annotated.obs["truth"].where(np.arange(300) < 12)
    with pytest.raises(LabelError, match="holds no true type"):
        sca.pl.confusion(annotated, truth="early")
    annotated.uns["annotation"]["baseline"]["confusion"] = np.zeros((2, 2), dtype=int)
    with pytest.raises(StorageError, match="no table of the pairs of its 10 types"):
        sca.pl.confusion(annotated)
    annotated.uns["annotation"]["baseline"] = {}
    with pytest.raises(StorageError, match="cv=0.*cv=1"):
        sca.pl.confusion(annotated)


def test_refuses_truth_of_given_cells_only(partly_given: AnnData) -> None:
    with pytest.raises(LabelError, match="500 pre-labelled, 200 without a true type"):
        sca.pl.confusion(partly_given, truth="known")


@pytest.mark.parametrize(
    ("key", "prediction", "column"),
    [
        ("annotation", "voted", "annotation_voted"),
        ("annotation", "annotation_voted", "annotation_voted"),
        ("layered", "rollup", "layered_rollup"),
        ("layered", "branch", "layered_branch"),
        ("layered", "layered", "layered"),
    ],
)
def test_other_predictions(drawable: AnnData, legible: Any, key: str, prediction: str, column: str) -> None:
    ax = sca.pl.confusion(drawable, key, truth="cell_type", prediction=prediction, normalize=None)
    expected = pd.crosstab(drawable.obs["cell_type"].astype(str), drawable.obs[column].astype(str))
    rows = [t.get_text().rpartition("  (n=")[0] for t in ax.get_yticklabels()]
    columns = [t.get_text() for t in ax.get_xticklabels()]
    drawn = pd.DataFrame(np.ma.filled(ax.images[0].get_array(), 0), index=rows, columns=columns)
    for name, row in expected.iterrows():
        np.testing.assert_array_equal(drawn.loc[name, row.index], row)
    part = prediction.removeprefix(f"{key}_") if prediction != key else "label"
    assert ax.get_xlabel() == f"predicted: {part}"
    legible(ax.figure)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"prediction": "voted"}, "needs truth"),
        (
            {"truth": "truth", "prediction": "confidence"},
            "prediction must be one of 'label', 'group', 'voted'.*not 'confidence'",
        ),
        ({"truth": "truth", "prediction": "status"}, "prediction must be one of"),
        ({"truth": "truth", "prediction": "rollup"}, r"Run sca\.tl\.rollup first"),
        ({"truth": "truth", "prediction": "agreed_rollup", "key": "agreed"}, r"Run sca\.tl\.rollup first"),
    ],
)
def test_predictions_that_are_not_there(drawable: AnnData, kwargs: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        sca.pl.confusion(drawable, **kwargs)


def test_types_stand_in_natural_order(annotated: AnnData) -> None:
    annotated.obs["annotation"] = pd.Categorical([f"type {i % 12 + 1}" for i in range(annotated.n_obs)])
    annotated.obs["same"] = annotated.obs["annotation"].astype(str)
    ax = sca.pl.confusion(annotated, truth="same")
    assert [t.get_text() for t in ax.get_xticklabels()] == [f"type {i}" for i in range(1, 13)]


@pytest.mark.parametrize("name", ["branch", "layered_branch"])
def test_levels_whose_metadata_was_lost(drawable: AnnData, name: str) -> None:
    both = ad.concat([drawable[:100], drawable[100:]])
    with pytest.raises(InputError, match=r"ad\.concat.*uns_merge='same'"):
        sca.pl.confusion(both, "layered", truth="cell_type", prediction=name)
    with pytest.raises(InputError, match=r"ad\.concat.*uns_merge='same'"):
        sca.pl.annotation(both, "layered", color="branch")
    kept = ad.concat([drawable[:100], drawable[100:]], uns_merge="same")
    assert sca.pl.confusion(kept, "layered", truth="cell_type", prediction=name)


def test_coarse_terms_of_a_roll_up_do_not_order_the_types(drawable: AnnData) -> None:
    """They hold cells of many types, which are not confused with one another for that."""
    types = drawable.obs["cell_type"].astype(str)
    rolled = np.where(np.arange(len(types)) % 3 == 0, "any type", types)
    drawable.obs["layered_rollup"] = pd.Categorical(rolled)
    ax = sca.pl.confusion(drawable, "layered", truth="cell_type", prediction="rollup")
    assert [t.get_text() for t in ax.get_xticklabels()] == [*natural(set(types)), "any type"]
