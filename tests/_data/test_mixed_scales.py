"""Logged cells beside others that are not; one absurd value; and what is neither, which must not be taken for it."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scanpy as sc
from scipy import sparse

import sc_annotate as sca
from sc_annotate._core.settings import settings
from sc_annotate._data import read
from sc_annotate._data.matrix import MatrixRequest
from sc_annotate._data.signs import BASES
from sc_annotate._data.stream import each_block
from sc_annotate.errors import MatrixError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def _logged(counts: np.ndarray, base: Any = "e", target: float = 1e4) -> np.ndarray:
    adata = ad.AnnData(counts.copy())
    sc.pp.normalize_total(adata, target_sum=target)
    sc.pp.log1p(adata, base=BASES[base])
    return adata.X


def _linear(counts: np.ndarray, target: float = 1e4) -> np.ndarray:
    return sc.pp.normalize_total(ad.AnnData(counts.copy()), target_sum=target, inplace=False)["X"]


@pytest.fixture(scope="module")
def counts(make_counts: Callable[..., np.ndarray]) -> np.ndarray:
    return make_counts(400, 300, depth=2)


def _kind(X: Any, obs: Any = None) -> str:
    return read.open_input(ad.AnnData(X, obs=obs)).values.kind


def _read(adata: ad.AnnData) -> None:
    """Open it, and bring all blocks to the common scale."""
    found, scale = read.open_on_common_scale(adata, MatrixRequest())
    list(each_block(lambda where, X: scale(X, where), [found.source.X], progress="x", size=512))


PLAIN: dict[str, Any] = {"counts": lambda X: X, "linear": _linear, "fractions": lambda X: _linear(X, 1.0)}
LOGS: dict[str, Any] = {
    "e": _logged,
    "2": lambda X: _logged(X, "2"),
    "10": lambda X: _logged(X, "10"),
    "million": lambda X: _logged(X, "e", 1e6),
    "without normalising": np.log1p,
}


# ---- two scales


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("plain", PLAIN)
@pytest.mark.parametrize("logs", LOGS)
@pytest.mark.parametrize("genes", [1, 3])
def test_any_two(counts: np.ndarray, plain: str, logs: str, share: float, genes: int):
    """Of all genes or some; logged ones first or last, in any share."""
    n = int(share * 400)
    first, last = PLAIN[plain](counts[:n])[:, ::genes], LOGS[logs](counts[n:])[:, ::genes]
    for X in (np.vstack([first, last]), np.vstack([last, first])):
        found = read.open_input(ad.AnnData(sparse.csr_matrix(X)))
        assert found.values.kind == "mixed"
        words = found.values.evidence
        assert "sampled cells are logged" in words
        n_logged, n_known = (
            int(w.replace(",", "")) for w in words.split("scales: ")[1].split(" sampled")[0].split(" of ")
        )
        assert n_logged == pytest.approx((1 - share) * n_known, abs=0.02 * n_known + 2)


def test_rounded_values(counts: np.ndarray):
    """No multiples are left, but totals and ranges are."""
    logs = np.round(_logged(counts[:200]), 2)
    assert _kind(np.vstack([counts[200:] * 3, logs])) == "mixed"
    assert _kind(np.vstack([np.round(_linear(counts[200:]), 1), logs])) == "mixed"
    assert _kind(np.vstack([counts[200:], _logged(counts[:200]).astype(np.float16)])) == "mixed"


def test_without_molecules():
    """TPM of some genes beside their logarithms: the range is all there is."""
    rng = np.random.default_rng(0)
    tpm = rng.lognormal(3, 1.5, (300, 300)) * (rng.random((300, 300)) < 0.4)
    assert _kind(np.vstack([tpm[:150], np.log1p(tpm[150:])])) == "mixed"
    assert _kind(tpm) == "linear"
    assert _kind(np.log1p(tpm)) == "log1p"


@pytest.mark.parametrize("n_genes", [300, 30_000])
def test_the_last_tenth_of_a_large_object(make_counts: Callable[..., np.ndarray], n_genes: int):
    part = make_counts(400, 300, depth=2)
    few = sparse.csr_matrix(part)
    logs = sparse.csr_matrix(_logged(part))
    X = sparse.vstack([logs] * 18 + [few] * 2, format="csr")
    X.resize(X.shape[0], n_genes)
    assert _kind(X) == "mixed"


def test_the_column_that_tells_them_apart(counts: np.ndarray):
    X = np.vstack([_logged(counts[:150]), counts[150:]])
    obs = pd.DataFrame(
        {
            "n": np.arange(400.0),
            "half": ["a", "b"] * 200,
            "one": "x",
            "barcode": [f"c{i}" for i in range(400)],
            "study": pd.Categorical(["Kang"] * 100 + ["Lee"] * 50 + ["Wu"] * 250),
        },
        index=[f"c{i}" for i in range(400)],
    )
    evidence = read.open_input(ad.AnnData(X, obs=obs)).values.evidence
    assert evidence.endswith("are not; obs['study'] tells them apart: logged are those of Kang, Lee, not Wu")
    assert "tells them apart" not in read.open_input(ad.AnnData(X, obs=obs.drop(columns="study"))).values.evidence


def test_refused_with_what_to_do(counts: np.ndarray):
    adata = ad.AnnData(np.vstack([_logged(counts[:100]), counts[100:]]), layers={"a": np.ones((400, 300))})
    with pytest.raises(MatrixError, match=r"q\.X: cells are on two scales: 100 of 400 .* one scale .*layer='a'"):
        read.open_on_common_scale(adata, MatrixRequest(), what="q")
    with pytest.raises(MatrixError, match="two scales"):
        read.open_on_common_scale(adata, MatrixRequest(values="counts"), what="q")
    text = repr(sca.pp.inspect(adata))
    assert "values      mixed (cells are on two scales: 100 of 400 sampled cells are logged, 300 are not)" in text
    # A way out, should it be taken for what it is not; a value that cannot be one is refused all the same.
    found, scale = read.open_on_common_scale(adata, MatrixRequest(values="linear"))
    read.read_rows(found.source, scale, np.arange(300), np.arange(400), progress="reading")


# ---- one scale


@pytest.mark.parametrize("genes", [1, 3])
@pytest.mark.parametrize("depth", [0.3, 2, 30])
@pytest.mark.parametrize("seed", range(3))
def test_one_scale_is_no_mixture(make_counts: Callable[..., np.ndarray], genes: int, depth: float, seed: int):
    D = make_counts(300, 400, seed=seed, depth=depth)
    kinds = {name: _kind(sparse.csr_matrix(make(D)[:, ::genes])) for name, make in (PLAIN | LOGS).items()}
    assert kinds["counts"] == "counts"
    assert "mixed" not in kinds.values()
    rng = np.random.default_rng(seed)
    # Estimates of counts, as programs give them that take ambient RNA away; empty droplets among them.
    corrected = D * rng.uniform(0.7, 1, D.shape)
    corrected[::3] *= rng.random((len(corrected[::3]), 400)) < 0.05
    assert _kind(corrected[:, ::genes]) != "mixed"
    assert _kind(np.log2(1 + D[:, ::genes])) != "mixed"
    assert _kind(np.vstack([D, _linear(D)])[:, ::genes]) == "linear"


# ---- one value


@pytest.mark.parametrize("make", [lambda D: D, _linear, _logged], ids=["counts", "linear", "logged"])
@pytest.mark.parametrize("value", [1e30, np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("row", [3, 1500])
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_matrix])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_one_absurd_value(counts: np.ndarray, make: Any, value: float, row: int, form: Any, dtype: Any):
    """In a cell of the sample, and in one that only a block shows."""
    X = np.vstack([make(counts)] * 5).astype(dtype)
    X[row, 7] = value
    adata = ad.AnnData(form(X), obs=pd.DataFrame(index=[f"cell{i}" for i in range(2000)]))
    adata.var_names = [f"gene{i}" for i in range(300)]
    with pytest.raises(MatrixError) as error:
        _read(adata)
    text = str(error.value)
    assert f"{value:.6g} of gene 'gene7' in cell 'cell{row}'" in text
    assert text.startswith("adata.X ")


def test_not_logged_cells_that_no_sample_saw(counts: np.ndarray):
    X = np.vstack([_logged(counts)] * 5)
    X[1500:1506] = 5 * counts[:6] + 20
    adata = ad.AnnData(X)
    with pytest.raises(
        MatrixError, match=r"but 6 of 512 cells of a block are not logged.*Bring all cells to one scale"
    ):
        _read(adata)


def test_too_large_for_single_precision(counts: np.ndarray):
    X = counts.astype(np.float64)
    X[5, 5] = 1e39
    with pytest.raises(MatrixError, match=r"1e\+39 of gene '5' in cell '5', which is too large for a measurement"):
        _read(ad.AnnData(X))


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_matrix])
def test_too_far_below_zero_for_single_precision(counts: np.ndarray, form: Any):
    """In a cell that no sample saw."""
    X = np.vstack([counts.astype(np.float64)] * 5)
    X[1500, 5] = -1e39
    with pytest.raises(MatrixError, match=r"-1e\+39 of gene '5' in cell '1500', which is too large for a measurement"):
        _read(ad.AnnData(form(X)))


def test_workers_are_not_sent_the_names(counts: np.ndarray):
    adata = ad.AnnData(counts, obs=pd.DataFrame(index=[f"cell{i}" for i in range(400)]))
    _, scale = read.open_on_common_scale(adata, MatrixRequest())
    sent = pickle.dumps(scale)
    assert b"cell3" not in sent
    broken = counts.copy()
    broken[2, 3] = np.nan
    with pytest.raises(MatrixError, match=r"adata\.X .*the first nan of gene number 3 in cell number 12"):
        pickle.loads(sent)(broken, slice(10, 410))


# ---- what it is


def test_residuals_are_no_scaled_values(counts: np.ndarray):
    rng = np.random.default_rng(0)
    rate = rng.lognormal(0, 0.5, (400, 1)) * rng.gamma(0.5, 2, (1, 300))
    D = rng.negative_binomial(100, 100 / (100 + rate)).astype(np.float32)
    adata = ad.AnnData(D[:, D.any(axis=0)])
    sc.experimental.pp.normalize_pearson_residuals(adata)
    report = read.open_input(adata).values
    assert (report.kind, "residuals" in report.evidence) == ("negative", True)
    scaled = _logged(counts)
    assert read.open_input(ad.AnnData(sc.pp.scale(scaled.copy()))).values.kind == "scaled"
    # Regression leaves no two cells with one value.
    shifted = scaled + np.random.default_rng(0).normal(0, 0.3, (400, 1)) * scaled.std(axis=0)
    regressed = read.open_input(ad.AnnData(sc.pp.scale(shifted.astype(np.float32)))).values
    assert (regressed.kind, "scaled after regression" in regressed.evidence) == ("negative", True)


def test_smoothed_values(counts: np.ndarray):
    rng = np.random.default_rng(0)
    weights = rng.dirichlet(np.full(400, 0.2), 400)
    smooth = weights @ _logged(counts + rng.random((1, 300))) + 1e-3
    found = read.open_input(ad.AnnData(smooth))
    assert found.values.kind == "log1p"
    assert "no value is zero, as after smoothing or imputation" in found.values.evidence
    assert any(
        "no value is zero" in note for note in read.open_on_common_scale(ad.AnnData(smooth), MatrixRequest())[1].notes
    )
    assert "smoothing" not in read.open_input(ad.AnnData(_logged(counts))).values.evidence
    assert "smoothing" not in read.open_input(ad.AnnData(counts + 1)).values.evidence


def test_rates_of_a_model(counts: np.ndarray):
    """As scVI's `get_normalized_expression` gives them: shares of a cell, of all genes or of some."""
    rates = np.random.default_rng(0).dirichlet(np.linspace(0.2, 3, 3000), 100)
    report = read.open_input(ad.AnnData(rates)).values
    assert (report.kind, report.target_sum) == ("linear", pytest.approx(1))
    assert report.evidence.startswith("every cell adds up to 1; no value is zero")
    some = read.open_input(ad.AnnData(rates[:, ::5])).values
    assert some.kind == "linear"
    assert "too small for logarithms" in some.evidence


@pytest.mark.parametrize("where", ["X", "layers['a']", "raw.X"])
def test_values_of_another_type_name_the_object(where: str):
    X = np.array([["a", 1], ["b", 2]], dtype=object)
    plain = np.ones((2, 2), np.float32)
    adata = ad.AnnData(X if where == "X" else plain)
    if where != "X":
        adata.layers["a"] = X
    if where == "raw.X":
        other = ad.AnnData(X)
        adata.raw = other
    request = {"X": MatrixRequest(), "layers['a']": MatrixRequest(layer="a"), "raw.X": MatrixRequest(use_raw=True)}[
        where
    ]
    with pytest.raises(MatrixError) as error:
        read.open_input(adata, request, what="reference")
    assert f"reference.{where} holds values of type object" in str(error.value)


def test_annotating_them(pair: tuple[ad.AnnData, ad.AnnData], tmp_path: Path):
    """Nothing is written, in memory and from a file, as query and as reference."""
    reference, query = pair
    logs = query.copy()
    plain = logs.copy()
    plain.X = plain.X.expm1()
    joined = ad.concat([logs[:100], plain[100:]])
    joined.write_h5ad(tmp_path / "a.h5ad")
    backed = ad.read_h5ad(tmp_path / "a.h5ad", backed="r")
    for adata in (joined, backed):
        with pytest.raises(MatrixError, match="adata.X: cells are on two scales"):
            sca.tl.annotate(adata, reference, "cell_type", method="nearest_centroid", cv=0)
        assert "annotation" not in adata.obs
    backed.file.close()
    with pytest.raises(MatrixError, match="reference.X: cells are on two scales"), settings.override(progress=False):
        sca.tl.annotate(reference, joined, "cell_type", method="nearest_centroid", cv=0)
