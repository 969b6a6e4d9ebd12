"""The folder of checkpoints: made beforehand, or refused by name."""

from __future__ import annotations

import pytest

from sc_annotate.errors import InputError
from sc_annotate.neural.folders import ready


def test_a_folder_is_made_where_there_is_none(tmp_path, monkeypatch):
    assert ready(tmp_path / "a" / "b").is_dir()
    monkeypatch.setenv("HOME", str(tmp_path))
    assert ready("~/states") == tmp_path / "states"
    assert not any((tmp_path / "states").iterdir())


@pytest.mark.parametrize("name", ["file", "file/below", "x" * 5000])
def test_what_cannot_be_written_to_is_refused(tmp_path, name):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match="checkpoint: nothing can be written to"):
        ready(tmp_path / name)
    assert (tmp_path / "file").read_text() == "mine"
