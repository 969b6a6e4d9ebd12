"""Results beside each other on labelled cells."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

import sc_annotate as sca
from sc_annotate.annotation.imported.other_vocabulary import near_types
from sc_annotate.errors import InputError, LabelError, StorageError
from sc_annotate.evaluation import interval, paired_difference

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

FAST = {"method": "nearest_centroid", "cv": 0}


@pytest.fixture(scope="module")
def _compared(_named_query: AnnData) -> AnnData:
    """Our labels, and those of another tool with wrong, missing and uncalibrated ones; half of the cells have a truth."""
    adata = _named_query.copy()
    n = adata.n_obs
    truth = adata.obs["cell_type"].astype(str).to_numpy()
    labels = np.where(np.arange(n) % 5 == 0, "CD34+", truth).astype(object)
    labels[1::10], labels[3] = "Unassigned", None
    adata.obs["tool"], adata.obs["tool_score"] = labels, np.linspace(0, 1, n)
    adata.obs["manual"] = pd.Series(truth, index=adata.obs_names, dtype=object).where(np.arange(n) < n // 2)
    adata.obs["donor"] = np.array(list("abcd"))[np.arange(n) % 4]
    sca.tl.import_labels(adata, "tool", key_added="theirs")
    return adata


@pytest.fixture
def compared(_compared: AnnData) -> AnnData:
    return _compared.copy()


def logged(caplog: pytest.LogCaptureFixture) -> str:
    return "\n".join(record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING)


def test_figures_are_those_of_the_metrics(compared: AnnData) -> None:
    table = sca.tl.compare_labels(compared, "manual", rng=3)
    assert table["key"].tolist() == ["annotation", "theirs"]
    assert table["method"].tolist() == ["nearest_centroid", "imported"]
    known = compared.obs["manual"].notna().to_numpy()
    true = compared.obs["manual"][known].to_numpy()
    ours, theirs = (compared.obs[key].astype(object)[known].to_numpy() for key in ("annotation", "theirs"))
    row = table.set_index("key").loc["theirs"]
    assert row["n_cells"] == known.sum() == 100
    assert row["n_unassigned"] == pd.isna(theirs).sum() == 11
    assert row["accuracy"] == pytest.approx((theirs == true).mean())
    assert row["macro_f1"] == pytest.approx(sca.metrics.macro_f1(true, theirs))
    for metric in ("accuracy", "macro_f1"):
        found = interval(true, theirs, metric=metric, rng=3)
        assert (row[f"{metric}_low"], row[f"{metric}_high"]) == (found.low, found.high)
    gap = paired_difference(true, theirs, ours, rng=3)
    assert tuple(row[["difference", "difference_low", "difference_high"]]) == (gap.estimate, gap.low, gap.high)
    assert row["against"] == "annotation"
    assert table["difference"].iloc[0] == table["difference_low"].iloc[0] == 0
    # Cells without a label have no right or wrong confidence.
    has = ~pd.isna(theirs)
    sure = compared.obs["tool_score"][known].to_numpy(dtype=np.float32)[has].astype(float)
    right = (theirs == true)[has]
    bins = np.searchsorted(np.unique(np.sort(sure)[np.arange(1, 15) * has.sum() // 15]), sure, side="right")
    expected = sum(abs((sure - right)[bins == b].sum()) for b in np.unique(bins)) / has.sum()
    assert row["expected_calibration_error"] == pytest.approx(expected)
    assert row["n_with_confidence"] == 89
    assert row["mean_confidence"] == pytest.approx(sure.mean())
    assert row["expected_calibration_error"] > 2 * row["if_calibrated"]
    assert table.attrs["cells"] == "100 cells with a type in obs['manual']"


def test_nothing_is_stored(compared: AnnData) -> None:
    before = list(compared.obs), {key: dict(value) for key, value in compared.uns.items() if isinstance(value, dict)}
    sca.tl.compare_labels(compared, "manual")
    assert list(compared.obs) == before[0]
    assert {key: set(value) for key, value in before[1].items()} == {
        key: set(value) for key, value in compared.uns.items() if isinstance(value, dict)
    }


def test_pre_labelled_cells_are_left_out_of_all(pbmc: AnnData) -> None:
    adata = pbmc[:300].copy()
    truth = adata.obs["cell_type"].astype(object)
    adata.obs["some"] = truth.where(np.arange(300) % 2 == 0)
    sca.tl.annotate(adata, labels_key="some", trust=None, **FAST)
    sca.tl.import_labels(adata, truth, method="oracle", key_added="oracle")
    table = sca.tl.compare_labels(adata, "cell_type")
    assert table["n_cells"].tolist() == [150, 150]
    assert table["accuracy"].iloc[1] == 1 > table["accuracy"].iloc[0]
    assert "left out: 150 pre-labelled" in table.attrs["cells"]
    with pytest.raises(LabelError, match="all 150 cells .* were pre-labelled"):
        sca.tl.compare_labels(adata, "some")
    assert sca.tl.compare_labels(adata, "some", ["oracle"])["n_cells"].tolist() == [150]


def test_other_names_count_as_wrong_until_they_are_mapped(compared: AnnData, caplog: pytest.LogCaptureFixture) -> None:
    names = {"CD14+ Monocyte": "cd14-positive monocytes", "CD19+ B": "CD19+ B cells", "Dendritic": "something else"}
    compared.obs["tool"] = compared.obs["cell_type"].astype(object).replace(names)
    sca.tl.import_labels(compared, "tool", key_added="theirs")
    row = sca.tl.compare_labels(compared, "manual", ["theirs"]).iloc[0]
    text = logged(caplog)
    assert "theirs: 3 of " in text
    assert f"({row['n_other_names']} cells) are no type of adata.obs['manual']" in text
    assert "'cd14-positive monocytes' (near 'CD14+ Monocyte')" in text
    assert "mapping={'CD19+ B cells': 'CD19+ B', 'cd14-positive monocytes': 'CD14+ Monocyte'}" in text
    assert row["accuracy"] == pytest.approx(1 - row["n_other_names"] / 100)
    mapping = {new: old for old, new in names.items()}
    done = sca.tl.compare_labels(compared, "manual", ["theirs"], mapping=mapping | {"no such label": "CD34+"}).iloc[0]
    assert (done["n_other_names"], done["accuracy"], done["macro_f1"]) == (0, 1, 1)
    none = sca.tl.compare_labels(compared, "manual", ["theirs"], mapping=mapping | {"something else": ""}).iloc[0]
    assert none["n_unassigned"] == (compared.obs["manual"] == "Dendritic").sum()


def test_labels_of_one_term_are_one_type(compared: AnnData) -> None:
    compared.obs["manual"] = compared.obs["manual"].replace({"CD14+ Monocyte": "monocyte", "CD19+ B": "B cell"})
    tree = {"B cell": "cell", "monocyte": "cell"}
    overrides = {"CD14+ Monocyte": "monocyte", "CD19+ B": "B cell"}
    for column in ("manual", "theirs"):
        sca.tl.map_labels(compared, column, ontology=tree, overrides=overrides)
    tables = [compared.uns[f"{column}_ontology"]["table"] for column in ("manual", "theirs")]
    row = sca.tl.compare_labels(compared, "manual", ["theirs"], mapping=pd.concat(tables)).iloc[0]
    plain = sca.tl.compare_labels(compared, "manual", ["theirs"]).iloc[0]
    assert row["n_other_names"] == 0 < plain["n_other_names"]
    # A type may be called as its term is.
    assert sca.tl.compare_labels(compared, "manual", ["theirs"], mapping=tables[1]).iloc[0]["n_other_names"] == 0
    with pytest.raises(InputError, match=r"shares its term with one type .* pandas.concat"):
        sca.tl.compare_labels(compared, "manual", ["theirs"], mapping=tables[0])
    with pytest.raises(InputError, match=r"lacks the columns \['term_id'\]"):
        sca.tl.compare_labels(compared, "manual", ["theirs"], mapping=tables[1][["label"]])


def test_two_true_types_of_one_term_are_not_chosen_from(compared: AnnData) -> None:
    table = pd.DataFrame({"label": ["CD34+", "Dendritic", "x"], "term_id": ["1", "1", "1"]})
    table = pd.concat([table, pd.DataFrame({"label": ["CD19+ B", "y"], "term_id": ["2", "2"]})])
    compared.obs["tool"] = np.where(np.arange(compared.n_obs) % 2, "x", "y")
    sca.tl.import_labels(compared, "tool", key_added="theirs")
    row = sca.tl.compare_labels(compared, "manual", ["theirs"], mapping=table).iloc[0]
    assert row["n_other_names"] == 50


def test_whole_batches_are_resampled(compared: AnnData) -> None:
    plain, batches = (sca.tl.compare_labels(compared, "manual", batch_key=key) for key in (None, "donor"))
    assert plain["macro_f1"].tolist() == batches["macro_f1"].tolist()
    assert plain["macro_f1_low"].tolist() != batches["macro_f1_low"].tolist()
    compared.obs["donor"] = np.array(["a", "b"])[np.arange(compared.n_obs) % 2]
    with pytest.raises(InputError, match="batch_key: .* has 2 batches"):
        sca.tl.compare_labels(compared, "manual", batch_key="donor")


def test_what_is_refused(compared: AnnData) -> None:
    with pytest.raises(InputError, match="against must be 'annotation' or 'theirs', not 'other'"):
        sca.tl.compare_labels(compared, "manual", against="other")
    with pytest.raises(InputError, match="no column 'manuel' .truth.*Did you mean 'manual'"):
        sca.tl.compare_labels(compared, "manuel")
    with pytest.raises(InputError, match="which no cell of .* is. Did you mean 'CD34.'"):
        sca.tl.compare_labels(compared, "manual", mapping={"x": "CD34"})
    with pytest.raises(InputError, match="mapping names no label of the results"):
        sca.tl.compare_labels(compared, "manual", mapping={"x": "CD34+"})
    with pytest.raises(InputError, match="imported from: it would be compared with itself"):
        sca.tl.compare_labels(compared, "tool", ["annotation", "theirs"])
    with pytest.raises(InputError, match="compared with itself"):
        sca.tl.compare_labels(compared, "annotation", ["annotation"])
    assert sca.tl.compare_labels(compared, "tool")["key"].tolist() == ["annotation"]
    compared.obs["none"] = None
    with pytest.raises(LabelError, match="no label at all. Name another column with truth="):
        sca.tl.compare_labels(compared, "none")
    with pytest.raises(StorageError, match="import_labels"):
        sca.tl.compare_labels(sca.datasets.pbmc68k(), "cell_type")


def test_few_cells_and_no_types_are_said(compared: AnnData, caplog: pytest.LogCaptureFixture) -> None:
    compared.obs.loc[compared.obs_names[:12], "manual"] = "doublet"
    sca.tl.compare_labels(compared, "manual")
    assert "fewer than 10 labelled cells: " in logged(caplog)
    assert "seem to stand for no type" in logged(caplog)


def test_renamed_categories_and_subsets(compared: AnnData) -> None:
    first = sca.tl.compare_labels(compared, "manual")
    compared.obs["theirs"] = compared.obs["theirs"].cat.rename_categories({"CD34+": "stem"})
    compared.obs["manual"] = compared.obs["manual"].replace("CD34+", "stem")
    table = sca.tl.compare_labels(compared, "manual", ["theirs"])
    assert table["accuracy"].tolist() == first["accuracy"].tolist()[1:]
    assert sca.tl.compare_labels(compared[:40], "manual", ["theirs"])["n_cells"].tolist() == [40]


def test_the_picture(compared: AnnData) -> None:
    table = sca.tl.compare_labels(compared, "manual")
    ax = sca.pl.methods(table, show=False)
    assert {text.get_text() for text in ax.get_yticklabels()} == {"annotation", "theirs"}
    assert ax.get_xlabel() == "macro-F1 on labelled cells, 95 % interval"
    assert "100 cells with a type" in ax.get_title(loc="left") + ax.get_title()


@pytest.mark.slow
def test_three_lines_on_measured_cells(shared_data: Path) -> None:
    """Clusters named by a colleague, of whom a confidence is not known, beside a method of ours."""
    import anndata as ad

    adata = ad.read_h5ad(shared_data / "pbmc3k.h5ad")
    reference = ad.read_h5ad(shared_data / "pbmc_3tech.h5ad")
    named = {
        "0": "CD4 T",
        "1": "CD4 T",
        "2": "CD14 Mono",
        "3": "B",
        "4": "CD8 T",
        "5": "CD16 Mono",
        "6": "NK",
        "7": "DC",
    }
    named |= {"8": "unknown"}
    sca.tl.import_labels(adata, named, groupby="seurat_clusters", method="colleague", key_added="theirs")
    sca.tl.annotate(adata, reference, "cell_type", method="nearest_centroid", cv=0, trust=None)
    same = {"Naive CD4 T": "T_CD4", "Memory CD4 T": "T_CD4", "CD14+ Mono": "Mono_CD14", "FCGR3A+ Mono": "Mono_CD16"}
    adata.obs["truth"] = adata.obs["cell_type"].astype(object).replace(same | {"CD8 T": "T_CD8", "Platelet": "MK"})
    mapping = {"CD4 T": "T_CD4", "CD14 Mono": "Mono_CD14", "CD8 T": "T_CD8", "CD16 Mono": "Mono_CD16"}
    table = sca.tl.compare_labels(adata, "truth", against="annotation", mapping=mapping).set_index("key")
    assert table.loc["theirs", "n_unassigned"] == 14
    assert table.loc["theirs", "accuracy"] > 0.9
    assert (
        table.loc["theirs", "difference_low"]
        < table.loc["theirs", "difference"]
        < table.loc["theirs", "difference_high"]
    )
    assert table.loc["theirs", "n_with_confidence"] == 0
    assert np.isnan(table.loc["theirs", "expected_calibration_error"])


@pytest.mark.parametrize(
    ("label", "near"),
    [
        ("cd14-positive monocytes", ["CD14+ Monocyte"]),
        ("B cells", ["CD19+ B"]),
        ("NK", ["CD56+ NK"]),
        ("Natural killer cells", ["CD56+ NK"]),
        ("Dendritc", ["Dendritic"]),
        ("T cell", []),
        ("neuron", []),
    ],
)
def test_near_types(label: str, near: list[str]) -> None:
    types = ["CD14+ Monocyte", "CD19+ B", "CD56+ NK", "Dendritic", "CD4 T", "CD8 T"]
    assert near_types(label, types) == near
