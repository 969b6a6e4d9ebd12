"""Every annotator of the registry keeps the contract, and what it saves it can predict with, without scikit-learn."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest

from sc_annotate._core import registry
from sc_annotate.testing import check_annotator, easy_task

SMALL = {
    "random_forest": {"n_trees": 30},
    "gradient_boosting": {"n_rounds": 10},
    "mlp": {"epochs": 15},
    "mlp_torch": {"hidden": 32, "epochs": 12, "learning_rate": 1e-2},
    "nact": {"rank": 8, "feed_forward": 16, "epochs": 25, "learning_rate": 1e-2},
    "actinn": {"epochs": 30, "learning_rate": 1e-2},
}
EXTRAS = {None} | ({"torch"} if find_spec("torch") and find_spec("lightning") else set())
METHODS = [m for m in registry.table("annotation").values() if m.source == "sc_annotate" and m.extra in EXTRAS]
NAMES = [m.name for m in METHODS]


def make(name):
    return registry.make("annotation", name, SMALL.get(name))


@pytest.mark.parametrize("name", [n for n in NAMES if n != "majority"])
def test_conforms(name):
    check_annotator(registry.load(registry.get("annotation", name)), **SMALL.get(name, {}))


@pytest.mark.parametrize("method", METHODS, ids=NAMES)
def test_record_and_class_agree(method):
    declared = registry.declared("annotation", registry.load(method))
    assert all(declared[name] == getattr(method, name) for name in ("inputs", "saves", "deep", "transductive"))


@pytest.mark.parametrize("kind", ["object", "string", "category", "list"])
def test_labels_of_any_kind(kind):
    task = easy_task()
    y = task.y.tolist() if kind == "list" else pd.Series(task.y).astype(kind).array
    for name in ("logreg", "linear_svm"):
        model = make(name).fit(task.X, y, genes=task.genes)
        again = make(name).fit(task.X, task.y, genes=task.genes)
        assert model.classes_.dtype.kind == "U"
        assert np.array_equal(model.predict_proba(task.test_X), again.predict_proba(task.test_X))


# Of the others the random draws depend on the number of genes; majority looks at none.
@pytest.mark.parametrize(
    "name",
    [
        n
        for n in NAMES
        if n not in {"random_forest", "gradient_boosting", "mlp", "mlp_torch", "actinn", "nact", "majority"}
    ],
)
def test_a_gene_that_never_varies_changes_nothing(name):
    task = easy_task()
    constant = np.hstack([task.X, np.full((150, 1), 2.5, np.float32)])
    test = np.hstack([task.test_X, np.full((len(task.test_X), 1), 2.5, np.float32)])
    plain = make(name).fit(task.X, task.y, genes=task.genes).predict_proba(task.test_X)
    more = make(name).fit(constant, task.y, genes=np.append(task.genes, "constant")).predict_proba(test)
    assert np.isfinite(more).all()
    assert np.array_equal(plain.argmax(axis=1), more.argmax(axis=1))


READ_BACK = """
import json
import sys
import numpy as np
from sc_annotate._core import registry

stored = np.load(sys.argv[1])
for name in ("logreg", "logreg_pca", "linear_svm", "lda", "nearest_centroid", "naive_bayes", "correlation", "knn", "mlp"):
    arrays = {k.split("|")[1]: stored[k] for k in stored.files if k.startswith(name + "|")}
    cls = registry.load(registry.get("annotation", name))
    model = cls.from_arrays(arrays, json.loads(str(stored["state_" + name])), stored["classes"])
    assert np.array_equal(model.predict_proba(stored["X"]), stored["proba_" + name]), name
loaded = {"sklearn", "pandas", "anndata"} & set(sys.modules)
assert not loaded, loaded
"""


@pytest.mark.slow
def test_models_read_back_predict_without_sklearn(tmp_path):
    task = easy_task()
    out = {"X": task.test_X, "classes": np.unique(task.y)}
    for name in (
        "logreg",
        "logreg_pca",
        "linear_svm",
        "lda",
        "nearest_centroid",
        "naive_bayes",
        "correlation",
        "knn",
        "mlp",
    ):
        model = make(name).fit(task.X, task.y, genes=task.genes)
        arrays, state = model.to_arrays()
        out |= {f"{name}|{key}": array for key, array in arrays.items()}
        out[f"state_{name}"] = np.array(json.dumps(state))
        out[f"proba_{name}"] = model.predict_proba(task.test_X)
    np.savez(tmp_path / "models.npz", **out)
    subprocess.run([sys.executable, "-c", READ_BACK, str(tmp_path / "models.npz")], check=True)


@pytest.mark.parametrize("name", NAMES)
def test_a_generator_is_a_seed(name):
    """One integer is drawn of it, and the method sees that."""
    task = easy_task()
    seed = int(np.random.default_rng(7).integers(2**32))
    drawn = make(name).fit(task.X, task.y, genes=task.genes, rng=np.random.default_rng(7))
    known = make(name).fit(task.X, task.y, genes=task.genes, rng=seed)
    np.testing.assert_array_equal(drawn.predict_proba(task.test_X), known.predict_proba(task.test_X))
