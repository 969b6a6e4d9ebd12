"""No argument of a plot is ignored: it changes the picture, or it is refused by name."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

import sc_annotate as sca
from made_predictions import condition_names, made_board
from sc_annotate._core.arguments import value_of
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

PERTURBED = ("effects", "interactions", "leaderboard", "perturbation", "perturbation_errors", "sd_ratio")
SHARED_FIRST, SHARED_LAST = ["adata", "key"], ["ax", "show", "save", "return_fig"]
CONDITION, UNMEASURED = condition_names(10)[3], condition_names(10)[2]

# Arguments without which the plot cannot be drawn, or is drawn of another result than "annotation".
NEEDED: dict[str, dict[str, Any]] = {
    "consensus": {"key": "agreed"},
    "levels": {"key": "layered"},
    "ontology": {"key": "layered"},
    "perturbation": {"condition": CONDITION},
}

# For each argument of its own, pairs of calls that must give different pictures: in every mode, where there are modes.
HONOURED: dict[tuple[str, str], list[tuple[dict[str, Any], dict[str, Any]]]] = {
    ("annotation", "basis"): [({}, {"basis": "pca"})],
    ("annotation", "color"): [({}, {"color": "status"})],
    ("annotation", "size"): [({}, {"size": 3.0})],
    ("annotation", "legend_loc"): [({}, {"legend_loc": "on data"}), ({}, {"legend_loc": None})],
    ("annotation", "shade"): [({}, {"shade": "confidence"}), ({}, {"shade": "status"})],
    ("attention", "groups"): [({}, {"groups": ["Dendritic", "CD19+ B"]})],
    ("attention", "n_genes"): [({}, {"n_genes": 1})],
    ("attention", "gene_symbols"): [({}, {"gene_symbols": "other"})],
    ("attention", "mito_ribo"): [({}, {"mito_ribo": True})],
    ("confusion", "truth"): [({}, {"truth": "truth"})],
    ("confusion", "prediction"): [({"truth": "truth"}, {"truth": "truth", "prediction": "voted"})],
    ("confusion", "normalize"): [
        ({}, {"normalize": None}),
        ({"truth": "truth"}, {"truth": "truth", "normalize": None}),
    ],
    ("dotplot", "groups"): [({}, {"groups": ["Dendritic", "CD19+ B"]})],
    ("dotplot", "n_genes"): [({}, {"n_genes": 1})],
    ("dotplot", "gene_symbols"): [({}, {"gene_symbols": "other"})],
    ("dotplot", "mito_ribo"): [({"n_genes": 9}, {"n_genes": 9, "mito_ribo": True})],
    ("effects", "layer"): [({}, {"layer": "lower"})],
    ("effects", "n_genes"): [({}, {"n_genes": 5})],
    ("effects", "conditions"): [({}, {"conditions": condition_names(10)[3:7]})],
    ("evidence", "style"): [({}, {"style": "bars"})],
    ("evidence", "groups"): [
        ({"style": s}, {"style": s, "groups": ["Dendritic", "CD19+ B"]}) for s in ("dots", "bars")
    ],
    ("evidence", "n_genes"): [({"style": s}, {"style": s, "n_genes": 2}) for s in ("dots", "bars")],
    ("evidence", "gene_symbols"): [({"style": s}, {"style": s, "gene_symbols": "other"}) for s in ("dots", "bars")],
    ("evidence", "mito_ribo"): [({"style": s}, {"style": s, "mito_ribo": True}) for s in ("dots", "bars")],
    ("leaderboard", "kind"): [({}, {"kind": "single"})],
    ("leaderboard", "metrics"): [({}, {"metrics": ["l2"]})],
    ("methods", "metric"): [({}, {"metric": "accuracy"})],
    ("ontology", "groupby"): [({}, {"groupby": "truth", "group": "CD19+ B"})],
    ("ontology", "group"): [({"groupby": "truth", "group": "Dendritic"}, {"groupby": "truth", "group": "CD19+ B"})],
    ("ontology", "cell"): [({}, {"cell": "first"})],
    ("perturbation", "condition"): [({}, {"condition": UNMEASURED})],
    ("perturbation", "n_names"): [({"condition": c}, {"condition": c, "n_names": 3}) for c in (CONDITION, UNMEASURED)],
    ("perturbation_errors", "kind"): [({}, {"kind": "single"})],
    ("perturbation_errors", "metric"): [({}, {"metric": "pearson_delta"})],
    ("probabilities", "groupby"): [({}, {"groupby": "truth"})],
    ("probabilities", "max_cells"): [({}, {"max_cells": 20})],
    ("sd_ratio", "kind"): [({}, {"kind": "single"})],
    ("status", "basis"): [({}, {"basis": "pca"})],
    ("status", "size"): [({}, {"size": 3.0})],
    ("unfamiliarity", "groupby"): [({}, {"groupby": "truth"})],
}

# Combinations that are refused, also where the value is the default.
REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("probabilities", {"groupby": "truth", "max_cells": 2_000}, "max_cells=2000"),
    ("confusion", {"prediction": "voted"}, "prediction='voted' needs truth"),
    ("annotation", {"color": "confidence", "shade": "status"}, "shade='status'"),
    ("annotation", {"color": "confidence", "legend_loc": None}, "legend_loc=None"),
    ("ontology", {"groupby": "truth"}, "both groupby and group"),
    ("ontology", {"group": "CD19+ B"}, "both groupby and group"),
    ("ontology", {"groupby": "truth", "group": "CD19+ B", "cell": "first"}, "or a cell"),
    ("perturbation", {"condition": UNMEASURED, "n_names": 0}, "n_names=0"),
    ("methods", {"adata": "table", "key": "annotation"}, "key='annotation'"),
    *(
        (name, {"adata": "board", "key": "perturbation"}, "key='perturbation'")
        for name in PERTURBED[2::2]
        if name != "perturbation"
    ),
    *(
        (name, {"adata": "board", "kind": "double"}, "kind='double'")
        for name in ("leaderboard", "perturbation_errors", "sd_ratio")
    ),
]


def own_parameters(name: str) -> list[str]:
    names = list(inspect.signature(getattr(sca.pl, name)).parameters)
    return names[len(SHARED_FIRST) : -len(SHARED_LAST)]


@pytest.fixture
def objects(drawable: AnnData, everything: Any) -> dict[str, AnnData]:
    adata = everything(10)
    # Scores of both kinds, which differ.
    adata.uns["perturbation"]["single"] = made_board(40).to_dict()
    drawable.obsm["X_pca"] = np.asarray(drawable.obsm["X_umap"])[:, ::-1] ** 2
    drawable.var["other"] = [f"name {gene}" for gene in drawable.var_names]
    return {name: adata if name in PERTURBED else drawable for name in sca.pl.__all__}


def call(objects: dict[str, AnnData], name: str, arguments: dict[str, Any]) -> Any:
    adata: Any = objects[name]
    arguments = NEEDED.get(name, {}) | arguments
    if arguments.get("cell") == "first":
        arguments |= {"cell": adata.obs_names[0]}
    replaced = arguments.pop("adata", None)
    if replaced == "table":
        adata = pd.DataFrame({"method": ["a"], "macro_f1": [0.5]})
    elif replaced == "board":
        adata = made_board(10)
    return getattr(sca.pl, name)(adata, **arguments)


def picture(objects: dict[str, AnnData], name: str, arguments: dict[str, Any]) -> bytes:
    figure = call(objects, name, arguments | {"return_fig": True})
    figure.set_dpi(40)
    figure.canvas.draw()
    drawn = bytes(figure.canvas.buffer_rgba())
    plt.close(figure)
    return drawn


@pytest.mark.parametrize("name", sca.pl.__all__)
def test_signature(name: str) -> None:
    parameters = inspect.signature(getattr(sca.pl, name)).parameters
    assert list(parameters)[:2] == SHARED_FIRST
    assert list(parameters)[-4:] == SHARED_LAST
    kinds = [parameter.kind for parameter in parameters.values()]
    assert set(kinds[:2]) == {inspect.Parameter.POSITIONAL_OR_KEYWORD}
    assert set(kinds[2:]) == {inspect.Parameter.KEYWORD_ONLY}
    for word in parameters:
        assert word in (getattr(sca.pl, name).__doc__ or ""), f"{word} is not documented"


@pytest.mark.parametrize(("name", "parameter"), [(f, p) for f in sca.pl.__all__ for p in own_parameters(f)])
def test_every_argument_changes_the_picture(objects: dict[str, AnnData], name: str, parameter: str) -> None:
    pairs = HONOURED.get((name, parameter))
    assert pairs, f"say in HONOURED how {parameter} changes sca.pl.{name}"
    for without, with_it in pairs:
        assert picture(objects, name, without) != picture(objects, name, with_it)


def test_no_entry_is_left_over() -> None:
    assert set(HONOURED) == {(f, p) for f in sca.pl.__all__ for p in own_parameters(f)}


@pytest.mark.parametrize(("name", "arguments", "match"), REFUSED)
def test_what_cannot_be_honoured_is_refused(
    objects: dict[str, AnnData], name: str, arguments: dict[str, Any], match: str
) -> None:
    with pytest.raises(InputError, match=match):
        call(objects, name, arguments)


@pytest.mark.parametrize("name", sca.pl.__all__)
def test_axes_are_drawn_on_or_refused(objects: dict[str, AnnData], name: str) -> None:
    drawn = call(objects, name, {})
    n = len(drawn) if isinstance(drawn, dict) else 1
    axes = plt.subplots(1, n, squeeze=False)[1].ravel()
    found = call(objects, name, {"ax": list(axes) if n > 1 else axes[0]})
    assert list(found.values() if isinstance(found, dict) else [found]) == list(axes)
    with pytest.raises(InputError, match="ax must be"):
        call(objects, name, {"ax": list(plt.subplots(1, n + 1)[1])})
    with pytest.raises(InputError, match="ax must be"):
        call(objects, name, {"ax": 3})


@pytest.mark.parametrize("name", sca.pl.__all__)
def test_the_key_may_stand_second(objects: dict[str, AnnData], name: str) -> None:
    arguments = NEEDED.get(name, {})
    usual = inspect.signature(getattr(sca.pl, name)).parameters["key"].default
    key = arguments.get("key", str(value_of(usual)))
    rest = {word: value for word, value in arguments.items() if word != "key"}
    assert getattr(sca.pl, name)(objects[name], key, **rest)
    with pytest.raises(InputError, match="'no_such_result'"):
        getattr(sca.pl, name)(objects[name], "no_such_result", **rest)


@pytest.mark.parametrize("name", sca.pl.__all__)
def test_every_picture_can_be_written(objects: dict[str, AnnData], name: str, tmp_path: Path) -> None:
    path = tmp_path / "picture.svg"
    path.write_text("overwritten")
    drawn = call(objects, name, {"save": path, "show": False})
    assert "</svg>" in path.read_text()
    assert not isinstance(drawn, plt.Figure)
    plt.close("all")
    with pytest.raises(InputError, match="no folder"):
        call(objects, name, {"save": tmp_path / "absent" / "a.png"})
    # Refused before anything was drawn.
    assert not plt.get_fignums()
