"""A library that is missing or broken is named, with what to do."""

from __future__ import annotations

import importlib

import pytest

from sc_annotate.errors import MissingExtraError
from sc_annotate.neural import libraries

REAL = importlib.import_module


def broken(monkeypatch, name, error):
    def fail(wanted):
        if wanted == name:
            raise error
        return REAL(wanted)

    monkeypatch.setattr(libraries, "import_module", fail)


@pytest.mark.parametrize(
    ("call", "module"),
    [("torch", "torch"), ("lightning", "lightning.pytorch"), ("captum", "captum.attr"), ("entmax", "entmax")],
)
def test_a_missing_library(monkeypatch, call, module):
    broken(monkeypatch, module, ModuleNotFoundError(f"No module named '{call}'", name=call))
    with pytest.raises(MissingExtraError, match=rf"need {call}, which is not installed. Run: pip install .*torch>="):
        getattr(libraries, call)()


def test_torchvision_of_another_build(monkeypatch):
    broken(monkeypatch, "lightning.pytorch", RuntimeError("operator torchvision::nms does not exist"))
    with pytest.raises(MissingExtraError, match="pip uninstall torchvision"):
        libraries.lightning()


@pytest.mark.parametrize("error", [OSError("libcudart.so.13: cannot open"), AttributeError("no attribute 'x'")])
def test_broken_compiled_parts(monkeypatch, error):
    broken(monkeypatch, "torch", error)
    with pytest.raises(MissingExtraError, match="torch is installed and cannot be imported"):
        libraries.torch()
