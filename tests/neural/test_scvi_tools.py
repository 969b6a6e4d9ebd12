"""scvi-tools is imported by its own methods alone, and what is wrong with it is said."""

from __future__ import annotations

import subprocess
import sys

import pytest

import sc_annotate as sca
from sc_annotate.errors import MissingExtraError
from sc_annotate.neural import libraries

METHODS = ("scanvi", "scvi", "totalanvi", "resolvi")


@pytest.mark.once
def test_listing_methods_imports_none() -> None:
    code = (
        "import sys, sc_annotate as sca\n"
        "table = sca.tl.methods()\n"
        "assert table.loc['scanvi', 'extra'] == 'scvi' and table.loc['scanvi', 'inputs'] == 'counts'\n"
        "import sc_annotate.annotators.scvi_scanvi, sc_annotate.annotators.scvi_resolvi\n"
        "print(sorted({n.partition('.')[0] for n in sys.modules} & {'scvi', 'torch', 'lightning', 'pyro', 'mudata'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


@pytest.mark.slow
def test_the_first_import_leaves_random_states_alone() -> None:
    pytest.importorskip("scvi")
    code = (
        "import random, numpy as np, torch\n"
        "from sc_annotate.neural import libraries\n"
        "def state():\n"
        "    cudnn = torch.backends.cudnn\n"
        "    drawn = np.random.get_state()[1].tolist(), random.getstate(), torch.get_rng_state().tolist()\n"
        "    return drawn, cudnn.benchmark, cudnn.deterministic\n"
        "np.random.seed(5); random.seed(5); torch.manual_seed(5)\n"
        "before = state()\n"
        "libraries.scvi()\n"
        "print(state() == before)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False)
    assert done.stdout.strip() == "True", done.stderr[-2000:]


def test_records() -> None:
    table = sca.tl.methods().loc[list(METHODS)]
    assert (table["extra"] == "scvi").all()
    assert table["deep"].all()
    assert not table["saves"].any()
    assert (table["kind"] == "adapter").all()


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ModuleNotFoundError("no", name="scvi"), r"need scvi-tools, which is not installed.*scvi-tools>=1\.4"),
        (ModuleNotFoundError("no", name="pyro"), r"'pyro', which it needs, is missing"),
        (
            RuntimeError("operator torchvision::nms does not exist"),
            "scvi-tools is installed.*pip uninstall torchvision",
        ),
        (
            AttributeError("no attribute 'x'"),
            r"scvi-tools is installed and cannot be imported.*scvi-tools>=1\.4.*--force",
        ),
    ],
)
def test_a_missing_or_broken_scvi(monkeypatch: pytest.MonkeyPatch, error: Exception, words: str) -> None:
    def fail(name: str) -> None:
        if name == "scvi":
            raise error

    monkeypatch.setattr(libraries, "import_module", fail)
    query = sca.datasets.simulate_reference(60, 40, 3, rng=0)
    for method in METHODS:
        with pytest.raises(MissingExtraError, match=words):
            sca.tl.annotate(query, query, "cell_type", method=method)
