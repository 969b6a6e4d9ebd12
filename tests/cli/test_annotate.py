"""What a notebook does with one file, on the command line: each option sets the argument of its function."""

from __future__ import annotations

import logging
import os
import signal
from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import sc_annotate as sca
from sc_annotate._core.settings import settings
from sc_annotate.cli import annotate_options as known
from sc_annotate.cli import main
from sc_annotate.cli.options import spoken

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FAST = ("--method", "nearest_centroid", "--cv", 0)


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level, progress = list(root.handlers), root.level, settings.progress
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    settings.progress = progress


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A reference, a query, marker lists, an ontology and a model."""
    folder = tmp_path_factory.mktemp("cli")
    cells = sca.datasets.simulate_reference(360, 150, 3, rng=0)
    cells.uns.clear()
    types = list(cells.obs["cell_type"].cat.categories)
    cells.obs["broad"] = np.where(cells.obs["cell_type"] == types[0], "one", "other")
    cells.obs["clusters"] = cells.obs["cell_type"].astype(str).str[-1]
    cells.obs["totals"] = np.asarray(cells.X.sum(axis=1)).ravel()
    cells.layers["again"] = cells.X.copy()
    cells.obsm["X_umap"] = np.asarray(np.log1p(cells.X[:, :2].toarray()), dtype=np.float64)
    cells.raw = cells
    reference, query = cells[:260].copy(), cells[260:].copy()
    reference.write_h5ad(folder / "reference.h5ad")
    query.write_h5ad(folder / "query.h5ad")
    means = pd.DataFrame(np.log1p(reference.X.toarray()), columns=reference.var_names).groupby(
        reference.obs["cell_type"].astype(str).to_numpy()
    )
    table = means.mean()
    rows = [(t, g) for t in types for g in (table.loc[t] - table.drop(t).max()).nlargest(5).index]
    pd.DataFrame(rows, columns=["type", "gene"]).to_csv(folder / "markers.csv", index=False)
    lines = ["format-version: 1.2\n"]
    for i, name in enumerate(["cell", "part", *types]):
        above = "" if name == "cell" else f"is_a: CL:{0 if name == 'part' or name == types[0] else 1:07d}\n"
        lines.append(f"[Term]\nid: CL:{i:07d}\nname: {name}\n{above}")
    (folder / "small.obo").write_text("\n".join(lines))
    assert _run(folder, "train", "reference.h5ad", "m.safetensors", "--labels-key", "cell_type", *FAST) == 0
    return folder


@pytest.fixture
def here(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to write to, with the inputs linked."""
    for path in made.iterdir():
        (tmp_path / path.name).symlink_to(path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _run(folder: Path, *args: object) -> int:
    before = os.getcwd()
    os.chdir(folder)
    try:
        return main([str(a) for a in args])
    finally:
        os.chdir(before)


def run(*args: object) -> int:
    return main([str(a) for a in args])


def _new(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if not p.is_symlink() and p.is_file()}


ARGUMENTS: dict[str, tuple[tuple[object, ...], dict[str, Any]]] = {
    "--coverage": ((0.7,), {"coverage": 0.7}),
    "--layer": (("again",), {"layer": "again"}),
    "--use-raw": ((), {"use_raw": True}),
    "--gene-symbols": (("symbol",), {"gene_symbols": "symbol"}),
    "--total-counts-key": (("totals",), {"total_counts_key": "totals"}),
    "--values": (("counts",), {"values": "counts"}),
    "--store-proba": (("topk",), {"store_proba": "topk"}),
    "--key-added": (("mine",), {"key_added": "mine"}),
    "--seed": ((3,), {"rng": 3}),
    "--false-positive-rate": ((0.2,), {"trust": sca.trust.Options(false_positive_rate=0.2)}),
    "--check-quality": (("no",), {"trust": sca.trust.Options(check_quality=False)}),
    "--min-confidence": ((0.7,), {"trust": sca.trust.Options(min_confidence=0.7)}),
    "--align": (("none",), {"trust": sca.trust.Options(align=None)}),
    "--min-overlap": ((0.5,), {"trust": sca.trust.Options(min_overlap=0.5)}),
}


@pytest.mark.parametrize("flag", ARGUMENTS)
def test_options_of_a_fitted_model(here: Path, flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    values, kwargs = ARGUMENTS[flag]
    query = ad.read_h5ad("query.h5ad")
    key = kwargs.get("key_added", "annotation")
    if flag == "--gene-symbols":
        with pytest.raises(sca.errors.InputError):
            sca.tl.annotate(query, "m.safetensors", **kwargs)
        assert run("annotate", "query.h5ad", "out.h5ad", "--model", "m.safetensors", flag, *values) == 1
        assert "--gene-symbols" in capsys.readouterr().err
        assert _new(here) == set()
        return
    assert run("annotate", "query.h5ad", "out.h5ad", "--model", "m.safetensors", flag, *values) == 0
    sca.tl.annotate(query, "m.safetensors", **kwargs)
    out = ad.read_h5ad("out.h5ad")
    pd.testing.assert_frame_equal(sca.get.annotation(out, key), sca.get.annotation(query, key), check_categorical=False)
    assert _new(here) == {"out.h5ad"}


def test_every_option_is_an_argument_of_its_function() -> None:
    import inspect

    options = {f.name for f in sca.trust.Options.__dataclass_fields__.values()}
    functions = {
        sca.tl.fit_annotator: (known.OF_TRAIN, {"method_kwargs"}),
        sca.tl.annotate: (known.OF_ANNOTATE, {"method_kwargs", "trust"}),
        sca.tl.annotate_markers: (known.OF_MARKERS, set()),
    }
    for function, (declared, otherwise) in functions.items():
        names = {each.argument for each in declared}
        trust = {name.removeprefix("trust.") for name in names if name.startswith("trust.")}
        assert trust <= options
        stated = set(inspect.signature(function).parameters) - {"adata", "reference", "markers", "trust"}
        assert {n for n in names if not n.startswith("trust.")} | otherwise >= stated
        assert {n for n in names if not n.startswith("trust.")} <= stated


def test_all_that_follows_the_labels(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    steps = ("--vote", "clusters", "--rollup", "--ontology", "small.obo", "--evidence", "e.csv", "--n-genes", 3)
    files = ("--table", "t.csv", "--figures", "figures")
    model = ("--model", "m.safetensors")
    assert run("annotate", "query.h5ad", "out.h5ad", *model, *steps, *files) == 0
    query = ad.read_h5ad("query.h5ad")
    sca.tl.annotate(query, "m.safetensors", vote="clusters")
    sca.tl.rollup(query, ontology="small.obo")
    sca.tl.evidence(query, n_genes=3)
    out = ad.read_h5ad("out.h5ad")
    pd.testing.assert_frame_equal(sca.get.annotation(out), sca.get.annotation(query), check_categorical=False)
    assert "rollup" in sca.get.annotation(out)
    table = pd.read_csv("t.csv", index_col=0)
    assert table.index.equals(query.obs_names)
    assert table["voted"].tolist() == query.obs["annotation_voted"].astype(str).tolist()
    evidence = pd.read_csv("e.csv")
    assert evidence["gene"].tolist() == sca.get.evidence(query)["gene"].tolist()
    drawn = {p.name for p in (here / "figures").iterdir()}
    assert {"annotation.png", "status.png", "probabilities.png", "reliability.png", "sets.png", "evidence.png"} <= drawn
    said = capsys.readouterr().out
    assert "not drawn: levels" in said
    assert "written to out.h5ad" in said
    assert all((here / "figures" / name).read_bytes().startswith(b"\x89PNG") for name in drawn)
    # Once more: nothing is replaced unless asked.
    assert run("annotate", "query.h5ad", "new.h5ad", *model, "--figures", "figures") == 1
    assert "exists already; choose another folder, or pass --force" in capsys.readouterr().err
    assert not (here / "new.h5ad").exists()


@pytest.mark.slow
def test_commands_on_an_annotated_file(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("annotate", "query.h5ad", "a.h5ad", "--model", "m.safetensors", "--key-added", "k") == 0
    assert run("vote", "a.h5ad", "v.h5ad", "--groupby", "clusters", "--min-share", 0.6, "--key", "k") == 0
    assert run("rollup", "v.h5ad", "r.h5ad", "--ontology", "small.obo", "--coverage", 0.95, "--key", "k") == 0
    assert run("evidence", "r.h5ad", "e.csv", "--n-genes", 2, "--key", "k") == 0
    assert run("plot", "r.h5ad", "pictures", "--key", "k") == 0
    capsys.readouterr()
    assert run("report", "r.h5ad", "--key", "k", "--table", "t.csv", "--html", "r.html") == 0
    said = capsys.readouterr().out
    query = ad.read_h5ad("query.h5ad")
    sca.tl.annotate(query, "m.safetensors", key_added="k")
    sca.tl.vote(query, "clusters", min_share=0.6, key="k")
    sca.tl.rollup(query, "k", ontology="small.obo", coverage=0.95)
    assert str(sca.get.report(query, "k")) in said
    table = sca.get.annotation(ad.read_h5ad("r.h5ad"), "k")
    pd.testing.assert_frame_equal(table, sca.get.annotation(query, "k"), check_categorical=False)
    assert len(pd.read_csv("t.csv")) == query.n_obs
    assert set(pd.read_csv("e.csv")["rank"]) == {1, 2}
    page = (here / "r.html").read_text()
    assert "color-scheme" in page
    assert "nearest_centroid" in page
    assert (here / "pictures" / "reliability.png").exists()
    for command, *rest in (
        ("vote", "r.h5ad", "x.h5ad", "--groupby", "clusters"),
        ("report", "query.h5ad"),
        ("plot", "query.h5ad", "x"),
        ("evidence", "query.h5ad", "x.csv"),
        ("rollup", "a.h5ad", "x.h5ad", "--key", "k", "--override", "no equals sign"),
        ("rollup", "a.h5ad", "a.h5ad", "--key", "k", "--force"),
    ):
        assert run(command, *rest) == 1
    assert not {p for p in _new(here) if p.startswith("x")}


def test_override_of_a_roll_up(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A type that the ontology lacks is an error in the words of the shell, and what it says works."""
    text = (here / "small.obo").read_text()
    lost = text.rsplit("name: ", 1)[1].split("\n")[0]
    (here / "less.obo").write_text(text.replace(f"name: {lost}", "name: something else"))
    asked = ("annotate", "query.h5ad", "out.h5ad", "--model", "m.safetensors", "--rollup", "--ontology", "less.obo")
    assert run(*asked) == 1
    assert f"--override '{lost}=...'" in capsys.readouterr().err
    assert run(*asked, "--override", f"{lost}=something else", "--table", "sub.csv") == 0
    said = capsys.readouterr().out
    assert "written to out.h5ad\nwritten to sub.csv\n" in said
    assert "annotation_rollup" in ad.read_h5ad("out.h5ad").obs
    assert run("annotate", "query.h5ad", "x.h5ad", "--model", "m.safetensors", "--override", "a=b") == 1
    assert "pass --rollup too" in capsys.readouterr().err


def test_a_pickle_is_read_only_if_asked(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "m.pkl").write_bytes(b"\x80\x04K\x01." + b" " * 40)
    assert run("convert", "m.pkl", "x.safetensors") == 1
    assert "pass --trust-pickle if you trust the source of 'm.pkl'" in capsys.readouterr().err
    assert run("info", "m.pkl") == 1
    assert "sc-annotate convert MODEL.pkl" in capsys.readouterr().err


def test_marker_lists(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--min-genes", 2, "--values", "counts", "--table", "t.csv", "--vote", "clusters")
    assert run("annotate", "query.h5ad", "out.h5ad", "--markers", "markers.csv", *options) == 0
    query = ad.read_h5ad("query.h5ad")
    sca.tl.annotate_markers(query, "markers.csv", min_genes=2, values="counts")
    sca.tl.vote(query, "clusters")
    out = ad.read_h5ad("out.h5ad")
    pd.testing.assert_frame_equal(sca.get.annotation(out), sca.get.annotation(query), check_categorical=False)
    for option in (("--method", "knn"), ("--coverage", 0.8), ("--calibration", "isotonic"), ("--param", "a=1")):
        assert run("annotate", "query.h5ad", "new.h5ad", "--markers", "markers.csv", *option) == 1
        assert f"{option[0]}: has no meaning for marker lists" in capsys.readouterr().err
    assert run("annotate", "query.h5ad", "new.h5ad", "--model", "m.safetensors", "--by", "ulm") == 1
    assert "--by: says how marker lists are used, and there are none" in capsys.readouterr().err
    assert _new(here) == {"out.h5ad", "t.csv"}


@pytest.mark.slow
def test_several_methods_and_levels(here: Path) -> None:
    labels = ("--reference", "reference.h5ad", "--labels-key", "broad", "--labels-key", "cell_type")
    methods = ("--method", "nearest_centroid", "--method", "naive_bayes", "--calibration", "isotonic", "--cv", 0)
    assert run("annotate", "query.h5ad", "out.h5ad", *labels, *methods) == 0
    query, reference = ad.read_h5ad("query.h5ad"), ad.read_h5ad("reference.h5ad")
    both = ["nearest_centroid", "naive_bayes"]
    sca.tl.annotate(query, reference, ["broad", "cell_type"], method=both, trust="isotonic", cv=0)
    out = ad.read_h5ad("out.h5ad")
    for key in ("annotation", *(f"annotation_{name}" for name in both)):
        pd.testing.assert_frame_equal(
            sca.get.annotation(out, key), sca.get.annotation(query, key), check_categorical=False
        )
    labels = ("--reference", "reference.h5ad", "--labels-key", "cell_type")
    assert run("annotate", "query.h5ad", "none.h5ad", *labels, *FAST, "--calibration", "none") == 0
    assert "annotation_status" not in ad.read_h5ad("none.h5ad").obs


@pytest.mark.slow
def test_backed_with_what_follows(here: Path) -> None:
    steps = ("--vote", "clusters", "--evidence", "e.csv", "--table", "t.csv")
    for name, more in (("b", ["--backed"]), ("m", [])):
        assert run("annotate", "query.h5ad", f"{name}.h5ad", "--model", "m.safetensors", *steps, *more, "--force") == 0
    backed, memory = (sca.get.annotation(ad.read_h5ad(f"{name}.h5ad")) for name in "bm")
    pd.testing.assert_frame_equal(backed, memory, check_categorical=False)


REFUSED: dict[str, tuple[tuple[object, ...], str]] = {
    "calibration of a fitted model": (("--model", "m.safetensors", "--calibration", "isotonic"), "--calibration"),
    "genes of a fitted model": (("--model", "m.safetensors", "--n-top-genes", 50), "--n-top-genes says how a model is"),
    "coverage": (("--model", "m.safetensors", "--coverage", 2), "--coverage must"),
    "rate": (("--model", "m.safetensors", "--false-positive-rate", "x"), "--false-positive-rate must be a number"),
    "reference layer": (("--model", "m.safetensors", "--reference-layer", "x"), "--reference-layer: it is a layer of"),
    "no labels": (("--reference", "reference.h5ad"), "--labels-key is missing"),
    "vote column": (("--model", "m.safetensors", "--vote", "nowhere"), "nowhere"),
    "evidence without file": (("--model", "m.safetensors", "--n-genes", 3), "name that too"),
    "ontology without rollup": (("--model", "m.safetensors", "--ontology", "small.obo"), "pass --rollup too"),
    "table of another kind": (("--model", "m.safetensors", "--table", "t.xlsx"), "ends in .csv, not 't.xlsx'"),
    "table over an input": (("--markers", "markers.csv", "--table", "markers.csv"), "is an input"),
    "figures in a file": (("--model", "m.safetensors", "--figures", "small.obo"), "is a file; name a folder"),
    "figures nowhere": (("--model", "m.safetensors", "--figures", "no/no"), "does not exist; make it first"),
    "no markers": (("--markers", "nowhere.csv"), "nowhere.csv"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_is_one_line_of_options(here: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    options, words = REFUSED[name]
    assert run("annotate", "query.h5ad", "out.h5ad", *options) == 1
    said = capsys.readouterr()
    assert words in said.err
    assert said.err.count("\n") == 1
    assert said.out == ""
    assert _new(here) == set()


def test_words_stay_words() -> None:
    every = (*known.OF_ANNOTATE, *known.MARKERS)
    for text, expected in {
        "min_cells=2 leaves it out": "--min-cells 2 leaves it out",
        "n_top_genes, trust.set_score says": "--n-top-genes, --set-score says",
        "adata.obs['labels_key'] of the method, by the layer": "adata.obs['labels_key'] of the method, by the layer",
        "layer: there is none": "--layer: there is none",
        "pass rng=3": "pass --seed 3",
        "values must be one of": "--values must be one of",
        "which they are: overrides={'T, \"x\"': ...}, with": "which they are: --override 'T, \"x\"=...', with",
        "`sca.tl.convert_celltypist(path, trust_pickle=True)`.": "`sc-annotate convert MODEL.pkl MODEL.safetensors --trust-pickle`.",
        "annotate, and pass model=model here.": "annotate, and pass its file with --model.",
    }.items():
        assert spoken(text, every) == expected


@pytest.mark.skipif(os.name == "nt", reason="no SIGTERM")
@pytest.mark.parametrize("when", ["fitting", "writing a model", "writing cells", "writing a table"])
def test_sigterm_leaves_nothing_half_done(
    here: Path, when: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def end(*args: Any, **_: Any) -> None:
        for arg in args:
            if isinstance(arg, os.PathLike):
                with open(arg, "w") as opened:
                    opened.write("half")
        os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    targets = {
        "fitting": "sc_annotate.tl.fit_annotator",
        "writing a model": "safetensors.numpy.save_file",
        "writing cells": "anndata.AnnData.write_h5ad",
        "writing a table": "pandas.DataFrame.to_csv",
    }
    monkeypatch.setattr(targets[when], end)
    if when in ("fitting", "writing a model"):
        code = run("train", "reference.h5ad", "new.safetensors", "--labels-key", "cell_type", *FAST)
    else:
        code = run("annotate", "query.h5ad", "out.h5ad", "--model", "m.safetensors", "--table", "t.csv")
    assert code == 143
    said = capsys.readouterr().err
    done = {"out.h5ad"} if when == "writing a table" else set()
    assert ("written before: out.h5ad" if done else "nothing was written") in said
    assert "terminated" in said
    assert _new(here) == done
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_full_disk_is_one_line(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import errno

    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("anndata.AnnData.write_h5ad", full)
    assert run("annotate", "query.h5ad", "out.h5ad", "--model", "m.safetensors") == 1
    assert "was not written: the disk is full" in capsys.readouterr().err
    assert _new(here) == set()


def test_outputs_through_links_and_to_odd_places(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "far").mkdir()
    (here / "link.h5ad").symlink_to("far/out.h5ad")
    assert run("annotate", "query.h5ad", "link.h5ad", "--model", "m.safetensors") == 0
    assert (here / "link.h5ad").is_symlink()
    assert "annotation" in ad.read_h5ad("far/out.h5ad").obs
    for name, words in {
        "far": "is a folder",
        "x" * 300 + ".h5ad": "the name is too long" if os.name != "nt" else "was not written",
        "out": "ends in .h5ad",
    }.items():
        assert run("annotate", "query.h5ad", name, "--model", "m.safetensors") == 1
        assert words in capsys.readouterr().err


@pytest.mark.slow
def test_a_network_its_evidence_and_its_pictures(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("lightning")
    quick = (
        "--param",
        "epochs=3",
        "--param",
        "rank=4",
        "--param",
        "feed_forward=8",
        "--cv",
        0,
        "--calibration",
        "none",
    )
    labels = ("--labels-key", "cell_type")
    assert run("train", "reference.h5ad", "n.safetensors", *labels, "--method", "nact", *quick) == 0
    model = ("--model", "n.safetensors")
    saliency = ("--saliency", "attention_x_value")
    assert (
        run("annotate", "query.h5ad", "out.h5ad", *model, "--evidence", "e.csv", *saliency, "--figures", "figures") == 0
    )
    assert {"training.png", "attention.png", "evidence.png"} <= {path.name for path in (here / "figures").iterdir()}
    assert ad.read_h5ad("out.h5ad").uns["annotation"]["evidence"]["saliency"] == "attention_x_value"
    assert run("evidence", "out.h5ad", "again.csv", *model, *saliency) == 0
    assert pd.read_csv("again.csv")["gene"].tolist() == pd.read_csv("e.csv")["gene"].tolist()
    assert run("evidence", "out.h5ad", "other.csv", *model, "--saliency", "input_x_gradient") == 0
    assert pd.read_csv("other.csv")["contribution"].tolist() != pd.read_csv("e.csv")["contribution"].tolist()
    capsys.readouterr()
    assert run("evidence", "out.h5ad", "x.csv", *model, "--saliency", "none") == 1
    assert "--saliency must be 'integrated_gradients'" in capsys.readouterr().err
    assert run("annotate", "query.h5ad", "x.h5ad", "--model", "m.safetensors", "--evidence", "x.csv", *saliency) == 1
    assert "annotate: --saliency 'attention_x_value'" in capsys.readouterr().err
    assert run("annotate", "query.h5ad", "x.h5ad", *model, *saliency) == 1
    assert "name that too" in capsys.readouterr().err
    assert not {"x.csv", "x.h5ad"} & _new(here)
