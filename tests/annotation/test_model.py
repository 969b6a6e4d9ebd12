"""Fitted models: their card, their file, their identity."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import sc_annotate as sca
from sc_annotate._core.codec import to_json
from sc_annotate.errors import InputError, LabelError, MatrixError, MethodError, ModelFileError

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

    from sc_annotate.tl import AnnotationModel


@pytest.fixture(scope="module")
def model(_pbmc: AnnData) -> AnnotationModel:
    return sca.tl.fit_annotator(_pbmc, "cell_type", method="nearest_centroid")


def test_card_says_what_matters(model: AnnotationModel) -> None:
    card = str(model)
    for text in (model.id, "nearest_centroid", "700 cells", "'cell_type'", "symbol (human)", "Dendritic (240)", "held out",
                 "majority", "logreg", "macro-F1", "fewer than 10", "scikit-learn"):  # fmt: skip
        assert text in card
    assert repr(model) == f"AnnotationModel('nearest_centroid', 10 types, 765 genes, id={model.id!r})"


def test_file_holds_all_of_it(model: AnnotationModel, tmp_path: Path) -> None:
    back = sca.load(model.save(tmp_path / "m.safetensors"))
    assert str(back) == str(model)
    assert back.id == model.id
    assert back.names.keys() == model.names.keys()
    np.testing.assert_array_equal(back.names["var_names"], model.names["var_names"])
    np.testing.assert_array_equal(back.means, model.means)
    assert back.evaluation is not None
    assert model.evaluation is not None
    assert to_json(back.evaluation) == to_json(model.evaluation)


@pytest.mark.filterwarnings("ignore:Variable names are not unique")
def test_symbols_that_repeat_beside_ids(pbmc: AnnData, tmp_path: Path) -> None:
    """As 10x writes them: a model of them can be kept, and finds its genes by the ids."""
    pbmc.var["gene_ids"] = [f"ENSG{i:011d}" for i in range(pbmc.n_vars)]
    query = pbmc.copy()
    query.var_names = query.var["gene_ids"].to_numpy()
    pbmc.var_names = [f"GENE{i // 2}" for i in range(pbmc.n_vars)]
    model = sca.tl.fit_annotator(pbmc, "cell_type", method="nearest_centroid", cv=0, trust=None)
    back = sca.load(model.save(tmp_path / "m.safetensors"))
    assert model.predict(query)["label"].tolist() == back.predict(query)["label"].tolist()


@pytest.mark.slow
def test_id_tells_models_apart(pbmc: AnnData, model: AnnotationModel) -> None:
    same = sca.tl.fit_annotator(pbmc, "cell_type", method="nearest_centroid")
    assert same.id == model.id
    others = [
        sca.tl.fit_annotator(pbmc, "cell_type", method="majority", cv=0),
        sca.tl.fit_annotator(pbmc[:699].copy(), "cell_type", method="nearest_centroid"),
        sca.tl.fit_annotator(pbmc[:, :600].copy(), "cell_type", method="nearest_centroid"),
        sca.tl.fit_annotator(pbmc, "louvain", method="nearest_centroid"),
    ]
    assert len({model.id, *(m.id for m in others)}) == 5


def test_file_is_replaced_whole_or_not_at_all(
    model: AnnotationModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = model.save(tmp_path / "m.safetensors")
    before = path.read_bytes()

    def fail(*_: Any, **__: Any) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("safetensors.numpy.save_file", fail)
    with pytest.raises(InputError, match="disk full"):
        model.save(path, overwrite=True)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["m.safetensors"]


@pytest.mark.parametrize("method", ["random_forest", "gradient_boosting"])
def test_what_cannot_be_saved_says_so(pbmc: AnnData, tmp_path: Path, method: str) -> None:
    assert not sca.tl.methods().loc[method, "saves"]
    small = pbmc[:, :30].copy()
    model = sca.tl.fit_annotator(small, "cell_type", method="random_forest", cv=0, method_kwargs={"n_trees": 3})
    with pytest.raises(MethodError, match="no pickle"):
        model.save(tmp_path / "m.safetensors")
    assert list(tmp_path.iterdir()) == []
    assert len(model.id) == 10


@pytest.mark.parametrize("name", ["m.pkl", "m"])
def test_other_endings_are_refused(model: AnnotationModel, tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="ends in .safetensors"):
        model.save(tmp_path / name)


def test_folder_must_exist(model: AnnotationModel, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="make it first"):
        model.save(tmp_path / "nowhere" / "m.safetensors")


@pytest.mark.slow
def test_linear_models_predict_without_scikit_learn(pair: tuple[AnnData, AnnData], tmp_path: Path) -> None:
    reference, query = pair[0][:, :200].copy(), pair[1]
    X = query[:, :200].X.toarray()
    np.save(tmp_path / "x.npy", X)
    methods = ("logreg", "linear_svm", "lda", "nearest_centroid", "naive_bayes", "majority")
    models = {name: sca.tl.fit_annotator(reference, "cell_type", method=name, cv=0) for name in methods}
    paths = [str(model.save(tmp_path / f"{name}.safetensors")) for name, model in models.items()]
    # One process for all: nothing that any of them does may import scikit-learn.
    code = (
        "import sys, numpy as np; from sc_annotate.tl import load; "
        f"X = np.load({str(tmp_path / 'x.npy')!r})\n"
        f"for path in {paths!r}:\n"
        "    np.save(path + '.npy', load(path).annotator.predict_proba(X))\n"
        "    assert 'sklearn' not in sys.modules and 'scanpy' not in sys.modules, f'{path}: imported'"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "COVERAGE_PROCESS_START": ""})
    for path, model in zip(paths, models.values(), strict=True):
        # In another process arrays lie elsewhere in memory, and sums may be rounded otherwise.
        np.testing.assert_allclose(np.load(f"{path}.npy"), model.annotator.predict_proba(X), rtol=1e-5, atol=1e-7)


def corrupt(meta: dict[str, Any], change: str) -> None:
    match change:
        case "class twice":
            meta["classes"][1] = meta["classes"][0]
        case "class missing":
            meta["classes"].pop()
        case "classes no strings":
            meta["classes"] = [1] * 10
        case "gene missing":
            meta["names"]["var_names"].pop()
        case "names no dict":
            meta["names"] = [1]
        case "counts short":
            meta["counts"] = [1]
        case "unknown input":
            meta["input"] = "pixels"
        case "no account":
            meta["about"] = {}
        case "state of another kind":
            meta["state"] = None
        case "evaluation damaged":
            meta["evaluation"] = {"split": 1}
        case "columns differ":
            meta["evaluation"]["scores"]["accuracy"] = []
        case "no means":
            meta.pop("counts")


@pytest.mark.parametrize(
    "change",
    ["class twice", "class missing", "classes no strings", "gene missing", "names no dict", "counts short", "unknown input",
     "no account", "state of another kind", "evaluation damaged", "columns differ", "no means"],
)  # fmt: skip
def test_inconsistent_files_are_refused(model: AnnotationModel, tmp_path: Path, change: str) -> None:
    from safetensors import safe_open
    from safetensors.numpy import load_file, save_file

    path = model.save(tmp_path / "m.safetensors")
    with safe_open(path, framework="numpy") as opened:
        meta = json.loads(opened.metadata()["sc_annotate"])
    corrupt(meta, change)
    save_file(load_file(path), path, metadata={"sc_annotate": json.dumps(meta)})
    with pytest.raises(ModelFileError, match="Get or save it again"):
        sca.load(path)


def test_arrays_that_were_changed_are_refused(model: AnnotationModel, tmp_path: Path) -> None:
    from safetensors import safe_open
    from safetensors.numpy import load_file, save_file

    path = model.save(tmp_path / "m.safetensors")
    arrays = load_file(path)
    with safe_open(path, framework="numpy") as opened:
        meta = opened.metadata()
    arrays["annotator.coef"][0, 0] = np.nan
    save_file(arrays, path, metadata=meta)
    with pytest.raises(ModelFileError, match="another checksum"):
        sca.load(path)


def test_model_of_an_unknown_method_says_so(model: AnnotationModel, tmp_path: Path) -> None:
    from sc_annotate._store import modelfile

    path = model.save(tmp_path / "m.safetensors")
    arrays, meta = modelfile.load(path)
    modelfile.save(path, arrays, meta | {"method": "of_another_package"}, overwrite=True)
    with pytest.raises(MethodError, match="of_another_package"):
        sca.load(path)


def test_counts_are_asked_for_where_a_method_needs_them(pbmc: AnnData) -> None:
    from sc_annotate._core import registry

    @sca.register_annotator("wants_counts", inputs="counts")
    class WantsCounts:
        def fit(self, X: Any, y: Any, *, genes: Any, batch: Any = None, rng: int = 0) -> WantsCounts:
            self.classes_, self.whole = np.unique(y), abs(X - np.rint(X)).max() == 0
            return self

        def predict_proba(self, X: Any) -> Any:
            assert abs(X - np.rint(X)).max() == 0
            return np.full((X.shape[0], len(self.classes_)), 1 / len(self.classes_), dtype=np.float32)

    try:
        with pytest.raises(MatrixError, match="this method needs counts"):
            sca.tl.fit_annotator(pbmc, "cell_type", method="wants_counts")
        counts = sca.datasets.simulate_reference(200, 100, 3, rng=0)
        model = sca.tl.fit_annotator(counts, "cell_type", method="wants_counts")
        assert model.annotator.whole
        assert model.evaluation is not None
        assert model.evaluation.scores["method"].tolist() == ["wants_counts", "majority"]
        sca.tl.annotate(counts, model)
    finally:
        registry.unregister("annotation", "wants_counts")


@pytest.mark.parametrize("dense", [True, False])
def test_a_foreign_method_that_works_in_place_does_no_harm(dense: bool) -> None:
    from sc_annotate._core import registry

    @sca.register_annotator("works_in_place", inputs="counts")
    class WorksInPlace:
        def fit(self, X: Any, y: Any, *, genes: Any, batch: Any = None, rng: int = 0) -> WorksInPlace:
            self.classes_ = np.unique(y)
            return self._zeroed(X)

        def _zeroed(self, X: Any) -> WorksInPlace:
            (X if isinstance(X, np.ndarray) else X.data)[...] = 0
            return self

        def predict_proba(self, X: Any) -> Any:
            self._zeroed(X)
            return np.full((X.shape[0], len(self.classes_)), 1 / len(self.classes_), dtype=np.float32)

    try:
        data = sca.datasets.simulate_reference(200, 100, 3, rng=0)
        data.X = data.X.astype(np.float32)
        if dense:
            data.X = data.X.toarray()
        before = data.X.copy()
        sca.tl.annotate(data, sca.tl.fit_annotator(data, "cell_type", method="works_in_place"))
        assert abs(data.X - before).max() == 0
    finally:
        registry.unregister("annotation", "works_in_place")


def test_too_few_types_in_a_fold_leave_the_model_without_scores() -> None:
    data = sca.datasets.simulate_reference(200, 100, 2, rng=0)
    # Each type lives in a batch of its own, so that no batch can be held out.
    data.obs["batch"] = data.obs["cell_type"].astype(str)
    model = sca.tl.fit_annotator(data, "cell_type", batch_key="batch", method="nearest_centroid")
    assert model.evaluation is None
    assert any("held-out cells" in note for note in model.provenance.notes)
    assert "none (fitted without held-out cells)" in str(model)


@pytest.mark.slow
def test_one_batch_cannot_be_held_out(pbmc: AnnData) -> None:
    pbmc.obs["batch"] = "only"
    model = sca.tl.fit_annotator(pbmc, "cell_type", batch_key="batch", method="nearest_centroid")
    assert model.evaluation is not None
    assert "stratified" in model.evaluation.split


def test_labels_are_needed(pbmc: AnnData) -> None:
    pbmc.obs["cell_type"] = None
    with pytest.raises(LabelError):
        sca.tl.fit_annotator(pbmc, "cell_type")
