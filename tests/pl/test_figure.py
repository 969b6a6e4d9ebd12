"""When a picture is shown, and what is returned."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import pyplot as plt

import sc_annotate as sca
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from anndata import AnnData

CALLS = {
    "annotation": lambda a, **kw: sca.pl.annotation(a, **kw),
    "attention": lambda a, **kw: sca.pl.attention(a, **kw),
    "confusion": lambda a, **kw: sca.pl.confusion(a, truth="truth", **kw),
    "consensus": lambda a, **kw: sca.pl.consensus(a, key="agreed", **kw),
    "dotplot": lambda a, **kw: sca.pl.dotplot(a, **kw),
    "evidence": lambda a, **kw: sca.pl.evidence(a, **kw),
    "levels": lambda a, **kw: sca.pl.levels(a, key="layered", **kw),
    "markers_agree": lambda a, **kw: sca.pl.markers_agree(a, **kw),
    "methods": lambda a, **kw: sca.pl.methods(a, **kw),
    "ontology": lambda a, **kw: sca.pl.ontology(a, key="layered", **kw),
    "probabilities": lambda a, **kw: sca.pl.probabilities(a, **kw),
    "reliability": lambda a, **kw: sca.pl.reliability(a, **kw),
    "risk_coverage": lambda a, **kw: sca.pl.risk_coverage(a, **kw),
    "sets": lambda a, **kw: sca.pl.sets(a, **kw),
    "status": lambda a, **kw: sca.pl.status(a, **kw),
    "training": lambda a, **kw: sca.pl.training(a, **kw),
    "unfamiliarity": lambda a, **kw: sca.pl.unfamiliarity(a, groupby="truth", **kw),
}


@pytest.fixture
def annotated(drawable: AnnData) -> AnnData:
    return drawable


def test_every_plot_is_here() -> None:
    # These are held to the same in test_perturbation_pictures.py.
    perturbed = {"effects", "interactions", "leaderboard", "perturbation", "perturbation_errors", "sd_ratio"}
    assert sorted({*CALLS, *perturbed}) == sca.pl.__all__


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_show(annotated: AnnData, monkeypatch: pytest.MonkeyPatch, call: Any) -> None:
    shown: list[bool] = []
    monkeypatch.setattr(plt, "show", lambda: shown.append(True))
    expected = [
        # interactive, show, return_fig -> shown
        (False, None, False, False),
        (True, None, False, True),
        (True, None, True, False),
        (True, False, False, False),
        (False, True, False, True),
        (False, True, True, True),
    ]
    for interactive, show, return_fig, wanted in expected:
        shown.clear()
        monkeypatch.setattr(mpl, "is_interactive", lambda value=interactive: value)
        call(annotated, show=show, return_fig=return_fig)
        assert bool(shown) is wanted, (interactive, show, return_fig)


# Scanpy lays out its dot plot itself.
OURS = {name: call for name, call in CALLS.items() if name != "dotplot"}


@pytest.mark.parametrize("call", OURS.values(), ids=OURS)
def test_other_styles(annotated: AnnData, legible: Any, call: Any) -> None:
    """Layouts are measured in fixed sizes, and a grid in the style is not drawn over the picture."""
    with mpl.rc_context({"font.size": 22, "axes.grid": True, "figure.autolayout": True, "figure.figsize": (2, 2)}):
        figure = call(annotated, return_fig=True)
        legible(figure)
        drawn = [ax for ax in figure.axes if ax.get_label() != "<colorbar>"]
        assert not any(line.get_visible() for ax in drawn for line in [*ax.get_xgridlines(), *ax.get_ygridlines()])


@pytest.fixture(scope="module")
def written(_drawable: AnnData, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("drawable") / "a.h5ad"
    _drawable.copy().write_h5ad(path)
    return path


@pytest.mark.slow
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_saved_results_draw_the_same(annotated: AnnData, written: Path, call: Any) -> None:
    """What h5ad makes of strings, colours and tables can be drawn too."""
    import anndata as ad

    # As writing does, in the object that is written.
    annotated.strings_to_categoricals()
    pictures = []
    for adata in (annotated, ad.read_h5ad(written)):
        figure = call(adata, return_fig=True)
        figure.canvas.draw()
        pictures.append(np.asarray(figure.canvas.buffer_rgba()).copy())
    np.testing.assert_array_equal(*pictures)


@pytest.mark.parametrize(
    ("suffix", "start"), [("png", b"\x89PNG"), ("pdf", b"%PDF"), ("SVG", b"<?xml"), ("jpg", b"\xff\xd8")]
)
@pytest.mark.parametrize("kind", [str, Path])
def test_the_suffix_decides_the_format(
    annotated: AnnData, tmp_path: Path, suffix: str, start: bytes, kind: Any
) -> None:
    path = tmp_path / f"labels.of.all.{suffix}"
    sca.pl.status(annotated, save=kind(path))
    assert path.read_bytes().startswith(start)


def test_written_in_full_and_as_fine_as_print_needs(annotated: AnnData, tmp_path: Path) -> None:
    """The legend beside the caller's Axes is not cut off."""
    figure, ax = plt.subplots(figsize=(3, 3))
    ax.set_position((0.1, 0.1, 0.9, 0.9))
    path = tmp_path / "a.png"
    sca.pl.methods(annotated, ax=ax, save=path)
    height, width = plt.imread(path).shape[:2]
    assert min(height, width) > 600
    box = figure.get_tightbbox(figure.canvas.get_renderer())
    np.testing.assert_allclose([width / 300, height / 300], [box.width + 0.16, box.height + 0.16], atol=0.1)
    with mpl.rc_context({"savefig.dpi": 50}):
        sca.pl.methods(annotated, save=path)
    assert max(plt.imread(path).shape[:2]) < 600


@pytest.mark.parametrize(
    ("save", "message"),
    [
        (True, "path of a file to write"),
        (3, "path of a file to write"),
        (b"a.png", "path of a file to write"),
        ("picture", r"no suffix.*\.png"),
        ("", r"no suffix"),
        ("picture.docx", r"'\.docx'.*\.pdf"),
        ("absent/picture.png", "no folder.*absent"),
        ("folder.png", "is a folder"),
    ],
)
def test_files_that_cannot_be_written(
    annotated: AnnData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, save: Any, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(InputError, match=message):
        sca.pl.status(annotated, save=save)
    assert not plt.get_fignums()


def test_an_error_of_the_disk_is_ours(annotated: AnnData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(mpl.figure.Figure, "savefig", full)
    with pytest.raises(InputError, match=r"could not be written.*No space left"):
        sca.pl.status(annotated, save=tmp_path / "a.png")


@pytest.mark.slow
@pytest.mark.parametrize("how", ["backed", "lazy"])
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_of_files_that_stay_on_disk(written: Path, call: Any, how: str) -> None:
    import anndata as ad

    if how == "lazy":
        pytest.importorskip("xarray")
        adata = ad.experimental.read_lazy(written)
    else:
        adata = ad.read_h5ad(written, backed="r")
    assert call(adata)
