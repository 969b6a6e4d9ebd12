"""A missing or broken torch is said before any work is done; Ctrl-C and errors of a deep method leave all as it was."""

from __future__ import annotations

import copy
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

import sc_annotate as sca
from comparing import same, snapshot
from sc_annotate._core import registry
from sc_annotate.annotation import fitting
from sc_annotate.annotators.nearest_centroid import NearestCentroid
from sc_annotate.errors import MissingExtraError, ModelFileError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from anndata import AnnData

DEEP = ("mlp_torch", "actinn", "nact")


@pytest.fixture
def data() -> AnnData:
    return sca.datasets.simulate_reference(120, 60, 3, rng=0)


@pytest.fixture
def _unread(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise AssertionError("data were read")

    monkeypatch.setattr(fitting, "open_input", fail)
    monkeypatch.setattr("sc_annotate.benchmark._annotators.open_input", fail)


def whole(adata: AnnData) -> dict[str, Any]:
    """All of an object, results included."""
    results = {"obs": adata.obs.copy(), "obsm": dict(adata.obsm), "uns": copy.deepcopy(dict(adata.uns))}
    return {"rest": snapshot(adata), **results}


def _missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)


def _broken(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> None:
        raise RuntimeError("operator torchvision::nms does not exist")

    monkeypatch.setattr("sc_annotate.neural.libraries.import_module", fail)


@pytest.mark.parametrize(
    ("spoil", "words"), [(_missing, "deep methods need torch.* Run: pip install"), (_broken, "torchvision belongs to")]
)
@pytest.mark.usefixtures("_unread")
def test_torch_is_asked_for_before_data_are_read(
    data: AnnData, monkeypatch: pytest.MonkeyPatch, spoil: Callable[[pytest.MonkeyPatch], None], words: str
) -> None:
    spoil(monkeypatch)
    query, within = data[:30].copy(), data.copy()
    within.obs["some"] = within.obs["cell_type"].astype(object)
    within.obs.loc[within.obs_names[:20], "some"] = None
    before = whole(query)
    for method in DEEP:
        with pytest.raises(MissingExtraError, match=words):
            sca.tl.fit_annotator(data, "cell_type", method=method)
        with pytest.raises(MissingExtraError, match=words):
            sca.tl.annotate(query, data, "cell_type", method=method)
        with pytest.raises(MissingExtraError, match=words):
            sca.tl.annotate(within, labels_key="some", method=method)
        # The last of several, too.
        with pytest.raises(MissingExtraError, match=words):
            sca.tl.annotate(query, data, "cell_type", method=["logreg", method])
        with pytest.raises(MissingExtraError, match=words):
            sca.benchmark.annotators(data, "cell_type", methods=["logreg", method])
    assert same(whole(query), before)


@pytest.mark.slow
def test_a_file_of_a_network_is_not_called_damaged_for_want_of_torch(
    data: AnnData, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("lightning")
    kwargs = {"epochs": 1, "hidden": 4}
    model = sca.tl.fit_annotator(data, "cell_type", method="mlp_torch", method_kwargs=kwargs, cv=0, trust=None)
    path = model.save(tmp_path / "model.safetensors")
    _missing(monkeypatch)
    with pytest.raises(MissingExtraError, match="deep methods need torch") as found:
        sca.load(path)
    assert not isinstance(found.value, ModelFileError)


@pytest.mark.slow
def test_classical_methods_import_no_torch() -> None:
    code = (
        "import sys, sc_annotate as sca\n"
        "data = sca.datasets.simulate_reference(120, 60, 3, rng=0)\n"
        "query = data[:30].copy()\n"
        "sca.tl.annotate(query, data, 'cell_type')\n"
        "sca.tl.annotate(query, data, 'cell_type', method=['lda', 'mlp'], cv=0, key_added='two')\n"
        "print(len(sca.tl.methods()), sca.get.report(query), sorted(n for n in sys.modules if n.partition('.')[0] in\n"
        "    ('torch', 'lightning', 'captum', 'entmax') or n.startswith('sc_annotate.neural')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.rstrip().endswith("[]"), done.stdout[-500:]


@pytest.fixture
def stopped() -> Iterator[type[Any]]:
    """A deep method that Ctrl-C, or an error, ends in the fit of which the number is set."""

    @sca.register_annotator("stand_in")
    @dataclass
    class StandIn(NearestCentroid):
        deep: ClassVar[bool] = True
        fits: ClassVar[int] = 0
        stops_at: ClassVar[int] = 0
        error: ClassVar[type[BaseException]] = KeyboardInterrupt

        def fit(self, X: Any, y: Any, **kwargs: Any) -> Any:
            StandIn.fits += 1
            if StandIn.fits == StandIn.stops_at:
                raise StandIn.error
            return super().fit(X, y, **kwargs)

    yield StandIn
    registry.unregister("annotation", "stand_in")


@pytest.mark.slow
@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
@pytest.mark.parametrize("method", ["stand_in", ["lda", "stand_in"]], ids=["one", "several"])
def test_an_interrupted_training_leaves_the_object_as_it_was(
    data: AnnData, stopped: Any, method: Any, error: type[BaseException]
) -> None:
    query = data[:30].copy()
    sca.tl.annotate(query, data, "cell_type", method="nearest_centroid", cv=0)
    before, stopped.error = whole(query), error
    sca.tl.annotate(data[:30].copy(), data, "cell_type", method=method)
    n, stopped.fits = stopped.fits, 0
    assert n >= 6
    # In the first fold, in the last one, and in the final fit.
    for stopped.stops_at in (1, n - 1, n):
        stopped.fits = 0
        with pytest.raises(error):
            sca.tl.annotate(query, data, "cell_type", method=method)
        assert same(whole(query), before)


@pytest.mark.slow
def test_an_interrupted_network_leaves_the_object_as_it_was(data: AnnData, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("lightning")
    from sc_annotate.neural.module import Training

    def interrupted(self: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Training, "on_train_epoch_end", interrupted)
    before = whole(query := data[:30].copy())
    with pytest.raises(KeyboardInterrupt):
        sca.tl.annotate(query, data, "cell_type", method="mlp_torch")
    assert same(whole(query), before)


@pytest.mark.once
@pytest.mark.slow
@pytest.mark.parametrize("broken", ["torch", "lightning"])
def test_packages_that_fail_at_import_are_named_with_the_fix(broken: str, tmp_path: Path) -> None:
    """Stand-ins that fail as a torch for CPUs beside a torchvision for GPUs does."""
    for name in ("torch", "lightning"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("class Tensor: ...\n")
    fails = "raise RuntimeError('operator torchvision::nms does not exist')\n"
    (tmp_path / broken / "__init__.py").write_text(fails)
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "import sc_annotate as sca\n"
        "data = sca.datasets.simulate_reference(60, 40, 3, rng=0)\n"
        "try:\n    sca.tl.fit_annotator(data, 'cell_type', method='mlp_torch')\n"
        "except sca.errors.MissingExtraError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.startswith(f"{broken} is installed and cannot be imported: torchvision belongs to another build")
    assert "pip uninstall torchvision" in done.stdout


INTERRUPTED = """
import os, signal, sys, tempfile
from pathlib import Path
import numpy as np
import sc_annotate as sca
from sc_annotate.neural.module import Training
sca.settings.progress = False
data = sca.datasets.simulate_reference(120, 60, 3, rng=0)
folder = Path(tempfile.mkdtemp())
kwargs = {"epochs": 6, "hidden": 8, "batch_size": 16}
def annotate(query, **more):
    options = {"cv": 0, "trust": None, "method": "mlp_torch"}
    sca.tl.annotate(query, data, "cell_type", method_kwargs=kwargs | more, **options)
whole, query = data[:30].copy(), data[:30].copy()
annotate(whole)
step, calls = Training.training_step, []
def interrupted(self, batch, index):
    calls.append(1)
    if len(calls) == 28:
        os.kill(os.getpid(), signal.SIGINT)
    return step(self, batch, index)
Training.training_step = interrupted
before = query.copy()
try:
    annotate(query, checkpoint=str(folder))
except KeyboardInterrupt:
    assert len(list(folder.iterdir())) == 1
else:
    sys.exit("not interrupted")
assert query.obs.equals(before.obs)
assert query.uns.keys() == before.uns.keys() and query.obsm.keys() == before.obsm.keys()
n = len(calls)
annotate(query, checkpoint=str(folder))
assert len(calls) - n < 48, "not resumed"
assert not list(folder.iterdir())
np.testing.assert_array_equal(query.obsm["annotation_proba"], whole.obsm["annotation_proba"])
print("as it was, and resumed")
"""


@pytest.mark.once
@pytest.mark.slow
def test_ctrl_c_in_a_training_leaves_all_as_it_was_and_the_next_call_resumes(tmp_path: Path) -> None:
    pytest.importorskip("lightning")
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, timeout=300, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.splitlines()[-1] == "as it was, and resumed"
    assert list(tmp_path.iterdir()) == []
