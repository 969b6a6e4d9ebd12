"""Scanpy's dot plot of the genes of the evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

import sc_annotate as sca
from sc_annotate._core.order import natural
from sc_annotate._store.expression import read_expression
from sc_annotate.errors import InputError, StorageError
from sc_annotate.pl._evidence_rows import is_mito_ribo

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData
    from matplotlib.axes import Axes


def genes(ax: Axes) -> list[str]:
    return [t.get_text() for t in ax.get_xticklabels()]


def test_rows_are_labels_and_dots_their_shares(drawable: AnnData, frozen: Any) -> None:
    with frozen(drawable):
        ax = sca.pl.dotplot(drawable, n_genes=2)
    labels = [t.get_text() for t in ax.get_yticklabels()]
    assert labels == natural(drawable.obs["annotation"].astype(str).unique())
    names = genes(ax)
    assert len(names) == len(set(names)) <= 2 * len(labels)
    X = pd.DataFrame(np.asarray(drawable[:, names].X.todense()), columns=names)
    groups = X.groupby(drawable.obs["annotation"].astype(str).to_numpy())
    share = groups.agg(lambda column: (column > 0).mean()).loc[labels].to_numpy().ravel()
    order = np.argsort(share, kind="stable")
    assert (np.diff(np.asarray(ax.collections[0].get_sizes())[order]) > -1e-3).all()
    np.testing.assert_allclose(read_expression(drawable, "annotation", names), X, rtol=1e-5)


def test_the_genes_are_the_strongest_of_their_label(drawable: AnnData) -> None:
    table = sca.get.evidence(drawable)
    first = table[(table["direction"] == "towards") & (table["rank"] == 1)].set_index("type")["gene"]
    names = genes(sca.pl.dotplot(drawable, groups=["CD19+ B", "Dendritic"], n_genes=1, mito_ribo=True))
    assert names == [first["CD19+ B"], first["Dendritic"]]


def test_counts_are_normalised_by_all_genes(pair: tuple[AnnData, AnnData]) -> None:
    rng = np.random.default_rng(0)
    for adata in pair:
        adata.X = rng.poisson(np.asarray(adata.X.todense()) + 0.2).astype(np.float32)
    reference, query = pair
    sca.tl.annotate(query, reference, "cell_type", method="nearest_centroid", cv=0)
    whole = np.log1p(query.X / query.X.sum(axis=1, keepdims=True) * 1e4)
    names = [str(query.var_names[i]) for i in (30, 3, 30)]
    expected = pd.DataFrame(whole, columns=query.var_names)[names]
    np.testing.assert_allclose(read_expression(query, "annotation", names), expected, rtol=1e-4)


def test_dollar_signs_are_no_formulas(pair: tuple[AnnData, AnnData], tmp_path: Path) -> None:
    reference, query = pair
    types = reference.obs["cell_type"].astype(str)
    reference.obs["cell_type"] = types.replace({types.iloc[0]: r"$\frac{$"})
    sca.tl.annotate(query, reference, "cell_type", method="nearest_centroid", cv=0)
    sca.tl.evidence(query)
    sca.pl.dotplot(query, save=tmp_path / "dots.png")
    assert (tmp_path / "dots.png").stat().st_size > 0


def test_symbols_are_written(drawable: AnnData) -> None:
    drawable.var["symbol"] = [f"${gene}_1" for gene in drawable.var_names]
    plain, named = (genes(sca.pl.dotplot(drawable, gene_symbols=s)) for s in (None, "symbol"))
    assert named == [f"${gene}_1" for gene in plain]


def test_in_the_axes_of_the_caller(drawable: AnnData) -> None:
    figure, axes = plt.subplots(1, 2, figsize=(14, 4))
    assert sca.pl.dotplot(drawable, ax=axes[1]) is axes[1]
    assert len(figure.axes) > 2


@pytest.mark.parametrize(
    ("change", "kwargs", "error", "message"),
    [
        (None, {"groups": "none"}, InputError, "no group or type 'none'"),
        (None, {"n_genes": 0}, InputError, "n_genes"),
        (None, {"gene_symbols": "none"}, InputError, r"no column 'none' \(gene_symbols\)"),
        (None, {"key": "bayes"}, StorageError, r"no evidence.*sca\.tl\.evidence"),
        ("genes", {}, StorageError, "not in adata.X any more"),
    ],
)
def test_refusals(
    drawable: AnnData, change: str | None, kwargs: dict[str, Any], error: type[Exception], message: str
) -> None:
    if change == "genes":
        drawable = drawable[:, :200].copy()
    with pytest.raises(error, match=message):
        sca.pl.dotplot(drawable, **kwargs)
    assert not plt.get_fignums()


@pytest.mark.parametrize(
    "gene",
    ["MT-CO1", "mt-Nd1", "MT.ATP6", "RPL13A", "RPS4Y1", "Rpl36al", "RPLP0", "Rplp1", "RPSA", "RPS27L", "RPL13AP5",
     "RPS10P3", "RPL7L1", "rps18", "RPS3A"],
)  # fmt: skip
def test_mitochondrial_and_ribosomal_genes(gene: str) -> None:
    assert is_mito_ribo(gene)
    assert is_mito_ribo(f"{gene}_ENSG00000105372")


@pytest.mark.parametrize(
    "gene", ["RPS6KA1", "RPS6KB1", "MTOR", "MT1X", "MT2A", "RPL", "RPN1", "MTCO", "Rptor", "RPS19BP1", "CD3D"]
)
def test_others(gene: str) -> None:
    assert not is_mito_ribo(gene)
    assert not is_mito_ribo(f"{gene}_ENSG00000105372")


@pytest.mark.parametrize("style", ["dots", "bars"])
def test_evidence_without_them_says_so(drawable: AnnData, style: Any) -> None:
    table = sca.get.evidence(drawable)
    left = [gene for gene in table["gene"].unique() if is_mito_ribo(gene)]
    assert len(left) > 2

    def words(figure: Any) -> str:
        texts = [figure.get_suptitle(), *(ax.get_title() for ax in figure.axes)]
        ticks = [t.get_text() for ax in figure.axes for t in ax.get_yticklabels()]
        return " ".join([*texts, *ticks]).replace("\n", " ")

    default = words(sca.pl.evidence(drawable, style=style, return_fig=True))
    assert f"without {len(left)} mitochondrial or ribosomal genes" in default
    assert not any(f" {gene} " in f"{default} " for gene in left)
    every = words(sca.pl.evidence(drawable, style=style, n_genes=10, mito_ribo=True, return_fig=True))
    assert "without" not in every
    assert any(f" {gene} " in f"{every} " for gene in left)


def test_nothing_but_them(drawable: AnnData) -> None:
    table = drawable.uns["annotation"]["evidence"]["table"]
    table["gene"] = [f"RPL{i}" for i in range(len(table))]
    with pytest.raises(InputError, match="mito_ribo=True"):
        sca.pl.evidence(drawable, style="bars")
    with pytest.raises(InputError, match="mito_ribo must be"):
        sca.pl.evidence(drawable, mito_ribo="yes")  # type: ignore[arg-type]
