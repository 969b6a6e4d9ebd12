"""Files that are no h5ad files: what can be said of them is; of damaged ones, anndata says it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import h5py
import pytest

from sc_annotate._store.h5ad_files import read_h5ad
from sc_annotate._store.kinds_of_files import refuse_other_kinds
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def loom(tmp_path: Path) -> Path:
    path = tmp_path / "cells.loom"
    with h5py.File(path, "w") as file:
        file["matrix"] = [[1.0, 0.0]]
        file.create_group("row_attrs")
        file.create_group("col_attrs")
    return path


def test_a_loom_file_is_named(loom: Path) -> None:
    with pytest.raises(InputError, match="is a loom file"):
        refuse_other_kinds(str(loom))


def test_a_file_cut_short_is_left_to_anndata(loom: Path) -> None:
    loom.write_bytes(loom.read_bytes()[:600])
    refuse_other_kinds(str(loom))
    with pytest.raises(InputError, match="cannot be read as h5ad"):
        read_h5ad(str(loom))


def test_a_locked_file_is_left_to_anndata(loom: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(*_: object) -> None:
        raise BlockingIOError(11, "unable to lock file")

    monkeypatch.setattr(h5py, "File", locked)
    refuse_other_kinds(str(loom))


@pytest.mark.parametrize("error", [KeyError, RuntimeError, UnicodeError, TypeError])
def test_a_damaged_group_is_left_to_anndata(
    loom: Path, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def damaged(self: object) -> None:
        raise error("damaged")

    monkeypatch.setattr(h5py.Group, "__iter__", damaged)
    refuse_other_kinds(str(loom))


@pytest.mark.parametrize("error", [MemoryError, AttributeError, KeyboardInterrupt])
def test_other_errors_are_not_hidden(loom: Path, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]) -> None:
    def fails(*_: object) -> None:
        raise error

    monkeypatch.setattr(h5py, "File", fails)
    with pytest.raises(error):
        refuse_other_kinds(str(loom))
