"""Neighbours, gene sets and the other screen: by hand, against scikit-learn, and against fitting again."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

from sc_annotate.errors import InputError, MethodError
from sc_annotate.predictors import Embedding, Screen, leave_one_out, read_gmt, refits
from sc_annotate.predictors.knn import NearestPerturbations, neighbour_weights
from sc_annotate.predictors.mean import Mean
from sc_annotate.predictors.ridge import GeneSetRidge
from sc_annotate.predictors.transfer import Transfer

RNG = np.random.default_rng(0)
NAMES = [f"G{i:02d}" for i in range(30)]


def clustered(n=20, p=40, noise=0.1, seed=0):
    """Effects of four kinds; the kind of a target is the remainder of its number."""
    rng = np.random.default_rng(seed)
    kind = np.arange(n) % 4
    effect = rng.normal(size=(4, p))
    control = rng.gamma(1.0, 1.0, p)
    genes = [*NAMES[: p - 10], *(f"H{i}" for i in range(10))] if p == 40 else [f"H{i}" for i in range(p)]
    targets = [(f"G{i:02d}",) for i in range(n)]
    return Screen(genes, control, control + effect[kind] + noise * rng.normal(size=(n, p)), targets), effect


SETS = {f"kind {k}": [f"G{i:02d}" for i in range(k, 30, 4)] for k in range(4)} | {"all": NAMES}
PLACES = Embedding(NAMES, np.eye(4)[np.arange(30) % 4] + 0.05 * RNG.normal(size=(30, 4)))


def same_as_fitting_again(model, screen, new):
    short = list(leave_one_out(model, screen, new))
    plain = list(refits(lambda: type(model)(**model.params()), screen, new, 0))
    assert len(short) == len(plain)
    for (own, others), (own_again, others_again) in zip(short, plain, strict=True):
        np.testing.assert_allclose(own, own_again, rtol=0, atol=1e-8)
        np.testing.assert_allclose(others, others_again, rtol=0, atol=1e-8)


# ---- neighbours


def test_weights_of_neighbours():
    training = np.array([[1.0, 0.0], [0.9, 0.1], [-1.0, 0.2], [-0.9, -0.3]])
    weights = neighbour_weights(training, np.array([[1.0, 0.05], [-1.0, 0.0]]), 2)
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    assert (weights[0, 2:] == 0).all()
    assert (weights[1, :2] == 0).all()
    assert (weights >= 0).all()


def test_weights_where_there_is_nothing_to_choose_by():
    # All alike, fewer rows than neighbours, and a column that never varies.
    np.testing.assert_allclose(neighbour_weights(np.ones((3, 2)), np.ones((1, 2)), 2), [[0.5, 0.5, 0]])
    np.testing.assert_allclose(neighbour_weights(np.ones((1, 2)), np.zeros((1, 2)), 5), [[1.0]])
    one = neighbour_weights(np.array([[0.0, 7.0], [1.0, 7.0]]), np.array([[1.0, 9.0]]), 1)
    np.testing.assert_allclose(one, [[0.0, 1.0]])


def test_neighbours_find_the_kind():
    screen, effect = clustered()
    model = NearestPerturbations(n_neighbors=4, perturbation_embedding=PLACES).fit(screen)
    predicted = model.predict([("G20",), ("G21",)])
    np.testing.assert_allclose(predicted - screen.control, effect[:2], atol=0.35)
    error = np.abs(predicted - screen.control - effect[:2]).mean()
    assert error < 0.2 * np.abs(Mean().fit(screen).predict([("G20",), ("G21",)]) - screen.control - effect[:2]).mean()


@pytest.mark.parametrize("given", [None, PLACES])
@pytest.mark.parametrize("k", [1, 3, 50])
def test_neighbours_without_one_condition(given, k):
    screen, _ = clustered()
    screen = Screen(screen.genes, screen.control, screen.mean, [*screen.targets[:-2], ("G00", "G01"), ("NOT",)])
    model = NearestPerturbations(n_neighbors=k, n_components=5, perturbation_embedding=given)
    same_as_fitting_again(model, screen, [("G20",), ("NO",), ("G00", "G21"), ()])


def test_reasons_of_neighbours():
    screen, _ = clustered()
    assert "not among the genes" in NearestPerturbations().fit(screen).why_not([("Z",)])[0]
    model = NearestPerturbations(perturbation_embedding=Embedding(["Q"], [[1.0]])).fit(screen)
    assert "there are no neighbours" in model.why_not([("Q",)])[0]
    assert "20 of 20 training conditions have no vector" in model.notes_[0]
    for params in ({"n_neighbors": 0}, {"n_components": True}, {"perturbation_embedding": {}}):
        with pytest.raises(MethodError, match=f"{next(iter(params))} must be"):
            NearestPerturbations(**params).fit(screen)


# ---- gene sets


def test_ridge_equals_scikit_learn():
    from sklearn.linear_model import Ridge

    screen, _ = clustered()
    model = GeneSetRidge(SETS, penalty=0.3).fit(screen)
    new = [("G20",), ("G00", "G21"), ("G05",)]

    def features(conditions):
        rows = np.array([[sum(t in s for t in c) / np.sqrt(len(s)) for s in SETS.values()] for c in conditions])
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    oracle = Ridge(alpha=0.3).fit(features(screen.targets), screen.delta)
    expected = screen.control + oracle.predict(features(new))
    np.testing.assert_allclose(model.predict(new), expected, rtol=0, atol=1e-10)


def test_ridge_learns_and_chooses_its_penalty():
    screen, effect = clustered(noise=0.3)
    model = GeneSetRidge(SETS).fit(screen)
    assert "chose penalty=" in model.notes_[0]
    predicted = model.predict([(name,) for name in NAMES[20:24]]) - screen.control
    assert np.linalg.norm(predicted - effect) < 0.5 * np.linalg.norm(screen.delta.mean(axis=0) - effect)

    def error(penalty):
        folds = refits(lambda: GeneSetRidge(SETS, penalty=penalty), screen, [], 0)
        return np.mean([np.linalg.norm(own - truth) for (own, _), truth in zip(folds, screen.mean, strict=True)])

    assert error(model.penalty_) <= min(error(x) for x in (0.01, 0.1, 1.0, 10.0, 100.0)) + 1e-9
    noise = GeneSetRidge({f"s{i}": RNG.choice(NAMES, 8).tolist() for i in range(20)} | {"all": NAMES}).fit(screen)
    assert noise.penalty_ > model.penalty_


@pytest.mark.parametrize("penalty", [0.05, 3.0])
def test_ridge_without_one_condition(penalty):
    screen, _ = clustered()
    screen = Screen(screen.genes, screen.control, screen.mean, [*screen.targets[:-2], ("G00", "G01"), ("NOT",)])
    same_as_fitting_again(GeneSetRidge(SETS, penalty=penalty), screen, [("G20",), ("NO",), ("G00", "G21"), ()])
    # With the penalty chosen, the folds are fits at the penalty that suits the other conditions.
    for i, (own, _) in enumerate(leave_one_out(GeneSetRidge(SETS), screen)):
        rest = screen.select(np.delete(np.arange(20), i))
        candidates = [GeneSetRidge(SETS, penalty=x).fit(rest).predict([screen.targets[i]])[0] for x in (0.01, 1e4)]
        assert np.isnan(own).all() if i == 19 else np.isfinite(own).all()
        assert i == 19 or not any(np.allclose(own, c) for c in candidates[1:])


def test_reasons_of_ridge():
    screen, _ = clustered()
    model = GeneSetRidge({"a": ["G00", "G01", "Q"]}).fit(screen)
    assert model.n_conditions_ == 2
    assert "18 of 20 training conditions have a target in none" in model.notes_[0]
    assert model.why_not([("Q",), ("X", "Y"), ("Q", "Z")]).tolist() == [
        "",
        "targets X, Y are in none of the gene sets",
        "target Z is in none of the gene sets",
    ]
    none = GeneSetRidge({"a": ["Q"]}).fit(screen)
    assert "nothing could be learnt" in none.why_not([("Q",)])[0]
    assert np.isnan(none.predict([("Q",)])).all()
    assert all(np.isnan(own).all() for own, _ in leave_one_out(GeneSetRidge({"a": ["Q"]}), screen))
    one = GeneSetRidge({"a": ["G00", "Q"]}).fit(screen)
    np.testing.assert_allclose(one.predict([("Q",)])[0], screen.mean[0])
    same_as_fitting_again(GeneSetRidge({"a": ["G00", "Q"]}), screen, [("Q",)])
    for params in ({}, {"gene_sets": {}}, {"gene_sets": ["a"]}):
        with pytest.raises(MethodError, match="gene_sets must be a dict"):
            GeneSetRidge(**params).fit(screen)
    for penalty in (0, -1.0, "a", True):
        with pytest.raises(MethodError, match="penalty must be"):
            GeneSetRidge(SETS, penalty=penalty).fit(screen)


def test_gmt(tmp_path):
    text = "ONE\thttp://x\tA\tB\tA\t\n\nTWO\t\tC,0.5\tD\n EMPTY \tnone\n"
    plain, packed = tmp_path / "sets.gmt", tmp_path / "sets.gmt.gz"
    plain.write_text(text)
    packed.write_bytes(gzip.compress(text.encode()))
    expected = {"ONE": ["A", "B"], "TWO": ["C", "D"], "EMPTY": []}
    assert read_gmt(plain) == read_gmt(str(packed)) == expected
    for content, message in (
        (b"no tabs here\n", "line 1 of"),
        (b"A\td\tX\nA\td\tY\n", "two sets named 'A'"),
        (b"\n", "no gene sets"),
        (b"\xff\xfe\x00\t", "not UTF-8 text at byte 0"),
        (gzip.compress(text.encode())[:-9], "cannot be read as a GMT file .*end-of-stream"),
    ):
        plain.write_bytes(content)
        with pytest.raises(InputError, match=message):
            read_gmt(plain)
    with pytest.raises(InputError, match="there is no file"):
        read_gmt(tmp_path / "absent.gmt")


# ---- the other screen


def two_lines(scale=0.5, noise=0.1, seed=0):
    rng = np.random.default_rng(seed)
    there = rng.normal(size=(25, 40))
    genes = np.array([f"g{i}" for i in range(40)])
    targets = [(name,) for name in NAMES[:25]]
    other = Screen(genes[::-1], np.full(40, 2.0), 2.0 + there[:, ::-1], targets)
    here = 0.3 + scale * there + noise * rng.normal(size=there.shape)
    ours = Screen(genes, np.ones(40), 1.0 + here, targets)
    return other, ours


@pytest.mark.parametrize("per_gene", [False, True])
def test_transfer_learns_scale_and_offset(per_gene):
    other, ours = two_lines()
    train, test = ours.select(np.arange(15)), ours.select(np.arange(15, 25))
    model = Transfer(other, penalty=1e-3, per_gene=per_gene).fit(train)
    assert model.n_shared_ == 15
    np.testing.assert_allclose(model.scale_.mean(), 0.5, atol=0.03)
    np.testing.assert_allclose(model.offset_.mean(), 0.3, atol=0.03)
    error = np.linalg.norm(model.predict(test.targets) - test.mean, axis=1).mean()
    assert error < 0.3 * np.linalg.norm(Mean().fit(train).predict(test.targets) - test.mean, axis=1).mean()


def test_transfer_equals_least_squares_as_the_penalty_vanishes():
    other, ours = two_lines()
    model = Transfer(other, penalty=1e-12, per_gene=True).fit(ours)
    x = other.delta[:, ::-1]
    for g in (0, 7, 39):
        slope, intercept = np.polyfit(x[:, g], ours.delta[:, g], 1)
        assert model.scale_[g] == pytest.approx(slope, abs=1e-8)
        assert model.offset_[g] == pytest.approx(intercept, abs=1e-8)


def test_transfer_says_nothing_where_the_other_screen_does_not():
    other, ours = two_lines(scale=0.0)
    model = Transfer(other, penalty=0.1).fit(ours)
    assert np.abs(model.scale_).max() < 0.05
    np.testing.assert_allclose(model.predict([("G01",)])[0], Mean().fit(ours).predict([("G01",)])[0], atol=0.15)


def test_transfer_with_nothing_in_common_carries_over():
    other, ours = two_lines()
    stranger = Screen(ours.genes, ours.control, ours.mean[:1], [("Q",)])
    model = Transfer(other).fit(stranger)
    np.testing.assert_allclose(model.predict([("G03",)])[0], 1.0 + other.delta[3, ::-1])
    assert "carried over as they are" in model.notes_[0]
    assert model.why_not([("Q",), ("A", "B")]).tolist() == [
        "Q was not measured in the other screen",
        "A+B was not measured in the other screen",
    ]


@pytest.mark.parametrize("per_gene", [False, True])
def test_transfer_without_one_condition(per_gene):
    other, ours = two_lines()
    ours = Screen(ours.genes, ours.control, ours.mean[:6], [*ours.targets[:5], ("Q",)])
    model = Transfer(other, per_gene=per_gene)
    same_as_fitting_again(model, ours, [("G20",), ("NO",), ()])
    same_as_fitting_again(model, ours.select([0, 5]), [("G20",)])
    same_as_fitting_again(model, ours.select([0, 1]), [("G20",)])


def test_transfer_of_other_genes():
    other, ours = two_lines()
    fewer = Screen(other.genes[:-10], other.control[:-10], other.mean[:, :-10], other.targets)
    model = Transfer(fewer).fit(ours)
    assert "10 of 40 genes are not in the other screen" in model.notes_[1]
    assert np.isfinite(model.predict([("G01",)])).all()
    np.testing.assert_allclose(model.predict([("G01",)])[0, :10], (1 + model.offset_)[:10])
    elsewhere = Screen([f"x{i}" for i in range(40)], other.control, other.mean, other.targets)
    for params, message in (
        ({}, "source must be the Screen"),
        ({"source": elsewhere}, "no gene in common"),
        ({"source": other, "penalty": 0}, "penalty must be"),
    ):
        with pytest.raises(MethodError, match=message):
            Transfer(**params).fit(ours)
