"""What the picture of a rolled-up tree shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import to_hex

import sc_annotate as sca
from sc_annotate.errors import InputError, StorageError

if TYPE_CHECKING:
    from anndata import AnnData
    from matplotlib.axes import Axes

MYELOID = ("CD14+ Monocyte", "Dendritic")


@pytest.fixture
def rolled(annotated: AnnData) -> AnnData:
    classes = annotated.uns["annotation"]["classes"].tolist()
    tree = {c: "myeloid" if c in MYELOID else "lymphoid" for c in classes if c != "CD34+"}
    sca.tl.rollup(annotated, ontology=tree | {"CD34+": "blood", "myeloid": "blood", "lymphoid": "blood"})
    return annotated


def drawn(ax: Axes) -> dict[str, tuple[float, str, str]]:
    """Length and colour of the bar, and the text beside it, by the name of the row."""
    bars = {round(b.get_y() + b.get_height() / 2): (b.get_width(), to_hex(b.get_facecolor())) for b in ax.patches}
    beside = {round(t.get_position()[1]): t.get_text() for t in ax.texts if t.get_position()[0] > 1}
    names = {round(t.get_position()[1]): t.get_text() for t in ax.texts if t.get_position()[0] < 0}
    assert bars.keys() == beside.keys() == names.keys()
    return {names[i]: (*bars[i], beside[i]) for i in sorted(names)}


def test_mass_and_cells_of_each_term(rolled: AnnData, frozen: Any, legible: Any) -> None:
    with frozen(rolled):
        ax = sca.pl.ontology(rolled)
    rows = drawn(ax)
    p = sca.get.probabilities(rolled).mean()
    counts = rolled.obs["annotation_rollup"].value_counts()
    for name, mass in {"blood": 1.0, "myeloid": p[list(MYELOID)].sum(), "CD19+ B": p["CD19+ B"]}.items():
        assert rows[name][0] == pytest.approx(mass, abs=1e-5)
        assert rows[name][2].startswith(f"{100 * mass:.1f} %")
    for name, (_, _, beside) in rows.items():
        n = int(counts.get(name, 0))
        assert beside.endswith(f"n={n:,}") if n else "n=" not in beside
    own = dict(zip(rolled.obs["annotation"].cat.categories, rolled.uns["annotation_colors"], strict=True))
    assert rows["Dendritic"][1] == to_hex(own["Dendritic"])
    assert rows["myeloid"][1] == rows["blood"][1] == "#8b97a6"
    (line,) = [one for one in ax.lines if one.get_linestyle() == "--"]
    assert list(line.get_xdata()) == [0.9, 0.9]
    legible(ax.figure)


def test_each_term_stands_under_its_own(rolled: AnnData) -> None:
    names = list(drawn(sca.pl.ontology(rolled)))
    assert names[0] == "blood"
    at = names.index("myeloid")
    assert set(names[at + 1 : at + 3]) == set(MYELOID)
    p = sca.get.probabilities(rolled).mean()
    assert names[at + 1] == p[list(MYELOID)].idxmax(), "the heavier first"


def test_a_group_and_a_cell(rolled: AnnData, legible: Any) -> None:
    p = sca.get.probabilities(rolled)
    group = str(rolled.obs["louvain"].iloc[0])
    rows = drawn(sca.pl.ontology(rolled, groupby="louvain", group=group))
    inside = (rolled.obs["louvain"].astype(str) == group).to_numpy()
    assert rows["CD56+ NK"][0] == pytest.approx(p["CD56+ NK"][inside].mean(), abs=1e-6)
    name = rolled.obs_names[3]
    figure = sca.pl.ontology(rolled, cell=name, return_fig=True)
    rows = drawn(figure.axes[0])
    assert rows["CD56+ NK"][0] == pytest.approx(p["CD56+ NK"].iloc[3], abs=1e-6)
    assert name in figure.axes[0].get_title()
    legible(figure)


def test_given_labels_are_left_out(partly_given: AnnData) -> None:
    classes = partly_given.uns["annotation"]["classes"].tolist()
    sca.tl.rollup(partly_given, ontology=dict.fromkeys(classes, "blood"))
    ax = sca.pl.ontology(partly_given)
    given = (partly_given.obs["annotation_status"] == "given").sum()
    assert f"{partly_given.n_obs - given:,} cells" in ax.get_title()
    partly_given.obs["kind"] = np.where(partly_given.obs["annotation_status"] == "given", "given", "named")
    with pytest.raises(StorageError, match="they were pre-labelled"):
        sca.pl.ontology(partly_given, groupby="kind", group="given")


def test_forty_types(forty: AnnData, legible: Any) -> None:
    classes = forty.uns["annotation"]["classes"].tolist()
    tree = {c: f"group {i % 7} of types with a name" for i, c in enumerate(classes)}
    tree |= {f"group {i} of types with a name": f"half {i % 2}" for i in range(7)}
    sca.tl.rollup(forty, ontology=tree | {"half 0": "all", "half 1": "all"})
    figure = sca.pl.ontology(forty, return_fig=True)
    assert len(drawn(figure.axes[0])) == 50
    legible(figure)


def test_own_axes(rolled: AnnData) -> None:
    _, ax = plt.subplots(figsize=(10, 5), layout="constrained")
    assert sca.pl.ontology(rolled, ax=ax) is ax
    with pytest.raises(InputError, match="ax must be"):
        sca.pl.ontology(rolled, ax=3)


def test_bad_input(annotated: AnnData, rolled: AnnData) -> None:
    with pytest.raises(InputError, match="both groupby and group"):
        sca.pl.ontology(rolled, groupby="louvain")
    with pytest.raises(InputError, match="both groupby and group"):
        sca.pl.ontology(rolled, groupby="louvain", group="0", cell=rolled.obs_names[0])
    with pytest.raises(InputError, match="has no 'none'"):
        sca.pl.ontology(rolled, groupby="louvain", group="none")
    with pytest.raises(InputError, match="0 cells named 'absent'"):
        sca.pl.ontology(rolled, cell="absent")
    del annotated.uns["annotation"]["rollup"]
    with pytest.raises(StorageError, match="sca.tl.rollup"):
        sca.pl.ontology(annotated)
