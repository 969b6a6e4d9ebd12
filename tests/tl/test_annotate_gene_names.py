"""Annotation where the names of genes stand in another column, have something around them, or are of two species."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import sc_annotate as sca
from sc_annotate.errors import GeneError

if TYPE_CHECKING:
    from pathlib import Path

METHOD: dict[str, Any] = {"method": "nearest_centroid", "cv": 0, "trust": sca.trust.Options(calibration=None)}


@pytest.fixture
def pair(pbmc: ad.AnnData) -> tuple[ad.AnnData, ad.AnnData]:
    """Query and reference with 765 symbols, without other names of the genes."""
    counts = pbmc.raw.to_adata() if pbmc.raw is not None else pbmc
    counts.var = pd.DataFrame(index=counts.var_names)
    return counts[400:].copy(), counts[:400].copy()


@pytest.fixture
def expected(pair: tuple[ad.AnnData, ad.AnnData]) -> list[str]:
    query, reference = pair
    query = query.copy()
    sca.tl.annotate(query, reference, "cell_type", **METHOD)
    return query.obs["annotation"].astype(str).tolist()


def _numbered(adata: ad.AnnData, **columns: Any) -> None:
    adata.var = pd.DataFrame(columns, index=[str(i) for i in range(adata.n_vars)])


def _labels(adata: ad.AnnData) -> list[str]:
    return adata.obs["annotation"].astype(str).tolist()


# ---- symbols in another column


@pytest.mark.parametrize(
    ("column", "dtype"),
    [
        ("features", object),
        ("_index", "category"),
        ("SYMBOL", "string"),
        ("gene_short_name", "str"),
        ("whatever", object),
    ],
)
@pytest.mark.parametrize("side", [0, 1])
def test_any_text_column(
    pair: tuple[ad.AnnData, ad.AnnData],
    expected: list[str],
    column: str,
    dtype: Any,
    side: int,
    caplog: pytest.LogCaptureFixture,
):
    one = pair[side]
    symbols = one.var_names.to_numpy()
    _numbered(one, chromosome="chr1", length=np.arange(one.n_vars))
    one.var[column] = pd.Series(symbols, index=one.var_names).astype(dtype)
    with caplog.at_level(logging.INFO, logger="sc_annotate"):
        sca.tl.annotate(pair[0], pair[1], "cell_type", **METHOD)
    found = pair[0].uns["annotation"]["input"]
    name = "reference" if side else "adata"
    assert f"var[{column!r}] of {name}" in found["matched_by"]
    assert found["n_genes_shared"] == pair[0].n_vars
    assert f"matched by its var[{column!r}]" in caplog.text
    assert any(column in note for note in found["notes"])
    assert _labels(pair[0]) == expected


def test_a_column_of_raw(pair: tuple[ad.AnnData, ad.AnnData], expected: list[str]):
    query, reference = pair
    _numbered(query, features=query.var_names.to_numpy())
    query.raw = query
    query.var = query.var.drop(columns="features")
    sca.tl.annotate(query, reference, "cell_type", use_raw=True, **METHOD)
    assert "var['features'] of adata" in query.uns["annotation"]["input"]["matched_by"]
    assert _labels(query) == expected


@pytest.mark.parametrize("side", [0, 1])
def test_a_fitted_model(pair: tuple[ad.AnnData, ad.AnnData], expected: list[str], side: int, tmp_path: Path):
    """A model remembers the columns that hold names of genes, whatever they are called."""
    one = pair[side]
    _numbered(one, features=one.var_names.to_numpy(), biotype="protein_coding")
    model = sca.tl.fit_annotator(pair[1], "cell_type", **METHOD)
    assert ("var['features']" in model.names) == bool(side)
    assert "var['biotype']" not in model.names
    sca.tl.annotate(pair[0], sca.load(model.save(tmp_path / "model.safetensors")), key_added="annotation")
    assert "var['features']" in pair[0].uns["annotation"]["input"]["matched_by"]
    assert _labels(pair[0]) == expected
    sca.tl.evidence(pair[0])


def test_two_columns_with_the_same_names(pair: tuple[ad.AnnData, ad.AnnData], expected: list[str]):
    query, reference = pair
    _numbered(query, features=query.var_names.to_numpy(), again=query.var_names.to_numpy())
    sca.tl.annotate(query, reference, "cell_type", **METHOD)
    assert _labels(query) == expected


def test_two_columns_that_contradict_each_other(pair: tuple[ad.AnnData, ad.AnnData], expected: list[str]):
    query, reference = pair
    symbols = query.var_names.to_numpy()
    _numbered(query, features=symbols, shifted=np.roll(symbols, 1))
    with pytest.raises(
        GeneError, match=r"765 by var\['features'\] of adata.*765 by var\['shifted'\] of adata.*gene_symbols="
    ):
        sca.tl.annotate(query, reference, "cell_type", **METHOD)
    assert "annotation" not in query.uns
    sca.tl.annotate(query, reference, "cell_type", gene_symbols="features", **METHOD)
    assert _labels(query) == expected


def test_a_column_with_too_few_is_named(pair: tuple[ad.AnnData, ad.AnnData]):
    query, reference = pair
    symbols = np.where(np.arange(query.n_vars) < 30, query.var_names, "other")
    _numbered(query, features=symbols)
    with pytest.raises(GeneError, match=r"have 0 genes in common.*30 by var\['features'\] of adata"):
        sca.tl.annotate(query, reference, "cell_type", **METHOD)


def test_numbers_without_any_column_of_symbols(pair: tuple[ad.AnnData, ad.AnnData]):
    query, reference = pair
    _numbered(query, length=np.arange(query.n_vars))
    with pytest.raises(GeneError, match="genes of adata are numbered, and no column of its var"):
        sca.tl.annotate(query, reference, "cell_type", **METHOD)


def test_symbols_that_occur_twice_are_left_out_and_counted(pair: tuple[ad.AnnData, ad.AnnData]):
    query, reference = pair
    symbols = query.var_names.to_numpy().copy()
    symbols[7] = symbols[3]
    _numbered(query, features=symbols)
    sca.tl.annotate(query, reference, "cell_type", **METHOD)
    found = query.uns["annotation"]["input"]
    assert "1 ambiguous left out" in found["matched_by"]
    assert found["n_genes_shared"] == query.n_vars - 2


def test_nothing_more_is_looked_at_where_names_fit(
    pair: tuple[ad.AnnData, ad.AnnData], monkeypatch: pytest.MonkeyPatch
):
    import sc_annotate._data.other_names as module

    monkeypatch.setattr(module, "other_names", None)
    query, reference = pair
    query.var["features"] = query.var_names.to_numpy()[::-1]
    sca.tl.annotate(query, reference, "cell_type", **METHOD)
    assert query.uns["annotation"]["input"]["matched_by"] == "var_names on both sides"


# ---- prefixes and suffixes


@pytest.mark.parametrize(("prefix", "suffix"), [("hg19_", ""), ("b'", "'"), ("", "-1"), ("", " "), ("", ".1")])
@pytest.mark.parametrize(("every", "side"), [(1, 0), (2, 0), (5, 0), (1, 1), (2, 1)])
def test_decorated(
    pair: tuple[ad.AnnData, ad.AnnData], expected: list[str], prefix: str, suffix: str, every: int, side: int
):
    one = pair[side]
    one.var_names = [f"{prefix}{n}{suffix}" if i % every == 0 else n for i, n in enumerate(one.var_names)]
    sca.tl.annotate(pair[0], pair[1], "cell_type", **METHOD)
    found = pair[0].uns["annotation"]["input"]
    assert found["n_genes_shared"] >= 0.99 * pair[0].n_vars
    assert repr(prefix or suffix) in found["matched_by"]
    assert any("were compared without their" in note for note in found["notes"])
    if found["n_genes_shared"] == pair[0].n_vars:
        assert _labels(pair[0]) == expected


def test_a_fitted_model_and_decorated_names(pair: tuple[ad.AnnData, ad.AnnData], expected: list[str]):
    query, reference = pair
    reference.var_names = "GRCh38_" + reference.var_names
    query.var_names = query.var_names + "-1"
    model = sca.tl.fit_annotator(reference, "cell_type", **METHOD)
    sca.tl.annotate(query, model)
    assert _labels(query) == expected


def test_a_decorated_column(pair: tuple[ad.AnnData, ad.AnnData], expected: list[str]):
    query, reference = pair
    _numbered(query, features=[f"hg19_{name}" for name in query.var_names])
    sca.tl.annotate(query, reference, "cell_type", **METHOD)
    assert "var['features'] without prefix 'hg19_' of adata" in query.uns["annotation"]["input"]["matched_by"]
    assert _labels(query) == expected


def test_a_prefix_is_named_where_it_is_not_all(pair: tuple[ad.AnnData, ad.AnnData]):
    query, reference = pair
    query.var_names = "hg19_" + query.var_names.str.capitalize()
    with pytest.raises(GeneError, match=r"765 of the 765 names of adata have the prefix 'hg19_'.*differ in case only"):
        sca.tl.annotate(query, reference, "cell_type", **METHOD)


def test_a_duplicate_that_was_made_unique_is_no_other_gene(pair: tuple[ad.AnnData, ad.AnnData]):
    """XX-1 beside XX: only XX is the XX of the reference."""
    query, reference = pair
    other = query.copy()
    other.X = other.X * 0
    other.var_names = other.var_names + "-1"
    double = ad.concat([query, other], axis=1)
    sca.tl.annotate(double, reference, "cell_type", **METHOD)
    assert double.uns["annotation"]["input"]["matched_by"] == "var_names on both sides"


def test_two_genomes(pair: tuple[ad.AnnData, ad.AnnData]):
    query, reference = pair
    mouse = query.copy()
    mouse.X = mouse.X * 0
    query.var_names, mouse.var_names = "hg19_" + query.var_names, "mm10_" + mouse.var_names.str.capitalize()
    both = ad.concat([query, mouse], axis=1)
    sca.tl.annotate(both, reference, "cell_type", **METHOD)
    found = both.uns["annotation"]["input"]
    assert found["n_genes_shared"] == query.n_vars
    assert sum("several genomes" in problem and "'mm10_'" in problem for problem in found["problems"]) == 1
    assert "human and mouse" in repr(sca.pp.inspect(both))
    mouse_only = both[:, query.n_vars :].copy()
    with pytest.raises(GeneError, match=r"prefix 'mm10_'.*case only|prefix 'mm10_'.*mouse"):
        sca.tl.annotate(mouse_only, reference, "cell_type", **METHOD)


# ---- species and dates


def test_mouse_in_capitals_is_said(pair: tuple[ad.AnnData, ad.AnnData], caplog: pytest.LogCaptureFixture):
    query, reference = pair
    names = query.var_names.to_numpy().copy()
    names[-60:] = [f"GM{i}" for i in range(10_000, 10_060)]
    query.var_names = names
    sca.tl.annotate(query, reference, "cell_type", **METHOD)
    assert query.uns["annotation"]["input"]["genes"]["species"] == "mouse"
    assert "adata has genes of mouse and the reference of human" in caplog.text


@pytest.mark.parametrize("dates", [("1-Mar", "2-Sep"), ("Mar-01", "Sep-02"), ("2021-03-01", "2021-09-02")])
@pytest.mark.parametrize("side", [0, 1])
def test_genes_lost_to_dates(
    pair: tuple[ad.AnnData, ad.AnnData], dates: tuple[str, str], side: int, caplog: pytest.LogCaptureFixture
):
    for i, one in enumerate(pair):
        names = one.var_names.to_numpy().copy()
        names[:2] = dates if i == side else ("MARCH1", "SEPT2")
        one.var_names = names
    sca.tl.annotate(pair[0], pair[1], "cell_type", **METHOD)
    text = next(p for p in pair[0].uns["annotation"]["input"]["problems"] if "dates" in p)
    assert (
        f"2 names of {('adata', 'reference')[side]} were turned into dates by a spreadsheet ({', '.join(dates)})"
        in text
    )
    assert "MARCH1, SEPT2" in text
    assert "Read the genes of" in text
    assert text in caplog.text
