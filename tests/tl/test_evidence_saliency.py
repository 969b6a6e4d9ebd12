"""Evidence of networks: its kinds, whether deleting it matters, and attention."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pytest

import sc_annotate as sca
from comparing import same
from sc_annotate._data.read import prepare
from sc_annotate.annotation.evidence.coefficients import evidence_model
from sc_annotate.annotation.evidence.reread import open_again
from sc_annotate.errors import InputError

pytest.importorskip("torch")
pytest.importorskip("lightning")
pytest.importorskip("captum")

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

    from sc_annotate.tl import AnnotationModel

KINDS = ("integrated_gradients", "input_x_gradient", "attention_x_value", "attention")
SMALL: dict[str, Any] = {"epochs": 12, "rank": 16, "feed_forward": 32, "learning_rate": 3e-3}


def fitted(reference: AnnData, method: str, **kwargs: Any) -> AnnotationModel:
    return sca.tl.fit_annotator(
        reference, "cell_type", method=method, method_kwargs=kwargs or None, cv=0, trust=None, min_cells=2
    )


@pytest.fixture(scope="module", name="_labelled")
def _made() -> tuple[AnnData, AnnotationModel]:
    adata = sca.datasets.simulate_reference(400, 120, 4, rng=0)
    model = fitted(adata[:250].copy(), "nact", **SMALL)
    query = adata[250:].copy()
    sca.tl.annotate(query, model)
    return query, model


@pytest.fixture
def labelled(_labelled: tuple[AnnData, AnnotationModel]) -> tuple[AnnData, AnnotationModel]:
    return _labelled[0].copy(), _labelled[1]


def test_kinds_differ_and_are_recorded(labelled: tuple[AnnData, AnnotationModel]) -> None:
    query, model = labelled
    found = {}
    for kind in KINDS:
        sca.tl.evidence(query, model=model, saliency=kind)
        entry = query.uns["annotation"]["evidence"]
        assert entry["saliency"] == kind
        assert entry["unit"] == {"attention": "attention", "attention_x_value": "attention times value"}.get(
            kind, "log-odds"
        )
        found[kind] = sca.get.evidence(query)
        title = sca.pl.evidence(query, show=False).get_title().replace("\n", " ")
        assert entry["how"] in title
        assert f"confidence {entry['faithfulness']['before']:.2f}" in title
    assert not (found["attention"]["direction"] == "against").any()
    for one, other in zip(KINDS, KINDS[1:], strict=False):
        assert not found[one].equals(found[other])
    sca.tl.evidence(query, model=model)
    assert sca.get.evidence(query).equals(found["integrated_gradients"])


def test_values_are_those_of_the_network(labelled: tuple[AnnData, AnnotationModel]) -> None:
    query, model = labelled
    X = np.random.default_rng(0).gamma(1.0, size=(7, 120)).astype(np.float32)
    X[:, ::3] = 0
    alpha = model.annotator.gene_attention(X)
    np.testing.assert_allclose(alpha.sum(axis=1), 1, atol=1e-5)
    codes = np.zeros(7, dtype=np.intp)
    found = {kind: model.annotator.gene_evidence(X, codes, saliency=kind) for kind in KINDS}
    np.testing.assert_allclose(found["attention"], np.where(X != 0, alpha, 0))
    scale = model.annotator.networks_[0].scale
    scaled = np.minimum(X * scale.factor.numpy(), model.annotator.clip)
    np.testing.assert_allclose(found["attention_x_value"], alpha * scaled * 120, rtol=1e-4, atol=1e-6)
    for values in found.values():
        assert not values[X == 0].any()
    with pytest.raises(InputError, match="saliency must be .*'attention', not 'shap'"):
        model.annotator.gene_evidence(X, codes, saliency="shap")


def test_the_default_is_the_most_faithful_kind_of_the_method(labelled: tuple[AnnData, AnnotationModel]) -> None:
    query = labelled[0]
    model = fitted(query.copy(), "mlp_torch", epochs=2, hidden=8)
    sca.tl.annotate(query, model, key_added="plain")
    sca.tl.evidence(query, "plain", model=model)
    entry = query.uns["plain"]["evidence"]
    assert entry["saliency"] == "input_x_gradient"
    assert "attention" not in entry
    with pytest.raises(
        InputError, match="saliency must be 'input_x_gradient' or 'integrated_gradients', not 'attention'"
    ):
        sca.tl.evidence(query, "plain", model=model, saliency="attention")


def test_other_kinds_are_refused(labelled: tuple[AnnData, AnnotationModel]) -> None:
    query, model = labelled
    before = query.copy()
    with pytest.raises(InputError, match="saliency must be 'integrated_gradients', .*not 'occlusion'"):
        sca.tl.evidence(query, model=model, saliency="occlusion")
    assert same(dict(before.uns), dict(query.uns))
    other = query.copy()
    sca.tl.annotate(other, other.copy(), "cell_type", method="logreg", cv=0, trust=None, key_added="linear")
    with pytest.raises(InputError, match="'logreg' has one kind of evidence alone, slope of the log-odds times value"):
        sca.tl.evidence(other, "linear", saliency="attention")


def test_attention_is_kept_beside_any_kind(labelled: tuple[AnnData, AnnotationModel], tmp_path: Path) -> None:
    query, model = labelled
    query.obs["half"] = np.where(np.arange(query.n_obs) % 2, "a", "b")
    sca.tl.evidence(query, model=model, groupby="half", n_genes=4)
    kept = query.uns["annotation"]["evidence"]["attention"]
    stored = query.uns["annotation"]
    known = evidence_model(query, "annotation", stored, model)
    found = open_again(query, stored["params"], known)
    cells = prepare(found.X[:], slice(0, query.n_obs), found.transform, found.columns, known.means)
    alpha = model.annotator.gene_attention(cells)
    assert int(kept["n_genes"]) == 120
    for i, (group, kind) in enumerate(zip(kept["group"], kept["type"], strict=True)):
        cells = ((query.obs["half"] == group) & (query.obs["annotation"].astype(str) == kind)).to_numpy()
        assert kept["n_cells"][i] == cells.sum()
        place = [list(model.names["var_names"]).index(gene) for gene in kept["genes"]]
        np.testing.assert_allclose(kept["attention"][i], alpha[cells][:, place].mean(axis=0), rtol=1e-3)
        entropy = -(alpha[cells] * np.log(alpha[cells])).sum(axis=1)
        np.testing.assert_allclose(kept["n_effective"][i], np.exp(entropy).mean(), rtol=1e-3)
        assert 0 < kept["expressed"][i] < 1
    assert len(sca.pl.attention(query, show=False).get_xticklabels()) == len(kept["group"])
    query.write_h5ad(tmp_path / "q.h5ad")
    again = ad.read_h5ad(tmp_path / "q.h5ad")
    assert same(
        again.uns["annotation"]["evidence"]["faithfulness"], query.uns["annotation"]["evidence"]["faithfulness"]
    )
    assert len(sca.pl.attention(again, show=False).get_xticklabels()) == len(kept["group"])


def test_a_gene_that_the_query_lacks_is_in_no_table(labelled: tuple[AnnData, AnnotationModel]) -> None:
    query, model = labelled
    table = ("attention", "genes")
    sca.tl.evidence(query, model=model)
    first = query.uns["annotation"]["evidence"][table[0]][table[1]][0]
    fewer = query[:, query.var_names != first].copy()
    sca.tl.annotate(fewer, model)
    sca.tl.evidence(fewer, model=model)
    entry = fewer.uns["annotation"]["evidence"]
    assert first not in set(entry["attention"]["genes"]) | set(entry["table"]["gene"])
    assert entry["faithfulness"]["n_cells"] == fewer.n_obs
    assert entry["agreement"] == 1


# ---- what must hold


@pytest.mark.once
@pytest.mark.slow
@pytest.mark.parametrize("method", ["nact", "mlp_torch"])
@pytest.mark.parametrize("name", ["pbmc68k", "kang2018_pbmc_ifnb"])
def test_deleting_salient_genes_costs_more_than_both_controls(name: str, method: str, shared_data: Path) -> None:
    if name == "pbmc68k":
        adata = sca.datasets.pbmc68k()
        held = np.random.default_rng(0).random(adata.n_obs) < 0.3
    else:
        adata = ad.read_h5ad(shared_data / f"{name}.h5ad")
        held = (adata.obs["batch"].astype(str) == sorted(adata.obs["batch"].astype(str).unique())[0]).to_numpy()
    model, query = fitted(adata[~held].copy(), method), adata[held].copy()
    sca.tl.annotate(query, model)
    sca.tl.evidence(query, model=model)
    found = query.uns["annotation"]["evidence"]["faithfulness"]
    assert found["minus_random_low"] > 0
    assert found["minus_highest_low"] > 0
