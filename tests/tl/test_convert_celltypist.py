"""CellTypist's models converted: the same calls and scores, and nothing in the file is run."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pytest
from scipy.sparse import csr_matrix
from scipy.special import expit
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.preprocessing import StandardScaler

import sc_annotate as sca
from comparing import assert_same_results
from once import once
from sc_annotate.cli import main
from sc_annotate.errors import InputError, ModelFileError, ScAnnotateWarning

if TYPE_CHECKING:
    from anndata import AnnData

DESCRIPTION = {
    "date": "2025-06-01",
    "details": "blood",
    "url": "",
    "source": "a paper",
    "version": "v1",
    "number_celltypes": 10,
}
VARIANTS = ("sgd", "without_mean", "mini_batch", "selected", "two_types")


_FITTED: dict[str, bytes] = {}


def parts(adata: AnnData, kind: str = "sgd", labels: Any = None) -> dict[str, Any]:
    """What ``celltypist.models.Model.write`` pickles, fitted once."""
    if labels is not None:
        return fitted(adata, kind, labels)
    if kind not in _FITTED:
        _FITTED[kind] = pickle.dumps(fitted(adata, kind, adata.obs["cell_type"].astype(str).to_numpy()))
    return pickle.loads(_FITTED[kind])


def fitted(adata: AnnData, kind: str, labels: np.ndarray) -> dict[str, Any]:
    scaler = StandardScaler().fit(adata.X.toarray())
    X = np.minimum(scaler.transform(adata.X.toarray()), 10)
    made: dict[str, Any] = {
        "sgd": SGDClassifier(loss="log_loss", random_state=0),
        "hinge": SGDClassifier(loss="hinge", random_state=0),
        "random state": SGDClassifier(loss="log_loss", random_state=np.random.RandomState(0)),
        "multinomial": LogisticRegression(max_iter=200),
        "one by one": LogisticRegression(max_iter=200),
    }
    classifier = made[kind].fit(X, labels)
    if kind == "one by one":
        # As scikit-learn before 1.8 fitted and kept it.
        single = [LogisticRegression(max_iter=200).fit(X, labels == name) for name in classifier.classes_]
        classifier.coef_ = np.vstack([one.coef_ for one in single])
        classifier.intercept_ = np.concatenate([one.intercept_ for one in single])
        classifier.multi_class = "ovr"
    classifier.features = np.array(adata.var_names, dtype=object)
    return {"Model": classifier, "Scaler_": scaler, "description": dict(DESCRIPTION)}


def theirs(found: dict[str, Any], adata: AnnData) -> tuple[np.ndarray, np.ndarray]:
    """Decision scores and labels by the formula of celltypist 1.7.1, written down here."""
    model, scaler = found["Model"], found["Scaler_"]
    scaled = (adata.X.toarray() - scaler.mean_) / scaler.scale_
    scaled[scaled > 10] = 10
    scores = model.decision_function(scaled)
    scores = np.column_stack([-scores, scores]) if scores.ndim == 1 else scores
    return scores, model.classes_[scores.argmax(axis=1)]


@pytest.fixture
def small(pbmc: AnnData) -> AnnData:
    return pbmc[:, :120].copy()


@pytest.fixture
def file(small: AnnData, tmp_path: Path) -> Path:
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(parts(small)))
    return tmp_path / "m.pkl"


def test_cells_that_fit_no_type_are_reported(small: AnnData, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    found = parts(small)
    found["Model"].intercept_ = found["Model"].intercept_ - 1e4
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(found))
    sca.tl.annotate(small, sca.tl.convert_celltypist(tmp_path / "m.pkl", trust_pickle=True))
    said = f"{small.n_obs:,} of {small.n_obs:,} cells fit none of the model's {len(found['Model'].classes_)} types"
    assert said in caplog.text
    assert any(said in problem for problem in small.uns["annotation"]["input"]["problems"])


@pytest.mark.parametrize("protocol", range(3, pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("kind", ["sgd", "random state", "one by one"])
def test_calls_and_scores_are_theirs(small: AnnData, tmp_path: Path, kind: str, protocol: int) -> None:
    found = parts(small, kind)
    scores, labels = theirs(found, small)
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(found, protocol=protocol))
    model = sca.tl.convert_celltypist(tmp_path / "m.pkl", trust_pickle=True)
    np.testing.assert_allclose(model.annotator.scores(small.X), expit(scores), atol=1e-9)
    sca.tl.annotate(small, model)
    assert (small.obs["annotation"].astype(str) == labels).all()
    P = sca.get.probabilities(small)
    np.testing.assert_allclose(P.sum(axis=1), 1, atol=1e-6)
    assert list(P.columns) == list(found["Model"].classes_)


def test_files_of_older_versions(small: AnnData, tmp_path: Path) -> None:
    """Modules of numpy before 2 and of scikit-learn before 0.22, and the loss as that kept it."""
    data = pickle.dumps(parts(small), protocol=3)
    old = {
        b"cnumpy._core.multiarray\n": b"cnumpy.core.multiarray\n",
        b"csklearn.linear_model._stochastic_gradient\n": b"csklearn.linear_model.stochastic_gradient\n",
        b"csklearn.preprocessing._data\n": b"csklearn.preprocessing.data\n",
        b"csklearn._loss._loss\nCyHalfBinomialLoss\n": b"csklearn.linear_model.sgd_fast\nLog\n",
    }
    for new, name in old.items():
        assert new in data or b"_loss" in new
        data = data.replace(new, name)
    (tmp_path / "m.pkl").write_bytes(data)
    kept = sca.tl.convert_celltypist(tmp_path / "m.pkl", trust_pickle=True)
    found = parts(small)
    kind = SimpleNamespace(classifier=found["Model"], scaler=found["Scaler_"], description=found["description"])
    assert kept.id == sca.tl.convert_celltypist(kind).id


def test_two_types(small: AnnData) -> None:
    labels = np.where(small.obs["cell_type"].astype(str).str.startswith("CD19"), "b cell", "Another")
    found = parts(small, labels=labels)
    assert found["Model"].coef_.shape[0] == 1
    scores, called = theirs(found, small)
    model = sca.tl.convert_celltypist(
        SimpleNamespace(classifier=found["Model"], scaler=found["Scaler_"], description={})
    )
    np.testing.assert_allclose(model.annotator.scores(small.X), expit(scores), atol=1e-9)
    sca.tl.annotate(small, model)
    assert (small.obs["annotation"].astype(str) == called).all()


def test_types_in_another_order(small: AnnData) -> None:
    """Ours are sorted; rows of the coefficients go with their types."""
    found = parts(small)
    scores, called = theirs(found, small)
    order = np.random.default_rng(0).permutation(len(found["Model"].classes_))
    for name in ("classes_", "coef_", "intercept_"):
        setattr(found["Model"], name, getattr(found["Model"], name)[order])
    model = sca.tl.convert_celltypist(
        SimpleNamespace(classifier=found["Model"], scaler=found["Scaler_"], description={})
    )
    assert model.classes.tolist() == sorted(model.classes)
    np.testing.assert_allclose(model.annotator.scores(small.X), expit(scores), atol=1e-9)


def test_the_file_and_the_object_give_one_model(small: AnnData, file: Path) -> None:
    found = parts(small)
    kept = SimpleNamespace(classifier=found["Model"], scaler=found["Scaler_"], description=found["description"])
    assert sca.tl.convert_celltypist(kept).id == sca.tl.convert_celltypist(file, trust_pickle=True).id


def test_it_is_kept_without_pickle(small: AnnData, file: Path, tmp_path: Path) -> None:
    model = sca.tl.convert_celltypist(file, trust_pickle=True)
    back = sca.load(model.save(tmp_path / "m.safetensors"))
    assert back.id == model.id
    assert str(back) == str(model)
    assert np.array_equal(back.annotator.predict_proba(small.X), model.annotator.predict_proba(small.X))
    for text in ("m.pkl", "2025-06-01", "SGDClassifier", "no held-out cells"):
        assert text in str(back)
    assert back.provenance.converted_from["source"] == "a paper"
    assert back.trust is None


def test_what_is_stored_survives_a_file(
    small: AnnData, file: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sca.tl.annotate(small, sca.tl.convert_celltypist(file, trust_pickle=True))
    assert "not calibrated" in caplog.text
    # Held-out cells there are none, but the model says which cells are unlike all that it learned from.
    assert set(small.obs["annotation_status"].dropna()) <= {"unfamiliar"}
    assert small.uns["annotation"]["calibration"]["method"] == "none"
    assert "not calibrated" in str(sca.get.report(small))
    small.write_h5ad(tmp_path / "a.h5ad")
    back = ad.read_h5ad(tmp_path / "a.h5ad")
    assert_same_results(back, small)
    assert str(sca.get.report(back)) == str(sca.get.report(small))


def test_what_needs_held_out_cells_says_that_there_never_were_any(small: AnnData, file: Path, tmp_path: Path) -> None:
    model = sca.tl.convert_celltypist(file, trust_pickle=True)
    sca.tl.annotate(small, sca.load(model.save(tmp_path / "m.safetensors")))
    for look in (sca.get.sets, sca.pl.reliability, sca.pl.confusion):
        with pytest.raises(sca.errors.StorageError, match=r"nothing from held-out cells: a converted CellTypist model"):
            look(small)
    assert str(sca.get.report(small)).count("a converted CellTypist model") == 1
    sca.tl.evidence(small)
    assert len(sca.get.evidence(small))


def test_a_backed_object_gets_the_same(small: AnnData, file: Path, tmp_path: Path) -> None:
    model = sca.tl.convert_celltypist(file, trust_pickle=True)
    small.write_h5ad(tmp_path / "a.h5ad")
    backed = ad.read_h5ad(tmp_path / "a.h5ad", backed="r")
    with sca.settings.override(block_size=97):
        sca.tl.annotate(backed, model)
    sca.tl.annotate(small, model)
    np.testing.assert_allclose(backed.obsm["annotation_proba"], small.obsm["annotation_proba"], atol=1e-6)
    backed.file.close()


def test_the_genes_behind_the_calls(small: AnnData, file: Path) -> None:
    """Taking away the genes that push hardest lowers the scores of the calls more than taking away others."""
    model = sca.tl.convert_celltypist(file, trust_pickle=True)
    X = small.X.toarray()
    codes = model.annotator.log_odds(X).argmax(axis=1)
    evidence = model.annotator.gene_evidence(X, codes)
    without, others = X.copy(), X.copy()
    rows = np.arange(len(X))[:, None]
    generator = np.random.default_rng(0)
    without[rows, np.argsort(-evidence, axis=1)[:, :5]] = 0
    # As many others of the genes that the cell expresses.
    shuffled = np.argsort(-(generator.random(X.shape) * (X > 0)), axis=1)[:, :5]
    others[rows, shuffled] = 0

    def odds(Y: np.ndarray) -> np.ndarray:
        return model.annotator.log_odds(Y)[np.arange(len(Y)), codes]

    assert (odds(X) - odds(without)).mean() > 2 * (odds(X) - odds(others)).mean()


def test_the_evidence_needs_no_model(small: AnnData, file: Path, tmp_path: Path) -> None:
    """Values beyond ten standard deviations, and sigmoids that are 0 in all digits, are as in the model itself."""
    model = sca.tl.convert_celltypist(file, trust_pickle=True)
    X = small.X.toarray()
    most = model.annotator.limits()
    assert (X > most).any(), "no value is limited, and nothing is tested"
    small.X = csr_matrix(X)
    sca.tl.annotate(small, model)
    small.write_h5ad(tmp_path / "a.h5ad")
    tables = []
    for adata in (small, ad.read_h5ad(tmp_path / "a.h5ad")):
        for with_model in (None, model):
            sca.tl.evidence(adata, model=with_model, n_genes=20)
            assert adata.uns["annotation"]["evidence"]["agreement"] == 1
            tables.append(sca.get.evidence(adata))
    for table in tables[1:]:
        assert table["gene"].tolist() == tables[0]["gene"].tolist()
        np.testing.assert_allclose(table["contribution"], tables[0]["contribution"], rtol=1e-4, atol=1e-5)


def test_evidence_where_every_sigmoid_is_zero(small: AnnData) -> None:
    found = parts(small)
    found["Model"].intercept_ = found["Model"].intercept_ - 1e4
    kept = SimpleNamespace(classifier=found["Model"], scaler=found["Scaler_"], description={})
    sca.tl.annotate(small, sca.tl.convert_celltypist(kept))
    sca.tl.evidence(small)
    assert small.uns["annotation"]["evidence"]["agreement"] > 0.99


def test_a_cell_that_no_type_fits_is_not_confident(small: AnnData) -> None:
    found = parts(small)
    found["Model"].intercept_ = found["Model"].intercept_ - 1e4
    model = sca.tl.convert_celltypist(
        SimpleNamespace(classifier=found["Model"], scaler=found["Scaler_"], description={})
    )
    sca.tl.annotate(small, model)
    assert (small.obs["annotation"].astype(str) == theirs(found, small)[1]).all()
    assert (small.obs["annotation_confidence"] < 0.11).all()


def test_types_fitted_together_are_found_out(small: AnnData, tmp_path: Path) -> None:
    """CellTypist's `multi_class="ovr"` is gone from scikit-learn; without it the regression is multinomial."""
    found = parts(small, "multinomial")
    kept = SimpleNamespace(classifier=found["Model"], scaler=found["Scaler_"], description={})
    with pytest.warns(ScAnnotateWarning, match="fitted together"):
        model = sca.tl.convert_celltypist(kept)
    scaled = np.minimum(found["Scaler_"].transform(small.X.toarray()), 10)
    np.testing.assert_allclose(model.annotator.predict_proba(small.X), found["Model"].predict_proba(scaled), atol=1e-5)
    sca.tl.annotate(small, sca.load(model.save(tmp_path / "m.safetensors")))
    assert (small.obs["annotation"].astype(str) == theirs(found, small)[1]).all()
    assert "softmax" in str(sca.get.report(small))
    # What the file says of itself may be wrong; that the coefficients sum to 0 is not.
    found["Model"].multi_class = "ovr"
    with pytest.warns(ScAnnotateWarning, match="fitted together"):
        sca.tl.convert_celltypist(kept)


def test_types_fitted_one_by_one_are_believed(small: AnnData) -> None:
    found = parts(small, "one by one")
    kept = SimpleNamespace(classifier=found["Model"], scaler=found["Scaler_"], description={})
    assert not sca.tl.convert_celltypist(kept).annotator.joint


# ---- what is refused


def test_a_pickle_is_read_on_request_only(file: Path) -> None:
    for wrong in (False, None, 1, "yes"):
        with pytest.raises(InputError, match="trust_pickle=True"):
            sca.tl.convert_celltypist(file, trust_pickle=wrong)  # type: ignore[arg-type]
    with pytest.raises(ModelFileError, match="convert_celltypist"):
        sca.load(file)


class Bomb:
    """Pickled, it creates a file when it is loaded."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> Any:
        return Path.touch, (self.target,)


@pytest.mark.parametrize(
    "where", ["beside", "description", "features", "classes_", "coef_", "attribute", "scaler", "Model"]
)
def test_a_hostile_model_runs_nothing(small: AnnData, tmp_path: Path, where: str) -> None:
    found, bomb = parts(small), Bomb(tmp_path / "boom")
    match where:
        case "beside":
            found["more"] = bomb
        case "description":
            found["description"]["details"] = bomb
        case "attribute":
            found["Model"].more = bomb
        case "scaler":
            found["Scaler_"].mean_ = np.array([bomb], dtype=object)
        case "Model":
            found["Model"] = bomb
        case _:
            setattr(found["Model"], where, np.array(["a", bomb], dtype=object))
    content = pickle.dumps(found)
    (tmp_path / "m.pkl").write_bytes(content)
    with pytest.raises(ModelFileError, match=r"pathlib.*Path.*nothing in it was run|getattr.*nothing in it was run"):
        sca.tl.convert_celltypist(tmp_path / "m.pkl", trust_pickle=True)
    assert not (tmp_path / "boom").exists()
    pickle.loads(content)
    assert (tmp_path / "boom").exists(), "the bomb is a dud and proves nothing"


def nest(kind: Any, width: int, depth: int) -> Any:
    """Few bytes in a file, which would be ``width ** depth`` items of an array."""
    out: Any = 1.0
    for _ in range(depth):
        out = kind([out] * width)
    return out


def changed(found: dict[str, Any], what: str) -> Any:
    model, scaler = found["Model"], found["Scaler_"]
    match what:
        case "no dict":
            return [model, scaler]
        case "no scaler":
            del found["Scaler_"]
        case "model and scaler swapped":
            found["Model"], found["Scaler_"] = scaler, model
        case "no coefficients":
            del model.coef_
        case "coefficients of other genes":
            model.coef_ = model.coef_[:, 1:]
        case "coefficients not finite":
            model.coef_ = model.coef_ * np.nan
        case "coefficients are text":
            model.coef_ = model.coef_.astype(str)
        case "intercepts missing":
            model.intercept_ = model.intercept_[1:]
        case "types repeat":
            model.classes_ = model.classes_[[0] * 10]
        case "types missing":
            model.classes_ = np.array([None] * 10)
        case "genes repeat":
            model.features = np.array(["a"] * 120)
        case "scale of zero":
            scaler.scale_ = scaler.scale_ * 0
        case "scale missing":
            scaler.scale_ = None
        case "scaler of other genes":
            scaler.mean_ = scaler.mean_[1:]
        case "made from scaled values":
            scaler.mean_ = scaler.mean_ - 1
        case "coefficients too large":
            model.coef_ = model.coef_.astype(float) * 1e300
        case "scale of nearly zero":
            scaler.scale_ = np.full(len(scaler.scale_), 1e-320)
        case "coefficients in lists":
            model.coef_ = nest(list, 10, 9)
        case "types in tuples":
            model.classes_ = nest(tuple, 2, 60)
        case "genes in arrays":
            model.features = np.array([None, nest(tuple, 2, 60)], dtype=object)
        case "a long name":
            # As wide as this for each of them, the array would take a terabyte.
            model.features = np.array(["x" * 10**7, *(f"g{i}" for i in range(30_000))], dtype=object)
        case "half a character":
            model.features[0] = "\ud800"
    return found


CHANGES = (
    "no dict", "no scaler", "model and scaler swapped", "no coefficients", "coefficients of other genes",
    "coefficients not finite", "coefficients are text", "intercepts missing", "types repeat", "types missing",
    "genes repeat", "scale of zero", "scale missing", "scaler of other genes", "made from scaled values",
    "coefficients too large", "scale of nearly zero", "coefficients in lists", "types in tuples", "genes in arrays",
    "a long name", "half a character",
)  # fmt: skip


@pytest.mark.parametrize("what", CHANGES)
def test_no_whole_model(small: AnnData, tmp_path: Path, what: str) -> None:
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(changed(parts(small), what)))
    with pytest.raises(ModelFileError, match="CellTypist model"):
        sca.tl.convert_celltypist(tmp_path / "m.pkl", trust_pickle=True)


def test_another_loss_is_refused(small: AnnData) -> None:
    found = parts(small, "hinge")
    with pytest.raises(ModelFileError, match="'hinge', not logistic"):
        sca.tl.convert_celltypist(SimpleNamespace(classifier=found["Model"], scaler=found["Scaler_"], description={}))


def test_a_description_is_told_on_one_line(small: AnnData, tmp_path: Path) -> None:
    """What a stranger wrote neither breaks the card nor reaches the terminal as a command."""
    found = parts(small)
    found["description"] = {
        "date": "2025\n  scores      perfect\x1b[31m",
        "de\ud800tails": "a\ud800b",
        "n": np.int64(3),
    }
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(found))
    model = sca.tl.convert_celltypist(tmp_path / "m.pkl", trust_pickle=True)
    found = model.provenance.converted_from
    assert (found["date"], found["de tails"], found["n"]) == ("2025 scores perfect [31m", "a b", "3")
    assert str(sca.load(model.save(tmp_path / "m.safetensors"))) == str(model)


def test_without_means_however_that_is_written(small: AnnData, tmp_path: Path) -> None:
    found = parts(small)
    ids = []
    for flag in (False, np.bool_(False), True):
        found["Scaler_"].with_mean = flag
        (tmp_path / "m.pkl").write_bytes(pickle.dumps(found))
        ids.append(sca.tl.convert_celltypist(tmp_path / "m.pkl", trust_pickle=True).id)
    assert ids[0] == ids[1] != ids[2]


def test_an_object_of_something_else() -> None:
    with pytest.raises(ModelFileError, match="list and NoneType instead of a logistic regression"):
        sca.tl.convert_celltypist(SimpleNamespace(classifier=[1], scaler=None, description={}))


@pytest.mark.parametrize("source", [3, None, object()])
def test_what_is_no_model(source: Any) -> None:
    with pytest.raises(InputError, match="must be the path of a CellTypist model"):
        sca.tl.convert_celltypist(source, trust_pickle=True)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="there is no file"):
        sca.tl.convert_celltypist(tmp_path / "none.pkl", trust_pickle=True)
    (tmp_path / "text.pkl").write_text("no pickle at all")
    with pytest.raises(ModelFileError, match=r"refused|not a complete pickle"):
        sca.tl.convert_celltypist(tmp_path / "text.pkl", trust_pickle=True)


def test_too_few_genes_in_common(small: AnnData, file: Path) -> None:
    model = sca.tl.convert_celltypist(file, trust_pickle=True)
    small.var_names = [f"ENSG{i:011d}" for i in range(small.n_vars)]
    with pytest.raises(sca.errors.GeneError, match="0 genes in common"):
        sca.tl.annotate(small, model)


@pytest.mark.slow
def test_scikit_learn_is_not_imported(file: Path) -> None:
    code = (
        "import sys, sc_annotate as sca; "
        f"sca.tl.convert_celltypist({str(file)!r}, trust_pickle=True); "
        "assert not {'sklearn', 'celltypist', 'joblib', 'scanpy', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# ---- the command line


def test_convert_on_the_command_line(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "m.safetensors"
    assert main(["convert", str(file), str(out)]) == 1
    assert "--trust-pickle" in capsys.readouterr().err
    assert main(["convert", str(file), str(out), "--trust-pickle"]) == 0
    assert "written to" in capsys.readouterr().out
    assert sca.load(out).method == "celltypist"
    assert main(["convert", str(file), str(out), "--trust-pickle"]) == 1
    assert "--force" in capsys.readouterr().err
    assert main(["convert", str(file), str(out), "--trust-pickle", "--force"]) == 0
    assert main(["convert", str(file), str(tmp_path / "m.pkl2"), "--trust-pickle"]) == 1


# ---- celltypist itself


@pytest.fixture(scope="module")
def oracle(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    if find_spec("celltypist") is None:
        pytest.skip("celltypist is not installed: pip install celltypist")
    script = Path(__file__).with_name("celltypist_oracle.py")

    def make(folder: Path) -> None:
        done = subprocess.run(
            [sys.executable, str(script), str(folder)],
            env={**os.environ, "CELLTYPIST_FOLDER": str(folder / "home")},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-2000:]

    folder = once(tmp_path_factory, "celltypist", make)
    return folder, np.load(folder / "theirs.npz")


@pytest.mark.slow
@pytest.mark.parametrize("part", ["all", "third"])
@pytest.mark.parametrize("name", VARIANTS)
def test_equals_celltypist(pbmc: AnnData, oracle: tuple[Path, Any], name: str, part: str) -> None:
    """Identical labels, and scores within 1e-6, also where two of three genes are missing."""
    folder, found = oracle
    model = sca.tl.convert_celltypist(folder / f"{name}.pkl", trust_pickle=True)
    query = pbmc if part == "all" else pbmc[:, ::3].copy()
    sca.tl.annotate(query, model)
    assert (query.obs["annotation"].astype(str) == found[f"{name}/{part}/labels"]).all()
    assert found[f"{name}/{part}/types"].tolist() == model.classes.tolist()
    X = np.tile(model.means, (query.n_obs, 1))
    names = model.names["var_names"]
    shared = np.isin(names, query.var_names)
    X[:, shared] = query[:, names[shared]].X.toarray()
    np.testing.assert_allclose(model.annotator.scores(X), found[f"{name}/{part}/scores"], atol=1e-6)
