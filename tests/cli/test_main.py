"""The command line: files in, files out, one line for what is wrong."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import sc_annotate as sca
from sc_annotate.cli import main

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from anndata import AnnData


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def files(pair: tuple[AnnData, AnnData], tmp_path: Path) -> Path:
    reference, query = pair
    reference.write_h5ad(tmp_path / "reference.h5ad")
    query.write_h5ad(tmp_path / "query.h5ad")
    return tmp_path


def run(*args: object) -> int:
    return main([str(a) for a in args])


@pytest.mark.slow
def test_train_info_annotate(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (files / "query.h5ad").read_bytes()
    options = ("--labels-key", "cell_type", "--method", "nearest_centroid")
    assert run("train", files / "reference.h5ad", files / "m.safetensors", *options) == 0
    assert run("info", files / "m.safetensors") == 0
    shown = capsys.readouterr().out
    assert shown.count("Annotation model") == 2
    assert run("annotate", files / "query.h5ad", files / "out.h5ad", "--model", files / "m.safetensors") == 0
    # The rights of any new file, not of a temporary one.
    assert (files / "out.h5ad").stat().st_mode == (files / "query.h5ad").stat().st_mode
    assert (
        run("annotate", files / "query.h5ad", files / "direct.h5ad", "--reference", files / "reference.h5ad", *options)
        == 0
    )
    out, direct = ad.read_h5ad(files / "out.h5ad"), ad.read_h5ad(files / "direct.h5ad")
    pd.testing.assert_frame_equal(sca.get.probabilities(out), sca.get.probabilities(direct))
    query = ad.read_h5ad(files / "query.h5ad")
    sca.tl.annotate(query, files / "m.safetensors")
    np.testing.assert_allclose(query.obsm["annotation_proba"], out.obsm["annotation_proba"], atol=1e-6)
    assert (files / "query.h5ad").read_bytes() == before
    assert sorted(p.name for p in files.iterdir()) == [
        "direct.h5ad",
        "m.safetensors",
        "out.h5ad",
        "query.h5ad",
        "reference.h5ad",
    ]


def test_inspect_and_methods(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("inspect", files / "query.h5ad") == 0
    shown = capsys.readouterr().out
    assert "log1p, base e" in shown
    assert "symbol, human" in shown
    assert run("methods") == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in sca.tl.methods().index)


BAD = {
    "no such file": ("annotate", "none.h5ad", "out.h5ad", "--model", "m.safetensors"),
    "no h5ad": ("inspect", "text.h5ad"),
    "output is the query": ("annotate", "query.h5ad", "query.h5ad", "--reference", "reference.h5ad", "--labels-key", "cell_type", "--force"),
    "output is the reference": ("annotate", "query.h5ad", "reference.h5ad", "--reference", "reference.h5ad", "--labels-key", "cell_type"),
    "output exists": ("annotate", "query.h5ad", "there.h5ad", "--reference", "reference.h5ad", "--labels-key", "cell_type"),
    "output is no h5ad": ("annotate", "query.h5ad", "out.csv", "--reference", "reference.h5ad", "--labels-key", "cell_type"),
    "output folder absent": ("annotate", "query.h5ad", "no/out.h5ad", "--reference", "reference.h5ad", "--labels-key", "cell_type"),
    "nothing to learn from": ("annotate", "query.h5ad", "out.h5ad"),
    "labels absent": ("annotate", "query.h5ad", "out.h5ad", "--reference", "reference.h5ad", "--labels-key", "x"),
    "unknown method": ("train", "reference.h5ad", "m.safetensors", "--labels-key", "cell_type", "--method", "x"),
    "model of another ending": ("train", "reference.h5ad", "m.pkl", "--labels-key", "cell_type"),
    "model exists": ("train", "reference.h5ad", "there.safetensors", "--labels-key", "cell_type", "--method", "majority"),
    "model that cannot be saved": ("train", "reference.h5ad", "m.safetensors", "--labels-key", "cell_type", "--method", "random_forest"),
    "no model": ("info", "reference.h5ad"),
    "layer absent": ("inspect", "query.h5ad", "--layer", "x"),
    "demo in a file": ("demo", "--folder", "text.h5ad"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_line(
    name: str, files: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(files)
    (files / "text.h5ad").write_text("not a file of this kind")
    (files / "there.h5ad").write_text("precious")
    (files / "there.safetensors").write_text("precious")
    before = {p.name: p.read_bytes() for p in files.iterdir()}
    assert run(*BAD[name]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"sc-annotate {BAD[name][0]}: ")
    assert error.count("\n") == 1
    assert "Traceback" not in error
    assert {p.name: p.read_bytes() for p in files.iterdir()} == before


@pytest.mark.slow
def test_force_replaces_an_older_output(files: Path) -> None:
    (files / "out.h5ad").write_text("old")
    options = (
        "--reference",
        files / "reference.h5ad",
        "--labels-key",
        "cell_type",
        "--method",
        "nearest_centroid",
        "--cv",
        0,
    )
    assert run("annotate", files / "query.h5ad", files / "out.h5ad", *options, "--force") == 0
    assert "annotation" in ad.read_h5ad(files / "out.h5ad").obs


@pytest.mark.slow
def test_strings_of_newer_files_can_be_written_back(files: Path) -> None:
    query = ad.read_h5ad(files / "query.h5ad")
    query.obs["note"] = pd.array(["text", None] * 100, dtype="string")
    with ad.settings.override(allow_write_nullable_strings=True):
        query.write_h5ad(files / "query.h5ad")
    options = (
        "--reference",
        files / "reference.h5ad",
        "--labels-key",
        "cell_type",
        "--method",
        "nearest_centroid",
        "--cv",
        0,
    )
    assert run("annotate", files / "query.h5ad", files / "out.h5ad", *options) == 0
    assert "annotation" in ad.read_h5ad(files / "out.h5ad").obs


@pytest.mark.slow
def test_report_is_printed(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = (
        "--reference",
        files / "reference.h5ad",
        "--labels-key",
        "cell_type",
        "--method",
        "nearest_centroid",
        "-v",
    )
    assert run("annotate", files / "query.h5ad", files / "out.h5ad", *options) == 0
    shown = capsys.readouterr().out
    for text in ("200 cells, nearest_centroid", "status", "held out", "majority", "fewer than 10"):
        assert text in shown


def test_interrupt_leaves_nothing(
    files: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("sc_annotate.tl.annotate", interrupt)
    assert run("annotate", files / "query.h5ad", files / "out.h5ad", "--model", "m.safetensors") == 130
    assert "interrupted" in capsys.readouterr().err
    assert not (files / "out.h5ad").exists()


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        run("--version")
    assert stop.value.code == 0
    assert capsys.readouterr().out.strip() == f"sc-annotate {sca.__version__}"


@pytest.mark.slow
def test_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from sc_annotate.benchmark import demo as _demo

    # The whole comparison takes half a minute; the quick methods show that it hangs together.
    monkeypatch.setattr(_demo, "METHODS", ("logreg", "nearest_centroid", "majority"))
    monkeypatch.chdir(tmp_path)
    assert run("demo") == 0
    folder = tmp_path / "sc_annotate_demo"
    names = sorted(p.name for p in folder.iterdir())
    assert names == ["annotated.h5ad", "annotation.png", "confusion.png", "methods.csv", "methods.png"]
    assert all((folder / n).read_bytes().startswith(b"\x89PNG") for n in names if n.endswith("png"))
    annotated = ad.read_h5ad(folder / "annotated.h5ad")
    assert (annotated.obs["annotation"].astype(str) == annotated.obs["cell_type"].astype(str)).mean() > 0.75
    shown = capsys.readouterr().out.rstrip().splitlines()
    assert shown[-1].startswith("majority")
    table = pd.read_csv(folder / "methods.csv").set_index("method")
    assert f"{table.loc['logreg', 'macro_f1']:.3f}" in "".join(shown)
    assert run("demo") == 0, "a second run replaces its own files"


@pytest.mark.slow
@pytest.mark.parametrize("backed", [(), ("--backed",)])
def test_several_levels(files: Path, backed: tuple[str, ...]) -> None:
    reference = ad.read_h5ad(files / "reference.h5ad")
    reference.obs["lineage"] = ["T" if str(t)[:3] in ("CD4", "CD8") else "other" for t in reference.obs["cell_type"]]
    reference.write_h5ad(files / "reference.h5ad")
    options = ("--labels-key", "lineage", "--labels-key", "cell_type", "--method", "nearest_centroid", "--cv", 0)
    source = ("--reference", files / "reference.h5ad")
    assert run("annotate", files / "query.h5ad", files / "out.h5ad", *source, *options, *backed) == 0
    out = ad.read_h5ad(files / "out.h5ad")
    sca.tl.rollup(out)
    assert set(out.obs["annotation_lineage"].astype(str)) == {"T", "other"}
    assert run("train", files / "reference.h5ad", files / "m.safetensors", *options) == 0
    assert run("annotate", files / "query.h5ad", files / "by_model.h5ad", "--model", files / "m.safetensors") == 0
    assert "annotation_lineage" in ad.read_h5ad(files / "by_model.h5ad").obs
