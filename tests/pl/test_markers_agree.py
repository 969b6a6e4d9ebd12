"""What the picture of markers against labels shows."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

import sc_annotate as sca
from sc_annotate._core.order import natural_key
from sc_annotate.errors import StorageError

if TYPE_CHECKING:
    from anndata import AnnData


def compared(adata: AnnData, k: int) -> AnnData:
    """A comparison of labels with marker lists, with every third label contradicted."""
    rng = np.random.default_rng(0)
    labels = [str(c) for c in adata.obs["annotation"].cat.categories][: k - 1]
    lists = sorted(f"list of {c}" for c in adata.uns["annotation"]["classes"])[:k]
    own = [lists.index(f"list of {c}") for c in labels]
    scores = rng.normal(size=(len(labels), len(lists)))
    rows = []
    for i, label in enumerate(labels):
        bad = i % 3 == 1
        rival = (own[i] + 2) % len(lists)
        scores[i, own[i]], scores[i, rival] = (0.2, 4) if bad else (5, 1)
        rows.append(
            {
                "type": label,
                "group": "",
                "n_cells": int((adata.obs["annotation"] == label).sum()),
                "rival": lists[rival],
                "agreement": "contradict" if bad else "silent" if i % 3 == 2 else "agree",
            }
        )
        rows.append({**rows[-1], "group": "g1", "agreement": "contradict"})
    adata.uns["annotation"]["markers_agree"] = {
        "table": pd.DataFrame(rows, index=[str(i) for i in range(len(rows))]),
        "labels": np.array(labels, dtype=object),
        "list_of_label": np.array([lists[j] for j in own], dtype=object),
        "lists": np.array(lists, dtype=object),
        "scores": scores,
        "unmatched": np.array(["one/other"], dtype=object),
    }
    return adata


@pytest.mark.slow
@pytest.mark.parametrize("k", [10, 40])
def test_fields_frames_and_crosses(trusted: Any, frozen: Any, legible: Any, k: int) -> None:
    adata = compared(trusted(k), k)
    found = adata.uns["annotation"]["markers_agree"]
    with frozen(adata):
        ax = sca.pl.markers_agree(adata)
    table = found["table"][found["table"]["group"] == ""].set_index("type")
    shown = np.asarray(ax.images[0].get_array())
    x = [t.get_text() for t in ax.get_xticklabels()]
    assert len(set(x)) == len(found["lists"])
    # Lists of the labels come first, in the order of the rows: frames run along the diagonal.
    frames = [(round(p.get_x() + 0.5), round(p.get_y() + 0.5)) for p in ax.patches]
    assert frames == [(i, i) for i in range(len(found["labels"]))]
    own = dict(zip(found["labels"], found["list_of_label"], strict=True))
    order = sorted(found["labels"], key=lambda label: (natural_key(own[label]), natural_key(label)))
    position = {label: i for i, label in enumerate(found["labels"])}
    for i, label in enumerate(order):
        j = list(found["lists"]).index(own[label])
        assert shown[i, i] == found["scores"][position[label], j]
    crosses = [line for line in ax.lines if line.get_marker() == "x"]
    bad = table[table["agreement"] == "contradict"]
    assert len(crosses) == len(bad) > 2
    for line in crosses:
        (cx,), (cy,) = line.get_xdata(), line.get_ydata()
        assert shown[int(cy), int(cx)] == 4
    red = [t.get_text() for t in ax.get_yticklabels() if t.get_text().startswith("× ")]
    assert len(red) == len(bad)
    assert f"{len(bad)} of {len(order)} labels contradicted" in ax.get_title()
    assert "without a list: one/other" in ax.get_title()
    legible(ax.figure)
    adata.uns["annotation"]["markers_agree"]["unmatched"] = np.array([f"type, {i}" for i in range(3)])
    assert "without a list: type, 0; type, 1; type, 2" in sca.pl.markers_agree(adata).get_title().replace("\n", " ")
    adata.uns["annotation"]["markers_agree"]["unmatched"] = np.array([f"type, {i}" for i in range(4)])
    assert sca.pl.markers_agree(adata).get_title().endswith("4 more labels without a list")


def test_calls_have_their_colours(trusted: Any) -> None:
    adata = compared(trusted(10), 10)
    categories = [str(c) for c in adata.obs["annotation"].cat.categories]
    adata.uns["annotation_colors"] = [f"#0000{i:02x}" for i in range(10, 10 + len(categories))]
    ax = sca.pl.markers_agree(adata)
    (points,) = ax.collections
    own = dict(zip(categories, adata.uns["annotation_colors"], strict=True))
    found = adata.uns["annotation"]["markers_agree"]
    lists = list(found["lists"])
    order = sorted(
        zip(found["labels"], found["list_of_label"], strict=True), key=lambda pair: (lists.index(pair[1]), pair[0])
    )
    assert [to_hex(c) for c in points.get_facecolors()] == [own[label] for label, _ in order]


def test_without_a_comparison(annotated: AnnData) -> None:
    with pytest.raises(StorageError, match="markers_agree"):
        sca.pl.markers_agree(annotated)


# Found, not imported: importing it changes matplotlib's settings, which the function itself has to prevent.
@pytest.mark.skipif(find_spec("decoupler") is None, reason="markers are scored by decoupler 2")
def test_real_lists(annotated: AnnData, frozen: Any, legible: Any) -> None:
    sca.tl.markers_agree(
        annotated, markers="pbmc", types={"CD19+ B": "B cell", "CD56+ NK": "natural killer cell", "Dendritic": "B cell"}
    )
    with frozen(annotated):
        figure = sca.pl.markers_agree(annotated, return_fig=True)
    names = [t.get_text() for t in figure.axes[0].get_yticklabels()]
    assert [n.startswith("× Dendritic") for n in names].count(True) == 1
    legible(figure)
