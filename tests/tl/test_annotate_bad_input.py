"""Bad input gets one of our own errors that names the cure, and the AnnData stays as it was."""

from __future__ import annotations

import pickle
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import scanpy as sc

import sc_annotate as sca
from comparing import same, snapshot
from sc_annotate._core import registry
from sc_annotate.errors import (
    GeneError,
    InputError,
    LabelError,
    MatrixError,
    MethodError,
    MissingExtraError,
    ModelFileError,
    ScAnnotateError,
    StorageError,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from anndata import AnnData


@dataclass
class Call:
    """One call to annotate that a case makes worse."""

    adata: Any
    reference: Any
    labels_key: Any
    kwargs: dict[str, Any]
    folder: Path


CASES: dict[str, tuple[type[ScAnnotateError], str, Callable[[Call], None]]] = {}


def case(error: type[ScAnnotateError], cure: str) -> Callable[[Callable[[Call], None]], Callable[[Call], None]]:
    """Register a case: the error it gets, and words of the cure in its message."""

    def add(change: Callable[[Call], None]) -> Callable[[Call], None]:
        CASES[change.__name__] = (error, cure, change)
        return change

    return add


@case(InputError, "Check the filters")
def no_cells(c: Call) -> None:
    c.adata = c.adata[:0].copy()


@case(InputError, "Check the filters")
def no_genes(c: Call) -> None:
    c.adata = c.adata[:, :0].copy()


@case(InputError, "Check the filters")
def empty_reference(c: Call) -> None:
    c.reference = c.reference[:0].copy()


@case(InputError, "must be an AnnData")
def a_data_frame(c: Call) -> None:
    c.adata = c.adata.to_df()


@case(InputError, "must be an AnnData")
def reference_is_an_array(c: Call) -> None:
    c.reference = c.reference.X.toarray()


@case(InputError, "Pass a labelled reference")
def neither_reference_nor_labels(c: Call) -> None:
    c.reference = c.labels_key = None


@case(InputError, "name the column of reference.obs")
def labels_key_missing(c: Call) -> None:
    c.labels_key = None


@case(InputError, "Did you mean 'cell_type'")
def labels_key_absent(c: Call) -> None:
    c.labels_key = "celltype"


@case(InputError, "are adata and reference swapped")
def objects_swapped(c: Call) -> None:
    c.reference.obs = c.reference.obs.rename(columns={"cell_type": "other"})


@case(InputError, "write labels_key='cell_type'")
def labels_key_in_place_of_the_reference(c: Call) -> None:
    c.reference, c.labels_key = "cell_type", None


@case(InputError, "batch_key, labels_key, method, trust.calibration says how a model is fitted")
def model_told_how_to_fit(c: Call) -> None:
    c.reference = sca.tl.fit_annotator(c.reference, "cell_type", **c.kwargs)
    c.kwargs |= {"batch_key": "batch", "method": "knn"}
    del c.kwargs["cv"]


@case(InputError, "obs has no column")
def labels_key_is_no_string(c: Call) -> None:
    c.labels_key = 3


@case(LabelError, "Name another column")
def no_label_at_all(c: Call) -> None:
    c.reference.obs["cell_type"] = np.nan


@case(LabelError, "at least two are needed")
def one_class(c: Call) -> None:
    c.reference.obs["cell_type"] = "B"


@case(LabelError, "Pass min_cells=2")
def class_of_one_cell(c: Call) -> None:
    c.reference.obs["cell_type"] = ["lonely", *c.reference.obs["cell_type"].astype(str)[1:]]
    c.kwargs["min_cells"] = 1


@case(LabelError, "at least two are needed")
def min_cells_leaves_one_class(c: Call) -> None:
    c.kwargs["min_cells"] = 120


@case(InputError, "min_cells must be a whole number, 1 or more")
def min_cells_zero(c: Call) -> None:
    c.kwargs["min_cells"] = 0


@case(LabelError, "Name another column")
def labels_are_cell_names(c: Call) -> None:
    c.reference.obs["cell_type"] = [f"{name}{i // 2}" for i, name in enumerate(c.reference.obs_names)]
    c.kwargs["min_cells"] = 1


@case(LabelError, "Set the labels of the cells in question to NaN")
def everything_is_labelled(c: Call) -> None:
    c.reference = None


@case(GeneError, "gene_symbols=")
def no_gene_in_common(c: Call) -> None:
    c.adata.var_names = [f"ENSG{i:011d}" for i in range(c.adata.n_vars)]


@case(GeneError, "Keep all genes")
def nine_genes_in_common(c: Call) -> None:
    c.adata.var_names = [n if i < 9 else f"GENE{i}" for i, n in enumerate(c.adata.var_names)]


@case(GeneError, "map the genes to the reference's species")
def mouse_against_human(c: Call) -> None:
    c.adata.var_names = c.adata.var_names.str.capitalize()


@case(GeneError, "at least 459 are needed")
def overlap_below_the_stated_floor(c: Call) -> None:
    c.reference = c.reference[:, :500].copy()
    c.adata = c.adata[:, 80:].copy()
    c.kwargs["trust"] = sca.trust.Options(min_overlap=0.918)


@case(GeneError, "var_names_make_unique")
def duplicate_genes_in_the_query(c: Call) -> None:
    names = c.adata.var_names.to_numpy(dtype=object).copy()
    names[1] = names[0]
    c.adata.var_names = names


@case(GeneError, "var_names_make_unique")
def duplicate_genes_in_the_reference(c: Call) -> None:
    names = c.reference.var_names.to_numpy(dtype=object).copy()
    names[5] = names[0]
    c.reference.var_names = names


@case(InputError, "has a column 'symbols_of_mine'")
def gene_symbols_column_absent(c: Call) -> None:
    c.kwargs["gene_symbols"] = "symbols_of_mine"


@case(MatrixError, "np.nan_to_num")
def nan_in_x(c: Call) -> None:
    c.adata.X.data[::50] = np.nan


@case(MatrixError, "np.nan_to_num")
def one_nan_in_a_cell_that_no_sample_sees(c: Call) -> None:
    import anndata as ad

    c.adata = ad.concat([c.adata] * 8, index_unique="-")
    c.adata.X.data[c.adata.X.indptr[1111]] = np.nan


@case(MatrixError, "np.nan_to_num")
def infinity_in_the_reference(c: Call) -> None:
    c.reference.X.data[::50] = np.inf


@case(MatrixError, "adata has no other layer and no .raw")
def scaled_without_raw(c: Call) -> None:
    c.adata.X = c.adata.X.toarray()
    sc.pp.scale(c.adata)


@case(MatrixError, "values='log1p'")
def scaled_without_centring(c: Call) -> None:
    sc.pp.scale(c.adata, zero_center=False)


@case(MatrixError, "reference_layer='log'")
def scaled_reference(c: Call) -> None:
    c.reference.layers["log"] = c.reference.X.copy()
    c.reference.X = c.reference.X.toarray()
    sc.pp.scale(c.reference)


@case(MatrixError, "go back to the object as it was before")
def fold_changes(c: Call) -> None:
    X = np.random.default_rng(0).normal(0, 0.2, c.adata.shape).astype(np.float32)
    c.adata.X = X * np.linspace(0.1, 5, X.shape[1], dtype=np.float32)


@case(MatrixError, "adata also has layer='counts'")
def only_zeros(c: Call) -> None:
    c.adata.layers["counts"] = c.adata.X.copy()
    c.adata.X = np.zeros(c.adata.shape, dtype=np.float32)


@case(MatrixError, "Leave values= out")
def counts_where_log_was_said(c: Call) -> None:
    c.adata.X = np.rint(np.expm1(c.adata.X.toarray()))
    c.kwargs["values"] = "log1p"


@case(MatrixError, "say values='linear'")
def log_where_counts_were_said(c: Call) -> None:
    c.kwargs["values"] = "counts"


@case(InputError, "choose one of counts")
def unknown_kind_of_values(c: Call) -> None:
    c.kwargs["values"] = "tpm"


@case(InputError, "there are: none")
def layer_absent(c: Call) -> None:
    c.kwargs["layer"] = "counts"


@case(InputError, "there are: none")
def reference_layer_absent(c: Call) -> None:
    c.kwargs["reference_layer"] = "counts"


@case(InputError, "name a layer")
def x_is_empty(c: Call) -> None:
    c.adata.X = None


@case(InputError, "Leave it out")
def no_raw(c: Call) -> None:
    c.kwargs["use_raw"] = True


@case(InputError, "choose one")
def layer_and_raw_at_once(c: Call) -> None:
    c.kwargs |= {"layer": "counts", "use_raw": True}


@case(InputError, "there are: 'X_umap', 'X_pca'|there are: 'X_pca', 'X_umap'")
def representation_absent(c: Call) -> None:
    c.kwargs["use_rep"] = "X_scvi"


@case(ScAnnotateError, "Compute both in one space|Keep all genes")
def representations_of_different_size(c: Call) -> None:
    c.adata.obsm["X_pca"] = c.adata.obsm["X_pca"][:, :20]
    c.kwargs["use_rep"] = "X_pca"


@case(InputError, "holds no numbers")
def totals_are_text(c: Call) -> None:
    c.adata.obs["total"] = "many"
    c.kwargs["total_counts_key"] = "total"


@case(InputError, "negative, NaN or infinite")
def totals_are_negative(c: Call) -> None:
    c.adata.obs["total"] = -1.0
    c.kwargs["total_counts_key"] = "total"


@case(InputError, "has no column 'total'")
def totals_absent(c: Call) -> None:
    c.kwargs["total_counts_key"] = "total"


@case(InputError, "has no column 'donor'")
def batch_key_absent(c: Call) -> None:
    c.kwargs["batch_key"] = "donor"


@case(InputError, "Fill or drop them")
def batch_missing_for_some_cells(c: Call) -> None:
    c.reference.obs["donor"] = [None, *["a", "b"] * 249, "a"]
    c.kwargs["batch_key"] = "donor"


@case(MethodError, "Did you mean 'logreg'")
def unknown_method(c: Call) -> None:
    c.kwargs["method"] = "logregg"


@case(MethodError, "must be a name")
def method_is_a_number(c: Call) -> None:
    c.kwargs["method"] = 3


@case(MethodError, "It takes: C")
def parameter_the_method_does_not_have(c: Call) -> None:
    c.kwargs |= {"method": "logreg", "method_kwargs": {"depth": 3}}


@case(InputError, "positive number")
def parameter_out_of_range(c: Call) -> None:
    c.kwargs |= {"method": "logreg", "method_kwargs": {"C": -1}}


@case(InputError, "must be a dict")
def parameters_are_no_dict(c: Call) -> None:
    c.kwargs["method_kwargs"] = "C=1"


@case(MissingExtraError, 'pip install "sc-annotate\\[magic\\]"')
def missing_extra(c: Call) -> None:
    c.kwargs["method"] = "needs_an_extra"


@case(StorageError, "Choose another key_added")
def foreign_column_under_key_added(c: Call) -> None:
    c.adata.obs["annotation"] = "mine"


@case(StorageError, "Choose another key_added")
def foreign_confidence_column(c: Call) -> None:
    c.adata.obs["annotation_confidence"] = 1.0


@case(StorageError, "Choose another key_added")
def foreign_uns(c: Call) -> None:
    c.adata.uns["annotation"] = {"mine": 1}


@case(StorageError, "Choose another key_added")
def wrong_schema_number(c: Call) -> None:
    c.adata.uns["annotation"] = {"schema": 99, "classes": np.array(["a"])}


@case(StorageError, "without '/'")
def slash_in_key_added(c: Call) -> None:
    c.kwargs["key_added"] = "T/B"


@case(StorageError, "non-empty string")
def empty_key_added(c: Call) -> None:
    c.kwargs["key_added"] = ""


@case(InputError, "rng must be an integer")
def rng_is_an_old_random_state(c: Call) -> None:
    c.kwargs["rng"] = np.random.RandomState(0)


@case(InputError, "number of folds")
def negative_cv(c: Call) -> None:
    c.kwargs["cv"] = -1


@case(InputError, "n_top_genes must be a whole number, 2 or more")
def no_top_genes(c: Call) -> None:
    c.kwargs["n_top_genes"] = 0


@case(InputError, "choose auto, temperature")
def unknown_calibration(c: Call) -> None:
    c.kwargs["trust"] = "platt"


@case(InputError, "coverage must be a number between 0 and 1")
def coverage_in_percent(c: Call) -> None:
    c.kwargs |= {"coverage": 90, "trust": "temperature"}


@case(InputError, "coverage: prediction sets need held-out cells")
def coverage_without_sets(c: Call) -> None:
    c.kwargs["coverage"] = 0.9


@case(InputError, "at least two different names")
def one_method_in_a_list(c: Call) -> None:
    c.kwargs["method"] = ["nearest_centroid"]


@case(MethodError, "there is no annotation method 'x'")
def one_of_several_methods_unknown(c: Call) -> None:
    c.kwargs["method"] = ["nearest_centroid", "x"]


@case(InputError, "'all', 'topk' or False")
def unknown_store_proba(c: Call) -> None:
    c.kwargs["store_proba"] = "some"


@case(ModelFileError, "there is no model file")
def model_file_absent(c: Call) -> None:
    c.reference, c.labels_key = c.folder / "none.safetensors", None


@case(ModelFileError, "fit the model again")
def pickle_as_model(c: Call) -> None:
    c.reference, c.labels_key = str(c.folder / "model.pkl"), None
    (c.folder / "model.pkl").write_bytes(pickle.dumps({"a": 1}))


@case(ModelFileError, "Read it with anndata")
def h5ad_as_model(c: Call) -> None:
    c.adata.write_h5ad(c.folder / "x.h5ad")
    c.reference, c.labels_key = c.folder / "x.h5ad", None


@case(ModelFileError, "Get or save it again")
def damaged_model(c: Call) -> None:
    path = sca.tl.fit_annotator(c.reference, "cell_type", method="nearest_centroid", cv=0).save(
        c.folder / "m.safetensors"
    )
    path.write_bytes(path.read_bytes()[:-100])
    c.reference, c.labels_key = path, None


@case(ModelFileError, "not of sc_annotate")
def other_safetensors_file(c: Call) -> None:
    from safetensors.numpy import save_file

    save_file({"weight": np.zeros(3)}, c.folder / "m.safetensors")
    c.reference, c.labels_key = c.folder / "m.safetensors", None


@case(MatrixError, "use_rep= for both or for neither")
def model_of_genes_asked_about_a_representation(c: Call) -> None:
    c.reference = sca.tl.fit_annotator(c.reference, "cell_type", method="nearest_centroid", cv=0)
    c.labels_key, c.kwargs = None, {"use_rep": "X_pca"}


@case(InputError, "to_memory")
def backed_view(c: Call) -> None:
    import anndata as ad

    c.adata.write_h5ad(c.folder / "q.h5ad")
    c.adata = ad.read_h5ad(c.folder / "q.h5ad", backed="r")[:50]


@pytest.fixture
def needs_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    method = registry.Method("needs_an_extra", "annotation", "no_such_module_anywhere:X", "test", extra="magic")
    monkeypatch.setattr(registry, "BUILT_IN", (*registry.BUILT_IN, method))


@pytest.mark.usefixtures("needs_an_extra")
@pytest.mark.filterwarnings("ignore:Variable names are not unique:UserWarning")
@pytest.mark.parametrize("name", CASES)
def test_bad_input(name: str, pair: tuple[AnnData, AnnData], tmp_path: Path) -> None:
    error, cure, change = CASES[name]
    reference, query = pair
    reference.obs = reference.obs[["cell_type"]]
    reference.raw = query.raw = None
    call = Call(query, reference, "cell_type", {"method": "nearest_centroid", "cv": 0, "trust": None}, tmp_path)
    call.adata.obs = call.adata.obs[["cell_type"]]
    change(call)
    is_object = hasattr(call.adata, "obs") and call.adata.X is not None and not call.adata.isbacked
    before = snapshot(call.adata) if is_object else None
    columns = list(call.adata.obs) if hasattr(call.adata, "obs") else None
    uns = list(call.adata.uns) if hasattr(call.adata, "uns") else None
    with pytest.raises(error) as caught:
        sca.tl.annotate(call.adata, call.reference, call.labels_key, **call.kwargs)
    assert re.search(cure, str(caught.value)), str(caught.value)
    if columns is not None:
        assert list(call.adata.obs) == columns
        assert list(call.adata.uns) == uns
    if before is not None:
        assert same(before, snapshot(call.adata))


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 40


ELSEWHERE: dict[str, tuple[type[ScAnnotateError], str, Callable[[AnnData], Any]]] = {
    "probabilities of nothing": (StorageError, "Run `sca.tl.annotate", lambda a: sca.get.probabilities(a)),
    "annotation of nothing": (StorageError, "Run `sca.tl.annotate", lambda a: sca.get.annotation(a)),
    "annotation of a table": (InputError, "must be an AnnData", lambda a: sca.get.annotation(a.to_df())),
    "inspect a table": (InputError, "must be an AnnData", lambda a: sca.pp.inspect(a.to_df())),
    "unknown task": (MethodError, "there are: annotation", lambda a: sca.tl.methods("naming")),
    "compare nothing": (InputError, "list of methods", lambda a: sca.benchmark.annotators(a, "cell_type", methods=[])),
    "compare a word": (
        InputError,
        "list of methods",
        lambda a: sca.benchmark.annotators(a, "cell_type", methods="knn"),
    ),
    "vote on nothing": (StorageError, "Run `sca.tl.annotate", lambda a: sca.tl.vote(a, "louvain")),
    "consensus of one": (InputError, "at least two different keys", lambda a: sca.tl.consensus(a, ["x"])),
    "consensus of nothing": (StorageError, "Run `sca.tl.annotate", lambda a: sca.tl.consensus(a, ["x", "y"])),
    "sets of nothing": (StorageError, "Run `sca.tl.annotate", lambda a: sca.get.sets(a)),
    "fit on absent labels": (InputError, "There are", lambda a: sca.tl.fit_annotator(a, "nothing")),
}


@pytest.mark.parametrize("name", ELSEWHERE)
def test_bad_input_elsewhere(pbmc: AnnData, name: str) -> None:
    error, cure, call = ELSEWHERE[name]
    with pytest.raises(error, match=re.escape(cure)):
        call(pbmc)
