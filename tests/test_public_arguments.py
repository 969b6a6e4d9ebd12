"""Every public function names the argument that was meant, takes a Generator as `rng`, and stays a plain function."""

from __future__ import annotations

import inspect
import pickle
import traceback
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import sc_annotate as sca
from sc_annotate._core.arguments import public
from sc_annotate.errors import ArgumentError, InputError, MethodError

if TYPE_CHECKING:
    from collections.abc import Callable

    from anndata import AnnData

NAMESPACES = (
    "tl",
    "pp",
    "pl",
    "get",
    "metrics",
    "trust",
    "datasets",
    "benchmark",
    "annotators",
    "predictors",
    "testing",
    "models",
)
FUNCTIONS: dict[str, Callable[..., Any]] = {
    f"{space}.{name}": getattr(getattr(sca, space), name)
    for space in NAMESPACES
    for name in getattr(sca, space).__all__
    if inspect.isfunction(getattr(getattr(sca, space), name))
} | {name: getattr(sca, name) for name in ("load", "register_annotator", "register_encoder", "register_predictor")}
FREE = [name for name, f in FUNCTIONS.items() if "**" in str(inspect.signature(f))]
"""Functions that hand any keyword on."""


@pytest.mark.parametrize("name", list(FUNCTIONS))
def test_an_unknown_argument(name: str) -> None:
    function = FUNCTIONS[name]
    own = list(inspect.signature(function).parameters)
    with pytest.raises(ArgumentError) as caught:
        function(**({} if name in FREE else {"no_such_argument": 1}), **({"x": 1} if name in FREE else {}))
    assert isinstance(caught.value, TypeError)
    assert isinstance(caught.value, InputError)
    assert name in FREE or "has no argument no_such_argument" in str(caught.value)
    assert all(each in str(caught.value) for each in own)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    # The call, and the one frame that refuses it.
    assert len(traceback.extract_tb(caught.value.__traceback__)) == 2


@pytest.mark.parametrize("name", list(FUNCTIONS))
def test_it_stays_a_plain_function(name: str) -> None:
    function = FUNCTIONS[name]
    assert pickle.loads(pickle.dumps(function)) is function
    assert function.__doc__
    assert name in FREE or "kwargs" not in inspect.signature(function).parameters
    rng = inspect.signature(function).parameters.get("rng")
    assert rng is None or rng.kind is rng.KEYWORD_ONLY or name == "predictors.refits"


@pytest.mark.parametrize(
    ("name", "wrong", "words"),
    [
        ("tl.annotate", "labels", "Did you mean labels_key?"),
        ("tl.annotate", "label_key", "Did you mean labels_key?"),
        ("tl.annotate", "labels_keys", "Did you mean labels_key?"),
        ("tl.annotate", "random_state", "Did you mean rng?"),
        ("tl.annotate", "seed", "Did you mean rng?"),
        ("tl.annotate", "n_jobs", "set sca.settings.n_threads instead"),
        ("tl.annotate", "threshold", "obs[f'{key_added}_status']"),
        ("tl.annotate", "use_GPU", "it runs on CPUs"),
        ("tl.annotate", "inplace", "pass adata.copy()"),
        ("tl.annotate", "markers", "sca.tl.annotate_markers(adata, markers)"),
        ("tl.annotate", "n_hvg", "Did you mean n_top_genes?"),
        ("tl.annotate", "calibration", "Did you mean trust?"),
        ("tl.annotate", "n_threads", "annotate has no argument n_threads: set sca.settings.n_threads instead."),
        ("pl.confusion", "labels_key", "Did you mean truth?"),
        ("pl.confusion", "label_key", "Did you mean truth?"),
        ("tl.vote", "threshold", "Did you mean min_share?"),
        ("tl.vote", "cluster_key", "Did you mean groupby?"),
        ("tl.vote", "seed", "it uses no random numbers"),
        ("tl.fit_annotator", "random_seed", "Did you mean rng?"),
        ("tl.predict_perturbation", "seed", "Did you mean rng?"),
        ("pp.perturbation_profiles", "condition_key", "Did you mean perturbation_key?"),
        ("benchmark.annotators", "cv_folds", "Did you mean cv?"),
    ],
)
def test_words_of_other_packages(name: str, wrong: str, words: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        FUNCTIONS[name](**{wrong: 1})
    assert f"has no argument {wrong}" in str(caught.value)
    assert words in str(caught.value)


def test_cluster_votes_are_named() -> None:
    with pytest.raises(ArgumentError, match=r"vote"):
        sca.tl.annotate(1, majority_voting=True)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: sca.tl.annotate(1, 2, "c", "logreg"), "3 arguments by position (adata, reference, labels_key), and 1 more was"),
        (lambda: sca.tl.vote(1, 2, 3, 4), "2 more were passed: write them by name, such as key=."),
        (lambda: sca.tl.annotate(), "annotate needs adata."),
        (lambda: sca.tl.vote(1, "c", groupby="c"), "got groupby twice"),
        (lambda: sca.trust.Options(calibrate=None), "Did you mean calibration?"),
    ],
)  # fmt: skip
def test_what_else_python_refuses(call: Callable[[], Any], words: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        call()
    assert words in str(caught.value)


def test_a_type_error_from_within_stays_as_it_is() -> None:
    def inner(x: int) -> int:
        return x

    @public
    def f(x: int) -> Any:
        return inner(no_such=x)  # type: ignore[call-arg]

    with pytest.raises(TypeError) as caught:
        f(1)
    assert not isinstance(caught.value, ArgumentError)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ("svm", "'linear_svm'"),
        ("SVC", "'linear_svm'"),
        ("logistic_regression", "'logreg'"),
        ("rf", "'random_forest'"),
        ("Random Forest", "'random_forest'"),
        ("xgboost", "'gradient_boosting'"),
        ("SingleR", "'correlation'"),
        ("scarches", "which is not built in"),
        ("scGPT", "which is not built in"),
        ("logrge", "'logreg'"),
        ("neural network", "'mlp'"),
    ],
)
def test_near_names_of_methods(wrong: str, words: str, pair: tuple[AnnData, AnnData]) -> None:
    reference, query = pair
    with pytest.raises(MethodError) as caught:
        sca.tl.annotate(query, reference, "cell_type", method=wrong)
    assert words in str(caught.value)
    assert "There are: logreg" in str(caught.value)


@pytest.mark.slow
def test_a_generator_gives_one_seed_which_is_recorded(pair: tuple[AnnData, AnnData]) -> None:
    reference, query = pair
    again = query.copy()
    rng = np.random.default_rng(3)
    expected = [int(np.random.default_rng(3).integers(2**32, size=2)[i]) for i in range(2)]
    quick: dict[str, Any] = {"method": "random_forest", "method_kwargs": {"n_trees": 5}, "cv": 0}
    sca.tl.annotate(query, reference, "cell_type", rng=rng, **quick)
    seed = query.uns["annotation"]["params"]["rng"]
    assert type(seed) is int
    assert seed == expected[0]
    sca.tl.annotate(again, reference, "cell_type", rng=seed, **quick)
    np.testing.assert_array_equal(query.obsm["annotation_proba"], again.obsm["annotation_proba"])
    sca.tl.annotate(query, reference, "cell_type", rng=rng, **quick)
    assert query.uns["annotation"]["params"]["rng"] == expected[1]


@pytest.mark.parametrize(
    "call",
    [
        lambda rng: sca.datasets.simulate_reference(60, 30, 3, rng=rng).X.toarray(),
        lambda rng: sca.datasets.simulate_perturb_seq(100, 30, 4, 0, rng=rng).X.toarray(),
        lambda rng: sca.metrics.expected_calibration_error_if_calibrated([0.2, 0.7, 0.9], rng=rng),
        lambda rng: np.concatenate(
            [
                array.ravel()
                for array in sca.trust.Profiles()
                .fit(np.tile(np.eye(8) + 1, (20, 1)), np.arange(160) % 2, rng=rng)
                .to_arrays()[0]
                .values()
            ]
        ),
    ],
    ids=["simulate_reference", "simulate_perturb_seq", "calibration", "profiles"],
)
def test_generators_are_taken_everywhere(call: Callable[[Any], Any]) -> None:
    seed = int(np.random.default_rng(5).integers(2**32))
    np.testing.assert_array_equal(call(np.random.default_rng(5)), call(seed))


@pytest.mark.parametrize("rng", [None, "0", -1, 1.0, np.random.RandomState(0), np.random.SeedSequence(0)])
def test_other_seeds_are_refused(rng: Any, pair: tuple[AnnData, AnnData]) -> None:
    with pytest.raises(InputError, match=r"rng must be an integer from 0 .* or a numpy.random.Generator"):
        sca.tl.annotate(pair[1], pair[0], "cell_type", rng=rng)
