"""Settings refuse what they cannot mean, and come back after an override."""

from __future__ import annotations

from typing import Any

import pytest

import sc_annotate as sca
from sc_annotate._core.settings import Settings, settings
from sc_annotate.errors import InputError


def test_there_is_one_object():
    assert sca.settings is settings
    text = (
        "Settings(progress=True, block_size=4096, n_threads=None, max_download_bytes=None, max_download_seconds=None)"
    )
    assert repr(Settings()) == text


def test_override_and_back():
    before = repr(settings)
    with settings.override(progress=False, block_size=3):
        assert (settings.progress, settings.block_size) == (False, 3)
        with settings.override(block_size=4):
            assert (settings.progress, settings.block_size) == (False, 4)
        assert settings.block_size == 3
    assert repr(settings) == before
    with pytest.raises(KeyError), settings.override(block_size=5):
        raise KeyError
    assert repr(settings) == before


@pytest.mark.parametrize("values", [{"block_size": 0}, {"progress": False, "block_size": "many"}, {"blok_size": 3}])
def test_override_refuses_and_leaves_all_as_it_was(values: dict[str, Any]):
    before = repr(settings)
    with pytest.raises(InputError, match="block_size"), settings.override(**values):
        pytest.fail("the block must not run")
    assert repr(settings) == before


@pytest.mark.parametrize("value", [0, -1, 2.0, True, "10", None])
def test_block_size_is_a_number_of_cells(value: Any):
    with pytest.raises(InputError, match="whole number of cells of at least 1"):
        Settings().block_size = value


@pytest.mark.parametrize("value", [0, 1, "yes", None])
def test_progress_is_yes_or_no(value: Any):
    with pytest.raises(InputError, match="True or False"):
        Settings().progress = value


@pytest.mark.parametrize("value", [0, -1, 2.0, True, "10", float("nan"), [1]])
def test_limits_of_downloads(value: Any):
    with pytest.raises(InputError, match="whole number of bytes"):
        Settings().max_download_bytes = value
    if value != 2.0:
        with pytest.raises(InputError, match="a number above 0"):
            Settings().max_download_seconds = value


def test_a_misspelt_setting_is_no_setting():
    with pytest.raises(AttributeError):
        Settings().blocksize = 3
