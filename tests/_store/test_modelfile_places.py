"""Where model files can be written, and what is said where they cannot; nothing is left behind."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from sc_annotate._store import modelfile
from sc_annotate.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

ARRAYS = {"x": np.arange(3.0)}


def _save(path: Any, value: int = 1, **kwargs: Any) -> Path:
    return modelfile.save(path, ARRAYS, {"value": value}, **kwargs)


def test_an_existing_file_is_replaced_only_if_asked(tmp_path: Path):
    file = _save(tmp_path / "m.safetensors")
    with pytest.raises(InputError, match=r"m.safetensors' exists already; .*overwrite=True"):
        _save(file, 2)
    assert modelfile.load(file)[1]["value"] == 1
    _save(file, 2, overwrite=True)
    assert modelfile.load(file)[1]["value"] == 2
    assert os.listdir(tmp_path) == ["m.safetensors"]


@pytest.mark.parametrize("relative", [True, False])
@pytest.mark.parametrize("there", [True, False])
def test_a_link_stays_and_its_target_is_written(tmp_path: Path, relative: bool, there: bool):
    (tmp_path / "far").mkdir()
    (tmp_path / "near").mkdir()
    target, link = tmp_path / "far" / "m.safetensors", tmp_path / "near" / "link.safetensors"
    if there:
        _save(target)
    link.symlink_to(os.path.relpath(target, link.parent) if relative else target)
    if there:
        with pytest.raises(InputError, match="overwrite=True"):
            _save(link, 2)
    assert _save(link, 2, overwrite=there) == link
    assert link.is_symlink()
    assert not target.is_symlink()
    assert modelfile.load(target)[1]["value"] == modelfile.load(link)[1]["value"] == 2
    assert os.listdir(tmp_path / "near") == ["link.safetensors"]
    assert os.listdir(tmp_path / "far") == ["m.safetensors"]


def test_places_that_hold_no_file(tmp_path: Path):
    (tmp_path / "folder.safetensors").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "round.safetensors").symlink_to(tmp_path / "about.safetensors")
    (tmp_path / "about.safetensors").symlink_to(tmp_path / "round.safetensors")
    posix = {"x" * 300 + ".safetensors": "the name is too long", "device.safetensors": "no usual file"}
    if os.name != "nt":
        (tmp_path / "device.safetensors").symlink_to("/dev/null")
    before = sorted(os.listdir(tmp_path))
    for name, words in {
        "": "is a folder; name a file in it, such as",
        "folder.safetensors": "is a folder; name a file in it, such as",
        "m": r"ends in \.safetensors, not 'm'",
        "m.h5ad": r"ends in \.safetensors",
        "no/m.safetensors": "does not exist; make it first",
        "file/m.safetensors": "does not exist; make it first",
        "nul\0.safetensors": "was not written|not",
        "round.safetensors": "was not written|leads back to itself",
        **(posix if os.name != "nt" else {}),
    }.items():
        with pytest.raises(InputError, match=words):
            _save(tmp_path / name, overwrite=True)
    assert sorted(os.listdir(tmp_path)) == before


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "the disk is full. Free some space"),
        (errno.EDQUOT, "quota"),
        (errno.EROFS, "can only be read. Choose another folder"),
        (errno.EACCES, "may not be written to"),
        (errno.EIO, "Input/output error. Choose another name or folder"),
    ],
)
@pytest.mark.parametrize("step", ["pathlib.Path.touch", "safetensors.numpy.save_file", "pathlib.Path.replace"])
def test_a_disk_that_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, words: str, step: str):
    file = _save(tmp_path / "m.safetensors")

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(step, refuse)
    with pytest.raises(InputError, match=f"m.safetensors' was not written: .*{words}"):
        _save(file, 2, overwrite=True)
    monkeypatch.undo()
    assert os.listdir(tmp_path) == ["m.safetensors"]
    assert modelfile.load(file)[1]["value"] == 1


@pytest.mark.skipif(
    os.name == "nt" or os.geteuid() == 0, reason="nothing is read-only to root, nor a folder on Windows"
)
def test_a_folder_that_can_only_be_read(tmp_path: Path):
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.raises(InputError, match="may not be written to"):
        _save(tmp_path / "locked" / "m.safetensors")


def test_an_interruption_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("safetensors.numpy.save_file", interrupt)
    with pytest.raises(KeyboardInterrupt):
        _save(tmp_path / "m.safetensors")
    assert os.listdir(tmp_path) == []


def test_a_header_that_claims_too_much_is_not_read(tmp_path: Path):
    from sc_annotate.errors import ModelFileError

    for length in (10**9, 2**40, 90_000_000_000):
        (tmp_path / "m.safetensors").write_bytes(length.to_bytes(8, "little") + b'{"x":')
        with pytest.raises(ModelFileError, match="claims a header of"):
            modelfile.load(tmp_path / "m.safetensors")
