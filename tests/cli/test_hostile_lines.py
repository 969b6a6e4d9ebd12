"""Command lines, files and folders that cannot be used: one sentence, an exit code, and nothing half written."""

from __future__ import annotations

import gzip
import logging
import os
import shutil
import signal
import subprocess
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import anndata as ad
import h5py
import numpy as np
import pandas as pd
import pytest

import sc_annotate as sca
from sc_annotate.cli import main
from sc_annotate.cli.output import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.once

ANNOTATE = ("annotate", "query.h5ad", "out.h5ad", "--model", "m.safetensors")


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A reference, a query, its annotation, marker lists and a model."""
    folder = tmp_path_factory.mktemp("made")
    cells = sca.datasets.simulate_reference(300, 120, 3, rng=0)
    cells.uns.clear()
    cells.obsm["X_umap"] = np.asarray(np.log1p(cells.X[:, :2].toarray()), dtype=np.float64)
    reference, query = cells[:240].copy(), cells[240:].copy()
    reference.write_h5ad(folder / "reference.h5ad")
    query.write_h5ad(folder / "query.h5ad")
    model = sca.tl.fit_annotator(reference, "cell_type", method="nearest_centroid", cv=0)
    model.save(folder / "m.safetensors")
    sca.tl.annotate(query, model)
    query.write_h5ad(folder / "done.h5ad")
    types = cells.obs["cell_type"].cat.categories
    pd.DataFrame({"type": types, "gene": cells.var_names[: len(types)]}).to_csv(folder / "markers.csv", index=False)
    return folder


@pytest.fixture
def here(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for path in made.iterdir():
        shutil.copy(path, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def held(folder: Path) -> dict[str, object]:
    """All there is in a folder."""
    return {
        str(path.relative_to(folder)): os.readlink(path)
        if path.is_symlink()
        else path.read_bytes()
        if path.is_file()
        else None
        for path in folder.rglob("*")
    }


def refused(capsys: pytest.CaptureFixture[str], *args: object) -> tuple[int, str]:
    """The exit code and the one line of a command that must fail and leave all as it was."""
    before = held(Path())
    try:
        code = main([str(each) for each in args])
    except SystemExit as stop:
        code = stop.code  # type: ignore[assignment]
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("sc-annotate")
    assert said.err.count("\n") == 1
    assert said.err.removesuffix("\n").isprintable()
    assert len(said.err) < 1200
    assert held(Path()) == before
    return code, said.err


LINES: dict[str, tuple[tuple[object, ...], str]] = {
    "no command": ((), "required: COMMAND"),
    "unknown command": (("anotate",), "invalid choice: 'anotate'"),
    "unknown option": ((*ANNOTATE, "--tabel", "t.csv"), "Did you mean --table?"),
    "abbreviation": ((*ANNOTATE, "--cov", 0.5), "Did you mean --coverage?"),
    "ambiguous abbreviation": ((*ANNOTATE, "--min", 1), "Did you mean --min-cells or --min-confidence or --min-overlap?"),
    "twice": ((*ANNOTATE, "--table", "a.csv", "--table", "b.csv"), "--table: occurs twice"),
    "twice in two ways": ((*ANNOTATE, "--coverage=0.5", "--coverage", 0.9), "--coverage: occurs twice"),
    "two sources": ((*ANNOTATE, "--reference", "reference.h5ad"), "not allowed with"),
    "no number": ((*ANNOTATE, "--coverage", "much"), "invalid float value: 'much'"),
    "a number of many digits": (("train", "a", "b", "--cv", "9" * 5000), "--cv: '999"),
    **{f"empty {flag}": ((*ANNOTATE, flag, ""), f"{flag}: is empty") for flag in ("--table", "--figures", "--layer", "--vote")},
    "empty model": (("annotate", "query.h5ad", "out.h5ad", "--model", ""), "--model: is empty"),
    "empty file": (("inspect", ""), "file: is empty"),
    "verbose before the command": (("-v", "inspect", "query.h5ad"), "unknown: -v"),
}  # fmt: skip


@pytest.mark.parametrize("name", LINES)
def test_a_line_that_cannot_be_read(here: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    args, words = LINES[name]
    code, said = refused(capsys, *args)
    assert code == 2
    assert words in said
    assert "--help` shows how it is used" in said


TRAIN = ("annotate", "query.h5ad", "out.h5ad", "--reference", "reference.h5ad", "--labels-key", "cell_type")
VALUES: dict[str, tuple[tuple[object, ...], str]] = {
    **{f"{flag} {value}": ((*ANNOTATE, f"{flag}={value}"), f"{flag} must be")
       for flag in ("--coverage", "--false-positive-rate") for value in ("nan", "inf", "1e400", -1, 0, 2)},
    **{f"{flag} of 80 bits": ((*TRAIN, flag, 2**80), f"{flag} must be a")
       for flag in ("--n-top-genes", "--min-cells", "--max-cells", "--seed")},
    "folds of 80 bits": ((*TRAIN, "--cv", 2**80), "--cv must be 0"),
    "more folds than cells": ((*TRAIN, "--cv", 1000, "--method", "nearest_centroid"), "--cv must be at most the number of cells"),
    "genes of evidence": (("evidence", "done.h5ad", "e.csv", "--n-genes", 2**80), "--n-genes must be a whole number"),
    "parameter of 80 bits": ((*TRAIN, "--method", "knn", "--param", f"n_neighbors={2**80}"), "n_neighbors must be"),
    "parameter of many brackets": ((*TRAIN, "--method", "knn", "--param", "n_neighbors=" + "[" * 20_000), "n_neighbors must be"),
    "parameter of many digits": ((*TRAIN, "--method", "knn", "--param", "n_neighbors=" + "9" * 6000), "n_neighbors must be"),
    "parameter of a fitted model": ((*ANNOTATE, "--param", "n_neighbors=3"), "--param says how"),
    "nothing to learn from": (("annotate", "query.h5ad", "out.h5ad"), "(--model FILE)"),
    "unknown markers": (("annotate", "query.h5ad", "out.h5ad", "--markers", "none.csv"), "--markers 'none.csv' is neither"),
    "vote of no column": ((*ANNOTATE, "--vote", "nowhere"), "'nowhere' (--vote)"),
    "override twice": (("rollup", "done.h5ad", "o.h5ad", "--override", "a=CL:1", "--override", "a=CL:2"), "'a' occurs twice"),
    "seed of a demo": (("demo", "--seed", -1), "--seed must be"),
    "folder of a demo": (("demo", "--folder", "a\0b"), "was not written: "),
    "key with half of a character": ((*ANNOTATE, "--key-added", "a\udc80"), "half of a character"),
}  # fmt: skip


@pytest.mark.parametrize("name", VALUES)
def test_a_value_that_means_nothing(here: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    args, words = VALUES[name]
    code, said = refused(capsys, *args)
    assert code == 1
    assert words in said
    assert "Generator" not in said


def no_matrix(path: Path) -> None:
    cells = ad.read_h5ad("query.h5ad")
    cells.X = None
    cells.write_h5ad(path)


def hdf5(*names: str, kind: str = "") -> Callable[[Path], None]:
    def make(path: Path) -> None:
        with h5py.File(path, "w") as file:
            for name in names:
                file.create_group(name)
            if kind:
                file.attrs["encoding-type"] = kind

    return make


def zarr(path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ad.read_h5ad("query.h5ad").write_zarr(path)


FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "nothing": (lambda path: None, "there is no file 'f.h5ad'"),
    "empty": (lambda path: path.write_bytes(b""), "is empty (0 bytes)"),
    "text": (lambda path: path.write_text("cells"), "cannot be read as h5ad"),
    "folder": (lambda path: path.mkdir(), "is a folder"),
    "zarr": (zarr, "is a zarr store"),
    "gzip": (lambda path: path.write_bytes(gzip.compress(Path("query.h5ad").read_bytes())), "compressed with gzip"),
    "zip": (lambda path: path.write_bytes(b"PK\x03\x04 and more"), "is a zip archive"),
    "cut": (lambda path: path.write_bytes(Path("done.h5ad").read_bytes()[:90_000]), "cannot be read as h5ad"),
    "link to nothing": (lambda path: path.symlink_to("nowhere"), "there is no file"),
    "link to itself": (lambda path: path.symlink_to(path), "f.h5ad"),
    "pipe": (lambda path: os.mkfifo(path), "is no usual file"),
    "MuData": (hdf5("mod/rna", "obs", "var", kind="MuData"), "is a MuData file"),
    "loom": (hdf5("matrix", "row_attrs", "col_attrs"), "is a loom file"),
    "Cell Ranger": (hdf5("matrix/features"), "is a file of Cell Ranger"),
    "other HDF5": (hdf5("weights"), "is an HDF5 file without cells"),
}
READ: dict[str, tuple[object, ...]] = {
    "inspect": ("inspect", "f.h5ad"),
    "annotate": ("annotate", "f.h5ad", "out.h5ad", "--model", "m.safetensors"),
    "backed": ("annotate", "f.h5ad", "out.h5ad", "--model", "m.safetensors", "--backed"),
    "plot": ("plot", "f.h5ad", "figures"),
    "report": ("report", "f.h5ad", "--table", "t.csv"),
    "perturb": ("perturb", "f.h5ad", "--output", "out.h5ad"),
}


@pytest.mark.skipif(os.name == "nt", reason="no links and pipes")
@pytest.mark.parametrize("kind", FILES)
def test_a_file_of_another_kind(here: Path, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    make, words = FILES[kind]
    make(Path("f.h5ad"))
    for args in READ.values():
        code, said = refused(capsys, *args)
        assert code == 1
        assert words in said


def test_a_file_without_a_matrix(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    no_matrix(Path("f.h5ad"))
    for name in ("inspect", "annotate", "backed"):
        assert "adata.X is empty; name a layer" in refused(capsys, *READ[name])[1]


NAMES = ("a\0b", "a\nb", "a\udc80b", "a\x1b[31mb", "a" * 5000)


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_a_name_that_no_file_has(here: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    for args in [
        *(("inspect", f"{name}.h5ad"), ("info", f"{name}.safetensors"), ("convert", f"{name}.pkl", "n.safetensors", "--trust-pickle")),
        *(("annotate", "query.h5ad", "out.h5ad", flag, f"{name}.csv") for flag in ("--model", "--markers")),
    ]:  # fmt: skip
        assert refused(capsys, *args)[0] == 1


OUTPUTS: dict[str, tuple[tuple[object, ...], str]] = {
    "a table and the evidence": ((*ANNOTATE, "--table", "t.csv", "--evidence", "./t.csv"), "is named for two outputs"),
    "the same, forced": ((*ANNOTATE, "--table", "old.csv", "--evidence", "old.csv", "--force"), "is named for two outputs"),
    "through a link": ((*ANNOTATE, "--table", "old.csv", "--evidence", "to_old.csv", "--force"), "is named for two outputs"),
    "pictures in the output": ((*ANNOTATE, "--figures", "out.h5ad"), "is named for two outputs"),
    "model over its reference": (("train", "r.safetensors", "r.safetensors", "--labels-key", "cell_type", "--force"), "is an input"),
    "table over an ontology": ((*ANNOTATE, "--rollup", "--ontology", "old.csv", "--table", "old.csv", "--force"), "is an input"),
    "table over marker lists": (("annotate", "query.h5ad", "out.h5ad", "--markers", "markers.csv", "--table", "to_markers.csv",
                                 "--force"), "is an input"),
    "a parameter": (("perturb", "query.h5ad", "--param", "other=old.h5ad", "--output", "old.h5ad", "--force"), "is an input"),
    "hard link": (("annotate", "query.h5ad", "hard.h5ad", "--model", "m.safetensors", "--force"), "is an input"),
    "a table that exists": ((*ANNOTATE, "--table", "old.csv"), "exists already"),
    "pictures that exist": (("plot", "done.h5ad", "figures"), "exists already; choose another folder"),
    "picture over the input": (("plot", "done.h5ad", "figures", "--force"), "is an input"),
    "picture in a folder of its name": (("plot", "done.h5ad", "more", "--force"), "is a folder"),
    "pictures nowhere": (("plot", "done.h5ad", "dangling"), "a link that leads nowhere"),
    "pictures round in circles": (("plot", "done.h5ad", "circle"), "'circle'"),
    "pictures under no name": (("plot", "done.h5ad", "a\0b"), "was not written"),
    "pictures under a long name": (("plot", "done.h5ad", "a" * 400), "the name is too long"),
}  # fmt: skip


@pytest.mark.skipif(os.name == "nt", reason="links")
@pytest.mark.parametrize("name", OUTPUTS)
def test_an_output_that_cannot_be(here: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    for old in ("old.csv", "old.h5ad"):
        Path(old).write_text("old")
    shutil.copy("reference.h5ad", "r.safetensors")
    os.link("query.h5ad", "hard.h5ad")
    for link, target in {
        "to_old.csv": "old.csv",
        "to_markers.csv": "markers.csv",
        "dangling": "nowhere",
        "circle": "circle",
    }.items():
        Path(link).symlink_to(target)
    Path("figures").mkdir()
    Path("figures/status.png").symlink_to("../done.h5ad")
    Path("more/status.png").mkdir(parents=True)
    args, words = OUTPUTS[name]
    code, said = refused(capsys, *args)
    assert code == 1
    assert words in said


def test_a_folder_that_nothing_can_be_written_to(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("locked").mkdir()
    access = os.access
    # For the administrator, who runs some tests, no folder is locked.
    monkeypatch.setattr("os.access", lambda path, mode: Path(path).name != "locked" and access(path, mode))
    monkeypatch.setattr("sc_annotate.tl.annotate", lambda *_, **__: pytest.fail("worked before it looked"))
    for more in (("--table", "locked/t.csv"), ("--evidence", "locked/e.csv"), ("--figures", "locked/figures")):
        assert "may not be written to" in refused(capsys, *ANNOTATE, *more)[1]
    assert "may not be written to" in refused(capsys, "annotate", "query.h5ad", "locked/o.h5ad", *ANNOTATE[3:])[1]


def test_a_picture_that_cannot_be_written(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import errno

    def full(_: object, path: Path, **__: object) -> None:
        Path(path).write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", full)
    code, said = refused(capsys, "plot", "done.h5ad", "figures")
    assert code == 1
    assert "the disk is full" in said
    # Of what was written before, the line says so.
    before = set(held(here))
    assert main([*ANNOTATE, "--figures", "figures"]) == 1
    assert "; written before: out.h5ad" in capsys.readouterr().err
    assert set(held(here)) - before == {"out.h5ad"}


def test_a_mistake_of_ours_is_one_line_too(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def wrong(*_: object, **__: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr("sc_annotate.tl.annotate", wrong)
    code, said = refused(capsys, *ANNOTATE)
    assert code == 3
    assert "a mistake in sc-annotate, ZeroDivisionError: division by zero. Please report it" in said
    with pytest.raises(ZeroDivisionError):
        main([*ANNOTATE, "--verbose"])

    def hungry(*_: object, **__: object) -> None:
        raise MemoryError("Unable to allocate 8 TiB")

    monkeypatch.setattr("sc_annotate.tl.annotate", hungry)
    code, said = refused(capsys, *ANNOTATE)
    assert (code, "not enough memory" in said) == (1, True)


def test_names_in_any_script_and_what_terminals_take_for_commands(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cells = ad.read_h5ad("query.h5ad")
    cells.obs["cell_type"] = cells.obs["cell_type"].cat.rename_categories(lambda name: f"{name}\x1b[31m Zelle ü")
    cells.write_h5ad("zellen ü.h5ad")
    args = (
        "train",
        "zellen ü.h5ad",
        "modell ß.safetensors",
        "--labels-key",
        "cell_type",
        "--method",
        "nearest_centroid",
    )
    assert main([*args, "--cv", "0"]) == 0
    outputs = ("--table", "tä b.csv", "--evidence", "gène.csv")
    assert main(["annotate", "query.h5ad", "aus 🧬.h5ad", "--model", "modell ß.safetensors", *outputs]) == 0
    said = capsys.readouterr()
    assert "written to aus 🧬.h5ad" in said.out
    assert "\\x1b[31m Zelle ü" in said.out
    assert "\x1b" not in said.out + said.err
    assert pd.read_csv("tä b.csv", index_col=0)["label"].str.endswith("\x1b[31m Zelle ü").all()
    assert printable("a\tb") == "a\\tb"


def test_a_file_whose_name_begins_with_a_dash(here: Path) -> None:
    shutil.copy("query.h5ad", "-query.h5ad")
    assert main(["inspect", "--", "-query.h5ad"]) == 0


def test_the_first_column_of_a_table_has_a_name(here: Path) -> None:
    cells = ad.read_h5ad("done.h5ad")
    for name, expected in ((None, "cell"), ("barcode", "barcode"), ("label", "cell")):
        cells.obs.index.name = name
        cells.write_h5ad("named.h5ad")
        assert main(["report", "named.h5ad", "--table", "t.csv", "--force"]) == 0
        table = pd.read_csv("t.csv", index_col=0)
        assert table.index.name == expected
        pd.testing.assert_index_equal(table.index, cells.obs_names, check_names=False)


@pytest.mark.slow
def test_pictures_of_cells_without_an_embedding(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cells = ad.read_h5ad("done.h5ad")
    del cells.obsm["X_umap"]
    cells.write_h5ad("bare.h5ad")
    before = Path("bare.h5ad").read_bytes()
    assert main(["plot", "bare.h5ad", "figures"]) == 0
    assert "a UMAP was computed for the pictures, and is not stored" in capsys.readouterr().out
    assert {"annotation.png", "status.png"} <= {path.name for path in Path("figures").iterdir()}
    assert Path("bare.h5ad").read_bytes() == before
    # Too few cells for a graph of neighbours.
    cells[:12].copy().write_h5ad("few.h5ad")
    assert main(["plot", "few.h5ad", "of_few"]) == 0
    assert "a PCA was computed" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)])
def test_a_signal_at_any_time_leaves_nothing_half_done(here: Path, number: signal.Signals, code: int) -> None:
    """A process of its own, ended while it writes: the second signal, in the midst of cleaning up, changes nothing."""
    Path("old.h5ad").write_text("old")
    line = (
        "import os, signal, sys, anndata, threading\n"
        "from sc_annotate.cli import main\n"
        "def half(self, path):\n"
        "    open(path, 'w').write('half')\n"
        f"    os.kill(os.getpid(), {int(number)})\n"
        "unlink = __import__('pathlib').Path.unlink\n"
        "def again(self, **more):\n"
        f"    os.kill(os.getpid(), {int(number)})\n"
        "    unlink(self, **more)\n"
        "anndata.AnnData.write_h5ad = half\n"
        "__import__('pathlib').Path.unlink = again\n"
        "sys.exit(main(['annotate', 'query.h5ad', 'old.h5ad', '--model', 'm.safetensors', '--force']))\n"
    )
    before = held(here)
    done = subprocess.run([sys.executable, "-c", line], capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    assert done.stderr.splitlines()[-1].endswith("; nothing was written")
    assert "Traceback" not in done.stderr
    assert held(here) == before


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="pipes")
def test_a_reader_that_goes_away(here: Path) -> None:
    line = "import sys; from sc_annotate.cli import main; sys.exit(main(['report', 'done.h5ad']))"
    process = subprocess.Popen([sys.executable, "-c", line], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    said = process.stderr.read()
    process.stderr.close()
    assert process.wait() == 141
    assert said == "sc-annotate report: the reader of its output is gone\n"


@pytest.mark.slow
def test_a_terminal_without_these_letters(here: Path) -> None:
    cells = ad.read_h5ad("query.h5ad")
    cells.obs["cell_type"] = cells.obs["cell_type"].cat.rename_categories(lambda name: f"{name} ü🧬")
    cells.write_h5ad("query.h5ad")
    line = (
        "import sys; from sc_annotate.cli import main; sys.exit(main(['train', 'query.h5ad', 'ü.safetensors', '--labels-key', "
        "'cell_type', '--method', 'nearest_centroid', '--cv', '0']))"
    )
    env = os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "1"}
    done = subprocess.run([sys.executable, "-c", line], capture_output=True, check=False, env=env)
    assert done.returncode == 0, done.stderr
    assert b"\\xfc" in done.stdout
