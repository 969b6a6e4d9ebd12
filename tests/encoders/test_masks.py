"""Which values a masked autoencoder hides, and that these cannot reach the encoder."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from sc_annotate.encoders.mae import MAE  # noqa: E402
from sc_annotate.encoders.masks import masks  # noqa: E402
from sc_annotate.errors import GeneError, MethodError  # noqa: E402

GENES = np.array([f"g{i}" for i in range(30)])
PROGRAMMES = {"one": list(GENES[:10]), "two": list(GENES[8:20]), "g29": list(GENES[20:26]), "small": ["g1", "g2"]}


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_random_masks_hide_exactly_the_share(share: float) -> None:
    shown, wanted = masks("random", share, None, GENES).draw(50, 30, "cpu")
    assert (wanted.sum(dim=1) == round(share * 30)).all()
    assert (shown == ~wanted).all()
    assert len(torch.unique(wanted, dim=0)) > 10


def test_programmes_are_hidden_whole_and_alike_in_a_minibatch() -> None:
    shown, wanted = masks("programmes", 0.3, PROGRAMMES, GENES).draw(5, 30, "cpu")
    assert len(torch.unique(wanted, dim=0)) == 1
    assert (shown == ~wanted).all()
    hidden = set(GENES[wanted[0].numpy()])
    members = [set(p) for n, p in PROGRAMMES.items() if n != "small"]
    assert hidden == set().union(*(each for each in members if each <= hidden))
    assert len(hidden) >= 0.3 * 30


def test_one_programme_a_cell_is_shown_and_predicted() -> None:
    shown, wanted = masks("programme_to_programme", 0.5, PROGRAMMES, GENES).draw(40, 30, "cpu")
    assert (shown == wanted).all()
    rows = {tuple(GENES[row.numpy()]) for row in shown}
    assert rows == {tuple(PROGRAMMES["one"]), tuple(PROGRAMMES["two"]), tuple(PROGRAMMES["g29"])}


def test_a_factor_is_predicted_from_what_it_regulates() -> None:
    shown, wanted = masks("programme_to_factor", 0.5, PROGRAMMES, GENES).draw(6, 30, "cpu")
    assert set(GENES[wanted.any(dim=0).numpy()]) == {"g29"}
    assert set(GENES[shown.any(dim=0).numpy()]) == set(PROGRAMMES["g29"])


def test_programmes_of_other_names_are_an_error() -> None:
    with pytest.raises(GeneError, match="none of the 1 programmes"):
        masks("programmes", 0.5, {"x": ["ENSG1"] * 9}, GENES)
    with pytest.raises(MethodError, match="needs programmes"):
        masks("programmes", 0.5, None, GENES)
    with pytest.raises(MethodError, match="has none"):
        MAE(programmes=PROGRAMMES).check()


@pytest.mark.parametrize("kind", ["random", "programmes", "programme_to_programme", "programme_to_factor"])
def test_a_hidden_value_cannot_reach_the_encoder(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The loss' gradient with respect to the encoder's input is through shown values alone."""
    X = np.random.default_rng(0).gamma(1.0, 1.0, (20, 30)).astype(np.float32)
    model = MAE(mask=kind, n_latent=4, hidden=(8,), programmes=None if kind == "random" else PROGRAMMES)  # type: ignore[arg-type]
    network = model._network(30, False, None, X.mean(axis=0), 1 / X.std(axis=0))
    prepared = model.prepare(X, GENES, None, 0)
    drawn = prepared.draw(20, 30, "cpu")
    monkeypatch.setattr(type(prepared), "draw", lambda *_: drawn)
    cells = torch.from_numpy(X)
    entered: list[torch.Tensor] = []
    network.encoder.layers.register_forward_pre_hook(lambda _, given: entered.append(given[0].detach().clone()))
    model.loss(network, cells, torch.arange(20), prepared)
    changed = torch.where(drawn[0], cells, cells + 100)
    model.loss(network, changed, torch.arange(20), prepared)
    assert torch.equal(entered[0], entered[1])
    assert not entered[0][~drawn[0]].any()
