"""Calls about perturbations whose results two trees have to share."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd

import sc_annotate as sca

if TYPE_CHECKING:
    from pathlib import Path

    from _compare_calls import Calls
    from anndata import AnnData

METHODS = ("no_change", "mean", "additive", "latent_additive", "matching_mean", "linear", "knn")


def simulated(**given: Any) -> AnnData:
    return sca.datasets.simulate_perturb_seq(2500, 150, 14, 8, interactions=0.2, n_batches=2, rng=1, **given)


def predicted(calls: Calls, label: str, adata: AnnData, **given: Any) -> AnnData:
    done = calls.on(label, adata, sca.tl.predict_perturbation, **given)
    calls.keep(f"{label}/leaderboard", sca.get.leaderboard(done))
    calls.keep(f"{label}/perturbation", sca.get.perturbation(done))
    return done


def every_predictor(calls: Calls, _: Path) -> None:
    profiles = sca.pp.perturbation_profiles(simulated())
    calls.keep("profiles", profiles)
    for method in METHODS:
        predicted(calls, method, profiles, method=method)
    sets = {f"set{i}": list(profiles.var_names[i * 7 : i * 7 + 12]) for i in range(20)}
    path = calls.folder / "sets.gmt"
    path.write_text("\n".join("\t".join([name, "made up", *genes]) for name, genes in sets.items()), encoding="utf-8")
    predicted(calls, "ridge", profiles, method="ridge", method_kwargs={"gene_sets": str(path)})
    predicted(
        calls, "tuned", profiles, method="linear", method_kwargs={"tune": True}, n_folds=4, n_top=60, coverage=0.7
    )
    doubles = [name for name in profiles.obs_names if "+" in name][:3]
    singles = [name for name in profiles.obs_names if "+" not in name and name != "control"]
    asked = [*doubles, f"{singles[0]}+{singles[5]}", "unheard-of"]
    predicted(calls, "doubles", profiles, method="additive", conditions=asked)
    calls.keep("predictable", sca.pp.predictable(profiles, method="knn"))
    calls.keep("embedding", sca.pp.perturbation_embedding(profiles, 4))
    other = sca.pp.perturbation_profiles(sca.datasets.simulate_perturb_seq(2000, 150, 14, 0, gene_noise=0.2, rng=1))
    embedding = sca.pp.perturbation_embedding(other, 4)
    predicted(calls, "embedded", profiles, method="knn", method_kwargs={"perturbation_embedding": embedding})
    calls.keep("parsed", sca.pp.parse_conditions(list(profiles.obs_names), control="control"))


def contexts(calls: Calls, _: Path) -> None:
    cells = simulated(second_line=True)
    context = next(c for c in cells.obs if c not in ("perturbation", "batch") and cells.obs[c].nunique() == 2)
    by = {"covariate_keys": [context]}
    profiles = calls(sca.pp.perturbation_profiles, cells, **by)
    calls.keep("profiles", profiles)
    predicted(calls, "linear", profiles, method="linear", **by)
    predicted(calls, "transfer", profiles, method="transfer", **by)
    predicted(calls, "cells", cells, method="mean", replicate_key="batch", min_cells=20, **by)
    lines = [profiles[(profiles.obs[context] == v).to_numpy()] for v in pd.unique(cells.obs[context])]
    one = cells[(cells.obs[context] == lines[0].obs[context].iloc[0]).to_numpy()].copy()
    two = cells[(cells.obs[context] == lines[1].obs[context].iloc[0]).to_numpy()].copy()
    source = sca.pp.perturbation_profiles(two)
    predicted(calls, "from another", one, method="transfer", method_kwargs={"source": source})


def interactions(calls: Calls, _: Path) -> None:
    profiles = sca.pp.perturbation_profiles(simulated())
    guess = profiles.to_df().drop(index="control") + 0.05
    calls.on("plain", profiles, sca.tl.genetic_interactions, predictions={"near": guess})
    local = {"select_by": "local_fdr", "fdr": 0.1, "n_top": 80, "standardise": False}
    calls.on("local", profiles, sca.tl.genetic_interactions, **local)
    half = guess * 0.9
    board = calls(sca.tl.evaluate_perturbation, profiles, {"guess": guess, "half": half}, n_boot=200)
    calls.keep("board", board.to_dict())
    calls.keep("board/table", board.table())
    frame = profiles.to_df()
    how = {"control": "control", "n_boot": 100, "n_top": None, "training": list(frame.index[1:10])}
    calls.keep("frame", calls(sca.tl.evaluate_perturbation, frame, {"guess": guess}, **how).to_dict())


def real_screen(calls: Calls, data: Path) -> None:
    cells = ad.read_h5ad(data / "papalexi2021_thp1.h5ad")
    rng = np.random.default_rng(0)
    cells = cells[np.sort(rng.choice(cells.n_obs, 8000, replace=False))].copy()
    how = {"total_counts_key": "response_n_umis", "replicate_key": "batch"}
    calls.keep("profiles", calls(sca.pp.perturbation_profiles, cells, guide_key="guide", **how))
    if find_spec("pertpy"):
        mixscape = {"efficacy": "mixscape", "drop_nonresponding": True}
        calls.keep("mixscape", calls(sca.pp.perturbation_profiles, cells, **mixscape, **how))
    profiles = calls(sca.pp.perturbation_profiles, cells, **how)
    predicted(calls, "linear", profiles, method="linear")
    predicted(calls, "knn", cells, method="knn", baseline="mean", **how)
    calls.keep("predictable", sca.pp.predictable(profiles))


def fold_changes(calls: Calls, data: Path) -> None:
    table = ad.read_h5ad(data / "wang2025_macrophage_crispri_lfc.h5ad")
    table = table[:40, :1500].copy()
    profiles = sca.pp.profiles_from_lfc(table, "perturbation")
    calls.keep("profiles", profiles)
    predicted(calls, "linear", profiles, method="linear", n_folds=4)


CASES = {f.__name__: f for f in (every_predictor, contexts, interactions, real_screen, fold_changes)}
