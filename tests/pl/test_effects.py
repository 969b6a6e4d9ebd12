"""Changes of many conditions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import sc_annotate as sca
from made_predictions import REASON, condition_names
from read_axes import labels, texts
from sc_annotate.errors import InputError


def test_effects_show_the_changes(predicted: Any) -> None:
    adata = predicted(10)
    axes = sca.pl.effects(adata, n_genes=12)
    assert list(axes) == ["predicted", "observed"]
    names = labels(axes["predicted"])
    assert sorted(names) == sorted(condition_names(10))
    genes = [t.get_text() for t in axes["predicted"].get_xticklabels()]
    assert genes == [t.get_text() for t in axes["observed"].get_xticklabels()]
    control = adata.var["perturbation_control"]
    for part, name in (("", "predicted"), ("_observed", "observed")):
        table = pd.DataFrame(
            adata.varm[f"perturbation{part}"].T - control.to_numpy(), index=condition_names(10), columns=adata.var_names
        )
        image = axes[name].images[0]
        np.testing.assert_allclose(
            np.ma.filled(image.get_array(), np.nan), table.loc[names, genes], rtol=1e-5, atol=1e-6
        )
        low, high = image.get_clim()
        assert low == -high < 0  # no change is white
    assert axes["predicted"].images[0].get_clim() == axes["observed"].images[0].get_clim()


def test_empty_rows_say_why(predicted: Any) -> None:
    axes = sca.pl.effects(predicted(10), n_genes=40)
    assert texts(axes["predicted"]) == [REASON]
    assert texts(axes["observed"]) == ["not measured"]
    for ax, missing in ((axes["predicted"], condition_names(10)[1]), (axes["observed"], condition_names(10)[2])):
        (patch,) = ax.patches
        assert patch.get_hatch()
        row = labels(axes["predicted"]).index(missing)
        assert patch.get_y() == pytest.approx(row - 0.46)
        assert ax.texts[0].get_position()[1] == row


@pytest.mark.slow
def test_a_long_reason_is_cut(predicted: Any, legible: Any) -> None:
    adata = predicted(10)
    adata.uns["perturbation"]["reason"][1] = "because " * 40
    figure = sca.pl.effects(adata, n_genes=3, return_fig=True)
    (text,) = texts(figure.axes[0])
    assert text.endswith("…")
    legible(figure)


def test_own_genes_are_not_the_reason_to_be_shown(predicted: Any) -> None:
    adata = predicted(10)
    names = condition_names(10)
    adata.varm["perturbation_observed"][adata.var_names.get_loc(names[0]), 0] = -30
    adata.varm["perturbation"][adata.var_names.get_loc(names[0])] = adata.var["perturbation_control"][names[0]]
    for i in range(1, 10):
        adata.varm["perturbation_observed"][adata.var_names.get_loc(names[0]), i] = adata.var["perturbation_control"][
            names[0]
        ]
    assert names[0] not in [t.get_text() for t in sca.pl.effects(adata, n_genes=10)["predicted"].get_xticklabels()]


def test_effects_of_some_conditions_and_ends(predicted: Any) -> None:
    adata = predicted(10)
    chosen = condition_names(10)[5:8]
    delta, lower = (sca.pl.effects(adata, conditions=chosen, layer=layer) for layer in ("delta", "lower"))
    assert sorted(labels(delta["predicted"])) == sorted(chosen)
    assert "lower end of the interval" in lower["predicted"].get_title().replace("\n", " ")
    adata.varm["perturbation_observed"][:] = np.nan
    assert list(sca.pl.effects(adata)) == ["predicted"]


def test_refusals_of_effects(predicted: Any) -> None:
    adata = predicted(10)
    with pytest.raises(InputError, match="layer must be one of 'delta', 'lower', 'upper'"):
        sca.pl.effects(adata, layer="X")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="n_genes must be a whole number from 1 to 200"):
        sca.pl.effects(adata, n_genes=0)
    with pytest.raises(InputError, match=r"conditions must be a list of names, such as \['CEBPE'\]"):
        sca.pl.effects(adata, conditions="CEBPE")
    with pytest.raises(InputError, match="'absent' was not predicted"):
        sca.pl.effects(adata, conditions=["absent"])
    adata.varm["perturbation_upper"][:] = np.inf
    adata.varm["perturbation_observed"][:] = np.nan
    with pytest.raises(InputError, match="none of the 10 conditions has a value.*layer='delta'"):
        sca.pl.effects(adata, layer="upper")
