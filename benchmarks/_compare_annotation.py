"""Calls about annotation whose results two trees have to share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
from _compare_calls import Calls

import sc_annotate as sca

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

METHODS = (
    "logreg", "linear_svm", "lda", "nearest_centroid", "correlation", "knn", "naive_bayes", "random_forest",
    "gradient_boosting", "mlp", "celltypist", "majority",
)  # fmt: skip
LINEAGE = {
    "CD4+/CD25 T Reg": "T/ILC", "CD4+/CD45RA+/CD25- Naive T": "T/ILC", "CD4+/CD45RO+ Memory": "T/ILC",
    "CD8+ Cytotoxic T": "T/ILC", "CD8+/CD45RA+ Naive Cytotoxic": "T/ILC", "CD56+ NK": "T/ILC", "CD19+ B": "lymphoid",
    "CD14+ Monocyte": "myeloid", "Dendritic": "myeloid", "CD34+": "blood",
}  # fmt: skip
TREE = LINEAGE | {"T/ILC": "lymphoid", "lymphoid": "blood", "myeloid": "blood"}
LISTS = {
    "B": ["CD79A", "CD79B", "MS4A1", "-CD3D"],
    "Monocyte/any": {"LYZ": 1.0, "S100A8": 2, "S100A9": 2.0, "CD14": 1, "CD79A": -1.0},
    "NK": ["GNLY", "NKG7", "PRF1", "KLRD1", "-CD3D"],
    "T": ["CD3D", "CD3E", "IL7R"],
}


def pbmc() -> tuple[AnnData, AnnData]:
    adata = sca.datasets.pbmc68k()
    if "louvain" not in adata.obs:
        adata.obs["louvain"] = [str(i % 5) for i in range(adata.n_obs)]
    adata.obs["lineage"] = adata.obs["cell_type"].astype(str).map(LINEAGE).astype("category")
    adata.obs["donor"] = np.array(["a", "b", "c"])[np.arange(adata.n_obs) % 3]
    return adata[:500].copy(), adata[500:].copy()


def kang(data: Path) -> tuple[AnnData, AnnData]:
    adata = ad.read_h5ad(data / "kang2018_pbmc_14k.h5ad")
    stim = (adata.obs["condition"] == "STIM").to_numpy()
    return adata[~stim].copy(), adata[stim].copy()


def every_method(calls: Calls, _: Path) -> None:
    reference, query = pbmc()
    for method in METHODS:
        calls.on(method, query, sca.tl.annotate, reference, "cell_type", method=method)


def several_methods(calls: Calls, _: Path) -> None:
    reference, query = pbmc()
    names = ["lda", "nearest_centroid", "knn"]
    calls.on("list", query, sca.tl.annotate, reference, "cell_type", method=names)
    one = query.copy()
    for name in names:
        calls(sca.tl.annotate, one, reference, "cell_type", method=name, cv=0, key_added=name)
    calls.on("consensus", one, sca.tl.consensus, names)
    calls.on("weighted", one, sca.tl.consensus, names, weights=[1, 2, 1], key_added="weighted")
    levels = ["lineage", "cell_type"]
    calls.on("list, levels", query, sca.tl.annotate, reference, levels, method=names[:2], cv=0, store_proba="topk")


def within_one(calls: Calls, _: Path) -> None:
    reference, query = pbmc()
    adata = ad.concat([reference, query], merge="same")
    labels = adata.obs["cell_type"].astype(str).to_numpy().astype(object)
    labels[500:] = np.nan
    adata.obs["known"] = labels
    calls.on("within", adata, sca.tl.annotate, labels_key="known", method="lda")
    calls.on("within, batches", adata, sca.tl.annotate, labels_key="known", method="logreg", batch_key="donor", cv=3)


def models(calls: Calls, _: Path) -> None:
    reference, query = pbmc()
    for method in ("logreg", "lda", "knn", "random_forest"):
        model = calls(sca.tl.fit_annotator, reference, "cell_type", method=method)
        calls.model(f"{method}/model", model)
        calls.on(method, query, sca.tl.annotate, model, coverage=0.8)
        if method == "random_forest":
            continue
        path = model.save(calls.folder / f"{method}.safetensors")
        calls.model(f"{method}/read", sca.load(path))
        calls.on(f"{method}, path", query, sca.tl.annotate, str(path), trust={"false_positive_rate": 0.2})
    model = calls(sca.tl.fit_annotator, reference, ["lineage", "cell_type"], batch_key="donor", cv=2)
    calls.model("levels/model", model)
    path = model.save(calls.folder / "levels.safetensors")
    calls.model("levels/read", sca.load(path))
    calls.on("levels", query, sca.tl.annotate, sca.load(path))


def trust(calls: Calls, _: Path) -> None:
    reference, query = pbmc()
    ways: dict[str, dict[str, Any]] = {
        "isotonic, aps": {"calibration": "isotonic", "set_score": "aps"},
        "venn_abers, raps": {"calibration": "venn_abers", "set_score": "raps"},
        "by label": {"sets_by": "label"},
        "clustered": {"sets_by": "clustered", "set_score": "aps"},
        "split": {"scheme": "split"},
        "off": {"calibration": None},
        "not unfamiliar": {"false_positive_rate": None},
        "many unfamiliar": {"false_positive_rate": 0.3},
        "split, clustered, raps": {"scheme": "split", "sets_by": "clustered", "set_score": "raps"},
    }
    for name, way in ways.items():
        calls.on(name, query, sca.tl.annotate, reference, "cell_type", method="lda", cv=0, trust=way)
    calls.on("coverage", query, sca.tl.annotate, reference, "cell_type", method="knn", cv=0, coverage=0.6)


def asked(calls: Calls, _: Path) -> None:
    reference, query = pbmc()
    calls.on("levels", query, sca.tl.annotate, reference, ["lineage", "cell_type"])
    calls.on("cv 5", query, sca.tl.annotate, reference, "cell_type", batch_key="donor", cv=3, method="nearest_centroid")
    few = {"n_top_genes": 100, "min_cells": 20, "max_cells": 300}
    calls.on("few", query, sca.tl.annotate, reference, "cell_type", method="lda", cv=5, **few)
    calls.on("topk", query, sca.tl.annotate, reference, "cell_type", method="lda", cv=0, store_proba="topk")
    calls.on("no proba", query, sca.tl.annotate, reference, "cell_type", method="lda", cv=0, store_proba=False)
    calls.on("use_rep", query, sca.tl.annotate, reference, "cell_type", method="knn", use_rep="pca")
    calls.on("seed", query, sca.tl.annotate, reference, "cell_type", method="mlp", rng=7, cv=0)
    params = {"priors": "uniform"}
    calls.on(
        "named", query, sca.tl.annotate, reference, "cell_type", method="lda", cv=0, key_added="x", method_kwargs=params
    )


def counts(calls: Calls, data: Path) -> None:
    reference, query = kang(data)
    how = {"method": "lda", "cv": 1}
    quality = {"check_quality": True}
    done = calls.on("kang", query, sca.tl.annotate, reference, "cell_type", trust=quality, **how)
    calls.on("kang/evidence", done, sca.tl.evidence, n_genes=5)
    query.layers["log"] = np.log1p(np.asarray(query.X.toarray()))
    calls.on("kang/layer", query, sca.tl.annotate, reference, "cell_type", method="naive_bayes", layer="log", cv=0)
    ifnb = ad.read_h5ad(data / "kang2018_pbmc_ifnb.h5ad")
    donors = ifnb.obs["batch"].astype(str).to_numpy()
    own = np.isin(donors, np.unique(donors)[:3])
    batches = {"batch_key": "batch", "cv": 5, "method": "logreg"}
    calls.on("ifnb", ifnb[~own].copy(), sca.tl.annotate, ifnb[own].copy(), "cell_type", **batches)


def technologies(calls: Calls, data: Path) -> None:
    adata = ad.read_h5ad(data / "pbmc_3tech.h5ad")
    batch = adata.obs["batch"].astype(str).to_numpy()
    last = batch == np.unique(batch)[-1]
    levels = ["cell_type_broad", "cell_type"]
    how = {"method": "nearest_centroid", "batch_key": "batch", "cv": 2, "min_cells": 5}
    calls.on("3tech", adata[last].copy(), sca.tl.annotate, adata[~last].copy(), levels, **how)


def after(calls: Calls, _: Path) -> None:
    reference, query = pbmc()
    calls(sca.tl.annotate, query, reference, "cell_type", method="logreg", cv=0)
    calls.on("evidence", query, sca.tl.evidence, n_genes=8)
    calls.on("evidence by group", query, sca.tl.evidence, groupby="donor", n_genes=3)
    calls.on("rollup probability", query, sca.tl.rollup, ontology=TREE, by="probability", coverage=0.85)
    calls.on("rollup set", query, sca.tl.rollup, ontology=TREE, by="set")
    calls.on("vote", query, sca.tl.vote, groupby="louvain")
    calls.on("vote, no guard", query, sca.tl.vote, groupby="louvain", guard=None, min_share=0.4)
    calls.on("mapped", query, sca.tl.map_labels, "cell_type", ontology=TREE, overrides={"CD34+": "myeloid"})
    knn = calls.on("knn", query, sca.tl.annotate, reference, "cell_type", method="knn", cv=0, key_added="knn")
    model = calls(sca.tl.fit_annotator, reference, "cell_type", method="knn", cv=0)
    calls.on("deleted genes", knn, sca.tl.evidence, "knn", model=model, max_cells=3, n_genes=3)


def markers(calls: Calls, _: Path) -> None:
    query = sca.datasets.pbmc68k()
    query.obs["group"] = query.obs["louvain"] if "louvain" in query.obs else query.obs["cell_type"]
    one = calls.on("markers", query, Calls.annotate_markers, LISTS)
    calls.on("markers by group", query, Calls.annotate_markers, LISTS, "group")
    calls.on("markers packaged", query, Calls.annotate_markers, "pbmc")
    calls.on("agree", one, sca.tl.markers_agree, markers=LISTS)
    calls.keep("lists", sca.datasets.marker_lists("pbmc"))


def celltypist(calls: Calls, data: Path) -> None:
    model = sca.tl.convert_celltypist(data / "models" / "stcat_T_cell.pkl", trust_pickle=True)
    calls.model("converted", model)
    query = ad.read_h5ad(data / "celltypist_sample_unlabelled.h5ad")[:200].copy()
    calls.on("named", query, sca.tl.annotate, model)
    path = model.save(calls.folder / "stcat.safetensors")
    calls.on("named, path", query, sca.tl.annotate, path)


def files(calls: Calls, _: Path) -> None:
    cells = sca.datasets.simulate_reference(900, 400, 5, n_batches=2, doublets=0.05, ambient=0.05, rng=3)
    reference, query = cells[:600].copy(), cells[600:].copy()
    paths = []
    for name, part in (("reference", reference), ("query", query)):
        paths.append(calls.folder / f"{name}.h5ad")
        part.write_h5ad(paths[-1])
    model = calls(sca.tl.fit_annotator, ad.read_h5ad(paths[0], backed="r"), "cell_type", method="lda", max_cells=None)
    calls.model("backed/model", model)
    backed = ad.read_h5ad(paths[1], backed="r")
    calls(sca.tl.annotate, backed, model)
    calls.added("backed", query, ad.AnnData(query.X, backed.obs, query.var, backed.uns, dict(backed.obsm)))
    backed.file.close()
    calls.on("memory", query, sca.tl.annotate, reference, "cell_type", method="naive_bayes", max_cells=None)


def inspected(calls: Calls, data: Path) -> None:
    for path in sorted(data.glob("*.h5ad")):
        if "wang2025" in path.name or "scmixology" in path.name:
            continue
        calls.keep(path.stem, sca.pp.inspect(ad.read_h5ad(path)[:400].copy()).to_dict())
    reference, _ = pbmc()
    calls.keep("pbmc68k", sca.pp.inspect(reference).to_dict())
    table = {"TNFRSF4": "OX40", "FYB": "FYB1", "CD3D": "CD3E"}
    renamed = sca.pp.map_genes(reference, table)
    calls.keep(
        "renamed", {"table": sca.get.gene_mapping(renamed), "var": np.asarray(renamed.var_names), "X": renamed.X}
    )
    calls.keep("first", sca.get.gene_mapping(sca.pp.map_genes(reference, table, merge="first")))


def compared(calls: Calls, data: Path) -> None:
    ifnb = ad.read_h5ad(data / "kang2018_pbmc_ifnb.h5ad")
    names = ["lda", "nearest_centroid", "majority"]
    calls.keep("ifnb", calls(sca.benchmark.annotators, ifnb, "cell_type", methods=names, batch_key="batch"))
    calls.keep("methods", sca.tl.methods()[["saves"]])


CASES = {
    f.__name__: f
    for f in (
        every_method, several_methods, within_one, models, trust, asked, counts, technologies, after, markers,
        celltypist, files, inspected, compared,
    )
}  # fmt: skip
