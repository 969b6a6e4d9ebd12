"""No argument of pretrain and embed is ignored: each changes the result, is validated, or is refused by name."""

from __future__ import annotations

import inspect
from functools import wraps
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import sc_annotate as sca
from argument_modes import Changes, Checked, Entry, Mode, Refused, cases, check_argument

if TYPE_CHECKING:
    from anndata import AnnData


@wraps(sca.tl.pretrain)
def trained(*args: Any, **kwargs: Any) -> None:
    """What is written, not the encoder that is returned, is compared."""
    sca.tl.pretrain(*args, **kwargs)


MATRIX: dict[str, Entry] = {
    "layer": Changes("shuffled"),
    "use_raw": Changes(True),
    "gene_symbols": Checked("none", "none"),
    "total_counts_key": Changes("depth"),
    "values": Checked("log1p", "values"),
}
PRETRAIN: dict[str, Entry] = {
    "adata": Checked(3, "must be an AnnData"),
    "objective": Checked("none", "no encoding method"),
    "augment": Checked("mask", "no views"),
    "objective_kwargs": Changes({"n_latent": 3}),
    "batch_key": Changes("batch"),
    "labels_key": Changes("cell_type"),
    "n_top_genes": Changes(30),
    "key_added": Changes("X_other"),
    **MATRIX,
    # Principal components of few genes are exact, whatever the seed.
    "rng": Checked(-1, "rng must be"),
}
VIEWS = {"objective": "simclr", "objective_kwargs": {"epochs": 1, "n_latent": 2, "hidden": (4,), "projector": (4,)}}
MODES = {
    "pretrain": Mode(trained, {"objective": "pca", "objective_kwargs": {"n_latent": 2}}, PRETRAIN),
    "pretrain, views": Mode(
        trained,
        VIEWS,
        PRETRAIN
        | {
            "augment": Changes({"mask": {"share": 0.9}}),
            "objective_kwargs": Changes(VIEWS["objective_kwargs"] | {"temperature": 0.1}),
            "rng": Changes(3),
        },
    ),
    "embed": Mode(
        sca.tl.embed,
        {},
        {
            "adata": Checked(3, "must be an AnnData"),
            "encoder": Checked(3, "encoder must be"),
            "batch_key": Refused("batch"),
            "min_overlap": Checked(2.0, "min_overlap"),
            "key_added": Changes("X_other"),
            **MATRIX,
        },
    ),
}
CASES = cases(MODES)


@pytest.fixture(scope="module")
def cells() -> AnnData:
    adata = sca.datasets.simulate_reference(60, 80, 3, n_batches=2, depth=500, rng=0)
    adata.layers["shuffled"] = adata.X[:, np.random.default_rng(1).permutation(adata.n_vars)]
    adata.raw = adata[:, ::-1].copy()
    adata.raw.X.data[::3] *= 2
    adata.obs["depth"] = np.arange(1.0, 61) * 100 + np.asarray(adata.X.sum(axis=1)).ravel()
    return adata


@pytest.fixture(scope="module")
def plain() -> dict[str, Any]:
    return {}


@pytest.mark.parametrize(("mode", "argument"), CASES, ids=[f"{mode}: {name}" for mode, name in CASES])
def test_no_argument_is_ignored(cells: AnnData, plain: dict[str, Any], mode: str, argument: str) -> None:
    if mode == "pretrain, views":
        pytest.importorskip("lightning")
    if mode == "embed":
        encoder = sca.tl.pretrain(cells.copy(), "pca", objective_kwargs={"n_latent": 2})
        MODES[mode].arguments["encoder"] = encoder
    check_argument(MODES, mode, argument, cells, plain)


def test_all_arguments_are_here() -> None:
    for mode in MODES.values():
        assert set(mode.entries) == set(inspect.signature(mode.call).parameters)
