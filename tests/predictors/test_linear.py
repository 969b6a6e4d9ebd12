"""The linear model against a plain transcription of the paper's formulas, and what it says of itself."""

from __future__ import annotations

from time import perf_counter, process_time

import numpy as np
import pytest

from sc_annotate.errors import InputError, MethodError
from sc_annotate.predictors import Embedding, Screen, leave_one_out, refits, screen_embedding
from sc_annotate.predictors.linear import Linear
from sc_annotate.predictors.mean import Mean


def make(n=24, p=60, *, unread=0, doubles=0, matched=False, rank=3, noise=0.02, seed=0) -> Screen:
    """Targets whose place is alike act alike; `unread` of the singles are no read-out gene."""
    rng = np.random.default_rng(seed)
    genes = np.array([f"G{i:04d}" for i in range(p)])
    place = rng.standard_normal((p, rank))
    control = rng.gamma(0.6, 1.0, p)
    names = [*genes[: n - unread].tolist(), *(f"X{i}" for i in range(unread))]
    where = np.concatenate([np.arange(n - unread), rng.integers(0, p, unread)])
    effect = {name: 0.1 * place @ place[i] + 0.05 for name, i in zip(names, where, strict=True)}
    pairs = [(names[i], names[(i + 5) % n]) for i in range(doubles)]
    targets = [(name,) for name in names] + [tuple(sorted(pair)) for pair in pairs]
    delta = np.stack([sum(effect[name] for name in target) for target in targets])
    delta = delta + noise * rng.standard_normal(delta.shape)
    controls = control + 0.1 * rng.standard_normal(delta.shape) if matched else None
    return Screen(genes, control, delta + (control if controls is None else controls), targets, controls=controls)


def transcription(screen, asked, K=10, lam=0.1, G=None, P=None, P_control=None):
    """research formulas 1 to 6, condition by condition, in the paper's orientation (genes x conditions)."""
    genes = screen.genes.tolist()
    y0 = screen.control
    Y = np.column_stack([*screen.mean, y0])
    centred = Y - Y.mean(axis=0)
    u, s, _ = np.linalg.svd(centred, full_matrices=False)
    scores = u[:, :K] * s[:K]
    G = scores if G is None else G

    def row(target):
        if P is None:
            return scores[genes.index(target)] if target in genes else None
        return P.get(target)

    def vector(targets):
        rows = [row(t) for t in targets]
        if any(r is None for r in rows):
            return None
        zero = 0 if P_control is None else P_control
        return sum(r - zero for r in rows) + zero

    columns, vectors = [], []
    for targets, profile, control in zip(
        screen.targets,
        screen.mean,
        [y0] * len(screen.mean) if screen.controls is None else screen.controls,
        strict=True,
    ):
        p = vector(targets)
        if p is not None:
            columns.append(profile - control)
            vectors.append(p)
    columns.append(np.zeros_like(y0))
    vectors.append(np.zeros_like(vectors[0]) if P_control is None else P_control)
    D, Pm = np.column_stack(columns), np.stack(vectors)
    b = D.mean(axis=1, keepdims=True)
    W = (
        np.linalg.inv(G.T @ G + lam * np.eye(G.shape[1]))
        @ G.T
        @ (D - b)
        @ Pm
        @ np.linalg.inv(Pm.T @ Pm + lam * np.eye(Pm.shape[1]))
    )
    out = np.full((len(asked), len(y0)), np.nan)
    for i, targets in enumerate(asked):
        p = vector(targets)
        if p is not None:
            out[i] = G @ W @ p + b[:, 0] + y0
    return out


ASKED = [("G0030",), ("G0002",), ("G0031", "G0040"), ("NOT",), ("G0001", "G0050", "G0051")]
SHAPES = [
    {},
    {"matched": True},
    {"unread": 5},
    {"doubles": 6, "unread": 2, "matched": True},
    {"n": 5},
    {"n": 50, "p": 56},
]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(("K", "lam"), [(10, 0.1), (3, 5.0), (1, 1e-3)])
def test_equals_the_formulas(shape, K, lam):
    screen = make(**shape)
    got = Linear(n_components=K, penalty=lam).fit(screen).predict(ASKED)
    expected = transcription(screen, ASKED, K, lam)
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-8)
    assert np.isnan(got[3]).all()
    assert np.isfinite(got[[0, 1, 2, 4]]).all()


def embeddings(screen, d=4, seed=3):
    rng = np.random.default_rng(seed)
    genes = Embedding(screen.genes[::-1], rng.standard_normal((len(screen.genes), d)))
    names = sorted({t for targets in screen.targets for t in targets}) + ["G0030", "G0031", "G0040", "G0050", "G0051"]
    return genes, Embedding(np.array(names), rng.standard_normal((len(names), d + 1)))


@pytest.mark.parametrize("sides", ["genes", "targets", "both"])
@pytest.mark.parametrize("control_row", [False, True])
def test_embeddings_from_elsewhere_equal_the_formulas(sides, control_row):
    screen = make(doubles=4, unread=2)
    genes, targets = embeddings(screen)
    if control_row:
        targets = Embedding(np.append(targets.names, ""), np.vstack([targets.values, np.full(5, 0.7)]))
    use_genes, use_targets = sides != "targets", sides != "genes"
    model = Linear(
        gene_embedding=genes if use_genes else None, perturbation_embedding=targets if use_targets else None
    ).fit(screen)
    table = dict(zip(targets.names.tolist(), targets.values, strict=True))
    expected = transcription(
        screen,
        ASKED,
        G=genes.values[::-1] if use_genes else None,
        P=table if use_targets else None,
        P_control=table.get("") if use_targets else None,
    )
    np.testing.assert_allclose(model.predict(ASKED), expected, rtol=0, atol=1e-8)


def test_genes_without_an_embedding_get_the_offset_and_the_others_what_they_had():
    screen = make()
    genes, _ = embeddings(screen)
    part = Embedding(genes.names[:-20], genes.values[:-20])
    model = Linear(gene_embedding=part).fit(screen)
    predicted = model.predict([("G0030",), ("G0040",)])
    np.testing.assert_allclose(predicted[:, :20], np.tile((screen.control + model.offset_)[:20], (2, 1)), atol=1e-12)
    assert not np.allclose(predicted[0, 20:], predicted[1, 20:])
    assert "20 of 60 genes have no row in the gene embedding" in " ".join(model.notes_)


# ---- without one condition

LEFT_OUT = [
    {},
    {"n_components": 3, "penalty": 2.0},
    {"n_components": 40},
    {"tune": True},
]


@pytest.mark.parametrize("shape", [*SHAPES, {"n": 8, "p": 6, "unread": 3}], ids=str)
@pytest.mark.parametrize("params", LEFT_OUT[:3], ids=str)
@pytest.mark.parametrize("given", ["none", "genes", "targets"])
def test_the_short_cut_equals_fitting_again(shape, params, given):
    if given != "none" and shape.get("p"):
        pytest.skip("the embeddings of this test name sixty genes")
    screen = make(**shape)
    genes, targets = embeddings(screen) if given != "none" else (None, None)
    sides = {"genes": {"gene_embedding": genes}, "targets": {"perturbation_embedding": targets}, "none": {}}[given]
    model = Linear(**params, **sides)
    asked = [t for t in ASKED if set(t) <= {*screen.genes.tolist(), "NOT"}]
    short = list(leave_one_out(model, screen, asked))
    plain = list(refits(lambda: Linear(**params, **sides), screen, asked, 0))
    assert len(short) == len(plain) == len(screen.targets)
    for (own, others), (own_again, others_again) in zip(short, plain, strict=True):
        np.testing.assert_allclose(own, own_again, rtol=0, atol=1e-8)
        np.testing.assert_allclose(others, others_again, rtol=0, atol=1e-8)


def test_the_last_condition_with_a_vector_leaves_nothing_to_learn_from():
    screen = make(n=4, unread=3)
    folds = list(leave_one_out(Linear(), screen, [("G0030",)]))
    assert np.isnan(folds[0][0]).all()
    assert np.isnan(folds[0][1]).all()
    assert np.isfinite(folds[1][1]).all()
    assert np.isnan(folds[1][0]).all()


def test_a_screen_of_one_condition_cannot_lose_it():
    with pytest.raises(InputError, match="at least two conditions"):
        leave_one_out(Linear(), make(n=2).select([0]))


# ---- tuning


def test_tuning_chooses_what_errs_least_on_left_out_conditions():
    screen = make(n=14, noise=0.1, unread=2)
    model = Linear(tune=True).fit(screen)
    assert "leaving out each condition in turn chose" in model.notes_[0]

    def error(k, lam):
        folds = refits(lambda: Linear(n_components=k, penalty=lam), screen, [], 0)
        errors = [np.linalg.norm(own - truth) for (own, _), truth in zip(folds, screen.mean, strict=True)]
        return np.nanmean(errors)

    chosen = error(model.n_components_, model.penalty_)
    grid = [error(k, lam) for k in (1, 2, 3, 5, 10) for lam in 10.0 ** np.arange(-2, 7)]
    assert chosen == pytest.approx(min(grid), rel=1e-9)
    assert chosen < error(10, 0.1)
    fixed = Linear(n_components=model.n_components_, penalty=model.penalty_).fit(screen)
    # Two code paths, so equal but for rounding.
    np.testing.assert_allclose(model.predict(ASKED), fixed.predict(ASKED), rtol=1e-9)


def test_the_choice_for_a_left_out_condition_does_not_see_it():
    from sc_annotate.predictors._linear_folds import LeftOutErrors

    errors = LeftOutErrors([(1, 0.1), (2, 0.1)], np.array([[9.0, 0.0], [1.0, 2.0], [1.0, 2.0], [np.nan, np.nan]]))
    assert errors.best()[0] == (2, 0.1)
    # The prediction of a left-out condition does not move, whatever was measured of it.
    screen = make(n=12, noise=0.1)
    before = list(leave_one_out(Linear(tune=True), screen, [("G0030",)]))
    assert len(before) == 12
    changed = screen.mean.copy()
    changed[3] = screen.mean[3] + 5 * np.random.default_rng(1).normal(size=changed.shape[1])
    other = Screen(screen.genes, screen.control, changed, screen.targets, screen.controls)
    after = list(leave_one_out(Linear(tune=True), other, [("G0030",)]))
    np.testing.assert_allclose(after[3][0], before[3][0], rtol=1e-9)
    np.testing.assert_allclose(after[3][1], before[3][1], rtol=1e-9)
    assert not np.allclose(before[4][0], after[4][0])


def test_too_few_to_tune_by():
    model = Linear(tune=True, n_components=2).fit(make(n=4, unread=2))
    assert (model.n_components_, model.penalty_) == (2, 0.1)
    assert "nothing to tune by" in model.notes_[0]


# ---- what it is for


def test_it_learns_where_there_is_something_to_learn_and_falls_back_to_the_mean_where_not():
    whole = make(n=200, p=400, noise=0.02, seed=1)
    train, test = whole.select(np.arange(150)), whole.select(np.arange(150, 200))

    def error(model):
        return np.linalg.norm(model.fit(train).predict(test.targets) - test.mean, axis=1).mean()

    mean = error(Mean(include_control=True))
    assert error(Linear()) < 0.5 * mean
    assert error(Linear(penalty=1e12)) == pytest.approx(mean, rel=1e-6)


def test_vectors_of_another_screen():
    ours, theirs = make(n=40, p=80, seed=1), make(n=60, p=80, seed=1, noise=0.03)
    train, test = ours.select(np.arange(25)), ours.select(np.arange(25, 40))
    embedding = screen_embedding(theirs)
    assert embedding.values.shape == (61, 10)
    model = Linear(perturbation_embedding=embedding).fit(train)
    error = np.linalg.norm(model.predict(test.targets) - test.mean, axis=1).mean()
    assert error < 0.5 * np.linalg.norm(Mean().fit(train).predict(test.targets) - test.mean, axis=1).mean()
    assert str(model.why_not([("Z",)])[0]) == "target Z is not in the perturbation embedding"


# ---- what it says


def test_reasons_and_notes():
    model = Linear().fit(make(n=12, unread=4))
    assert model.why_not([("G0020",), ("STAT2",), ("A", "B"), ()]).tolist() == [
        "",
        "target STAT2 is not among the genes, so it has no embedding",
        "targets A, B are not among the genes, so they have no embedding",
        "it has no target: this is the control",
    ]
    notes = " ".join(model.notes_)
    assert "8 of 12 training conditions" in notes
    assert "(X0, X1, X2, X3)" in notes
    assert "8 training conditions are fewer than twice the 10 components" in notes
    assert Linear(n_components=2).fit(make(n=12)).notes_ == []
    assert "only 6 components" in " ".join(Linear().fit(make(n=5)).notes_)


def test_nothing_to_learn_from():
    model = Linear().fit(make(n=4, unread=4))
    assert "no training condition has a target" in model.why_not([("G0001",)])[0]
    assert np.isnan(model.predict([("G0001",)])).all()


@pytest.mark.parametrize(
    "params",
    [
        {"n_components": 0},
        {"n_components": 2.5},
        {"penalty": 0},
        {"penalty": "a"},
        {"gene_embedding": np.eye(3)},
        {"perturbation_embedding": {"A": 1}},
    ],
    ids=str,
)
def test_parameters_that_make_no_sense(params):
    with pytest.raises(MethodError, match=f"Linear: {next(iter(params))} must be"):
        Linear(**params).fit(make())


@pytest.mark.slow
def test_a_large_screen_takes_no_time():
    screen = make(n=300, p=5000, rank=8)

    def now():
        return np.array([perf_counter(), process_time()])

    start = now()
    Linear().fit(screen).predict(screen.targets)
    fitted = now()
    for _ in leave_one_out(Linear(), screen):
        pass
    left_out = now()
    # On a busy machine the clock runs on, and with many threads of the linear algebra that of the processors does.
    assert min(fitted - start) < 2
    assert min(left_out - fitted) < 10
